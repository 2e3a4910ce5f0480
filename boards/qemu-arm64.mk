# QEMU's virt machine with a Cortex-A53
TRIPLE	= aarch64-linux-gnu
MUSL	= aarch64-linux-musl
CCFLAGS	= -mbranch-protection=pac-ret
include boards/cross.mk
# to boot it: Debian's kernel and busybox
QEMU	= qemu-system-aarch64 -M virt -cpu cortex-a53 -m 256
CONSOLE	= ttyAMA0
DEBARCH	= arm64
KERNEL	= linux-image-6.1.0-*-cloud-arm64
