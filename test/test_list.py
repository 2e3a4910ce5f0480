"""husk list, state and ps: what they say of boxes that run, that do not, and of what only looks like one."""
import contextlib
import fcntl
import json
import os
import pty
import random
import re
import select
import signal
import struct
import subprocess
import tempfile
import termios
import time

import pytest

import husk
import qemu

STATES = "waiting starting running ready paused stopping backoff done stopped skipped failed unknown".split()


def boot():
    return int(time.clock_gettime(time.CLOCK_BOOTTIME))


def me():
    """This process, as PID 1 of a box."""
    start = husk.read("/proc/self/stat").rpartition(")")[2].split()[19]
    return f"init={os.getpid()} start={start}\n"


class Run:
    """A run directory of our own, and what lies in it."""
    def __init__(self, path):
        self.path, self.held = path, []
        path.mkdir(0o700)

    def box(self, name, text, held=False):
        d = self.path / name
        d.mkdir(0o700)
        if text is not None:
            (d / "state").write_bytes(text if isinstance(text, bytes) else text.encode())
            (d / "state").chmod(0o600)
        if held:
            fd = os.open(d, os.O_RDONLY)
            fcntl.flock(fd, fcntl.LOCK_EX)
            self.held.append(fd)
        return d

    def husk(self, *words, confs=None, env=None, timeout=5):
        env = dict(os.environ, HUSK_RUN=str(self.path), **(env or {}))
        before = []
        if confs is not None:
            files = confs if isinstance(confs, dict) else dict.fromkeys(confs, "exec=/bin/true\n")
            files = "".join(f" && printf %s '{text}' >/etc/husk/{c}" for c, text in files.items())
            before = ["unshare", "-m", "--propagation", "private", "sh", "-c",
                      f"mount -t tmpfs none /etc && mkdir /etc/husk && touch /etc/husk/board.conf{files} && exec \"$@\"", "sh"]
        return husk.command(*before, husk.HUSK, *words, env=env, timeout=timeout)

    def list(self, *words, **more):
        r = self.husk("list", *words, **more)
        assert r.status == 0 and not r.err, r
        return r.out

    def boxes(self, **more):
        return {b["name"]: b for b in map(json.loads, self.list("-j", **more).splitlines())}

    def close(self):
        for fd in self.held:
            os.close(fd)


@pytest.fixture
def rundir(tmp_path):
    r = Run(tmp_path / "run")
    yield r
    r.close()


def on_terminal(*words, columns=80, env=None):
    """What a terminal of so many columns gets."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    p = subprocess.Popen([str(w) for w in (husk.HUSK, *words)], stdin=slave, stdout=slave, stderr=slave, env={**os.environ, "TERM": "linux", **(env or {})})
    os.close(slave)
    text = b""
    with contextlib.suppress(OSError):
        while select.select([master], [], [], 5)[0]:
            got = os.read(master, 4096)
            if not got:
                break
            text += got
    os.close(master)
    status = p.wait(5)
    return status, text.decode().replace("\r\n", "\n")


def bare(text):
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def field(name, what, status=0):
    r = husk.husk("state", name, what)
    assert r.status == status, r
    return r.out.rstrip("\n")


@contextlib.contextmanager
def running(name, *words, script="echo up; exec sleep 100"):
    with husk.box(*words, "--", "/bin/sh", "-c", script, box=name) as p:
        assert husk.line(p, 20) == "up"
        assert husk.wait_for((husk.RUNDIR / name / "box").exists)
        try:
            yield p
        finally:
            p.send_signal(signal.SIGCONT)
            p.terminate()
            husk.status_of(p)


def leaf(name, file):
    for d in husk.cgroup_dirs(name):
        text = husk.read(os.path.join(d, file)).strip()
        if text:
            return text
    return None


# ----------------------------------------------------------------- of a box that runs

def test_of_a_box_that_runs(name):
    with running(name, "memory.max=48M", "pids.max=77") as p:
        b = next(b for b in map(json.loads, husk.husk("list", "-j").out.splitlines()) if b["name"] == name)
        assert (b["state"], b["pid"], b["keeper"], b["restarts"]) == ("running", husk.init_of(p.pid), p.pid, 0)
        assert b["net"] == "none" and 61184 <= int(b["user"]) <= 65519 and b["up"] < 20
        if leaf(name, "pids.max"):
            assert (b["pids"], b["pids.max"]) == (int(leaf(name, "pids.current")), 77)
        if leaf(name, "memory.max") or leaf(name, "memory.limit_in_bytes"):
            assert b["memory.max"] == 48 << 20 and 0 < b["memory"] < 48 << 20
        assert field(name, "pid") == str(b["pid"]) and field(name, "user") == b["user"] and field(name, "next") == ""
        r = husk.husk("state", "-k", name)
        assert r.status == 0 and f"\npid={b['pid']}\n" in r.out
        assert husk.husk("state", f"/somewhere/{name}.conf", "pid").out == f"{b['pid']}\n"
        status, text = on_terminal("state", name)
        assert status == 0 and re.match(rf"state=running pid={b['pid']} up=\d+s user={b['user']} net=none restarts=0\nmemory=\S+ pids=\S+ cpu=\d+%\n", text), text
    assert husk.husk("state", name).status == 4


def test_columns_of_the_list(name):
    """As they are printed in the language's own page."""
    with running(name) as p:
        text = bare(on_terminal("list")[1])
        pid = husk.init_of(p.pid)
    wide = text.index("STATE") - 10		# as the longest name
    assert wide >= len(name) - 9 and text.startswith(f"NAME      {' ' * wide}STATE      UP     PID  RESTARTS  MEMORY     CPU  WHY\n"), text
    line = next(l[wide:] for l in text.splitlines() if f" {pid} " in l)
    assert re.fullmatch(r"running    \ds     ", line[10:28]) and line[40] == "0" and line[56] in "%-", line
    assert wide + len(line) <= 80 or wide > 32 - 9


