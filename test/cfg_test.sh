#!/bin/sh
# cfg_test.sh [FILE ...] - what husk show says is the box, of each file that is right
#	cfg_test.sh fuzz SECONDS	any bytes (libFuzzer), behind the files as first texts
cd "$(dirname "$0")/.." || exit 1

# COMPILER ARGUMENT ...
compiled()
{
	# shellcheck disable=SC2046 # words
	"$@" -std=gnu11 -O1 -g -D_GNU_SOURCE -DRUNDIR='"/run/husk"' -DTEXT='""' -Iinit -Iout \
		$(find cfg filter -name '*.c' ! -name machine.c ! -name load.c ! -name notify.c) caps/names.c caps/status.c cg/names.c ns/names.c \
		init/fail.c init/util.c init/parts.c
}

if [ "${1-}" = fuzz ]; then
	t=$(mktemp -d) && trap 'rm -rf "$t"' EXIT
	compiled clang -w -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined -o "$t/fuzz" test/fuzz_cfg.c || exit 1
	"$t/fuzz" -close_fd_mask=2 -artifact_prefix=out/fuzz- -max_total_time="${2:-600}" "$t" test/conf/good test/conf/bad > "$t/said" 2>&1
	status=$?
	tail -n 12 "$t/said"
	exit $status
fi
[ $# -gt 0 ] || set -- test/conf/good/*.conf
compiled gcc -fsanitize=address,undefined -fno-sanitize-recover -o out/cfg_test test/cfg_test.c || exit 1
ASAN_OPTIONS=detect_leaks=0 out/cfg_test "$@"
