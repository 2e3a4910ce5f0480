"""husk exec: another program in a box that runs."""
import concurrent.futures
import contextlib
import errno
import hashlib
import os
import re
import select
import shutil
import signal
import subprocess
import time

import pytest

import fault
import husk
import qemu

DOOR = 5
SLEEP = ("--", "/bin/inside", "sleep", "60000")


def door(name):
    assert husk.wait_for(lambda: (husk.RUNDIR / name / "ctl").exists() and (husk.RUNDIR / name / "box").exists(), DOOR), "no door"


@contextlib.contextmanager
def box(*words, name, program=SLEEP, **more):
    with husk.box(*words, *program, box=name, **more) as p:
        assert husk.wait_for(lambda: (husk.RUNDIR / name / "ctl").exists(), DOOR), husk.errors(p)
        door(name)
        try:
            yield p
        finally:
            p.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                p.wait(6)


def ex(name, *words, **more):
    return husk.husk("exec", name, *words, **more)


def guest(keeper):
    """The process of a husk exec of this keeper, seen from outside."""
    init = husk.init_of(keeper)
    return husk.wait_for(lambda: next((p for p in husk.children(keeper) if p != init), None))


# ------------------------------------------------------------------ what it is

VARIANTS = {
    "plain": [],
    "root": ["user=root"],
    "user": ["user=user", "groups=44", "caps=net_raw,kill"],
    "caps": ["caps=oci", "user=root"],
    "ns.user": ["ns.user=new", "user=root"],
    "ns.user auto": ["ns.user=new"],
    "ns.pid": ["ns.pid=host"],
    "pid1": ["pid1=program"],
    "full": ["nice=3", "affinity=0", "umask=027", "oom_score_adj=9", "rlimit.nofile=64", "cwd=/tmp", "ns.time=new", "clock.boottime=60s", "hostname=x", "securebits=noroot",
             "personality=linux32", "abi=both", "sched=batch"],
    "net": ["net=host", "ns.ipc=host"],
    "once": ["exec.once=yes"],
    "log": ["syscalls.log=yes"],
    "free": ["syscalls=@all", "caps=all", "user=root", "no_new_privs=no"],
    "host": ["use=host"],
}


def same(text):
    """Who it is differs: its number and its parent's; and what a terminal or file is on 0, 1 and 2."""
    text = re.sub(r"^pid .*$|^NSpid:.*$", "", text, flags=re.M)
    text = re.sub(r"^( *\w+:)( +\d+){16}$", r"\1", text, flags=re.M)
    return re.sub(r"^(fd [012]) .*", r"\1", text, flags=re.M)


@pytest.mark.parametrize("variant", VARIANTS)
def test_it_has_what_the_program_has(name, tmp_path, variant):
    """Ids, capabilities, filter, limits, descriptors, namespaces, mounts, cgroup."""
    once = variant == "once"
    program = ("--", "/bin/inside", "sleep", "9000") if once else ("--", "/bin/sh", "-c", "/bin/inside rights; echo end; exec /bin/inside sleep 60000")
    root = None if variant == "host" else husk.ROOT
    if root is None:
        program = ("--", str(husk.INSIDE), "sleep", "9000")
    with box(*VARIANTS[variant], name=name, program=program, root=root) as p:
        text = ""
        while not once and root and not text.endswith("end\n"):
            text += husk.line(p) + "\n"
        r = ex(name, "--", husk.INSIDE if root is None else "/bin/inside", "rights")
        assert r.status == 0, r
        if once or root is None:		# of a second start
            text = husk.run(*VARIANTS[variant], "--", husk.INSIDE if root is None else "/bin/inside", "rights", box=husk.name(), root=root).out
            cut = lambda t: re.sub(r"^(ns \w+:).*|^hostname.*|.*husk.*|^\d+ \d+ \d+:\d+ .*", r"\1", t, flags=re.M)
            text, r.out = cut(text), cut(r.out)
            text = re.sub(r"\b6[1-5]\d{3}\b", "UID", text)
            r.out = re.sub(r"\b6[1-5]\d{3}\b", "UID", r.out)
        assert same(r.out).replace("end\n", "") == same(text).replace("end\n", "")
        if variant == "plain":
            status = ex(name, "--", "/bin/cat", "/proc/self/status").out
            assert "Seccomp_filters:\t1\n" in status or "Seccomp_filters" not in status


