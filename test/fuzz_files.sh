#!/bin/sh
# fuzz_files.sh SECONDS - any bytes as passwd and group of a root, as names in mountinfo, as
# a state file (libFuzzer), behind one text of each that is right
cd "$(dirname "$0")/.." || exit 1
t=$(mktemp -d) && trap 'rm -rf "$t"' EXIT
mkdir "$t/seeds"

# What the readers never call stays open
# shellcheck disable=SC2046 # words
clang -w -g -O1 -std=gnu11 -D_GNU_SOURCE -DRUNDIR='"/run/husk"' -DTEXT='""' -Iinit -Iout -no-pie -Wl,--unresolved-symbols=ignore-all \
	-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined -o "$t/fuzz" test/fuzz_files.c \
	$(sed -n 's/.*unit: *\([^*]*[a-z]\).*/\1/p' test/fuzz_files.c) || exit 1

users='root:x:0:0:root:/root:/bin/sh
web:x:33:44:,,,:/home/web:/bin/sh
video:x:44:web
adm:x:4:'
printf 'd%s\n' "$users" >"$t/seeds/user"
printf 'e%s\n' "$users" >"$t/seeds/group"
# longer than what is read at once
awk -v users="$users" 'BEGIN { printf "d"; for (i = 1; i < 120; i++) print "user" i ":x:" i ":" i ":A User:/home/user" i ":/bin/sh"; print users }' >"$t/seeds/long"
printf 'fversion=1\nuid=7\ncgroup=/sys/fs/cgroup/husk/a\nlast=3 exit 1\nlast=2 exit 1\nuid=8\nlast=torn' >"$t/seeds/state"
printf 'ga/\000mnt/a b\001c\000\377root\000tab\there\000~/\000//deleted\000' >"$t/seeds/mounts"
"$t/fuzz" -close_fd_mask=1 -max_len=6000 -timeout=20 -artifact_prefix=out/fuzz- -max_total_time="${1:-600}" "$t/seeds" >"$t/said" 2>&1
status=$?
grep -E '^(fuzz_files|SUMMARY|artifact|Done)|runtime error|ERROR' "$t/said" | tail -n 12
exit $status
