"""Every layout of cgroup hierarchies that boards have, in guests: limits in force, what the box sees of itself, nothing left; and what is in the way is said."""
import re
import shutil

import pytest

import qemu

BOARD = "qemu-arm64"		# the fastest to emulate

# go TAG FILES WORDS: a box, and what is in force. h: a v1 hierarchy with these controllers, there.
# A hierarchy that had cgroups goes away some time after they have, and as long as a file or
# a process has memory that was charged to one of them it stays (5.10 counts names in the
# kernel's caches, too): off takes that away, and h waits for the rest.
COMMON = r"""
C=/sys/fs/cgroup
mounted() { busybox awk '$3 ~ /^cgroup/ {print $2}' /proc/mounts; }
h() { mkdir -p $2; n=0; until mount -t cgroup -o $1 cg $2 2>/dev/null; do echo 3 >/proc/sys/vm/drop_caches; n=$((n+1)); [ $n = 50 ] && echo "@@ no mount of $1" && break; sleep 0.2; done; }
dirs() { for m in $(mounted); do busybox find $m -mindepth 1 -depth -type d; done; }
off() {
	for d in $(dirs); do [ -e $d/memory.force_empty ] && echo 0 >$d/memory.force_empty; rmdir $d; done
	: >/tmp/o; echo 3 >/proc/sys/vm/drop_caches; sleep 1; for m in $(mounted); do umount $m; done
	[ "$1" = keep ] || { umount $C 2>/dev/null; mount -t tmpfs cg $C; }
}
end() {
	[ -e /run/husk/b/state ] || return
	kill $(sed -n 's/^keeper=//p' /run/husk/b/state); n=0
	while [ -e /run/husk/b/state ] && [ $n -lt 50 ]; do n=$((n+1)); sleep 0.1; done
}
go() {
	tag=$1; files=$2; shift 2; : >/tmp/o
	husk run -d name=b root=/srv/root log=inherit "$@" -- /bin/sh -c 'cat /proc/self/cgroup | sort -n; echo ok; exec sleep 100' >/tmp/o 2>/tmp/e
	echo "@$tag-status $?"; sed "s/^/@$tag-err /" /tmp/e
	if [ -e /run/husk/b/state ]; then
		n=0; until grep -q ok /tmp/o || [ $n = 50 ]; do n=$((n+1)); sleep 0.1; done
		echo "@$tag-own $(sed '/ok/d' /tmp/o | tr '\n' ' ')"
		for d in $(sed -n 's/^cgroup=//p' /run/husk/b/state | sort -u); do
			[ -d $d ] && echo "@$tag-leaf $d $(cat $d/cgroup.procs | wc -l)" && for f in $files; do [ -e $d/$f ] && echo "@$tag-file $f $(cat $d/$f)"; done
		done
		end
	fi
	echo "@$tag-left $(dirs | sort | tr '\n' ' ')"
}
F="memory.max memory.limit_in_bytes pids.max cpu.max cpu.cfs_quota_us"
W="memory.max=32M pids.max=20 cpu.max=50%"
umount $C; mount -t tmpfs cg $C
"""

V1 = COMMON + r"""
umount $C; go none "$F"; go none-asked "$F" $W; go none-parent "$F" cgroup=a/b; mount -t tmpfs cg $C
for c in memory pids cpu devices freezer; do h $c $C/$c; done; go apart "$F" $W; go parent "$F" $W cgroup=a/b
h cpuset $C/cpuset; go cpuset "cpuset.cpus cpuset.mems" cpuset.cpus=0 cgroup=a/b
mkdir $C/freezer/cold; echo FROZEN >$C/freezer/cold/freezer.state; go cold "" cgroup=cold; rmdir $C/freezer/cold
mkdir -p $C/freezer/husk/b; echo FROZEN >$C/freezer/husk/b/freezer.state; go frozen ""; rmdir $C/freezer/husk/b
sleep 1000 & mkdir $C/memory/husk/b; echo $! >$C/memory/husk/b/cgroup.procs; go taken "" memory.max=32M; kill $!; off
h cpu,cpuacct $C/cpu,cpuacct; h memory,pids $C/pids,memory; for c in cpu cpuacct; do ln -s cpu,cpuacct $C/$c; done; for c in memory pids; do ln -s pids,memory $C/$c; done
go links "$F" $W; off
h cpu,cpuacct $C/cpuacct; h memory,pids $C/pids,memory; go names "$F" $W; off
umount $C; h cpu,cpuacct /dev/cpuctl; h memory,pids /cgroup; h devices,freezer /dev/cg/x; go elsewhere "$F" $W; go elsewhere-parent "$F" $W cgroup=a
h cpuset,noprefix /dev/cpuset; go noprefix "cpus mems" cpuset.cpus=0 cgroup=a; off keep
"""

