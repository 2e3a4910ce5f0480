#!/bin/sh
# bench.sh [-c|-t]: installs and builds what test/bench.py measures, and calls it; without an option also
# test/boottime.py, which measures a board
set -eu
cd "$(dirname "$0")/.."
sh test/setup.sh test
[ -e out/bench/deb/usr/bin/tini-static ] || sh test/setup.sh unpack out/bench/deb tini:amd64 || echo "bench: no tini" >&2
[ -e out/bench/deb/usr/bin/s6-svscan ] || sh test/setup.sh unpack out/bench/deb sysvinit-core:amd64 libskarnet2.13:amd64 libexecline2.9:amd64 \
	libs6-2.11:amd64 s6:amd64 || echo "bench: no sysvinit, no s6" >&2
make -s all
for b in x86_64 i386 armv7 arm64; do
	make -s BOARD=qemu-$b all || echo "bench: no out/qemu-$b/husk" >&2
done
/usr/bin/python3 -B test/bench.py "$@"
[ $# -gt 0 ] || exec /usr/bin/python3 -B test/boottime.py
