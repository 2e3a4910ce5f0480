"""husk pause, resume and update: what is done to a box that runs."""
import contextlib
import errno
import os
import re
import signal
import subprocess
import time

import pytest

import fault
import husk
import qemu

COUNT = "echo up; i=0; while :; do i=$((i+1)); echo $i; usleep 3000; done"
V1 = ["unshare", "-m", "--propagation", "private", "sh", "-c", "umount /sys/fs/cgroup/unified && exec \"$@\"", "sh"]
V2 = (husk.CGROUPS / "cgroup.controllers").exists() or (husk.CGROUPS / "unified/cgroup.procs").exists()
FREEZER = os.access(husk.CGROUPS / "freezer/cgroup.procs", os.W_OK)
LAYOUTS = [pytest.param([], id="v2", marks=pytest.mark.skipif(not V2, reason="no v2 tree")),
           pytest.param(V1, id="v1", marks=pytest.mark.skipif(not FREEZER, reason="no v1 freezer"))]


def size(path):
    return os.stat(path).st_size


class Counter:
    """A box that writes without end into a file of ours."""
    def __init__(self, keeper, path):
        self.keeper, self.path, self.pid = keeper, path, keeper.pid

    def moves(self, timeout=5):
        was = size(self.path)
        return husk.wait_for(lambda: size(self.path) > was, timeout)

    def stands(self):
        was = size(self.path)
        time.sleep(0.1)
        return size(self.path) == was


@contextlib.contextmanager
def counter(name, tmp_path, *words, before=(), program=COUNT):
    path = tmp_path / "out"
    with open(path, "wb") as out:
        args = [*before, husk.HUSK, "run", f"name={name}", f"root={husk.ROOT}", *words, "--", "/bin/sh", "-c", program]
        p = subprocess.Popen([str(a) for a in args], stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE)
        try:
            assert husk.wait_for(lambda: size(path)), husk.errors(p)
            yield Counter(p, path)
        finally:
            husk.husk("resume", name)
            if p.poll() is None:
                p.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                p.wait(8)
            p.kill()
            p.wait()
            p.stderr.close()


def state(name):
    return husk.read(husk.RUNDIR / name / "state")


def leaf(name, file):
    """The file of the box, wherever a leaf has it."""
    return next((f for d in re.findall(r"^cgroup=(.*)$", state(name), re.M) if (f := husk.pathlib.Path(d) / file).exists()), None)


def frozen(name):
    f = leaf(name, "cgroup.events") or leaf(name, "freezer.state")
    return re.search(r"frozen 1|FROZEN", f.read_text()) is not None


def control(*words, **more):
    return husk.husk(*words, **more)


@pytest.mark.parametrize("before", LAYOUTS)
def test_no_progress_while_paused(name, tmp_path, before):
    with counter(name, tmp_path, before=before) as c:
        for _ in range(3):
            r = control("pause", name)
            assert (r.status, r.out, r.err) == (0, "", "")
            assert frozen(name) and c.stands()
            assert control("pause", name).status == 0 and c.stands()
            r = control("resume", name)
            assert (r.status, r.out, r.err) == (0, "", "")
            assert not frozen(name) and c.moves()
            assert control("resume", name).status == 0 and c.moves()


@pytest.mark.parametrize("before", LAYOUTS)
def test_a_paused_box_that_is_stopped_is_killed_at_once(name, tmp_path, before):
    with counter(name, tmp_path, "stop.timeout=1m", before=before) as c:
        assert control("pause", name).status == 0
        c.keeper.terminate()
        assert husk.status_of(c.keeper, 5) == 137
        assert "paused" in husk.errors(c.keeper)
        husk.nothing_left(name)


@pytest.mark.parametrize("before", LAYOUTS)
def test_a_paused_box_whose_keeper_is_killed(name, tmp_path, before):
    """v1 lets nobody die who is frozen: then the next start ends them."""
    with counter(name, tmp_path, before=before) as c:
        init = husk.init_of(c.pid)
        assert control("pause", name).status == 0
        c.keeper.kill()
        c.keeper.wait()
        assert before or husk.wait_for(lambda: not husk.alive(init))
        assert control("resume", name).status == 3
        assert husk.run("--", "/bin/true", box=name).status == 0
        assert not husk.alive(init)
        husk.nothing_left(name)


