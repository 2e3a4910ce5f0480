#!/bin/sh
# smash.sh FILE - what test/smash.c writes behind its buffer ends it, by the trap of
# __stack_chk_fail() and by nothing else. Of another machine: in qemu-user.	(make guard)
set -u
# shellcheck disable=SC3045 # every sh has it
ulimit -c 0
case $(od -An -tu1 -j18 -N1 "$1") in		# e_machine
*62) qemu=x86_64 ;;
*40) qemu=arm ;;
*183) qemu=aarch64 ;;
*) qemu=i386 ;;
esac
with=
if ! "$1" 2>/dev/null; then
	with=qemu-$qemu-static
	$with "$1" || { echo "$1: does not work at all"; exit 1; }
fi
$with "$1" over 2>/dev/null
status=$?
case $status in
132 | 133) ;;		# SIGILL; of brk, on arm64, SIGTRAP
*) echo "$1: status $status, and no trap"; exit 1 ;;
esac
