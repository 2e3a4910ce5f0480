"""PID 1 of a box: what an init has to do, row by row (the rows are those of the behaviours that
tini, dumb-init and catatonit are tested for, and ours). Rows of a terminal (8, 9) are in test_run.py."""
import contextlib
import os
import re
import shutil
import signal
import subprocess
import threading
import time

import pytest

import husk
from husk import run


def program_of(keeper):
    return husk.children(husk.init_of(keeper))[0]


def test_row_1_stop_and_continue_are_no_exit(name):
    with husk.box("--", "/bin/inside", "signals", box=name) as p:
        assert husk.line(p) == "ready"
        pid = program_of(p.pid)
        for _ in range(5):
            os.kill(pid, signal.SIGSTOP)
            assert husk.wait_for(lambda: husk.state_of(pid) == "T")
            time.sleep(0.02)
            assert p.poll() is None
            os.kill(pid, signal.SIGCONT)
            assert husk.line(p) == "got 18"
        p.terminate()
        assert husk.status_of(p) == 7


def test_row_3_reap_100_sleepers(name):
    """Their parents end; in the end no zombie in the box, only PID 1 and the main program."""
    with husk.box("pids.max=300", "--", "/bin/sh", "-c", "inside orphans 100 300000; echo done; exec inside signals", box=name) as p:
        assert husk.line(p) == "done"
        assert husk.line(p) == "ready"
        init = husk.init_of(p.pid)
        assert husk.wait_for(lambda: len(husk.children(init)) == 1), [husk.state_of(c) for c in husk.children(init)]
        p.terminate()
        assert husk.status_of(p) == 7


def test_row_3_reap_100000_orphans_at_full_rate(name):
    with husk.box("pids.max=300", "--", "/bin/sh", "-c", "echo up; inside orphans 100000; echo done; exec inside signals", box=name) as p:
        assert husk.line(p) == "up"
        init = husk.init_of(p.pid)
        rss = husk.fields(husk.read(f"/proc/{init}/status"))["VmRSS"]
        assert husk.line(p, 300) == "done"
        assert husk.line(p) == "ready"
        assert husk.wait_for(lambda: len(husk.children(init)) == 1)
        assert int(husk.fields(husk.read(f"/proc/{init}/status"))["VmRSS"].split()[0]) <= int(rss.split()[0])
        p.terminate()
        assert husk.status_of(p) == 7


def test_row_4_exit_while_zombies_queue(name):
    """PID 1 is stopped while 2000 orphans die and then the program: found by its pid, not by the order."""
    with husk.box("pids.max=4000", "--", "/bin/sh", "-c", "echo up; read x; inside orphans 2000; echo done; read x; exit 42", box=name,
                  stdin=-1) as p:
        assert husk.line(p) == "up"
        init = husk.init_of(p.pid)
        os.kill(init, signal.SIGSTOP)
        p.stdin.write(b"\n")
        p.stdin.flush()
        assert husk.line(p, 30) == "done"
        main = husk.wait_for(lambda: next((c for c in husk.children(init) if husk.state_of(c) == "S"), None))
        p.stdin.write(b"\n")
        p.stdin.flush()
        assert husk.wait_for(lambda: husk.state_of(main) == "Z")
        assert len(husk.children(init)) > 1500, "no zombies queue"
        os.kill(init, signal.SIGCONT)
        assert husk.status_of(p) == 42


# a keeper takes TERM and INT as "stop" and HUP as "reload" (nothing to do yet); these go to PID 1 directly
FORWARDED = [1, 2, 3, 10, 12, 13, 14, 15, 16, 18, 23, 24, 25, 26, 27, 28, 29, 30]


def test_row_5_forwarding(name):
    """Each signal that PID 1 gets from outside arrives at the program, once, in the order of sending."""
    with husk.box("--", "/bin/inside", "signals", "64", box=name) as p:
        assert husk.line(p) == "ready"
        init = husk.init_of(p.pid)
        for n in FORWARDED:
            os.kill(init, n)
            assert husk.line(p) == f"got {n}", n
        for n in (35, 50, 63):
            for _ in range(3):
                os.kill(init, n)
            assert [husk.line(p) for _ in range(3)] == [f"got {n}"] * 3, "queued"
        os.kill(init, 64)
        assert husk.line(p) == "got 64"
        assert husk.status_of(p) == 7


