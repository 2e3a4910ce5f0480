# Cubieboard: Allwinner A10, a Cortex-A8, which cannot divide.
include boards/qemu-armv7.mk
CCFLAGS	= -mthumb -mcpu=cortex-a8 -mfloat-abi=hard
QEMU	= qemu-system-arm -M cubieboard -m 512
CONSOLE	= ttyS0
DTB	= sun4i-a10-cubieboard.dtb
MODULES	= sunxi-mmc crc32c_generic ext4
DISK	= /dev/mmcblk0
DRIVE	= -drive if=sd,format=raw,file=DISK
HALTS	= yes