# The like of it on the other machines, in one boot.
SHORT = COMMON + r"""
for c in memory pids cpu devices freezer; do h $c $C/$c; done; go apart "$F" $W; go parent "$F" $W cgroup=a/b; off
h cpu,cpuacct $C/cpu,cpuacct; h memory,pids $C/pids,memory; for c in cpu cpuacct; do ln -s cpu,cpuacct $C/$c; done; for c in memory pids; do ln -s pids,memory $C/$c; done
go links "$F" $W; off
h memory $C/memory; mkdir -p /mnt/v2; mount -t cgroup2 cg /mnt/v2; go tree "$F" $W; rmdir /mnt/v2/husk; umount /mnt/v2
mkdir $C/unified; mount -t cgroup2 cg $C/unified; go unified "$F" $W; off
umount $C; mount -t cgroup2 cg $C; go top "$F" $W; go parent2 "$F" $W cgroup=a/b
"""

HYBRID = COMMON + r"""
h memory $C/memory; mkdir -p /mnt/v2; mount -t cgroup2 cg /mnt/v2; go tree "$F" $W; umount /mnt/v2
mkdir $C/unified; mount -t cgroup2 cg $C/unified; go unified "$F" $W
echo +pids >$C/unified/cgroup.subtree_control; mkdir -p $C/memory/u $C/unified/u/scope /run/user; busybox chown user /run/user
for f in memory/u memory/u/cgroup.procs unified/u unified/u/cgroup.procs unified/u/cgroup.subtree_control unified/u/scope unified/u/scope/cgroup.procs; do busybox chown user $C/$f; done
busybox sed '/^umount/,$d; s:/run/husk:/run/user/husk:' /script >/user; chmod 755 /user; rm /tmp/o /tmp/e
echo 'export XDG_RUNTIME_DIR=/run/user; go user "$F" ns.user=new memory.max=32M memory.swap.max=max pids.max=20' >>/user
(p=$(sh -c 'echo $PPID'); echo $p >$C/memory/u/cgroup.procs; echo $p >$C/unified/u/scope/cgroup.procs; busybox su user -c 'sh /user')
"""

