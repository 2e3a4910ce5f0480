# Sabre Lite: i.MX6, four Cortex-A9, which cannot divide; its second line is the console.
# QEMU gives the card to the last of its four controllers
include boards/qemu-armv7.mk
CCFLAGS	= -mthumb -mcpu=cortex-a9 -mfpu=vfpv3-d16 -mfloat-abi=hard
QEMU	= qemu-system-arm -M sabrelite -m 1G -serial null
CONSOLE	= ttymxc1
DTB	= imx6q-sabrelite.dtb
MODULES	= gpio-mxc sdhci-esdhc-imx crc32c_generic ext4
DISK	= /dev/mmcblk3
DRIVE	= -drive if=none,id=d,format=raw,file=DISK -device sd-card,drive=d
HALTS	= yes
