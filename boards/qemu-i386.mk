CC	= i686-linux-gnu-gcc
CCFLAGS	=
MUSL	= i386-linux-musl
KHASM	= i386-linux-gnu
