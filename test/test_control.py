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
        assert before or husk.wait_for(lambda: not husk.alive(init), 0.2)
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
    ("../x", 2, "not the name of a box"), (".", 2, "not the name"), ("a/b", 2, "not the name"), ("", 2, "not the name"), ("-x", 2, "not the name"),
    ("x" * 65, 2, "not the name"), ("a\nb", 2, "not the name"), ("nobody-there", 3, "not running")])
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
