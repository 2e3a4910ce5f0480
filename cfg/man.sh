#!/bin/sh
# man.sh - husk.conf.5: the page written by hand, with the list of keys made
# from the rows of keys.c and that of groups from all.groups, so that none of
# them can say what the others do not.
#
#	sh cfg/man.sh [OUT]		writes OUT/husk.conf.5 (out)
set -eu
here=$(dirname "$0")
to=${1:-out}/husk.conf.5

awk -v keys="$here/keys.c" '
function roff(s)
{
	gsub(/\\\\/, "\\e", s)
	return s
}
BEGIN {
	print ".\\\" made from cfg/keys.c by cfg/man.sh"
	FS = "[(, )]+"
	while ((getline <keys) > 0)
		if (/^\tK\([a-z]+, [A-Z]/) {
			begins[$3] = $2
			ends[$4] = 1
		}
	FS = "\""
}
/^\t\/\* [A-Z]+ \*\/ \\$/ {
	name = $0
	gsub(/[^A-Z]/, "", name)
	if (n) print ".El"
	print ".Ss " name
	print ".Bl -tag -width Ds"
	next
}
/^\t[KW]\([A-Z0-9_]+, "/ {
	flags = $3
	n++
	sub(/\.$/, ".X", $2)
	if ($4 != "") what = $4
	what = roff(what)
	gsub(/\|/, "|\\:", what)		# a line may end there
	print ".It Ic " $2 "\\&= Ns Ar " what (what ~ /[.)]$/ ? "\\&" : "")
	if ($6 $10 != "") print "\\&" roff($6) ($6 != "" && $10 != "" ? "; " : "") roff($10) "."
	if ($8 != "") print (flags ~ /OPEN/ && $8 !~ /^\?/ ? "If it is not set: " : "Default: ") roff($8) "."
	if (flags ~ /LIST/) print "A list."
	if (flags ~ /SKIP/) print "May have a"
	if (flags ~ /SKIP/) print ".Ql \\&? ."
	if (flags ~ /BOARD/ && $2 !~ /^board/) print "Also in"
	if (flags ~ /BOARD/ && $2 !~ /^board/) print ".Pa board.conf ."
	if (flags ~ /LIVE/) print "May change while the box runs."
	id = substr($1, 4, length($1) - 5)
	if (id in begins) part = begins[id]
	if (part != "") print "Of the part\n.Cm " part "\nof husk."
	if (id in ends) part = ""
}
END {
	print ".El"
	if (n < 50) {
		print "man.sh: " n + 0 " rows in keys.c" > "/dev/stderr"
		exit 1
	}
}' "$here/keys.c" > "$to.keys"

# What a group is for stands behind its name, or above where it is made of others.
awk '
BEGIN {
	print ".\\\" made from filter/all.groups by cfg/man.sh"
	print ".Bl -tag -width @privileged"
}
/^#/ { why = why substr($0, 2) }
/^@/ {
	n++
	print ".It Cm " $1
	if ($2 != "=") {
		why = $0
		sub(/^[^\t]*\t*/, "", why)
	}
	sub(/^ /, "", why)
	sub(/\.?$/, ".", why)
	gsub(/\. /, ".\n", why)
	if (why != ".") print "\\&" why
	if ($2 == "=" && $1 != "@all") print "From @" $3 " to @" $4 " of this list."
}
!/^#/ { why = "" }
END {
	print ".El"
	if (n < 20) {
		print "man.sh: " n + 0 " groups in all.groups" > "/dev/stderr"
		exit 1
	}
}' "$here/../filter/all.groups" > "$to.groups"

# into lines of a width that mandoc likes
sed -e "/^KEYS\$/{
r $to.keys
d
}" -e "/^GROUPS\$/{
r $to.groups
d
}" "$here/husk.conf.5.in" | awk '
length($0) > 78 && !/^\./ {
	while (length($0) > 78) {
		for (at = 78; substr($0, at, 1) != " "; at--)
			;
		print substr($0, 1, at - 1)
		$0 = substr($0, at + 1)
	}
}
{ print }' > "$to"
rm -f "$to.keys" "$to.groups"
grep -q "^.It Ic memory.max" "$to"
grep -q "^.It Cm @service" "$to"
