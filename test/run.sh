#!/bin/sh
# run.sh - all tests (make test). Each part prints its lines; the last line is the sum.
#	run.sh [PART ...]	build gates units python; all of them without a word; boards
#	run.sh PART:WORD	the part of one board, program or file
set -u
cd "$(dirname "$0")/.." || exit 1
log=out/each/${1-all}
mkdir -p out/each
boards="qemu-x86_64 qemu-i386 qemu-armv7 qemu-arm64"
parts=${*:-build gates units python}
programs="native $boards small small-armv7"
passed=0 failed=0 skipped=0 unsteady=0

ok()
{
	passed=$((passed + 1))
}

bad()
{
	failed=$((failed + 1))
	echo "not ok $*"
}

# NAME COMMAND...: silent when it works
try()
{
	what=$1
	shift
	if "$@" >"$log.try" 2>&1; then
		ok
	else
		bad "$what"
		tail -n 15 "$log.try"
	fi
}

# a program's TAP lines: shown where they are bad, counted
tap()
{
	what=$1
	shift
	"$@" >"$log.tap" 2>&1
	status=$?
	good=$(grep -c '^ok ' "$log.tap")
	wrong=$(grep -c '^not ok ' "$log.tap")
	grep '^not ok ' "$log.tap"
	echo "$what: $good ok, $wrong not ok"
	passed=$((passed + good)) failed=$((failed + wrong))
	if [ "$good" = 0 ] || { [ $status != 0 ] && [ "$wrong" = 0 ]; }; then
		bad "$what: status $status"
		tail -n 15 "$log.tap"
	fi
}

# PART WORDS: each by a run.sh of its own, as many at a time as there are processors
each()
{
	part=$1
	# shellcheck disable=SC2016 # the inner shell's words
	echo "$2" | xargs -n 1 -P "$(nproc)" sh -c 'sh test/run.sh "$0:$1" >"out/each/$0:$1" 2>&1' "$part"
	for w in $2; do
		sum=$(tail -n 1 "out/each/$part:$w")
		sed '$d' "out/each/$part:$w"
		case $sum in
		*passed*failed*)
			passed=$((passed + ${sum%% *}))
			sum=${sum#*, }
			failed=$((failed + ${sum%% *}))
			;;
		*) bad "$part $w: $sum" ;;
		esac
	done
}

# COMMAND...: what only the linker would say is no error to it
silent()
{
	"$@" >"$log.make" 2>&1
	status=$?
	cat "$log.make"
	! grep -i warning "$log.make" && return $status
}

# a second build elsewhere gives the same bytes
again()		# BOARD FILE
{
	dir=out/again/$1
	rm -rf "$dir" && mkdir -p "$dir/out" && ln -s ../../../musl "$dir/out/musl" &&
		cp -R Makefile init cfg ns cg rootfs caps filter boards test "$dir/" &&
		make -C "$dir" BOARD="$1" && cmp "$dir/$2" "$2"
}

build()		# BOARD
{
	f=out/$1/husk
	[ "$1" != native ] || f=out/husk
	rm -f "$f"
	try "make $1, no warning from gcc" silent make BOARD="$1"
	case $1 in
	small*) ;;
	*)
		try "make $1 again: the same bytes" again "$1" "$f"
		try "no warning from clang: $1" silent make BOARD="$1" clang
		;;
	esac
}

# what the linker must have made of it
elf()
{
	f=$1 lines=$(readelf -hldW "$1") || return 1
	case $lines in
	*INTERP* | *NEEDED* | *TEXTREL* | *RWE*) echo "$f: not static, or writable code"; return 1 ;;
	*TLS*) echo "$f: needs a thread pointer"; return 1 ;;
	esac
	echo "$lines" | grep -q 'Type: *DYN' || { echo "$f: no PIE"; return 1; }
	# what would be relocated lies in a segment that is never writable, and nothing is relocated
	at=$(echo "$lines" | sed -n 's/^ *GNU_RELRO *\(0x[0-9a-f]* 0x[0-9a-f]*\) .*/\1/p')
	echo "$lines" | grep -q "LOAD *${at:-none} .* R  *0x" || { echo "$f: no RELRO"; return 1; }
	readelf -rW "$f" | grep -q 'no relocations' || { echo "$f: relocations"; return 1; }
	echo "$lines" | grep -q 'GNU_STACK.* RW ' || { echo "$f: executable stack"; return 1; }
	# on i386 musl's own system calls go by the thread pointer, which nobody has set: init/arch/calls.S has ours
	case $f in *i386*) i686-linux-gnu-objdump -d "$f" | grep -q 'call.*%gs:' && { echo "$f: a call by the thread pointer"; return 1; } ;; esac
	readelf -SW "$f" | grep -q '\.symtab' && { echo "$f: not stripped"; return 1; }
	return 0
}

