#!/bin/sh
# cap.sh OUT CC FLAGS... - writes OUT/cap.h: the capabilities of the target's
# <linux/capability.h>, in the order of their numbers. A gap, or finding
# nothing, stops the build.
set -eu
export LC_ALL=C
out=$1
shift
trap 'rm -f "$out/cap.ask" "$out/cap.all" "$out/cap.h.new"' EXIT

printf '#include <linux/capability.h>\n' > "$out/cap.ask"
if ! "$@" -x c -E -dM "$out/cap.ask" > "$out/cap.all"; then
	echo "caps/cap.sh: $1 finds no <linux/capability.h>" >&2
	exit 1
fi
sed -n 's/^#define CAP_\([A-Z_]*\)[ 	][ 	]*\([0-9][0-9]*\)$/\2 \1/p' "$out/cap.all" | sort -n | awk '
$1 != NR - 1 { bad = 1 }
{ names = names tolower($2) "\\0" }
END {
	if (bad || NR < 38 || names !~ /^chown\\0/)
		exit 1
	printf "#define CAP_COUNT\t%d\n#define CAP_NAMES\t\"%s\"\n", NR, names
}' > "$out/cap.h.new" || { echo "caps/cap.sh: <linux/capability.h> is not understood" >&2; exit 1; }
mv "$out/cap.h.new" "$out/cap.h"
