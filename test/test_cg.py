"""Cgroups on this machine's kernel, whatever its layout: what was asked for is in force, and nothing stays."""
import contextlib
import os
import re
import signal
import subprocess
import threading
import time

import pytest

import husk
from husk import run

V2 = (husk.CGROUPS / "cgroup.controllers").exists()
LIMITS = [	# what is asked, the v2 file and text, the v1 controller, file and text
    ("memory.max=32M", "memory.max", "33554432", "memory", "memory.limit_in_bytes", "33554432"),
    ("memory.max=32M memory.swap.max=1M", "memory.swap.max", "1048576", "memory", "memory.memsw.limit_in_bytes", "34603008"),
    ("pids.max=20", "pids.max", "20", "pids", "pids.max", "20"),
    ("cpu.max=50%", "cpu.max", "50000 100000", "cpu", "cpu.cfs_quota_us", "50000"),
    ("cpu.max=20000 50000", "cpu.max", "20000 50000", "cpu", "cpu.cfs_period_us", "50000"),
    ("cpu.weight=200", "cpu.weight", "200", "cpu", "cpu.shares", "2048"),
    ("cpu.weight=1", "cpu.weight", "1", "cpu", "cpu.shares", "10"),
    ("memory.max=32M memory.high=24M", "memory.high", "25165824", "memory", None, None),
    ("memory.low=1M", "memory.low", "1048576", "memory", None, None),
    ("memory.min=1M", "memory.min", "1048576", "memory", None, None),
    ("memory.oom.group=1", "memory.oom.group", "1", "memory", None, None),
    ("memory.max=33554433", "memory.max", "33554432", "memory", "memory.limit_in_bytes", "33554432"),
    ("cpu.max=50% cpu.max.burst=20000", "cpu.max.burst", "20000", "cpu", "cpu.cfs_burst_us", "20000"),
    ("cpu.weight.nice=-5", "cpu.weight.nice", "-5", "cpu", "cpu.shares", "3121"),
    ("cpu.weight.nice=-20", "cpu.weight.nice", "-20", "cpu", "cpu.shares", "88761"),
    ("cpu.idle=1", "cpu.idle", "1", "cpu", "cpu.idle", "1"),
    ("cpu.rt_runtime_us=5000", None, None, "cpu", "cpu.rt_runtime_us", "5000"),
    ("cpu.rt_period_us=500000 cpu.rt_runtime_us=5000", None, None, "cpu", "cpu.rt_period_us", "500000"),
    ("cpuset.cpus=0", "cpuset.cpus", "0", "cpuset", "cpuset.cpus", "0"),
    ("cpuset.cpus=0 cpuset.mems=0", "cpuset.mems", "0", "cpuset", "cpuset.mems", "0"),
    ("cpuset.cpus.partition=root", "cpuset.cpus.partition", "root", "cpuset", None, None),
    ("io.max=DISK:rbps=1M,wiops=100", "io.max", "DISK rbps=1048576 wbps=max riops=max wiops=100", "io", "blkio.throttle.read_bps_device", "DISK 1048576"),
    ("io.max=DISK:rbps=1M,wiops=100", "io.max", "DISK rbps=1048576 wbps=max riops=max wiops=100", "io", "blkio.throttle.write_iops_device", "DISK 100"),
    ("io.max=DISK:rbps=max", "io.max", "", "io", "blkio.throttle.read_bps_device", ""),
    ("io.latency=DISK:target=75ms", "io.latency", "DISK target=75000", "io", None, None),
    ("io.weight=200", "io.weight", "default 200", "io", "blkio.bfq.weight", "200"),
    ("hugetlb.2MB.max=5M", "hugetlb.2MB.max", "4194304", "hugetlb", "hugetlb.2MB.limit_in_bytes", "4194304"),
    ("net_cls.classid=0x100001", None, None, "net_cls", "net_cls.classid", "1048577"),
    ("net_prio.ifpriomap=lo:5", None, None, "net_prio", "net_prio.ifpriomap", "lo 5"),
    ("memory.swappiness=10", None, None, "memory", "memory.swappiness", "10"),
    ("memory.soft_limit_in_bytes=33554432", None, None, "memory", "memory.soft_limit_in_bytes", "33554432"),
]
REFUSED = [	# what nothing may be started with, and what is said
    ("memory.nosuch=1", r"memory\.nosuch: (no|not in the) memory controller - "),
    ("net_cls.nosuch=1", r"net_cls\.nosuch: (no|not in the) net_cls controller - "),
    ("cpuset.cpus=1000", r"cpuset\.cpus: "),
    ("io.max=/dev/null:rbps=1M", r"io\.max: /dev/null: Block device required"),
    ("io.max=/dev/nosuch:rbps=1M", r"io\.max: /dev/nosuch: No such file or directory"),
    ("io.max=0:0:rbps=1M", r"io\.max: 0:0 .*: no such device\n"),
    ("memory.usage_in_bytes=1", r"memory\.usage_in_bytes: "),
    ("hugetlb.3MB.max=4M", r"hugetlb\.3MB\.max: (no|not in the) hugetlb controller - "),
]


