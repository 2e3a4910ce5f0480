# QEMU's virt machine with a Cortex-A53
TRIPLE	= aarch64-linux-gnu
ARCH	= arm64
MUSL	= aarch64-linux-musl
CCFLAGS	= -mbranch-protection=pac-ret
GUARD	= -mstack-protector-guard=sysreg -mstack-protector-guard-reg=tpidr_el0 -mstack-protector-guard-offset=0
include boards/cross.mk
# to boot it: Debian's kernel and busybox
QEMU	= qemu-system-aarch64 -M virt -cpu cortex-a53 -m 256
CONSOLE	= ttyAMA0
DEBARCH	= arm64
KERNEL	= linux-image-6.1.0-*-cloud-arm64
MODULES	= virtio_mmio virtio_blk crc32c_generic ext4
DISK	= /dev/vda
DRIVE	= -drive if=none,id=d,format=raw,file=DISK -device virtio-blk-device,drive=d
