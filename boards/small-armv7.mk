# the smallest husk: no PID 1 of a machine, and nothing else that a board can do without: a kernel with cgroups of version 2
include boards/qemu-armv7.mk
WITHOUT	= all
