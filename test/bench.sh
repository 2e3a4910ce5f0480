#!/bin/sh
# bench.sh [-c|-t]: installs and builds what test/bench.py measures, and calls it
set -eu
cd "$(dirname "$0")/.."
sh test/setup.sh test
have=out/bench/deb/usr
[ -e $have/bin/tini-static ] && [ -e $have/share/containers/seccomp.json ] ||
	sh test/setup.sh unpack out/bench/deb tini:amd64 golang-github-containers-common:all ||
	echo "bench: no tini, no seccomp profile" >&2
make -s all
for b in x86_64 i386 armv7 arm64; do
	make -s BOARD=qemu-$b all || echo "bench: no out/qemu-$b/husk" >&2
done
exec /usr/bin/python3 -B test/bench.py "$@"
