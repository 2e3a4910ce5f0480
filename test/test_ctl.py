"""The keeper's door, and the verbs that change a box's life: start, stop, restart, reload, delete, wait, kill."""
import contextlib
import os
import random
import re
import signal
import socket
import subprocess
import time

import pytest

import fault
import husk

SLEEP = ("--", "/bin/sleep", "1000")
LOOP = ("--", "/bin/sh", "-c", "trap 'echo hup >>/tmp/got' HUP; trap 'exit 9' TERM; while :; do /bin/sleep 1000 & wait; done")


def start(name, *words, status=0, **more):
    r = husk.husk("start", f"name={name}", f"root={husk.ROOT}", *(words or SLEEP), **more)
    assert r.status == status, r
    return r


def verb(what, *words, status=0, **more):
    r = husk.husk(what, *words, **more)
    assert r.status == status, r
    return r


def state(name):
    return husk.read(husk.RUNDIR / name / "state")


def of_state(name, key):
    found = re.findall(rf"^{key}=(\d+)", state(name), re.M)
    return int(found[-1]) if found else 0


def keeper(name):
    return of_state(name, "keeper")


def init(name):
    return of_state(name, "init")


@pytest.fixture
def name():
    n = husk.name("ctl")
    yield n
    box, of = init(n), keeper(n)		# once: the file may go, and 0 is this process's own group
    if box:
        husk.send(box, signal.SIGKILL)
    if of > 1:
        husk.send(of, signal.SIGCONT)
        husk.send(of, signal.SIGKILL)
        husk.wait_for(lambda: not husk.alive(of))
    husk.husk("delete", n)
    husk.nothing_left(n)


def loops(name):
    """The program of LOOP has set its traps, and waits."""
    def sleeps():
        return init(name) and "sleep" in "".join(husk.read(f"/proc/{g}/cmdline") for c in husk.children(init(name)) for g in husk.children(c))
    assert husk.wait_for(sleeps)


def opened(pid):
    """What its descriptors are; one may be closed meanwhile."""
    for f in os.scandir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            yield os.readlink(f.path)


def waiting(*words, **more):
    return subprocess.Popen([husk.HUSK, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)


def waits(p):
    """It has asked, and sleeps until it is answered."""
    assert husk.wait_for(lambda: "poll" in husk.read(f"/proc/{p.pid}/wchan") or husk.state_of(p.pid) == "S" and
                         any("socket:" in l for l in links(p.pid)))


def links(pid):
    found = []
    with contextlib.suppress(OSError):
        for fd in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                found.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
    return found


# ------------------------------------------------------------------- start, stop

def test_start_and_stop(name):
    start(name)
    assert husk.alive(init(name))
    start(name)					# what runs is started
    verb("stop", name)
    husk.nothing_left(name)
    verb("stop", name)				# and what does not is stopped


def test_start_says_what_is_wrong(name, tmp_path):
    assert "no program" in start(name, "nice=1", status=2).err
    assert "rootfs" in start(name, "bind=/no/such/thing", *SLEEP, status=125).err
    husk.nothing_left(name)
    start(name, "--", "/bin/no-such-program", status=127)
    husk.wait_for(lambda: "state=failed" in state(name))
    verb("delete", name)


def test_start_of_several(tmp_path):
    names = [husk.name("ctl") for _ in range(3)]
    for n in names:
        (tmp_path / f"{n}.conf").write_text(f"exec=/bin/sleep 1000\nroot={husk.ROOT}\n")
    files = [tmp_path / f"{n}.conf" for n in names]
    (tmp_path / "bad.conf").write_text("exec=/bin/true\nnice=99\n")
    try:
        assert "nice" in verb("start", files[0], tmp_path / "bad.conf", *files[1:], "pids.max=20", status=2).err
        assert all(husk.alive(init(n)) for n in names)
        assert all("pids.max=20" in husk.read(husk.RUNDIR / n / "box") for n in names if husk.wait_for(lambda: (husk.RUNDIR / n / "box").exists()))
    finally:
        verb("stop", *files)
    for n in names:
        husk.nothing_left(n)


def test_two_starts_at_once_are_one_box(name):
    words = ["start", f"name={name}", f"root={husk.ROOT}", *SLEEP]
    both = [waiting(*words) for _ in range(4)]
    assert [husk.status_of(p) for p in both] == [0] * 4, [p.stderr.read() for p in both]
    assert len([p for p in husk.tagged(name) if husk.children(p)]) == 1
    verb("stop", name)


@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGTERM])
def test_a_start_that_waits_for_another_can_be_interrupted(name, tmp_path, sig):
    """Which goes on with its own."""
    h = tmp_path / "hook"
    os.mkfifo(tmp_path / "go")
    h.write_text(f"#!/bin/sh\ntouch {tmp_path}/there\ncat {tmp_path}/go\n")
    h.chmod(0o755)
    words = ["start", f"name={name}", f"root={husk.ROOT}", f"hook.prestart={h}", *SLEEP]
    with waiting(*words) as first:
        assert husk.wait_for(lambda: (tmp_path / "there").exists(), 30)
        with waiting(*words) as second:
            assert husk.wait_for(lambda: "anon_inode:inotify" in opened(second.pid), 30)
            second.send_signal(sig)
            assert husk.status_of(second, 5) == 128 + sig
        (tmp_path / "go").write_text("")
        assert husk.status_of(first) == 0
    verb("stop", name)