@pytest.mark.parametrize("before", LAYOUTS)
def test_a_fork_bomb_is_paused_and_killed(name, tmp_path, before):
    bomb = "echo up; exec /bin/inside orphans 1000000 20000"
    with counter(name, tmp_path, "pids.max=60", "stop.timeout=100ms", before=before, program=bomb) as c:
        procs = leaf(name, "cgroup.procs")
        assert husk.wait_for(lambda: len(procs.read_text().split()) > 20, 10)
        assert control("pause", name).status == 0
        there = procs.read_text().split()
        assert frozen(name) and procs.read_text().split() == there
        assert control("resume", name).status == 0
        c.keeper.terminate()
        assert husk.status_of(c.keeper, 10) in (137, 143)
        husk.nothing_left(name)


@pytest.mark.parametrize("before", LAYOUTS)
def test_stopped_traced_and_vforked_processes_are_frozen(name, tmp_path, before):
    with counter(name, tmp_path, before=before, program="(kill -STOP $(exec sh -c 'echo $PPID')) & (sleep 50 & kill -STOP $!) ; " + COUNT) as c:
        assert c.moves() and control("pause", name).status == 0 and c.stands()
        assert control("resume", name).status == 0 and c.moves()


@pytest.mark.parametrize("word, status, says", [
    ("../x", 2, "not the name of a box"), (".", 2, "not the name"), ("a/b", 2, "not the name"), ("", 2, "not the name"), ("-x", 2, "-x: no such option"),
    ("x" * 65, 2, "not the name"), ("a\nb", 2, "not the name"), ("nobody-there", 3, "no such box")])
@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_bad_names(verb, word, status, says):
    r = control(verb, word, *["pids.max=9"] * (verb == "update"))
    assert r.status == status and says in r.err and r.err.count("\n") == 1, r


def test_words_of_pause():
    for words in (["pause"], ["pause", "a", "b"], ["resume"], ["resume", "a", "b"]):
        r = control(*words)
        assert r.status == 2 and "husk help" in r.err, r


@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_a_state_file_that_lies(name, tmp_path, verb):
    """Another start time, another boot, a path elsewhere: nobody is touched."""
    with counter(name, tmp_path) as c:
        file = husk.RUNDIR / name / "state"
        text = file.read_text()
        start = re.search(r"start=(\d+)", text)[1]
        for lie in (text.replace(start, str(int(start) + 1)), text.replace("version=1", "version=1\nboot=no"), text.replace("init=", "nothing=")):
            file.write_text(lie)
            assert control(verb, name).status == 3 and c.moves()
        other = tmp_path / "x"
        other.mkdir()
        (other / "cgroup.freeze").write_text("?")
        (other / "freezer.state").write_text("?")
        for path in (str(other), f"/sys/fs/cgroup/../../../{other}", f"/sys/fs/cgroup/{name}/none"):
            file.write_text(re.sub(r"cgroup=.*", f"cgroup={path}", text))
            r = control(verb, name)
            assert r.status == 1 and "cg.freeze" in r.err and c.moves(), r
            assert (other / "cgroup.freeze").read_text() == (other / "freezer.state").read_text() == "?"
        file.write_text(text)


@pytest.mark.parametrize("before", LAYOUTS)
def test_pause_that_is_told_to_end_thaws(name, tmp_path, before):
    """The signal comes before it looks the first time whether all are frozen."""
    log = tmp_path / "log"
    with counter(name, tmp_path, before=before) as c:
        look = next(n for n, what, text in calls_of(log, "pause", name) if what == "pread64")
        for sig in ("TERM", "INT", "HUP"):
            r = husk.command(husk.INJECT, "-o", log, "hook", 0, look, f"kill -{sig} $PID", "--", husk.HUSK, "pause", name)
            assert (r.status == 0 and c.stands()) or (r.status == 1 and "thawed again" in r.err and c.moves()), r
            control("resume", name)


def calls_of(log, *words):
    """(point, name, text) of each call of a verb."""
    r = husk.command(husk.INJECT, "-o", log, "list", "--", husk.HUSK, *words)
    assert r.status == 0, r
    rows = [l.split(" ", 4) for l in log.read_text(errors="replace").splitlines()]
    names = fault.numbers()
    return [(f[2], names.get(int(f[2].split(".")[0]), f[2]), f[4] if len(f) > 4 else "") for f in rows if f[0] == "call"]


