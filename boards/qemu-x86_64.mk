# a PC in QEMU
CC	= gcc
ARCH	= x86_64
CCFLAGS	=
GUARD	= -mstack-protector-guard=global
CLANG	= clang
MUSL	= x86_64-linux-musl
KH	= /usr/include
KHASM	= /usr/include/x86_64-linux-gnu/asm
MUSLROOT = /usr
SETUP	= build
# to boot it: Debian's kernel and busybox
QEMU	= qemu-system-x86_64 -M q35 -m 256
CONSOLE	= ttyS0
# or it looks whether its timer ticks before it boots, and panics in a QEMU that has to wait for its turn
APPEND	= no_timer_check
DEBARCH	= amd64
KERNEL	= linux-image-6.1.0-*-cloud-amd64
MODULES	= virtio_pci virtio_blk crc32c_generic ext4
DISK	= /dev/vda
DRIVE	= -drive if=none,id=d,format=raw,file=DISK -device virtio-blk-pci,drive=d