def test_paused_and_halted(name):
    with running(name) as p:
        husk.husk("pause", name)
        if field(name, "state") == "paused":
            assert husk.husk("state", name).status == 0
            husk.husk("resume", name)
        os.kill(p.pid, signal.SIGSTOP)
        assert field(name, "state") == "running"
        assert husk.husk("ps", name).out.count("pid=") == 2


def test_a_killed_keeper(name):
    with running(name) as p:
        os.kill(p.pid, signal.SIGKILL)
        husk.status_of(p)
        assert husk.wait_for(lambda: husk.husk("state", name, "why").out == "keeper killed\n")
        r = husk.husk("state", name)
        assert r.status == 3 and "state=failed\n" in r.out, r
        assert husk.husk("ps", name).status == 3
        p = subprocess.run([husk.HUSK, "run", f"name={name}", f"root={husk.ROOT}", "--", "/bin/true"], timeout=20, check=True)
    assert husk.husk("state", name).status == 4


def test_an_end_out_of_order(name):
    """PID 1 is gone, and the keeper stands still: no box of a strange number is shown."""
    with running(name) as p:
        os.kill(p.pid, signal.SIGSTOP)
        os.kill(husk.init_of(p.pid), signal.SIGKILL)
        assert husk.wait_for(lambda: husk.husk("state", name, "state").out == "stopping\n")
        assert not husk.husk("state", name, "pid").out


