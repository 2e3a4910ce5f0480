# the tools and headers of Debian's cross compiler for TRIPLE
CC	= $(TRIPLE)-gcc
CLANG	= clang --target=$(TRIPLE)
KH	= /usr/$(TRIPLE)/include
KHASM	= $(KH)/asm
MUSLROOT = out/musl/usr