V2 = COMMON + r"""
umount $C; mkdir -p /mnt/v2; mount -t cgroup2 cg /mnt/v2; go alone "$F" $W; off keep
mount -t cgroup2 cg $C; go top "$F" $W; go parent "$F" $W cgroup=a/b
mount -o remount,ro $C; go ro "$F"; go ro-asked "$F" $W; go ro-parent "$F" cgroup=a/b; mount -o remount,rw $C
echo 1 >$C/husk/cgroup.freeze; go all-frozen ""; echo 0 >$C/husk/cgroup.freeze
mkdir $C/cold; echo 1 >$C/cold/cgroup.freeze; go cold "" cgroup=cold; rmdir $C/cold
mkdir -p $C/th/x; echo threaded >$C/th/x/cgroup.type; go threaded "" cgroup=th/x; go thread-root "" pids.max=20 cgroup=th; rmdir $C/th/x $C/th
sleep 1000 & mkdir $C/pr; echo $! >$C/pr/cgroup.procs
go procs "$F" cgroup=pr; go procs-asked "$F" cgroup=pr pids.max=20; echo "@type $(cat $C/pr/cgroup.type)"
mkdir $C/husk/b; echo $! >$C/husk/b/cgroup.procs; go taken ""
echo $! >$C/cgroup.procs; mkdir $C/husk/b/sub; go taken-sub ""; rmdir $C/husk/b/sub; echo 1 >$C/husk/b/cgroup.freeze; go taken-frozen ""; rmdir $C/husk/b $C/pr
mkdir $C/few; echo 1 >$C/few/cgroup.max.descendants; go few "" cgroup=few; rmdir $C/few
go file "" cgroup=cgroup.procs/a
husk run -d name=bad root=/srv/root log=inherit user=root caps=dac_override mount=cgroup2:/mnt:cgroup2,rw cgroup=k memory.max=max pids.max=max -- /bin/sh -c 'mkdir /mnt/cpu.max /mnt/cpuset.cpus; echo @bad $?; sleep 100'
n=0; until [ -d $C/k/husk/bad/cpuset.cpus ] || [ $n = 50 ]; do n=$((n+1)); sleep 0.1; done
go kept "" '?cpu.weight=50' cgroup=k; go kept-asked "" cpu.max=50% cgroup=k; husk update bad '?cpuset.cpus=0' 2>&1 | sed 's/^/@kept-update /'; go not-kept "pids.max" pids.max=20 cgroup=k
kill $(sed -n 's/^keeper=//p' /run/husk/bad/state); n=0; while [ -e /run/husk/bad/state ] && [ $n -lt 50 ]; do n=$((n+1)); sleep 0.1; done
go kept-no-more "cpu.weight" '?cpu.weight=50' cgroup=k

# somebody comes in from outside and stays when the box ends
husk run -d name=b root=/srv/root log=inherit -- /bin/sleep 100; echo $! >$C/husk/b/cgroup.procs; end; echo "@stranger $(kill -0 $! && echo alive) $(cat $C/husk/b/cgroup.procs | wc -l)"
echo $! >$C/cgroup.procs; go after-stranger "$F" $W

# a container: its own cgroup namespace, whose root holds its processes
cat >/tmp/inside <<'X'
mount -t tmpfs run /run; mount -t cgroup2 cg $C; echo "@root $(cat /proc/self/cgroup)"
go ns "$F"; go ns-asked "$F" pids.max=20; echo "@type $(cat $C/cgroup.type)"
mkdir $C/in; for p in $(cat $C/cgroup.procs); do echo $p >$C/in/cgroup.procs; done 2>/dev/null
go ns-moved "$F" memory.max=32M pids.max=20
X
mkdir -p /new; mount -t tmpfs new /new; for d in proc sys dev run tmp etc sbin; do mkdir /new/$d; done; busybox cp -a /bin /srv /new/; busybox cp /husk /new/sbin/husk
busybox sed '/^umount/,$d' /script >/new/script; cat /tmp/inside >>/new/script
husk run name=outer root=/new:rw user=root caps=all no_new_privs=no syscalls=@all mask= readonly= log=inherit bind=/sys:/sys:rw -- /bin/sh /script
echo "@end $(dirs | sort | tr '\n' ' ')"
"""

USER = COMMON + r"""
umount $C; mount -t cgroup2 -o nsdelegate cg $C; echo +memory +pids >$C/cgroup.subtree_control
mkdir -p $C/slice/scope $C/other /run/user /home/user; echo +memory +pids >$C/slice/cgroup.subtree_control
for f in . cgroup.procs cgroup.subtree_control scope scope/cgroup.procs scope/cgroup.subtree_control; do busybox chown user $C/slice/$f; done; busybox chown user /run/user /tmp/o /tmp/e
busybox sed '/^umount/,$d; s:/run/husk:/run/user/husk:' /script >/user; cat >>/user <<'X'
export XDG_RUNTIME_DIR=/run/user
U="ns.user=new memory.swap.max=max"
go beside "$F" $U memory.max=32M pids.max=20; go asked "$F" $U memory.max=32M cgroup=slice; go others "$F" $U cgroup=other; go not-there "$F" $U cgroup=slice/new/er pids.max=20
X
chmod 755 /user; : >/tmp/o; : >/tmp/e; chmod 666 /tmp/o /tmp/e
(sh -c 'echo $PPID' >$C/slice/scope/cgroup.procs; busybox su user -c 'sh /user')
"""


@pytest.fixture(scope="module")
def guests():
    if not shutil.which(qemu.board(BOARD)["QEMU"].split()[0]) or not (qemu.TOP / "out" / BOARD / "husk").exists():
        pytest.skip(f"no QEMU, or make BOARD={BOARD}")
    done = {}

    def run(script, version="6.1", board=BOARD):
        key = script, version, board
        if not (qemu.TOP / "out" / board / "husk").exists():
            pytest.skip(f"no make BOARD={board}")
        if key not in done:
            done[key] = qemu.guest(board, script, version, layout="none", timeout=240)
        assert done[key].ended, done[key]
        return done[key]
    return run


