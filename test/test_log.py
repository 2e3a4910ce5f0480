"""syscalls.log=yes: a refused call is one line of the keeper, and gets the errno that it would have got."""
import contextlib
import os
import re
import resource
import signal
import subprocess
import time

import pytest

import fault
import husk
import qemu
from test_abi import both  # noqa: F401 - a fixture

pytestmark = pytest.mark.skipif(os.uname().machine != "x86_64", reason="call numbers of x86_64")

SETTIME, UNSHARE, MOUNT, SENDMSG, SECCOMP, EXIT_GROUP, CLONE3, PERSONALITY, EXECVEAT = 227, 272, 165, 46, 317, 231, 435, 135, 322
EPERM, EBUSY, EACCES, ENOSYS = 1, 16, 13, 38
LINE = re.compile(r"^husk: (\S+): denied: (\w+)\((\w*(?:, \w+)*)\) \((.*), (\d+)\): (.+)$", re.M)
MORE = re.compile(r"^husk: \S+: denied: (\d+) more$", re.M)


def open_up(d):
    for up in (d, *d.parents):
        if up.stat().st_mode & 5 != 5 and str(up) != "/":
            up.chmod(up.stat().st_mode | 0o555)


@pytest.fixture(scope="session")
def deny(tmp_path_factory):
    d = tmp_path_factory.mktemp("deny")
    open_up(d)
    return husk.musl("deny.c", d / "deny", "-idirafter", "/usr/include", "-idirafter", "/usr/include/x86_64-linux-gnu")


def words(deny, *more):
    return ["syscalls.log=yes", f"bind={deny.parent}:/mnt:exec", *more, "--", "/mnt/deny"]


@pytest.fixture
def box(deny):
    """Runs deny in a box: its result."""
    def go(*args, more=(), **kw):
        return husk.run(*words(deny, *more), *map(str, args), **kw)
    return go


def lines(r):
    return LINE.findall(r.err if hasattr(r, "err") else r)


# ------------------------------------------------------------------- what is said

@pytest.mark.skipif(not (husk.DEBIAN / ".done").exists(), reason="test/setup.sh test makes out/root-debian")
def test_the_line_of_the_manual(name):
    program = "import time\ntry: time.clock_settime(time.CLOCK_REALTIME, 1)\nexcept OSError as e: print(e.errno, flush=True)\ninput()"
    with husk.box("syscalls.log=yes", "--", "/usr/bin/python3", "-c", program, box=name, root=husk.DEBIAN, stdin=subprocess.PIPE) as p:
        assert husk.line(p) == "1"
        pid = husk.children(husk.init_of(p.pid))[0]
        p.stdin.close()
        assert husk.status_of(p) == 1			# input(): end of file
        said = husk.errors(p)
    assert re.search(rf"^husk: {name}: denied: clock_settime\(0x0, 0x[0-9a-f]+\) \(python3, {pid}\): caps=sys_time or syscalls=\+clock_settime$", said, re.M), said


def test_what_exec_once_refuses_no_word_allows(name):
    script = ["--", "/bin/sh", "-c", "/bin/true; exit 3"]
    r = husk.run("exec.once=yes", "syscalls.log=yes", *script, box=name)
    assert r.status == 3 and re.search(r": denied: execve\(.*\): exec\.once=no$", r.err, re.M), r
    r = husk.run("exec.once=yes", "syscalls.log=yes", "exec.once=no", *script, box=name)
    assert r.status == 2 and "exec.once" in r.err, r
    r = husk.run("exec.once=no", "syscalls.log=yes", *script, box=name)
    assert r.status == 3 and "denied" not in r.err, r


@pytest.mark.parametrize("more, cure", [(["exec.once=yes"], "exec.once=no"), (["syscalls=-execveat"], "syscalls=+execveat")])
def test_the_other_way_to_execute(name, box, more, cure):
    r = box("call", EXECVEAT, 9, 0, 0, 0, 0, more=more, box=name)
    assert (r.out, [(l[1], l[5]) for l in lines(r)]) == (f"{-EPERM}\n", [("execveat", cure)]), r


def test_arguments_and_key(name, box):
    r = box("call", UNSHARE, "0x20000000", box=name)
    assert r.out == "-1\n", r
    assert [(l[0], l[1], l[2].split(", ")[0], l[3], l[5]) for l in lines(r)] == [(name, "unshare", "0x20000000", "deny", "caps=sys_admin or syscalls=+unshare")], r


