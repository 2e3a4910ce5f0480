#!/bin/sh
# nr.sh OUT CC FLAGS... - writes OUT/nr.h: the system calls of the target, as
# its own compiler and the kernel's headers have them. Nothing is typed by hand
# but the widths of arguments, in all.names, and what is allowed together, in all.groups.
# Finding nothing stops the build.
set -eu
export LC_ALL=C
out=$1
shift
here=$(dirname "$0")
trap 'rm -f "$out/nr.all" "$out/nr.ask" "$out/nr.say" "$out/nr.num" "$out/nr.set" "$out/nr.h.new"' EXIT

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

# Classes of calls from 2 on: 0 is a number that is no call, 1 a call of no group.
awk '
function head(name) { print "=C_" name, ++class + 1; first[name] = class + 1; last[name] = class + 1 }
/^#/ || !NF { next }
/^[@.=]/ {
	name = substr($1, 2)
	if ($2 == "=") {
		first[name] = first[$3]
		last[name] = last[$4]
	} else
		head(name)
	if (/^@/) {
		group = name
		names = names "@" name "\\0"
		order[++n] = name
	} else if (/^[.]/)
		last[group] = class + 1
	else
		group = ""
	next
}
{ for (i = 1; i <= NF; i++) print $i, "@", class + 1 }
END {
	for (i = 1; i <= n; i++)
		ranges = ranges "{" first[order[i]] "," last[order[i]] "},"
	print "=GROUPS", "\"" names "\""
	print "=RANGES", ranges
}' "$here/all.groups" > "$out/nr.set"

{
	sed 's/ / : /' "$here/all.names"
	sed -n '/^[!=]/s/^/@/p' "$here/all.twins"
	cat "$out/nr.set" "$out/nr.num"
} | sort -s -k1,1 | awk '
function fail(why) { print "filter/nr.sh: " why > "/dev/stderr"; failed = 1; exit 1 }
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
# the letters that the one before has too are a count; every 32nd stands whole
function letters(e, name,	i) {
	if (e % 32)
		while (same[e] < 31 && substr(name, 1, same[e] + 1) == substr(last, 1, same[e] + 1))
			same[e]++
	last = name
	for (i = same[e] + 1; i <= length(name); i++)
		text[e, len[e]++] = ord[substr(name, i, 1)]
}
# what twins have in common
function key(name,	stem) {
	if (name in twin_of)
		return twin_of[name]
	stem = name
	if (!sub(/_time64$/, "", stem))
		sub(/(64|32)$/, "", stem)
	return stem in twin_of ? twin_of[stem] : stem
}
# One byte for the two that stand side by side most often, and again.
function pairs(	e, i, k, p, best, token, count, part) {
	for (token = 128; token < 256; token++) {
		split("", count)
		best = ""
		for (e = 0; e < entries; e++)
			for (i = 1; i < len[e]; i++) {
				p = text[e, i - 1] "," text[e, i]
				k = ++count[p]
				if (best == "" || k > count[best] || (k == count[best] && p < best))
					best = p
			}
		split(best, part, ",")
		two = two best ","
		for (e = 0; e < entries; e++) {
			for (i = k = 0; i < len[e]; k++)
				if (i + 1 < len[e] && text[e, i] == part[1] && text[e, i + 1] == part[2]) {
					text[e, k] = token
					i += 2
				} else
					text[e, k] = text[e, i++]
			len[e] = k
		}
	}
}
BEGIN {
	entries = 0
	for (i = 33; i < 127; i++)
		ord[sprintf("%c", i)] = i
}
/^@/ {
	for (i = 2; i <= NF; i++)
		twin_of[$i] = $2
	differ[$2] = /!/ ? 16384 : 0
	next
}
/^=C_/ { printf "#define %s\t%d\n", substr($1, 2), $2; next }
/^=(GROUPS|RANGES)/ { printf "#define NR_%s\t%s\n", substr($1, 2), $2; next }
/^=/ { printf "#define NR_%s\t%.0fu\n", substr($1, 2), $2; next }
$2 == "@" && $1 in class { fail($1 " stands in two groups") }
$2 == "@" { class[$1] = $3; next }
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
	if (failed)
		exit 1
	slots = max + 1 + (private ? end - private + 1 : 0)
	for (i = 0; i < n; i++) {
		name = list[i]
		if (!(name in nr) || width[name] == "x")
			continue
		k = key(name)
		slot = nr[name] < 4096 ? nr[name] : max + 1 + nr[name] - private
		if (!(k in native)) {
			native[k] = slot
			keys[nkeys++] = k
		}
		if (!((k, slot) in of_set)) {
			of_set[k, slot] = 1
			set[k, members[k]++ + 0] = slot
		}
	}
	for (i = 0; i < nkeys; i++)
		for (j = 0; (m = members[k = keys[i]]) > 1 && j < m; j++)
			twins = twins set[k, j] + differ[k] + (j == m - 1) * 32768 ","
	for (i = 0; i < n; i++) {
		name = list[i]
		if (width[name] == "x")
			continue
		if (name in width && !(name in class))
			fail(name " stands in no group")
		slot = 511
		if (name in nr) {
			slot = nr[name] < 4096 ? nr[name] : max + 1 + nr[name] - private
			in_class[slot] = name in class ? class[name] : 1
		}
		letters(entries, name)
		foreign[entries] = slot == 511 ? 128 : 0
		tail[entries++] = (slot < 511 ? slot : key(name) in native ? native[key(name)] : 511) * 64 \
			+ widths(width[name], (name "32") in nr)
		printf "#define N_%s\t%d\n", name, slot
	}
	for (name in class)
		if (!(name in width))
			fail("no system call is called " name)
	if (slots > 511 || ntypes > 63)
		fail("the table does not fit: more than 511 calls")
	pairs()
	for (e = 0; e < entries; e++) {
		if (e % 32 == 0)
			starts = starts size + 0 ","
		byte(same[e] + int(tail[e] / 256) % 4 * 32 + foreign[e])
		for (i = 0; i < len[e]; i++)
			byte(text[e, i])
		byte(int(tail[e] / 1024))
		byte(tail[e] % 256)
	}
	for (i = 0; i < slots; i++)
		classes = classes in_class[i] + 0 ","
	printf "#define NR_MAX\t%d\n#define NR_PRIVATE\t%.0fu\n#define NR_NPRIVATE\t%d\n", max, private, slots - max - 1
	printf "#define NR_TWINS\t%s\n", twins
	printf "#define NR_CLASSES\t%s\n#define NR_TYPES\t%s\n", classes, types
	printf "#define NR_STARTS\t%s\n#define NR_PAIRS\t%s\n#define NR_NAMES\t%s\n", starts, two, bytes
}' > "$out/nr.h.new" || stop "no table"
mv "$out/nr.h.new" "$out/nr.h"