small()		# FILE BYTES
{
	n=$(wc -c <"$1")
	echo "$1: $n bytes"
	[ "$n" -le "$2" ]
}

# two starts, two addresses
moved()
{
	a=$(out/husk run root=/ -- /bin/cat /proc/1/maps 2>/dev/null | head -n 1)
	b=$(out/husk run root=/ -- /bin/cat /proc/1/maps 2>/dev/null | head -n 1)
	[ -z "$a" ] || [ "$a" != "$b" ]
}

# COMMAND...: all that is wrong with a configuration, word for word as on this machine
says()
{
	for f in test/conf/bad/*.conf; do
		[ "$(out/husk check "$f" 2>&1)" = "$("$@" check "$f" 2>&1)" ] || { echo "$f"; return 1; }
	done
}

# make run says of its box what test/demo.conf says; it writes below out/ alone
demo()
{
	said=$(make run 2>&1) || { echo "$said"; return 1; }
	echo "$said"
	! echo "$said" | grep -q ALLOWED || return 1
	while read -r line; do
		echo "$said" | grep -qxE " *$line" || { echo "make run does not say: $line"; return 1; }
	done <<-END
	who am I +uid=1000\(web\) gid=1000\(web\)( groups=1000\(web\))?
	hostname +demo
	network +lo and nothing else
	capabilities +effective 0{16}, bounding 0{16}
	no new rights +1
	Seccomp mode +2 .*
	memory limit +32M: a string that doubles got to [1-9][0-9]? MiB, then its program was killed
	root +refused: touch /x
	host's data +read-only for the box, refused: touch /data/x
	kernel knobs +refused: .*
	host's memory +refused: .*
	exit status of the box: 7 .*
	END
}

gates()		# BOARD, or the program that make run shows
{
	case $1 in
	demo)
		try "make run" demo
		return
		;;
	native)
		try "elf out/husk" elf out/husk
		try "addresses differ" moved
		return
		;;
	esac
	try "elf out/$1/husk" elf "out/$1/husk"
	case $1 in
	small-armv7) try "size of the smallest" small "out/$1/husk" "$(sed -n 's/^small *[0-9]* *//p' test/bars.txt)" ;;
	qemu-armv7) try "size of ARMv7" small "out/$1/husk" "$(sed -n 's/^size *[0-9]* *//p' test/bars.txt)" ;;
	esac
	case $1 in
	small*) return ;;
	esac
	try "stack protector, and an overflow, on $1" make BOARD="$1" guard
	[ "$1" != qemu-x86_64 ] || return
	q=qemu-$(echo "${1#qemu-}" | sed 's/armv7/arm/; s/arm64/aarch64/')-static
	if command -v "$q" >/dev/null; then
		try "husk version on $1" "$q" "out/$1/husk" version
		try "husk says the same on $1" says "$q" "out/$1/husk"
	else
		bad "no $q"
	fi
}

# test/NAME_test.c: by its own NAME_test.sh, else compiled for this machine with all the
# sanitizers, with the sources that its line "unit: FILES" names; and any bytes for the parsers
# (those for the filter's words are in test/filter_test.sh): what was found is out/fuzz-*
units()		# NAME_test, or what is fuzzed
{
	case $1 in
	fuzz_cfg)
		try "any bytes as a configuration, 12 s" sh test/cfg_test.sh fuzz 12
		return
		;;
	fuzz_files)
		try "any bytes as passwd, group, names of mounts, state, 8 s" sh test/fuzz_files.sh 8
		return
		;;
	fuzz_keeper)
		try "any bytes and descriptors for who keeps boxes, 6 s" sh test/fuzz_keeper.sh 6
		return
		;;
	esac
	if [ -e "test/$1.sh" ]; then
		tap "$1" sh "test/$1.sh"
		return
	fi
	src=$(sed -n 's/.*unit: *\([^*]*[a-z]\).*/\1/p' "test/$1.c" | head -n 1)
	# shellcheck disable=SC2086 # words
	if gcc -std=gnu11 -O1 -g -D_GNU_SOURCE -DRUNDIR='"/run/husk"' -DTEXT='""' -Iinit -Iout -fsanitize=address,undefined \
		-fno-sanitize-recover -o "out/$1" "test/$1.c" $src >"$log.try" 2>&1; then
		tap "$1" "out/$1"
	else
		bad "$1 does not compile"
		tail -n 15 "$log.try"
	fi
}

