"""log=: what a box says reaches its log whole, bounded and harmless, whatever the box, the disk and the readers do."""
import contextlib
import os
import re
import signal
import stat
import subprocess
import time

import pytest

import husk
import qemu

STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
LINE = re.compile(rf"^({STAMP})(!?) (.*)$")


@pytest.fixture
def rundir(tmp_path, monkeypatch):
    d = tmp_path / "run"
    d.mkdir(mode=0o700)
    monkeypatch.setenv("HUSK_RUN", str(d))
    return d


@contextlib.contextmanager
def background(name, *words, root=husk.ROOT, tmp_path, check=True):
    """A box in the background, asked to stop in the end. Yields the keeper's number."""
    pidfile = tmp_path / f"{name}.pid"
    r = husk.husk("run", "-d", "-p", pidfile, f"name={name}", f"root={root}", "stop.timeout=500ms", *words)
    assert not check or r.status == 0, r
    pid = int(husk.read(pidfile) or 0)		# it may be over already
    try:
        yield pid
    finally:
        if pid and husk.alive(pid):
            os.kill(pid, signal.SIGTERM)
            husk.wait_for(lambda: not husk.alive(pid))


@pytest.fixture
def box(name, rundir, tmp_path):
    with contextlib.ExitStack() as stack:
        def go(name, *words, **more):
            return stack.enter_context(background(name, *words, tmp_path=tmp_path, **more))
        yield go


def logs(*args, **more):
    return husk.husk("logs", *args, **more)


def said(name, own=False):
    """The lines of a box, without time and mark."""
    r = logs(name)
    assert r.status == 0, r
    found = [LINE.match(line) for line in r.out.splitlines()]
    assert all(found), r.out
    return [m[3] for m in found if bool(m[2]) == own]


def until(name, what, timeout=5):
    assert husk.wait_for(lambda: any(what in s for s in said(name)), timeout), logs(name)


def text(*files):
    """What the box said, of files that are its log."""
    found = [LINE.match(line) for f in files for line in f.read_text().splitlines()]
    return [m[3] if m else "?" for m in found if not m or not m[2]]


SH = ("--", "/bin/sh", "-c")


def ends(pid):
    assert not pid or husk.wait_for(lambda: not husk.alive(pid)), "the keeper does not end"


# ------------------------------------------------------------------ what a line is

def test_lines_of_both_outputs_with_time(box, name):
    box(name, *SH, "echo one; echo two >&2; printf 'three\\n\\nfour\\n'; printf 'cr\\r\\n'; sleep 9")
    until(name, "cr")
    assert said(name) == ["one", "two", "three", "", "four", "cr"]


def test_control_characters_are_gone_and_letters_stay(box, name):
    box(name, *SH, r"printf 'a\033[31mb\a\177\tc\000d\n\303\244\342\202\254\360\237\230\200\n\302\233x\300\200\377\200\342\202\nend\n'; sleep 9")
    until(name, "end")
    assert said(name) == ["a?[31mb??\tc?d", "ä€😀", "??x??????", "end"]


def test_a_line_that_comes_in_pieces_is_one(box, name):
    box(name, *SH, "printf a; sleep .1; printf b; sleep .1; echo c; sleep 9")
    until(name, "abc")
    assert said(name) == ["abc"]


def test_a_line_longer_than_the_buffer_comes_in_pieces(box, name):
    box(name, *SH, "head -c 2000 /dev/zero | tr '\\0' x; echo; head -c 900 /dev/zero | tr '\\0' y; echo; echo end; sleep 9")
    until(name, "end")
    lines = said(name)
    assert "".join(lines) == "x" * 2000 + "y" * 900 + "end" and lines[-2] == "y" * 900 and max(map(len, lines)) <= 900


def test_no_box_writes_a_line_of_husk(box, name):
    box(name, *SH, "echo '! killed: x'; printf '2026-01-01T00:00:00.000Z! killed\\n'; sleep 9")
    until(name, "000Z! killed")
    assert said(name, own=True) == []


