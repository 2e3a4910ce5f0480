"""Supervision: restarts, waits, how a box ended, and that a killed keeper leaves nothing. The machine itself: life_test.c."""
import calendar
import fcntl
import os
import re
import shutil
import signal
import subprocess
import time

import pytest

import fault
import husk
from husk import run, wait_for

ALWAYS = "restart=always 20ms..40ms"


@pytest.fixture
def name():
    n = husk.name("life")
    yield n
    end(n)


def state_file(n):
    return husk.RUNDIR / n / "state"


def text(n):
    try:
        return state_file(n).read_text()
    except OSError:
        return ""


def lines(n, key):
    return re.findall(rf"^{key}=(.*)$", text(n), re.M)


def word(n):
    return (lines(n, "state") or [""])[-1].split(" ")[0]


def why(n):
    return (lines(n, "state") or [""])[-1].split(" ", 2)[2:]


def keeper(n):
    return int(lines(n, "keeper")[0])


def init(n):
    return int((lines(n, "init") or ["0"])[-1].split()[0])


def lives(pid):
    return husk.read(f"/proc/{pid}/stat").rpartition(")")[2].split()[:1] not in ([], ["Z"], ["X"])


def killed(pid, sig=signal.SIGKILL):
    try:
        os.kill(pid, sig)
    except ProcessLookupError:
        pass


def end(n):
    """Whatever it is, it is not there afterwards, and nobody who keeps it."""
    pid = keeper(n) if lines(n, "keeper") else 0
    if lines(n, "keeper") and word(n) not in ("done", "failed", "skipped"):
        killed(keeper(n), signal.SIGTERM)
        if not wait_for(lambda: not state_file(n).exists(), 8):
            killed(keeper(n))
    wait_for(lambda: not (husk.RUNDIR / n).exists() or husk.husk("delete", n, timeout=20).status == 0)
    assert not (husk.RUNDIR / n).exists()
    assert not leaves(n) and wait_for(lambda: not pid or not lives(pid))


def leaves(n):
    return [p for p in husk.CGROUPS.glob("*/husk/*") if p.name == n]


def up(n, *more, program=("/bin/sleep", "100")):
    r = run("-d", *more, "--", *program, box=n)
    assert r.status == 0, r
    assert wait_for(lambda: word(n) == "running"), text(n)


# ------------------------------------------------------------------ restarts

def test_delays_and_the_end_of_trying(name):
    r = run("restart=on-failure 20ms..80ms 4/1m", "--", "/bin/sh", "-c", "echo one; exit 3", box=name)
    said = re.findall(r"exit 3: again in (\d+) ms", r.err)
    assert r.status == 3 and r.out == "one\n" * 4 and said == ["20", "40", "80"], r
    assert r.err.endswith(f"husk: {name}: failed: 4 exits in 1m, last: exit 3; gave up\n"), r


@pytest.mark.parametrize("mode, program, times", [
    ("no", "exit 1", 1), ("on-failure", "exit 0", 1), ("on-failure 10ms 2/1m", "exit 1", 2), ("always 10ms 2/1m", "exit 0", 2),
    ("on-failure 10ms 2/1m", "kill -9 $$", 2)])
def test_modes(name, mode, program, times):
    r = run(f"restart={mode}", "--", "/bin/sh", "-c", f"echo x; {program}", box=name)
    assert r.out == "x\n" * times, r