def trees():
    """Where a hierarchy that we may write is mounted."""
    found = [h for h in husk.hierarchies() if (h / "cgroup.procs").exists() and os.access(h / "cgroup.procs", os.W_OK)]
    if not found:
        pytest.skip("no cgroup hierarchy is writable here")
    return found


def handle():
    """The hierarchy in which every box has a leaf."""
    return next((t for t in trees() if (t / "cgroup.controllers").exists()), None) or \
        next((t for t in trees() if t.name == "freezer"), None) or pytest.skip("neither a v2 tree nor a freezer")


@contextlib.contextmanager
def running(name, *words):
    with husk.box(*words, "--", "/bin/sh", "-c", "echo up; exec sleep 100", box=name) as p:
        assert husk.line(p) == "up"
        yield p
        p.terminate()
        assert husk.status_of(p) == 143


def disk():
    """A whole disk of this machine, MAJOR:MINOR."""
    for d in sorted(husk.pathlib.Path("/sys/class/block").iterdir()):
        if not (d / "partition").exists() and (d / "dev").exists() and not d.name.startswith("zram"):
            return (d / "dev").read_text().strip()
    pytest.skip("no block device")


def word(w):
    return w.replace("DISK", disk()) if w and "DISK" in w else w


def said(words):
    return re.findall(r"\S+=.*?(?= \w+[\w.]*=\S|$)", word(words))


@pytest.mark.parametrize("words, file2, text2, controller, file1, text1", LIMITS, ids=lambda v: v if v and "=" in str(v) and " " not in v else None)
def test_each_limit_is_in_force(name, words, file2, text2, controller, file1, text1):
    """In its file, or refused by name where this kernel or this layout does not have it."""
    trees()
    d1 = husk.CGROUPS / {"io": "blkio"}.get(controller, controller) / "husk" / name
    d2 = (husk.CGROUPS if V2 else husk.CGROUPS / "unified") / "husk" / name
    with husk.box(*said(words), "--", "/bin/sh", "-c", "echo up; exec sleep 100", box=name) as p:
        up = p.stdout.readline()
        d, file, text = (d1, file1, text1) if d1.exists() else (d2, file2, text2)
        if not up:
            err = husk.errors(p)
            p.wait(timeout=5)
            asked = words.split()[-1].split("=")[0]
            assert p.returncode == 125 and (not file or not (d / file).exists()), err
            assert re.search(rf"cg\.limits: {re.escape(asked)}: (no|not in the) {controller} controller - ", err), err
            assert not husk.left(name)
            return
        assert word(text) in (d / file).read_text().splitlines() or not text and not (d / file).read_text().strip()
        assert husk.init_of(p.pid) in map(int, (d / "cgroup.procs").read_text().split())
        p.terminate()
        assert husk.status_of(p) == 143