both = pytest.mark.parametrize("version", ["6.1", "5.10"])


def said(r, tag):
    return re.findall(rf"^@{tag} ?(.*?) *$", r.text, re.M)


def files(r, tag):
    return dict(l.split(" ", 1) for l in said(r, tag + "-file"))


def check(r, tag, leaves, limits, left="", own="/"):
    """It runs in these directories, with these limits, and sees itself at the top; the husk directories stay."""
    assert said(r, tag + "-status") == ["0"] and not said(r, tag + "-err"), (tag, said(r, tag + "-err"), r)
    got = dict(l.split() for l in said(r, tag + "-leaf"))
    assert set(got) == set(leaves) and all(int(n) >= 2 for n in got.values()), (tag, got)
    assert files(r, tag) == limits, tag
    assert {l.rpartition(":")[2] for l in said(r, tag + "-own")[0].split()} == {own}, (tag, said(r, tag + "-own"))
    assert said(r, tag + "-left") == [left], tag


def refused(r, tag, text):
    """An error, and nothing of it is left."""
    assert said(r, tag + "-status") == ["125"], (tag, r)
    assert any(text in l for l in said(r, tag + "-err")), (tag, said(r, tag + "-err"))
    assert not [d for d in said(r, tag + "-left")[0].split() if re.search(r"/(a|b|husk/b)$", d)], (tag, said(r, tag + "-left"))


TOP = "/sys/fs/cgroup"
V1_LIMITS = {"memory.limit_in_bytes": "33554432", "pids.max": "20", "cpu.cfs_quota_us": "50000"}
V2_LIMITS = {"memory.max": "33554432", "pids.max": "20", "cpu.max": "50000 100000"}
MIXED = {"memory.limit_in_bytes": "33554432", "pids.max": "20", "cpu.max": "50000 100000"}


@both
def test_no_cgroup_at_all(guests, version):
    """Fine if nothing was asked: one line. Else an error."""
    r = guests(V1, version)
    assert said(r, "none-status") == ["0"] and len(said(r, "none-err")) == 1, r
    assert "no cgroup here is ours to write" in said(r, "none-err")[0], r
    refused(r, "none-asked", "cg.limits: memory.max: no memory controller - its hierarchy is not mounted")
    refused(r, "none-parent", "cg.make: cgroup=: no cgroup hierarchy is mounted")


def below(dirs, parent=""):
    return {f"{d}{parent}/husk/b" for d in dirs}


def left(dirs):
    return " ".join(sorted(d + "/husk" for d in dirs))


@both
def test_v1_each_apart(guests, version):
    r, tops = guests(V1, version), [f"{TOP}/{c}" for c in ("cpu", "freezer", "memory", "pids")]
    check(r, "apart", below(tops), V1_LIMITS, left(tops))
    check(r, "parent", below(tops, "/a/b"), V1_LIMITS, left(tops))


@both
@pytest.mark.parametrize("tag, tops, seen", [
    ("links", ["cpu,cpuacct", "pids,memory"], ["cpu", "pids"]),
    ("names", ["cpuacct", "pids,memory"], ["cpuacct", "pids,memory"]),
])
def test_v1_joined(guests, version, tag, tops, seen):
    """In any order, by the name of one of them, with a link for each: one leaf for what is one hierarchy."""
    r, tops = guests(V1, version), [f"{TOP}/{t}" for t in tops]
    check(r, tag, below([f"{TOP}/{t}" for t in seen]), V1_LIMITS, left(tops))


@both
def test_v1_mounted_elsewhere(guests, version):
    r, tops = guests(V1, version), ["/cgroup", "/dev/cg/x", "/dev/cpuctl"]
    check(r, "elsewhere", below(tops), V1_LIMITS, left(tops))
    check(r, "elsewhere-parent", below(tops, "/a"), V1_LIMITS, left(tops))


