#!/bin/sh
# nr.sh OUT CC FLAGS... - writes OUT/nr.h: the system calls of the target, as
# its own compiler and the kernel's headers have them. Nothing is typed by hand
# but the widths of arguments, in all.names, what is allowed together, in all.groups,
# and which constants there are, in all.constants.
# Finding nothing stops the build.
set -eu
export LC_ALL=C
out=$1
shift
here=$(dirname "$0")
trap 'rm -f "$out/nr.all" "$out/nr.ask" "$out/nr.say" "$out/nr.num" "$out/nr.set" "$out/nr.h.new"' EXIT

stop() { echo "filter/nr.sh: $*" >&2; rm -f "$out/nr.h"; exit 1; }

# What init/pid1.c calls after init_filter, and nothing else: wait for signals and
# children, pass signals on, tell the keeper, end. a/b: b where there is no a.
pid1="rt_sigtimedwait waitid kill write pread64 poll/ppoll close madvise exit_group"

# The names, then what each of them stands for. Two passes, because a macro may
# be an expression of other macros. No pipe after the compiler: its failure counts.
printf '#include <asm/unistd.h>\n' > "$out/nr.ask"
"$@" -x c -E -dM "$out/nr.ask" > "$out/nr.all" || stop "$1 finds no <asm/unistd.h>"
{
	printf '#include <asm/unistd.h>\n#include "%s"\n' "$(cd "$here" && pwd)/arch.h"
	sed -n '/^</s/<[^>]*>/\n#include &\n/gp' "$here/all.constants"
	sed '/^[#<]/d' "$here/all.constants" | tr ' ' '\n' | sed -n 's/..*/@"&" &/p'
	sed -n 's/^#define __\(A*R*M*_*\)NR_\([a-z_][a-z0-9_]*\) .*/@"\2" __\1NR_\2/p' "$out/nr.all" |
		sed -e '/^@"syscalls"/d' -e '/^@"arch_specific_syscall"/d'
	printf '@"=%s" ARCH_%s\n' AUDIT AUDIT BITS BITS FOREIGN FOREIGN LOW LOW
} > "$out/nr.ask"
"$@" -D_GNU_SOURCE -x c -E -P "$out/nr.ask" > "$out/nr.say" || stop "$1 does not know this target"

sed -n 's/^@ *"\([^"]*\)" */\1 /p' "$out/nr.say" | while read -r name value; do
	case $value in *[!0-9a-fA-FxX\ \(\)\|\<+-]*) stop "$name is $value" ;; esac
	# shellcheck disable=SC2004 # it is an expression, not the name of one
	echo "$name $(($value))"
done > "$out/nr.num"
grep -q '^read [0-9]' "$out/nr.num" || stop "read is not among the system calls of <asm/unistd.h>"

# Classes of calls from 2 on: 0 is a number that is no call, 1 a call of no group.
# A group is written as its first class * 64 + its last one.
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
	if (/^@/)
		group[++n] = name
	else if (/^[.]/)
		last[group[n]] = class + 1
	next
}
{ for (i = 1; i <= NF; i++) print $i, "@", class + 1 }
END {
	for (i = 1; i <= n; i++)
		print "@" group[i], first[group[i]] * 64 + last[group[i]]
	exit class > 62
}' "$here/all.groups" > "$out/nr.set" || stop "more classes than 6 bits hold"