@pytest.mark.parametrize("words, error", REFUSED)
def test_each_refusal(name, words, error):
    trees()
    r = run(words, "--", "/bin/echo", "no", box=name)
    assert r.status == 125 and r.out == "" and re.search(r"cg\.limits: " + error, r.err), r
    assert not husk.left(name)


@pytest.mark.parametrize("word, key", [
    ("memory.limit_in_bytes=32M", "memory.max"), ("memory.memsw.limit_in_bytes=32M", "memory.swap.max"), ("cpu.shares=512", "cpu.weight"), ("cpu.cfs_period_us=1000", "cpu.max"),
    ("cpu.cfs_quota_us=1000", "cpu.max"), ("cpu.cfs_burst_us=0", "cpu.max.burst"), ("blkio.throttle.write_iops_device=8:0 1", "io.max"), ("blkio.bfq.weight=150", "io.weight"),
    ("blkio.bfq.weight_device=8:0 150", "io.weight"), ("io.bfq.weight=150", "io.weight"), ("hugetlb.2MB.limit_in_bytes=4194304", "hugetlb.2MB.max"),
    ("hugetlb.1GB.rsvd.limit_in_bytes=0", "hugetlb.1GB.rsvd.max")])
@pytest.mark.parametrize("mark", ["", "?"])
def test_one_word_for_a_file(word, key, mark):
    """The name that v1 has for a key: beside it the later would win."""
    r = husk.husk("show", mark + word, "--", "/bin/true")
    assert r.status == 2 and r.err.endswith(f": {word.split('=')[0]}: that is {key}=, on every kernel\n"), r


def test_max_may_have_a_period(name):
    """The kernel's own form."""
    with running(name, "cpu.max=max 50000"):
        assert "cpu.max=max 50000\n" in (husk.wait_for(lambda: husk.read(husk.RUNDIR / name / "box")) and husk.read(husk.RUNDIR / name / "box"))
    for w in "max 10", "max max", "999 100000", "max 50000 1":
        assert husk.husk("show", f"cpu.max={w}", "--", "/bin/true").status == 2


@pytest.mark.parametrize("words, error", [
    (["cpu.idle=1", "cpu.weight=7"], "cpu.idle: not with cpu.weight=7: who is idle has no weight"),
    (["cpu.idle=1", "cpu.weight.nice=-7"], "cpu.idle: not with cpu.weight.nice=-7: who is idle has no weight"),
    (["cpuset.mems=0,,1"], "cpuset.mems: \"0,,1\" is not memory nodes (0, 2-3,5; 1023 at most)")])
def test_what_does_not_go_together(words, error):
    r = husk.husk("show", *words, "--", "/bin/true")
    assert r.status == 2 and r.err == f"command line: {error}\n", r


@pytest.mark.parametrize("key, one, two", [("io.max", "rbps=1M", "wbps=1M"), ("io.latency", "target=1ms", "target=2ms")])
@pytest.mark.parametrize("mark", ["", "?"])
def test_two_words_for_a_disk(name, tmp_path, key, one, two, mark):
    """By its number, by its path, by a link to that."""
    disks = [d for d in husk.pathlib.Path("/dev").iterdir() if d.is_block_device() and not d.is_symlink()]
    if not disks:
        pytest.skip("no disk has a node")
    number = "{}:{}".format(os.major(disks[0].stat().st_rdev), os.minor(disks[0].stat().st_rdev))
    (tmp_path / "link").symlink_to(disks[0])
    for a, b in (number, disks[0]), (disks[0], number), (disks[0], tmp_path / "link"), (number, "0" + number):
        r = run(f"{mark}{key}={a}:{one}", f"{mark}{key}={b}:{two}", "--", "/bin/echo", "no", box=name)
        if "no io controller" not in r.err and "not in the io" not in r.err:
            assert r.status == 125 and r.err == f"husk: {name}: cg.limits: {key}: {a} and {b} are one device\n", r
    assert not husk.left(name)