def test_a_start_beside_a_failing_one_fails_for_itself(name):
    words = ["start", f"name={name}", f"root={husk.ROOT}", "bind=/no/such/thing", *SLEEP]
    both = [waiting(*words) for _ in range(4)]
    assert [husk.status_of(p) for p in both] == [125] * 4
    husk.nothing_left(name)


def test_stop_waits_for_the_end(name):
    """The program takes its time; the stop takes as long, and a second one beside it too."""
    start(name, "stop.timeout=30s", "--", "/bin/sh", "-c", "trap 'sleep 0.5; exit 3' TERM; while :; do sleep 0.05; done")
    w = waiting("wait", name)
    both = [waiting("stop", name) for _ in range(2)]
    assert [husk.status_of(p) for p in both] == [0, 0]
    husk.nothing_left(name)
    assert husk.status_of(w) in (3, 128 + signal.SIGTERM)


def test_stop_kills_in_the_end(name):
    start(name, "stop.timeout=300ms", "--", "/bin/sh", "-c", "trap '' TERM; while :; do sleep 1; done")
    verb("stop", name)
    husk.nothing_left(name)


def test_stop_during_start(name, tmp_path):
    """The stop comes while PID 1 of the box is held, and is done when the box is up."""
    log = tmp_path / "log"
    ready = tmp_path / "ready"
    hook = f"touch {ready}; for i in $(seq 100); do sleep 0.05; [ -e {ready}.go ] && exit; done"
    calls, _ = fault.record(name, log)
    last = [c for c in calls if c.role == 1 and not c.released][-1]
    p = subprocess.Popen([husk.INJECT, "-o", log, "hook", "1", last.n, hook, "--", *fault.words(name, "/bin/sleep", "1000")],
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert husk.wait_for(ready.exists, 10)
    s = waiting("stop", name)
    husk.wait_for(lambda: any("inotify" in l for l in links(s.pid)))
    assert s.poll() is None
    (tmp_path / "ready.go").touch()
    assert husk.status_of(s) == 0 and husk.status_of(p) == 143, s.stderr.read()
    husk.nothing_left(name)


# ------------------------------------------------------------- wait, reload, kill

@pytest.mark.parametrize("program, status", [(("/bin/sh", "-c", "sleep 0.3; exit 7"), 7), (("/bin/sh", "-c", "sleep 0.3; kill -9 $$"), 137)])
def test_wait_ends_as_the_box(name, program, status):
    start(name, "--", *program)
    assert husk.status_of(waiting("wait", name)) == status


def test_wait_sleeps(name):
    """Nobody is asked again and again: neither the keeper nor who waits runs while nothing happens."""
    start(name)
    p = waiting("wait", name)
    waits(p)
    husk.wait_for(lambda: (husk.RUNDIR / name / "box").exists())
    assert husk.sleeps(0.5, p.pid, keeper(name), init(name))
    verb("stop", name)
    assert husk.status_of(p) == 143


def test_wait_for_nobody(name):
    assert "no such box" in verb("wait", name, status=3).err
    assert "missing" in verb("wait", status=2).err


def test_wait_ready(name):
    verb("wait", "--ready", name, status=3)
    start(name)
    verb("wait", "--ready", name)
    verb("stop", name)


def test_who_waits_for_a_killed_keeper_is_told(name):
    start(name)
    w = waiting("wait", name)
    waits(w)
    os.kill(keeper(name), signal.SIGKILL)
    assert husk.status_of(w) == 137


def test_reload_sends_its_signal(name, tmp_path):
    got = tmp_path / "got"
    got.mkdir(mode=0o777)
    got.chmod(0o777)
    start(name, f"bind={got}:/tmp:rw", *LOOP)
    loops(name)
    verb("reload", name)
    assert husk.wait_for(lambda: husk.read(got / "got") == "hup\n")
    verb("stop", name)
    verb("reload", name, status=3)


@pytest.mark.parametrize("words, said", [
    (["stop"], "stop: the name of a box is missing - husk help stop"), (["wait", "-r", "x"], "wait: -r: no such option - husk help wait"),
    (["wait", "x", "y"], "wait: one box at a time - husk help wait"), (["status", "x"], "status: no such verb; state? - husk help"),
    (["kill", "x", "TERM", "y"], "kill: one box at a time - husk help kill"), (["stats", "a/b"], 'stats: "a/b" is not the name of a box, and no file - husk help stats'),
    (["kill", "-9", "x"], 'kill: "x" is not a signal - husk help kill'), (["exec", "x", "ls", "-l"], "exec: one name; what is executed stands behind -- - husk help exec"),
    (["run", "x", "ls"], "run: one name; what is executed stands behind -- - husk help run"), (["stpo", "x"], "stpo: no such verb; stop? - husk help"), ([], "a verb is missing - husk help")])
def test_what_is_wrong_with_the_words(words, said):
    r = husk.husk(*words)
    assert (r.status, r.out, r.err) == (2, "", f"husk: {said}\n")


@pytest.mark.parametrize("what", ["stop", "restart", "reload", "delete"])
def test_a_wrong_option_is_found_before_anything_is_done(name, what):
    start(name, *SLEEP)
    box = init(name)
    r = verb(what, name, "-t", "3", status=2)
    assert r.err == f"husk: {what}: -t: no such option - husk help {what}\n" and husk.alive(box), r
    assert init(name) == box
    verb("stop", name)


def test_reload_of_a_board_that_is_none():
    """In a PID namespace, where nobody's PID 1 takes the signal for something else."""
    r = husk.command("unshare", "-pf", "--mount-proc", "sh", "-c", 'trap "echo HUP" HUP; "$0" reload; echo $?', husk.HUSK)
    assert (r.out, r.err) == ("1\n", "husk: reload: PID 1: is no husk - of one box: husk reload NAME\n"), r


@pytest.mark.parametrize("sig, status", [((), 9), (("TERM",), 9), (("SIGINT",), 130), (("KILL",), 137), (("15",), 9)])
def test_kill(name, sig, status):
    with husk.box(*LOOP, box=name) as p:
        loops(name)
        verb("kill", name, *sig)
        assert husk.status_of(p) == status


@pytest.mark.parametrize("sig, said", [("FOO", "not a signal"), ("STOP", "husk pause"), ("SEGV", "fault")])
def test_kill_refuses(name, sig, said):
    assert said in verb("kill", name, sig, status=2).err


# ----------------------------------------------------------------------- restart

@pytest.fixture
def conf(name, tmp_path):
    f = tmp_path / f"{name}.conf"
    f.write_text(f"exec=/bin/sleep 1000\nroot={husk.ROOT}\n")
    yield f


def saved(name, key):
    return re.findall(rf"^{re.escape(key)}=(.*)", husk.read(husk.RUNDIR / name / "box"), re.M)


def test_restart_reads_the_file_again(name, conf):
    verb("restart", conf)				# what does not run is started
    of, box = keeper(name), init(name)
    conf.write_text(conf.read_text() + "pids.max=21\n")
    verb("restart", name)
    assert keeper(name) == of and init(name) != box and husk.alive(init(name)) and not husk.alive(box)
    assert saved(name, "pids.max") == ["21"]
    verb("stop", name)


def test_words_for_one_that_runs_are_not_lost_without_a_line(name, conf):
    verb("start", conf)
    assert verb("start", conf).err == ""
    assert verb("start", conf, "pids.max=9").err == f"husk: {name}: runs already: what stands behind its file is for husk update, or a restart (warning)\n"


def test_restart_has_the_words_of_the_command_line(name, conf):
    """Relative ones are where they were."""
    verb("start", f"./{conf.name}", "memory.max=9M", "bind=./data:/mnt", "--", "/bin/sh", "-c", "sleep  777", cwd=(conf.parent / "data").mkdir() or conf.parent, status=0)
    conf.write_text(conf.read_text() + "pids.max=22\n")
    verb("restart", name, cwd="/")
    assert (saved(name, "memory.max"), saved(name, "pids.max"), saved(name, "exec")) == (["9M"], ["22"], ['"/bin/sh" "-c" "sleep  777"'])
    assert saved(name, "bind")[-1].startswith(str(conf.parent / "data"))
    verb("stop", name)


def test_a_file_with_another_name_by_now_is_still_that_of_its_box(name, conf):
    """Whoever else has that name; and where several are made of one file that is said."""
    verb("start", conf)
    pid = init(name)
    conf.write_text(conf.read_text() + f"name={name}-b\n")
    for other in False, True:
        if other:
            verb("start", "root=" + str(husk.ROOT), f"name={name}-b", *SLEEP)
        assert verb("state", conf, "pid").out == verb("state", f"./{conf.name}", "pid", cwd=conf.parent).out == f"{pid}\n"
        assert verb("exec", conf, "--", "/bin/hostname").out == f"{name}\n" and f"pid={pid}\n" in verb("ps", conf).out
        assert verb("restart", conf, status=2).err == f"husk: restart: {name}: its file has name={name}-b now: stop it first - husk help restart\n"
    verb("stop", conf)
    husk.nothing_left(name)
    assert husk.alive(init(f"{name}-b"))
    verb("stop", conf)				# and now it is that of the name in it
    husk.nothing_left(f"{name}-b")
    for n in "bc":
        verb("start", conf, f"name={name}-{n}")
    verb("stop", conf)
    husk.nothing_left(f"{name}-b")
    for n in "de":
        verb("start", conf, f"name={name}-{n}")
    r = verb("stop", conf)
    assert r.err == f"husk: {conf}: several boxes are made from it: husk list\n", r
    verb("stop", *(f"{name}-{n}" for n in "cde"))


@pytest.mark.parametrize("line", ["nice=99", "bind=/no/such/thing", "name=other", "exec="])
def test_restart_finds_what_is_wrong_before_it_stops(name, conf, line):
    verb("start", conf)
    box = init(name)
    conf.write_text(conf.read_text() + line + "\n")
    assert verb("restart", name, status=2).err
    assert husk.alive(box) and init(name) == box
    conf.unlink()
    verb("restart", name, status=2)
    assert husk.alive(box)
    verb("stop", name)


def test_restart_that_cannot_be_made(name, conf):
    """Found when it is made: the old one is gone, who asked is told why, and delete clears it."""
    verb("start", conf)
    conf.write_text(conf.read_text() + "hook.prestart=/bin/false\n")
    r = verb("restart", name, status=125)
    assert "failed" in state(name) and r.err == f"husk: {name}: failed: start: init.prestart: /bin/false: ended with 1\n", r
    verb("wait", name, status=125)
    verb("delete", name)
    husk.nothing_left(name)


def test_restart_in_the_foreground(name):
    with husk.box(*SLEEP, box=name) as p:
        assert husk.wait_for(lambda: (husk.RUNDIR / name / "box").exists())
        box = init(name)
        verb("restart", name)
        assert init(name) != box and husk.alive(init(name)) and p.poll() is None
        verb("stop", name)
        assert husk.status_of(p) == 143


def test_stop_while_it_restarts(name, conf):
    conf.write_text(conf.read_text() + "exec=\nexec=/bin/sh -c \"trap 'sleep 0.5; exit 0' TERM; while :; do sleep 0.05; done\"\nstop.timeout=20s\n")
    verb("start", conf)
    r = waiting("restart", name)
    waits(r)
    assert husk.wait_for(lambda: "state=stopping" in state(name))
    verb("stop", name)
    assert husk.status_of(r) == 1
    husk.nothing_left(name)


# ---------------------------------------------------------------- how it has ended

@pytest.mark.parametrize("clean", ["stop", "delete", "start"])
@pytest.mark.parametrize("program, word, status", [("exit 0", "done", 0), ("exit 5", "failed", 5), ("kill -9 $$", "failed", 137)])
def test_what_has_ended_stays(name, clean, program, word, status):
    start(name, "--", "/bin/sh", "-c", program)
    assert husk.wait_for(lambda: f"state={word}" in state(name))
    verb("wait", name, status=status)
    verb("wait", "--ready", name, status=0 if word == "done" else 1)
    verb("kill", name, status=3)
    verb("reload", name, status=3)
    if clean == "start":
        start(name)
        verb("wait", "--ready", name)
        clean = "stop"
    verb(clean, name)
    husk.nothing_left(name)


def test_stop_in_the_back_off(name):
    start(name, "restart=always 100s..100s", "--", "/bin/false")
    assert husk.wait_for(lambda: "state=backoff" in state(name))
    w, r = waiting("wait", name), waiting("wait", "--ready", name)
    waits(w), waits(r)
    verb("reload", name, status=3)
    assert "husk stop" in verb("delete", name, status=1).err
    verb("stop", name)
    assert husk.status_of(r) == 1 and husk.status_of(w) == 1
    husk.nothing_left(name)


# --------------------------------------------------------------- without a keeper

@pytest.fixture
def halted(name):
    start(name)
    husk.wait_for(lambda: (husk.RUNDIR / name / "box").exists())
    os.kill(keeper(name), signal.SIGSTOP)
    husk.wait_for(lambda: husk.state_of(keeper(name)) == "T")
    yield name


def test_a_halted_keeper_is_not_needed(halted):
    assert "running" in verb("state", halted, "state").out or verb("state", halted)
    assert halted in verb("list").out
    verb("ps", halted)
    verb("stats", halted)
    verb("pause", halted)
    verb("resume", halted)
    verb("update", halted, "pids.max=30")
    assert "husk stop" in verb("delete", halted, status=1).err
    verb("kill", halted, "HUP")
    assert husk.wait_for(lambda: not husk.children(init(halted)))


def test_a_halted_keeper_cannot_be_asked(halted):
    r = verb("stop", halted, status=1, timeout=30)
    assert "does not answer" in r.err and "husk kill" in r.err


def test_kill_KILL_without_a_keeper(halted):
    pid = init(halted)
    verb("kill", halted, "KILL")
    assert husk.wait_for(lambda: not husk.alive(pid))


@pytest.fixture
def dead(name):
    start(name)
    husk.wait_for(lambda: (husk.RUNDIR / name / "box").exists())
    pid = init(name)
    os.kill(keeper(name), signal.SIGKILL)
    assert husk.wait_for(lambda: not husk.alive(pid))
    yield name


@pytest.mark.parametrize("clean", ["stop", "delete", "start"])
def test_what_a_dead_keeper_left(dead, clean):
    assert husk.left(dead)
    verb("wait", dead, status=137)
    verb("pause", dead, status=3)
    verb("reload", dead, status=3)
    verb("kill", dead, status=3)
    if clean == "start":
        start(dead)
        clean = "stop"
    verb(clean, dead)
    verb(clean, dead)
    husk.nothing_left(dead)


# ------------------------------------------------------------------ hostile state

def made(name):
    d = husk.RUNDIR / name
    husk.RUNDIR.mkdir(mode=0o700, exist_ok=True)
    d.mkdir(mode=0o700)
    return d


def clear(d):
    husk.command("rm", "-rf", d)


def foreign_dir(d, tmp):
    (d / "state").write_text("version=1\n")
    os.chown(d, 1000, 1000)


def foreign_state(d, tmp):
    (d / "state").write_text("version=1\n")
    os.chown(d / "state", 1000, 1000)


def linked_state(d, tmp):
    (tmp / "state").write_text("version=1\ncgroup2=/sys/fs/cgroup\n")
    (d / "state").symlink_to(tmp / "state")


def linked_dir(d, tmp):
    d.rmdir()
    (tmp / "d").mkdir(mode=0o700)
    (tmp / "d/state").write_text("version=1\n")
    d.symlink_to(tmp / "d")


def a_file(d, tmp):
    d.rmdir()
    d.write_text("version=1\n")


def fifo(d, tmp):
    os.mkfifo(d / "state", 0o600)


def writable(d, tmp):
    (d / "state").write_text("version=1\n")
    (d / "state").chmod(0o666)


def garbage(d, tmp):
    (d / "state").write_text("init=1 start=1\nversion=1\n")


HOSTILE = [foreign_dir, foreign_state, linked_state, linked_dir, a_file, fifo, writable, garbage]


@pytest.mark.skipif(os.getuid() != 0, reason="not root")
@pytest.mark.parametrize("what", HOSTILE, ids=lambda f: f.__name__)
def test_hostile_state_is_refused(what, tmp_path):
    name = husk.name("ctl")
    d = made(name)
    try:
        what(d, tmp_path)
        for v, words in (("stop", ()), ("delete", ()), ("wait", ()), ("reload", ()), ("kill", ()), ("pause", ()), ("events", ())):
            if (v, what) == ("events", garbage):
                continue		# it is followed, and its lines are of no box
            r = husk.husk(v, name, *words)
            assert r.status == 1 and re.match(rf"husk: {name}: .+: .+\n$", r.err), (v, r)
        r = husk.husk("start", f"name={name}", f"root={husk.ROOT}", *SLEEP)
        assert r.status == 125 and "init.state" in r.err, r
        assert os.path.lexists(d)
    finally:
        clear(d)


@pytest.mark.parametrize("text", ["", "vers", "version=1\nkeeper=", "version=1\nkeeper=1\ninit=12 sta"])
def test_a_torn_state_file_is_swept(text):
    """A keeper was killed while it wrote: what is not a whole line never happened."""
    name = husk.name("ctl")
    (made(name) / "state").write_text(text)
    verb("kill", name, status=3)
    verb("delete", name)
    husk.nothing_left(name)


def test_an_empty_directory_is_swept():
    name = husk.name("ctl")
    made(name)
    verb("stop", name)
    husk.nothing_left(name)


def test_a_recycled_pid_is_somebody_else():
    """The number is that of a process that lives, its start time is another: it is not touched."""
    name = husk.name("ctl")
    other = subprocess.Popen(["/bin/sleep", "100"])
    try:
        (made(name) / "state").write_text(f"version=1\nkeeper={other.pid}\ninit={other.pid} start=1\n")
        verb("kill", name, "KILL", status=3)
        verb("stop", name)
        husk.nothing_left(name)
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


# ------------------------------------------------------------------- the door

def door(name):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.settimeout(5)
    fd = os.open(husk.RUNDIR / name, os.O_RDONLY)
    for _ in range(1000):
        with contextlib.suppress(BlockingIOError):		# as many as the keeper lets wait are there
            s.connect(f"/proc/self/fd/{fd}/ctl")
            break
        time.sleep(0.002)
    os.close(fd)
    return s


def test_who_fills_the_door_keeps_nobody_out(name):
    """Connections that ask nothing, that ask rubbish, that wait: the oldest goes, and a stop is done."""
    start(name)
    quiet = [door(name) for _ in range(60)]
    patient = [door(name) for _ in range(60)]
    for s in patient:
        with contextlib.suppress(OSError):
            s.send(b"W")
    rude = door(name)
    rude.send(b"\xff" * 5000)
    assert len(rude.recv(100)) == 8 and rude.recv(100) == b""
    gone = door(name)
    gone.send(b"W")
    gone.close()
    verb("stop", name)
    for s in quiet + patient + [rude]:
        s.close()


def test_the_door_is_for_the_owner(name):
    start(name)
    path = husk.RUNDIR / name / "ctl"
    old = path.parent.stat().st_mode, husk.RUNDIR.stat().st_mode
    program = "import os,socket,sys; s=socket.socket(socket.AF_UNIX,socket.SOCK_SEQPACKET); s.settimeout(5); " \
        "fd=os.open(sys.argv[1],os.O_PATH); os.setgid(1000); os.setuid(1000); s.connect('/proc/self/fd/%d/ctl' % fd); s.send(b'S'); print(s.recv(9))"
    path.chmod(0o777)
    path.parent.chmod(0o711)
    try:
        r = husk.command("/usr/bin/python3", "-c", program, path.parent)
    finally:
        path.parent.chmod(0o700)
    assert old[0] & 0o777 == 0o700
    assert "b''" in r.out or r.status != 0, r
    assert husk.alive(init(name))
    verb("stop", name)


# ------------------------------------------------------------------ again and again

def held(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def test_many_starts_and_stops_leave_nothing(name):
    before, cgroups = husk.mounts(), len(husk.cgroup_dirs(name))
    for _ in range(100):
        start(name)
        verb("stop", name)
    assert husk.mounts() == before and len(husk.cgroup_dirs(name)) == cgroups
    husk.nothing_left(name)


def life(name, log, *mode):
    """A box from its start to its stop, with the injector on it: the log, and how the stop ended."""
    p = subprocess.Popen([str(w) for w in [husk.INJECT, "-o", log, *mode, "--", *fault.words(name, "/bin/sleep", "1000")]],
                         stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    husk.wait_for(lambda: "state=running" in state(name) or p.poll() is not None, 10, 0.002)
    s = husk.husk("stop", name)
    status = husk.status_of(p)
    p.stderr.close()
    return log.read_text(errors="replace"), s, status


def calls_of_a_life(name, log):
    text, s, status = life(name, log, "list")
    assert s.status == 0 and status == 143, (s, status)
    calls = [l.split(" ", 4) for l in text.splitlines() if l.startswith("call 0 ")]
    sends = [i for i, c in enumerate(calls) if fault.numbers()[int(c[2].partition(".")[0])] == "sendto"]
    return calls, sends[1]


def killed_at(name, log, mode, point):
    """At that call of the keeper: the box is gone with it, stop clears what is left, and the next one starts. How
    soon is measured in a guest, whose time is its own: test_pid1.py."""
    text, s, _ = life(name, log, mode, 0, point)
    assert s.status == 0, (mode, point, s)
    assert "alive " not in text, (mode, point, text)
    husk.nothing_left(name)
    return "hit " in text


@pytest.mark.parametrize("mode", ["before", "after"])
def test_a_keeper_killed_at_any_call_of_its_stop(name, tmp_path, mode):
    """Those of a start are in the fault loop; here from the release on. All of both with FAULT=all."""
    log = tmp_path / "log"
    calls, release = calls_of_a_life(name, log)
    points = [c[2] for c in (calls if os.environ.get("FAULT") == "all" else calls[release:])]
    assert len(points) > 30
    hit = sum(killed_at(name, log, mode, n) for n in points)
    assert hit > len(points) * 0.8, (hit, len(points))
    start(name)
    verb("stop", name)


def test_a_keeper_killed_at_any_moment_takes_its_box_along(name):
    """At moments by chance from its start to its stop: nothing of the box lives on, and the next start works."""
    dice = random.Random(5)
    for _ in range(50):
        p = husk.start("stop.timeout=1s", *SLEEP, box=name)
        s = None
        time.sleep(dice.random() * 0.06)
        if dice.random() < 0.5:
            s = waiting("stop", name)
            time.sleep(dice.random() * 0.03)
        p.kill()
        p.wait()
        assert husk.wait_for(lambda: not [q for q in husk.tagged(name) if not s or q != s.pid], step=0.005)
        if s:
            assert husk.status_of(s) == 0, s.stderr.read()
        p.stdout.close(), p.stderr.close()
        start(name)
        verb("stop", name)
        husk.nothing_left(name)


# ----------------------------------------------------------------------- the help

DAILY = "run check list start stop restart logs exec state help".split()


def test_the_first_page_of_help_is_for_every_day():
    pages = [re.findall(r"^husk (\w+)", verb("help", *w).out, re.M) for w in ((), ("all",))]
    assert pages[0] == [v for v in DAILY if v in pages[0]] + ["help"]
    assert not set(pages[1]) & set(DAILY) and {"pause", "kill", "delete", "wait", "reload", "boot"} <= set(pages[1])
    assert "stop.timeout" not in verb("help", "stop").out and "husk stop NAME" in verb("help", "stop").out
    r = verb("help", "restart").out
    assert "husk restart" in r and "restart=" in r
    verb("help", "stpo", status=2)