@both
def test_v1_cpuset(guests, version):
    """A new directory has no CPUs and no memory: it gets those above it; with noprefix, as Android mounts it, too."""
    r, tops = guests(V1, version), [f"{TOP}/{c}" for c in ("cpu", "freezer", "memory", "pids")]
    check(r, "cpuset", below([f"{TOP}/{c}" for c in ("cpuset", "freezer", "memory", "pids")], "/a/b"), {"cpuset.cpus": "0", "cpuset.mems": "0"}, left(tops))
    check(r, "noprefix", below(["/dev/cpuset", "/dev/cg/x", "/cgroup"], "/a"), {"cpus": "0", "mems": "0"}, left(["/cgroup", "/dev/cg/x", "/dev/cpuctl"]))


@both
def test_v1_frozen_or_taken(guests, version):
    r = guests(V1, version)
    refused(r, "cold", "/freezer/cold/husk/b: a cgroup above it is frozen")
    assert "and frozen" in said(r, "frozen-err")[0] and said(r, "frozen-status") == ["125"], r
    assert "with processes in it" in said(r, "taken-err")[0] and said(r, "taken-status") == ["125"], r


@pytest.mark.parametrize("board", ["qemu-x86_64", "qemu-armv7"])
def test_on_other_machines(guests, board):
    r = guests(SHORT, board=board)
    tops = [f"{TOP}/{c}" for c in ("cpu", "freezer", "memory", "pids")]
    check(r, "apart", below(tops), V1_LIMITS, left(tops))
    check(r, "parent", below(tops, "/a/b"), V1_LIMITS, left(tops))
    check(r, "links", below([f"{TOP}/cpu", f"{TOP}/pids"]), V1_LIMITS, left([f"{TOP}/cpu,cpuacct", f"{TOP}/pids,memory"]))
    for tag, tree in ("tree", "/mnt/v2"), ("unified", TOP + "/unified"):
        check(r, tag, below([TOP + "/memory", tree]), MIXED, left([TOP + "/memory", tree]))
    check(r, "top", below([TOP]), V2_LIMITS, left([TOP]))
    check(r, "parent2", below([TOP], "/a/b"), V2_LIMITS, left([TOP]))


@pytest.mark.parametrize("tag, tree", [("tree", "/mnt/v2"), ("unified", TOP + "/unified")])
def test_hybrid_with_controllers_split(guests, tag, tree):
    check(guests(HYBRID), tag, below([TOP + "/memory", tree]), MIXED, left([TOP + "/memory", tree]))


def test_hybrid_delegated(guests):
    """v1 has no rule about processes: below our own cgroup there, beside it in the tree."""
    check(guests(HYBRID), "user", {TOP + "/memory/u/husk/b", TOP + "/unified/u/husk/b"}, {"memory.limit_in_bytes": "33554432", "pids.max": "20"},
          " ".join(TOP + d for d in ("/memory/husk", "/memory/u", "/unified/husk", "/unified/u", "/unified/u/scope")))


def test_v2(guests):
    r = guests(V2)
    check(r, "alone", below(["/mnt/v2"]), V2_LIMITS, left(["/mnt/v2"]))
    check(r, "top", below([TOP]), V2_LIMITS, left([TOP]))
    check(r, "parent", below([TOP], "/a/b"), V2_LIMITS, left([TOP]))


def test_v2_read_only(guests):
    r = guests(V2)
    assert said(r, "ro-status") == ["0"] and len(said(r, "ro-err")) == 1 and "ours to write" in said(r, "ro-err")[0], r
    refused(r, "ro-asked", "memory.max: no memory controller - /sys/fs/cgroup/husk/b: Read-only file system")
    refused(r, "ro-parent", "cgroup=: /sys/fs/cgroup/a/b/husk/b: Read-only file system")


@pytest.mark.parametrize("tag, text", [
    ("all-frozen", "init.ready: the box is frozen, or a cgroup above it"),
    ("cold", "cg.make: /sys/fs/cgroup/cold/husk/b: a cgroup above it is frozen"),
    ("threaded", "cg.make: /sys/fs/cgroup/th/x/husk/b: a cgroup above it is threaded"),
    ("thread-root", "cg.make: /sys/fs/cgroup/th/husk/b: a cgroup above it is threaded"),
    ("procs-asked", "pids.max: no pids controller - /sys/fs/cgroup/pr has processes in it"),
    ("few", "cg.make: /sys/fs/cgroup/few/husk/b: Resource temporarily unavailable - cgroup.max.descendants"),
    ("file", "cg.make: cgroup=: /sys/fs/cgroup/cgroup.procs/a/husk/b: Not a directory"),
])
def test_v2_in_the_way(guests, tag, text):
    refused(guests(V2), tag, text)