def test_a_disk_that_is_not_there_is_said_once(name):
    """At the start, and by an update that asks for it."""
    with husk.box("?io.max=/dev/nosuch:rbps=1M", "--", "/bin/sh", "-c", "echo up; exec sleep 100", box=name) as p:
        assert husk.line(p) == "up"
        husk.wait_for(lambda: (husk.RUNDIR / name / "box").exists())
        r = husk.husk("update", name, "?io.max=/dev/other:rbps=1M", "cpu.weight=50", "pids.max=30")
        assert r.status == 0 and r.err.count("/dev/other: No such file or directory: not limited\n") == 1 and r.err.count("\n") <= 2, r
        p.terminate()
        assert husk.status_of(p) == 143 and husk.errors(p).count("not limited") == 1


@pytest.mark.parametrize("words", sorted({"?" + w for w, f2, _, c, f1, _ in LIMITS if " " not in w and not (f1 and f2)}))
def test_with_a_question_mark_the_box_starts_without(name, words):
    trees()
    r = run(word(words), "--", "/bin/echo", "yes", box=name)
    assert (r.status, r.out) == (0, "yes\n"), r
    assert r.err == "" or re.fullmatch(r"husk: \S+: cg\.limits: .*: not limited\n", r.err), r


def test_a_partition_is_no_disk(name):
    parts = [p for p in husk.pathlib.Path("/sys/class/block").iterdir() if (p / "partition").exists()]
    if not parts:
        pytest.skip("no partition")
    number = (parts[0] / "dev").read_text().strip()
    r = run(f"io.max={number}:rbps=1M", "--", "/bin/true", box=name)
    assert r.status == 125 and f"{number} is a partition: the kernel limits whole disks, this one is" in r.err, r


def test_share_of_the_memory(name):
    trees()
    with running(name, "memory.max=10%"):
        found = [int(h.read_text()) for t in trees() for h in (t / "husk" / name).glob("memory.*") if h.name in ("memory.max", "memory.limit_in_bytes")]
    total = int(re.search(r"MemTotal: *(\d+)", husk.read("/proc/meminfo"))[1]) * 1024
    assert not found or 0.099 * total < found[0] < 0.106 * total	# MemTotal is a little less than the RAM


def test_max_asks_for_nothing(name):
    with running(name, "memory.max=max", "pids.max=max", "cpu.max=max"):
        assert husk.cgroup_dirs(name) == [str(handle() / "husk" / name)]


def test_below_another_parent(name):
    trees()
    with running(name, f"cgroup=t-{name}/b", "pids.max=20"):
        assert [t for t in trees() if (t / f"t-{name}" / "b" / "husk" / name / "cgroup.procs").exists()]
    assert not [t for t in trees() if (t / f"t-{name}").exists()]


@pytest.mark.parametrize("shape", ["/".join("a" * 150), "y" * 200 + "/" + "z" * 99], ids=["deep", "long"])
def test_a_long_way_down(name, shape):
    """What is made above the leaf is noted in one line, and goes again, all of it."""
    trees()
    parent = name + shape[len(name):]
    r = run(f"cgroup={parent}", "memory.max=32M", "pids.max=20", "--", "/bin/true", box=name)
    assert (r.status, r.err) == (0, ""), r
    assert not [t for t in trees() if list(t.glob(name + "*"))]


def test_a_parent_that_was_there_stays(name):
    parent = handle() / f"p-{name}"
    parent.mkdir()
    try:
        with running(name, f"cgroup=p-{name}"):
            assert (parent / "husk" / name).is_dir()
        assert parent.is_dir() and not (parent / "husk").exists()
    finally:
        parent.rmdir()


