#!/bin/sh
# man.sh - husk.conf.5: the page written by hand, with the list of keys made
# from the rows of keys.c, so that neither can say what the other does not.
#
#	sh cfg/man.sh [OUT]		writes OUT/husk.conf.5 (out)
set -eu
here=$(dirname "$0")
to=${1:-out}/husk.conf.5

awk -F'"' '
function roff(s)
{
	gsub(/\\\\/, "\\e", s)
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
/^\tK\([A-Z0-9_]+, "/ {
	split($3, col, /, */)
	flags = $3
	n++
	sub(/\.$/, ".X", $2)
	if ($4 != "") what = $4
	print ".It Ic " $2 "\\&= Ns Ar " roff(what)
	if ($6 $10 != "") print "\\&" roff($6) ($6 != "" && $10 != "" ? "; " : "") roff($10) "."
	if ($8 != "") print "Default: " roff($8) "."
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