def test_v2_a_box_keeps_a_controller_from_others(guests):
    """It may write its leaf, and makes directories of the names of files there: who is to be limited by them is not started, `?` or not."""
    r, why = guests(V2), "/sys/fs/cgroup/k/husk/cgroup.subtree_control: File exists: a box has made a directory {}.* in its cgroup"
    assert said(r, "bad") == ["0"], r
    refused(r, "kept", "cg.limits: cpu.weight: no cpu controller - " + why.format("cpu"))
    refused(r, "kept-asked", "cg.limits: cpu.max: no cpu controller - " + why.format("cpu"))
    assert said(r, "kept-update") == ["husk: bad: cg.limits: cpuset.cpus: no cpuset controller - " + why.format("cpuset")], r
    assert said(r, "not-kept-status") == ["0"] and files(r, "not-kept")["pids.max"] == "20", r
    assert said(r, "kept-no-more-status") == ["0"] and files(r, "kept-no-more") == {"cpu.weight": "50"}, r


def test_v2_name_taken(guests):
    r = guests(V2)
    for tag, text in ("taken", "with processes in it"), ("taken-sub", "or cgroups"), ("taken-frozen", "and frozen"):
        assert said(r, tag + "-status") == ["125"] and f"/husk/b is there already, {'with processes in it, ' if tag == 'taken-sub' else ''}{text}" in said(r, tag + "-err")[0], r
        assert "/sys/fs/cgroup/husk/b" in said(r, tag + "-left")[0].split(), "it is somebody's"


def test_v2_parent_with_processes(guests):
    """Best effort is skipped, a line each; the parent is not made the root of a threaded domain."""
    r = guests(V2)
    assert said(r, "procs-status") == ["0"] and all("hands on nothing" in l for l in said(r, "procs-err")), r
    assert said(r, "type") == ["domain", "domain"], r


def test_v2_stranger_in_the_leaf(guests):
    r = guests(V2)
    assert said(r, "stranger") == ["alive 1"], r
    check(r, "after-stranger", below([TOP]), V2_LIMITS, left([TOP]))


def test_v2_cgroup_namespace(guests):
    """The root that is seen holds processes: no limits, until they are elsewhere."""
    r = guests(V2)
    assert said(r, "root") == ["0::/"] and said(r, "ns-status") == ["0"], r
    assert said(r, "ns-err") and all("/sys/fs/cgroup has processes in it" in l for l in said(r, "ns-err")), r
    refused(r, "ns-asked", "pids.max: no pids controller - /sys/fs/cgroup has processes in it")
    check(r, "ns-moved", below([TOP]), {k: v for k, v in V2_LIMITS.items() if k != "cpu.max"}, f"{TOP}/husk {TOP}/in")


@both
def test_v2_delegated(guests, version):
    """Beside our own cgroup, which has processes; or where cgroup= says; what is another's is an error."""
    r, tree = guests(USER, version), f"{TOP}/other {TOP}/slice {TOP}/slice/scope"
    limits = {"memory.max": "33554432", "pids.max": "20"}
    check(r, "beside", below([TOP + "/slice"]), limits, tree)
    check(r, "asked", below([TOP + "/slice"]), limits | {"pids.max": "256"}, tree)
    refused(r, "others", "cg.make: cgroup=: /sys/fs/cgroup/other/husk/b: Permission denied")
    check(r, "not-there", below([TOP + "/slice/new/er"]), limits | {"memory.max": files(r, "not-there").get("memory.max")}, tree)