def test_row_5_keeper_forwards_what_is_not_its_own(name):
    with husk.box("--", "/bin/inside", "signals", "3", box=name) as p:
        assert husk.line(p) == "ready"
        for n in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH):
            p.send_signal(n)
            assert husk.line(p) == f"got {int(n)}"
        p.send_signal(signal.SIGQUIT)
        assert husk.status_of(p) == 7


def test_row_6_only_the_program_gets_the_signal(name):
    with husk.box("--", "/bin/sh", "-c", "trap 'echo term; exit 4' TERM; inside ignore > /dev/null & inside signals & wait", box=name) as p:
        assert husk.line(p) == "ready"
        time.sleep(0.1)
        p.terminate()
        assert husk.line(p) == "term"
        assert husk.status_of(p) == 4


def test_row_7_the_others_end_with_the_program(name):
    with husk.box("--", "/bin/sh", "-c", "inside ignore 5 & sleep 0.3; exit 3", box=name) as p:
        assert husk.line(p) == "ready"
        assert husk.status_of(p) == 3
    husk.nothing_left(name)


def test_row_8_stop_signals_stop_the_program_and_not_pid_1(name):
    with husk.box("--", "/bin/inside", "signals", box=name) as p:
        assert husk.line(p) == "ready"
        init, main = husk.init_of(p.pid), program_of(p.pid)
        for n in (signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU):
            os.kill(init, n)
            assert husk.wait_for(lambda: husk.state_of(main) == "T"), n
            assert husk.state_of(init) != "T", n
            os.kill(init, signal.SIGCONT)
            assert husk.wait_for(lambda: husk.state_of(main) == "S"), n
            assert husk.line(p) == "got 18"
        p.terminate()
        assert husk.status_of(p) == 7


def test_row_12_sigpipe(name):
    r = run("--", "/bin/sh", "-c", "(yes; echo $? > /tmp/status) | head -1; sleep 0.1; cat /tmp/status", box=name)
    assert r.out == "y\n141\n", r
    with husk.box("--", "/bin/sh", "-c", "read x; yes", box=name, stdin=-1) as p:
        p.stdout.close()
        p.stdin.write(b"\n")
        p.stdin.flush()
        assert husk.status_of(p) == 141
        p.stdout = None


def test_row_15_cwd(name, tmp_path):
    with husk.box("cwd=/tmp", "--", "/bin/inside", "sleep", "20000", box=name, cwd=tmp_path) as p:
        assert husk.line(p) == "up"
        init = husk.init_of(p.pid)
        assert os.readlink(f"/proc/{init}/cwd") == "/"
        assert os.readlink(f"/proc/{husk.children(init)[0]}/cwd") == "/tmp"
        p.terminate()
        husk.status_of(p)


def test_row_16_too_many_arguments(name):
    r = run("--", "/bin/true", *["x" * 1000] * 200, box=name)
    assert r.status == 2 and "KiB of text" in r.err, r
    r = run("--", "/bin/true", *["x" * 130000] * 14, box=name)
    assert r.status in (0, 2, 126), r


def test_row_17_signals_from_inside(name):
    """Nothing that the program sends to PID 1 ends or stops it, not even as root with CAP_KILL."""
    for words in ([], ["user=root"], ["user=root", "caps=kill,setuid,setgid"]):
        with husk.box(*words, "--", "/bin/sh", "-c", "trap '' TERM INT HUP; for n in 9 19 11 6 4 8 7 31 5; do kill -$n 1 2> /dev/null; done;"
                      "sleep 0.2; echo alive; exit 8", box=name) as p:
            assert husk.line(p) == "alive"
            assert husk.status_of(p) == 8


def test_row_17_a_fault_that_is_only_sent(name):
    """From outside, where it would end any other process."""
    with husk.box("--", "/bin/inside", "signals", box=name) as p:
        assert husk.line(p) == "ready"
        init = husk.init_of(p.pid)
        for n in (signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE):
            os.kill(init, n)
            os.kill(init, signal.SIGUSR1)
            assert husk.line(p) == "got 10", n
        p.terminate()
        assert husk.status_of(p) == 7
    husk.nothing_left(name)


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the tracer is for x86_64 only")
def test_row_17_own_fault_of_pid_1(name):
    """What PID 1 would do next is an instruction that only a kernel may: it is ended by its fault, and the box with it."""
    with husk.box("--", "/bin/inside", "signals", box=name) as p:
        assert husk.line(p) == "ready"
        init = husk.init_of(p.pid)
        assert husk.wait_for(lambda: len(husk.read(f"/proc/{init}/syscall").split()) == 9)
        with open(f"/proc/{init}/mem", "wb", buffering=0) as f:
            f.seek(int(husk.read(f"/proc/{init}/syscall").split()[-1], 16))
            f.write(b"\xf4")		# hlt, where its call returns to
        os.kill(init, signal.SIGWINCH)
        assert husk.status_of(p) == 139
    husk.nothing_left(name)


