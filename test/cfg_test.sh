#!/bin/sh
# cfg_test.sh [FILE ...] - what husk show says is the box, of each file that is right
cd "$(dirname "$0")/.." || exit 1
[ $# -gt 0 ] || set -- test/conf/good/*.conf
# shellcheck disable=SC2046 # words
gcc -std=gnu11 -O1 -g -D_GNU_SOURCE -DRUNDIR='"/run/husk"' -DTEXT='""' -Iinit -Iout -fsanitize=address,undefined -fno-sanitize-recover \
	-o out/cfg_test test/cfg_test.c $(find cfg filter -name '*.c' ! -name machine.c ! -name load.c ! -name notify.c) caps/names.c caps/status.c ns/names.c \
	init/fail.c init/util.c || exit 1
ASAN_OPTIONS=detect_leaks=0 out/cfg_test "$@"
