#!/bin/sh
# nr.sh OUT CC FLAGS... - writes OUT/nr.h: the system calls of all four
# architectures. The numbers of the target are what its own compiler and the
# kernel's headers have; those of the others stand in all.names, and a test compares
# them with all headers. Nothing else is typed by hand but the widths of arguments,
# there too, what is allowed together, in all.groups, and which constants there are,
# in all.constants.
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
pid1="rt_sigtimedwait waitid kill write exit_group close poll/ppoll pread64 madvise"

# The names, then what each of them stands for. Two passes, because a macro may
# be an expression of other macros. No pipe after the compiler: its failure counts.
printf '#include <asm/unistd.h>\n' > "$out/nr.ask"
"$@" -x c -E -dM "$out/nr.ask" > "$out/nr.all" || stop "$1 finds no <asm/unistd.h>"
{
	printf '#include <asm/unistd.h>\n#include "%s"\n' "$(cd "$here" && pwd)/arch.h"
	sed -n '/^</s/<[^>]*>/\n#include &\n/gp' "$here/all.constants"
	sed -e '/^[#<~]/d' -e 's/^! *\([^ ]*\).*/\1/' "$here/all.constants" | tr ' ' '\n' | sed -n 's/..*/@"&" &/p'
	sed -n 's/^#define __\(A*R*M*_*\)NR_\([a-z_][a-z0-9_]*\) .*/@"\2" __\1NR_\2/p' "$out/nr.all" |
		sed -e '/^@"syscalls"/d' -e '/^@"arch_specific_syscall"/d'
	printf '@"=%s" ARCH_%s\n' AUDIT AUDIT NATIVE NATIVE
} > "$out/nr.ask"
"$@" -D_GNU_SOURCE -x c -E -P "$out/nr.ask" > "$out/nr.say" || stop "$1 does not know this target"