STORM = (signal.SIGUSR1, signal.SIGHUP, signal.SIGCHLD, signal.SIGUSR2)		# a shell has no trap for RT signals: "lives rain" sends those


def storm(init, ends):
    """Senders, one for each of those signals, until ends()."""
    def send(n):
        while not ends():
            for _ in range(100):
                husk.send(init, n)
            time.sleep(0.001)
    threads = [threading.Thread(target=send, args=(n,)) for n in STORM]
    for t in threads:
        t.start()
    return threads


IN_THE_STORM = "trap : USR1 HUP USR2; trap 'exit 21' QUIT; echo up; while :; do sleep 0.01; done"


def test_row_20_signal_storm(name):
    """Four senders, and the program ends amidst of it: that is told, at once."""
    with husk.box("--", "/bin/sh", "-c", IN_THE_STORM.replace("while :", "n=0; while [ $((n+=1)) -lt 50 ]").replace("done", "done; exit 21"), box=name) as p:
        assert husk.line(p) == "up"
        end = time.monotonic() + 60
        threads = storm(husk.init_of(p.pid), lambda: p.poll() is not None or time.monotonic() > end)
        for t in threads:
            t.join()
        assert p.poll() == 21
    husk.nothing_left(name)


def test_row_20_and_then_it_is_quiet(name):
    """A second of it, STORM=60 for a minute; then nobody wakes up any more, and what is sent then arrives."""
    with husk.box("--", "/bin/sh", "-c", IN_THE_STORM, box=name) as p:
        assert husk.line(p) == "up"
        init, end = husk.init_of(p.pid), time.monotonic() + float(os.environ.get("STORM", "1"))
        for t in storm(init, lambda: time.monotonic() > end or p.poll() is not None):
            t.join()
        assert p.poll() is None and husk.sleeps(0.5, p.pid, init)
        os.kill(init, signal.SIGQUIT)
        assert husk.status_of(p) == 21


def test_row_22_stdin(name):
    r = run("--", "/bin/cat", box=name, text="")
    assert (r.status, r.out) == (0, "")
    r = run("-d", "--", "/bin/sh", "-c", "cat; sleep 5", box=name)
    assert r.status == 0
    for p in husk.tagged(name):
        husk.send(p, 15)
    husk.nothing_left(name, 6)


@pytest.mark.parametrize("shape", ["stopped", "ignoring", "stopped-init"])
def test_row_23_stop_is_bounded(name, shape):
    with husk.box("stop.timeout=400ms", "--", "/bin/inside", "ignore", "5", box=name) as p:
        assert husk.line(p) == "ready"
        init = husk.init_of(p.pid)
        if shape == "stopped":
            for c in husk.children(init):
                os.kill(c, signal.SIGSTOP)
        elif shape == "stopped-init":
            os.kill(init, signal.SIGSTOP)
        began = time.monotonic()
        p.terminate()
        assert husk.status_of(p) == 137
        assert time.monotonic() - began < 5
    husk.nothing_left(name)


@pytest.mark.parametrize("delay", [0.0005, 0.002, 0.004, 0.006, 0.01, 0.02])
def test_row_23_stop_during_the_start(name, delay):
    with husk.box("stop.timeout=400ms", "--", "/bin/inside", "signals", box=name) as p:
        time.sleep(delay)
        p.terminate()
        assert husk.status_of(p) in (7, 125, 143), husk.errors(p)
    husk.nothing_left(name)


def test_row_23_kill_during_stop(name):
    with husk.box("stop.timeout=5s", "--", "/bin/inside", "ignore", box=name) as p:
        assert husk.line(p) == "ready"
        p.terminate()
        time.sleep(0.05)
        p.kill()
        assert husk.status_of(p) == 137
        assert husk.wait_for(lambda: not husk.tagged(name))
    assert run("--", "/bin/true", box=name).status == 0


def test_row_24_200_starts_leave_nothing(name):
    def tables():
        slots = {}
        for f in husk.hierarchies():
            with open("/proc/cgroups") as c:
                slots = {l.split()[0]: l.split()[2] for l in c if not l.startswith("#")}
        return husk.mounts(), sorted(os.listdir("/sys/class/net")), set(slots)
    run("memory.max=32M", "pids.max=20", "--", "/bin/true", box=name)
    before = tables()
    for i in range(200):
        r = run("memory.max=32M", "pids.max=20", "--", "/bin/inside", "exit", i, box=name)
        assert r.status == i, r
    assert tables() == before
    husk.nothing_left(name)