def test_until_it_is_good(name, tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d").chmod(0o777)
    r = run("restart=on-failure 10ms", f"bind={tmp_path}/d:/mnt:rw", "--", "/bin/sh", "-c", "echo >>/mnt/n; [ $(wc -l </mnt/n) = 3 ]", box=name)
    assert r.status == 0 and r.err.count("again in") == 2, r


def test_how_it_ended_stays_in_the_background(name):
    for program, last, reason in (("exit 0", "done", "exit 0"), ("exit 7", "failed", "exit 7"), ("kill -11 $$", "failed", "signal 11 SEGV")):
        r = run("-d", "--", "/bin/sh", "-c", f"sleep .1; {program}", box=name)
        assert r.status == 0 and wait_for(lambda: word(name) == last), text(name)
        assert why(name) == [reason] and re.fullmatch(rf"\d+ {reason} after \d+\.\ds", lines(name, "last")[0]), text(name)
        assert not lines(name, "uid") and not lines(name, "cgroup") and not leaves(name)
        assert not [l for l in husk.RUNDIR.glob(".uid.*") if os.readlink(l) == name]
    r = run("--", "/bin/true", box=name)
    assert r.status == 0 and not state_file(name).exists(), r


def test_out_of_memory_is_the_reason(name):
    r = run("-d", "memory.max=16M", "memory.swap.max=0", "restart=on-failure 20ms 1/1m", "--", "/bin/sh", "-c", "x=x; while :; do x=$x$x; done", box=name)
    assert r.status == 0 and wait_for(lambda: word(name) == "failed", 20), text(name)
    assert "killed: out of memory (memory.max=16M" in why(name)[0], text(name)


def test_four_last_reasons(name):
    r = run("-d", "restart=on-failure 10ms 6/1m", "--", "/bin/sh", "-c", "exit 5", box=name)
    assert r.status == 0 and wait_for(lambda: word(name) == "failed"), text(name)
    assert lines(name, "restarts") == ["6"] and len(lines(name, "last")) == 4, text(name)
    assert len(text(name)) < 1000


def test_a_start_that_fails_says_where(name, tmp_path):
    """The first one goes; then what is bound is gone, too."""
    (tmp_path / "d").mkdir()
    up(name, "restart=always 20ms 2/1m", f"bind={tmp_path}/d:/mnt")
    (tmp_path / "d").rmdir()
    killed(init(name))
    assert wait_for(lambda: word(name) == "failed"), text(name)
    assert any("start: rootfs.sources: " in l for l in lines(name, "last")), text(name)


def test_the_same_directory_number_and_keeper(name):
    up(name, ALWAYS, "user=auto")
    before = os.stat(husk.RUNDIR / name).st_ino, keeper(name), lines(name, "uid"), init(name)
    killed(init(name))
    assert wait_for(lambda: word(name) == "running" and lines(name, "restarts") == ["1"]), text(name)
    assert (os.stat(husk.RUNDIR / name).st_ino, keeper(name), lines(name, "uid")) == before[:3] and init(name) != before[3]
    assert re.fullmatch(r"\d+ signal 9 KILL after \d+\.\ds", lines(name, "last")[0]), text(name)


def test_what_it_is_made_of_is_written_once(name):
    """And not by a starter of the keeper, who would put his back over what husk restart has just put there."""
    up(name, ALWAYS)
    assert wait_for(lambda: (husk.RUNDIR / name / "box").exists())
    before = os.stat(husk.RUNDIR / name / "box").st_ino
    for times in "12":		# the second one begins when the first one's starter has ended
        killed(init(name))
        assert wait_for(lambda: word(name) == "running" and lines(name, "restarts") == [times]), text(name)
    assert os.stat(husk.RUNDIR / name / "box").st_ino == before


def test_stopped_while_it_waits_to_start_again(name):
    up(name, "restart=always 1h")
    killed(init(name))
    assert wait_for(lambda: word(name) == "backoff"), text(name)
    killed(keeper(name), signal.SIGTERM)
    assert wait_for(lambda: not (husk.RUNDIR / name).exists())


def test_stop_twice(name):
    up(name, ALWAYS, "stop.timeout=300ms", program=("/bin/sh", "-c", "trap '' TERM; while :; do sleep 1; done"))
    time.sleep(0.1)		# the trap
    k = keeper(name)
    killed(k, signal.SIGTERM)
    killed(k, signal.SIGTERM)
    assert wait_for(lambda: not (husk.RUNDIR / name).exists() and not lives(k))


def flat(pid):
    return len(os.listdir(f"/proc/{pid}/fd")), int(husk.fields(husk.read(f"/proc/{pid}/smaps_rollup"))["Anonymous"].split()[0])


def test_200_restarts_are_flat(name):
    up(name, "restart=always 1ms", program=("/bin/sh", "-c", "sleep 0.01"))
    k = keeper(name)
    count = lambda: int((lines(name, "restarts") or ["0"])[0])
    assert wait_for(lambda: count() >= 20, 30)
    mounts, before = husk.read(f"/proc/{k}/mounts"), flat(k)
    assert wait_for(lambda: count() >= 200, 100), count()
    back = lambda: all(now <= then + more for now, then, more in zip(flat(k), before, (4, 24)))	# kB
    assert wait_for(back, 30), (before, flat(k))		# in the middle of a start it has more
    assert husk.read(f"/proc/{k}/mounts") == mounts and len(leaves(name)) <= 5
    assert len([p for p in husk.RUNDIR.glob(".uid.*") if os.readlink(p) == name]) <= 1


def traced(pid, inject, follow=False):
    p = subprocess.Popen(["strace", "-q", "-o", "/dev/null", *(["-f"] if follow else []), "-e", f"inject={inject}", "-p", str(pid)],
                         stderr=subprocess.DEVNULL)
    assert wait_for(lambda: "TracerPid:\t0\n" not in husk.read(f"/proc/{pid}/status"))
    return p


@pytest.mark.parametrize("at", [2**32 // 1000, 2**32 // 100])
def test_up_for_so_long_that_numbers_wrap(name, at):
    """2^32 milliseconds or hundredths after the boot a 32-bit husk, where there is one, goes on as before: delays, limits of time, times of day."""
    small = husk.TOP / "out/qemu-i386/husk"
    what = small if small.exists() and husk.command(small, "version").status == 0 else husk.HUSK
    ahead = at - int(float(husk.read("/proc/uptime").split()[0])) - 2
    long = lambda *args: husk.command("unshare", "-T", "--monotonic", ahead, "--boottime", ahead, "--fork", what, *args)
    r = long("start", f"name={name}", f"root={husk.ROOT}", "syscalls=@all", "stop.timeout=400ms", ALWAYS, "--", "/bin/sh", "-c", "trap '' TERM; sleep 1; exit 3")
    assert r.status == 0, r
    assert wait_for(lambda: len(lines(name, "last")) == 4, 20), text(name)
    assert all(.9 <= float(l.split()[-1][:-1]) < 15 for l in lines(name, "last")) and int(lines(name, "last")[0].split()[0]) > at, text(name)
    said = long("state", name).out
    since = re.search(r"^since=(.*)Z$", said, re.M)
    assert since, said + text(name)
    since = since[1]
    assert abs(time.time() - calendar.timegm(time.strptime(since, "%Y-%m-%dT%H:%M:%S"))) < 30, said
    assert wait_for(lambda: word(name) == "running")
    began = time.monotonic()
    assert long("stop", name).status == 0 and time.monotonic() - began < 9


def test_no_process_to_be_had(name):
    """fork() says EAGAIN: tried again, and not lost."""
    up(name, ALWAYS)
    p = traced(keeper(name), "clone,fork:error=EAGAIN:when=1")
    killed(init(name))
    try:
        assert wait_for(lambda: lines(name, "restarts") == ["1"] and word(name) == "running", 10), text(name)
    finally:
        p.terminate()
        p.wait()


def calls_of_a_restart(name, tmp_path):
    """(name, which of that name) of each call of the keeper."""
    up(name, "restart=always 1ms")
    p = subprocess.Popen(["strace", "-q", "-o", tmp_path / "calls", "-p", str(keeper(name))], stderr=subprocess.DEVNULL)
    assert wait_for(lambda: "TracerPid:\t0\n" not in husk.read(f"/proc/{keeper(name)}/status"))
    killed(init(name))
    assert wait_for(lambda: lines(name, "restarts") == ["1"] and word(name) == "running"), text(name)
    time.sleep(0.05)
    p.terminate()
    p.wait()
    end(name)
    seen = {}
    for l in (tmp_path / "calls").read_text().splitlines():
        m = re.match(r"(?:restart_syscall|(\w+))\(", l)
        if m and m[1]:
            seen[m[1]] = seen.get(m[1], 0) + 1
            yield m[1], seen[m[1]]


def test_keeper_killed_at_each_call_of_a_restart(name, tmp_path):
    """Nothing of the box lives on, and the next start works."""
    calls, hits = list(calls_of_a_restart(name, tmp_path)), 0
    assert len(calls) > 40, calls
    for call, n in calls:
        up(name, "restart=always 1ms")
        k, i = keeper(name), init(name)
        p = traced(k, f"{call}:signal=KILL:when={n}")
        killed(i)
        wait_for(lambda: not lives(k) or (lines(name, "restarts") == ["1"] and word(name) == "running"), 3)
        p.terminate()
        p.wait()
        hits += not lives(k)
        killed(k)
        assert wait_for(lambda: not lives(k))
        now = init(name)
        assert wait_for(lambda: not lives(i) and not (now and lives(now))), (call, n, text(name))
        wait_for(lambda: "is running already" not in run("--", "/bin/true", box=name, timeout=20).err)		# its starter dies of its death, a moment later
        r = run("--", "/bin/true", box=name, timeout=20)
        assert r.status == 0 and not (husk.RUNDIR / name).exists() and not leaves(name), (call, n, r)
    assert hits > len(calls) * 0.8, (hits, len(calls))


def test_each_call_of_a_restart_fails_once(name, tmp_path):
    """The keeper's, the first and the last of each name: the box is up again, by the next try if need be, or its end is said; no descriptor is lost."""
    calls = [c for c in calls_of_a_restart(name, tmp_path) if fault.errnos_of(c[0]) and c[0] != "close"]		# which closes whatever it answers
    points, starts, before = [c for i, c in enumerate(calls) if c[1] == 1 or c[0] not in [d[0] for d in calls[i + 1:]]], 0, None
    assert len(points) > 20, points
    for call, n in points:
        if not lines(name, "keeper"):
            up(name, "restart=always 1ms")
            starts += 1
            k, before = keeper(name), None
        i = init(name)
        before = before or husk.descriptors(k)
        p = traced(k, f"{call}:error={fault.errnos_of(call)[0]}:when={n}")
        killed(i)
        assert wait_for(lambda: not lives(k) or (init(name) not in (0, i) and word(name) == "running"), 10), (call, n, text(name))
        p.terminate()
        p.wait()
        if lives(k):
            assert wait_for(lambda: len(husk.descriptors(k)) <= len(before), 3), (call, n, before, husk.descriptors(k))
        else:
            assert wait_for(lambda: not lives(i) and not leaves(name)), (call, n, text(name))
            husk.husk("delete", name, timeout=20)
    assert starts <= 5, starts


@pytest.mark.parametrize("call", ["clone3", "mount", "pivot_root", "execve"])
def test_starter_killed(name, call):
    """Whatever it was at, it is a start that has failed, and the next one works."""
    up(name, "restart=always 20ms")
    p = traced(keeper(name), f"{call}:signal=KILL:when=1", follow=True)
    killed(init(name))
    assert wait_for(lambda: len(lines(name, "last")) > 1, 10), text(name)
    p.terminate()
    p.wait()
    assert wait_for(lambda: word(name) == "running", 10), text(name)


SPOILS = """
import ctypes, fcntl, os, stat, time
one = os.pidfd_open(1)
for i in range(3, 40):
    fd = ctypes.CDLL(None).syscall(438, one, i, 0)
    if fd >= 0 and stat.S_ISFIFO(os.fstat(fd).st_mode) and fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE == os.O_WRONLY:
        os.write(fd, b"x")
        open("/mnt/spoilt", "a").write("x")
time.sleep(100)
"""


def test_what_a_program_writes_for_pid_1_is_no_end(name, tmp_path):
    """caps=sys_ptrace is a way to its descriptors; the starter, here in a hook, has not handed over yet."""
    (tmp_path / "d").mkdir()
    (tmp_path / "d").chmod(0o777)
    spoilt, h = tmp_path / "d" / "spoilt", tmp_path / "hook"
    h.write_text(f"#!/bin/sh\nuntil [ -s {spoilt} ]; do sleep 0.01; done\n")
    h.chmod(0o755)
    r = run("-d", ALWAYS, "caps=sys_ptrace", f"bind={tmp_path}/d:/mnt:rw", f"hook.poststart={h}", "--", "/usr/bin/python3", "-c", SPOILS, box=name, root="/")
    assert r.status == 0 and spoilt.read_text() == "x", r
    spoilt.write_text("")
    first = init(name)
    killed(first)
    assert wait_for(lambda: init(name) not in (0, first) and spoilt.read_text() and husk.children(keeper(name)) == [init(name)]), text(name)
    second = init(name)
    try:
        assert husk.husk("stop", name).status == 0 and spoilt.read_text() == "x" and not lives(second)
    finally:
        killed(second)


def test_stopped_while_it_starts(name, tmp_path):
    """The starter is at work, here in a hook, and is not waited for."""
    h = tmp_path / "hook"
    h.write_text(f"#!/bin/sh\n[ -e {tmp_path}/slow ] && touch {tmp_path}/there && sleep 8\nexit 0\n")
    h.chmod(0o755)
    up(name, ALWAYS, f"hook.prestart={h}")
    (tmp_path / "slow").touch()
    k = keeper(name)
    killed(init(name))
    assert wait_for(lambda: (tmp_path / "there").exists())
    killed(k, signal.SIGTERM)
    assert wait_for(lambda: not (husk.RUNDIR / name).exists() and not lives(k), 4), text(name)


def test_giveup_off_a_board(tmp_path):
    """Who asks for what cannot come hears of it: off a board, and where nobody ever gives up, or there is no time to be good in."""
    for restart, says in (("no", "giveup: never: only restart="), ("always", "giveup: never: only restart="), ("always 1s 3/1m", "giveup: of a board alone")):
        (tmp_path / "x.conf").write_text(f"exec=/bin/true\nroot=/\ngiveup=reboot\nrestart={restart}\n")
        r = husk.husk("check", tmp_path / "x.conf")
        assert r.status == 0 and f"x.conf:3: {says}" in r.err and r.err.endswith("(warning)\n") and r.err.count("\n") == 1, r


def test_board_fail_without_a_time(tmp_path):
    for line, says in (("", "board.conf:1: board.fail: never: it comes after board.timeout="), ("board.timeout=3m\n", "")):
        (tmp_path / "board.conf").write_text("board.fail=reboot\n" + line)
        r = husk.husk("check", tmp_path / "board.conf")
        assert r.status == 0 and says in r.err and bool(r.err) == bool(says), r


# ------------------------------------------------------------------ waits

def test_if(name, tmp_path):
    r = run(f"if={tmp_path}/no", "--", "/bin/echo", "x", box=name)
    assert (r.status, r.out, r.err) == (0, "", f"husk: {name}: skipped: if={tmp_path}/no\n"), r
    r = run(f"if=!{tmp_path}/no", f"if={tmp_path}", "--", "/bin/echo", "x", box=name)
    assert r.out == "x\n", r
    r = run("-d", f"if=!{tmp_path}", "--", "/bin/echo", "x", box=name)
    assert r.status == 0 and wait_for(lambda: word(name) == "skipped") and why(name) == [f"if=!{tmp_path}"], text(name)


def test_needs_a_path(name, tmp_path):
    """It waits, starts, is stopped and starts again with it; a directory above may come as well."""
    path = tmp_path / "a/b"
    r = run("-d", f"needs={path}", "--", "/bin/sleep", "100", box=name)
    assert r.status == 0 and word(name) == "waiting" and why(name) == [f"needs {path}"], text(name)
    again = husk.husk("start", f"name={name}", f"needs={path}", "--", "/bin/sleep", "100", timeout=60)
    assert (again.status, again.err) == (0, f"husk: {name}: waits: needs {path}\n"), again
    again = husk.husk("restart", name, timeout=60)
    assert (again.status, again.err) == (0, f"husk: {name}: waits: needs {path}\n") and word(name) == "waiting", again
    for _ in range(3):
        path.parent.mkdir()
        path.write_text("")
        assert wait_for(lambda: word(name) == "running"), text(name)
        i = init(name)
        shutil.rmtree(path.parent)
        assert wait_for(lambda: word(name) == "waiting" and not lives(i)), text(name)
    assert lines(name, "restarts") == ["0"]


def test_who_makes_news_all_the_time_fills_nothing(name, tmp_path):
    """A directory that another box writes to: the file and the keeper's time are bounded, and the box starts when both are there."""
    a, b = tmp_path / "a", tmp_path / "b"
    assert run("-d", f"needs={a} {b}", "--", "/bin/sleep", "100", box=name).status == 0
    until = time.monotonic() + 0.5
    while time.monotonic() < until:
        a.touch()
        a.unlink()
    assert state_file(name).stat().st_size < 1200
    with open(f"/proc/{keeper(name)}/stat") as f:
        assert sum(map(int, f.read().rsplit(")", 1)[1].split()[11:13])) < 15, "ticks"
    a.touch()
    b.touch()
    assert wait_for(lambda: word(name) == "running", 3), text(name)
    end(name)


def test_needs_another_box(name):
    """Of another keeper: with it, without it, with it again; also when that keeper is killed."""
    other = husk.name("other")
    try:
        r = run("-d", f"needs={other}", "--", "/bin/sleep", "100", box=name)
        assert r.status == 0 and word(name) == "waiting", text(name)
        for sig in (signal.SIGTERM, signal.SIGKILL, signal.SIGTERM):
            up(other)
            assert wait_for(lambda: word(name) == "running"), text(name)
            killed(keeper(other), sig)
            assert wait_for(lambda: word(name) == "waiting"), text(name)
            assert f"needs {other}" in why(name)[0]
    finally:
        end(other)


def test_needs_what_is_done(name):
    other = husk.name("other")
    try:
        assert run("-d", "--", "/bin/true", box=other).status == 0
        assert wait_for(lambda: word(other) == "done")
        r = run(f"needs={other}", "--", "/bin/echo", "x", box=name)
        assert r.out == "x\n", r
        assert run("-d", "--", "/bin/false", box=other).status == 0
        assert wait_for(lambda: word(other) == "failed")
        r = run("-d", f"needs={other}", "--", "/bin/echo", "x", box=name)
        assert word(name) == "waiting", text(name)
    finally:
        end(other)


def test_after_is_an_order_alone(name):
    """Nobody is waited for who is not there, has failed, or runs."""
    other = husk.name("other")
    try:
        assert run(f"after={other}", "--", "/bin/echo", "x", box=name).out == "x\n"
        r = run("-d", "needs=/does/not/exist", "--", "/bin/true", box=other)
        assert word(other) == "waiting", r
        r = run("-d", f"after={other}", "--", "/bin/sleep", "9", box=name)
        assert word(name) == "waiting" and why(name) == [f"after {other}"], text(name)
        killed(keeper(other), signal.SIGTERM)
        assert wait_for(lambda: word(name) == "running"), text(name)
    finally:
        end(other)


# what the other is, whether a keeper holds it; do after= and needs= of it let one start?
OTHERS = [("none", True, False)] + [(f"{word} held", after, needs) for word, after, needs in (
    ("waiting", False, False), ("starting", False, False), ("running", True, True), ("ready", True, True), ("paused", True, True),
    ("stopping", True, False), ("backoff", True, False))] + [(word, True, word == "done") for word in "done failed skipped starting running waiting".split()]


def test_what_each_state_of_another_means(tmp_path):
    """after=, needs=, both at once, and if= that is asked for last: in a run directory where the others are texts and locks."""
    run_dir, held = tmp_path / "run", []
    run_dir.mkdir(mode=0o700)
    env, want = dict(os.environ, HUSK_RUN=str(run_dir)), {}
    try:
        for i, (other, after, needs) in enumerate(OTHERS):
            if other != "none":
                d = run_dir / f"o{i}"
                d.mkdir(mode=0o700)
                (d / "state").write_text(f"version=1\nstate={other.split()[0]} 5\n")
                (d / "state").chmod(0o600)
                if other.endswith("held"):
                    held.append(os.open(d, os.O_RDONLY))
                    fcntl.flock(held[-1], fcntl.LOCK_EX)
            for key, good in (("after", after), ("needs", needs), ("if", after)):
                words = [f"after=o{i}", "if=/none"] if key == "if" else [f"{key}=o{i}"]
                r = husk.husk("start", f"name=x{key}{i}", f"root={husk.ROOT}", *words, "--", "/bin/sleep", "100", env=env)
                assert r.status == 0, r
                want[f"x{key}{i}"] = (other, "waiting" if not good else "skipped" if key == "if" else "running")
        said = lambda: dict(re.findall(r"^name=(x\S+)\nstate=(\w+)$", husk.husk("list", "-k", env=env).out, re.M))
        wait_for(lambda: said() == {x: state for x, (_, state) in want.items()}, 20)
        wrong = {x: (want[x], state) for x, state in said().items() if state != want[x][1]}
        assert not wrong and len(said()) == len(want), wrong
    finally:
        husk.husk("stop", *want, env=env, timeout=60)
        for fd in held:
            os.close(fd)


def test_a_wait_costs_nothing(name):
    r = run("-d", "needs=/does/not/exist", "--", "/bin/true", box=name)
    assert r.status == 0 and word(name) == "waiting"
    assert husk.sleeps(1.5, keeper(name))


@pytest.mark.parametrize("files, circle", [
    ({"a": "after=b", "b": "needs=c", "c": ""}, None), ({"a": "after=b", "b": "needs=c", "c": "after=a"}, "a.conf:2: after: a circle: a b c"),
    ({"a": "before=b", "b": "before=a"}, "b.conf:2: before: a circle: a b"), ({"a": "before=*", "b": "", "c": "after=b"}, None),
    ({"a": "before=*", "b": "before=a"}, "b.conf:2: before: a circle: a b"), ({"0": "after=b", "a": "needs=/x,b", "b": "env=A=1\nneeds=a"}, "b.conf:3: needs: a circle: b a"),
    ({"a": "after=*", "b": "after=*,c", "c": "needs=b"}, "b.conf:2: after: a circle: c b"), ({n: f"needs=n{i}" for i, n in enumerate(["n1", "n2", "n3", "n0"])}, "n0.conf:2: needs: a circle: n0 n3 n2 n1")])
def test_circles(tmp_path, files, circle):
    """The line that says it, and all that are in it; each once."""
    for f, l in files.items():
        (tmp_path / f"{f}.conf").write_text(f"exec=/bin/true\n{l}\n")
    r = husk.husk("check", *(tmp_path / f"{f}.conf" for f in files))
    assert r.status == (2 if circle else 0) and r.err == (f"{tmp_path}/{circle}\n" if circle else ""), r
    (tmp_path / "wrong.conf").write_text("exec=/bin/true\nfoo=1\n")
    r = husk.husk("check", tmp_path / "wrong.conf", *(tmp_path / f"{f}.conf" for f in files))
    assert r.status == 2 and (": a circle: " in r.err) == bool(circle) and "wrong.conf:2: foo: no such key" in r.err, r


def test_circles_off_a_board(tmp_path):
    """Of those that are started together: who needs each other is not, an order is given up, and the others have their own way."""
    own = {**os.environ, "HUSK_RUN": str(tmp_path / "run")}
    (tmp_path / "run").mkdir(mode=0o700)
    needs = {"a": "needs=b", "b": "needs=c", "c": "needs=a", "d": "needs=e", "e": "after=d", "f": "env=A=1"}
    for f, l in needs.items():
        (tmp_path / f"{f}.conf").write_text(f"exec=/bin/sleep 1000\nroot={husk.ROOT}\n{l}\n")
    verb = lambda v, *names: husk.husk(v, *(tmp_path / f"{n}.conf" for n in names), env=own, timeout=60)
    try:
        r = verb("start", *needs)
        assert r.status == 125, r
        said = r.err.splitlines()
        circle = re.fullmatch(rf"{tmp_path}/([abc])\.conf:3: needs: a circle: ([abc] [abc] [abc])", said[0])
        assert circle and circle[2] in ("a b c", "b c a", "c a b"), r
        assert f"{tmp_path}/e.conf:3: after: a circle: " in r.err and [l for l in said if ": init.wait: " in l] == [f"husk: {n}: init.wait: needs: a circle: {circle[2]}" for n in "abc"], r
        assert wait_for(lambda: [husk.husk("state", n, "state", env=own).out for n in "def"] == ["running\n"] * 3, 30)
        assert not [n for n in "abc" if (tmp_path / "run" / n).exists()]
    finally:
        assert verb("stop", *needs).status == 0