# What the other guests have not: two CPUs, a real disk, and the modules for them.
MODULES = "virtio virtio_ring virtio_mmio virtio_blk bfq brd".split()
EXTRA = COMMON + r"""
for m in %s; do insmod /$m.ko; done
D=$(cat /sys/block/vda/dev); echo "@disk $D"; echo bfq >/sys/block/vda/queue/scheduler; echo "@scheduler $(cat /sys/block/vda/queue/scheduler)"
for c in memory pids blkio net_cls net_prio freezer; do h $c $C/$c; done
go v1 "blkio.bfq.weight blkio.bfq.weight_device net_cls.classid net_prio.ifpriomap blkio.throttle.write_bps_device" io.weight=300 io.weight=/dev/vda:200 io.max=/dev/vda:wbps=1M net_cls.classid=0x100001 net_prio.ifpriomap=lo:5
off; umount $C; mount -t cgroup2 cg $C; F="io.weight io.bfq.weight io.max cpuset.cpus cpuset.cpus.effective cpuset.cpus.partition"
go v2 "$F" io.weight=300 io.weight=/dev/vda:200 io.max=$D:wbps=1M cpuset.cpus=1
go high "$F" io.weight=5000; insmod /brd.ko rd_nr=1; go no-disk "$F" io.weight=1:0:200
go no-parent "$F" cpuset.cpus=1 cpuset.cpus.partition=root
mkdir $C/part $C/part/husk; echo +cpuset >$C/cgroup.subtree_control; echo +cpuset >$C/part/cgroup.subtree_control
for d in part part/husk; do echo 1 >$C/$d/cpuset.cpus; echo root >$C/$d/cpuset.cpus.partition; echo "@parent $(cat $C/$d/cpuset.cpus.partition)"; done
go root "$F" cgroup=part cpuset.cpus=1 cpuset.cpus.partition=root
go isolated "$F" cgroup=part cpuset.cpus=1 cpuset.cpus.partition=isolated
echo "+memory +pids" >$C/cgroup.subtree_control; n=0
while [ $n -lt 25 ]; do		# the first four below a directory, at once: of 100, two found the controller there, and not yet its files
	n=$((n+1)); mkdir $C/z$n
	for k in 1 2 3 4; do husk run cgroup=z$n name=z$n.$k root=/ memory.max=32M pids.max=20 -- /bin/true || echo "@beside $?" & done; wait
done; echo "@beside none"
""" % " ".join(MODULES[:-1])


def test_of_modules_and_two_cpus():
    """io.weight where BFQ is the scheduler, in both layouts; net_cls and net_prio; a partition of the CPUs, below one and below none."""
    if not shutil.which(qemu.board(BOARD)["QEMU"].split()[0]) or not (qemu.TOP / "out" / BOARD / "husk").exists():
        pytest.skip(f"no QEMU, or make BOARD={BOARD}")
    b = qemu.of(BOARD, "6.1")
    r = qemu.guest(BOARD, EXTRA, layout="none", files={m + ".ko": qemu.file(qemu.module(b, m)) for m in MODULES}, timeout=240,
                   more="-smp 2 -drive if=none,id=d,driver=null-co,size=67108864 -device virtio-blk-device,drive=d")
    disk = said(r, "disk")[0]
    assert r.ended and "[bfq]" in said(r, "scheduler")[0], r
    check(r, "v1", below([f"{TOP}/{c}" for c in "memory pids blkio net_cls net_prio freezer".split()]), {"blkio.bfq.weight": "300", "blkio.bfq.weight_device": "default 300",
          "net_cls.classid": "1048577", "net_prio.ifpriomap": "lo 5", "blkio.throttle.write_bps_device": f"{disk} 1048576"},
          left([f"{TOP}/{c}" for c in "memory pids blkio net_cls net_prio freezer".split()]))
    assert r.text.count(f"\n{disk} 200\n") == 2, r		# of v1, and of v2
    check(r, "v2", below([TOP]), {"io.weight": "default 300", "io.bfq.weight": "default 300", "io.max": f"{disk} rbps=max wbps=1048576 riops=max wiops=max",
                                  "cpuset.cpus": "1", "cpuset.cpus.effective": "1", "cpuset.cpus.partition": "member"}, left([TOP]))
    refused(r, "high", "io.weight: io.bfq.weight: default 5000 is outside of what this kernel takes, or has")
    refused(r, "no-disk", "io.weight: io.bfq.weight: 1:0 200: that disk has neither BFQ nor io.cost")
    refused(r, "no-parent", "cpuset.cpus.partition: root written, root invalid (Parent is not a partition root) read back")
    assert said(r, "parent") == ["root", "root"], r
    for tag in "root", "isolated":
        assert said(r, tag + "-status") == ["0"] and files(r, tag)["cpuset.cpus.effective"] == "1" and files(r, tag)["cpuset.cpus.partition"] == tag, r
    assert said(r, "beside") == ["none"], r
