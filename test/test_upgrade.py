"""husk upgrade: another husk goes on with the boxes of this one, and none of them notices."""
import array
import contextlib
import fcntl
import hashlib
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import time

import pytest

import fault
import husk
import qemu
import test_boot
import test_off
from husk import wait_for

SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
SEAL, LEARNS, STATE, EXEC, DIED, LATE, LAYOUT = range(2, 9)


@pytest.fixture
def name():
    n = husk.name("upg")
    yield n
    init, keeper = number(n, "init"), number(n, "keeper")
    for pid in (init, keeper):
        if pid > 1:
            husk.send(pid, signal.SIGKILL)
    wait_for(lambda: not keeper or not husk.alive(keeper))
    husk.husk("delete", n)
    husk.nothing_left(n)


def lines(n, key):
    return re.findall(rf"^{key}=(.*)$", husk.read(husk.RUNDIR / n / "state"), re.M)


def number(n, key):
    return int((lines(n, key) or ["0"])[-1].split()[0])


def word(n):
    return (lines(n, "state") or [""])[-1].split(" ")[0]


def start(n, *words, binary=husk.HUSK, root=husk.ROOT):
    r = husk.command(binary, "start", f"name={n}", f"root={root}", *words, timeout=30)
    assert r.status == 0, r
    wait_for(lambda: (husk.RUNDIR / n / "box").exists(), 2)	# husk exec needs it
    return number(n, "keeper")


def sh(text):
    return "--", "/bin/sh", "-c", text


def another(to, change=lambda b: b):
    """Another husk: what comes behind an ELF file is nothing to the kernel."""
    data = change(pathlib.Path(husk.HUSK).read_bytes()) + to.name.encode()
    with open(to, "wb", buffering=0) as f:		# in pieces, as cp does: what is written at once is one page of 256 kB, which is mapped as a whole
        for at in range(0, len(data), 1 << 14):
            f.write(data[at:at + (1 << 14)])
    to.chmod(0o755)
    return to


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    d = tmp_path_factory.mktemp("husk")
    return another(d / "one"), another(d / "two")


@pytest.fixture(scope="module")
def otherwise(tmp_path_factory):
    """One whose records look different: with another number, as layout.sh would give it."""
    n = int(husk.command("sh", husk.TOP / "init/layout.sh").out)

    def change(b):
        assert 1 <= b.count(struct.pack("<I", n)) <= 2
        return b.replace(struct.pack("<I", n), struct.pack("<I", n ^ 1))
    return another(tmp_path_factory.mktemp("husk") / "otherwise", change)


def runs(pid, binary):
    return hashlib.sha256(pathlib.Path(f"/proc/{pid}/exe").read_bytes()).digest() == hashlib.sha256(pathlib.Path(binary).read_bytes()).digest()


def upgrade(binary, *names, status=0):
    r = husk.command(binary, "upgrade", *names, timeout=30)
    assert r.status == status, r
    return r


def settled(pid):
    """The same once nobody asks: the connection of who asked may be closed a moment after the answer."""
    time.sleep(.3)
    return husk.descriptors(pid)


def not_inherited(pid):
    """All but 0, 1 and 2 are closed by an exec: of the numbers that are not, the list."""
    flags = {}
    for f in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):		# closed meanwhile: by its name, or by who reads it
            flags[int(f)] = int(husk.fields(pathlib.Path(f"/proc/{pid}/fdinfo/{f}").read_text())["flags"], 8)
    return [f for f, bits in flags.items() if f > 2 and not bits & os.O_CLOEXEC]


def sealed(data):
    fd = os.memfd_create("test", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.write(fd, data)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, SEALS)
    return fd


def ask(n, fd, timeout=20):
    """As husk upgrade asks, for any file: the answer, or None if there is none."""
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.settimeout(timeout)
    s.connect(str(husk.RUNDIR / n / "ctl"))
    s.sendmsg([b"u"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd] if fd is not None else []))] if fd is not None else [])
    answer = s.recv(100)
    s.close()
    return struct.unpack("ii", answer)[1] if answer else None


