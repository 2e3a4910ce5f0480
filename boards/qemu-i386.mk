# a 32-bit PC in QEMU
TRIPLE	= i686-linux-gnu
ARCH	= i386
MUSL	= i386-linux-musl
CCFLAGS	=
GUARD	= -mstack-protector-guard=global
include boards/cross.mk
# to boot it: Debian's kernel and busybox
QEMU	= qemu-system-i386 -M q35 -m 256
CONSOLE	= ttyS0
# or it looks whether its timer ticks before it boots, and panics in a QEMU that has to wait for its turn
APPEND	= no_timer_check
DEBARCH	= i386
KERNEL	= linux-image-6.1.0-*-686
MODULES	= ahci sd_mod crc32c_generic ext4
DISK	= /dev/sda
DRIVE	= -drive if=ide,format=raw,file=DISK
