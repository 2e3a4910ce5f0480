#!/bin/sh
# need.sh CC FILE ...: says in one line what a build lacks
set -eu
cc=$1; shift
# shellcheck disable=SC2086 # the compiler may come with words of its own
if ! command -v ${cc%% *} >/dev/null 2>&1; then
	echo "husk: no compiler ${cc%% *}: sh test/setup.sh build" >&2
	exit 1
fi
for f; do
	[ -e "$f" ] && continue
	case $f in
	*libc.a) what="musl's static files (musl-dev)" ;;
	*) what="the kernel's headers (linux-libc-dev)" ;;
	esac
	echo "husk: no $f: $what are missing: sh test/setup.sh build" >&2
	exit 1
done
