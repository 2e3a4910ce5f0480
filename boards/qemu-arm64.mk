CC	= aarch64-linux-gnu-gcc
CCFLAGS	=
MUSL	= aarch64-linux-musl
KHASM	= aarch64-linux-gnu
