# Orange Pi PC, as QEMU has it: Allwinner H3, four Cortex-A7
include boards/qemu-armv7.mk
QEMU	= qemu-system-arm -M orangepi-pc -m 1G
CONSOLE	= ttyS0
DTB	= sun8i-h3-orangepi-pc.dtb
MODULES	= sunxi-mmc crc32c_generic ext4
DISK	= /dev/mmcblk0
DRIVE	= -drive if=sd,format=raw,file=DISK