@pytest.mark.parametrize("verb", ["pause", "resume"])
@pytest.mark.parametrize("before", LAYOUTS)
def test_each_call_of_pause_fails_once(name, tmp_path, before, verb):
    """Then the box is as it was, or what was asked for; and a line says which."""
    log = tmp_path / "log"
    with counter(name, tmp_path, before=before) as c:
        if verb == "resume":
            control("pause", name)
        for n, what, text in calls_of(log, verb, name):
            for e in fault.errnos_of(what)[:3]:
                control("resume" if verb == "pause" else "pause", name)
                r = husk.command(husk.INJECT, "-o", log, "fail", 0, n, getattr(errno, e), "--", husk.HUSK, verb, name)
                if "hit" not in log.read_text():		# it did not have to wait this time
                    continue
                if r.status == 0:
                    assert (c.stands if verb == "pause" else c.moves)(), (n, what, text, e, r)
                else:
                    assert r.status in (1, 3) and r.err.startswith(f"husk: {name}: ") and r.err.count("\n") == 1, (n, what, text, e, r)
                    assert verb == "resume" or c.moves(), (n, what, text, e, r)
        control("resume", name)


# -------------------------------------------------------------------- update

FILES = {		# what a limit of the command is in the kernel: its file on v2 and on v1, and how to read it
    "pids.max": (("pids.max", "pids.max"), str),
    "memory.max": (("memory.max", "memory.limit_in_bytes"), str),
    "cpu.weight": (("cpu.weight", "cpu.shares"), str),
    "cpu.max": (("cpu.max", "cpu.cfs_quota_us"), lambda s: s.split()[0].replace("max", "-1")),
    "cpuset.cpus": (("cpuset.cpus", "cpuset.cpus"), str),
}


def value(name, key):
    files, read = FILES[key]
    found = next((f for file in files if (f := leaf(name, file))), None)
    return read(found.read_text().strip()) if found else None


def values(name):
    return {k: v for k in FILES if (v := value(name, k)) is not None}


def saved(name):
    return husk.read(husk.RUNDIR / name / "box")


@contextlib.contextmanager
def settled(name, tmp_path, *words, **more):
    """A box that has lived long enough to be saved."""
    with counter(name, tmp_path, *words, **more) as c:
        assert husk.wait_for(lambda: saved(name))
        yield c


def inside_all_leaves(name):
    """The same processes in each of its leaves."""
    dirs = [husk.pathlib.Path(d) for d in re.findall(r"^cgroup=(.*)$", state(name), re.M)]
    return all(init_of_state(name) in (d / "cgroup.procs").read_text().split() for d in dirs if d.exists())


def init_of_state(name):
    return re.search(r"^init=(\d+)", state(name), re.M)[1]


@pytest.mark.parametrize("before", LAYOUTS)
@pytest.mark.parametrize("word, key, expected", [
    ("pids.max=21", "pids.max", "21"), ("?pids.max=22", "pids.max", "22"), ("memory.max=64M", "memory.max", str(64 << 20)),
    ("cpu.weight=200", "cpu.weight", ("200", "2048")), ("cpu.max=50%", "cpu.max", "50000"), ("cpuset.cpus=0", "cpuset.cpus", "0"),
    ("pids.max=", "pids.max", "max"), ("pids.max=max", "pids.max", "max"), ("cpu.max=", "cpu.max", ("-1", None))])
def test_one_limit(name, tmp_path, word, key, expected, before):
    """Also of a controller that the box has had no leaf of: then all its processes are in that, too."""
    with settled(name, tmp_path, "pids.max=20", before=before) as c:
        r = control("update", name, word)
        assert (r.status, r.out, r.err) == (0, "", "")
        assert value(name, key) in (expected if isinstance(expected, tuple) else (expected,)), value(name, key)
        assert inside_all_leaves(name) and c.moves()
        lines = saved(name).splitlines()
        assert {"pids.max=": "pids.max=max", "cpu.max=": "# cpu.max is not set"}.get(word, word) in lines


