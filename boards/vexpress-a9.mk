# ARM's Versatile Express with a Cortex-A9, which cannot divide
include boards/qemu-armv7.mk
CCFLAGS	= -mthumb -mcpu=cortex-a9 -mfpu=vfpv3-d16 -mfloat-abi=hard
QEMU	= qemu-system-arm -M vexpress-a9 -m 256
DTB	= vexpress-v2p-ca9.dtb
MODULES	= armmmci crc32c_generic ext4
DISK	= /dev/mmcblk0
DRIVE	= -drive if=sd,format=raw,file=DISK
