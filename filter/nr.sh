#!/bin/sh
# nr.sh OUT CC FLAGS... - writes OUT/nr.h: the system calls of the target, as
# its own compiler and the kernel's headers have them. Nothing is typed by hand
# but the widths of arguments, in all.names. Finding nothing stops the build.
set -eu
export LC_ALL=C
out=$1
shift
here=$(dirname "$0")
trap 'rm -f "$out/nr.all" "$out/nr.ask" "$out/nr.say" "$out/nr.num" "$out/nr.h.new"' EXIT

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
function byte(v) { bytes = bytes v ","; if (++col % 24 == 0) bytes = bytes "\\\n"; size++ }
function widths(t, twin,	i, c, w, h) {
	if (t == "?" || t == "")
		return 63
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
# the letters that the one before has too are a count; every 16th stands whole
function entry(name, slot, t,	i, same) {
	if (entries++ % 16 == 0)
		starts = starts size + 0 ","
	else
		while (substr(name, 1, same + 1) == substr(last, 1, same + 1))
			same++
	last = name
	byte(same + 0)
	for (i = same + 1; i <= length(name); i++)
		byte(ord[substr(name, i, 1)])
	byte(128 + int(slot / 4))
	byte(slot % 4 * 64 + t)
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
	if ($2 >= 4096 && $2 > end)
		end = $2
}
END {
	slots = max + 1 + (private ? end - private + 1 : 0)
	for (i = 0; i < n; i++) {
		name = list[i]
		if (width[name] == "x")
			continue
		slot = 511
		if (name in nr) {
			slot = nr[name] < 4096 ? nr[name] : max + 1 + nr[name] - private
			known[int(slot / 8)] += slot in dup ? 0 : 2 ^ (slot % 8)
			dup[slot] = 1
		}
		entry(name, slot, widths(width[name], (name "32") in nr))
		printf "#define N_%s%s\n", name, slot == 511 ? "" : "\t" slot ","
	}
	if (slots > 511 || ntypes > 63)
		exit 1
	for (i = 0; i < slots; i += 8)
		bits = bits (known[i / 8] + 0) ","
	printf "#define NR_MAX\t%d\n#define NR_PRIVATE\t%.0fu\n#define NR_NPRIVATE\t%d\n", max, private, slots - max - 1
	printf "#define NR_KNOWN\t%s\n#define NR_TYPES\t%s\n", bits, types
	printf "#define NR_STARTS\t%s\n#define NR_NAMES\t%s\n", starts, bytes
}' > "$out/nr.h.new" || stop "the table does not fit: more than 511 calls"
mv "$out/nr.h.new" "$out/nr.h"