@pytest.mark.parametrize("words, said, key", [((41, 38, 0x80005, 0), "socket(AF_ALG, 0x80005, 0x0)", "sockets=alg"),
                                               ((16, 0, 0x100005412, 0), "ioctl(0x0, TIOCSTI, 0x0)", "syscalls=+ioctl(arg1==0x5412)"),
                                               ((101, 0, 0xfffffffff, 2), "ptrace(0x0, 0xfffffffff, 0x2, 0x0)", "caps=sys_ptrace or syscalls=+ptrace"),
                                               ((95, 1 << 32 | 7), "umask(0x7)", "syscalls=+umask")])
def test_what_the_kernel_reads(name, box, words, said, key):
    """Constants by name, and no bits that nobody looks at."""
    r = box("call", *words, more=["syscalls=-umask"], box=name)
    assert [(f"{l[1]}({l[2]})", l[5]) for l in lines(r)][-1:] == [(said, key)], r


@pytest.mark.parametrize("word, answer, said", [("unshare:EACCES", -EACCES, 1), ("unshare:ENOSYS", -ENOSYS, 0), ("-unshare", -EPERM, 1),
                                                 ("unshare:EACCES unshare(arg0==0)", 0, 0), ("unshare(arg0==1)", -EPERM, 1),
                                                 ("unshare(arg0==0):EBUSY", -EBUSY, 1), ("unshare(arg0!=0):EBUSY", -EPERM, 1)])
def test_the_errno_is_that_of_the_policy(name, box, word, answer, said):
    r = box("call", UNSHARE, 0, more=["syscalls=@service", *("syscalls=" + w for w in word.split())], box=name)
    assert (r.out, len(lines(r))) == (f"{answer}\n", said), r


@pytest.mark.parametrize("word, status", [("unshare:KILL", 159), ("unshare:TRAP", 159)])
def test_who_is_killed_is_killed(name, box, word, status):
    r = box("call", UNSHARE, 0, more=[f"syscalls=+{word}"], box=name)
    assert (r.status, r.out, lines(r)) == (status, "", []), r


def test_what_libraries_probe_for_is_not_said(name, box):
    r = box("call", CLONE3, 0, 0, box=name)
    assert (r.out, lines(r)) == (f"{-ENOSYS}\n", []), r
    r = box("call", 5000, box=name)
    assert (r.out, lines(r)) == (f"{-ENOSYS}\n", []), r


@pytest.mark.parametrize("more", [["syscalls=@all"], ["syscalls.default=LOG"], ["syscalls.default=KILL", "syscalls=+unshare"]])
def test_nothing_is_refused(name, box, more):
    r = box("call", UNSHARE, 0, more=more, box=name)
    assert (r.out, r.err) == ("0\n", ""), r


def test_a_name_is_no_part_of_the_line(name, box):
    r = box("name", "a\n, 1): x\x1b[", UNSHARE, 0, box=name)
    assert lines(r)[0][3] == "a???1???x??" and len(r.err.splitlines()) == 1, r


def test_a_thread_of_children(name):
    """Grandchildren and threads are heard as well, by their own names."""
    program = "import threading, subprocess, os\n" \
        "def f():\n try: os.setns(0)\n except (OSError, AttributeError): pass\n" \
        "t = threading.Thread(target=f); t.start(); t.join()\n" \
        "subprocess.run(['/bin/busybox', 'sh', '-c', '(busybox date -s @1; true)'])"
    r = husk.run("syscalls.log=yes", "syscalls=+setns:EACCES", "--", "/usr/bin/python3", "-c", program.replace("os.setns(0)", "__import__('ctypes').CDLL(None).setns(0, 0)"),
                 box=name, root="/")
    assert {(l[1], l[3]) for l in lines(r)} >= {("setns", "python3"), ("clock_settime", "busybox")} or "ctypes" in r.err, r


# -------------------------------------------------- what the program has, and has not

def test_no_descriptor_comes_along(name):
    r = husk.run("syscalls.log=yes", "--", "/bin/inside", "fds", box=name)
    assert [l.split()[1] for l in r.out.splitlines() if l.startswith("fd ")] == ["0", "1", "2"], r


@pytest.mark.parametrize("nr, args", [(SENDMSG, ["9", "0", "0"]), (SECCOMP, ["1", "0", "0"]), (EXIT_GROUP, ["7"])])
def test_the_way_of_the_listener_is_closed(name, box, nr, args):
    """Whatever the policy says of the call: with husk's own argument it is refused."""
    for more in ([], ["syscalls=+sendmsg +seccomp"], ["syscalls=@service", "syscalls=-sendmsg -seccomp"]):
        r = box("ours", nr, *args, more=more, box=name)
        assert r.out == f"{-EPERM}\n" and r.status == 0, r