def test_updates_note_a_leaf_once(name):
    trees()
    with running(name):
        for n in (30, 31, 32):
            assert husk.husk("update", name, f"pids.max={n}", "?rdma.max=none0:hca_handle=3").status == 0
        lines = [l for l in (husk.RUNDIR / name / "state").read_text().split() if l.startswith("cgroup=")]
        assert len(lines) == len(set(lines))


@pytest.mark.parametrize("owner, mode", [(65534, 0o755), (0, 0o777)])
def test_a_parent_that_another_rules_over_is_refused(name, owner, mode):
    """He could rename or remove what lies between, and the box would be in a cgroup of his."""
    for tree in trees():
        (tree / f"o-{name}").mkdir()
        os.chown(tree / f"o-{name}", owner, 0)
        (tree / f"o-{name}").chmod(mode)
    try:
        r = run(f"cgroup=o-{name}", "pids.max=20", "--", "/bin/true", box=name)
        assert r.status == 125 and "cg.make" in r.err and f"/o-{name} is another's" in r.err, r
        assert not [t for t in trees() if (t / f"o-{name}" / "husk").exists()]
    finally:
        for tree in trees():
            (tree / f"o-{name}").rmdir()


def test_an_empty_leaf_is_made_anew(name):
    d = handle() / "husk" / name
    d.mkdir(parents=True)
    was = d.stat().st_ino
    with running(name):
        assert d.stat().st_ino != was


def test_a_frozen_leaf_is_somebodys(name):
    d = handle() / "husk" / name
    d.mkdir(parents=True)
    try:
        file = d / "cgroup.freeze" if (d / "cgroup.freeze").exists() else d / "freezer.state"
        file.write_text("1" if file.name == "cgroup.freeze" else "FROZEN")
        r = run("--", "/bin/true", box=name)
        assert r.status == 125 and "cg.make" in r.err and "frozen" in r.err, r
    finally:
        with contextlib.suppress(FileNotFoundError):
            d.rmdir()


def test_strangers_in_the_leaf_are_left_alone(name):
    """The message says it, and the undo of the failed start does not kill them."""
    d = handle() / "husk" / name
    d.mkdir(parents=True)
    stranger = subprocess.Popen(["sleep", "30"])
    try:
        (d / "cgroup.procs").write_text(str(stranger.pid))
        r = run("--", "/bin/true", box=name)
        assert r.status == 125 and "processes in it" in r.err, r
        assert stranger.poll() is None
        assert not (husk.RUNDIR / name).exists()
    finally:
        stranger.kill()
        stranger.wait()
        husk.wait_for(lambda: not d.exists() or not d.rmdir())


def test_cgroups_of_its_own(name):
    """What the box makes below its leaf goes with it, however deep and of whatever name."""
    tree = handle()
    if not os.access(tree, os.W_OK):
        pytest.skip("not ours to write")
    script = f"cd /mnt/husk/{name} && mkdir -p a/$(seq -s/ 1 60) .hidden/b 'w i d e' c.max && echo made"
    r = run(f"bind={tree}:/mnt:rw", "user=root", "caps=dac_override", "--", "/bin/sh", "-c", script, box=name)
    assert (r.status, r.out, r.err) == (0, "made\n", ""), r
    assert not husk.left(name)


def test_strangers_in_the_leaf_outlive_the_box(name):
    d = handle() / "husk" / name
    stranger = subprocess.Popen(["sleep", "30"])
    try:
        with running(name):
            (d / "cgroup.procs").write_text(str(stranger.pid))
        assert stranger.poll() is None and (d / "cgroup.procs").read_text().split() == [str(stranger.pid)]
        r = run("--", "/bin/true", box=name)
        assert r.status == 125 and "could not be removed" in r.err and stranger.poll() is None, r
    finally:
        stranger.kill()
        stranger.wait()
    r = run("--", "/bin/true", box=name)
    assert r.status == 0 and not husk.left(name), r


