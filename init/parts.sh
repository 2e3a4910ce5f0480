#!/bin/sh
# parts.sh PART ...	the number LACKS of init/husk.h: a bit for each of these parts, in the
#			order of the list there. all: all of them; -PART behind it: but
#			that. What cannot be without another one goes with it: who executes
#			and upgrades is asked at the door of control, and asks for a terminal.
# parts.sh -l		that list
set -eu
all=$(sed -n '/^#define PARTS/,/[^\\]$/p' "${0%/*}/husk.h" | tr ')' '\n' | sed -n 's/^.*P(\([a-z][a-z0-9]*\)$/\1/p')
[ "${1-}" != -l ] || { echo "$all"; exit; }
wanted=
for part; do
	case $part in
	all) wanted="$wanted $all" ;;
	control) wanted="$wanted control exec upgrade" ;;
	tty) wanted="$wanted tty exec" ;;
	*) wanted="$wanted $part" ;;
	esac
done
sum=0
for part in $wanted; do
	bit=1 found=
	for name in $all; do
		[ "$name" = "${part#-}" ] && found=$bit
		bit=$((bit * 2))
	done
	[ "$found" ] || { echo "WITHOUT=$part: no such part; there are: $(echo "$all" | tr "\n" " ")" >&2; exit 1; }
	sum=$((sum | found))
	[ "$part" = "${part#-}" ] || sum=$((sum - found))
done
echo "${sum}u"
