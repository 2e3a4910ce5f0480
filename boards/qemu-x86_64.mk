# a PC in QEMU
CC	= gcc
CCFLAGS	=
CLANG	= clang
MUSL	= x86_64-linux-musl
KH	= /usr/include
KHASM	= /usr/include/x86_64-linux-gnu/asm
MUSLROOT = /usr
