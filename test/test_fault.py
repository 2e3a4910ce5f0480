"""Every kernel call of a start fails once, fails for ever, and the process dies there."""
import errno
import os
import re

import pytest

import fault
import husk

pytestmark = pytest.mark.skipif(os.uname().machine != "x86_64", reason="the injector is for x86_64 only")

PARTS = 6


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    log = tmp_path_factory.mktemp("record") / "log"
    return fault.record(husk.name("tf"), log)


def test_the_recording_is_complete(recorded):
    calls, seen = recorded
    for role in range(3):
        assert len([c for c in calls if c.role == role]) > 10, role
    assert {"mount", "capset", "seccomp", "execve"} & {c.name for c in calls if c.role > 0}
    assert "Seccomp" in seen
    assert any(c.released for c in calls) and not all(c.released for c in calls)


MODES = ["fail", "ever", "before", "after"]


def test_each_call_lies_in_a_row(recorded):
    """From the first one on, in the order of the table: what the message of a failing call has to name."""
    calls, table = recorded[0], fault.table()
    for role, first, last in (0, "init.state", "init.up"), (1, "init.close", "init.reap"), (2, "init.tty", "init.exec"):
        rows = [c.row for c in calls if c.role == role and c.row]
        assert rows[0] == first and last in rows and len(set(rows)) >= 10, rows
        assert [table.index(row) for row in rows] == sorted(table.index(row) for row in rows), rows
    assert {c.row for c in calls if c.name == "pivot_root"} == {"rootfs.pivot"} and {c.row for c in calls if c.name == "capset"} <= {"caps.sets", "init.rights"}


def test_each_row_of_the_reviewed_list_may_change_a_verdict(recorded, tmp_path):
    """There is a point that it is for, and that may end otherwise for it. Whether one did is known when all points are through: fault.main()."""
    idle = set(fault.fallbacks())
    for variant in ["", *fault.VARIANTS]:
        calls = fault.record(husk.name("tf"), tmp_path / "log", variant)[0] if variant else recorded[0]
        for mode in MODES:
            for call, err in fault.points(calls, mode):
                idle -= {row for row in fault.rows_for(call, err, mode, variant) if row[3] - fault.expected(call, mode, err)}
    assert not idle, idle


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("role", [0, 1, 2])
@pytest.mark.parametrize("part", range(PARTS))
def test_fault(recorded, mode, role, part, tmp_path):
    calls, baseline = recorded
    go_through(list(fault.points([c for c in calls if c.role == role], mode))[part::PARTS], mode, baseline, tmp_path / "log")


def go_through(points, mode, baseline, log, variant=""):
    """Each is a call that the start makes each time, but for who waits in steps: few may be missed."""
    box, wrong, missed = husk.name("tf"), [], []
    for call, err in points:
        try:
            if fault.check(call, mode, err, box, baseline, log, variant) == "not-reached":
                missed.append(call)
        except fault.Wrong as e:
            wrong.append(str(e))
    n = len(points) - len(missed)
    fault.forget(box)
    fault.note(mode, n)
    if wrong:
        with open(husk.OUT / "fault.wrong", "a") as f:
            f.write("\n".join(wrong) + "\n")
    missed = [c for c in missed if c.name not in (*fault.WAITS, "wait4", "clock_gettime")]
    assert len(missed) <= len(points) // 20 + 2, missed
    assert not wrong, f"{len(wrong)} of {n} points:\n" + "\n".join(wrong[:20])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("variant", fault.VARIANTS)
def test_fault_of_another_start(recorded, mode, variant, tmp_path):
    """What the default start does not do."""
    calls, baseline = fault.record(husk.name("tf"), tmp_path / "log", variant)
    points = list(fault.points(fault.few(fault.differing(calls, recorded[0])), mode))
    if variant == "learn" and mode in ("fail", "ever"):		# the injector's call that is none waits for an answer, too; "log" has these
        points = [p for p in points if p[0].role != 2]
    if variant == "hooks" and mode == "ever":		# how often a hook is waited for differs from start to start: it may be the keeper's own wait
        points = [p for p in points if p[0].name not in fault.WAITS]
    if mode == "ever":		# all errnos take one way out by now: the first of each call
        points = [p for i, p in enumerate(points) if not i or points[i - 1][0] != p[0]]
    go_through(points, mode, baseline, tmp_path / "log", variant)