# the other boards, one after the other: a minute each
boards()
{
	others=$(printf '%s\n' boards/*.mk | sed "s/.*\///; s/\.mk$//" | grep -vxE "cross|native|small.*|$(echo "$boards" | tr ' ' '|')")
	for b in $others; do
		try "make $b" make BOARD="$b"
	done
	python test/boards.py
}

# Under nohup hangups are ignored: each start would give them back their action, three calls more than are held.
tests()		# WORD...: words of pytest
{
	env --default-signal=HUP,INT,QUIT /usr/bin/python3 -B -m pytest -p no:cacheprovider -q -rfEs --durations=30 --durations-min=5 "$@"
}

# What failed beside others is run once more, alone: a machine that has no time for its
# workers breaks no test, and a broken one fails again. Both results are shown, by name, and who
# passed alone is counted apart: it wants to be mended. Many are no accident. What is a matter of
# security or of an error at some point counts at once: who got out once is out.
never="test_(escape|fault|caps|filter|cuts)\.py|hunt|hostile|foreign|refus|nothing"
again_alone()
{
	failures=$(sed -n 's/^FAILED \(test.*\)/\1/p' out/python.log | sed 's/ - .*//' | sort -u)
	[ -n "$failures" ] && [ "$(echo "$failures" | wc -l)" -le 3 ] && ! grep -q '^ERROR' out/python.log || return
	! echo "$failures" | grep -qE "$never" || return
	while read -r t; do
		if tests "$t" >out/alone.log 2>&1; then
			echo "unsteady: $t: failed beside others, passed alone"
			failed=$((failed - 1)) unsteady=$((unsteady + 1))
		else
			echo "failed alone, too: $t"
			tail -n 40 out/alone.log
		fi
	done <<-END
	$failures
	END
	status=$failed
}

# What is not tested here, and why, is in the list of what may be: facts of a kernel or a machine.
# That a program, a board or a package is missing is none: test/setup.sh brings them.
skips()
{
	sed '/^#/d; /^$/d' test/skips.txt >out/skips
	grep '^SKIPPED' out/python.log | sed 's/^SKIPPED \[[0-9]*\] [^ ]*: //' | sort -u | grep -vxEf out/skips >out/skipped && {
		sed 's/^/not in test\/skips.txt: /' out/skipped
		return 1
	}
	return 0
}

python()
{
	rm -f out/fault.count out/fault.used out/fault.wrong
	wait		# for the kernels
	# two workers a processor: with one each a third of the time went by in waiting, for guests, timers, ends of processes
	tests -n $(($(nproc) * 2)) "${1:-test}" >out/python.log 2>&1
	status=$?
	grep -E '^(FAILED|ERROR|SKIPPED|fault points)' out/python.log
	grep -E '^E  ' out/python.log | head -n 30
	last=$(grep -E '(passed|failed|error).* in [0-9.]+' out/python.log | tail -n 1)
	echo "python: $last"
	for w in passed failed error skipped; do		# and errors
		n=$(echo "$last" | sed -n "s/.*[^0-9]*\b\([0-9][0-9]*\) $w.*/\1/p")
		case $w in
		passed) passed=$((passed + ${n:-0})) ;;
		skipped) skipped=$((skipped + ${n:-0})) ;;
		*) failed=$((failed + ${n:-0})) ;;
		esac
	done
	again_alone
	try "what was skipped" skips
	[ $# != 0 ] || try "fault points, and the reviewed list" /usr/bin/python3 -B test/fault.py
	[ $status = 0 ] || [ $failed != 0 ] || bad "pytest: status $status"
}

case $parts in
*:*) ;;
*) sh test/setup.sh test || exit 1 ;;
esac
case $parts in
*python*) /usr/bin/python3 -B test/qemu.py fetch >out/fetch.log 2>&1 & ;;	# what fails here fails in the tests
esac
for part in $parts; do
	began=$(date +%s)
	case $part in
	build:* | gates:* | units:*)
		${part%%:*} "${part#*:}"
		continue
		;;
	build) each build "$programs" ;;
	gates) each gates "demo $programs" ;;
	units) each units "$(printf '%s\n' test/*_test.c test/fuzz_cfg.c test/fuzz_files.c test/fuzz_keeper.c | sed 's/.*\///; s/\.c$//')" ;;
	python | boards) $part ;;
	*) echo "run.sh: no part $part" >&2 && exit 2 ;;
	esac
	echo "== $part: $(($(date +%s) - began)) s"
done
[ $unsteady = 0 ] || echo "$unsteady unsteady: failed beside others, passed alone"
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
