#!/bin/sh
# bench.sh [-c|-t]: installs and builds what test/bench.py measures, and calls it
set -eu
cd "$(dirname "$0")/.."
sh test/setup.sh test
[ -e out/bench/deb/usr/bin/tini-static ] || sh test/setup.sh unpack out/bench/deb tini:amd64 || echo "bench: no tini" >&2
make -s all
for b in x86_64 i386 armv7 arm64; do
	make -s BOARD=qemu-$b all || echo "bench: no out/qemu-$b/husk" >&2
done
exec /usr/bin/python3 -B test/bench.py "$@"
