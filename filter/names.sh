#!/bin/sh
# names.sh OUT/nr.h... - all.names again, with the numbers that the headers of these
# targets have, and the names that they have besides. Of a line
#	NAME WIDTHS x86_64 i386 armv7 arm64
# the numbers are what a husk for another machine knows of this one; - for none.
# A new name gets ? for its arguments: it can be allowed and denied, but not tested,
# until somebody writes their widths:
#	. a pointer, a long or unused  w 32 bits  h 16 bits  u a user or group id
# read off the kernel's include/linux/syscalls.h; - for a call without any, and x
# for one that no kernel of ours has: its name is left out, its number is gone.
set -eu
export LC_ALL=C
list=$(dirname "$0")/all.names
awk '
FILENAME == ARGV[1] { list[n++] = $1; width[$1] = $2; old[$1] = $0; next }
$2 == "NR_NATIVE" { native = $3 + 0; seen[native] = 1 }
$1 == "/*" {
	if (!($2 in width)) {
		list[n++] = $2
		width[$2] = "?"
	}
	nr[native, $2] = $3
}
END {
	for (i = 0; i < n; i++) {
		split(old[list[i]], was, " ")
		line = list[i] " " width[list[i]]
		for (a = 1; a <= 4; a++)
			line = line " " ((a, list[i]) in nr ? nr[a, list[i]] : seen[a] || was[2 + a] == "" ? "-" : was[2 + a])
		print line
	}
}' "$list" "$@" | sort > "$list.new"
grep -q '^read ' "$list.new"
mv "$list.new" "$list"
