# this machine, without all that a board can do without; its cgroups may be those of version 1
include boards/native.mk
OUT	= out/small
WITHOUT	= all -v1
