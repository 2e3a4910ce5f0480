#!/bin/sh
# qemu.sh BOARD: boots out/BOARD/husk as PID 1 in QEMU, on this terminal
cd "$(dirname "$0")/.." && exec /usr/bin/python3 -B test/qemu.py "$@"
