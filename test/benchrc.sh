#!/bin/sh
# benchrc.sh: /sbin/rc of the guest of test/bench.py. Its lines that begin
# with @ are read there; $fs comes from the kernel's command line.
# shellcheck shell=dash disable=SC2154
export PATH=/sbin:/bin:/usr/sbin:/usr/bin HOME=/ LANG=C
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/shm /dev/pts
mount -t tmpfs tmpfs /run
mount -t cgroup2 cgroup2 /sys/fs/cgroup
ip link set lo up

# works NAME COMMAND ...: does it?
works()
{
	name=$1; shift
	"$@" >/run/says 2>&1 </dev/null
	status=$?
	echo "@works $name $status $(head -n 1 /run/says)"
	return $status
}

# timed NAME COUNT COMMAND ...
timed()
{
	name=$1 count=$2; shift 2
	bench "@time $name" "$count" "$@"
}

# cost NAME COMMAND ...: what it says of calls
cost()
{
	name=$1; shift
	"$@" 2>/dev/null </dev/null | sed "s/^/@cost $name /"
}

# shows NAME COMMAND ...: all of it
shows()
{
	name=$1; shift
	"$@" 2>&1 </dev/null | sed "s/^/@shows $name /"
}

# spaces NAME COMMAND ...: the same of its namespaces
spaces()
{
	name=$1; shift
	"$@" 2>&1 </dev/null | sed "s/^/@spaces $name /"
}

# load NAME COMMAND ...: when its calls of seccomp(2) began and ended
load()
{
	name=$1; shift
	t=/sys/kernel/tracing
	mount -t tracefs tracefs $t 2>/dev/null
	echo "id == 317" >$t/events/raw_syscalls/filter
	echo 1 >$t/events/raw_syscalls/enable
	echo >$t/trace
	"$@" >/dev/null 2>&1 </dev/null
	echo 0 >$t/events/raw_syscalls/enable
	echo 0 >$t/events/raw_syscalls/filter
	grep -v '^#' $t/trace | sed "s/^/@load $name /"
}

# pss NAME COMMAND ...: the memory of each process of it, in kB, while its
# program, which is called true, waits
pss()
{
	name=$1; shift
	before=" $(echo /proc/[0-9]*) "
	"$@" >/dev/null 2>&1 </dev/null &
	sleep 1
	for d in /proc/[0-9]*; do
		case $before in *" $d "*) continue ;; esac
		{ read -r comm <"$d/comm"; } 2>/dev/null || continue
		while read -r key size _; do
			[ "$key" = Pss: ] && echo "@pss $name $comm $size"
		done <"$d/smaps_rollup" 2>/dev/null
	done
	kill $!
	sleep 1
	for d in /proc/[0-9]*; do
		case $before in *" $d "*) continue ;; esac
		kill -9 "${d#/proc/}" 2>/dev/null
	done
	wait
	sleep 1
}

# calls NAME COMMAND ...: every system call of it
calls()
{
	name=$1; shift
	strace -f -qq -s 0 -o /run/strace "$@" >/dev/null 2>&1 </dev/null
	sed "s/^/@strace $name /" /run/strace
}

# trace NAME COMMAND ...: when each system call of one start began and ended
trace()
{
	name=$1; shift
	t=/sys/kernel/tracing
	mount -t tracefs tracefs $t 2>/dev/null
	echo 16384 >$t/buffer_size_kb
	for e in raw_syscalls sched/sched_switch sched/sched_process_fork; do echo 1 >$t/events/$e/enable; done
	echo 0 >$t/tracing_on
	echo >$t/trace
	sleep 0.1
	sh -c "echo 1 >$t/tracing_on; exec \"\$@\"" sh "$@" >/dev/null 2>&1 </dev/null
	echo 0 >$t/tracing_on
	grep -v '^#' $t/trace | sed "s/^/@trace $name /"
}

# shellcheck source=/dev/null
. "/etc/tasks.$fs"
echo @end
poweroff -f
