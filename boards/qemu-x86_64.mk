# a PC in QEMU, and this machine where it is one
CC	= gcc
CCFLAGS	=
MUSL	= x86_64-linux-musl
KHASM	= x86_64-linux-gnu