def test_no_second_listener(name, box):
    r = box("nested", more=["syscalls=+seccomp"], box=name)
    assert r.out == f"{-EBUSY}\n", r


@pytest.mark.parametrize("more", [["ns.user=new"], ["pid1=program"], ["user=root"], ["ns.pid=host"], ["no_new_privs=no", "user=root", "caps=sys_admin"],
                                  ["pids.max=2"]])
def test_other_boxes(name, box, more):
    r = box("call", PERSONALITY, "0x40000", more=["syscalls=+personality:EACCES", *more], box=name)
    assert (r.out, [l[1] for l in lines(r)]) == (f"{-EACCES}\n", ["personality"]), r


def test_unprivileged(deny, tmp_path_factory):
    d = tmp_path_factory.mktemp("nobody")
    os.chown(d, 65534, 65534)
    open_up(d)
    r = husk.command(husk.HUSK, "run", f"root={husk.ROOT}", "ns.user=new", *words(deny), "call", UNSHARE, 0,
                     user=65534, group=65534, extra_groups=[], env={"HUSK_RUN": str(d / "run"), "PATH": os.environ["PATH"]})
    if r.status == 125 and re.search(r"ns\.(clone|idmap)", r.err):
        pytest.skip(f"no user namespaces without root here: {r.err}")
    assert (r.out, [l[1] for l in lines(r)]) == ("-1\n", ["unshare"]), r


@pytest.mark.skipif(not os.path.exists("/proc/sys/abi/vsyscall32"), reason="a kernel that runs programs for i386")
@pytest.mark.parametrize("abi, program, nr", [("both", "short", 21), ("both", "long", MOUNT), ("32", "short", 21)])
def test_the_other_abi(name, both, abi, program, nr):
    """mount(2) of i386 is named by the table of i386; and abi=32 allows husk what it does itself."""
    r = husk.run("syscalls.log=yes", f"abi={abi}", f"bind={both}:/mnt:exec", "--", f"/mnt/{program}", "native", str(nr), box=name)
    assert (r.status, r.out.strip(), [(l[1], l[5]) for l in lines(r)]) == (0, "-1", [("mount", "caps=sys_admin or syscalls=+mount")]), r


# --------------------------------------------------------------------- how much is said

def test_a_loop_is_one_line_and_a_number(name, box):
    r = box("loop", 5000, UNSHARE, 0, 0, 0, 0, 0, 0, box=name)
    refused, us = r.out.split()
    assert refused == "5000" and len(lines(r)) == 1 and MORE.findall(r.err) == ["4999"], r
    assert float(us) < 1000, "a refused call costs a millisecond"


def test_many_different_ones(name, box):
    r = box("vary", 1000, UNSHARE, 0, 0, 0, 0, 0, 0, box=name)
    assert r.out.split()[0] == "1000" and len(lines(r)) == 16 and MORE.findall(r.err) == ["984"], r


def test_what_was_not_said_is_said_in_time(name, deny):
    program = f"/mnt/deny loop 9 {UNSHARE} 0 0 0 0 0 0; sleep 20"
    with husk.box("stop.timeout=0", *words(deny)[:-1], "/bin/sh", "-c", program, box=name) as p:
        husk.line(p)
        assert husk.wait_for(lambda: MORE.findall(husk.errors(p)), 20, 0.2) == ["8"]
        p.terminate()
        p.wait(5)


def test_nobody_reads(name, deny):
    """Standard error is a full pipe: the program gets its answers, and the box is stopped all the same."""
    r, w = os.pipe()
    os.set_blocking(w, False)
    with contextlib.suppress(BlockingIOError):
        while os.write(w, b"x" * 4096):
            pass
    os.set_blocking(w, True)
    program = f"/mnt/deny vary 100 {UNSHARE}; sleep 20"
    try:
        with husk.box("stop.timeout=200ms", *words(deny)[:-1], "/bin/sh", "-c", program, box=name, stderr=w) as p:
            assert husk.line(p).split()[0] == "100"
            p.terminate()
            assert husk.status_of(p) in (137, 143)
    finally:
        os.close(r)
        os.close(w)


