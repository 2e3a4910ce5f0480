#!/bin/sh
# filter_test.sh - the filter of all four architectures, on this one.
#
# The tables of all builds are the same, but for what each says of itself: so one
# program tries all policies on all of them. Two 32-bit machines make the same
# programs for all four, to the bit.
cd "$(dirname "$0")/.." || exit 1
status=0
t=$(mktemp -d) && trap 'rm -rf "$t"' EXIT
say() {
	if [ "$1" = 0 ]; then echo "ok - filter: $2"; else echo "not ok - filter: $2"; status=1; fi
}

# BOARD COMPILER FLAGS...
program() {
	b=$1
	shift
	make BOARD="$b" "out/$b/nr.h" >/dev/null && "$@" -std=gnu11 -O2 -D_GNU_SOURCE -DTEXT='""' -Wall -Wextra -Wno-type-limits \
		-Iinit -Iout/"$b" -o out/"$b"/filter_test test/filter_test.c test/bpf.c test/words.c filter/nr.c filter/groups.c \
		filter/args.c filter/policy.c cfg/near.c filter/build.c filter/pid1.c || exit 1
	grep -Ev '^/|NR_(AUDIT|NATIVE|PID1|PID1_END)	' "out/$b/nr.h" > "$t/$b"
	cmp -s "$t/$b" "$t/qemu-x86_64"
	say $? "$b has the tables of all others, and constants are the same"
}
# BOARD COMMAND...
same() {
	b=$1
	shift
	"$@" print > "$t/print.$b"
	cmp -s "$t/print.$b" "$t/print"
	say $? "$b makes the programs that x86_64 makes"
}

# fuzz ARGUMENTS: of libFuzzer, behind the policies as first texts
fuzz() {
	mkdir -p "$t/seeds"
	n=0
	grep -v '^#' test/policies | grep -v '[a-z]:[0-9A-Fa-f]*$' | while read -r words; do
		n=$((n + 1))
		printf '%s%s' "$(echo abcd | cut -c$((n % 4 + 1)))" "$words" > "$t/seeds/$n"
	done
	awk '{ print "\"" $1 "\"" }' filter/all.names > "$t/dict"
	sed -n 's/^\(@[a-z]*\).*/"\1"/p' filter/all.groups >> "$t/dict"
	make BOARD=qemu-x86_64 out/qemu-x86_64/nr.h >/dev/null && clang -w -g -O1 -std=gnu11 -D_GNU_SOURCE -DTEXT='""' -Iinit -Iout/qemu-x86_64 \
		-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined -o "$t/fuzz" test/fuzz_filter.c test/bpf.c test/words.c \
		filter/nr.c filter/groups.c filter/args.c filter/policy.c cfg/near.c filter/build.c filter/pid1.c &&
		"$t/fuzz" -dict="$t/dict" -max_len=1000 -timeout=20 -artifact_prefix=out/fuzz- "$@" "$t/seeds" > "$t/said" 2>&1
}
if [ "${1-}" = fuzz ]; then
	fuzz -max_total_time="${2:-3600}"
	status=$?
	tail -n 12 "$t/said"
	exit $status
fi

program qemu-x86_64 gcc -g -fsanitize=address,undefined -fno-sanitize-recover
out/qemu-x86_64/filter_test test/filter.tbl || status=1
out/qemu-x86_64/filter_test print > "$t/print"
program qemu-i386 i686-linux-gnu-gcc -static
same qemu-i386 out/qemu-i386/filter_test
program qemu-armv7 arm-linux-gnueabihf-gcc -static
if command -v qemu-arm-static >/dev/null; then
	same qemu-armv7 qemu-arm-static out/qemu-armv7/filter_test
fi
program qemu-arm64 aarch64-linux-gnu-gcc -static
for b in qemu-i386 qemu-armv7 qemu-arm64; do
	gcc -w -std=gnu11 -D_GNU_SOURCE -Iinit -Iout/$b -o "$t/pid1" test/filter_test.c test/bpf.c test/words.c filter/nr.c filter/groups.c \
		filter/args.c filter/policy.c cfg/near.c filter/build.c filter/pid1.c && "$t/pid1" pid1 || status=1
done

# a generator that finds nothing stops the build, and leaves no table
printf '#!/bin/sh\ntrue\n' > "$t/mute" && chmod +x "$t/mute"
for cc in false "$t/mute"; do
	! sh filter/nr.sh "$t" "$cc" 2>/dev/null && ! sh caps/cap.sh "$t" "$cc" 2>/dev/null && [ ! -e "$t/nr.h" ] && [ ! -e "$t/cap.h" ]
	say $? "$cc as the compiler stops the build"
done
# and so does a constant that is not the same everywhere, or not what it is said to be
mkdir "$t/filter" && cp filter/* "$t/filter"
for c in O_LARGEFILE '! O_PATH 1 1 1 1'; do
	(cat filter/all.constants && echo "$c") > "$t/filter/all.constants"
	! sh "$t/filter/nr.sh" "$t" gcc -nostdinc -isystem /usr/include/x86_64-linux-musl -isystem out/qemu-x86_64/include 2>"$t/why" &&
		grep -q "all.constants" "$t/why"
	say $? "$c in all.constants stops the build"
done
cp filter/all.names filter/names.sh "$t" && sh "$t/names.sh" out/qemu-*/nr.h
cmp -s "$t/all.names" filter/all.names
say $? "all.names has all names and numbers of four targets, or run filter/names.sh out/qemu-*/nr.h"
if command -v clang >/dev/null; then
	fuzz -seed=1 -runs=4000
	say $? "4000 texts of a fuzzer: $(tail -n 1 "$t/said" | cut -c 1-200)"
fi
exit $status
