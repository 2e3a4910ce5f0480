# this machine
NATIVE	!= uname -m | sed 's/aarch64/arm64/;s/armv.*/armv7/;s/i.86/i386/'
OUT	= out
include boards/qemu-$(NATIVE).mk
