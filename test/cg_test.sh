#!/bin/sh
# cg_test.sh - what is asked as files of v2 and v1
cd "$(dirname "$0")/.." || exit 1
# shellcheck disable=SC2046 # words
gcc -std=gnu11 -O1 -g -D_GNU_SOURCE -DRUNDIR='"/run/husk"' -DTEXT='""' -Iinit -Iout -fsanitize=address,undefined -fno-sanitize-recover \
	-o out/cg_test test/cg_test.c $(find cfg filter -name '*.c' ! -name machine.c ! -name load.c ! -name notify.c) cg/knobs.c cg/layout.c cg/names.c caps/names.c caps/status.c ns/names.c \
	init/fail.c init/util.c init/parts.c || exit 1
ASAN_OPTIONS=detect_leaks=0 out/cg_test