COUNTER = sh("trap 'echo end; exit 5' TERM; n=0; while :; do n=$((n+1)); echo $n; usleep 8000; done")


def logged(path):
    return [l.split(" ", 1)[1] for l in husk.read(path).splitlines() if "Z! " not in l]


def test_a_box_lives_through_twenty(name, two, tmp_path):
    """It counts, and no line is lost; who waits for its end, and who is in it by husk exec, go on, too."""
    keeper = start(name, f"log={tmp_path}/log:10M", "log.rate=10000/s", "stop.timeout=20s", *COUNTER)
    log = pathlib.Path(f"{tmp_path}/log")
    assert wait_for(lambda: len(logged(log)) > 3)
    init, since = number(name, "init"), lines(name, "state")
    w = subprocess.Popen([husk.HUSK, "wait", name], stderr=subprocess.PIPE)
    e = subprocess.Popen([husk.HUSK, "exec", name, *sh("trap 'exit 9' USR1; echo in; while :; do usleep 5000; done")], stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert husk.line(e) == "in"
    assert wait_for(lambda: len([d for d in husk.descriptors(keeper) if d.startswith("socket:")]) >= 3)	# its door, and both of them
    before = None
    for i in range(20):
        upgrade(two[i % 2], name)
        assert runs(keeper, two[i % 2]) and husk.read(f"/proc/{keeper}/comm") == "husk\n"
        before = before or settled(keeper)
        assert wait_for(lambda: len(husk.descriptors(keeper)) == len(before)), (before, husk.descriptors(keeper))	# who asked is hung up on a moment later
        assert not not_inherited(keeper)
    assert number(name, "init") == init and husk.alive(init) and number(name, "keeper") == keeper and lines(name, "state") == since
    assert f"name={name}" in husk.read(f"/proc/{keeper}/cmdline") and "HUSK_UPGRADE" not in husk.command(husk.HUSK, "exec", name, "--", "/bin/env").out
    assert husk.read(log).count("! goes on with husk") == 20
    e.send_signal(signal.SIGUSR1)
    assert husk.status_of(e) == 9, e.stderr.read()
    e.stdout.close()
    e.stderr.close()
    assert wait_for(lambda: len(logged(log)) > 40)
    assert husk.husk("stop", name).status == 0
    assert husk.status_of(w) == 5, w.stderr.read()
    w.stderr.close()
    said = logged(log)
    assert said == [str(n + 1) for n in range(len(said) - 1)] + ["end"] and len(said) > 30, said[-5:]
    husk.nothing_left(name)


def test_who_is_attached_stays_so(name, two):
    """Two terminals on the box's own, a program on a terminal of its own, and one in the background: all go on, and nothing is held twice."""
    shell = sh("stty -echo; echo up; while read x; do echo \"got $x\"; done")
    keeper = start(name, "tty=yes", *shell)
    assert wait_for(lambda: "up" in husk.husk("logs", name).out)
    assert husk.husk("exec", "-d", name, "--", "/bin/sleep", "1234").status == 0
    with husk.terminal("attach", name) as one, husk.terminal("attach", name) as other, husk.terminal("exec", "-t", name, *shell) as own:
        for t in (one, other):
            t.until(lambda text: t.raw())
        own.expect("up")
        one.type("0\r")
        other.expect("got 0\r")
        before = None
        for i in range(1, 5):
            upgrade(two[i % 2], name)
            assert runs(keeper, two[i % 2])
            before = before or settled(keeper)
            assert wait_for(lambda: len(husk.descriptors(keeper)) == len(before)) and not not_inherited(keeper), (before, husk.descriptors(keeper))
            one.type(f"{i}\r")
            for t in (one, other):
                t.expect(f"got {i}\r")
            own.type(f"own {i}\r")
            own.expect(f"got own {i}\r")
        one.type("\x10\x11")
        assert one.end() == 0
        own.type("\x04")
        assert own.end() == 0
        assert wait_for(lambda: len(husk.descriptors(keeper)) == len(before) - 2), (before, husk.descriptors(keeper))
        assert "1234" in husk.husk("ps", name).out
        assert husk.husk("kill", name, "KILL").status == 0
        assert other.end() == 137 and "the box has ended" in other.text


def test_what_it_takes_is_given_back(name, two):
    """A keeper that has gone on is as small as one that has not."""
    def size(pid):
        m = husk.fields(husk.read(f"/proc/{pid}/smaps_rollup"))		# of its file the kernel maps as much as it likes
        return int(m["Anonymous"].split()[0])
    keeper = start(name, "log=none", "--", "/bin/sleep", "1000")
    upgrade(two[0], name)
    first = wait_for(lambda: size(keeper) < 64 and size(keeper))
    for i in range(5):
        upgrade(two[i % 2], name)
    assert first and wait_for(lambda: size(keeper) <= first + 16), (first, size(keeper))
    assert ask(name, sealed(b"no program")) == EXEC
    assert wait_for(lambda: size(keeper) <= first + 16), (first, size(keeper))


def test_it_is_started_again_by_the_next_one(name, two):
    """restart=: what it has counted, and how long it waits, hold."""
    keeper = start(name, "restart=always 300ms..10s 30/1h", *sh("sleep 0.1; exit 3"))
    for i in range(4):
        assert wait_for(lambda: number(name, "restarts") > i and word(name) == "backoff"), husk.read(husk.RUNDIR / name / "state")
        n = number(name, "restarts")
        upgrade(two[i % 2], name)
        assert wait_for(lambda: number(name, "restarts") > n, 20), husk.read(husk.RUNDIR / name / "state")
    assert runs(keeper, two[1]) and all("exit 3" in l for l in lines(name, "last"))
    assert husk.husk("stop", name).status == 0


def test_while_it_starts(name, two, tmp_path):
    """The starter is of the old one, and the box is the new one's."""
    h = tmp_path / "hook"
    h.write_text(f"#!/bin/sh\n[ -e {tmp_path}/slow ] && touch {tmp_path}/there && sleep 1\nexit 0\n")
    h.chmod(0o755)
    keeper = start(name, "restart=always 10ms", f"hook.prestart={h}", "--", "/bin/sleep", "1000")
    was = number(name, "init")
    (tmp_path / "slow").touch()
    husk.send(was, signal.SIGKILL)
    assert wait_for(lambda: (tmp_path / "there").exists())
    upgrade(two[0], name)
    assert runs(keeper, two[0]) and word(name) != "running"
    assert wait_for(lambda: word(name) == "running", 10) and number(name, "init") != was
    assert husk.husk("exec", name, "--", "/bin/true").status == 0
    assert husk.husk("stop", name).status == 0


def test_while_it_stops(name, two):
    keeper = start(name, "stop.timeout=1500ms", *sh("trap 'echo no' TERM; echo up; while :; do usleep 20000; done"))
    assert wait_for(lambda: "up" in husk.husk("logs", name).out)
    s = subprocess.Popen([husk.HUSK, "stop", name], stderr=subprocess.PIPE)
    assert wait_for(lambda: word(name) == "stopping")
    upgrade(two[0], name)
    assert runs(keeper, two[0]) and word(name) == "stopping"
    assert husk.status_of(s) == 0, s.stderr.read()
    s.stderr.close()
    husk.nothing_left(name)


@pytest.mark.skipif(not (husk.DEBIAN / "usr/bin/python3").exists(), reason="no Debian root")
def test_it_calls_in_with_the_next_one(name, two):
    """ready=notify and watchdog=: one is ready after the upgrade, and is ended when it calls no more."""
    script = """import os, socket, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.connect(os.environ["NOTIFY_SOCKET"])
while not os.path.exists("/tmp/go"): time.sleep(0.02)
s.send(b"READY=1")
for i in range(8): time.sleep(0.2); s.send(b"WATCHDOG=1")
time.sleep(600)
"""
    p = subprocess.Popen([husk.HUSK, "start", f"name={name}", f"root={husk.DEBIAN}", "ready=notify", "watchdog=3s", "--", "/usr/bin/python3", "-c", script],
                         stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert wait_for(lambda: word(name) == "starting")
    keeper = number(name, "keeper")
    assert wait_for(lambda: (husk.RUNDIR / name / "ctl").exists())
    upgrade(two[0], name)
    assert runs(keeper, two[0]) and word(name) == "starting"
    w = subprocess.Popen([husk.HUSK, "wait", "--ready", name], stderr=subprocess.PIPE)
    assert husk.husk("exec", name, "--", "/usr/bin/python3", "-c", "open('/tmp/go', 'w')").status == 0
    assert husk.status_of(w) == 0 and word(name) == "ready", w.stderr.read()
    upgrade(two[1], name)
    assert wait_for(lambda: word(name) == "failed", 20) and "watchdog" in lines(name, "state")[-1]
    p.wait(10)
    for f in (p.stderr, w.stderr):
        f.close()


def test_in_the_foreground(name, two, tmp_path):
    with husk.box("-p", tmp_path / "pid", *COUNTER, box=name) as p:
        assert husk.line(p) == "1" and wait_for(lambda: (husk.RUNDIR / name / "ctl").exists())
        upgrade(two[0], name)
        assert runs(p.pid, two[0])
        p.send_signal(signal.SIGTERM)
        assert husk.status_of(p) == 5
        out = p.stdout.read().decode().split()
        assert out == [str(n + 2) for n in range(len(out) - 1)] + ["end"]
    assert not (tmp_path / "pid").exists()
    husk.nothing_left(name)


@pytest.mark.skipif(os.geteuid() != 0, reason="not root")
def test_all_that_run(two, tmp_path):
    """Without a name; of each keeper one box is asked. Of who is not root root may ask, too."""
    env = dict(os.environ, HUSK_RUN=str(tmp_path / "run"))
    names = [husk.name("upg") for _ in range(3)]
    state = lambda n: dict(l.split("=", 1) for l in husk.read(tmp_path / "run" / n / "state").splitlines() if "=" in l)
    try:
        for n in names:
            assert husk.husk("start", f"name={n}", f"root={husk.ROOT}", "--", "/bin/sleep", "1000", env=env).status == 0
        (tmp_path / "run" / "dead").mkdir(mode=0o700)
        assert husk.command(two[0], "upgrade", env=env).status == 0
        assert all(runs(int(state(n)["keeper"]), two[0]) for n in names)
        r = husk.command(two[1], "upgrade", names[0], "nobody", "a/b", env=env)
        assert r.status == 2 and "nobody: no such box" in r.err and "not the name" in r.err, r
        assert [runs(int(state(n)["keeper"]), two[1]) for n in names] == [True, False, False]
    finally:
        assert husk.husk("stop", *names, env=env).status == 0


# ------------------------------------------------------------------ what is refused

def compiled(tmp_path, text):
    (tmp_path / "t.c").write_text(text)
    r = husk.command("gcc", "-static", "-nostdlib", "-ffreestanding", "-O1", "-o", tmp_path / "t", tmp_path / "t.c", timeout=60)
    assert r.status == 0, r
    return (tmp_path / "t").read_bytes()


def goes_on(name, keeper, binary=husk.HUSK):
    """With the old one, and nothing is left of the other."""
    assert runs(keeper, binary) and not not_inherited(keeper)
    assert wait_for(lambda: husk.children(keeper) == [number(name, "init")]), husk.children(keeper)
    assert husk.husk("exec", name, "--", "/bin/true").status == 0
    assert not [d for d in husk.descriptors(keeper) if "memfd" in d and "husk-upgrade" in d]


def test_what_is_refused(name, two, tmp_path):
    keeper = start(name, "--", "/bin/sleep", "1000")
    whole = pathlib.Path(husk.HUSK).read_bytes()
    goes_on(name, keeper)
    before = husk.descriptors(keeper)
    open_file = os.memfd_create("test", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.write(open_file, whole)
    fcntl.fcntl(open_file, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)
    plain = os.open(two[0], os.O_RDONLY)
    refused = [(open_file, SEAL), (plain, SEAL), (None, SEAL), (os.open("/", os.O_PATH), SEAL), (sealed(b""), EXEC), (sealed(b"\x7fELF" + bytes(2000)), EXEC),
               (sealed(whole[:len(whole) // 2]), (EXEC, DIED)), (sealed(whole[:5000]), (EXEC, DIED)),
               (sealed(compiled(tmp_path, "void _start(void) { __builtin_trap(); }")), DIED),
               (sealed(compiled(tmp_path, "void _start(void) { for (;;) ; }")), LATE),
               (sealed(pathlib.Path("/bin/true").read_bytes()), DIED)]
    arm = husk.OUT / "qemu-armv7/husk"
    if arm.exists() and not os.path.exists("/proc/sys/fs/binfmt_misc/qemu-arm"):
        refused.append((sealed(arm.read_bytes()), EXEC))
    for i, (fd, why) in enumerate(refused):
        got = ask(name, fd)
        assert got in (why if isinstance(why, tuple) else (why,)), (i, got, why)
        goes_on(name, keeper)
        if fd is not None:
            os.close(fd)
    assert wait_for(lambda: set(husk.descriptors(keeper)) <= set(before)), (before, husk.descriptors(keeper))	# who was answered hangs up a moment later
    upgrade(two[0], name)
    assert husk.husk("stop", name).status == 0


def test_other_records(name, otherwise, two):
    """In both directions; and it says what to do."""
    keeper = start(name, "--", "/bin/sleep", "1000")
    r = upgrade(otherwise, name, status=1)
    assert r.err == f"husk: {name}: upgrade: this husk keeps other records: stop the box, and start it with this one - it goes on with the old one\n"
    goes_on(name, keeper)
    assert husk.husk("stop", name).status == 0
    keeper = start(name, "--", "/bin/sleep", "1000", binary=otherwise)
    assert ask(name, sealed(two[0].read_bytes())) == LAYOUT
    goes_on(name, keeper, otherwise)


def test_who_learns_goes_on(name, two):
    p = subprocess.Popen([husk.HUSK, "learn", f"name={name}", f"root={husk.ROOT}", "--", "/bin/sleep", "1000"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert wait_for(lambda: (husk.RUNDIR / name / "ctl").exists(), 10)
    assert "learn ends with its box" in upgrade(two[0], name, status=1).err
    assert runs(p.pid, husk.HUSK)
    husk.send(p.pid, signal.SIGTERM)
    assert "syscalls=" in p.communicate(timeout=20)[0].decode()


def test_the_exec_itself_fails(name, two):
    """When it has been tried already."""
    keeper = start(name, *COUNTER)
    p = traced(keeper, "execveat:error=ENOMEM")
    assert "does not run this file" in upgrade(two[0], name, status=1).err
    p.terminate()
    p.wait()
    goes_on(name, keeper)
    upgrade(two[0], name)
    assert runs(keeper, two[0])


def traced(pid, inject):
    p = subprocess.Popen(["strace", "-q", "-o", "/dev/null", "-e", f"inject={inject}", "-p", str(pid)], stderr=subprocess.DEVNULL)
    assert wait_for(lambda: "TracerPid:\t0\n" not in husk.read(f"/proc/{pid}/status"))
    return p


def calls_of_an_upgrade(name, binary, tmp_path):
    """(name, which of that name) of each call of the keeper, of many in a row the first and the last."""
    keeper = start(name, "log=none", "--", "/bin/sleep", "1000")
    p = subprocess.Popen(["strace", "-q", "-o", tmp_path / "calls", "-p", str(keeper)], stderr=subprocess.DEVNULL)
    assert wait_for(lambda: "TracerPid:\t0\n" not in husk.read(f"/proc/{keeper}/status"))
    upgrade(binary, name)
    p.terminate()
    p.wait()
    husk.send(keeper, signal.SIGKILL)
    seen, calls = {}, []
    for l in (tmp_path / "calls").read_text().splitlines():
        m = re.match(r"(?:restart_syscall|(\w+))\(", l)
        if m and m[1]:
            seen[m[1]] = seen.get(m[1], 0) + 1
            calls.append((m[1], seen[m[1]]))
    return [c for i, c in enumerate(calls) if not 0 < i < len(calls) - 1 or not calls[i - 1][0] == c[0] == calls[i + 1][0]]


@pytest.mark.skipif(not shutil.which("strace"), reason="no strace")
def test_killed_at_each_call_of_it(name, two, tmp_path):
    """Before and after the exec: the box ends with its keeper, and the next start cleans up."""
    calls, hits = calls_of_an_upgrade(name, two[0], tmp_path), 0
    assert len(calls) > 25 and ("execveat", 1) in calls, calls
    for call, n in calls:
        keeper = start(name, "log=none", "--", "/bin/sleep", "1000")
        init = number(name, "init")
        p = traced(keeper, f"{call}:signal=KILL:when={n}")
        c = subprocess.Popen([two[0], "upgrade", name], stderr=subprocess.DEVNULL)
        husk.status_of(c)
        hits += bool(wait_for(lambda: not husk.alive(keeper), 0.3))
        p.terminate()
        p.wait()
        husk.send(keeper, signal.SIGKILL)
        assert wait_for(lambda: not husk.alive(init) and not husk.alive(keeper)), (call, n)
        assert wait_for(lambda: not husk.tagged(name)), (call, n, husk.tagged(name))
    start(name, "--", "/bin/sleep", "1000")
    assert hits > len(calls) * 0.8, (hits, len(calls))


def test_each_call_of_it_fails_once(name, two, tmp_path):
    """The first of each name: another one goes on, or this one does, and the box with it."""
    calls = calls_of_an_upgrade(name, two[0], tmp_path)
    keeper, before = start(name, "log=none", "--", "/bin/sleep", "1000"), None
    init = number(name, "init")
    for i, (call, n) in enumerate(c for c in calls if c[1] == 1 and fault.errnos_of(c[0]) and c[0] != "close"):
        p = traced(keeper, f"{call}:error={fault.errnos_of(call)[0]}:when={n}")
        r = husk.command(two[i % 2], "upgrade", name, timeout=30)
        p.terminate()
        p.wait()
        assert husk.alive(keeper) and husk.alive(init) and husk.husk("exec", name, "--", "/bin/true").status == 0, (call, n, r)
        before = before or len(settled(keeper))
        assert wait_for(lambda: len(husk.descriptors(keeper)) <= before), (call, n, before, husk.descriptors(keeper))


# --------------------------------------------------------------------- what stays

STAYS = {	# memory that outlives forget(), and is not handed over: why
    "environ": "", "last_errno": "", "__stack_chk_guard": "", "aux": "", "by": "board_go_on() says it again", "words": "", "nwords": "", "args": "the kernel gives them anew",
    "busy": "within one call", "gone": "within one call", "si": "within one call", "last": "PID 1 of a box", "m": "within one call", "making": "a start", "run": "a start", "r": "a start",
    "w": "as hw", "waited": "then it waits once more", "good": "as is", "consoles": "as all", "path": "a start", "held": "husk attach", "left": "husk attach", "too": "keeper_resume()", "me": "PID 1 of a box", "forks": "PID 1 of a box"}


def test_all_that_stays_is_handed_over():
    """Who adds something that a keeper has to know for longer says so by carry(), or here."""
    text = {p: p.read_text() for p in sorted(husk.TOP.glob("[a-z]*/*.c")) if p.parent.name != "test"}
    kept = {m for t in text.values() for line in re.findall(r"^[^\n]*\b(?:STAYS|APART)\b[^\n]*;", t, re.M) for m in re.findall(r"(\w+)(?:\[\w*\])?\)?(?:\([^)]*\))? (?:STAYS|APART)\b", line)}
    carried = {m for t in text.values() for m in re.findall(r"\bcarry\(&?(\w+)", t)}
    assert {"table", "door", "outs", "guests", "said", "left", "runner"} <= kept & carried
    assert not kept - carried - set(STAYS), kept - carried - set(STAYS)
    of_a_board = [p for p in (husk.TOP / "boards" / f for f in ("boot.c", "console.c", "watchdog.c", "good.c")) if re.search(r"^\t?static (?!const)[^(]*;", text[p], re.M)]
    assert not [p for p in of_a_board if "carry(" not in text[p]], of_a_board	# PID 1 of a board forgets nothing
    body = re.search(r"static void carry_all\(void\)\n\{(.*?)\n\}", text[husk.TOP / "init/upgrade.c"], re.S)[1]
    assert set(re.findall(r"(\w+_carry)\(\)", body)) == {m for t in text.values() for m in re.findall(r"^void (\w+_carry)\(void\)", t, re.M)}


def test_the_number_of_the_records(tmp_path):
    """It changes with a field, and not with a comment."""
    for d in "init cfg ns cg rootfs caps filter boards".split():
        shutil.copytree(husk.TOP / d, tmp_path / d)
    number = lambda: husk.command("sh", tmp_path / "init/layout.sh").out
    def changed(f, a, b):
        text = (tmp_path / f).read_text()
        assert text.count(a) == 1, (f, a)
        (tmp_path / f).write_text(text.replace(a, b))
    was = number()
    changed("init/husk.h", "/* now_ms() of its start */", "/* when it began */")
    changed("init/main.c", "int main(int argc", "int  main(int argc")
    assert number() == was != ""
    for f, a, b in (("init/husk.h", "	bool	 ready;			/* as", "	bool	 also, ready;			/* as"), ("init/husk.h", "DUE_STOP, DUE_START,", "DUE_START, DUE_STOP,"),
                    ("init/log.c", "	uint32_t left, dropped;", "	uint32_t dropped, left;"), ("init/ctl.c", "	uint32_t turn;			/* when", "	int32_t turn;			/* when")):
        changed(f, a, b)
        assert number() != was, b
        was = number()


# --------------------------------------------------------------------- PID 1 of a board

COUNTS = """exec=/bin/sh -c "trap 'echo @%s ended; exit 0' TERM; n=0; while :; do n=$((n+1)); echo $n >/tmp/n; usleep 20000; done"
root=/srv/root
log=%s
"""
BOARD = """exec=/bin/sh /outside.sh
use=host
log=inherit
after=one two
"""
# /foreign is a husk of another architecture that this kernel runs, /other of one that it does not
OUTSIDE = """
until [ "$(husk state one state)" = running ] && [ "$(husk state two state)" = running ]; do usleep 50000; done
before="$(husk state one pid) $(husk state two pid)"
count() { c=; until [ "$c" ]; do c=$(husk exec $1 -- /bin/cat /tmp/n); done; echo $c; }		# it is empty where it is just written
same() { echo "@same $([ "$before" = "$(husk state one pid) $(husk state two pid)" ] && echo yes) $([ $(count one) -gt $a ] && echo more) $(cmp $1 /proc/1/exe && echo it)"; }
dog() { echo "@dog $(ls -l /proc/1/fd | grep -c /dev/watchdog0) $(cat /sys/class/watchdog/watchdog0/state)"; }
a=$(count one); dog
cp /husk /tmp/new; echo more >>/tmp/new
/tmp/new upgrade; echo "@up $?"; fds=$(ls /proc/1/fd | wc -l); husk upgrade; echo "@up $?"
/tmp/new upgrade one; echo "@up $?"
echo "@fds $fds $(ls /proc/1/fd | wc -l) comm $(cat /proc/1/comm)"
same /tmp/new
for f in "/husk 0" "/husk 5000" "/husk 150000" /outside.sh /other /bin/busybox /becomes /foreign; do [ -e ${f% *} ] && /becomes one $f; done
[ -e /foreign ] && /foreign upgrade 2>&1 | sed 's/^/@line /'
same /tmp/new
dog; sleep 9; dog
husk exec two -- /bin/sh -c 'exit 7'; echo "@exec $?"
kill -9 $(husk state one pid); until [ "$(husk state one restarts)" = 1 ] && [ "$(husk state one state)" = running ]; do usleep 50000; done
echo "@again $(husk state one state)"
husk stop two; echo "@stop $? $(husk state two state)"
husk start /etc/husk/two.conf; echo "@start $?"
husk stop two
husk poweroff
"""
HALTED = """
cp /husk /tmp/new; echo more >>/tmp/new
until /tmp/new upgrade one; do usleep 50000; done
sleep 5; cmp /tmp/new /proc/1/exe && echo "@new"; /halted
"""
DOGS = {"qemu-x86_64": ("6.12", "i6300esb"), "qemu-i386": ("6.1", "i6300esb"), "qemu-armv7": ("6.1", "softdog"), "qemu-arm64": ("6.1", "softdog")}	# no model of a machine virt has one


def supervised(board, script):
    """Three boxes, and a watchdog of 4 s, in a guest whose clock counts instructions."""
    test_boot.ready(board)
    version, dog = DOGS[board]
    b, other = qemu.of(board, version), {"qemu-x86_64": "qemu-armv7", "qemu-i386": "qemu-armv7"}.get(board, "qemu-i386")
    files = qemu.with_husk(b, {"one": COUNTS % ("one", "inherit") + "restart=always 100ms\n", "two": COUNTS % ("two", "ring"), "zz": BOARD}, "board.watchdog=/dev/watchdog0:4s:1s\n")
    files |= {n: qemu.program(qemu.compiled(b, n + ".c")) for n in ("becomes", "halted")}
    files |= {n: qemu.program((qemu.TOP / "out" / of / "husk").read_bytes()) for n, of in (("other", other), ("foreign", test_boot.FOREIGN.get(board))) if of and (qemu.TOP / "out" / of / "husk").exists()}
    files |= {"outside.sh": qemu.file(script)} | test_off.with_modules(b, [m for m in ("watchdog", dog) if m == dog or list(qemu.kernel(b).rglob(m + ".ko*"))])
    return test_off.boot(b, files, qemu.ICOUNT.get(board, "") * (version == "6.12") + " -device i6300esb" * (dog == "i6300esb"))


def three_boxes(board):
    r = supervised(board, OUTSIDE)
    assert r.ended and "Power down" in r.text and "Kernel panic" not in r.text, r
    said = lambda tag: test_boot.said(r, tag)
    assert said("up") == ["0"] * 3 and said("same") == ["yes more it"] * 2, r
    fds = said("fds")[0].split()
    assert fds[0] == fds[1] and fds[3] == "husk", r
    assert said("dog") == ["1 active"] * 3 and "did not stop" not in r.text, r
    answers = [int(n) for n in said("becomes")]
    assert answers[:7] == [EXEC] * 5 + [DIED, LATE], r
    assert not test_boot.FOREIGN.get(board) or answers[7:] == [LAYOUT], r
    assert not test_boot.FOREIGN.get(board) or said("line")[0].endswith("this husk keeps other records: stop the box, and start it with this one - it goes on with the old one"), r
    assert said("exec") == ["7"] and said("again") == ["running"] and said("stop")[0].startswith("0") and said("start") == ["0"], r
    assert said("one") == ["ended"], r
    assert r.text.index("husk: going down") < r.text.index("@one ended"), r


def halted(board):
    r = supervised(board, HALTED)
    assert r.ended and test_boot.said(r, "new") == [""] and test_boot.said(r, "halted") == [""], r
    assert "going down" not in r.text and "watchdog:" not in r.text.replace("watchdog: Software Watchdog", ""), r


@pytest.mark.parametrize("board", ["qemu-armv7", "qemu-x86_64"])		# the others: make test-boards
def test_pid_1_of_a_board(board):
    """Three boxes: they stay, answer, are started again, and go down in order; what is no husk of this kind is refused; and the watchdog is fed all the while."""
    three_boxes(board)


@pytest.mark.parametrize("board", ["qemu-arm64"])
def test_a_watchdog_of_the_next_one(board):
    """Fed after the upgrade as before; and when that one is halted the machine is reset."""
    halted(board)