def test_each_limit_that_fails_is_named(tmp_path):
    """Opening its file, writing and reading it back: the start fails in cg.limits, with the file's name, and no directory is left."""
    box, log = husk.name("tf"), tmp_path / "log"
    calls = [c for c in fault.record(box, log, "limits")[0] if c.role == 0 and not c.released]
    files = [i for i, c in enumerate(calls) if c.name == "openat" and calls[i + 1].name == "write" and calls[i + 2].name == "pread64"]
    names, n = set(), 0
    for i in files:
        file = os.path.basename(calls[i].text)
        names.add(file)
        for call, err in zip(calls[i:i + 3], (errno.EACCES, errno.EINVAL, errno.EIO)):
            r = fault.inject(log, "fail", 0, call.n, err, box=box, variant="limits")
            n += 1
            hint = "cpu.rt_runtime_us" in file and call.name == "write"		# tried again when those above have it
            assert r.status == (7 if hint else 125), (file, call, r)
            assert hint or re.search(rf"cg\.limits: (\S+: )?{re.escape(file)}: ", r.err), (file, call, r)
            husk.nothing_left(box)
    fault.note("limits", n)
    assert len(names) >= 5, names


def test_how_a_box_died_without_a_word_is_said(recorded, tmp_path):
    """PID 1 is killed; and HOST cannot see when it was born, which is no death."""
    box, log = husk.name("tf"), tmp_path / "log"
    first = next(c for c in recorded[0] if c.role == 1 and c.row)
    r = fault.inject(log, "before", 1, first.n, box=box)
    assert r.status == 125 and re.search(r": PID 1 of the box ended by signal 9$", r.err, re.M), r
    stat = next(c for c in recorded[0] if c.role == 0 and c.name == "openat" and c.text.endswith("/stat"))
    r = fault.inject(log, "fail", 0, stat.n, errno.EIO, box=box)
    assert r.status == 125 and re.search(r": ns\.clone: note process \d+: I/O error$", r.err, re.M), r
    assert fault.is_it(stat, log.read_text()) and not fault.is_it(stat._replace(text="state.new"), log.read_text())
    husk.nothing_left(box)
    fault.note("death", 2)


# ------------------------------------------- the checks themselves: is a lie of the kernel noticed?

PRIVATE = ("unshare", "-m", "--propagation", "private")		# a missed propagation call must not reach the host
CHECKED = {1: {"mount", "move_mount", "mount_setattr", "umount2", "pivot_root"},
           2: {"capset", "setgroups", "setresuid", "setresgid", "setuid", "setgid"}}


@pytest.mark.parametrize("role", [1, 2])
def test_a_call_that_does_nothing_is_noticed(recorded, role, tmp_path):
    """Answered with 0 and not done: the start stops, or the box is complete all the same."""
    calls, baseline = recorded
    box, wrong, n = husk.name("tf"), [], 0
    for call in [c for c in calls if c.role == role and c.name in CHECKED[role]]:
        r = fault.inject(tmp_path / "log", "fake", role, call.n, box=box, before=PRIVATE)
        n += 1
        if not (r.status == 125 and fault.outcome(r) == "refused" or r.status == 7 and fault.normal(r.out) == baseline):
            wrong.append(f"{call.name}({call.text}): {r.status} {r.err.strip()} {fault.difference(baseline, fault.normal(r.out))}")
    fault.note("fake", n)
    assert n >= 2 and not wrong, "\n".join(wrong)
    husk.nothing_left(box)


def test_a_right_that_pid_1_keeps_stops_the_start(tmp_path):
    """Of what the program may have: root's number, and capabilities."""
    box, log = husk.name("tf"), tmp_path / "log"
    calls = [c for c in fault.record(box, log, "root")[0] if c.role == 1 and c.name in ("capset", "setresuid", "prctl")]
    noticed = []
    for call in calls:
        r = fault.inject(log, "fake", 1, call.n, box=box, variant="root")
        noticed += [call.name] if r.status == 125 and "init.rights: " in r.err else []
    fault.note("fake", len(calls))
    assert {n: noticed.count(n) for n in noticed} == {"capset": 1, "setresuid": 1, "prctl": 3}, (calls, noticed)		# KEEPCAPS, and two from the bounding set
    husk.nothing_left(box)


def row_of_verify(calls):
    """INIT's reading of its own table of mounts."""
    return next(c for c in calls if c.role == 1 and "mountinfo" in c.text)