def test_dev_stdout_can_be_opened_by_the_user(box, name):
    box(name, "user=1234", *SH, "exec 3>&1; exec >/dev/null; echo x >/dev/fd/3; exec >&3 3>&-; echo y >/dev/stdout; echo z >/dev/stderr; sleep 9")
    until(name, "z")
    assert said(name) == ["x", "y", "z"]


def test_with_a_user_namespace(box, name):
    box(name, "ns.user=new", *SH, "echo y >/dev/stdout; sleep 9")
    until(name, "y")


def test_with_one_process_for_both(box, name):
    box(name, "pid1=program", *SH, "echo pid $$; sleep 9")
    until(name, "pid 1")


# ------------------------------------------------------------------ what the keeper says

def test_the_last_words_of_a_box_and_husks_own(box, name, tmp_path):
    f = tmp_path / "log"
    pid = box(name, f"log={f}:64K", "memory.max=8M", "memory.swap.max=0", *SH, "for i in 1 2 3; do echo $i; done; printf last; exec tail /dev/zero")
    ends(pid)
    lines = [LINE.match(s) for s in f.read_text().splitlines()]
    assert [m[3] for m in lines][:4] == ["1", "2", "3", "last"], f.read_text()
    assert [(m[2], m[3]) for m in lines][4] == ("!", "killed: out of memory (memory.max=8M, peak 8M)") and all(m[2] for m in lines[4:]), f.read_text()


def test_what_is_refused_is_in_the_log(box, name):
    box(name, "syscalls.log=yes", *SH, "sleep .3; unshare -U true; echo done; sleep 9")
    until(name, "done")
    assert any(s.startswith("denied: unshare") for s in said(name, own=True)), logs(name)


def test_nothing_of_the_caller_is_held(box, name):
    pid = box(name, "--", "/bin/sleep", "9")
    assert {os.readlink(f"/proc/{pid}/fd/{i}") for i in (0, 1, 2)} == {"/dev/null"}


# ------------------------------------------------------------------ too much

