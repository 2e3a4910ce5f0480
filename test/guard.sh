#!/bin/sh
# guard.sh - the stack protector sees with -flto every buffer that it sees without.
#	guard.sh DIR CC FLAG ... FILE ...	(make guard)
# gcc's lto1 does not know char, only unsigned char, as what -fstack-protector is
# about: so bytes on the stack are uint8_t, and text is static. What it knows it
# knows after inlining, too; here nothing is inlined, and every function has its name.
set -eu
dir=$1
shift
objdump=$("$1" -print-prog-name=objdump)

# the functions that check, each without what the compiler puts behind a dot
checking()
{
	"$objdump" -dr "$1.o" | awk '
		/^[0-9a-f]+ <.*>:$/ { split($2, part, "[<>.]"); name = part[2] }
		/R_.*__stack_chk_fail/ { print name }' | sort -u >"$1"
	rm "$1.o"
}

"$@" -O0 -w -Wno-error -r -nostdlib -flinker-output=nolto-rel -o "$dir/guard.flto.o" &
"$@" -O0 -fno-lto -r -nostdlib -o "$dir/guard.plain.o"
wait $!
checking "$dir/guard.flto"
checking "$dir/guard.plain"
[ -s "$dir/guard.plain" ]
comm -13 "$dir/guard.flto" "$dir/guard.plain" >"$dir/guard.missed"
sed 's/$/: a buffer on the stack that is not protected/' "$dir/guard.missed"
[ ! -s "$dir/guard.missed" ]
