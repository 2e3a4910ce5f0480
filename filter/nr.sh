#!/bin/sh
# nr.sh OUT CC FLAGS... - writes OUT/nr.h: the system calls of the target, as
# its own compiler and the kernel's headers have them. Nothing is typed by hand
# but the widths of arguments, in all.names. Finding nothing stops the build.
set -eu
export LC_ALL=C
out=$1
shift
here=$(dirname "$0")
trap 'rm -f "$out/nr.all" "$out/nr.ask" "$out/nr.say" "$out/nr.num"' EXIT

stop() { echo "filter/nr.sh: $*" >&2; rm -f "$out/nr.h"; exit 1; }

# The names, then what each of them stands for. Two passes, because a macro may
# be an expression of other macros. No pipe after the compiler: its failure counts.
printf '#include <asm/unistd.h>\n' > "$out/nr.ask"
"$@" -x c -E -dM "$out/nr.ask" > "$out/nr.all" || stop "$1 finds no <asm/unistd.h>"
{
	printf '#include <asm/unistd.h>\n#include "%s"\n' "$(cd "$here" && pwd)/arch.h"
	sed -n 's/^#define __\(A*R*M*_*\)NR_\([a-z_][a-z0-9_]*\) .*/@"\2" __\1NR_\2/p' "$out/nr.all" |
		sed -e '/^@"syscalls"/d' -e '/^@"arch_specific_syscall"/d'
	printf '@"=%s" ARCH_%s\n' AUDIT AUDIT BITS BITS FOREIGN FOREIGN LOW LOW
} > "$out/nr.ask"
"$@" -x c -E -P "$out/nr.ask" > "$out/nr.say" || stop "$1 does not know this target"

sed -n 's/^@ *"\([^"]*\)" */\1 /p' "$out/nr.say" | while read -r name value; do
	# shellcheck disable=SC2004 # it is an expression, not the name of one
	echo "$name $(($value))"
done > "$out/nr.num"
grep -q '^read [0-9]' "$out/nr.num" || stop "read is not among the system calls of <asm/unistd.h>"

{ sed 's/ / : /' "$here/all.names"; cat "$out/nr.num"; } | sort | awk '
function byte(v) { names = names (v % 128 + 128) ","; if (++col % 24 == 0) names = names "\\\n" }
function widths(t, twin,	i, c, w, h) {
	if (t == "?" || t == "")
		return 127
	for (i = 1; i <= length(t); i++) {
		c = substr(t, i, 1)
		if (c == "u")			# an id: 16 bits where a 32-bit twin exists
			c = twin ? "h" : "w"
		if (c == "w" || c == "h")
			w += 2 ^ (i - 1)
		if (c == "h")
			h += 2 ^ (i - 1)
	}
	if (!((w, h) in type)) {
		types = types "{" w + 0 "," h + 0 "},"
		type[w, h] = ntypes++
	}
	return type[w, h]
}
BEGIN { for (i = 33; i < 127; i++) ord[sprintf("%c", i)] = i }
/^=/ { printf "#define NR_%s\t%.0fu\n", substr($1, 2), $2; next }
!($1 in seen) { seen[$1] = 1; list[n++] = $1 }
$2 == ":" { width[$1] = $3; next }
{
	nr[$1] = $2
	if ($2 < 4096 && $2 > max)
		max = $2
	if ($2 >= 4096 && (!private || $2 < private))
		private = $2
	if ($2 >= 4096 && $2 > last)
		last = $2
}
END {
	for (i = 0; i < n; i++) {
		name = list[i]
		slot = 16383
		if (name in nr) {
			slot = nr[name] < 4096 ? nr[name] : max + 1 + nr[name] - private
			known[int(slot / 8)] += slot in dup ? 0 : 2 ^ (slot % 8)
			dup[slot] = 1
		}
		for (j = 1; j <= length(name); j++) {
			names = names ord[substr(name, j, 1)] ","
			if (++col % 24 == 0)
				names = names "\\\n"
		}
		byte(int(slot / 128)); byte(slot); byte(widths(width[name], (name "32") in nr))
		printf "#define N_%s%s\n", name, slot == 16383 ? "" : "\t" slot ","
	}
	printf "#define NR_MAX\t%d\n#define NR_PRIVATE\t%.0fu\n#define NR_NPRIVATE\t%d\n", max, private, private ? last - private + 1 : 0
	for (i = 0; i * 8 <= max + (private ? last - private + 1 : 0); i++)
		bits = bits (known[i] + 0) ","
	printf "#define NR_KNOWN\t%s\n#define NR_TYPES\t%s\n#define NR_NAMES\t%s\n", bits, types, names
}' > "$out/nr.h.new"
mv "$out/nr.h.new" "$out/nr.h"