def test_an_end_while_it_is_looked_at(name, tmp_path):
    """Its directory is open, the lock is not yet asked for: what ended in order is no killed keeper."""
    log = tmp_path / "log"
    with running(name) as p:
        s = subprocess.Popen(["strace", "-qq", "-o", log, "-e", "trace=openat,flock", "-e", "inject=flock:delay_enter=1s", husk.HUSK, "state", name], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert husk.wait_for(lambda: f'"{name}"' in husk.read(log))
        p.terminate()
        husk.status_of(p)
        out, err = s.communicate(timeout=10)
    assert s.returncode == 4 and not out and b"no such box" in err, (out, err)


# ----------------------------------------------------------------- by the state file

WORDS = [
    # text, somebody holds it, the state, a part of why, the status
    ("version=1\nkeeper=1\n", True, "starting", "", 3),
    ("version=1\nstate=running\n", False, "failed", "keeper killed", 3),
    ("version=1\nstate=running 5\nstate=stopping 7\n", True, "stopping", "", 0),
    ("version=1\nstate=waiting 5 needs /dev/gps\n", True, "waiting", "needs /dev/gps", 3),
    ("version=1\nstate=backoff 5 killed: out of memory (48M)\n", True, "backoff", "killed: out of memory (48M)", 3),
    ("version=1\nstate=done 5 exit 0\n", False, "done", "exit 0", 3),
    ("version=1\nstate=skipped 5 if=!/data/no-update\n", False, "skipped", "if=!/data/no-update", 3),
    ("version=1\nstate=failed 5 10 exits in 1h, last: signal 11 SEGV; gave up\n", False, "failed", "gave up", 3),
    ("version=1\nboot=00000000-0000-0000-0000-000000000000\nstate=running 5\n", False, "failed", "before the machine was booted", 3),
    ("", False, "failed", "keeper killed", 3),
    ("version=1\ninit=1 start=1\nstate=running 5\n", False, "failed", "keeper killed", 3),
    ("version=1\ninit=1 start=1\nstate=running 5\n", True, "stopping", "", 0),
    ("version=1\nstate=running 5\nstate=fai", False, "failed", "keeper killed", 3),
]


@pytest.mark.parametrize("text, held, word, why, status", WORDS)
def test_by_its_state_file(rundir, text, held, word, why, status):
    rundir.box("b", text, held)
    b = rundir.boxes()["b"]
    assert b["state"] == word and why in b.get("why", ""), b
    r = rundir.husk("state", "b", "state")
    assert (r.status, r.out, r.err) == (status, word + "\n", "")


def test_times_and_reasons_for_people(rundir):
    now = boot()
    ago, words = (7385, "2h3m") if now > 7400 else (50, "5[01]s")		# no time is before the boot
    rundir.box("blob", f"version=1\nrestarts=12\nwindow=7 of 10 in 1h\nnext={now + 34}\nfile=/etc/husk/blob.conf\nstate=backoff {now - 5} killed: out of memory (48M)\nlast={now - 5} out of memory after 8m2s\nlast={now - 600} exit 255 after 12s\n", True)
    rundir.box("migrate", f"version=1\nstate=done {now - ago} exit 0\n")
    rundir.box("nodered", f"version=1\n{me()}restarts=1\nlast={now - 3840} exit 1 after 3d2h\nstate=running {now - 3840}\n", True)
    text = bare(on_terminal("list", env={"HUSK_RUN": str(rundir.path)}, columns=120)[1])
    rows = [re.split(r"\s{2,}", l) for l in text.splitlines()[1:]]
    assert [r[0] for r in rows] == ["blob", "migrate", "nodered"]
    assert rows[0][1:2] + rows[0][4:5] == ["backoff", "12"] and re.fullmatch(r"killed: out of memory \(48M\); again in 3[34]s", rows[0][-1]), rows
    assert re.fullmatch(f"exit 0, {words} ago", rows[1][-1]) and re.fullmatch("restarted: exit 1, 1h4m ago", rows[2][-1]), rows
    status, text = on_terminal("state", "blob", env={"HUSK_RUN": str(rundir.path)})
    assert status == 3 and re.match(r"""state=backoff
why=killed: out of memory \(48M\)
since=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ
next=3[34]s
restarts=12
restarts.window=7 of 10 in 1h
file=/etc/husk/blob.conf
last.1=\d\d:\d\d:\d\d out of memory after 8m2s
last.2=\d\d:\d\d:\d\d exit 255 after 12s
""", text), text
    rundir.box("gpsd", f"version=1\nrestarts=4\nstate=waiting {now - 125} needs /dev/gps\nlast={now - 125} needs /dev/gps has gone after 1h\n", True)
    for what in "list", "state":
        assert re.search(r"needs /dev/gps \(gone 2m\ds ago\)$", bare(on_terminal(*(["state", "gpsd"] if what == "state" else ["list"]), env={"HUSK_RUN": str(rundir.path)}, columns=120)[1]), re.M)
    since = json.loads(rundir.husk("state", "-j", "migrate").out)["since"]
    assert abs(time.time() - ago - (time.mktime(time.strptime(since, "%Y-%m-%dT%H:%M:%SZ")) - time.timezone)) < 3


def test_one_moment_has_one_time(rundir):
    """It is reckoned from one clock to the other, not from how long ago it was."""
    rundir.box("b", f"version=1\nstate=done {boot() - 100} exit 0\n")
    assert len({rundir.husk("state", "b", "since").out for _ in range(300)}) == 1


def test_who_is_asked_at_once_knows_all(name):
    """What it was made of is written when it has lived for 0.1 s."""
    assert husk.husk("start", f"name={name}", f"root={husk.ROOT}", "--", "/bin/sleep", "60").status == 0
    try:
        r = husk.husk("state", "-k", name)
        assert "\nnet=none\n" in r.out and re.search(r"^user=6\d{4}$", r.out, re.M), r
    finally:
        husk.husk("stop", name)


def test_what_was_denied(name):
    """A line is said for two of them, and all are counted."""
    script = "mount -t proc p /tmp; mount -t proc p /tmp; chroot /; echo up; exec sleep 100"
    with running(name, "syscalls.log=yes", script=script) as p:
        assert husk.wait_for(lambda: field(name, "denied") == "3"), (husk.husk("state", name), husk.errors(p))
        text = on_terminal("state", name)[1]
        assert re.search(r"^denied=3 \(last: \d\d:\d\d:\d\d chroot by chroot, \d+\)$", text, re.M), text
        assert json.loads(husk.husk("state", "-j", name).out)["denied"] == 3
    husk.nothing_left(name)


def test_the_last_lines_of_its_log(rundir):
    """A beginning that is cut, and an end that is torn, are left out; there are lines of husk's own."""
    d = rundir.box("b", "version=1\nstate=failed 5 x\n")
    said = lambda: [l for l in on_terminal("state", "b", env={"HUSK_RUN": str(rundir.path)})[1].splitlines() if l.startswith("log: ")]
    assert said() == []
    for n in 3, 10, 1000:
        lines = [f"2026-01-04T10:{i % 60:02}:07.042Z {'?' * (i % 50)} line {i}\n" for i in range(n)] + ["2026-01-04T10:22:08.981Z! killed \33[m\n"]
        for end in "", "2026-01-04T10:22:09.1":
            (d / "log").write_text("".join(lines) + end)
            whole = [f"log: {l[11:19]}{l[24:-1]}".replace("\33", "\\x1b") for l in lines]
            assert said() == whole[-4:], (n, end)
    for text in b"", b"\n", b"\n\n\n\n", b"x", b"short\n", b"x" * 5000, b"x" * 5000 + b"\n":
        (d / "log").write_bytes(text)
        assert said() == []
    (d / "log").unlink()
    os.mkfifo(d / "log")
    assert said() == []


def test_a_reason_that_is_too_long_stands_below(rundir):
    rundir.box("b", "version=1\nstate=backoff 5 killed: out of memory (memory.max=48M, peak 48M)\n", True)
    text = bare(on_terminal("list", env={"HUSK_RUN": str(rundir.path)})[1])
    assert text.splitlines()[2] == " " * 10 + "killed: out of memory (memory.max=48M, peak 48M)"
    assert len(on_terminal("list", env={"HUSK_RUN": str(rundir.path)}, columns=132)[1].splitlines()) == 2


def test_problems_first_and_in_colour(rundir):
    rundir.box("a", "version=1\nstate=done 5 exit 0\n")
    rundir.box("m", "version=1\nstate=failed 5 x\n")
    rundir.box("z", "version=1\nstate=skipped 5 if=/x\n")
    run = {"HUSK_RUN": str(rundir.path)}
    text = on_terminal("list", env=run)[1]
    assert [l.split()[0] for l in bare(text).splitlines()] == ["NAME", "m", "a", "z"]
    assert [l for l in text.splitlines() if "\33" in l] == [l for l in text.splitlines() if "failed" in l]
    for more in {"TERM": "dumb"}, {"NO_COLOR": "1"}:
        assert "\33" not in on_terminal("list", env={**run, **more})[1]
    assert [l for l in rundir.list().splitlines() if l.startswith("name=")] == ["name=a", "name=m", "name=z"]


def test_files_that_are_not_started(rundir):
    rundir.box("m", "version=1\nstate=done 5 exit 0\n")
    (rundir.path / ".uid.61200").symlink_to("m")
    b = rundir.boxes(confs=["web.conf", "a.conf", "m.conf", "no.such", ".hidden.conf", "x.conf.bak"])
    assert {n: x["state"] for n, x in b.items()} == {"a": "stopped", "m": "done", "web": "stopped"}
    assert list(b) == ["a", "m", "web"]
    r = rundir.husk("state", "web", confs=["web.conf"])
    assert (r.status, r.err) == (3, "") and "state=stopped\n" in r.out
    r = rundir.husk("state", "nosuch", confs=["web.conf"])
    assert r.status == 4 and re.fullmatch("husk: nosuch: .*\n", r.err), r


def test_a_file_that_is_wrong(rundir):
    """No box can be made of it: it is among those that need help, with the first line of check; a warning is none, and who runs is as he is."""
    confs = {"bad.conf": "exec=/bin/true\nmemroy.max=3M\nnice=99\n", "empty.conf": "", "off.conf": "exec=/bin/true\nboot=no\n", "m.conf": "no"}
    rundir.box("m", "version=1\nstate=done 5 exit 0\n")
    b = rundir.boxes(confs=confs)
    assert {n: x["state"] for n, x in b.items()} == {"bad": "failed", "empty": "failed", "m": "done", "off": "stopped"}, b
    why = "/etc/husk/bad.conf:2: memroy.max: no such key; memory.max?"
    assert b["bad"]["why"] == why and b["bad"]["file"] == "/etc/husk/bad.conf" and b["empty"]["why"] == "/etc/husk/empty.conf: exec: a value is missing", b
    r = rundir.husk("state", "bad", confs=confs)
    assert (r.status, r.err) == (3, "") and f"state=failed\nwhy={why}\n" in r.out, r


def test_nothing_was_ever_started(tmp_path):
    r = husk.command(husk.HUSK, "list", env={"HUSK_RUN": str(tmp_path / "none")})
    assert (r.status, r.err) == (0, ""), r
    (tmp_path / "web").mkdir()
    here = os.open(tmp_path, os.O_RDONLY)		# its names are no boxes
    r = husk.command("unshare", "-m", "sh", "-c", "mount -t tmpfs none /etc && exec \"$@\"", "sh", husk.HUSK, "state", "wbe", stdin=here, env={"HUSK_RUN": str(tmp_path / "none")})
    os.close(here)
    assert r.status and r.err == "husk: wbe: no such box, and no file /etc/husk/wbe.conf\n", r


def test_a_file_that_has_changed(rundir, tmp_path):
    """Newer or older than what was read, by whatever clock."""
    conf = tmp_path / "web.conf"
    conf.write_text("exec=/bin/true\n")
    os.utime(conf, (5, 5))
    rundir.box("web", f"version=1\n{me()}file={conf}\nmtime={5 * 10**9 % 2**32}\nstate=running {boot()}\n", True)
    assert "changed" not in rundir.boxes()["web"]
    for when in 4, 6, 2**31 - 1:
        os.utime(conf, (when, when))
        assert rundir.boxes()["web"]["changed"] == "yes"
        assert "changed on disk: husk restart web" in on_terminal("list", env={"HUSK_RUN": str(rundir.path)})[1]
    conf.unlink()
    assert "changed" not in rundir.boxes()["web"]


def test_a_file_that_has_changed_since_the_start(name, tmp_path):
    conf = tmp_path / f"{name}.conf"
    conf.write_text(f"root={husk.ROOT}\nexec=/bin/sh -c \"sleep 0.5; exit 3\"\nrestart=always 100ms\n")
    before = os.stat(conf).st_mtime
    assert husk.husk("start", conf).status == 0
    try:
        assert field(name, "file") == str(conf) and field(name, "changed") == ""
        os.utime(conf, (before + 5, before + 5))
        assert field(name, "changed") == "yes"
        # what its keeper starts again is what it was started from
        assert husk.wait_for(lambda: husk.husk("state", name, "restarts").out.strip() not in ("0", "")), husk.husk("state", name)
        assert husk.wait_for(lambda: husk.husk("state", name, "state").out == "running\n")
        assert husk.husk("state", name, "changed").out == "yes\n" and re.fullmatch(r"\S+Z exit 3 after \d+\.\ds\n", husk.husk("state", name, "last.1").out)
    finally:
        assert husk.husk("stop", name).status == 0
    assert husk.husk("state", name).status == 4


def test_what_has_ended_in_the_background(name):
    for words, state, why in (("echo said", "done", "exit 0"), ("echo said; exit 3", "failed", "exit 3")):
        assert husk.husk("start", f"name={name}", f"root={husk.ROOT}", "--", "/bin/sh", "-c", words).status == 0
        assert husk.wait_for(lambda: husk.husk("state", name, "state").out == f"{state}\n"), husk.husk("state", name)
        r = husk.husk("state", "-j", name)
        b = json.loads(r.out)
        assert r.status == 3 and b["why"] == why and "pid" not in b and "keeper" not in b, b
        assert re.search(r"\nlog: \d\d:\d\d:\d\d said\n", on_terminal("state", name)[1])
        assert husk.husk("stop", name).status == 0 and husk.husk("state", name).status == 4


def test_words(rundir):
    rundir.box("b", "version=1\nstate=done 5 exit 0\n")
    r = rundir.husk("state", "b", "restart")
    assert r.status == 2 and "restarts?" in r.err
    for words in ("state",), ("state", "b", "pid", "x"), ("state", "x/../b/.."), ("list", "b"), ("list", "-w"), ("ps",), ("ps", "b", "x"), ("state", "b/.."):
        r = rundir.husk(*words)
        assert r.status == 2 and r.err.startswith("husk: ") and not r.out, (words, r)


# ----------------------------------------------------------------- what is hostile

def plant(rundir, what):
    """What is called b, and is none."""
    at = rundir.path / "b"
    if what == "a link":
        at.symlink_to("/etc")
    elif what == "a file":
        at.write_text("state=running\n")
    elif what == "a FIFO":
        os.mkfifo(at)
    else:
        d = rundir.box("b", None, what == "a FIFO in it, held")
        state = d / "state"
        if what.startswith("a FIFO in it"):
            os.mkfifo(state)
        elif what == "a link in it":
            state.symlink_to("/etc/passwd")
        elif what == "a directory in it":
            state.mkdir()
        elif what == "somebody's in it":
            state.write_text("state=running\n")
            os.chown(state, 12345, 12345)
        elif what == "one that others may write":
            state.write_text("state=running\n")
            state.chmod(0o666)


HOSTILE = ["a link", "a file", "a FIFO", "a FIFO in it", "a FIFO in it, held", "a link in it", "a directory in it", "somebody's in it", "one that others may write"]


@pytest.mark.parametrize("what", HOSTILE)
def test_what_is_no_state_file(rundir, what):
    rundir.box("good", "version=1\nstate=done 5 exit 0\n")
    plant(rundir, what)
    b = rundir.boxes()
    assert b["good"]["state"] == "done" and b["b"]["state"] == "unknown" and b["b"]["why"].startswith("its state file"), b
    r = rundir.husk("state", "b")
    assert r.status == 4 and "why=its state file" in r.out, r
    for verb in ("ps", "b"), ("pause", "b"), ("stats", "b"):
        r = rundir.husk(*verb)
        assert r.status == 1 and r.err.startswith("husk: b: "), r


def test_a_run_directory_that_is_not_ours(tmp_path):
    d = tmp_path / "run"
    for make, why in ((lambda: d.symlink_to("/tmp"), ": Not a directory"), (lambda: (d.unlink(), d.mkdir(), d.chmod(0o777)), None), (lambda: (d.chmod(0o700), os.chown(d, 12345, 12345)), None)):
        make()
        r = husk.command(husk.HUSK, "list", env={"HUSK_RUN": str(d)})
        assert r.status == 1 and r.err == f"husk: list: run directory {d}{why or ', which is not this user' + chr(39) + 's alone: Operation not permitted'}\n" and not r.out, r


def test_a_number_that_is_another_process(rundir):
    """The pid is there, the start time is another: nothing is said of that process."""
    rundir.box("b", f"version=1\ninit={os.getpid()} start=1\nstate=running 5\n", True)
    b = rundir.boxes()["b"]
    assert b["state"] == "stopping" and "pid" not in b
    assert rundir.husk("ps", "b").status == 3


def test_control_characters_do_not_reach_the_terminal(rundir):
    rundir.box("b", b"version=1\nfile=/tmp/\33]0;x\7.conf\nlast=5 \33[2J\nstate=failed 5 \33[31mred\7\x9b \"quoted\\\n")
    for words in ("list",), ("state", "b"), ("state", "b", "why"):
        out = bare(on_terminal(*words, env={"HUSK_RUN": str(rundir.path)})[1])
        assert not re.search(r"[^\n -~]", out) and "x1b" in out, out
    assert json.loads(rundir.husk("state", "-j", "b").out)["why"] == "\33[31mred\7\x9b \"quoted\\"


def test_any_bytes(rundir):
    r = random.Random(5)
    keys = [b"state=", b"init=", b"last=", b"restarts=", b"next=", b"file=", b"uid=", b"cgroup=", b"boot=", b"keeper=", b"word=", b""]
    words = [s.encode() for s in STATES] + [b"9" * 40, b"-1", b" ", b"%s%n", b"\0", b"\33[m", b"/", b"x" * 600, b"1 start=1", b"\xff"]
    for i in range(150):
        lines = [r.choice(keys) + b" ".join(r.choice(words) for _ in range(r.randrange(4))) for _ in range(r.randrange(12))]
        rundir.box(f"b{i}", b"\n".join(lines)[:r.choice((9999, 50, 4096))], r.random() < 0.5)
    b = rundir.boxes(timeout=10)
    assert len(b) == 150 and {x["state"] for x in b.values()} - set(STATES) <= {""} | {x["state"] for x in b.values()}
    status, text = on_terminal("list", env={"HUSK_RUN": str(rundir.path)})
    assert status == 0 and not re.search(r"[^\n -~]", bare(text))
    for i in range(0, 150, 10):
        assert rundir.husk("state", f"b{i}").status in (0, 3, 4)


def test_many(rundir):
    for i in range(300):
        rundir.box(f"box-{i}", f"version=1\nstate={'failed' if i % 7 else 'done'} 5 x\n")
    began = time.monotonic()
    text = bare(on_terminal("list", env={"HUSK_RUN": str(rundir.path)})[1])
    names = [l.split()[0] for l in text.splitlines()[1:]]
    bad = sorted(f"box-{i}" for i in range(300) if i % 7)
    assert names == bad + sorted(f"box-{i}" for i in range(300) if not i % 7)
    assert time.monotonic() - began < 8


# ----------------------------------------------------------------- ps

def processes(name):
    r = husk.husk("ps", "-j", name)
    assert r.status == 0 and not r.err, r
    return [json.loads(l) for l in r.out.splitlines()]


def test_processes_of_a_box(name):
    with running(name, script="sleep 77 & sleep 88 & echo up; wait") as p:
        q = processes(name)
        assert q[0]["pid"] == husk.init_of(p.pid) and q[0]["inside"] == 1
        assert {x["command"] for x in q[1:]} >= {"sleep 77", "sleep 88"} and {x["user"] for x in q[1:]} == {int(field(name, "user"))}
        for x in q:
            status = husk.read(f"/proc/{x['pid']}/status")
            assert re.search(r"^NSpid:.*\t(\d+)$", status, re.M).group(1) == str(x["inside"])
        assert sorted(x["pid"] for x in q) == sorted(husk.pids_of(p.pid)) if hasattr(husk, "pids_of") else len(q) == 4
        text = on_terminal("ps", name)[1]
        assert re.match(r"PID     INSIDE  USER    S  RSS    TIME     COMMAND\n", text)
        assert re.search(rf"^{q[0]['pid']:<8}1       0       S  \S+ +\d+\.\d\ds +\S", text, re.M), text
        assert all(len(l) <= 80 for l in text.splitlines())


def test_names_of_its_own_making(name):
    """What a process calls itself reaches no terminal as it is."""
    script = "echo up; exec sh -c 'sleep 100; true' \"$(printf '\\033[2Jq\\nx\"')\""
    with running(name, script=script):
        text = on_terminal("ps", name)[1]
        assert "\\x1b[2Jq\\x0ax" in text and not re.search(r"[^\n -~]", text), text
        assert any("\33[2Jq\nx\"" in x["command"] for x in processes(name))


def test_a_command_line_that_never_comes(name, tmp_path):
    with running(name, script="sleep 77 & echo up; wait") as p:
        pid = husk.init_of(p.pid)
        out = tmp_path / "out"
        with open(out, "w") as to:
            s = subprocess.Popen(["strace", "-qqf", "-o", "/dev/null", "-P", f"/proc/{pid}/cmdline", "-e", "inject=read:delay_enter=60s", husk.HUSK, "ps", "-j", name], stdout=to, stderr=subprocess.DEVNULL)
        try:
            assert husk.wait_for(lambda: out.read_text().count("\n") == 3, 10), out.read_text()
        finally:
            s.kill()
            s.wait()
        q = [json.loads(l) for l in out.read_text().splitlines()]
        assert [x["command"] for x in q if x["pid"] == pid][0].startswith("[") and "sleep 77" in {x["command"] for x in q}


def test_processes_without_a_cgroup(name):
    """By the pid namespace."""
    with running(name, script="sleep 77 & echo up; wait") as p:
        hide = [w for d in husk.cgroup_dirs(name) for w in ("-P", d)]
        r = husk.command("strace", "-qq", "-o", "/dev/null", *hide, "-e", "inject=openat:error=ENOENT", husk.HUSK, "ps", "-j", name)
        assert r.status == 0 and sorted(json.loads(l)["pid"] for l in r.out.splitlines()) == sorted(x["pid"] for x in processes(name)), r
        assert husk.alive(husk.init_of(p.pid))


def test_processes_below_its_cgroup(name):
    with running(name, script="sleep 77 & echo up; wait"):
        leafs = [d for d in husk.cgroup_dirs(name)]
        pid = [x["pid"] for x in processes(name) if x["command"] == "sleep 77"][0]
        for d in leafs:
            os.makedirs(f"{d}/sub/deep", exist_ok=True)
            with open(f"{d}/sub/deep/cgroup.procs", "w") as f:
                f.write(str(pid))
        assert pid in [x["pid"] for x in processes(name)]


def test_an_unprivileged_owner(name):
    """His own run directory, and figures as far as he has cgroups; root's is not his."""
    with tempfile.TemporaryDirectory(prefix="husk-") as d:
        os.chmod(d, 0o755)
        os.mkdir(f"{d}/run", 0o700)
        os.chown(f"{d}/run", 1000, 1000)
        user = ["setpriv", "--reuid=1000", "--regid=1000", "--clear-groups", "env", f"HUSK_RUN={d}/run", husk.HUSK]
        p = subprocess.Popen([*user, "run", f"name={name}", f"root={husk.ROOT}", "ns.user=new", "--", "/bin/sh", "-c", "sleep 77 & echo up; wait"],
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            if p.stdout.readline() != b"up\n":
                pytest.skip(husk.errors(p))
            pid = husk.init_of(p.pid)
            r = husk.command(*user, "list", "-j")
            b = json.loads(r.out)
            assert (b["name"], b["state"], b["pid"], r.err) == (name, "running", pid, ""), r
            assert husk.command(*user, "state", name, "state").out == "running\n"
            q = {x["command"]: x for x in map(json.loads, husk.command(*user, "ps", "-j", name).out.splitlines())}
            assert q["sleep 77"]["user"] == 1000 and [x["inside"] for x in q.values()][:1] == [1] and len(q) == 3, q
            r = husk.command(*user[:-2], f"HUSK_RUN={husk.RUNDIR}", husk.HUSK, "list")
            assert r.status == 1 and "run directory /" in r.err, r
        finally:
            p.terminate()
            husk.status_of(p)
            p.stdout.close()
            p.stderr.close()


@pytest.mark.parametrize("board", ["qemu-armv7", "qemu-i386"])
def test_on_32_bits(board):
    """Columns, figures, the time of a file, and who is inside."""
    text = qemu.guest(board, """
husk run -d name=web root=/srv/root memory.max=8M -- /bin/sh -c 'sleep 77 & wait'
while [ ! -e /run/husk/web/box ]; do usleep 100000; done
grep -q ^file= /run/husk/web/state || { touch -d '2001-09-09 01:46:40' /etc/husk/web.conf; echo file=/etc/husk/web.conf; echo mtime=$((1000000000 * 1000000000 % 4294967296)); } >>/run/husk/web/state
husk list -k; echo "list: $?"
husk ps -j web; echo "ps: $?"
touch -d 2001-01-01 /etc/husk/web.conf; husk state web changed; husk state web; echo "state: $?"
kill -9 $(husk state web keeper); while [ "$(husk state web state)" != failed ]; do usleep 100000; done; husk state web why; husk state web state; echo "dead: $?"
""", timeout=150)
    assert text.ended and all(f"\n{l}\n" in text.text for l in ("name=web\nstate=running", "memory.max=8388608", "pids=3\npids.max=256", "list: 0")), text
    assert re.search(r'"inside":1,"user":0(?s:.*)"command":"sleep 77"}\nps: 0\n', text.text), text
    assert re.search(r"\nyes\nstate=running pid=(?s:.*)\nwhy=changed on disk: husk restart web\n(?s:.*)\nstate: 0\nkeeper killed\nfailed\ndead: 3\n", text.text), text


def test_on_a_board():
    """PID 1 of the machine is the keeper of all: what runs, what has ended, and what was never started."""
    b = qemu.of("qemu-x86_64", "6.1")
    root = "root=/srv/root\nuser=1000\n"
    boxes = {"web": root + "exec=/bin/sleep 77\nmemory.max=8M\n", "once": root + "exec=/bin/true\n", "bad": root + "exec=/bin/sh -c \"exit 3\"\n", "off": root + "exec=/bin/true\nboot=no\n",
             "wrong": root + "exec=/no/such\n", "look": "use=host\nexec=/bin/sh /look\n"}
    look = """while [ "$(husk state wrong state)" != failed ] || [ "$(husk state bad state)" != failed ] || [ "$(husk state once state)" != done ]; do usleep 100000; done
husk list >/dev/console; husk list -j >/dev/console; husk ps web >/dev/console; husk poweroff
"""
    text = qemu.boot(b, qemu.with_husk(b, boxes) | {"look": qemu.file(look)}, timeout=150)
    assert text.ended, text
    rows = {l.split()[0]: l.split() for l in bare(text.text).splitlines() if re.match(r"\S+ +[a-z]+ +\S+ +\S+ +\d ", l)}
    assert {n: r[1] for n, r in rows.items()} == {"web": "running", "once": "done", "bad": "failed", "off": "stopped", "wrong": "failed", "look": "running"}, text
    assert list(rows)[:2] == ["bad", "wrong"] and rows["bad"][-2:] == ["exit", "3"], text
    web = next(json.loads(l) for l in text.text.splitlines() if l.startswith('{"name":"web"'))
    assert web["keeper"] == 1 and web["memory.max"] == 8 << 20 and web["file"] == "/etc/husk/web.conf" and "changed" not in web, web
    assert re.search(rf"\n{web['pid']} +1 +.*\n\d+ +2 +1000 .*sleep 77\n", text.text), text
