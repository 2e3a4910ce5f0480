# this machine, without all that a board can do without
include boards/native.mk
OUT	= out/small
WITHOUT	= all