def test_the_next_update_goes_by_the_last(name, tmp_path):
    with settled(name, tmp_path, "pids.max=20", "memory.max=32M") as c:
        assert control("update", name, "pids.max=30", "memory.max=10%").status == 0
        ten = int(value(name, "memory.max"))
        assert control("update", name, "cpu.weight=50").status == 0
        assert value(name, "pids.max") == "30" and int(value(name, "memory.max")) == ten > 32 << 20
        assert "pids.max=30" in saved(name).splitlines() and "memory.max=10%" in saved(name).splitlines()
        assert c.moves()
        mode = (husk.RUNDIR / name / "box").stat().st_mode & 0o777
        assert mode == 0o600 and not (husk.RUNDIR / name / "box.new").exists()


def test_a_limit_that_is_in_force(name, tmp_path):
    """Effect, not only the file: no more processes than that."""
    with settled(name, tmp_path, "pids.max=100", program="echo up; exec /bin/inside orphans 1000000 20000"):
        assert control("update", name, "pids.max=5").status == 0
        procs = leaf(name, "cgroup.procs")
        assert husk.wait_for(lambda: len(procs.read_text().split()) <= 5, 3)
        assert control("update", name, "pids.max=60").status == 0
        assert husk.wait_for(lambda: len(procs.read_text().split()) > 10, 5)


@pytest.mark.parametrize("before", LAYOUTS)
@pytest.mark.parametrize("words, status, says", [
    (["pids.max=30", "memory.max=16Q"], 2, "command line: memory.max: "),
    (["pids.max=30", "pidz.max=3"], 2, "pids.max?"),
    (["pids.max=30", "exec=/bin/true"], 2, "exec: not of a box that runs"),
    (["pids.max=30", "stop.signal=KILL"], 2, "stop.signal: the keeper"),
    (["pids.max=30", "name=other"], 2, "name: not of a box"),
    (["pids.max=30", "use=daemon"], 2, "use: not of a box"),
    (["pids.max=30", "include=x"], 2, "include: not of a box"),
    (["pids.max=30", "cpu.weight=0"], 2, "cpu.weight: "),
    (["pids.max=30", "cpu.weight=77", "cpuset.cpus=1000"], 1, "cg.limits: cpuset.cpus"),
    (["cpuset.cpus=1000", "pids.max=30", "cpu.max=10%"], 1, "cg.limits: cpuset.cpus"),
    (["memory.max=64K", "pids.max=30"], 1, "cg.limits: memory."),
    (["pids.max=30", "memory.nothing=3"], 1, "cg.limits: memory.nothing")])
def test_all_or_nothing(name, tmp_path, words, status, says, before):
    with settled(name, tmp_path, "pids.max=20", "memory.max=32M", "cpu.max=90%", "cpu.weight=90", "cpuset.cpus=0", before=before) as c:
        was, text = values(name), saved(name)
        r = control("update", name, *words)
        assert r.status == status and says in r.err and not r.out, r
        assert values(name) == was and saved(name) == text and c.moves()


def test_words_of_update(name, tmp_path):
    with settled(name, tmp_path):
        for words in ([], ["pids.max"], ["pids.max=3", "x"], ["--", "pids.max=3"]):
            r = control("update", name, *words)
            assert r.status == 2 and "husk help" in r.err, r
    for word, status in (("../x", 2), ("", 2), ("nobody-there", 3)):
        r = control("update", word, "pids.max=9")
        assert r.status == status and r.err.count("\n") == 1, r
    assert control("update").status == 2


def test_update_waits_for_what_is_saved(name, tmp_path):
    """In the first tenth of a second there is nothing yet; and where nothing comes it is said."""
    with counter(name, tmp_path, "pids.max=20"):
        assert control("update", name, "pids.max=30").status == 0 and value(name, "pids.max") == "30"
        file = husk.RUNDIR / name / "box"
        text = file.read_text()
        file.unlink()
        r = control("update", name, "pids.max=31")
        assert r.status == 1 and "not there" in r.err and value(name, "pids.max") == "30", r
        file.write_text(text + "from.the.future=1\n")
        file.chmod(0o600)
        r = control("update", name, "pids.max=31")
        assert r.status == 1 and "from.the.future" in r.err and value(name, "pids.max") == "30", r
        file.unlink()
        file.symlink_to("/etc/passwd")
        r = control("update", name, "pids.max=31")
        assert r.status == 1 and value(name, "pids.max") == "30", r
        file.unlink()
        file.write_text(text)
        file.chmod(0o666)
        r = control("update", name, "pids.max=31")
        assert r.status == 1 and "others than its owner" in r.err and value(name, "pids.max") == "30", r


