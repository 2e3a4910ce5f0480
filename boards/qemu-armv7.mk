CC	= arm-linux-gnueabihf-gcc
CCFLAGS	= -mthumb
MUSL	= arm-linux-musleabihf
KHASM	= arm-linux-gnueabihf
