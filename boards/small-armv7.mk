# the smallest husk: no PID 1 of a machine, and nothing else that a board can do without
include boards/qemu-armv7.mk
WITHOUT	= all
