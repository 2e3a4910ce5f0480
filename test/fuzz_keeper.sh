#!/bin/sh
# fuzz_keeper.sh SECONDS - any bytes, descriptors and deaths for who keeps boxes (libFuzzer),
# behind one life of each kind that is right: see happens() of fuzz_keeper.c for the letters
cd "$(dirname "$0")/.." || exit 1
t=$(mktemp -d) && HUSK_RUN=$(mktemp -d /dev/shm/fuzz-keeper-XXXXXX) && export HUSK_RUN && trap 'rm -rf "$t" "$HUSK_RUN"' EXIT
mkdir "$t/seeds"

# What is never called stays open
# shellcheck disable=SC2046 # words
clang -w -g -O1 -std=gnu11 -D_GNU_SOURCE -DRUNDIR='"/run/husk"' -DTEXT='""' -DLAYOUT=1u -Iinit -Iout -no-pie -Wl,--unresolved-symbols=ignore-all \
	-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined -o "$t/fuzz" test/fuzz_keeper.c \
	$(sed -n 's/.*unit: *\([^*]*[a-z]\).*/\1/p' test/fuzz_keeper.c) \
	$(sed -n 's/.*__wrap_\([a-z_]*\)(.*;$/-Wl,--wrap=\1/p' test/fuzz_keeper.c | sort -u) || exit 1

seed()		# WHAT HAPPENS, as printf has it
{
	n=$((${n:-0} + 1))
	# shellcheck disable=SC2059 # a format
	printf "$1" >"$t/seeds/$n"
}

# Verbs at both doors, and what has been waited for: letters of enum ASK_
for verb in S H R U W x a Z ''; do
	seed "c0m00 $verb~t0 q00c1m11 $verb~q01e00t0zt1z"
done
seed 'c0m00!~c0m00!S~c1m11\377u~q00m10 W~ c0u00\177ELF\002~ c0m00"x~q00'
seed 'n0 READY=1\nSTATUS=is \033[2J well\nWATCHDOG=1~n0 EXTEND_TIMEOUT_USEC=9000000\nSTOPPING=1~n0!FDSTORE=1\nFDNAME=x~n0\375READY=1~n0"WATCHDOG=trigger~t0zt0zt0z'
seed 'r1no~r1\n~t1z l02026-01-04T10:22:07.042Z! husk says\nhalf~l0 a line\r\n\377\033[31m\n~t0 l1on a terminal\r\n~c1m10 a~l1shown\n~q10x10'
seed "l0$(printf '%01700d' 0)~l0\\n~t0zl0$(printf '%0500d\\n' 0)~t0z"
seed 'c0m00 x~B000 M00R  0q00m00\017~M00N  0z00e01e02q00 c0m00 x~B000 g00&B~M00E  0x00e01'
seed 'c0m00 x~B000c0m01 x~B010c0m02 x~B020c0m03 x~e03t0 e04e01'
seed 's0husk\001\000\000\000\003\000\000\000\000\000\000\000~e00t0zh00t0 n0 READY=1~e08t0zh01c0m00 R~e00h00e00t0zh00e00t0zh00e00t0z'
seed 'e00t0zg00ax~t0 '
seed 'c1m10 W~t0zs1husk\001\000\000\000\200\001\000\000\002\000\000\000~e10q10'
seed 'S0t0zt0ze08 S1f0t1ze10 k0001k0  zk0 z\001'
seed 'c0c1c0c1c0c1c0c1c0c1c0c1c0c1c0c1c0c1c0c1c0c1c0c1c0c1c0c1c0c1c0c1c0c1m03 S~q00q02'
seed 'w0\015\002\000\002\000wwwwhhhh\001env=A=B\000user=www-data\000/bin/sh\000-c\000~w0\015\001\000\001\000wwwwhhhh\000env=A=B\000/bin/sh~w0 ~'
"$t/fuzz" -close_fd_mask=3 -len_control=0 -max_len=3000 -timeout=20 -artifact_prefix=out/fuzz- -max_total_time="${1:-600}" "$t/seeds" >"$t/said" 2>&1
status=$?
grep -E '^(fuzz_keeper|SUMMARY|artifact|Done)|runtime error|ERROR' "$t/said" | tail -n 12
exit $status
