# husk - make, make run, make test; make BOARD=NAME for another board.
# One command compiles everything: no objects, so none can be stale.
.POSIX:
BOARD	= native
OUT	= out/$(BOARD)
RUNDIR	= /run/husk
include boards/$(BOARD).mk

SRC	= init/*.c cfg/*.c ns/*.c cg/*.c rootfs/*.c caps/*.c filter/*.c boards/*.c
MUSLLIB	= /usr/lib/$(MUSL)
INC	= -nostdinc -isystem /usr/include/$(MUSL) -isystem $(OUT)/gccinc -isystem $(OUT)/kh -Iinit -I$(OUT)
WARN	= -Wall -Wextra -Wpedantic -Wshadow -Wvla -Wformat=2 -Wundef -Wstrict-prototypes \
	-Wmissing-prototypes -Wswitch-enum -Wframe-larger-than=8192 -Werror
HARD	= -fPIE -fstack-protector-strong -ftrivial-auto-var-init=zero -fno-strict-aliasing \
	-fwrapv -fno-delete-null-pointer-checks
CFLAGS	= -std=c11 -Os $(CCFLAGS) $(HARD) $(WARN) -fno-asynchronous-unwind-tables -ffile-prefix-map=$(OUT)=out \
	-D_GNU_SOURCE -DRUNDIR='"$(RUNDIR)"' $(INC)
