# this machine, as its compiler calls it: above a 64-bit kernel there may be a 32-bit system
NATIVE	!= (gcc -dumpmachine 2>/dev/null || uname -m) | sed 's/-.*//; s/^arm.*/armv7/; s/aarch64/arm64/; s/^i.86/i386/'
OUT	= out
include boards/qemu-$(NATIVE).mk
# with its own tools and headers, whatever the board takes
CC	= gcc
CLANG	= clang
KH	= /usr/include
KHASM	= $(KH)/`$(CC) -print-multiarch 2>/dev/null`/asm
MUSLROOT = /usr
SETUP	= build