def test_end_of_the_main_program_is_reported_at_once(name):
    times = []
    for _ in range(20):
        began = time.monotonic()
        assert run("--", "/bin/true", box=name).status == 0
        times.append(time.monotonic() - began)
    assert sorted(times)[10] < 0.25, times


def test_standard_error_of_a_box_is_its_own(name):
    r = run("--", "/bin/sh", "-c", "echo one; echo two >&2; exit 1", box=name)
    assert (r.status, r.out, r.err) == (1, "one\n", "two\n")
    assert not re.search("husk", r.err)


def test_the_caller_s_words_are_not_shown_inside(name):
    r = run("env=SECRET=said", "--", "/bin/sh", "-c", "cat /proc/1/cmdline; echo; unset SECRET; grep -c said /proc/1/cmdline", box=name)
    assert r.out.replace("\0", "") == "husk\n0\n", r


# ------------------------------------------------------------------------------ its own filter

def traced(log):
    """The calls that each PID 1 of a trace made under its filter, and those that were refused."""
    lines = {}
    for l in log.read_text(errors="replace").splitlines():
        pid, text = l.split(None, 1)
        lines.setdefault(pid, []).append(text)
    first = [t for t in lines.values() if any(x.startswith("rt_sigtimedwait(") for x in t) and not any(x.startswith("execve") for x in t)]
    assert len(first) == 1, list(lines)
    begin = max(i for i, x in enumerate(first[0]) if x.startswith("seccomp(SECCOMP_SET_MODE_FILTER"))
    after = [x for x in first[0][begin + 1:] if re.match(r"\w+\(", x)]
    return {x.split("(")[0] for x in after}, [x for x in after if "EPERM" in x]


@contextlib.contextmanager
def watched(log, *words, box):
    """A box under strace: the tracer, and the keeper."""
    p = subprocess.Popen(["strace", "-f", "-qq", "-o", log, husk.HUSK, "run", f"name={box}", f"root={husk.ROOT}", *words],
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        yield p, husk.wait_for(lambda: [c for c in husk.children(p.pid) if husk.read(f"/proc/{c}/comm") == "husk\n"], 5)[0]
    finally:
        for pid in husk.tagged(box):
            husk.send(pid, signal.SIGKILL)
        p.wait(10)
        p.stdout.close()
        p.stderr.close()


def test_its_filter_has_what_it_calls_and_nothing_else(name, tmp_path):
    """A whole life under strace: signals, orphans, an end of its own, a stop that is not heard, a keeper that is killed."""
    listed = re.search(r'^pid1="(.*)"$', (husk.TOP / "filter/nr.sh").read_text(), re.M)[1]
    if not shutil.which("strace"):
        pytest.skip("no strace")
    called, refused = set(), []

    def end(p, log):
        husk.status_of(p)
        calls, no = traced(log)
        called.update(calls)
        refused.extend(no)
    with watched(tmp_path / "1", "tty=yes", "--", "/bin/sh", "-c", "inside orphans 20; exec inside signals", box=name) as (p, keeper):
        while husk.line(p).strip() != "ready":
            pass
        for n in (signal.SIGUSR1, signal.SIGWINCH):
            os.kill(husk.init_of(keeper), n)
        husk.send(keeper, signal.SIGTERM)
        end(p, tmp_path / "1")
    with watched(tmp_path / "2", "stop.timeout=200ms", "--", "/bin/inside", "ignore", "2", box=name) as (p, keeper):
        assert husk.line(p) == "ready"
        husk.send(keeper, signal.SIGTERM)
        end(p, tmp_path / "2")
    with watched(tmp_path / "3", "ns.pid=host", "--", "/bin/inside", "ignore", "2", box=name) as (p, keeper):
        assert husk.line(p) == "ready"
        husk.send(keeper, signal.SIGKILL)
        end(p, tmp_path / "3")
    assert run("--", "/bin/true", box=name).status == 0
    # who is in a cgroup that cannot be ended by one write is read: test_cg.py has that, without cgroup.kill
    spare = {"pread64"}
    want = {w.split("/")[0 if os.uname().machine == "x86_64" else -1] for w in listed.split()}
    assert not refused and called <= want and want - called <= spare, (called ^ want, refused)
