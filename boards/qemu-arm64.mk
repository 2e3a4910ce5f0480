# QEMU's virt machine with a Cortex-A53
CC	= aarch64-linux-gnu-gcc
CCFLAGS	= -mbranch-protection=pac-ret
CLANG	= clang --target=aarch64-linux-gnu
MUSL	= aarch64-linux-musl
KH	= /usr/aarch64-linux-gnu/include
KHASM	= /usr/aarch64-linux-gnu/include/asm
MUSLROOT = out/musl/usr
# to boot it: Debian's kernel and busybox
QEMU	= qemu-system-aarch64 -M virt -cpu cortex-a53 -m 256
CONSOLE	= ttyAMA0
DEBARCH	= arm64
KERNEL	= linux-image-6.1.0-*-cloud-arm64
