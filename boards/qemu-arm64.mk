# QEMU's virt machine with a Cortex-A53
CC	= aarch64-linux-gnu-gcc
CCFLAGS	= -mbranch-protection=pac-ret
CLANG	= clang --target=aarch64-linux-gnu
MUSL	= aarch64-linux-musl
KH	= /usr/aarch64-linux-gnu/include
KHASM	= /usr/aarch64-linux-gnu/include/asm
MUSLROOT = out/musl/usr
