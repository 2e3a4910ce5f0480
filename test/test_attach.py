"""husk attach: a terminal on that of a box in the background, and the log of what it shows."""
import contextlib
import hashlib
import os
import re
import select
import signal
import subprocess
import termios
import time

import pytest

import husk

LEAVE = "\x10\x11"
ECHO = ("--", "/bin/sh", "-c", "stty -echo; echo up; while read x; do echo \"got $x\"; done")


def keeper(name):
    return int(re.search(r"^keeper=(\d+)", husk.read(husk.RUNDIR / name / "state"), re.M)[1])


@contextlib.contextmanager
def box(*words, name):
    r = husk.husk("start", f"name={name}", f"root={husk.ROOT}", "tty=yes", *words)
    assert r.status == 0, r
    try:
        yield keeper(name)
    finally:
        with contextlib.suppress(TypeError):
            husk.husk("kill", name, "KILL")
        assert husk.husk("stop", name).status == 0
    husk.nothing_left(name)


def logged(name, what, timeout=5):
    assert husk.wait_for(lambda: re.search(what, husk.husk("logs", name).out, re.M), timeout), husk.husk("logs", name)


@contextlib.contextmanager
def attach(name, **more):
    with husk.terminal("attach", name, **more) as t:
        t.until(lambda text: t.raw())
        yield t


def inside(name, command, **more):
    return husk.husk("exec", "-T", name, "--", "/bin/sh", "-c", command, **more)


# ------------------------------------------------------------------- to and fro

def test_attach_and_leave(name):
    with box("--", "/bin/sh", name=name), attach(name, size=(31, 77)) as t:
        t.type("stty size; tty; echo $TERM-$((1+1))\r")
        t.expect("31 77\r\n/dev/(pts/0|console)\r\n\\S+-2\r\n")
        assert t.raw()
        t.size(20, 60)
        t.type("until stty size | grep '20 60'; do usleep 1000; done\r")
        t.expect("\n20 60\r")
        t.type("sleep 100\r")
        assert husk.wait_for(lambda: "command=sleep 100" in husk.husk("ps", name).out)
        t.type("\x03echo on\r")		# its own terminal's, and none of the client
        t.expect("\non\r")
        t.type(LEAVE)
        assert t.end() == 0 and "left alone" in t.text and not t.raw()
        assert husk.husk("state", name, "state").out == "running\n"
        t.run("attach", name)
        t.type("echo once more\r")
        t.expect("\nonce more\r")
        t.type("exit 3\r")
        assert t.end() == 3 and "the box has ended" in t.text and not t.raw()


def test_one_key_alone_goes_through(name):
    with box("--", "/bin/sh", "-c", "stty raw -echo; echo up; while :; do dd bs=1 count=1 2>/dev/null | od -An -tx1; done", name=name), attach(name) as t:
        logged(name, "up")
        for keys, seen in (("\x11", "11"), ("\x10a", "10.*61"), ("\x10\x10b", "10.*10.*62"), ("\x1a", "1a"), ("\x03", "03"), ("\x1c", "1c")):
            t.type(keys)
            t.expect(f"(?s){seen}")
        t.type("\x10")
        t.until(lambda text: not select.select([t.slave], [], [], 0)[0])
        t.type("\x11")
        assert t.end() == 0


def test_who_typed_much_to_who_reads_nothing_may_leave(name):
    """The keys behind 64 KB are seen, and the program gets the first of these when it reads again."""
    script = "stty raw -echo; echo up; until test -e /tmp/go; do usleep 10000; done; dd bs=1 count=3000 2>/dev/null | md5sum; sleep 100"
    with box("--", "/bin/sh", "-c", script, name=name), attach(name) as t:
        logged(name, "up")
        text = "".join(chr(97 + i % 26) for i in range(65536)).encode()
        os.set_blocking(t.master, False)
        end = time.monotonic() + 60
        while text and time.monotonic() < end:
            if select.select([], [t.master], [], 1)[1]:
                with contextlib.suppress(BlockingIOError):
                    text = text[os.write(t.master, text[:4096]):]
        assert not text, len(text)
        os.set_blocking(t.master, True)
        t.type(LEAVE)
        assert t.end(20) == 0 and "left alone" in t.text
        inside(name, "touch /tmp/go")
        logged(name, "^.*" + hashlib.md5("".join(chr(97 + i % 26) for i in range(3000)).encode()).hexdigest())