def cpu(pid):
    f = husk.read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return (int(f[11]) + int(f[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("flood", ["yes", "cat /dev/zero", "while :; do printf x; done"])
def test_a_flood_costs_the_keeper_little_and_is_counted(box, name, rundir, flood):
    pid = box(name, "log.rate=20/s", "pids.max=50", *SH, f"{flood} & sleep 1.5; kill $!; echo over; sleep 1.2; echo end; sleep 9")
    t = cpu(pid)
    until(name, "end", 15)
    assert cpu(pid) - t < 0.5
    assert sum(os.path.getsize(rundir / name / f) for f in ("log", "log.1") if (rundir / name / f).exists()) <= 16 * 1024
    if flood == "yes":
        dropped = [int(m[1]) for m in (re.match(r"log: (\d+) lines dropped: log.rate", s) for s in said(name, own=True)) if m]
        assert sum(dropped) > 1000 and len(said(name)) < 150


def test_the_rate_is_kept(box, name):
    box(name, "log.rate=5/m", *SH, "for i in 1 2 3 4 5 6 7 8; do echo $i; done; sleep .2; echo end; sleep 9")
    husk.wait_for(lambda: len(said(name)) == 5)
    time.sleep(.4)
    assert said(name) == ["1", "2", "3", "4", "5"]


def test_no_rate(box, name, tmp_path):
    f = tmp_path / "log"
    pid = box(name, f"log={f}:1M", "log.rate=max", *SH, "i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done")
    ends(pid)
    assert text(f) == [f"line {i}" for i in range(3000)]


def test_idle_means_no_wake_ups(box, name):
    pid = box(name, "log.rate=2/s", *SH, "for i in 1 2 3 4 5; do echo $i; done; sleep 60")
    husk.wait_for(lambda: any("dropped" in s for s in said(name, own=True)))
    assert husk.sleeps(2, pid)


def test_who_holds_the_pipe_does_not_hold_up_the_end(box, name, tmp_path):
    """Somebody outside of it has the box's output open, and floods it."""
    f = tmp_path / "log"
    pid = box(name, f"log={f}:64K", *SH, "echo x; exec sleep 99")
    husk.wait_for(lambda: f.exists() and f.read_text())
    flood = subprocess.Popen(["/bin/sh", "-c", f"exec yes >/proc/{husk.children(husk.init_of(pid))[0]}/fd/1"], stderr=subprocess.DEVNULL)
    try:
        assert husk.wait_for(lambda: "dropped" in f.read_text() or f.stat().st_size > 2000)
        t = time.monotonic()
        os.kill(pid, signal.SIGTERM)
        ends(pid)
        assert time.monotonic() - t < 5
    finally:
        flood.kill()
        flood.wait()


# ------------------------------------------------------------------ the ring

def test_the_ring_holds_the_last_lines(box, name, rundir):
    box(name, "log=ring:8K", "log.rate=max", *SH, "i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done; sleep 9")
    until(name, "line 1999")
    lines = said(name)
    first = int(lines[0].split()[1])
    assert lines == [f"line {i}" for i in range(first, 2000)] and len(lines) > 100
    assert all(os.path.getsize(rundir / name / f) <= 4096 for f in ("log", "log.1"))
    assert all((rundir / name / f).stat().st_mode & 0o777 == 0o600 for f in ("log", "log.1"))


def test_readers_never_see_half_a_line(box, name):
    box(name, "log=ring:4K", "log.rate=max", *SH, "i=0; while :; do echo line $i of many; i=$((i+1)); [ $((i%100)) = 0 ] && sleep .01; done")
    end = time.monotonic() + 2
    while time.monotonic() < end:
        for s in said(name):
            assert re.fullmatch(r"line \d+ of many", s), s


def test_a_killed_keeper_leaves_its_log(box, name, rundir):
    pid = box(name, "log=ring:4K", "log.rate=max", *SH, "i=0; while :; do echo line $i of many; i=$((i+1)); done")
    husk.wait_for(lambda: len(said(name)) > 30)
    os.kill(pid, signal.SIGKILL)
    husk.wait_for(lambda: not husk.alive(pid))
    lines = said(name)
    assert lines and all(re.fullmatch(r"line \d+ of many", s) for s in lines)
    with open(rundir / name / "log", "a") as f:
        f.write("2026-01-01T00:00:00.000Z torn")
    assert said(name) == lines
    before = said(name)[-1]
    box(name, *SH, "echo again; sleep 9")
    until(name, "again")
    assert said(name)[-1] == "again" and before in said(name) and "torn" not in said(name)[-1]


def test_the_log_goes_with_its_box(box, name, rundir):
    pid = box(name, *SH, "echo x; sleep 9")
    until(name, "x")
    os.kill(pid, signal.SIGTERM)
    ends(pid)
    assert not (rundir / name / "log").exists()


def test_the_run_directory_is_full(box, name, rundir):
    husk.command("mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "x", rundir)
    try:
        pid = box(name, "log=ring:64K", "log.rate=max", *SH, "i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done; sleep .3; while :; do echo on; sleep .05; done")
        husk.wait_for(lambda: len(said(name)) > 500)
        assert husk.alive(pid)
    finally:
        with contextlib.suppress(Exception):
            os.kill(pid, signal.SIGTERM)
            husk.wait_for(lambda: not husk.alive(pid))
        husk.command("umount", "-l", rundir)


# ------------------------------------------------------------------ a file

def test_a_file_with_a_size_is_rotated(box, name, tmp_path):
    f = tmp_path / "a/b/log"
    pid = box(name, f"log={f}:4K,keep=2,mode=644", "log.rate=max", *SH, "i=0; while [ $i -lt 1000 ]; do echo line $i; i=$((i+1)); done")
    ends(pid)
    assert sorted(os.listdir(f.parent)) == ["log", "log.1", "log.2"]
    lines = text(*(f.parent / n for n in ("log.2", "log.1", "log")))
    assert all((f.parent / n).stat().st_size <= 4096 and (f.parent / n).stat().st_mode & 0o777 == 0o644 for n in os.listdir(f.parent))
    first = int(lines[0].split()[-1])
    assert lines == [f"line {i}" for i in range(first, 1000)] and first < 900


def test_a_file_goes_on_where_it_was(box, name, tmp_path):
    f = tmp_path / "log"
    for i in (1, 2):
        ends(box(name, f"log={f}:64K", *SH, f"echo {i}"))
        with open(f, "a") as log:
            log.write("torn")
    assert text(f) == ["1", "?", "2", "?"]


def test_logs_reads_the_file(box, name, tmp_path):
    f = tmp_path / "log"
    box(name, f"log={f}:4K,keep=3", "log.rate=max", *SH, "i=0; while [ $i -lt 300 ]; do echo line $i; i=$((i+1)); done; sleep 9")
    until(name, "line 299")
    assert said(name) == [f"line {i}" for i in range(300)]


def test_the_file_of_who_does_not_run(box, name, tmp_path):
    """It waits, it will start again, it has ended for good: where its log is stays in its state file."""
    f, there = tmp_path / "log", tmp_path / "there"
    box(name, f"log={f}:4K", f"needs={there}", "restart=on-failure 300s..300s", *SH, "echo said; exit 1")
    until_own = lambda what: husk.wait_for(lambda: any(what in s for s in said(name, own=True)))
    assert until_own("waits: needs"), logs(name)
    there.touch()
    until(name, "said")
    assert until_own("again in 300000 ms"), logs(name)
    assert said(name) == ["said"]
    assert husk.husk("stop", name).status == 0
    g = tmp_path / "other"
    box(name + "e", f"log={g}:4K", *SH, "echo x; exit 3")
    assert husk.wait_for(lambda: "failed" in husk.husk("state", name + "e").out)
    assert said(name + "e") == ["x"]
    husk.husk("delete", name + "e")


def test_a_plain_file_is_the_programs_own(box, name, tmp_path):
    f = tmp_path / "log"
    pid = box(name, f"log={f}", "syscalls.log=yes", *SH, "readlink /proc/self/fd/1; printf 'a\\033b\\n'; unshare -U true; sleep 9")
    husk.wait_for(lambda: b"denied" in f.read_bytes())
    assert b"a\033b\n" in f.read_bytes()
    assert "a?b" in logs(name).out


def test_a_full_disk_is_one_line_and_goes_on(name, tmp_path, rundir):
    disk = tmp_path / "disk"
    disk.mkdir()
    husk.command("mount", "-t", "tmpfs", "-o", "size=16k", "x", disk)
    try:
        with husk.box(f"log={disk}/log:1M", "log.rate=max", *SH, "i=0; while [ $i -lt 1000 ]; do echo line $i; i=$((i+1)); done; read x; echo on; sleep 9",
                      box=name, stdin=subprocess.PIPE) as p:
            err = husk.wait_for(lambda: husk.errors(p))
            assert err == f"husk: {name}: log: No space left on device: lines are lost\n"
            time.sleep(.3)		# it goes on trying, and takes back what did not fit
            whole = (disk / "log").read_text()
            assert whole.endswith("\n") and all(LINE.match(s) for s in whole.splitlines())
            os.truncate(disk / "log", 0)
            p.stdin.write(b"\n")
            p.stdin.flush()
            assert husk.wait_for(lambda: "on\n" in (disk / "log").read_text())
            text = (disk / "log").read_text()
            assert re.search(r"Z! log: \d+ lines dropped: some could not be written\n.* on\n", text), text
            assert husk.errors(p) == ""
            p.terminate()
            p.wait(5)
    finally:
        husk.command("umount", "-l", disk)


def test_a_link_on_the_way_is_not_followed(name, tmp_path, rundir):
    (tmp_path / "etc").mkdir()
    (tmp_path / "log").symlink_to("etc")
    r = husk.run(f"log={tmp_path}/log/x", "--", "/bin/true", box=name)
    assert r.status == 125 and "init.log" in r.err and "link" in r.err and not os.listdir(tmp_path / "etc")
    assert not (rundir / name).exists()


def hostile(d, what):
    target = d / "canary"
    target.write_text("canary\n")
    f = d / "log"
    if what == "symlink":
        f.symlink_to(target)
    elif what == "hardlink":
        os.link(target, f)
    elif what == "fifo":
        os.mkfifo(f)
    elif what == "directory":
        f.mkdir()
    elif what == "foreign":
        f.write_text("mine\n")
        os.chown(f, 1234, 1234)
    return target


@pytest.mark.parametrize("what", ["symlink", "hardlink", "fifo", "directory", "foreign"])
def test_what_is_not_ours_steps_aside(box, name, tmp_path, what):
    d = tmp_path / "d"
    d.mkdir()
    target = hostile(d, what)
    ends(box(name, f"log={d}/log:64K", *SH, "echo x"))
    assert target.read_text() == "canary\n" and stat.S_ISREG(os.lstat(d / "log").st_mode)
    assert text(d / "log") == ["x"]
    assert os.path.lexists(d / "log.1")


def test_a_box_that_has_the_directory_gets_nothing_written_elsewhere(box, name, tmp_path):
    """All the time it puts links and its own files where the keeper is about to write."""
    d = tmp_path / "d"
    d.mkdir()
    os.chmod(d, 0o777)
    for up in (d, *d.parents):
        if str(up).startswith("/tmp"):
            os.chmod(up, os.stat(up).st_mode | 0o755)
    secret = tmp_path / "secret"
    secret.write_text("secret\n")
    (d / "theirs").write_text("theirs\n")
    loop = f"while :; do rm -f log log.1 x; ln -s {secret} x; mv x log; mv theirs log.1; mv log.1 theirs; ln -s {secret} log.1; cp theirs log; mkfifo log; done 2>/dev/null"
    pid = box(name, f"log={d}/log:4K,keep=2", "log.rate=max", f"bind={d}:/mnt:rw,exec", "user=1234", *SH, f"cd /mnt; ({loop}) & i=0; while :; do echo line $i; i=$((i+1)); done")
    time.sleep(2)
    assert secret.read_text() == "secret\n" and husk.alive(pid)


# ------------------------------------------------------------------ kmsg, syslog, none, inherit

def test_kmsg(box, name, rundir):
    if not os.access("/dev/kmsg", os.W_OK):
        pytest.skip("no /dev/kmsg here")
    fd = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
    os.lseek(fd, 0, os.SEEK_END)
    box(name, "log=kmsg", "log.rate=max", *SH, "i=0; while [ $i -lt 50 ]; do echo \"<0>line $i\"; i=$((i+1)); done; sleep 9")
    got = []

    def more():
        with contextlib.suppress(BlockingIOError):
            while True:
                got.append(os.read(fd, 8192).decode())
        return any("line 49" in s for s in got)
    assert husk.wait_for(more), got
    os.close(fd)
    mine = [s for s in got if f";{name}: " in s]
    assert len(mine) == 50 and all(s.startswith("30,") for s in mine), mine
    r = logs(name)
    assert r.status == 1 and "dmesg" in r.err


def test_syslog_that_comes_and_goes(name, tmp_path):
    """In a mount namespace with a /dev of its own; nobody listens, then somebody, then another one."""
    script = tmp_path / "s.py"
    script.write_text(f"""
import os, socket, subprocess, sys, time
husk, root, name, run = sys.argv[1:5]
os.environ["HUSK_RUN"] = run
p = subprocess.Popen([husk, "run", "log=syslog", "name=" + name, "root=" + root, "--", "/bin/sh", "-c",
    "echo lost; read x; echo one; read x; echo two; read x; echo three; read x"], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
assert p.stderr.readline().decode().endswith("log: No such file or directory: lines are lost\\n")
def listen():
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.bind("/dev/log")
    s.settimeout(5)
    return s
def go():
    p.stdin.write(b"\\n"); p.stdin.flush()
s = listen(); go()
got = s.recv(2000).decode()
assert got == "<29>husk: " + name + ": log: 1 lines dropped: some could not be written", got
assert s.recv(2000).decode() == "<30>" + name + ": one"
s.close(); os.unlink("/dev/log"); s = listen(); go()
assert s.recv(2000).decode() == "<30>" + name + ": two"
go()
assert s.recv(2000).decode() == "<30>" + name + ": three"
p.terminate(); p.wait()
print("fine")
""")
    d = tmp_path / "run"
    d.mkdir(mode=0o700)
    r = husk.command("unshare", "-m", "sh", "-c", 'mkdir -p $1/dev && mount -t tmpfs x $1/dev && for f in null zero urandom random full tty; do touch $1/dev/$f; mount --bind /dev/$f $1/dev/$f; done; '
                     'mkdir $1/dev/shm; mount --rbind $1/dev /dev && shift && exec /usr/bin/python3 "$@"', "sh", tmp_path, script, husk.HUSK, husk.ROOT, name, d)
    assert r.out.endswith("fine\n"), r


def test_none(name, rundir):
    r = husk.run("log=none", *SH, "echo x; echo y >&2; ls -l /proc/self/fd/1 >&2", box=name)
    assert (r.status, r.out, r.err) == (0, "", "")
    r = husk.run("log=none", "--", "/absent", box=name)
    assert r.status == 127 and "/absent" in r.err


def test_in_the_foreground_nothing_stands_between(name, rundir):
    r = husk.run(*SH, "echo x; echo y >&2", box=name)
    assert (r.status, r.out, r.err) == (0, "x\n", "y\n")


def test_a_log_in_the_foreground(name, rundir, tmp_path):
    f = tmp_path / "log"
    r = husk.run(f"log={f}:64K", *SH, "echo x; exit 3", box=name)
    assert (r.status, r.out, r.err) == (3, "", "") and f.read_text().endswith("Z x\n")


# ------------------------------------------------------------------ husk logs

def test_the_last_lines(box, name):
    box(name, *SH, "for i in 1 2 3 4 5; do echo $i; done; sleep 9")
    until(name, "5")
    for n, want in ((0, ""), (1, "5"), (3, "345"), (9, "12345")):
        assert "".join(LINE.match(s)[3] for s in logs("-n", n, name).out.splitlines()) == want


def test_all_boxes_by_time(box, name):
    a, b = name + "a", name + "b"
    box(a, *SH, "echo 1; sleep .2; echo 3; sleep .2; echo 5; sleep 9")
    time.sleep(.1)
    box(b, *SH, "echo 2; sleep .2; echo 4; sleep 9")
    until(a, "5")
    until(b, "4")
    lines = logs().out.splitlines()
    assert lines == sorted(lines) and len(lines) == 5
    assert {s.split()[1] for s in lines} == {f"{a}:", f"{b}:"}
    assert [s.split(": ")[0].split()[1] for s in lines[:1]] == [a]
    assert len(logs("-n", 2).out.splitlines()) == 2


@contextlib.contextmanager
def following(*args):
    p = subprocess.Popen([husk.HUSK, "logs", "-f", *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        yield p
    finally:
        p.kill()
        p.wait()
        p.stdout.close()
        p.stderr.close()


def test_follow_through_rotation_and_restart(box, name):
    with following(name) as p:
        pid = box(name, "log=ring:4K", *SH, "i=0; while [ $i -lt 150 ]; do echo line $i; i=$((i+1)); sleep .002; done; sleep 9")
        for i in range(150):
            assert LINE.match(husk.line(p))[3] == f"line {i}"
        os.kill(pid, signal.SIGTERM)
        ends(pid)
        box(name, *SH, "echo new; sleep 9")
        assert LINE.match(husk.line(p))[3] == "new"


def test_follow_all(box, name):
    with following() as p:
        box(name + "a", *SH, "echo one; sleep 9")
        assert husk.line(p).endswith(f"Z {name}a: one")
        box(name + "b", *SH, "echo two; sleep 9")
        assert husk.line(p).endswith(f"Z {name}b: two")


def test_follow_does_not_poll_and_ends_with_its_reader(box, name):
    box(name, *SH, "echo x; sleep 9")
    with following(name) as p:
        husk.line(p)
        assert husk.sleeps(1, p.pid)
        p.stdout.close()
        assert husk.wait_for(lambda: not husk.alive(p.pid))


def test_a_halted_keeper_is_not_asked(box, name):
    pid = box(name, *SH, "echo x; sleep 9")
    until(name, "x")
    os.kill(pid, signal.SIGSTOP)
    try:
        assert said(name) == ["x"]
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_slow_reader_holds_up_nobody(box, name):
    box(name, "log=ring:4K", "log.rate=max", *SH, "i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done; echo end; sleep 9")
    with following(name):
        until(name, "end")


def test_no_such_box(rundir, name):
    r = logs(name)
    assert r.status == 3 and r.err == f"husk: {name}: no such box, and no file /etc/husk/{name}.conf\n", r
    assert logs("../x").status == 2
    assert logs("-n", "x").status == 2
    assert logs().status == 0


# ------------------------------------------------------------------ the keys

@pytest.mark.parametrize("word, good", [
    ("log=ring", 1), ("log=ring:32K", 1), ("log=ring:1K", 0), ("log=ring:4K,keep=2", 0), ("log=none:4K", 0), ("log=file", 0), ("log=/x", 1), ("log=/", 0),
    ("log=/x:4K,keep=9,mode=600", 1), ("log=/x:keep=2", 0), ("log=/x:4K,keep=10", 0), ("log=/x:mode=640", 1), ("log=/x:50%", 0), ("log=/x:4K:5", 0),
    ("log.rate=5/s", 1), ("log.rate=max", 1), ("log.rate=5", 0), ("log.rate=0/s", 0), ("log.rate=5/d", 0), ("log.rate=/s", 0)])
def test_the_language(word, good):
    r = husk.husk("check", "name=x", "exec=/bin/true", word)
    assert (r.status == 0) == bool(good), r


# ------------------------------------------------------------------ a board

TALKS = """exec=/bin/sh -c "echo up; echo out >/dev/stdout; n=0; while [ $n -lt 1000 ]; do echo flood $n; n=$((n+1)); done; exec sleep 1000"
root=/srv/root
user=1000
log.rate=20/h
"""
LOOKS = """use=host
log=inherit
after=talks
exec=/bin/sh -c "n=0; while [ $n -lt 50 ] && ! husk logs talks | grep -q 'flood 17'; do sleep .2; n=$((n+1)); done; husk logs talks | sed 's/^/@talks /'; husk logs -n 2 | sed 's/^/@last /'; dmesg | grep -o 'kernel: into.*' | sed 's/^/@kernel /'; husk poweroff"
"""
KERNEL = """use=host
log=kmsg
exec=/bin/sh -c "echo into the kernel; exec sleep 1000"
"""


@pytest.mark.parametrize("board", ["qemu-armv7", "qemu-x86_64"])
def test_a_board(board):
    """The ring is the default there; PID 1 writes it, and the console has none of it."""
    if not (husk.OUT / board / "husk").exists() or not husk.shutil.which(qemu.board(board)["QEMU"].split()[0]):
        pytest.skip(f"make BOARD={board}, and QEMU")
    files = qemu.with_husk(qemu.board(board), {"talks": TALKS, "looks": LOOKS, "kernel": KERNEL}, conf="")
    r = qemu.boot(qemu.board(board), files)
    got = [LINE.match(s) for s in re.findall(r"^@talks (.*?)\r?$", r.text, re.M)]
    assert r.ended and got and all(got), r
    assert [m[3] for m in got if not m[2]] == ["up", "out"] + [f"flood {i}" for i in range(18)], r
    assert re.search(r"^@kernel kernel: into the kernel", r.text, re.M) and re.search(r"^@last .* talks: flood 17", r.text, re.M) and "\nflood" not in r.text, r


@pytest.mark.parametrize("more", ([], ["ready=notify"], ["ready=fd:9"]))
def test_what_was_said_while_it_waited_does_not_go_elsewhere(box, name, tmp_path, more):
    """The log is open while it waits; what a start has opened is closed when that has come to its wait."""
    go = tmp_path / "go"
    box(name, f"needs={go}", *more, *SH, "for i in 1 2 3; do echo line $i; done; exec sleep 100")
    assert husk.wait_for(lambda: any("waits" in s for s in said(name, own=True))), logs(name)
    go.touch()
    until(name, "line 3")
    assert said(name) == ["line 1", "line 2", "line 3"] and not any("dropped" in s for s in said(name, own=True)), logs(name)