REMOUNT = 0x1020
CHANGES = {
    "added": "/bin/inside mount none /tmp tmpfs 0", "over-a-mask": "/bin/inside mount none /proc/sys tmpfs 0",
    "second-proc": "/bin/inside mount none /proc proc 0", "mask-removed": "/bin/busybox umount -l /proc/keys",
    "root-writable": f"/bin/inside mount none / none {REMOUNT | 6}", "devices": f"/bin/inside mount none /tmp none {REMOUNT | 2}",
    "set-uid": f"/bin/inside mount none /tmp none {REMOUNT | 4}", "knobs-writable": f"/bin/inside mount none /proc/sys none {REMOUNT | 14}",
    "shared": f"/bin/inside mount none /tmp none {1 << 20}", "mask-replaced": "/bin/inside mount /proc/fs /sys/firmware none 0x1000",
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_mount_table_stops_the_start(recorded, change, tmp_path):
    """Between the masks and the comparison somebody adds, removes or changes a mount."""
    calls, _ = recorded
    box, log = husk.name("tf"), tmp_path / "log"
    r = fault.inject(log, "hook", 1, row_of_verify(calls).n, f"nsenter -t $PID -m {CHANGES[change]}", box=box, before=PRIVATE)
    assert "hook 0" in log.read_text(), "the hook did not work"
    assert r.status == 125 and "rootfs.verify" in r.err, r
    husk.nothing_left(box)


def test_a_capability_that_is_left_stops_the_start(recorded, tmp_path):
    """Each drop from the bounding set is made to do nothing."""
    calls, _ = recorded
    box, drops = husk.name("tf"), []
    for role in (1, 2):
        drops += [c for c in calls if c.role == role and c.name in ("prctl", "capset") and not c.released]
    noticed = 0
    for call in drops:
        r = fault.inject(tmp_path / "log", "fake", call.role, call.n, box=box)
        noticed += r.status == 125 and "caps.readback" in r.err
    held = bin(int(husk.fields(husk.read("/proc/self/status"))["CapBnd"], 16)).count("1")
    assert noticed >= held, f"only {noticed} of {len(drops)} were noticed, {held} were to be dropped"
    husk.nothing_left(box)


NEWER = ["clone3", "openat2", "open_tree", "move_mount", "mount_setattr", "close_range", "pidfd_open", "cgroup.kill"]


@pytest.mark.parametrize("missing", [[m] for m in NEWER] + [NEWER], ids=lambda m: m[0] if len(m) == 1 else "all")
def test_older_kernel(recorded, missing, tmp_path):
    """The same start without the newer calls: the box is as complete."""
    _, baseline = recorded
    box = husk.name("tf")
    spec = ",".join("path=cgroup.kill" if m == "cgroup.kill" else str(fault.number(m)) for m in missing)
    r = fault.inject(tmp_path / "log", "never", spec, box=box)
    assert r.status == 7, r
    assert fault.normal(r.out) == baseline, fault.difference(baseline, fault.normal(r.out))
    husk.nothing_left(box)


@pytest.mark.parametrize("missing", [NEWER], ids=["all"])
def test_older_kernel_stops_a_box(missing, tmp_path):
    """Without cgroup.kill and pidfds the whole tree still goes."""
    box = husk.name("tf")
    spec = ",".join("path=cgroup.kill" if m == "cgroup.kill" else str(fault.number(m)) for m in missing)
    r = husk.command("timeout", "-s", "TERM", "1", husk.INJECT, "-o", tmp_path / "log", "never", spec, "--", "/bin/true")
    assert r.status == 0
    p = husk.subprocess.Popen([str(w) for w in (husk.INJECT, "-o", tmp_path / "log", "never", spec, "--", husk.HUSK, "run", f"name={box}",
                               f"root={husk.ROOT}", "stop.timeout=300ms", "--", "/bin/inside", "ignore", "4")],
                              stdout=-1, stderr=-1, stdin=-3)
    try:
        assert husk.line(p) == "ready"
        keeper = husk.children(p.pid)[0]
        os.kill(keeper, 15)
        assert p.wait(5) == 137
    finally:
        p.kill()
        p.wait()
    husk.nothing_left(box, 0.5)


RESOURCES = [0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20]


@pytest.mark.parametrize("files", RESOURCES)
def test_few_descriptors(files):
    """The limit of open files of the caller: refused with a message, or it works; nothing is left."""
    import resource
    box = husk.name("tf")
    hard = max(files, 3)
    r = husk.command(*fault.words(box), preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard)))
    assert r.status in (7, 125) and (r.status == 7 or r.err), r
    husk.nothing_left(box)


def test_a_full_run_directory(tmp_path):
    """No room for the state file: refused before anything is made."""
    box = husk.name("tf")
    script = f"mount -t tmpfs -o size=4k,nr_inodes=2,mode=700 none {tmp_path} && exec \"$@\""
    r = husk.command("unshare", "-m", "sh", "-c", script, "sh", *fault.words(box), env=dict(os.environ, HUSK_RUN=str(tmp_path)))
    assert r.status == 125 and "init.state" in r.err, r
    husk.nothing_left(box)


def test_standard_error_is_closed_or_full():
    box = husk.name("tf")
    with open("/dev/full", "w") as full:
        p = husk.subprocess.run(fault.words(box)[:3] + ["root=/absent", "--", "/bin/true"], stdin=-3, stdout=-1, stderr=full, check=False)
    assert p.returncode == 125