def test_input_that_is_no_terminal(name):
    with box(*ECHO, name=name):
        logged(name, "up")
        p = subprocess.Popen([husk.HUSK, "attach", name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        p.stdin.write(b"one\n")
        p.stdin.flush()
        assert husk.line(p) == "got one\r"
        p.stdin.close()
        assert husk.status_of(p) == 0 and "left alone" in husk.errors(p)
        p.stdout.close()
        p.stderr.close()
        logged(name, "Z got one$")


@pytest.mark.parametrize("sig", ["TERM", "HUP", "INT", "USR1"])
def test_a_signal_ends_the_client_alone(name, sig):
    with box(*ECHO, name=name), attach(name) as t:
        t.type("a\r")
        t.expect("got a")
        t.p.send_signal(getattr(signal, "SIG" + sig))
        assert t.end() == 128 + getattr(signal, "SIG" + sig) and not t.raw()
        t.run("attach", name)
        t.type("b\r")
        t.expect("got b")


def test_a_killed_client_leaves_it_alone(name):
    with box(*ECHO, name=name) as k:
        logged(name, "Z up$")		# its log is open
        before = len(os.listdir(f"/proc/{k}/fd"))
        for _ in range(40):		# more than there are places
            with attach(name) as t:
                t.p.kill()
                t.p.wait()
        assert husk.wait_for(lambda: len(os.listdir(f"/proc/{k}/fd")) == before)
        assert husk.husk("state", name, "state").out == "running\n"


def test_suspended(name):
    with box(*ECHO, name=name), attach(name) as t:
        t.type("a\r")
        t.expect("got a")
        t.p.send_signal(signal.SIGTSTP)
        assert husk.wait_for(lambda: husk.state_of(t.p.pid) == "T") and not t.raw()
        assert inside(name, "echo while > /dev/console").status in (0, 1)
        t.p.send_signal(signal.SIGCONT)
        assert husk.wait_for(t.raw)
        t.type("b\r")
        t.expect("got b")


def test_several(name):
    with box(*ECHO, name=name), attach(name) as a, attach(name) as b:
        a.type("of a\r")
        for t in (a, b):
            t.expect("got of a")
        b.type("of b\r")
        for t in (a, b):
            t.expect("got of b")
        a.type(LEAVE)
        assert a.end() == 0
        b.type("alone\r")
        b.expect("got alone")


# ------------------------------------------------------------------- refused

def test_refused(name):
    for words, status, says in (([name], 125, "no such box"), (["../x"], 2, "not the name of a box"), ([], 2, "missing"), ([name, "x"], 2, "one box at a time")):
        r = husk.husk("attach", *words)
        assert r.status == status and says in r.err, r
    with husk.box("--", "/bin/inside", "sleep", "60000", box=name) as p:
        assert husk.wait_for(lambda: (husk.RUNDIR / name / "ctl").exists())
        r = husk.husk("attach", name)
        assert r.status == 125 and "no terminal" in r.err and "tty=yes" in r.err, r
        p.terminate()
        p.wait()


def test_the_foreground_has_its_own(name):
    with husk.terminal("run", f"name={name}", f"root={husk.ROOT}", "tty=yes", "--", "/bin/inside", "sleep", "60000") as t:
        t.expect("up")
        assert husk.wait_for(lambda: (husk.RUNDIR / name / "ctl").exists())
        r = husk.husk("attach", name)
        assert r.status == 125 and "where it was started" in r.err, r
        t.p.terminate()
        assert t.end() == 143


def test_between_two_starts(name):
    with box("restart=always 60s..60s", "--", "/bin/false", name=name):
        assert husk.wait_for(lambda: husk.husk("state", name, "state").out == "backoff\n")
        for r in (husk.husk("attach", name), husk.husk("exec", name, "--", "/bin/true")):
            assert r.status == 125 and "it is not up" in r.err, r


# ------------------------------------------------------------------- its life

def test_another_start(name):
    """Who is attached is told, and has the new terminal."""
    with box("restart=always 100ms..100ms", "stop.timeout=200ms", "--", "/bin/sh", name=name), attach(name, size=(31, 77)) as t:
        for n in (4, 5):
            t.type(f"exit {n}\r")
            t.expect(rf"husk: {name}: exit {n}: again in 100 ms\r\n")
            t.expect("started again\r\n")
            t.type("stty size\r")
            t.expect("31 77\r\n")
        r = husk.husk("restart", name)
        assert r.status == 0, r
        t.expect("started again\r\n")
        t.type("stty size\r")
        t.expect("31 77\r\n")
        assert husk.husk("stop", name).status == 0
        assert t.end() in (0, 143, 137) and not t.raw()


def test_a_keeper_that_is_killed(name):
    with box(*ECHO, name=name) as k, attach(name) as t:
        t.type("a\r")
        t.expect("got a")
        os.kill(k, signal.SIGKILL)
        assert t.end() == 137 and not t.raw()


def test_paused(name):
    with box(*ECHO, name=name), attach(name) as t:
        t.type("a\r")
        t.expect("got a")
        assert husk.husk("pause", name).status == 0
        t.type("b\r")
        r = husk.husk("exec", name, "--", "/bin/true")
        assert r.status == 125 and f"husk resume {name}" in r.err, r
        assert "command=" in husk.husk("ps", name).out and husk.husk("update", name, "pids.max=99").status == 0
        assert husk.husk("resume", name).status == 0
        t.expect("got b")


def test_exec_with_a_terminal_beside_it(name):
    with box(*ECHO, name=name), husk.terminal("exec", name) as t:
        t.type("tty; exit 5\r")
        assert t.expect(r"\n(/dev/pts/\d+)\r")[1] != "/dev/pts/0"
        assert t.end() == 5


# ------------------------------------------------------------------- its log

def test_log(name):
    """Lines, without what a terminal takes for a command; and bounded."""
    script = r"""printf 'a\033]0;title\007b\033[31mred\033[21t\n\233c\r\nlast'; head -c 100000 /dev/zero | tr '\0' x; echo; echo end"""
    with box("log=ring:16K", "--", "/bin/sh", "-c", script + "; exec /bin/inside sleep 60000", name=name):
        logged(name, "Z end$")
        out = husk.husk("logs", name).out
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", out), out[:500]
        assert all(len(l) < 960 for l in out.splitlines())
        assert sum(f.stat().st_size for f in (husk.RUNDIR / name).glob("log*")) <= 16384


@pytest.mark.parametrize("log", ["none", "FILE", "FILE:64K", "inherit"])
def test_other_logs(name, tmp_path, log):
    with box("log=" + log.replace("FILE", str(tmp_path / "out")), *ECHO, name=name), attach(name) as t:
        t.type("seen\r")
        t.expect("got seen\r")
        if "FILE" in log:
            assert husk.wait_for(lambda: re.search(r"Z got seen\n", husk.read(tmp_path / "out")))
        t.type(LEAVE)
        assert t.end() == 0


def test_a_password_is_not_in_it(name):
    with box("--", "/bin/sh", "-c", "stty -echo; echo up; read x; stty echo; echo done; read y", name=name), attach(name) as t:
        logged(name, "up")
        t.type("secret\r")
        t.expect("done")
        assert "secret" not in husk.husk("logs", name).out


# ------------------------------------------------------------------- the hostile box

def cpu(pid):
    f = husk.read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return int(f[11]) + int(f[12])


def ask(t, name):
    """Until there is an answer, by one who may have missed it; all that was shown meanwhile."""
    seen, end = "", time.monotonic() + 60
    while "got it" not in seen[-200:]:
        assert time.monotonic() < end, seen[-300:]
        t.type("it\r")
        with contextlib.suppress(AssertionError):
            t.until(lambda text: "got it" in text[-200:], 0.5)
        seen, t.text = seen + t.text, ""
    return seen


def test_a_flood_and_a_client_that_stands_still(name):
    """Neither holds up the box, its keeper, or who is attached as well."""
    script = "read x; head -c 1000000 /dev/zero | tr '\\0' '\\007'; echo; echo $x > /tmp/over; echo over; while read x; do echo got $x; done"
    with box("--", "/bin/sh", "-c", script, name=name) as k, attach(name) as a, attach(name) as b:
        a.p.send_signal(signal.SIGSTOP)
        assert husk.wait_for(lambda: husk.state_of(a.p.pid) == "T")
        b.type("go\r")
        ask(b, name)
        assert inside(name, "cat /tmp/over").out == "go\n"
        t = time.monotonic()
        assert husk.husk("state", name, "state").out == "running\n" and time.monotonic() - t < 5
        assert int(re.search(r"^VmRSS:\s+(\d+)", husk.read(f"/proc/{k}/status"), re.M)[1]) < 1500
        a.p.send_signal(signal.SIGCONT)
        assert "bytes are missing here\r\n" in ask(a, name)


def test_a_terminal_that_nobody_has_open(name):
    """The keeper is not busy with it, and it can be opened again."""
    script = "exec <&- >&- 2>&-; usleep 1500000; exec <>/dev/console >&0 2>&0; echo back; while read x; do echo got $x; done"
    with box("user=root", "--", "/bin/sh", "-c", script, name=name) as k:
        before, n = cpu(k), husk.read(f"/proc/{k}/status")
        logged(name, "Z back$", 10)
        switches = lambda text: int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", text, re.M)[1])
        assert cpu(k) - before < 50 and switches(husk.read(f"/proc/{k}/status")) - switches(n) < 100
        with attach(name) as t:
            t.type("a\r")
            t.expect("got a")


def test_hung_up_by_the_box(name):
    """With the right to, again and again."""
    script = "trap '' HUP; i=0; while [ $i -lt 300 ]; do /bin/inside hangup 2>/dev/null; i=$((i+1)); done; exec <>/dev/console >&0 2>&0; echo survived; exec sleep 60"
    with box("user=root", "caps=sys_admin,sys_tty_config", "syscalls=@all", "--", "/bin/sh", "-c", script, name=name):
        r = husk.husk("state", name, "state")
        assert r.out in ("running\n", "failed\n", "done\n"), r
        logged(name, "survived|Z! ", 20)


def test_what_a_terminal_answers_is_not_for_the_shell(name):
    """The box asks the terminal for its title, and ends before the answer comes."""
    with box("--", "/bin/sh", "-c", "read x; printf '\\033[21t'", name=name), attach(name) as t:
        t.p.send_signal(signal.SIGSTOP)
        assert husk.wait_for(lambda: husk.state_of(t.p.pid) == "T")
        t.type("\x1b]lrm -rf /\x1b\\\r")
        assert husk.husk("kill", name, "KILL").status == 0
        t.p.send_signal(signal.SIGCONT)
        t.end()
        assert not t.raw()
        attr = termios.tcgetattr(t.slave)
        attr[3] &= ~termios.ICANON
        attr[6][termios.VMIN] = 0
        termios.tcsetattr(t.slave, termios.TCSANOW, attr)
        assert not select.select([t.slave], [], [], 0)[0]