sed -n -e 's/\([ (]0x[0-9a-fA-F]*\)[UL][UL]*/\1/g' -e 's/^@ *"\([^"]*\)" */\1 /p' "$out/nr.say" | while read -r name value; do
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
	sed -n 's/^[!~] */&/p' "$here/all.constants" | while read -r what name value; do
		case $what in
		!)	# shellcheck disable=SC2046,SC2086 # numbers
			echo "!! $name" $(for v in $value; do echo $((v)); done) ;;
		*)	echo "!~ $name $value" ;;
		esac
	done
	cat "$out/nr.set" "$out/nr.num"
} | sort -s -k1,1 | awk -v pid1="$pid1" '
function fail(why) { print "filter/nr.sh: " why > "/dev/stderr"; failed = 1; exit 1 }
function byte(v) { bytes = bytes v ","; if (++col % 24 == 0) bytes = bytes "\\\n"; size++ }
# which arguments have 32 bits, and which 16; an id has 16 on 32-bit machines only;
# how many there are stands above both
function widths(t,	i, c, w, h, args) {
	if (t == "?" || t == "")
		return ""
	args = t == "-" ? 0 : length(t)
	for (i = 1; i <= length(t); i++) {
		c = substr(t, i, 1)
		if (c == "w" || c == "h")
			w += 2 ^ (i - 1)
		if (c == "u" || c == "h")
			h += 2 ^ (i - 1)
	}
	return w + args % 4 * 64 "," h + int(args / 4) * 64
}
function has(a, name, value) {
	if (!(name in seen)) {
		seen[name] = 1
		list[n++] = name
	}
	nr[a, name] = value
	if (value < 4096 && value > max[a])
		max[a] = value
	if (value >= 4096 && (!private[a] || value < private[a]))
		private[a] = value
	if (value >= 4096 && value > end[a])
		end[a] = value
}
# A number of each architecture in turn: the slots, with private numbers behind.
# Two names of one number are one call.
function slots(a,	i, name, slot) {
	for (i = 0; i < n; i++) {
		name = list[i]
		if (!((a, name) in nr))
			continue
		slot = nr[a, name] < 4096 ? nr[a, name] : max[a] + 1 + nr[a, name] - private[a]
		if (slot >= nslots[a])
			nslots[a] = slot + 1
		if (width[name] == "x")
			name = "x"
		else if (at[a, slot] ~ /[^x]/)
			alias[at[a, slot]] = name
		at[a, slot] = name
	}
}
# A call is known by its place among those of i386, then among those of others:
# then the most of a column is the next one, and the next one.
function places(a,	i, name) {
	for (i = 0; i < nslots[a]; i++) {
		name = at[a, i]
		if (name == "" || name == "x" || name in id)
			continue
		in_class[ids] = name in class ? class[name] : 1
		id[name] = ids++
	}
}
# One bit: the next call, or once more a number that is none. Ten: 0, then which.
function column(a,	slot, name, i, v) {
	begins = begins ncolumn + 0 ","
	for (slot = v = 0; slot < nslots[a]; slot++) {
		name = at[a, slot]
		i = name == "" ? 511 : name == "x" ? 510 : id[name]
		if (i == v + (v < 510))
			bits(1, 1)
		else
			bits(i * 2, 10)
		v = i
	}
	while (nbit % 8)
		bits(0, 1)
}
function bits(v, n) {
	for (; n--; v = int(v / 2)) {
		octet += v % 2 * 2 ^ (nbit++ % 8)
		if (nbit % 8 == 0) {
			columns = columns octet ","
			octet = 0
			ncolumn++
		}
	}
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
# twelve bits: what is more is one bit, or stands in a table of its own, in whose first
# part each constant has four
function constant(name, v,	bit, four) {
	if (name in apart)
		fail(name " is not the same everywhere: write its values into all.constants")
	if (name in varied) {
		split(varied[name], four, " ")
		if (four[native] != v)
			fail(name " is " v ", and not what all.constants says")
		large4 = large4 four[1] "," four[2] "," four[3] "," four[4] ","
		return 4032 + nvaried++
	}
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
	for (; ntypes < 255; ntypes++) {
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
	fail("more kinds of arguments than 8 bits hold")
}
# Those calls and no other, as a filter: one after the other, the most frequent first.
# A tree that tells them apart has more instructions, and what counts here is to load them.
function only(names,	want, either, i, n, word, jumps) {
	n = split(names, want, " ")
	for (i = 1; i <= n; i++) {
		split(want[i], either, "/")
		word = (native, either[1]) in nr ? either[1] : either[2]
		if (!((native, word) in nr))
			fail("the filter of PID 1: " want[i])
		jumps = jumps "JUMP(BPF_JEQ," nr[native, word] "," n - i + 1 ",0) "
	}
	npid1 = n
	return jumps
}
BEGIN {
	entries = nlarge = ntypes = ids = n = 0
	for (i = 33; i < 127; i++)
		ord[sprintf("%c", i)] = i
	letter[ord["@"]]
	for (i = 0; i < 10; i++)
		letter[ord[i ""]]
}
/^!! / {
	varied[$2] = $3 " " $4 " " $5 " " $6
	next
}
/^!~ / {
	for (i = 2; i <= NF; i++)
		apart[$i]
	next
}
/^[!=] / {
	for (i = 2; i <= NF; i++)
		twin_of[$i] = $2
	differ[$2] = /!/ ? 16384 : 0
	next
}
/^=C_/ { printf "#define %s\t%d\n", substr($1, 2), $2; next }
/^=/ {
	if ($1 == "=NATIVE")
		native = $2
	printf "#define NR_%s\t%.0fu\n", substr($1, 2), $2
	next
}
/^@/ { enter($1, $2); constants = entries; next }
/^[A-Z]/ { enter($1, constant($1, $2)); calls = entries; next }
$2 == "@" && $1 in class { fail($1 " stands in two groups") }
$2 == "@" { class[$1] = $3; next }
$2 == ":" {
	width[$1] = $3
	for (i = 1; i <= 4; i++)
		if (i != native && $(3 + i) != "-")
			has(i, $1, $(3 + i))
	next
}
{
	has(native, $1, $2)
	print "/* " $1, $2 " */"
}
END {
	if (failed)
		exit 1
	for (i = 1; i <= 4; i++)
		slots(i)
	places(2)
	places(3)
	places(1)
	places(4)
	for (name in alias)
		id[name] = id[alias[name]]
	for (i = 1; i <= 4; i++)
		column(i)
	for (i = 0; i < n; i++) {
		name = list[i]
		if (width[name] == "x")
			continue
		if (name in width && !(name in class))
			fail(name " stands in no group")
		k = key(name)
		if (!(k in members))
			keys[nkeys++] = k
		if (!((k, id[name]) in of_set)) {
			of_set[k, id[name]] = 1
			set[k, members[k]++ + 0] = id[name]
		}
		count_type[widths(width[name])]++
	}
	for (i = 0; i < nkeys; i++)
		for (j = 0; (m = members[k = keys[i]]) > 1 && j < m; j++)
			twins = twins set[k, j] + differ[k] + (j == m - 1) * 32768 ","
	delete count_type[""]
	sort_types()
	type[""] = 255
	for (i = 0; i < n; i++) {
		name = list[i]
		if (width[name] == "x")
			continue
		t = type[widths(width[name])]
		if (t >= 7)
			more[entries] = t
		enter(name, id[name] * 8 + (t < 7 ? t : 7))
		printf "#define N_%s\t%d\n", name, id[name]
	}
	for (name in class)
		if (!(name in width))
			fail("no system call is called " name)
	if (ids > 509)
		fail("the table does not fit: more than 509 calls")
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
	for (i = 1; i <= ids; i++)
		if (i == ids || in_class[i] != in_class[i - 1] || ++long == 4) {
			classes = classes in_class[i - 1] * 4 + i - 1 - first ","
			first = i
			long = 0
		}
	for (i = 1; i <= 4; i++)
		printf "#define NR_SLOTS_%d\t%d\n", i, nslots[i]
	printf "#define NR_PRIVATE\t%.0fu\n#define NR_NPRIVATE\t%d\n", private[3], nslots[3] - max[3] - 1
	printf "#define NR_PID1\t%s\n#define NR_PID1_END\t%d\n", only(pid1), npid1
	printf "#define NR_TWINS\t%s\n#define NR_LARGE\t%s\n", twins, large4 large
	printf "#define NR_VARIED\t%d\n", nvaried * 4
	printf "#define NR_CLASSES\t%s\n#define NR_TYPES\t%s\n", classes, types
	printf "#define NR_COLUMNS\t%s\n#define NR_BEGINS\t%s\n", columns, begins
	printf "#define NR_STARTS\t%s\n#define NR_PAIRS\t%s\n#define NR_NAMES\t%s\n", starts, two, bytes
}' > "$out/nr.h.new" || stop "no table"
mv "$out/nr.h.new" "$out/nr.h"
