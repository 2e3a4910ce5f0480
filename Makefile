# husk: make            builds out/husk for this machine
#       make BOARD=NAME builds out/NAME/husk (boards/NAME.mk, which may say WITHOUT = PARTS: husk(8))
#       make run        sets all up, builds, runs a real box and shows what it is
#       make BOARD=NAME image   what it boots: its kernel, initramfs, device tree and disk, in out/NAME
#       make BOARD=NAME boot    boots that in QEMU, on this terminal
#       make test       everything
#       make test-boards        the boards that are not in it
# One command compiles everything: no objects, so none can be stale.
.POSIX:
BOARD	= native
OUT	= out/$(BOARD)
RUNDIR	= /run/husk
WITHOUT	=
include boards/$(BOARD).mk

SRC	= init/*.c cfg/*.c ns/*.c cg/*.c rootfs/*.c caps/*.c filter/*.c boards/*.c
LIB	= $(MUSLROOT)/lib/$(MUSL)
INC	= -nostdinc -isystem $(MUSLROOT)/include/$(MUSL) -isystem $(OUT)/include -Iinit -I$(OUT)
WARN	= -Wall -Wextra -Wpedantic -Wshadow -Wvla -Wformat=2 -Wundef -Wstrict-prototypes \
	-Wmissing-prototypes -Wswitch-enum -Wframe-larger-than=8192 -Werror
# Not -strong, which on ARMv7 is 8,432 bytes of 223,924, and not -fstack-clash-protection, 9,008: text
# and whatever else comes from others is static, or bytes (uint8_t), and those the plain kind sees, for 864;
# what -strong adds are variables that are filled by the size of their type, and lists whose length is our own.
# And no frame leaps over the gap of 1 MB that the kernel leaves below a stack: none is above 8192 bytes, no
# array has a variable length, nobody calls alloca. make guard shows what is seen, and what an overflow comes to.
HARD	= -fPIE -fstack-protector -fno-strict-aliasing -fwrapv -fno-delete-null-pointer-checks
CFLAGS	= -std=c11 $(OPT) $(CCFLAGS) $(HARD) $(WARN) -fno-asynchronous-unwind-tables \
	-ffunction-sections -fdata-sections -D_GNU_SOURCE -DRUNDIR='"$(RUNDIR)"' -DLAYOUT=`sh init/layout.sh`u -DLACKS=`sh init/parts.sh $(WITHOUT)` $(INC)
OPT	= -Os
GCCONLY	= -Oz -ftrivial-auto-var-init=zero -flto -flto-partition=none -frandom-seed=husk \
	-fno-move-loop-invariants -fno-section-anchors -fno-tree-switch-conversion \
	-fno-expensive-optimizations -mgeneral-regs-only $(GUARD) $(SHORTER)
# static PIE by hand: musl-gcc -static-pie makes a dynamic program without a word
START	= init/arch/$(ARCH).S
LINK	= -nostdlib -static -Wl,-pie,--no-dynamic-linker,-z,text,-z,relro,-z,now,-z,noexecstack \
	-Wl,-z,noseparate-code,-z,max-page-size=4096,--gc-sections,--build-id=none,-s,-T,init/husk.ld
END	= $(LIB)/libc.a `$(CC) -print-libgcc-file-name`

.PHONY: all clang run test test-boards check-style image boot size bench guard clean

all: $(OUT)/husk $(OUT)/husk.conf.5

# By a rename: boxes that run are kept by the old file, and a build that is killed leaves none that is half.
$(OUT)/husk: $(SRC) init/husk.h init/husk.ld init/arch/as init/arch/near.awk init/arch/calls.S init/layout.sh init/parts.sh $(START) $(OUT)/nr.h $(OUT)/cap.h Makefile boards/$(BOARD).mk
	@sh init/parts.sh $(WITHOUT) >/dev/null
	REAL_AS=`$(CC) -print-prog-name=as` $(CC) $(CFLAGS) $(GCCONLY) $(LINK) -Binit/arch/ -o $@.new $(START) $(SRC) $(END)
	mv $@.new $@

# The kernel's headers and the compiler's own, and nothing else of the build
# machine: its C library stays out of sight.
$(OUT)/include: Makefile boards/$(BOARD).mk
	@sh test/need.sh $(SETUP) "$(CC)" "$(LIB)/libc.a" "$(KH)/linux/seccomp.h" "$(KHASM)/unistd.h"
	rm -rf $@ && mkdir -p $@
	for f in `$(CC) -print-file-name=include`/*.h; do ln -s $$f $@; done
	ln -s $(KH)/linux $(KH)/asm-generic $@
	ln -s $(KHASM) $@/asm

$(OUT)/nr.h: $(OUT)/include filter/nr.sh filter/arch.h filter/all.names filter/all.groups filter/all.twins \
		filter/all.constants
	sh filter/nr.sh $(OUT) $(CC) $(CCFLAGS) $(INC)

$(OUT)/cap.h: $(OUT)/include caps/cap.sh
	sh caps/cap.sh $(OUT) $(CC) $(CCFLAGS) $(INC)

$(OUT)/husk.conf.5: cfg/husk.conf.5.in cfg/keys.c filter/all.groups cfg/man.sh
	sh cfg/man.sh $(OUT)

# every source once more with clang, for its warnings
clang: $(OUT)/nr.h $(OUT)/cap.h
	$(CLANG) $(CFLAGS) -fsyntax-only $(SRC)

run:
	sh test/demo.sh

test:
	sh test/run.sh

check-style: all
	/usr/bin/python3 -B -m pytest -p no:cacheprovider -q test/test_style.py

image: $(OUT)/husk
	sh test/qemu.sh image $(BOARD)

boot: $(OUT)/husk
	sh test/qemu.sh $(BOARD)

test-boards:
	sh test/run.sh boards

size: $(OUT)/husk
	sh test/size.sh $(OUT)/husk

bench:
	sh test/bench.sh

# the stack protector sees the same buffers with -flto as without; and who writes behind one has ended
guard: $(OUT)/nr.h $(OUT)/cap.h
	sh test/guard.sh $(OUT) $(CC) $(CFLAGS) $(GCCONLY) $(SRC)
	REAL_AS=`$(CC) -print-prog-name=as` $(CC) $(CFLAGS) $(GCCONLY) $(LINK) -Binit/arch/ -o $(OUT)/smash $(START) init/entry.c test/smash.c $(END)
	sh test/smash.sh $(OUT)/smash

clean:
	for b in boards/*.mk; do b=$${b##*/}; rm -rf out/$${b%.mk}; done
	rm -rf out/husk out/husk.conf.5 out/include out/*.h