def test_it_is_in_the_cgroup_of_the_box(name):
    with box(name=name) as p:
        e = subprocess.Popen([husk.HUSK, "exec", name, *SLEEP], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        assert husk.line(e) == "up"
        pid = guest(p.pid)
        init = husk.init_of(p.pid)
        assert husk.read(f"/proc/{pid}/cgroup") == husk.read(f"/proc/{init}/cgroup")
        for ns in husk.NAMESPACES:
            with contextlib.suppress(FileNotFoundError):
                assert os.readlink(f"/proc/{pid}/ns/{ns}") == os.readlink(f"/proc/{init}/ns/{ns}"), ns
        assert os.readlink(f"/proc/{pid}/root") == os.readlink(f"/proc/{init}/root")
        p.terminate()
        assert husk.status_of(e) == 137
        assert husk.status_of(p) == 143
        e.stdout.close()
    husk.nothing_left(name)


@pytest.mark.parametrize("words, program, says", [
    (["user=root"], ["/bin/id", "-u"], "0\n"), (["env=A=b c"], ["/bin/sh", "-c", "echo $A"], "b c\n"), (["cwd=/tmp"], ["/bin/pwd"], "/tmp\n"),
    (["umask=077"], ["/bin/sh", "-c", "umask"], "0077\n"), (["rlimit.nofile=33"], ["/bin/sh", "-c", "ulimit -n"], "33\n"), (["nice=5"], ["/bin/sh", "-c", "cut -d' ' -f19 /proc/self/stat"], "5\n"),
    (["user=1000:44"], ["/bin/sh", "-c", "id -u; id -g"], "1000\n44\n")])
def test_keys_of_the_program_may_be_said(name, words, program, says):
    with box(name=name):
        r = ex(name, *words, "--", *program)
        assert (r.status, r.out, r.err) == (0, says, "")


def test_env_by_its_name_is_the_client_s(name):
    with box(name=name):
        r = ex(name, "env=FROM_HERE", "--", "/bin/sh", "-c", "echo $FROM_HERE", env={**os.environ, "FROM_HERE": "yes"})
        assert r.out == "yes\n", r


@pytest.mark.parametrize("word", ["root=/srv", "hostname=x", "net=host", "ns.user=new", "memory.max=1G", "bind=/srv", "device=/dev/null", "cgroup=x", "sysctl.net.x=1",
                                  "pid1=program", "use=host", "include=x", "name=x", "stop.timeout=1s", "mask=", "uidmap=0:0:1"])
def test_keys_of_the_box_may_not(name, word):
    with box(name=name):
        r = ex(name, word, "--", "/bin/true")
        assert r.status == 2 and f"{word.split('=')[0]}: is of the box" in r.err and r.err.count("\n") == 1, r
        assert ex(name, "--", "/bin/true").status == 0


def test_what_is_executed_is_no_key(name):
    with box(name=name):
        r = ex(name, "exec=/bin/true")
        assert r.status == 2 and "exec: the program stands behind --" in r.err, r


def namespaces(pid):
    return {ns: os.readlink(f"/proc/{pid}/ns/{ns}") for ns in husk.NAMESPACES if os.path.exists(f"/proc/{pid}/ns/{ns}")}


@pytest.mark.parametrize("words", [[], ["ns.user=new"], ["user=user"]])
def test_tools_of_the_host(name, words):
    """root=/: the box's network, IPC and name, and nothing else of it; it does not see that, and ends it."""
    with box(*words, name=name) as p:
        r = ex(name, "root=/", "--", "/bin/sh", "-c", "cat /proc/net/dev; hostname; id -u; ls -d /proc/$PPID /proc/1/ns; grep NoNew /proc/self/status")
        assert r.status == 0 and husk.interface(r.out)[-1:] != [] and f"\n{name}\n0\n" in r.out and "/proc/1/ns" in r.out and "NoNewPrivs:\t0" in r.out, r
        assert "eth" not in r.out
        assert ex(name, "root=/", "user=nobody", "--", "/usr/bin/id", "-un").out == "nobody\n"
        e = subprocess.Popen([husk.HUSK, "exec", name, "root=/", "--", str(husk.INSIDE), "sleep", "60000"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert husk.line(e) == "up"
        pid = next(q for q in husk.children(p.pid) if "sleep" in husk.read(f"/proc/{q}/cmdline") and os.readlink(f"/proc/{q}/root") == "/" and "pid:[" in namespaces(q)["pid"]
                   and namespaces(q)["pid"] == namespaces("self")["pid"])
        its, own, init = namespaces(pid), namespaces("self"), namespaces(husk.init_of(p.pid))
        assert all(its[n] == (init if n in ("net", "ipc", "uts") else own)[n] for n in its), (its, own, init)
        assert husk.read(f"/proc/{pid}/cgroup") == husk.read(f"/proc/{husk.init_of(p.pid)}/cgroup")
        assert str(pid) not in ex(name, "--", "/bin/ls", "/proc").out.split()
        p.terminate()
        assert husk.status_of(e) == 137 and husk.status_of(p) == 143
        assert husk.wait_for(lambda: not husk.alive(pid))
        e.stdout.close()
        e.stderr.close()
    husk.nothing_left(name)


def test_tools_of_the_host_are_not_for_a_box_that_sees_them(name):
    with box("ns.pid=host", name=name):
        r = ex(name, "root=/", "--", "/bin/true")
        assert r.status == 125 and "ns.pid=host" in r.err, r


def test_at_once(name):
    """What the box was made of is not saved yet when its door opens."""
    for _ in range(5):
        assert husk.husk("start", f"name={name}", f"root={husk.ROOT}", "--", "/bin/sleep", "100").status == 0
        r = ex(name, "--", "/bin/true")
        assert r.status == 0 and husk.husk("stop", name).status == 0, r


OWNER = {"user": 65534, "group": 65534, "extra_groups": [], "cwd": "/"}


@pytest.fixture
def owner(tmp_path):
    """Who is not root, and has a run directory."""
    os.chown(tmp_path, 65534, 65534)
    for up in (tmp_path, *tmp_path.parents):
        if not up.stat().st_mode & 1 and str(up) != "/":
            up.chmod(up.stat().st_mode | 0o111)
    env = {"HUSK_RUN": str(tmp_path / "run"), "PATH": os.environ["PATH"]}
    call = lambda *words, **more: husk.husk(*words, env=env, **OWNER, **more)
    r = call("run", f"root={husk.ROOT}", "ns.user=new", "--", "/bin/true")
    if r.status == 125 and re.search(r"ns\.(clone|idmap)", r.err):
        pytest.skip(f"no user namespaces without root here: {r.err}")
    call.env, call.run = env, tmp_path / "run"
    return call


def test_an_owner_who_is_not_root(owner, name):
    """All verbs, before and after another start; the rights are those of the program; nothing of it shows inside."""
    script = "/bin/inside rights > /tmp/rights; echo up; trap 'exit 0' TERM; while :; do usleep 10000; done"
    r = owner("start", f"name={name}", f"root={husk.ROOT}", "ns.user=new", "tty=yes", "restart=always 100ms..100ms", "--", "/bin/sh", "-c", script)
    assert r.status == 0, r
    try:
        for again in (False, True):
            assert husk.wait_for(lambda: owner("logs", name).out.count("Z up") > again)		# what the first one has said is there, too
            init = int(owner("state", name, "pid").out)
            own = owner("exec", "-T", name, "--", "/bin/cat", "/tmp/rights")
            r = owner("exec", "-T", name, "--", "/bin/inside", "rights")
            assert r.status == 0 and len(r.out) > 500 and same(r.out) == same(own.out), (r, own)
            e = subprocess.Popen([husk.HUSK, "exec", name, *SLEEP], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=owner.env, **OWNER)
            assert husk.line(e) == "up"
            keeper = int(owner("state", name, "keeper").out)
            pid = husk.wait_for(lambda: next((q for q in husk.children(keeper) if q != init), None))
            assert namespaces(pid) == namespaces(init) and os.readlink(f"/proc/{pid}/root") == os.readlink(f"/proc/{init}/root")
            e.terminate()
            assert husk.status_of(e) == 143
            e.stdout.close()
            assert owner("exec", "-t", name, "--", "/bin/inside", "tty").out.startswith("isatty 111")
            assert owner("attach", name).status == 0 and "left alone" in owner("attach", name).err
            assert "command=/bin/sh" in owner("ps", name).out
            r = owner("exec", name, "root=/", "--", "/bin/true")
            assert r.status == 2 and "for root alone" in r.err, r
            assert again or owner("restart", name).status == 0
    finally:
        assert owner("stop", name).status == 0
    assert not (owner.run / name).exists()		# of processes name looks: the keeper, who has answered, is just ending


def test_an_owner_who_is_not_root_and_a_clock(owner, name):
    r = owner("start", f"name={name}", f"root={husk.ROOT}", "ns.user=new", "clock.boottime=60s", *SLEEP)
    try:
        if r.status == 0:
            r = owner("exec", name, "--", "/bin/true")
            assert r.status == 125 and "init.enter: " in r.err, r
    finally:
        assert owner("stop", name).status == 0


def test_while_it_is_started_again(name):
    """Each of them is in, or told at once that it cannot be."""
    r = husk.husk("start", f"name={name}", f"root={husk.ROOT}", "restart=always 100ms..100ms", "--", "/bin/usleep", "60000")
    assert r.status == 0, r
    ways = {}
    try:
        for _ in range(60):
            r = ex(name, "--", "/bin/echo", "in")
            assert (r.status, r.out, r.err) == (0, "in\n", "") or (r.status == 125 and r.err.count("\n") == 1) or \
                (r.status == 137 and r.err.count("\n") <= 1), r
            ways[r.status] = ways.get(r.status, 0) + 1
            time.sleep(0.005)
    finally:
        assert husk.husk("stop", name).status == 0
    assert ways.get(0) and ways.get(125), ways


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the injector is for x86_64 only")
@pytest.mark.parametrize("words", [[], ["ns.user=new", "ns.time=new", "clock.boottime=1s"]])
def test_one_namespace_after_the_other(name, tmp_path, words):
    """Before Linux 5.8 setns() knows no process, before 5.3 there is nothing that it could know."""
    with injected(name, tmp_path / "log", "never", str(fault.number("pidfd_open")), words=words):
        keeper = int(re.search(r"^keeper=(\d+)", husk.read(husk.RUNDIR / name / "state"), re.M)[1])
        e = subprocess.Popen([husk.HUSK, "exec", name, *SLEEP], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        assert husk.line(e) == "up"
        pid, init = guest(keeper), husk.init_of(keeper)
        its, own = namespaces(pid), namespaces(init)
        own["time"] = os.readlink(f"/proc/{init}/ns/time_for_children")
        assert its == own
        assert ex(name, "--", "/bin/inside", "rights", "7").status == 7
        e.terminate()
        assert husk.status_of(e) == 143
        e.stdout.close()


@pytest.mark.parametrize("words, status, says", [
    (["nobody-there", "--", "/bin/true"], 125, "no such box"), (["../x", "--", "/bin/true"], 2, "not the name of a box"), ([], 2, "name of a box is missing"),
    (["x", "y"], 2, "behind --"), (["-d", "-t", "x"], 2, "-d and -t")])
def test_usage(words, status, says):
    r = husk.husk("exec", *words)
    assert r.status == status and says in r.err, r


@pytest.mark.parametrize("word, says", [("usr=root", "no such key; user?"), ("user=nobody-there", "is not in /etc/passwd"), ("caps=x", "caps"), ("cwd=/nowhere", "chdir /nowhere: No such")])
def test_what_is_wrong_is_said_to_the_client(name, word, says):
    with box(name=name) as p:
        r = ex(name, word, "--", "/bin/true")
        assert r.status in (2, 125) and says in r.err, r
        assert husk.errors(p) == ""


# ------------------------------------------------------------------ how it ends

@pytest.mark.parametrize("status", [0, 1, 7, 125, 126, 127, 137, 255])
def test_exit_status(name, status):
    with box(name=name):
        assert ex(name, "--", "/bin/inside", "exit", status).status == status


def test_all_signals_that_end_it(name):
    with box(name=name):
        for sig in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGABRT, signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM, signal.SIGUSR1, signal.SIGSYS):
            r = ex(name, "--", "/bin/inside", "die", int(sig))
            assert r.status == 128 + sig, (sig, r)


@pytest.mark.parametrize("program, status, says", [("/nowhere", 127, "No such file or directory - it, its ld.so or its #!"), ("nowhere", 127, "No such file"),
                                                   ("/etc/passwd", 126, "Permission denied - no x in its mode"), ("/etc", 126, "")])
def test_not_executed(name, program, status, says):
    with box(name=name):
        r = ex(name, "--", program)
        assert r.status == status and "init.exec" in r.err and says in r.err, r
        r = husk.husk("exec", "-d", name, "--", program)
        assert r.status == status, r


def test_without_a_program_it_is_the_shell(name):
    with box(name=name):
        r = ex(name, text="echo $0; exit 3\n")
        assert (r.status, r.out) == (3, "/bin/sh\n"), r


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGQUIT, signal.SIGRTMIN + 3, signal.SIGALRM])
def test_signals_of_the_client_are_the_program_s(name, sig):
    with box(name=name):
        e = subprocess.Popen([husk.HUSK, "exec", name, "--", "/bin/inside", "sleep", "60000"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        assert husk.line(e) == "up"
        e.send_signal(sig)
        assert husk.status_of(e) == 128 + sig
        e.stdout.close()


def test_caught_signals(name):
    with box(name=name):
        e = subprocess.Popen([husk.HUSK, "exec", name, "--", "/bin/sh", "-c", "trap 'echo got; exit 9' USR1; echo up; while :; do usleep 5000; done"], stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE)
        assert husk.line(e) == "up"
        e.send_signal(signal.SIGUSR1)
        assert husk.line(e) == "got" and husk.status_of(e) == 9
        e.stdout.close()


def test_a_client_that_is_killed_hangs_up(name):
    with box(name=name) as p:
        e = subprocess.Popen([husk.HUSK, "exec", name, *SLEEP], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        assert husk.line(e) == "up"
        pid = guest(p.pid)
        e.kill()
        e.wait()
        assert husk.wait_for(lambda: not husk.alive(pid))
        assert ex(name, "--", "/bin/true").status == 0
        e.stdout.close()


def test_a_stopped_client_does_not_hold_the_box(name):
    with box(name=name) as p:
        e = subprocess.Popen([husk.HUSK, "exec", name, *SLEEP], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        assert husk.line(e) == "up"
        e.send_signal(signal.SIGSTOP)
        assert husk.wait_for(lambda: husk.state_of(e.pid) == "T")
        assert ex(name, "--", "/bin/true").status == 0
        p.terminate()
        assert husk.status_of(p) == 143
        assert not (husk.RUNDIR / name).exists() and not husk.cgroup_dirs(name)
        e.send_signal(signal.SIGCONT)
        assert husk.status_of(e) == 137
        e.stdout.close()


def test_ctrl_z_stops_the_program_and_the_client(name):
    with box(name=name) as p:
        e = subprocess.Popen([husk.HUSK, "exec", name, *SLEEP], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        assert husk.line(e) == "up"
        pid = guest(p.pid)
        e.send_signal(signal.SIGTSTP)
        assert husk.wait_for(lambda: husk.state_of(e.pid) == "T" and husk.state_of(pid) == "T")
        e.send_signal(signal.SIGCONT)
        assert husk.wait_for(lambda: husk.state_of(pid) == "S")
        e.send_signal(signal.SIGTSTP)
        assert husk.wait_for(lambda: husk.state_of(pid) == "T")
        p.terminate()
        assert husk.status_of(p) == 143
        e.send_signal(signal.SIGCONT)
        assert husk.status_of(e) == 137
        e.stdout.close()
    husk.nothing_left(name)


def test_a_box_that_ends_meanwhile(name):
    with box(name=name, program=("--", "/bin/sh", "-c", "read x < /dev/zero & usleep 700000")) as p:
        e = subprocess.Popen([husk.HUSK, "exec", name, *SLEEP], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert husk.line(e) == "up"
        assert husk.status_of(e) == 137
        assert husk.status_of(p) == 0
        e.stdout.close()
        e.stderr.close()
    husk.nothing_left(name)


@pytest.mark.parametrize("words", [[], ["ns.pid=host"], ["pid1=program"]])
def test_a_keeper_that_is_killed_takes_it_along(name, words):
    with box(*words, name=name) as p:
        e = subprocess.Popen([husk.HUSK, "exec", name, *SLEEP], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert husk.line(e) == "up"
        pid = guest(p.pid) if words != ["ns.pid=host"] else next(q for q in husk.children(p.pid) if "sleep" in husk.read(f"/proc/{q}/cmdline"))
        p.kill()
        p.wait()
        assert husk.wait_for(lambda: not husk.alive(pid))
        assert husk.status_of(e) == 137 and "has ended" in husk.errors(e)
        e.stdout.close()
        e.stderr.close()
    assert husk.run("--", "/bin/true", box=name).status == 0


def test_a_paused_box_is_refused_at_once(name):
    with box(name=name):
        assert husk.husk("pause", name).status == 0
        t = time.monotonic()
        r = ex(name, "--", "/bin/true")
        assert r.status == 125 and f"husk resume {name}" in r.err and time.monotonic() - t < 5, r
        assert husk.husk("resume", name).status == 0
        assert ex(name, "--", "/bin/true").status == 0


def test_too_small_pids_max(name):
    with box("pids.max=2", name=name):
        r = ex(name, "--", "/bin/true")
        assert r.status == 125 and "init.enter: clone: " in r.err and "pids.max" in r.err, r


# ------------------------------------------------------------------ background

def test_background(name, tmp_path):
    pidfile = tmp_path / "pid"
    with box(name=name) as p:
        r = husk.husk("exec", "-d", "-p", pidfile, name, "--", "/bin/inside", "sleep", "60000")
        assert r.status == 0, r
        pid = int(pidfile.read_text())
        assert pid in husk.children(p.pid) and husk.alive(pid)
        assert os.readlink(f"/proc/{pid}/fd/0") == "/dev/null"
        assert ex(name, "--", "/bin/true").status == 0
        os.kill(pid, signal.SIGTERM)
        assert husk.wait_for(lambda: not husk.alive(pid))
        p.terminate()
        assert husk.status_of(p) == 143
    husk.nothing_left(name)


def test_the_pid_file_of_the_foreground_goes_with_it(name, tmp_path):
    pidfile = tmp_path / "pid"
    with box(name=name) as p:
        e = subprocess.Popen([husk.HUSK, "exec", "-p", pidfile, name, *SLEEP], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        assert husk.line(e) == "up"
        assert husk.wait_for(pidfile.exists)
        assert husk.wait_for(lambda: pidfile.read_text()) == f"{guest(p.pid)}\n"
        e.terminate()
        assert husk.status_of(e) == 143 and not pidfile.exists()
        e.stdout.close()


# ------------------------------------------------------------------ many

def test_two_at_once(name):
    with box(name=name):
        both = [subprocess.Popen([husk.HUSK, "exec", name, "--", "/bin/sh", "-c", f"read x; exit {n}"], stdin=subprocess.PIPE) for n in (3, 4)]
        for n in (1, 0):
            both[n].stdin.close()
            assert husk.status_of(both[n]) == 3 + n


def test_a_flood_is_bounded(name):
    with box(name=name) as p:
        before = len(os.listdir(f"/proc/{p.pid}/fd"))
        many = [subprocess.Popen([husk.HUSK, "exec", name, *SLEEP], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(36)]
        ends = husk.wait_for(lambda: sum(e.poll() is not None for e in many) == 4 and [e for e in many if e.poll() is not None], 15)
        assert ends and all(e.returncode == 125 and "32 are in already" in husk.errors(e) for e in ends), [husk.errors(e) for e in ends or []]
        live = [e for e in many if e.poll() is None]
        assert all(husk.line(e) == "up" for e in live)
        live[0].terminate()
        assert husk.status_of(live[0]) == 143
        assert ex(name, "--", "/bin/true").status == 0
        for e in live[1:]:
            e.terminate()
        assert all(husk.status_of(e) == 143 for e in live)
        assert husk.wait_for(lambda: len(os.listdir(f"/proc/{p.pid}/fd")) == before)
        assert husk.wait_for(lambda: len(husk.children(p.pid)) == 1)
        for e in many:
            e.stdout.close()
            e.stderr.close()


# ------------------------------------------------------------------ terminals

def terminal(*words):
    return husk.terminal("exec", *words, size=(31, 77))


@pytest.mark.parametrize("words", [[], ["user=root"], ["ns.user=new", "user=root"], ["pid1=program"]])
def test_a_terminal(name, words):
    with box(*words, name=name), terminal(name, "--", "/bin/inside", "tty") as t:
        m = t.expect(r"isatty 111 name (\S+) leader 1 foreground 1 size (\d+)x(\d+)")
        assert m[1].startswith("/dev/pts/") and (m[2], m[3]) in (("31", "77"), ("77", "31"))
        assert t.end() == 0 and not t.raw()


def test_a_terminal_is_used(name):
    with box(name=name), terminal(name) as t:
        t.type("echo $TERM; stat -c %u $(tty); id -u\r")
        m = t.expect(r"vt220\r\n(\d+)\r\n(\d+)\r\n")
        assert m[1] == m[2]
        t.size(20, 60)
        t.type("until stty size | grep '20 60'; do usleep 1000; done\r")
        t.expect("\n20 60\r")
        t.type("sleep 100\r")
        time.sleep(0.2)
        t.type("\x03")
        t.type("exit 5\r")
        assert t.end() == 5 and not t.raw()


def test_a_terminal_or_not(name):
    with box(name=name):
        r = ex(name, "-t", "--", "/bin/inside", "tty")
        assert r.status == 0 and "isatty 111" in r.out, r
        with terminal("-T", name, "--", "/bin/inside", "tty") as t:
            t.expect("isatty 111 name (none|\\?|)")		# it is the caller's own, by its descriptor
        r = ex(name, "--", "/bin/inside", "tty")
        assert "isatty 000" in r.out, r


def test_a_killed_client_hangs_up_the_terminal(name):
    with box(name=name) as p, terminal(name, "--", "/bin/inside", "sleep", "60000") as t:
        t.expect("up")
        pid = guest(p.pid)
        t.p.kill()
        t.p.wait()
        assert husk.wait_for(lambda: not husk.alive(pid))


def test_a_box_without_devpts(name):
    with box("mounts=-pts", name=name):
        r = ex(name, "-t", "--", "/bin/true")
        assert r.status == 125 and "init.pty: open /dev/pts/ptmx" in r.err, r
        assert ex(name, "-T", "--", "/bin/true").status == 0


@pytest.mark.parametrize("trick", ["mkfifo /dev/pts/ptmx", "touch /dev/pts/ptmx", "ln -s /dev/null /dev/pts/ptmx"])
def test_a_false_ptmx(name, trick):
    program = ("--", "/bin/sh", "-c", f"{trick} && exec /bin/inside sleep 60000")
    with box("mounts=-pts", "tmpfs=/dev/pts", "user=root", name=name, program=program) as p:
        assert husk.line(p) == "up"
        r = ex(name, "-t", "--", "/bin/true")
        assert r.status == 125 and "init.pty" in r.err, r


# ------------------------------------------------------------------ the hostile box

def digest():
    with open(husk.HUSK, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


@pytest.fixture
def prey(tmp_path):
    """A program that is not dumpable in all its life: its owner may not read it."""
    shutil.copy(husk.INSIDE, tmp_path / "prey")
    (tmp_path / "prey").chmod(0o111)
    tmp_path.chmod(0o755)
    return tmp_path


HUNTERS = {"plain": [], "caps": ["caps=chown,setuid,setgid,sys_chroot,kill"], "ns.user": ["ns.user=new"], "ns.pid": ["ns.pid=host"]}


@contextlib.contextmanager
def hunted(name, prey, *words):
    program = ("--", "/bin/inside", "hunt")
    with box("user=root", "syscalls=@all", f"bind={prey}:/mnt:exec", *words, name=name, program=program) as p:
        assert husk.line(p) == "hunting"
        yield p


def bag(p):
    """What the hunter has seen and got."""
    os.kill(p.pid, signal.SIGTERM)
    out = p.stdout.read().decode()
    husk.status_of(p)
    return int(re.search(r"^seen (\d+)", out, re.M)[1]), re.findall(r"^prey .*", out, re.M)


@pytest.mark.parametrize("variant", ["plain", "caps", "ns.user"])
def test_nothing_can_be_got_from_who_enters(name, prey, variant):
    """Root of the box hunts every new process while husk exec makes 200; 1000 with HUNTED=1000."""
    before, n = digest(), int(os.environ.get("HUNTED", "200")) if variant == "plain" else 60
    with hunted(name, prey, *HUNTERS[variant]) as p:
        for i in range(n):
            r = ex(name, "--", "/mnt/prey", "sleep", "3")
            assert (r.status, r.out) == (0, "up\n"), r
        seen, got = bag(p)
    assert not got and seen > n // 2, (seen, got[:5])
    assert digest() == before
    husk.nothing_left(name)


def test_nothing_can_be_got_from_an_owner_who_is_not_root(owner, prey, name):
    """Who hunts has his number: what keeps him off is that nobody is dumpable."""
    words = ["ns.user=new", "user=root", "syscalls=@all", f"bind={prey}:/mnt:exec", "--", "/bin/inside", "hunt"]
    with husk.box(*words, box=name, env=owner.env, **OWNER) as p:
        assert husk.line(p) == "hunting"
        assert husk.wait_for(lambda: (owner.run / name / "ctl").exists() and (owner.run / name / "box").exists())
        for _ in range(60):
            r = owner("exec", name, "--", "/mnt/prey", "sleep", "3")
            assert (r.status, r.out) == (0, "up\n"), r
        seen, got = bag(p)
    assert not got and seen > 30, (seen, got[:5])


def test_a_socket_that_lingers_holds_up_nobody(name):
    """The last copy is passed where the keeper hears of who comes in, by one in the box who may trace and takes that from him.
    Who passes it is held up now and then: if his is the last one."""
    with box("caps=sys_ptrace", "user=root", "syscalls=@all", name=name, program=("--", "/bin/inside", "pass", "4")) as p:
        assert husk.line(p) == "full"
        passed, end = 0, time.monotonic() + 30
        while passed < 3:
            began = time.monotonic()
            assert ex(name, "--", "/bin/true", timeout=10).status in (0, 125) and time.monotonic() - began < 2 and began < end, passed
            while select.select([p.stdout], [], [], 0)[0]:
                passed += husk.line(p) == "passed"
        began = time.monotonic()
        assert husk.husk("stop", name, timeout=10).status == 0 and time.monotonic() - began < 4
        husk.status_of(p)


def slow(name, prey, words, n):
    """So many times into a box whose root hunts, and 20 ms between any two calls of who enters: what the hunter has seen and got."""
    with hunted(name, prey, *words) as p, open(prey / f"{name}.log", "w") as log:
        calls = prey / f"{name}.calls"
        s = subprocess.Popen(["strace", "-f", "-qq", "-p", str(p.pid), "-o", str(calls), "-e", "inject=!poll,waitid:delay_exit=20000"], stderr=log)
        assert husk.wait_for(lambda: "TracerPid:\t0" not in husk.read(f"/proc/{p.pid}/status"))
        try:
            for i in range(n):
                r = ex(name, "--", "/mnt/prey", "exit", "3", timeout=60)
                assert r.status == 3, (i, r)
                if n > 1:
                    print(time.strftime("%X"), name, i + 1, flush=True)
                    os.truncate(calls, 0) if i + 1 < n else None
        finally:
            s.terminate()
            s.wait()
        seen, got = bag(p)
    assert "execve" in husk.read(calls)
    husk.nothing_left(name)
    return seen, got


@pytest.mark.skipif(not shutil.which("strace"), reason="no strace")
@pytest.mark.parametrize("variant", ["plain", "ns.user"])
def test_nothing_can_be_got_when_each_step_is_slow(name, prey, variant):
    """SLOW=1000: so many times, in four boxes side by side, which takes a quarter of an hour."""
    before, n = digest(), int(os.environ.get("SLOW", "1"))
    names = [f"{name}{i}" for i in range(min(n, 4))]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        all_of = list(pool.map(lambda each: slow(each, prey, HUNTERS[variant], n // len(names)), names))
    assert not any(got for _, got in all_of) and all(seen >= 1 for seen, _ in all_of), all_of
    print("seen", [seen for seen, _ in all_of])
    assert digest() == before


# ------------------------------------------------------------------ the fault loop

def starts_of(log):
    calls = {3: [], 4: []}
    for l in log.read_text(errors="replace").splitlines():
        f = l.split(" ", 4)
        if f[0] == "call" and int(f[1]) in calls:
            calls[int(f[1])].append((f[2], fault.numbers().get(int(f[2].partition(".")[0]), "?"), f[4] if len(f) > 4 else ""))
    return calls


@contextlib.contextmanager
def injected(name, log, *mode, words=()):
    p = subprocess.Popen([husk.INJECT, "-o", log, *mode, "--", husk.HUSK, "run", f"name={name}", f"root={husk.ROOT}", *words, *SLEEP],
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        door(name)
        yield p
    finally:
        keeper = int(re.search(r"^keeper=(\d+)", husk.read(husk.RUNDIR / name / "state"), re.M)[1])
        husk.send(keeper, signal.SIGTERM)
        try:
            p.wait(5)
        except subprocess.TimeoutExpired:
            husk.send(keeper, signal.SIGKILL)
            p.kill()
            p.wait()
        p.stdout.close()
        p.stderr.close()


# Where the program runs all the same, and why.
HARMLESS = {
    "close": "the descriptor is gone", "pidfd_open": "one by one, from Linux 5.8 on not needed", "setns": "the same", "close_range": "/proc/self/fd", "poll": "asked again",
    "openat2": "component by component", "write": "", "newfstatat": "", "fstat": "", "openat": "", "prctl": "a read is not of the mask", "recvfrom": "", "statfs": "", "fstatfs": "", "keyctl": "ENOSYS: no keys",
    "read": "", "recvmsg": "made again", "alarm": "", "setitimer": "", "flock": "", "socketpair": "", "readlinkat": "", "stat": "", "access": "", "fcntl": "", "personality": "",
}


def faults(calls):
    for role in (3, 4):
        for n, name, text in calls[role]:
            errs = fault.errnos_of(name)
            for e in errs[:2]:
                yield role, n, name, text, e


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the injector is for x86_64 only")
@pytest.mark.parametrize("variant, words, options", [("plain", [], []), ("tty", ["ns.user=new", "ns.time=new", "clock.boottime=1s"], ["-t"])])
def test_every_call_fails_once(name, tmp_path, variant, words, options):
    """A line and 125 (126, 127 of the execve), or the program as it should be; the box goes on, and the next one works."""
    log = tmp_path / "log"
    rights = ["exec", *options, name, "--", "/bin/inside", "rights", "7"]
    with injected(name, log, "list", words=words):
        r = husk.husk(*rights)
        assert r.status == 7, r
        own = same(re.sub("\r", "", r.out))
    calls = starts_of(log)
    assert len(calls[3]) > 60 and len(calls[4]) > 4, calls
    calls[4].append((f"{fault.number('execve')}.1", "execve", ""))		# the last one that is seen of it
    points, wrong, ways, missed = list(faults(calls)), [], {}, 0
    for at in range(0, len(points), 100):
        some = points[at:at + 100]
        (tmp_path / "each").write_text("".join(f"{role} {n} {getattr(errno, e)}\n" for role, n, _, _, e in some))
        with injected(name, log, "each", tmp_path / "each", words=words):
            for k, (role, n, call, text, e) in enumerate(some, 1):
                what = f"role {role} {call}({text}) {e}"
                try:
                    r = husk.husk(*rights, timeout=8)
                except AssertionError as err:
                    wrong.append(f"{what}: hangs {str(err)[-100:]}")
                    continue
                out = same(re.sub("\r", "", r.out))
                ways[r.status] = ways.get(r.status, 0) + 1
                if r.status == 7 and f"hit {role} {n} {k}\n" not in log.read_text(errors="replace"):
                    missed += 1		# its calls are not always the same
                    continue
                if r.status == 7 and (call not in HARMLESS or normal(out) != normal(own)):
                    wrong.append(f"{what}: the program runs: {fault.difference(own, out)}")
                elif r.status != 7 and (r.status not in ((125, 126, 127) if call.startswith("exec") else (125, 2)) or not re.search(r"husk: |/box: ", r.err + r.out)):
                    wrong.append(f"{what}: {r}")
            r = husk.husk(*rights)
            assert r.status == 7 and normal(same(re.sub("\r", "", r.out))) == normal(own), r
        husk.nothing_left(name)
    with open(husk.OUT / "fault.count", "a") as f:
        f.write(f"exec {len(points)}\n")
    assert missed < 5, missed
    assert not wrong, f"{len(wrong)} of {len(points)} {ways}:\n" + "\n".join(wrong)


def normal(text):
    """A box that is started anew has other inodes."""
    return fault.normal(text)


# ------------------------------------------------------------------ other machines

GUEST = """
own='grep -E "^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp:)" /proc/self/status; cat /proc/self/cgroup /proc/self/uid_map; readlink /proc/self/ns/net /proc/self/ns/mnt /proc/self/ns/user; hostname'
go() {
	tag=$1; shift
	husk start name=b root=/srv/root memory.max=16M pids.max=20 "$@" -- /bin/sh -c "($own) >/tmp/own; echo up; exec sleep 1000" || return
	while ! husk logs b | grep -q up; do usleep 50000; done
	husk exec b -- /bin/cat /tmp/own >/tmp/a; husk exec b -- /bin/sh -c "$own" >/tmp/b; echo "@$tag $? $(cat /tmp/a | wc -l) $(cat /tmp/a | grep -vxFf /tmp/b | wc -l) $(husk exec b -- /bin/sh -c 'exit 7'; echo $?)"
	husk exec -t b -- /bin/sh -c 'readlink /proc/self/fd/0; exit 3'; echo "@$tag-tty $?"
	husk exec b root=/ -- /bin/sh -c "ls -d /srv/root; hostname; ifconfig -a | grep -c Link"; echo "@$tag-host $?"
	husk pause b; husk exec b -- /bin/true; echo "@$tag-paused $?"; husk resume b; husk exec b -- /bin/true; echo "@$tag-resumed $?"
	husk stop b; echo "@$tag-stop $?"
}
go plain; go user ns.user=new; go one pid1=program
husk start name=t root=/srv/root tty=yes -- /bin/sh -c 'while read x; do echo "got $x"; done'
(echo one; while ! husk logs t | grep -q 'got one'; do usleep 50000; done; sleep 1) | husk attach t; echo "@attach $?"
husk stop t; echo "@end $(ls -A /run/husk | wc -l)"
"""


@pytest.mark.parametrize("board, version, layout", [("qemu-armv7", "5.10", "v1"), ("qemu-arm64", "6.1", "v2")])
def test_on_another_machine(board, version, layout):
    text = qemu.guest(board, GUEST, version, layout, timeout=300)
    assert text.ended, text
    said = dict(re.findall(r"^@(\S+) (.*?)\r?$", text.text, re.M))
    for tag in ("plain", "user", "one"):
        status, lines, others, seven = said[tag].split()
        assert (status, others, seven) == ("0", "0", "7") and int(lines) > 12, text
        assert [said[f"{tag}-{w}"] for w in ("tty", "host", "paused", "resumed", "stop")] == ["3", "0", "125", "0", "0"], text
    assert text.text.count("\n/srv/root\nb\n") == 3 and re.search(r"\n/dev/pts/\d+\r?\n@plain-tty", text.text), text
    assert said["attach"] == "0" and "got one" in text.text and said["end"] == "0", text


def test_on_a_board():
    """PID 1 of the machine is the keeper."""
    b = qemu.of("qemu-x86_64", "6.1")
    look = """(while husk exec t -- /bin/sh -c 'echo in; exit 4'; [ $? != 4 ]; do usleep 100000; done
husk exec -t t -- /bin/readlink /proc/self/fd/0
(echo one; while ! husk logs t | grep -q 'got one'; do usleep 50000; done; echo end; while ! husk logs t | grep -q 'Z! exit 6'; do usleep 50000; done; sleep 1) | husk attach t; echo "attach $?"
husk exec t root=/ -- /bin/ls -d /look) >/dev/console 2>&1; husk poweroff
"""
    boxes = {"t": "root=/srv/root\ntty=yes\nrestart=always 100ms..100ms\nexec=/bin/sh -c \"while read x; do echo got $x; [ $x = one ] || exit 6; done\"\n", "look": "use=host\nexec=/bin/sh /look\n"}
    text = qemu.boot(b, qemu.with_husk(b, boxes) | {"look": qemu.file(look)}, timeout=150)
    assert text.ended and re.search(r"^in\r?\n/dev/pts/1\r?\n", text.text, re.M), text
    assert re.search(r"got one(?s:.*)got end(?s:.*)husk: t: exit 6: again(?s:.*)started again(?s:.*)left alone\r?\nattach 0\r?\n/look", text.text), text
