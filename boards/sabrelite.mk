# Sabre Lite: i.MX6, four Cortex-A9, which cannot divide; its second line is the console.
# Its model takes no SD card: no disk
include boards/qemu-armv7.mk
CCFLAGS	= -mthumb -mcpu=cortex-a9 -mfpu=vfpv3-d16 -mfloat-abi=hard
QEMU	= qemu-system-arm -M sabrelite -m 1G -serial null
CONSOLE	= ttymxc1
DTB	= imx6q-sabrelite.dtb
DISK	=
DRIVE	=
ROOT	=
MODULES	=
HALTS	= yes
