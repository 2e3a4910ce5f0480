# a 32-bit PC in QEMU
CC	= i686-linux-gnu-gcc
CCFLAGS	=
CLANG	= clang --target=i686-linux-gnu
MUSL	= i386-linux-musl
KH	= /usr/i686-linux-gnu/include
KHASM	= /usr/i686-linux-gnu/include/asm
MUSLROOT = out/musl/usr
# to boot it: Debian's kernel and busybox
QEMU	= qemu-system-i386 -M q35 -m 256
CONSOLE	= ttyS0
DEBARCH	= i386
KERNEL	= linux-image-6.1.0-*-686
