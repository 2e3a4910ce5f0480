#!/bin/sh
# need.sh WORD CC FILE ...: says in one line what a build lacks, and that setup.sh WORD brings it
set -eu
word=$1 cc=$2; shift 2
lacks()
{
	echo "husk: $*: sh test/setup.sh $word" >&2
	exit 1
}
# shellcheck disable=SC2086 # the compiler may come with words of its own
command -v ${cc%% *} >/dev/null 2>&1 || lacks "no compiler ${cc%% *}"
for f; do
	[ -e "$f" ] && continue
	case $f in
	*libc.a) lacks "no $f: musl's static files (musl-dev) are missing" ;;
	*) lacks "no $f: the kernel's headers (linux-libc-dev) are missing" ;;
	esac
done