@pytest.mark.parametrize("more, said", [(["log=none"], 0), ([], 1)])
def test_in_the_background(name, deny, tmp_path, more, said):
    err = tmp_path / "err"
    with open(err, "w") as f:
        r = subprocess.run([husk.HUSK, "run", "-d", f"name={name}", f"root={husk.ROOT}", *words(deny, *more), "call", str(UNSHARE), "0"],
                           stdin=-3, stdout=-3, stderr=f, timeout=10, check=False)
    assert r.returncode == 0
    assert husk.wait_for(lambda: husk.husk("state", name, "state").out != "running\n")
    log = husk.husk("logs", name).out
    assert husk.husk("delete", name).status == 0
    assert (log + err.read_text()).count("denied: unshare") == said if said else "denied" not in log	# while it starts who waits is told


# ---------------------------------------------------------- a box that means no good

def test_a_bomb_does_not_stop_the_keeper(name, deny):
    with husk.box("pids.max=40", "stop.timeout=300ms", *words(deny), "bomb", "30", str(UNSHARE), box=name) as p:
        assert husk.line(p) == "ready"
        time.sleep(0.5)
        p.terminate()
        began = time.monotonic()
        assert husk.status_of(p, 8) in (137, 143)
        assert time.monotonic() - began < 5
        said = husk.errors(p)
    assert len(said.splitlines()) < 25, said


def spent(pid):
    """Seconds of a CPU."""
    return sum(map(int, husk.read(f"/proc/{pid}/stat").rsplit(")", 1)[1].split()[11:13])) / os.sysconf("SC_CLK_TCK")


def test_the_keeper_is_not_kept_busy(name, deny):
    """256 answers in a tenth of a second, whoever asks. Without that it were 60000 a second, and half of a CPU."""
    began = time.monotonic()
    with husk.box("pids.max=40", "stop.timeout=0", *words(deny), "bomb", "30", str(UNSHARE), box=name) as p:
        assert husk.line(p) == "ready"
        time.sleep(1)
        used = spent(p.pid)
        p.terminate()
        assert husk.status_of(p, 8) in (137, 143)
        tenths = (time.monotonic() - began) * 10
        said = husk.errors(p)
    assert int(MORE.findall(said)[-1]) <= 256 * (tenths + 1), said
    assert used <= 0.02 * tenths, used


def test_who_is_refused_too_much_stops_in_time(name, deny):
    """The calls that it makes on the way out are answered as well."""
    program = f"trap '/mnt/deny loop 600 {UNSHARE}; exit 5' TERM; /mnt/deny loop 300 {UNSHARE}; while :; do usleep 10000; done"
    with husk.box("stop.timeout=20s", *words(deny)[:-1], "/bin/sh", "-c", program, box=name) as p:
        assert husk.line(p).split()[0] == "300"
        p.terminate()
        assert husk.status_of(p, 15) == 5


def test_who_is_killed_while_it_waits(name, box):
    """At every moment of the round trip: the keeper goes on, and the next call has its answer."""
    r = box("killed", 600, UNSHARE, box=name, timeout=30)
    assert (r.status, r.out) == (0, "600 -1\n") and "denied: " in r.err, r


def test_who_is_killed_hides_nobody(name, box):
    """Not the same call of who lives, unless 64 were killed while they were looked at."""
    r = box("killed", 60, UNSHARE, box=name, timeout=30)
    assert (r.status, r.out) == (0, "60 -1\n") and len(lines(r)) == 1, r


def test_the_keeper_is_killed(name, deny):
    with husk.box("pids.max=40", *words(deny), "bomb", "10", str(UNSHARE), box=name) as p:
        assert husk.line(p) == "ready"
        p.kill()
        p.wait()
        assert husk.wait_for(lambda: not husk.tagged(name))
    r = husk.run("--", "/bin/true", box=name)
    assert r.status == 0, r


def test_ended_while_a_call_waits(name, deny):
    """The keeper does nothing for a while, the call waits, and PID 1 of the box is killed."""
    with husk.box(*words(deny)[:-1], "/bin/sh", "-c", f"echo ready; read x; exec /mnt/deny call {UNSHARE} 0", box=name, stdin=subprocess.PIPE) as p:
        assert husk.line(p) == "ready"
        init = husk.init_of(p.pid)
        os.kill(p.pid, signal.SIGSTOP)
        p.stdin.write(b"\n")
        p.stdin.close()
        time.sleep(0.3)
        os.kill(init, signal.SIGKILL)
        time.sleep(0.1)
        os.kill(p.pid, signal.SIGCONT)
        assert husk.status_of(p, 5) == 137


