#!/bin/sh
# qemu.sh [image] BOARD: boots out/BOARD/husk as PID 1 in QEMU, on this terminal; image: makes what it boots
cd "$(dirname "$0")/.." && exec /usr/bin/python3 -B test/qemu.py "$@"