def test_memory_eater(name):
    r = run("memory.max=16M", "memory.swap.max=0", "--", "/bin/sh", "-c", "x=x; while :; do x=$x$x; done", box=name)
    assert r.status == 137, r


def test_fork_bomb(name):
    r = run("pids.max=10", "--", "/bin/sh", "-c", "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 5 & done; echo no", box=name)
    assert r.status != 0 and "can't fork" in r.err and "no" not in r.out, r


def test_spinner(name):
    trees()
    began = time.monotonic()
    r = run("cpu.max=10%", "--", "/bin/sh", "-c", "i=0; while [ $i -lt 150000 ]; do i=$((i+1)); done; cat /proc/$$/stat", box=name, timeout=60)
    took, ticks = time.monotonic() - began, sum(map(int, r.out.rpartition(")")[2].split()[11:13])) / os.sysconf("SC_CLK_TCK")
    if took < 0.3:
        pytest.skip("too fast to tell")
    assert r.status == 0 and ticks <= took * 0.1 * 1.05 + 0.05, (ticks, took, r)


def test_swap_alone_on_v1(name):
    if not any(t.name == "memory" for t in trees()):
        pytest.skip("v2 can say it")
    r = run("memory.max=max", "memory.swap.max=1M", "--", "/bin/true", box=name)
    assert r.status == 125 and "cg.limits: memory.swap.max: cgroup v1 limits memory and swap together" in r.err, r


def test_out_of_range(name):
    trees()
    r = run("pids.max=99999999999", "--", "/bin/true", box=name)
    assert r.status in (2, 125) and "pids.max" in r.err, r


DEVICES = """cd /dev && mknod own c 1 3 && : >own && echo made; mknod mem c 1 1 2>&1; mknod kmsg c 1 11 2>&1
head -c 1 /dev/full >/dev/null && head -c 1 /dev/urandom >/dev/null && echo done
"""


def test_device_policy(name):
    """With the right to make nodes: those that every box has, and no other."""
    trees()
    r = run("user=root", "caps=mknod", "--", "/bin/sh", "-c", DEVICES, box=name)
    assert r.status == 0 and "made\n" in r.out and r.out.count("not permitted") == 2, r


@pytest.mark.skipif(not os.path.exists("/dev/kmsg"), reason="no /dev/kmsg")
def test_device_that_may_only_be_read(name):
    """The node belongs to the user, who may change its mode: only the policy keeps him from writing."""
    trees()
    r = run("user=1000", "device=/dev/kmsg:r", "--", "/bin/sh", "-c", "chmod 666 /dev/kmsg; : >>/dev/kmsg", box=name)
    assert r.status != 0 and "not permitted" in r.err, r
    r = run("user=1000", "device=/dev/kms*:rw", "--", "/bin/sh", "-c", ": >>/dev/kmsg && echo ok", box=name)
    assert (r.status, r.out) == (0, "ok\n"), r


def test_tree_that_does_not_want_to_end(name):
    with husk.box("stop.timeout=200ms", "--", "/bin/sh", "-c", "trap '' TERM; for i in 1 2 3 4 5 6 7 8; do setsid sh -c 'trap \"\" TERM HUP; kill -STOP $$' & done; sleep 0.1; echo up; while :; do sleep 1; done", box=name) as p:
        assert husk.line(p) == "up"
        p.terminate()
        assert husk.status_of(p) == 137
    assert not husk.left(name)