def test_many_updates_at_once(name, tmp_path):
    """Each waits for the one before: what holds in the end is what one of them has said, and nothing of it is lost."""
    with settled(name, tmp_path, "pids.max=20") as c:
        words = [("pids.max=", [str(n) for n in range(30, 36)]), ("cpu.weight=", [str(n) for n in range(50, 56)]), ("memory.max=", [f"{n}M" for n in range(40, 46)])]
        runs = [subprocess.Popen([husk.HUSK, "update", name, key + v], stderr=subprocess.PIPE) for key, vs in words for v in vs]
        for p in runs:
            assert p.wait(20) == 0, p.stderr.read()
            p.stderr.close()
        assert all(any(key + v in saved(name).splitlines() for v in vs) for key, vs in words)
        said = dict(l.split("=") for l in saved(name).splitlines() if l.startswith(("pids.max=", "memory.max=")))
        assert value(name, "pids.max") == said["pids.max"] and value(name, "memory.max") == str(int(said["memory.max"][:-1]) << 20)
        assert c.moves()


@pytest.mark.parametrize("before", LAYOUTS)
def test_a_new_leaf_while_it_forks(name, tmp_path, before):
    """Nobody stays outside, and a paused box stays paused."""
    with settled(name, tmp_path, "pids.max=80", before=before, program="echo up; exec /bin/inside orphans 1000000 20000"):
        assert control("update", name, "cpu.weight=50").status == 0
        here, there = (set(leaf(name, f).with_name("cgroup.procs").read_text().split()) for f in ("pids.max", "cpu.shares" if leaf(name, "cpu.shares") else "cpu.weight"))
        assert not frozen(name)
        control("pause", name)
        here, there = (leaf(name, f).with_name("cgroup.procs").read_text().split() for f in ("pids.max", "cpu.shares" if leaf(name, "cpu.shares") else "cpu.weight"))
        assert sorted(here) == sorted(there)
        assert control("update", name, "cpuset.cpus=0").status == 0 and frozen(name)
        assert sorted(leaf(name, "cpuset.cpus").with_name("cgroup.procs").read_text().split()) == sorted(here)
        control("resume", name)


def test_nothing_stays_of_what_an_update_made(name, tmp_path):
    with settled(name, tmp_path) as c:
        assert control("update", name, "cpu.weight=50", "cpuset.cpus=0", "memory.max=40M", "pids.max=50").status == 0
        c.keeper.terminate()
        husk.status_of(c.keeper)
        husk.nothing_left(name)
    with settled(name, tmp_path) as c:
        assert control("update", name, "cpu.weight=50", "cpuset.cpus=0").status == 0
        c.keeper.kill()
        c.keeper.wait()
        assert husk.run("--", "/bin/true", box=name).status == 0
        husk.nothing_left(name)


@pytest.mark.parametrize("before", LAYOUTS)
def test_each_call_of_update_fails_once(name, tmp_path, before):
    """All of the new limits or all of the old ones are in force, and it says which; never is a box left frozen."""
    log = tmp_path / "log"
    old = ["pids.max=20", "memory.max=32M"]
    new = ["pids.max=30", "memory.max=48M"]
    with settled(name, tmp_path, *old, before=before) as c:
        was = values(name)
        calls = calls_of(log, "update", name, *new)
        now = values(name)
        assert was != now
        for n, what, text in calls:
            for e in fault.errnos_of(what)[:2]:
                assert control("update", name, *old).status == 0 and values(name) == was, (n, what, text)
                r = husk.command(husk.INJECT, "-o", log, "fail", 0, n, getattr(errno, e), "--", husk.HUSK, "update", name, *new)
                if "hit" not in log.read_text(errors="replace"):
                    continue
                where = (n, what, text, e, r, values(name))
                assert r.status in (0, 1, 2, 3), where
                assert values(name) == (was if r.status else now) and not frozen(name), where
                assert ("pids.max=30" in saved(name).splitlines()) == (r.status == 0), where
                assert r.status == 0 or r.err, where
        assert c.moves()


