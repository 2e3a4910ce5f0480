# Raspberry Pi 3B, as QEMU has it: four Cortex-A53. Its first line is Bluetooth's.
include boards/qemu-arm64.mk
QEMU	= qemu-system-aarch64 -M raspi3b -m 1G -serial null
KERNEL	= linux-image-6.1.0-*-arm64
CONSOLE	= ttyS1
DTB	= broadcom/bcm2837-rpi-3-b.dtb
MODULES	= bcm2835 crc32c_generic ext4
DISK	= /dev/mmcblk0
DRIVE	= -drive if=sd,format=raw,file=DISK
ROOT	= squashfs
HALTS	= yes