def test_boxes_that_come_and_go_share_the_parent(name):
    """The last one takes "husk" away, also from under the one that is just coming."""
    trees()
    wrong = []

    def some(i):
        for _ in range(12):
            r = run("memory.max=32M", "pids.max=20", "--", "/bin/true", box=f"{name}-{i}")
            if r.status or r.err:
                wrong.append(r)
    threads = [threading.Thread(target=some, args=(i,)) for i in range(3)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong, wrong[0]


def test_keeper_killed_leaf_listed_and_removed_by_the_next(name):
    with husk.box("pids.max=20", "--", "/bin/sh", "-c", "echo up; exec sleep 100", box=name) as p:
        assert husk.line(p) == "up"
        p.send_signal(signal.SIGKILL)
        p.wait()
    state = husk.read(husk.RUNDIR / name / "state")
    assert all(f"cgroup={d}\n" in state for d in husk.cgroup_dirs(name)), state
    r = run("pids.max=20", "--", "/bin/true", box=name)
    assert r.status == 0 and not r.err, r
    assert not husk.left(name)


@pytest.mark.parametrize("missing", ["", "path=cgroup.kill"], ids=["cgroup.kill", "one-by-one"])
def test_shared_pid_namespace_ends_with_its_keeper(name, missing, tmp_path):
    """No death of a PID 1 takes the others along: PID 1 holds what does, on older kernels and on v1 the list."""
    handle()
    traced = [husk.INJECT, "-o", tmp_path / "log", "never", missing, "--"] if missing else []
    words = [husk.HUSK, "run", f"name={name}", f"root={husk.ROOT}", "ns.pid=host", "--", "/bin/sh", "-c",
             "for i in 1 2 3 4; do setsid sleep 100 & done; echo up; exec sleep 100"]
    p = subprocess.Popen([str(w) for w in traced + words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert husk.line(p) == "up"
        lists = [os.path.join(d, "cgroup.procs") for d in husk.cgroup_dirs(name)]
        assert max(len(husk.read(l).split()) for l in lists) >= 5
        os.kill(husk.children(p.pid)[0] if traced else p.pid, signal.SIGKILL)
        husk.wait_for(lambda: not any(husk.read(l).split() for l in lists))
        assert not any(husk.read(l).split() for l in lists)
    finally:
        p.kill()
        p.wait()
        p.stdout.close()
        p.stderr.close()
    r = run("--", "/bin/true", box=name)
    assert r.status == 0, r


def test_nothing_stays_below_our_own_cgroup(name, tmp_path):
    """Where the top is refused the leaf is made below our own cgroup, which is somebody's to remove."""
    owns = [(t, own) for t in trees() for own in re.findall(rf"^\d+:{'' if t.name == 'unified' or V2 else t.name}:(/.+)$",
                                                          husk.read("/proc/self/cgroup"), re.M)]
    owns = [(t, own) for t, own in owns if (t / own[1:]).is_dir() and not (t / own[1:] / "husk").exists()]
    if not owns:
        pytest.skip("we are at the top everywhere")
    paths = [w for t, _ in owns for w in ("-P", str(t / "husk" / name))]
    r = husk.command("strace", "-f", "-qq", "-o", tmp_path / "log", *paths, "-e", "inject=mkdir,mkdirat:error=EROFS",
                     husk.HUSK, "run", f"name={name}", f"root={husk.ROOT}", "memory.max=32M", "--", "/bin/true")
    assert r.status == 0 and "EROFS" in (tmp_path / "log").read_text(), r
    assert not [t for t, own in owns if (t / own[1:] / "husk").exists()]


def test_a_directory_of_somebody_where_nothing_can_be_made():
    """In a hierarchy that is read-only the box has no leaf, whether one of its name is there or not; and it stays there."""
    box = husk.name("tc")
    dirs = [h / "husk" / box for h in husk.hierarchies()]
    for d in dirs:
        d.mkdir(parents=True, exist_ok=True)
    try:
        ro = "; ".join(f"mount -o remount,bind,ro {h}" for h in husk.hierarchies())
        r = husk.command("unshare", "-m", "sh", "-c", f'mount --make-rprivate /; {ro}; exec "$@"', "sh", husk.HUSK, "run", f"name={box}", f"root={husk.ROOT}", "--", "/bin/true")
        assert r.status == 0 and all(d.is_dir() for d in dirs), r
    finally:
        for d in dirs:
            d.rmdir()
    husk.nothing_left(box)