@pytest.mark.parametrize("before", LAYOUTS)
def test_each_call_of_an_update_that_makes_a_leaf_fails_once(name, tmp_path, before):
    log = tmp_path / "log"
    with settled(name, tmp_path, before=before):
        calls = calls_of(log, "update", name, "cpu.weight=50")
    for n, what, text in calls[::3]:		# a new box for each: a third of them
        e = (fault.errnos_of(what) + ["EIO"])[0]
        with settled(name, tmp_path, before=before) as c:
            r = husk.command(husk.INJECT, "-o", log, "fail", 0, n, getattr(errno, e), "--", husk.HUSK, "update", name, "cpu.weight=50")
            where = (n, what, text, e, r)
            assert r.status in (0, 1, 2, 3) and not frozen(name) and c.moves(), where
            assert value(name, "cpu.weight") in (("50", "512") if r.status == 0 else ("100", "1024", None)), where
            assert control("update", name, "cpu.weight=50").status == 0, where
            assert value(name, "cpu.weight") in ("50", "512") and inside_all_leaves(name), where
        husk.nothing_left(name, 1)


def test_what_was_gone_without_is_asked_for(name):
    """?memory.high=3M, for which there is no file in a v1 tree, and then without the ?: that is another wish."""
    with husk.box("?memory.high=3M", "--", "/bin/sh", "-c", "echo up; exec sleep 50", box=name) as p:
        assert p.stdout.readline() == b"up\n"
        r, again = (control("update", name, word, timeout=40) for word in ("memory.high=3M", "?memory.high=3M"))
        assert control("stop", name, timeout=40).status == 0
        if V2 and r.status == 0:
            pytest.skip("memory is in the v2 tree here")
        assert r.status == 1 and r.err.endswith("cg.limits: memory.high: not in the memory controller - cgroup v1 has nothing like it\n") and again.status == 0, r


@pytest.mark.skipif(not FREEZER, reason="no v1 freezer")
def test_who_kills_an_update_leaves_nobody_frozen(name, tmp_path):
    """Also while all stands still to be moved, and with kill -9."""
    log, killed = tmp_path / "log", True
    for n in range(1, 60):
        with settled(name, tmp_path, before=V1) as c:
            husk.command(*V1, "strace", "-qq", "-o", log, "-e", "trace=write", "-e", f"inject=write:signal=KILL:when={n}", husk.HUSK, "update", name, "cpu.weight=50")
            killed = "killed by SIGKILL" in log.read_text()
            assert husk.wait_for(lambda: not frozen(name)) and c.moves(), log.read_text()
            assert control("update", name, "cpu.weight=70").status == 0, n
        if not killed:
            break
    assert n > 8 and not killed and "FROZEN" in log.read_text()


# -------------------------------------------------------------------- other kernels

GUEST = r"""
husk run -d -p /run/pid name=b root=/srv/root pids.max=20 log=inherit stop.timeout=1m -- /bin/sh -c 'while :; do echo x; usleep 10000; done' >/tmp/out 2>&1
size() { busybox wc -c </tmp/out; }
husk pause b; echo "@pause $?"; a=$(size); sleep 1; [ $a = $(size) ] && echo "@stands"
husk pause b; echo "@again $?"
husk update b pids.max=30 memory.max=32M cpu.weight=50; echo "@update $?"
leaf() { for d in $(sed -n 's/^cgroup=//p' /run/husk/b/state); do [ -e $d/$1 ] && cat $d/$1 && return; done; }
echo "@pids $(leaf pids.max)"; echo "@memory $(leaf memory.max)$(leaf memory.limit_in_bytes)"; echo "@weight $(leaf cpu.weight)$(leaf cpu.shares)"
husk update b pids.max=40 cpuset.cpus=999; echo "@refused $?"; echo "@pids-is $(leaf pids.max)"
a=$(size); sleep 1; [ $a = $(size) ] && echo "@stands-still"
husk resume b; echo "@resume $?"; a=$(size); sleep 1; [ $a != $(size) ] && echo "@moves"
husk pause b; kill $(cat /run/pid); n=0; while [ -e /run/husk/b ] && [ $n -lt 50 ]; do n=$((n+1)); sleep 0.1; done
[ -e /run/husk/b ] || echo "@gone"
"""


