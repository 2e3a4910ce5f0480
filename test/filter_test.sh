#!/bin/sh
# filter_test.sh [BOARD ...] - the filter of all four architectures, on this one:
# only numbers and names differ, and they are in out/BOARD/nr.h.
cd "$(dirname "$0")/.." || exit 1
boards=${*:-qemu-x86_64 qemu-i386 qemu-armv7 qemu-arm64}
status=0
for b in $boards; do
	make BOARD="$b" "out/$b/nr.h" >/dev/null || exit 1
	gcc -std=gnu11 -O1 -g -D_GNU_SOURCE -Wall -Wextra -Wno-type-limits -fsanitize=address,undefined \
		-fno-sanitize-recover -Iinit -Iout/"$b" -o out/"$b"/filter_test test/filter_test.c test/bpf.c \
		filter/nr.c filter/groups.c filter/args.c filter/policy.c cfg/near.c filter/build.c \
		filter/pid1.c || exit 1
	out/"$b"/filter_test "${b#qemu-}" test/filter.tbl || status=1
done

# a generator that finds nothing stops the build, and leaves no table
t=$(mktemp -d) && trap 'rm -rf "$t"' EXIT
printf '#!/bin/sh\ntrue\n' > "$t/mute" && chmod +x "$t/mute"
for cc in false "$t/mute"; do
	if sh filter/nr.sh "$t" "$cc" 2>/dev/null || sh caps/cap.sh "$t" "$cc" 2>/dev/null || [ -e "$t/nr.h" ] || [ -e "$t/cap.h" ]; then
		echo "not ok - $cc as the compiler makes a table"
		status=1
	else
		echo "ok - $cc as the compiler stops the build"
	fi
done
cp filter/all.names filter/names.sh "$t" && sh "$t/names.sh" out/qemu-*/nr.h
if cmp -s "$t/all.names" filter/all.names; then
	echo "ok - all.names has all names of four targets"
else
	echo "not ok - all.names: run filter/names.sh"
	status=1
fi
exit $status
