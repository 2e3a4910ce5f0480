# the tools and headers of Debian's cross compiler for TRIPLE; of this machine itself those in /usr
OWN	!= [ "`gcc -dumpmachine 2>/dev/null`" = $(TRIPLE) ] && echo : || echo false
CC	= $(TRIPLE)-gcc
CLANG	= clang --target=$(TRIPLE)
KH	!= $(OWN) && echo /usr/include || echo /usr/$(TRIPLE)/include
KHASM	!= $(OWN) && echo /usr/include/`gcc -print-multiarch`/asm || echo /usr/$(TRIPLE)/include/asm
MUSLROOT != $(OWN) && echo /usr || echo out/musl/usr
SETUP	!= $(OWN) && echo build || echo cross
