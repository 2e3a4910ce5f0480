#!/bin/sh
# man.sh - husk.conf.5: the page written by hand, with the list of keys made
# from the rows of keys.c, so that neither can say what the other does not.
#
#	sh cfg/man.sh [OUT]		writes OUT/husk.conf.5 (out)
set -eu
here=$(dirname "$0")
to=${1:-out}/husk.conf.5

awk -F'"' '
function unit(type)
{
	if (type == "SIZE") return "bytes, or K, M, G of 1024, or % of RAM (1%..100%)"
	if (type == "COUNT") return "2..4194304"
	if (type == "WEIGHT") return "1..10000"
	if (type == "CPU") return "percent of one CPU, or microseconds; the period 1000..1000000"
	if (type == "TIME") return "a number with ms, s, m, h or d; at most 1d"
	if (type == "CLOCK") return "a number with s, m, h or d"
	if (type == "NICE") return "-20..19"
	if (type == "OOM") return "-1000..1000"
	if (type == "UMASK") return "0..0777"
	if (type == "USER" || type == "GROUPS") return "numbers 0..4294967294"
	if (type == "MAP") return "numbers 0..4294967294, at most 16 ranges"
	if (type == "AFFINITY") return "CPUs 0..1023"
	if (type == "RLIMIT") return "a number, or K, M, G of 1024"
	if (type == "SIGNAL") return "a name with or without SIG, or 1..64"
	if (type == "HOST" || type == "NAME") return "at most 64 letters"
	return ""
}
function roff(s)
{
	gsub(/\\/, "\\e", s)
	return s
}
BEGIN { print ".\\\" made from cfg/keys.c by cfg/man.sh" }
/^\t\/\* [A-Z]+ \*\/ \\$/ {
	name = $0
	gsub(/[^A-Z]/, "", name)
	if (n) print ".El"
	print ".Ss " name
	print ".Bl -tag -width Ds"
	next
}
/^\tK\("/ {
	split($3, col, /, */)
	flags = $3
	n++
	sub(/\.$/, ".X", $2)
	print ".It Ic " $2 "\\&= Ns Ar " roff($4)
	print "\\&" roff($8) "."
	if ($6 != "") print "Default: " roff($6) "."
	if ((u = unit(col[2])) != "") print "Range: " u "."
	if (flags ~ /LIST/) print "A list."
	if (flags ~ /SKIP/) print "May have a"
	if (flags ~ /SKIP/) print ".Ql \\&? ."
	if (flags ~ /BOARD/) print "Also in"
	if (flags ~ /BOARD/) print ".Pa board.conf ."
}
END {
	print ".El"
	if (n < 50) {
		print "man.sh: " n + 0 " rows in keys.c" > "/dev/stderr"
		exit 1
	}
}' "$here/keys.c" > "$to.keys"
sed -e "/^KEYS\$/{
r $to.keys
d
}" "$here/husk.conf.5.in" > "$to"
rm -f "$to.keys"
grep -q "^.It Ic memory.max" "$to"
