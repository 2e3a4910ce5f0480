#!/bin/sh
# size.sh FILE ...: bytes of each, and what they are made of. `data` is all that
# can be written, most of it never touched; a relocation is a pointer in a table,
# and dirties its page in every process. An ARMv7 binary has a bar.
set -eu
bar=$(sed -n "s/^size *[0-9]* *//p" "$(dirname "$0")/bars.txt")

printf '%-24s %7s %7s %7s %7s %7s\n' file bytes code tables data relocs
for f; do
	readelf -SW "$f" | tr -d '[]' | awk -v f="$f" -v bytes="$(wc -c <"$f")" '
	function hex(s, n, i) {
		for (i = 1; i <= length(s); i++)
			n = n * 16 + index("0123456789abcdef", substr(s, i, 1)) - 1
		return n
	}
	$1 ~ /^[0-9]+$/ && $2 ~ /^\./ {
		size = hex($6)
		if ($2 ~ /^\.rela?\./) relocs += size / hex($7)
		if ($8 ~ /X/) code += size
		else if ($8 ~ /W/) data += size
		else if ($8 ~ /A/) tables += size
	}
	END { printf "%-24s %7d %7d %7d %7d %7d\n", f, bytes, code, tables, data, relocs }'
done
for f; do
	case $f in *armv7*) ;; *) continue ;; esac
	[ "$(wc -c <"$f")" -le "$bar" ] && continue
	echo "size: $f has more than $bar bytes" >&2
	exit 1
done
