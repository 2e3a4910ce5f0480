# QEMU's virt machine with a Cortex-A7
CC	= arm-linux-gnueabihf-gcc
CCFLAGS	= -mthumb -mcpu=cortex-a7 -mfloat-abi=hard
CLANG	= clang --target=armv7-linux-gnueabihf
MUSL	= arm-linux-musleabihf
KH	= /usr/arm-linux-gnueabihf/include
KHASM	= /usr/arm-linux-gnueabihf/include/asm
MUSLROOT = out/musl/usr
# to boot it: Debian's kernel and busybox
QEMU	= qemu-system-arm -M virt -cpu cortex-a7 -m 256
CONSOLE	= ttyAMA0
DEBARCH	= armhf
KERNEL	= linux-image-6.1.0-*-armmp
