# QEMU's virt machine with a Cortex-A7
TRIPLE	= arm-linux-gnueabihf
ARCH	= arm
MUSL	= arm-linux-musleabihf
CCFLAGS	= -mthumb -mcpu=cortex-a7 -mfloat-abi=hard
GUARD	= -mstack-protector-guard=tls -mstack-protector-guard-offset=0
# of ARM's code alone
SHORTER	= -fira-algorithm=priority -fno-if-conversion -fno-tree-loop-im -fipa-pta -fweb
include boards/cross.mk
# to boot it: Debian's kernel and busybox
QEMU	= qemu-system-arm -M virt -cpu cortex-a7 -m 256
CONSOLE	= ttyAMA0
DEBARCH	= armhf
KERNEL	= linux-image-6.1.0-*-armmp
MODULES	= virtio_mmio virtio_blk crc32c_generic ext4
DISK	= /dev/vda
DRIVE	= -drive if=none,id=d,format=raw,file=DISK -device virtio-blk-device,drive=d
ROOT	= squashfs