def test_a_signal_comes_while_a_call_waits(name, deny):
    with husk.box(*words(deny)[:-1], "/bin/sh", "-c", f"echo ready; read x; exec /mnt/deny call {UNSHARE} 0", box=name, stdin=subprocess.PIPE) as p:
        assert husk.line(p) == "ready"
        program = husk.children(husk.init_of(p.pid))[0]
        os.kill(p.pid, signal.SIGSTOP)
        p.stdin.write(b"\n")
        p.stdin.close()
        time.sleep(0.2)
        for sig in (signal.SIGWINCH, signal.SIGSTOP, signal.SIGCONT, signal.SIGTERM):
            os.kill(program, sig)
        time.sleep(0.1)
        os.kill(p.pid, signal.SIGCONT)
        assert husk.status_of(p, 5) == 143


# ------------------------------------------------------------------- other kernels

@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    return fault.record(husk.name("tl"), tmp_path_factory.mktemp("record") / "log", "log")[0]


def seccomps(calls, role):
    return [c for c in calls if c.role == role and c.name == "seccomp"]


def test_an_older_kernel_is_told_apart(recorded, name, tmp_path):
    """Before anything runs, and with a reason."""
    call = seccomps(recorded, 0)[0]
    assert not call.released
    r = fault.inject(tmp_path / "log", "fail", 0, call.n, 22, box=name, variant="log")
    assert r.status == 125 and re.search(r"filter\.keep: needs Linux 5\.0", r.err) and not r.out, r


def test_an_older_kernel_without_wait_killable(recorded, name, tmp_path):
    first = seccomps(recorded, 2)[0]
    r = fault.inject(tmp_path / "log", "fail", 2, first.n, 22, box=name, variant="log")
    assert r.status == 7, r


def test_husk_in_husk(name, tmp_path):
    """Below a filter with a listener there is no second one, and that is said; all else works, a terminal, too."""
    open_up(tmp_path)
    husk.shutil.copy(husk.HUSK, tmp_path / "husk")
    outer = ["use=host", "syscalls.log=yes", "syscalls=@all -settimeofday", "--", tmp_path / "husk", "run", f"name={name}-in", f"root={husk.ROOT}"]
    r = husk.run(*outer, "tty=yes", "--", "/bin/echo", "inner", box=name, root=None)
    assert r.status == 0 and "inner" in r.out, r
    r = husk.run(*outer, "syscalls.log=yes", "--", "/bin/echo", "inner", box=name, root=None)
    assert r.status == 125 and re.search(r"in: filter\.load: .*listener: .* busy - a filter above", r.err), r


def test_few_descriptors(deny, name):
    for n in range(3, 30, 3):
        r = husk.run(*words(deny), "call", UNSHARE, 0, box=name, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (n, n)))
        assert r.status == 125 and r.err or r.status == 0 and r.out == "-1\n" and lines(r), (n, r)


# ------------------------------------------------------------------ other machines

INSIDE = """exec=/bin/sh -c "sleep 1; i=0; while [ $i -lt 20 ]; do date -s @1 2>&1; i=$((i+1)); done; echo @end; exec sleep 1000"
root=/srv/root
user=1000
log=inherit
syscalls.log=yes
"""
OUTSIDE = """use=host
log=inherit
after=inside
exec=/bin/sh -c "sleep 4; husk run root=/srv/root syscalls.log=yes syscalls=+umount2:EBUSY name=once -- /bin/umount /proc; sleep 1; husk poweroff"
"""


@pytest.mark.parametrize("board", ["qemu-armv7", "qemu-i386"])
def test_a_board(board):
    """PID 1 of a machine answers for a box that a starter has made; 32-bit machines; Debian's older kernels."""
    if not (husk.OUT / board / "husk").exists() or not husk.shutil.which(qemu.board(board)["QEMU"].split()[0]):
        pytest.skip(f"make BOARD={board}, and QEMU")
    r = qemu.boot(qemu.board(board), qemu.with_husk(qemu.board(board), {"inside": INSIDE, "outside": OUTSIDE}, conf=""))
    said = [l for l in lines(r.text) if l[0] == "inside"]
    assert r.ended and "@end" in r.text and len(said) in (1, 2), r
    assert all(re.fullmatch(r"(clock_settime(64)?|settimeofday)\(.*\) \((date|busybox)\): caps=sys_time or syscalls=\+\w+", f"{l[1]}({l[2]}) ({l[3]}): {l[5]}")
               for l in said), r
    assert r.text.count("Operation not permitted") >= 20, r
    assert [(l[1], l[3]) for l in lines(r.text) if l[0] == "once"] in ([("umount2", "umount")], [("umount2", "busybox")]) and "busy" in r.text, r