@pytest.mark.parametrize("board, version, layout", [("qemu-arm64", "6.1", "v2"), ("qemu-arm64", "5.10", "v1"), ("qemu-armv7", "6.1", "v2")])
def test_in_a_guest(board, version, layout):
    if not (husk.OUT / board / "husk").exists():
        pytest.skip(f"no {board} husk")
    text = qemu.guest(board, GUEST, version, layout, timeout=240).text
    said = re.findall(r"^@(.*?)\r?$", text, re.M)
    assert said == ["pause 0", "stands", "again 0", "update 0", "pids 30", f"memory {32 << 20}", f"weight {'512' if layout == 'v1' else '50'}",
                    "refused 1", "pids-is 30", "stands-still", "resume 0", "moves", "gone"], text[-3000:]


ASKS = """
n=0; while [ $n -lt 100 ] && ! [ -e /run/husk/web/box ]; do busybox usleep 50000; n=$((n+1)); done
husk update web pids.max=30 cpu.weight=50; echo "@update $?"
echo "@pids $(cat $(sed -n 's/^cgroup=//p' /run/husk/web/state | head -1)/pids.max)"
husk pause web; echo "@pause $?"
husk poweroff
"""


def test_boxes_of_process_1_of_a_machine():
    """The starter saves what a box was made of; and who is paused does not hold up the end for its stop.timeout."""
    if not (husk.OUT / "qemu-x86_64/husk").exists():
        pytest.skip("no qemu-x86_64 husk")
    b = qemu.board("qemu-x86_64")
    files = qemu.with_husk(b, {"web": "exec=/bin/sleep 1000\nroot=/srv/root\npids.max=20\nstop.timeout=1h\n", "asks": "use=host\nexec=/bin/sh /asks.sh\nlog=inherit\nafter=web\n"})
    r = qemu.boot(b, files | {"asks.sh": qemu.file(ASKS)}, timeout=120)
    assert r.ended and "Power down" in r.text and "web: is paused" in r.text, r
    assert re.findall(r"^@(.*?)\r?$", r.text, re.M) == ["update 0", "pids 30", "pause 0"], r


def test_a_strangers_leaf_is_not_noted(name, tmp_path):
    """An update that is refused because of it leaves no line by which it would be killed, joined or removed later."""
    tree = husk.CGROUPS / "cpuset"
    if not (tree / "cgroup.procs").exists():
        pytest.skip("no cpuset hierarchy of its own")
    leaf = tree / "husk" / name
    with settled(name, tmp_path):
        leaf.mkdir(parents=True)
        (leaf / "sub").mkdir()
        try:
            for _ in range(2):
                r = husk.husk("update", name, "cpuset.cpus=0")
                assert r.status == 1 and "is there already" in r.err, r
                assert f"\ncgroup={leaf}\n" not in (husk.RUNDIR / name / "state").read_text()
            assert husk.husk("update", name, "pids.max=77").status == 0
        finally:
            (leaf / "sub").rmdir()
            leaf.rmdir()
        assert husk.husk("update", name, "cpuset.cpus=0").status == 0
        assert f"\ncgroup={leaf}\n" in (husk.RUNDIR / name / "state").read_text()


def test_a_default_that_is_taken_away_stays_away(name, tmp_path):
    with settled(name, tmp_path):
        for words in (["memory.max=", "pids.max="], ["cpu.weight=50"]):
            assert husk.husk("update", name, *words).status == 0
            assert {"memory.max=max", "pids.max=max"} <= set((husk.RUNDIR / name / "box").read_text().split("\n"))
        assert husk.husk("update", name, "memory.max=64M", "pids.max=99").status == 0
        assert value(name, "pids.max")[0] == "99" or "99" in value(name, "pids.max")


def test_memory_in_use(name, tmp_path):
    with settled(name, tmp_path):
        r = husk.husk("update", name, "memory.max=64K")
        assert r.status == 1 and re.fullmatch(rf"husk: {name}: cg\.limits: memory\.max(: memory\.limit_in_bytes)?: write 65536: \d+ are in use, and cannot be taken back\n", r.err), r
