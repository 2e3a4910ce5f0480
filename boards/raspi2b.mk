# Raspberry Pi 2B, as QEMU has it: four Cortex-A7.
include boards/qemu-armv7.mk
QEMU	= qemu-system-arm -M raspi2b -m 1G
DTB	= bcm2836-rpi-2-b.dtb
MODULES	= bcm2835 crc32c_generic ext4
DISK	= /dev/mmcblk0
DRIVE	= -drive if=sd,format=raw,file=DISK
HALTS	= yes
