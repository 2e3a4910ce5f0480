#!/bin/sh
# names.sh OUT/nr.h... - all.names again, with what the headers of these targets
# have besides. A new name gets ? for its arguments: it can be allowed and
# denied, but not tested, until somebody writes their widths:
#	. a pointer, a long or unused  w 32 bits  h 16 bits  u a user or group id
# read off the kernel's include/linux/syscalls.h; - for a call without any, and x
# for one that no kernel of ours has: its name is left out, its number is unknown.
set -eu
export LC_ALL=C
list=$(dirname "$0")/all.names
{
	cat "$list"
	cat "$@" | sed -n 's/^#define N_\([^	]*\)	.*/\1 ?/p'
} | sort -s -k1,1 | awk '!($1 in seen) { seen[$1] = 1; print }' > "$list.new"
grep -q '^read ' "$list.new"
mv "$list.new" "$list"