{
	sed 's/ / : /' "$here/all.names"
	sed -n '/^[!=]/p' "$here/all.twins"
	cat "$out/nr.set" "$out/nr.num"
} | sort -s -k1,1 | awk -v pid1="$pid1" '
function fail(why) { print "filter/nr.sh: " why > "/dev/stderr"; failed = 1; exit 1 }
function byte(v) { bytes = bytes v ","; if (++col % 24 == 0) bytes = bytes "\\\n"; size++ }
# which arguments have 32 bits, and which of them 16
function widths(t, twin,	i, c, w, h) {
	if (t == "?" || t == "")
		return ""
	for (i = 1; i <= length(t); i++) {
		c = substr(t, i, 1)
		if (c == "u")			# an id: 16 bits where a 32-bit twin exists
			c = twin ? "h" : "w"
		if (c == "w" || c == "h")
			w += 2 ^ (i - 1)
		if (c == "h")
			h += 2 ^ (i - 1)
	}
	return w + 0 "," h + 0
}
# the letters that the one before has too are a count; every 32nd stands whole
function enter(name, value,	e, i) {
	e = entries++
	if (e % 32)
		while (same[e] < 15 && substr(name, 1, same[e] + 1) == substr(last, 1, same[e] + 1))
			same[e]++
	last = name
	tail[e] = value
	for (i = same[e] + 1; i <= length(name); i++)
		text[e, len[e]++] = ord[tolower(substr(name, i, 1))]
}
# twelve bits: what is more is one bit, or stands in a table of its own
function constant(v,	bit) {
	if (v >= 0 && v < 3840)
		return v
	for (bit = 12; bit < 31; bit++)
		if (v == 2 ^ bit)
			return 3968 + bit
	large = large (v < 0 ? v : v "u") ","
	return 3840 + nlarge++
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
# One code for the two that stand side by side most often, and again: those below
# the letters are free, but for digits and the @.
function pairs(	e, i, k, p, best, token, count, part) {
	for (token = 0; token < ord["_"]; token++) {
		if (token in letter) {
			two = two "{0,0},"
			continue
		}
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
		two = two "{" best "},"
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
# the seven that most calls have come first
function sort_types(	i, t, best) {
	for (; ntypes < 63; ntypes++) {
		best = ""
		for (t in count_type)
			if (!(t in type) && (best == "" || count_type[t] > count_type[best] ||
			    (count_type[t] == count_type[best] && t < best)))
				best = t
		if (best == "")
			return
		types = types "{" best "},"
		type[best] = ntypes
	}
	fail("more kinds of arguments than 6 bits hold")
}
# Those calls and no other, as a filter: v[lo] to v[hi - 1] are told apart, of all
# numbers below end from the number from on.
function jump(op, k, yes, no) { jmp[njmp] = op; arg[njmp] = k; taken[njmp] = yes; not_taken[njmp++] = no }
function tree(lo, hi, from, end,	m, at) {
	if (hi - lo < 4) {
		for (; lo < hi; lo++)
			jump("BPF_JEQ", v[lo], "ALLOW", lo < hi - 1 ? 0 : "REFUSE")
		return
	}
	for (m = hi - 1; m > lo + 1 && from + end < v[m] + v[m - 1]; m--)
		;
	jump("BPF_JGE", v[m], at = njmp, 0)
	tree(lo, m, from, v[m])
	taken[at] = njmp - at - 1
	tree(m, hi, v[m], end)
}
function only(names,	want, either, i, j, n, word) {
	n = split(names, want, " ")
	for (i = 1; i <= n; i++) {
		split(want[i], either, "/")
		word = either[1] in nr ? either[1] : either[2]
		if (!(word in nr))
			fail("the filter of PID 1: " want[i])
		for (j = nv++; j && v[j - 1] > nr[word]; j--)
			v[j] = v[j - 1]
		v[j] = nr[word]
	}
	word = ""
	tree(0, nv, 0, max)
	for (i = 0; i < njmp; i++) {
		to["ALLOW"] = njmp - i
		to["REFUSE"] = njmp - i - 1
		word = word "JUMP(" jmp[i] "," arg[i] "," (taken[i] in to ? to[taken[i]] : taken[i]) "," \
			(not_taken[i] in to ? to[not_taken[i]] : not_taken[i]) ") "
	}
	return word
}
BEGIN {
	entries = nlarge = ntypes = nv = njmp = 0
	for (i = 33; i < 127; i++)
		ord[sprintf("%c", i)] = i
	letter[ord["@"]]
	for (i = 0; i < 10; i++)
		letter[ord[i ""]]
}
/^[!=] / {
	for (i = 2; i <= NF; i++)
		twin_of[$i] = $2
	differ[$2] = /!/ ? 16384 : 0
	next
}
/^=C_/ { printf "#define %s\t%d\n", substr($1, 2), $2; next }
/^=/ { printf "#define NR_%s\t%.0fu\n", substr($1, 2), $2; next }
/^@/ { enter($1, $2); constants = entries; next }
/^[A-Z]/ { enter($1, constant($2)); calls = entries; next }
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
	for (name in nr)
		slot_of[name] = nr[name] < 4096 ? nr[name] : max + 1 + nr[name] - private
	for (i = 0; i < n; i++) {
		name = list[i]
		if (name in nr)
			in_class[slot_of[name]] = width[name] == "x" ? "x" : name in class ? class[name] : 1
		if (!(name in nr) || width[name] == "x")
			continue
		k = key(name)
		slot = slot_of[name]
		if (!(k in native)) {
			native[k] = slot
			keys[nkeys++] = k
		}
		if (!((k, slot) in of_set)) {
			of_set[k, slot] = 1
			set[k, members[k]++ + 0] = slot
		}
		count_type[widths(width[name], (name "32") in nr)]++
	}
	for (i = 0; i < nkeys; i++)
		for (j = 0; (m = members[k = keys[i]]) > 1 && j < m; j++)
			twins = twins set[k, j] + differ[k] + (j == m - 1) * 32768 ","
	delete count_type[""]
	sort_types()
	type[""] = 63
	for (i = 0; i < n; i++) {
		name = list[i]
		if (width[name] == "x")
			continue
		if (name in width && !(name in class))
			fail(name " stands in no group")
		t = name in nr ? type[widths(width[name], (name "32") in nr)] : 63
		slot = name in nr ? slot_of[name] : key(name) in native ? native[key(name)] : 511
		if (!(name in nr) || t >= 7)
			more[entries] = t + (name in nr ? 0 : 128)
		enter(name, slot * 8 + (t < 7 ? t : 7))
		printf "#define N_%s\t%d\n", name, name in nr ? slot : 511
	}
	for (name in class)
		if (!(name in width))
			fail("no system call is called " name)
	if (slots > 511)
		fail("the table does not fit: more than 511 calls")
	pairs()
	for (e = 0; e < entries; e++) {
		if (e % 32 == 0)
			starts = starts size + 0 ","
		if (e == constants)
			printf "#define NR_CONSTANTS\t%d\n", size
		if (e == calls)
			printf "#define NR_CALLS\t%d\n", size
		byte(same[e] * 16 + int(tail[e] / 256))
		byte(tail[e] % 256)
		for (i = 0; i < len[e]; i++)
			byte(text[e, i] + (i == len[e] - 1) * 128)
		if (e in more)
			byte(more[e])
	}
	# A number whose call no kernel has any more answers as the one before it.
	for (i = 0; i <= slots; i++) {
		if (in_class[i] == "x")
			in_class[i] = in_class[i - 1]
		if (i && (i == slots || in_class[i] + 0 != in_class[i - 1] + 0 || long == 4 || i == max + 1)) {
			classes = classes in_class[i - 1] * 4 + long - 1 ","
			long = 0
		}
		long++
	}
	printf "#define NR_PID1\t%s\n#define NR_PID1_END\t%d\n", only(pid1), njmp
	printf "#define NR_MAX\t%d\n#define NR_PRIVATE\t%.0fu\n#define NR_NPRIVATE\t%d\n", max, private, slots - max - 1
	printf "#define NR_TWINS\t%s\n#define NR_LARGE\t%s\n", twins, large
	printf "#define NR_CLASSES\t%s\n#define NR_TYPES\t%s\n", classes, types
	printf "#define NR_STARTS\t%s\n#define NR_PAIRS\t%s\n#define NR_NAMES\t%s\n", starts, two, bytes
}' > "$out/nr.h.new" || stop "no table"
mv "$out/nr.h.new" "$out/nr.h"
