"""husk events, and the reason of an end: real ones, on this machine's kernel, and in guests with other kernels and layouts."""
import contextlib
import json
import os
import re
import select
import shutil
import signal
import subprocess
import time

import pytest

import husk
import qemu
from husk import run

V2 = (husk.CGROUPS / "cgroup.controllers").exists()
MEMORY1 = husk.CGROUPS / "memory"		# a v1 hierarchy of its own
FULL = ("memory.max=16M", "memory.swap.max=0")
EATER = "tail /dev/zero"		# one line without an end
LINE = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ) (\S+)(?: (.*))?$")


class Watcher:
    """A running husk events; its lines as (event, data)."""
    def __init__(self, *words, before=()):
        self.p = subprocess.Popen([str(x) for x in (*before, husk.HUSK, "events", *words)], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.seen = []

    def line(self, timeout=5):
        return husk.line(self.p, timeout)

    def next(self, timeout=5):
        m = LINE.match(self.line(timeout))
        assert m, self.seen
        data = re.sub(r' ?reason="([^"]*)"$', r"reason=\1", m[3] or "")
        assert data != m[3] or "reason" not in data, m
        self.seen.append((m[2], data))
        return self.seen[-1]

    def until(self, event, data="", timeout=5):
        """The first such event, all before it are skipped."""
        while True:
            got = self.next(timeout)
            if got[0] == event and data in got[1]:
                return got[1]

    def quiet(self, seconds=0.2):
        return not select.select([self.p.stdout], [], [], seconds)[0]

    def end(self, status=None):
        if status is None:
            self.p.terminate()
        got = husk.status_of(self.p)
        err = self.p.stderr.read().decode()
        self.p.stdout.close()
        self.p.stderr.close()
        assert status in (None, got) and not err, (got, err)


@contextlib.contextmanager
def watching(*words, first="stopped", **more):
    w = Watcher(*words, **more)
    try:
        if first:
            assert w.next()[0] == first
        yield w
    finally:
        if w.p.poll() is None:
            w.p.kill()
        w.p.wait()


def memory_is_limited():
    if not (MEMORY1 / "memory.limit_in_bytes").exists() and not V2:
        pytest.skip("no memory controller")


# ------------------------------------------------------------ the reason of an end

OOM = r"husk: {}: killed: out of memory \(memory\.max=16M(, peak (16M|15\.9M))?\)\n"


@pytest.mark.parametrize("program", [["/bin/tail", "/dev/zero"], ["/bin/sh", "-c", f"{EATER}; exit $?"]], ids=["program", "its-shell"])
def test_an_end_by_lack_of_memory_says_so(name, program):
    memory_is_limited()
    with watching(name) as w:
        r = run(*FULL, "--", *program, box=name)
        assert r.status == 137 and re.fullmatch(OOM.format(name), re.sub(r"^Killed\n", "", r.err)), r
        w.until("oom_kill", "total=1")
        assert w.until("exited").startswith("reason=oom memory.max=16M")
    husk.nothing_left(name)


def test_a_child_that_is_killed_is_an_event_and_no_reason(name):
    memory_is_limited()
    with watching(name) as w:
        r = run(*FULL, "--", "/bin/sh", "-c", f"{EATER}; {EATER}; exit 3", box=name)
        assert r.status == 3 and "out of memory" not in r.err, r
        w.until("exited", "reason=exit 3")
    assert sum(int(re.search(r"new=(\d+)", d)[1]) for e, d in w.seen if e == "oom_kill") == 2
    assert [d for e, d in w.seen if e == "oom"] and w.seen[1][0] == "started"


def test_killed_by_a_neighbour_is_no_lack_of_memory(name):
    r = run(*FULL, "--", "/bin/sh", "-c", "kill -9 $$", box=name)
    assert r.status == 137 and not r.err, r


def test_killed_for_being_slow_is_no_lack_of_memory(name):
    """It has lost a child, and then we killed it."""
    memory_is_limited()
    with watching(name) as w, husk.box(*FULL, "stop.timeout=200ms", "--", "/bin/sh", "-c", f"{EATER}; trap '' TERM; echo up; while :; do sleep 9; done", box=name) as p:
        assert husk.line(p) == "up"
        p.terminate()
        assert husk.status_of(p) == 137
        assert "out of memory" not in husk.errors(p)
        w.until("exited", "reason=signal 9 KILL stop.timeout")


def test_pid_1_of_the_box_is_not_chosen(name):
    """It is the smallest, and the program has its oom_score_adj; where it is chosen all the same the reason is known."""
    memory_is_limited()
    with watching(name) as w:
        with husk.box(*FULL, "tmpfs=/tmp:100M", "--", "/bin/sh", "-c", f"echo up; read x; {EATER}; echo lives; read x; cat /dev/zero >/tmp/x; exit 5", box=name, stdin=-1) as p:
            assert husk.line(p) == "up"
            init = husk.init_of(p.pid)
            assert husk.read(f"/proc/{init}/oom_score_adj") == husk.read(f"/proc/{husk.children(init)[0]}/oom_score_adj")
            p.stdin.write(b"\n")
            p.stdin.flush()
            assert husk.line(p) == "lives" and husk.alive(init)
            with open(f"/proc/{init}/oom_score_adj", "w") as f:
                f.write("1000")
            p.stdin.write(b"\n")
            p.stdin.flush()
            assert husk.status_of(p) == 137
            assert re.search(OOM.format(name), husk.errors(p))
        assert w.until("exited").startswith("reason=oom ")
    husk.nothing_left(name)


@pytest.mark.parametrize("call", ["openat:error=EIO", "read:error=EIO"])
def test_a_leaf_that_cannot_be_asked(name, call, tmp_path):
    """The keeper says what it knows, and all is undone."""
    memory_is_limited()
    if not shutil.which("strace"):
        pytest.skip("no strace")
    leaf = (husk.CGROUPS if V2 else MEMORY1) / "husk" / name
    with watching(name) as w:
        r = husk.command("strace", "-f", "-qq", "-o", tmp_path / "log", "-P", leaf / ("memory.events" if V2 else "memory.oom_control"), "-e", f"inject={call}",
                         husk.HUSK, "run", f"name={name}", f"root={husk.ROOT}", *FULL, "--", "/bin/tail", "/dev/zero")
        assert "INJECTED" in (tmp_path / "log").read_text()
        assert r.status == 137 and not r.err, r
        assert w.until("exited") == "reason=signal 9 KILL"
    husk.nothing_left(name)


def test_no_memory_to_begin_with(name):
    memory_is_limited()
    with watching(name) as w:
        r = run("memory.max=64K", "memory.swap.max=0", "--", "/bin/true", box=name)
        assert r.status == 125 and re.search(r"init\.ready: killed: out of memory \(memory\.max=64K", r.err), r
        w.until("failed")
    husk.nothing_left(name)


@pytest.mark.parametrize("script, status, reason", [("exit 0", 0, "exit 0"), ("exit 7", 7, "exit 7"), ("kill -SEGV $$", 139, "signal 11 SEGV"), ("kill -9 1; exit 4", 4, "exit 4")])
def test_how_it_ended(name, script, status, reason):
    with watching(name) as w:
        assert run("--", "/bin/sh", "-c", script, box=name).status == status
        assert w.next()[0] == "started"
        assert w.until("exited") == f"reason={reason}"


def test_what_never_ran(name):
    with watching(name) as w:
        assert run("--", "/bin/nothing", box=name).status == 127
        assert w.next() == ("exited", "reason=exit 127")
        assert run("bind=/dev/null:/nowhere/here", "--", "/bin/true", box=name).status == 125
        assert w.next() == ("failed", "")
        assert w.quiet()


def test_the_keeper_is_killed(name):
    with watching(name) as w, husk.box("--", "/bin/sh", "-c", "echo up; exec sleep 100", box=name) as p:
        assert husk.line(p) == "up"
        w.until("started")
        p.kill()
        assert w.next() == ("exited", "reason=the keeper was killed")
        p.wait()
        assert w.quiet()
        assert run("--", "/bin/true", box=name).status == 0		# sweeps
        assert [w.next()[0] for _ in range(2)] == ["started", "exited"]
        assert w.quiet()


def test_the_keeper_is_killed_where_there_are_no_pidfds(name, tmp_path):
    if not husk.INJECT.exists():
        pytest.skip("the tracer is for x86_64 only")
    with watching(name, before=(husk.INJECT, "-o", tmp_path / "log", "never", "434", "--")) as w, \
            husk.box("--", "/bin/sh", "-c", "echo up; exec sleep 100", box=name) as p:
        assert husk.line(p) == "up"
        w.until("started")
        p.kill()
        assert w.next() == ("exited", "reason=the keeper was killed")
        assert w.quiet()
    assert run("--", "/bin/true", box=name).status == 0


# ------------------------------------------------------------------- the stream

def test_what_a_dead_keeper_left_does_not_run(name):
    with husk.box("--", "/bin/sh", "-c", "echo up; exec sleep 100", box=name) as p:
        assert husk.line(p) == "up"
        assert husk.wait_for(lambda: "state=running" in husk.read(husk.RUNDIR / name / "state"))
        p.kill()
        p.wait()
    with watching(name) as w:
        assert run("--", "/bin/true", box=name).status == 0
        assert [w.next()[0] for _ in range(2)] == ["started", "exited"]


def test_a_box_that_runs_already(name):
    with husk.box("--", "/bin/sh", "-c", "echo up; exec sleep 100", box=name) as p:
        assert husk.line(p) == "up"
        husk.wait_for(lambda: "state=running" in husk.read(husk.RUNDIR / name / "state"))
        with watching(name, first=None) as w:
            assert w.next() == ("running", f"pid={husk.init_of(p.pid)}")
            assert w.quiet()
            p.terminate()
            assert w.until("exited") == "reason=signal 15 TERM"
            assert husk.status_of(p) == 143		# it is told before all is undone


def test_until_it_has_ended(name):
    """-1: as runc's events does. Without it the next life is told of, too."""
    with watching("-1", name) as one, watching("-1", name) as two, watching(name) as more:
        assert run("--", "/bin/true", box=name).status == 0
        for w in (one, two):
            w.until("exited", "reason=exit 0")
            w.end(0)
        assert run("--", "/bin/false", box=name).status == 1
        assert [more.next()[0] for _ in range(4)] == ["started", "exited"] * 2
        assert more.quiet()


def test_lives_of_a_moment(name):
    """Twenty starts as fast as they go: each is told of, begin and end. A life of which the watcher, on a busy machine, has no turn is missed as a whole: nothing
    is left of it to be seen. Few are."""
    told = missed = 0
    with watching(name) as w:
        while told < 20:
            assert run("--", "/bin/sh", "-c", f"exit {told}", box=name).status == told
            try:
                w.until("exited", f"reason=exit {told}")
                told += 1
            except AssertionError:
                missed += 1
                assert missed < 4 and len(w.seen) == 1 + 2 * told, w.seen
    assert [e for e, _ in w.seen[1:]] == ["started", "exited"] * 20


def test_json(name):
    with watching("-j", name, first=None) as w:
        assert json.loads(w.line())["type"] == "stopped"
        run(*FULL, "--", "/bin/tail", "/dev/zero", box=name)
        lines = []
        while not lines or lines[-1]["type"] != "exited":
            lines.append(json.loads(w.line()))
    assert all(l["id"] == name and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", l["time"]) for l in lines)
    assert isinstance(lines[0]["data"]["pid"], int)
    assert abs(time.time() - time.mktime(time.strptime(lines[0]["time"], "%Y-%m-%dT%H:%M:%SZ")) + time.timezone) < 60
    kills = [l["data"] for l in lines if l["type"] == "oom_kill"]
    assert not kills and not lines[-1]["data"]["reason"].startswith("oom") or kills == [{"new": 1, "total": 1}]


def test_updated(name):
    """Which keys have another value; whoever replaces the saved box."""
    with husk.box("pids.max=30", "cpu.weight=100", "--", "/bin/sh", "-c", "echo up; exec sleep 100", box=name) as p:
        assert husk.line(p) == "up"
        saved = husk.RUNDIR / name / "box"
        assert husk.wait_for(saved.exists)
        with watching(name, first="running") as w:
            text = saved.read_text()
            assert "\npids.max=30\n" in text and "\ndevice=\n" in text
            for change, keys in [(("pids.max=30", "pids.max=40"), "pids.max"), (("cpu.weight=100", "# cpu.weight is not set"), "cpu.weight"),
                                 (("device=\n", "device=\ndevice=/dev/full:rw\ndevice=/dev/tty:rw\n"), "device"), (("use=service", "use=service"), None),
                                 (("pids.max=40", "pids.max=50\ncpu.max=50%"), "pids.max,cpu.max")]:
                text = text.replace(*change)
                (saved.parent / "box.new").write_text(text)
                os.rename(saved.parent / "box.new", saved)
                if keys:
                    assert w.next() == ("updated", f"keys={keys}")
            assert w.quiet()
        p.terminate()
        husk.status_of(p)


@pytest.mark.parametrize("words", [[], ["a/b"], [".."], ["-x", "a"], ["-1"], ["\x1b[31m"]], ids=str)
def test_wrong_words(words):
    r = husk.husk("events", *words)
    assert r.status == 2 and r.err and not r.out and "\x1b" not in r.err, r


def test_a_file_that_is_no_box(name, tmp_path):
    """Nobody is waited for who cannot come; a box that is not there yet may, by its name or its file."""
    bad, conf = tmp_path / "bad.conf", tmp_path / f"{name}.conf"
    r = husk.husk("events", tmp_path / "none.conf")
    assert r.status == 2 and r.err == f'husk: events: "{tmp_path}/none.conf" is not the name of a box, and no file - husk help events\n', r
    bad.write_text("exec=/bin/true\nmemroy.max=1M\n")
    r = husk.husk("events", bad)
    assert r.status == 2 and r.err == f"{bad}:2: memroy.max: no such key; memory.max?\n", r
    conf.write_text(f"exec=/bin/true\nroot={husk.ROOT}\n")
    for who in name, conf:
        p = subprocess.Popen([husk.HUSK, "events", "-1", str(who)], stdout=subprocess.PIPE)
        assert husk.line(p).endswith(" stopped")
        assert husk.husk("run", conf).status == 0 and " started " in husk.line(p) and husk.status_of(p) == 0
        p.stdout.close()


def test_nobody_reads_any_more(name):
    """While nothing happens, and when something does."""
    w = Watcher(name)
    w.p.stdout.close()
    assert husk.status_of(w.p) == 0 and w.p.stderr.read() == b""
    w.p.stderr.close()
    with open("/dev/full", "w") as full:
        p = subprocess.Popen([husk.HUSK, "events", name], stdout=full, stderr=subprocess.PIPE)
        assert husk.status_of(p) == 0 and p.stderr.read() == b""
        p.stderr.close()


def switches(pid):
    return re.findall(r"ctxt_switches:\s+(\d+)", husk.read(f"/proc/{pid}/status")), husk.read(f"/proc/{pid}/stat").rpartition(")")[2].split()[11:13]


def test_nothing_is_done_while_nothing_happens(name):
    """Not even where the box makes cgroups of its own below its leaf, and is busy in them."""
    with husk.box(*FULL, "--", "/bin/sh", "-c", "echo up; exec sleep 100", box=name) as p:
        assert husk.line(p) == "up"
        with watching(name, first=None) as w:
            w.next()
            assert husk.sleeps(0.5, w.p.pid)		# what the keeper does when a box has settled is over
            below = [os.path.join(d, f"below-{i}") for d in husk.cgroup_dirs(name) for i in range(50)]
            before = switches(w.p.pid)
            for d in below:
                os.mkdir(d)
            for d in below:
                os.rmdir(d)
            time.sleep(1)
            assert switches(w.p.pid) == before
        p.terminate()
        husk.status_of(p)


# -------------------------------------------------------------- limits and pressure

def test_fork_bomb(name):
    with watching(name) as w, husk.box("pids.max=8", "--", "/bin/sh", "-c", "echo up; (for i in 1 2 3 4 5 6 7 8 9; do sleep 100 & done); echo done; exec sleep 100", box=name) as p:
        assert husk.line(p) == "up"
        events = [f"{d}/pids.events" for d in husk.cgroup_dirs(name) if os.path.exists(f"{d}/pids.events")]
        if not events:
            pytest.skip("no pids controller")
        assert husk.wait_for(lambda: husk.read(events[0]) != "max 0\n")
        if not V2:
            assert husk.husk("pause", name).status == 0		# from 6.11 on v1 counts and tells nobody: seen with whatever is next
            assert husk.husk("resume", name).status == 0
        assert int(re.search(r"total=(\d+)", w.until("pids.max"))[1]) >= 1
        p.terminate()
        husk.status_of(p)


def test_freeze_and_thaw(name):
    with watching(name) as w, husk.box("--", "/bin/sh", "-c", "echo up; exec sleep 100", box=name) as p:
        assert husk.line(p) == "up"
        w.until("started")
        for _ in range(3):
            assert husk.husk("pause", name).status == 0
            assert w.next() == ("frozen", "")
            with watching(name, first="paused"):
                pass
            assert husk.husk("resume", name).status == 0
            assert w.next() == ("thawed", "")
        p.terminate()
        husk.status_of(p)


def test_frozen_by_the_freezer_of_v1(name):
    """Whoever writes there: the write is heard, the state comes later."""
    if not (husk.CGROUPS / "freezer/husk").is_dir():
        pytest.skip("no v1 freezer")
    leaf = husk.CGROUPS / "freezer/husk" / name
    with husk.box("--", "/bin/sh", "-c", "echo up; exec sleep 100", box=name) as p:
        assert husk.line(p) == "up"
        if leaf.exists():
            assert p.poll() is None
        else:
            leaf.mkdir()
        try:
            husk.wait_for(lambda: "state=running" in husk.read(husk.RUNDIR / name / "state"))
            with open(husk.RUNDIR / name / "state", "a") as f:
                f.write(f"cgroup={leaf}\n")
            (leaf / "cgroup.procs").write_text(str(husk.init_of(p.pid)))
            with watching(name, first="running") as w:
                (leaf / "freezer.state").write_text("FROZEN")
                assert w.next() == ("frozen", "")
                (leaf / "freezer.state").write_text("THAWED")
                assert w.next() == ("thawed", "")
        finally:
            (leaf / "freezer.state").write_text("THAWED")
            p.terminate()
            husk.status_of(p)
    assert not leaf.exists()		# a line that was added to the file is undone, too


def test_pressure_of_v1(name, tmp_path):
    """More is read than the cache has room for: it is reclaimed, which is the lowest level; and the limit is hit."""
    if not (MEMORY1 / "memory.pressure_level").exists():
        pytest.skip("no v1 memory hierarchy, or a kernel without its levels")
    with open(tmp_path / "file", "wb") as f:		# not in the cache, where it would be ours
        f.write(bytes(48 << 20))
        os.fsync(f.fileno())
        os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    with watching(name) as w, husk.box("memory.max=16M", "user=root", "caps=dac_override", f"bind={tmp_path}:/mnt", "--", "/bin/sh", "-c", "for i in 1 2 3; do cat /mnt/file >/dev/null; done; echo done; read x", box=name, stdin=-1) as p:
        assert husk.line(p, 20) == "done"
        w.until("memory.pressure", "level=")
        if "memory.max" not in [e for e, _ in w.seen]:
            w.until("memory.max")
        p.stdin.close()
        husk.status_of(p)


def test_many_events_are_few_lines(name):
    """The first at once, then one a second with the number of all that came meanwhile."""
    memory_is_limited()
    with watching(name) as w:
        r = run(*FULL, "--", "/bin/sh", "-c", f"for i in 1 2 3 4 5 6 7 8 9 10 11 12; do {EATER}; done; exit 0", box=name, timeout=30)
        assert r.status == 0, r
        began = time.monotonic()
        w.until("exited")
    kills = [re.findall(r"\d+", d) for e, d in w.seen if e == "oom_kill"]
    assert sum(int(k[0]) for k in kills) == 12 == int(kills[-1][1]), (kills, began)
    assert len(kills) < 12


# ------------------------------------------------------------------ what can fail

@pytest.mark.parametrize("call", ["inotify_init1", "inotify_add_watch"])
def test_what_it_cannot_do_without(name, call):
    if not shutil.which("strace"):
        pytest.skip("no strace")
    r = husk.command("strace", "-o", "/dev/null", "-e", f"inject={call}:error=ENOSPC", husk.HUSK, "events", name)
    assert r.status == 1 and r.err.startswith(f"husk: {name}: events: ") and len(r.err.splitlines()) == 1 and not r.out, r


@pytest.mark.parametrize("call", ["eventfd2:error=EMFILE", "inotify_add_watch:error=ENOSPC:when=3+", "poll:error=EINTR:when=2..4", "pread64:error=EIO:when=6..9",
                                  "read:error=EAGAIN:when=9..10", "newfstatat:error=EIO:when=7", "pidfd_open:error=EMFILE", "openat:error=EMFILE:when=15..43"])
def test_what_it_can_do_without(name, call):
    """Something is not told, but the end is."""
    if not shutil.which("strace"):
        pytest.skip("no strace")
    with husk.box(*FULL, "--", "/bin/sh", "-c", "echo up; read x; exit 3", box=name, stdin=-1) as p:
        assert husk.line(p) == "up"
        husk.wait_for(lambda: "state=running" in husk.read(husk.RUNDIR / name / "state"))
        with watching("-1", name, first="running", before=("strace", "-qq", "-o", "/dev/null", "-e", f"inject={call}")) as w:
            for verb in ("pause", "resume"):
                assert husk.husk(verb, name).status == 0
            p.stdin.close()
            assert husk.status_of(p) == 3
            w.until("exited", "reason=exit 3")
            w.end(0)


# ------------------------------------------------------- other kernels, other layouts

GUESTS = [("qemu-x86_64", "5.10", "v1"), ("qemu-arm64", "6.12", "v2"), ("qemu-armv7", "6.1", "v2")]		# not 6.12 on x86_64: see qemu.py's ICOUNTS
SCRIPT = """
husk events blob >/ev & w=$!
until_said() { n=0; while [ $n -lt 600 ] && ! grep -q "$1" /ev; do usleep 50000; n=$((n+1)); done; }
box() { husk run name=blob root=/srv/root "$@"; echo "@status $?"; }
until_said stopped
box memory.max=8M pids.max=8 -- /bin/sh -c 'effect eat 40; setsid effect bomb 20; sleep 1; exit 3'
until_said 'exit 3'
box memory.max=8M -- /bin/effect eat 40
until_said 'reason="oom'
husk run name=blob root=/srv/root -- /bin/sleep 100 & k=$!
n=0; while [ $n -lt 600 ] && ! grep -q ^state=running /run/husk/blob/state 2>/dev/null; do usleep 50000; n=$((n+1)); done
husk pause blob; until_said frozen
husk resume blob; until_said thawed
kill -9 $k; until_said 'keeper was'
[ -d /sys/fs/cgroup/memory ] || box memory.high=4M memory.max=96M -- /bin/sh -c 'busybox timeout 3 effect eat 80; exit 0'
box memory.max=64M -- /bin/sh -c 'effect spin 5000 & effect spin 5000 & effect spin 5000; wait'
sleep 1; kill $w
sed 's/^/@ev /' /ev
"""


def ready(name):
    if not shutil.which(qemu.board(name)["QEMU"].split()[0]):
        pytest.skip("no QEMU")
    if not (qemu.TOP / "out" / name / "husk").exists():
        pytest.skip(f"make BOARD={name}")


@pytest.mark.parametrize("board, version, layout", GUESTS, ids=["-".join(g) for g in GUESTS])
def test_guest(board, version, layout):
    ready(board)
    r = qemu.guest(board, SCRIPT.replace("memory.max=8M", "memory.max=8M ?memory.swap.max=0"), version, layout, timeout=200)
    assert r.ended, r
    assert re.findall(r"^@status (\d+)$", r.text, re.M) == ["3", "137"] + ["0"] * (1 + (layout == "v2")), r
    assert re.search(r"^husk: blob: killed: out of memory \(memory\.max=8M(, peak 8M)?\)$", r.text, re.M), r
    lives = [[]]
    for event, data in re.findall(r"^@ev \S+Z (\S+) ?(.*)$", r.text, re.M):
        lives += [[]] if event == "started" else []
        lives[-1].append((event, data))
    said = [{e: d for e, d in reversed(l)} for l in lives]
    assert lives[0] == [("stopped", "")] and len(lives) == 5 + (layout == "v2"), r
    assert said[1]["oom_kill"] == "new=1 total=1" and "oom" in said[1] and "total=" in said[1]["pids.max"] and "memory.max" in said[1], r
    assert said[1]["exited"] == 'reason="exit 3"' and said[2]["exited"].startswith('reason="oom memory.max=8M'), r
    assert [e for e, _ in lives[3] if "pressure" not in e] == ["started", "frozen", "thawed", "exited"] and "keeper" in said[3]["exited"], r
    if layout == "v2":
        assert "memory.high" in said[4], r
        if board != "qemu-armv7":	# whose 6.1 holds back who is above memory.high for less than 15 % of a second, most times
            assert "some=15%" in said[4]["memory.pressure"], r
        assert "some=50%" in said[5]["cpu.pressure"], r
    else:
        assert "level=" in said[1]["memory.pressure"], r


BLOB = "exec=/bin/sh -c 'n=0; while [ $n -lt 30 ] && ! [ -e /tmp/go/x ]; do usleep 200000; n=$((n+1)); done; exec tail /dev/zero'\nroot=/srv/root\nmemory.max=8M\n?memory.swap.max=0\nbind=/go:/tmp/go\nlog=inherit\n"
ASKS = """use=host
exec=/bin/sh /asks.sh
log=inherit
after=blob
"""
ASKS_SH = """
mkdir -p /go; husk events -1 blob >/ev & w=$!
n=0; while [ $n -lt 100 ] && ! grep -q running /ev; do usleep 100000; n=$((n+1)); done
echo >/go/x
wait $w; echo "@end $?"
sed 's/^/@ev /' /ev
husk run name=blob root=/srv/root -- /bin/true; echo "@again $?"
husk poweroff
"""


def test_process_1_of_a_machine_is_the_keeper():
    """It says what was short, and notes it for who reads."""
    ready("qemu-x86_64")
    b = qemu.board("qemu-x86_64")
    files = qemu.with_husk(b, {"blob": BLOB.replace("'", '"'), "asks": ASKS})
    files |= {"asks.sh": qemu.file(ASKS_SH), "go": qemu.directory()}
    r = qemu.boot(b, files, timeout=120)
    assert r.ended and "Power down" in r.text, r
    assert "husk: blob: killed: out of memory (memory.max=8M" in r.text, r
    events = re.findall(r"^@ev \S+Z (\S+) ?(.*)$", r.text, re.M)
    assert events[0][0] == "running" and events[-1] == ("exited", events[-1][1]) and events[-1][1].startswith('reason="oom memory.max=8M'), r
    assert "oom_kill" in [e for e, _ in events] and re.findall(r"^@(?:end|again) (\d+)$", r.text, re.M) == ["0", "0"], r
