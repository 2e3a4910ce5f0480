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


@pytest.mark.parametrize("words, file2, text2, controller, file1, text1", LIMITS)
def test_each_limit_is_in_force(name, words, file2, text2, controller, file1, text1):
    trees()
    v1 = husk.CGROUPS / controller / "husk" / name / file1
    v2 = (husk.CGROUPS if V2 else husk.CGROUPS / "unified") / "husk" / name / file2
    with running(name, *re.findall(r"\S+=[^=]*(?= \w+\.|$)", words)) as p:
        if not v1.exists() and not v2.exists():
            pytest.skip(f"no {controller} controller")
        assert (v1 if v1.exists() else v2).read_text().strip() == (text1 if v1.exists() else text2)
        inits = [husk.init_of(p.pid)]
        assert inits[0] in map(int, (v1 if v1.exists() else v2).with_name("cgroup.procs").read_text().split())


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


def test_a_parent_that_was_there_stays(name):
    parent = handle() / f"p-{name}"
    parent.mkdir()
    try:
        with running(name, f"cgroup=p-{name}"):
            assert (parent / "husk" / name).is_dir()
        assert parent.is_dir() and not (parent / "husk").exists()
    finally:
        parent.rmdir()


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
        husk.wait_for(lambda: not d.exists() or not d.rmdir(), 1)


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
        began = time.monotonic()
        p.terminate()
        assert husk.status_of(p) == 137 and time.monotonic() - began < 2
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
        husk.wait_for(lambda: not any(husk.read(l).split() for l in lists), 1)
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
