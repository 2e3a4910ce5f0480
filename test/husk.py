"""What all tests share: the program, a root directory, boxes, and the host before and after."""
import contextlib
import fcntl
import functools
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time

TOP = pathlib.Path(__file__).resolve().parent.parent
OUT = TOP / "out"
HUSK = os.environ.get("HUSK", str(OUT / "husk"))
ROOT = OUT / "root"
DEBIAN = OUT / "root-debian"
INSIDE = OUT / "inside"
INJECT = OUT / "inject"
RUNDIR = pathlib.Path(os.environ.get("HUSK_RUN", "/run/husk"))
CGROUPS = pathlib.Path("/sys/fs/cgroup")
NAMESPACES = "cgroup ipc mnt net pid time user uts".split()

_count = 0


def name(prefix="t"):
    """A name that no other test has, also in another worker."""
    global _count
    _count += 1
    return f"{prefix}-{os.getpid()}-{_count}"


_wait = subprocess.Popen.wait


def wait(p, timeout=None):
    """Popen's own with a timeout looks, and sleeps for up to 50 ms: here the kernel says when the process has ended."""
    if timeout is not None and p.poll() is None:
        fd = os.pidfd_open(p.pid)
        try:
            if not select.select([fd], [], [], max(0, timeout))[0]:
                raise subprocess.TimeoutExpired(p.args, timeout)
        finally:
            os.close(fd)
    return _wait(p, timeout)


subprocess.Popen.wait = wait		# so also for run(), communicate() and call()


class Result:
    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err

    def __repr__(self):
        return f"status {self.status}\nout: {self.out[-3000:]}\nerr: {self.err[-2000:]}"


def command(*args, timeout=10, stdin=subprocess.DEVNULL, text=None, env=None, **more):
    """Runs a command to its end. The status is 128+n if signal n ended it."""
    args = [str(a) for a in args]
    if text is not None:
        stdin = subprocess.PIPE
    # files, not pipes: what stays in the background may keep them open
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        p = subprocess.Popen(args, stdin=stdin, stdout=out, stderr=err, env=env, **more)
        late = False
        try:
            p.communicate(text.encode() if text is not None else None, timeout)
        except subprocess.TimeoutExpired:
            late = True
            p.kill()
            p.wait()
        out.seek(0)
        err.seek(0)
        texts = [f.read().decode(errors="replace") for f in (out, err)]
    assert not late, f"no end after {timeout} s: {' '.join(args)}\n{texts[0][-2000:]}\n{texts[1][-2000:]}"
    return Result(p.returncode if p.returncode >= 0 else 128 - p.returncode, *texts)


def husk(*args, **more):
    return command(HUSK, *args, **more)


def run(*args, box=None, root=ROOT, **more):
    """husk run root=... ARGS; words up to -- are configuration, the rest is the program."""
    words = ["run"]
    if root:
        words.append(f"root={root}")
    if box:
        words.append(f"name={box}")
    return husk(*words, *args, **more)


def start(*args, box, root=ROOT, **more):
    """The same without waiting for the end."""
    more.setdefault("stdin", subprocess.DEVNULL)
    more.setdefault("stdout", subprocess.PIPE)
    more.setdefault("stderr", subprocess.PIPE)
    words = [HUSK, "run", f"name={box}"] + ([f"root={root}"] if root else [])
    return subprocess.Popen([str(a) for a in words + list(args)], **more)


@contextlib.contextmanager
def box(*args, **more):
    """A running box; killed in the end whatever happens. Yields its keeper."""
    p = start(*args, **more)
    try:
        yield p
    finally:
        if p.poll() is None:
            p.kill()
        p.wait()
        for f in (p.stdin, p.stdout, p.stderr):
            if f:
                f.close()


def status_of(p, timeout=10):
    code = p.wait(timeout)
    return code if code >= 0 else 128 - code


def errors(p):
    """What a box has said on standard error so far."""
    if not p.stderr:
        return ""
    os.set_blocking(p.stderr.fileno(), False)
    return (p.stderr.read() or b"").decode(errors="replace")


def line(p, timeout=5):
    """The next line of a box's output."""
    text = b""
    end = time.monotonic() + timeout
    while not text.endswith(b"\n"):
        if not select.select([p.stdout], [], [], max(0, end - time.monotonic()))[0]:
            raise AssertionError(f"no line after {timeout} s, only {text!r}")
        c = os.read(p.stdout.fileno(), 1)
        if not c:
            raise AssertionError(f"end of file after {text!r}: {errors(p)}")
        text += c
    return text.decode().rstrip("\n")


def wait_for(what, timeout=5.0, step=0.01):
    """what() until it is true; its value, or the last one."""
    end = time.monotonic() + timeout
    while True:
        value = what()
        if value or time.monotonic() > end:
            return value
        time.sleep(step)


# ------------------------------------------------------------------ terminals

class Terminal:
    """A terminal, and husk WORDS on it."""
    def __init__(self, *words, size=(24, 80), env=None):
        self.master, self.slave = pty.openpty()
        self.size(*size)
        self.was = termios.tcgetattr(self.slave)
        self.text = ""
        self.run(*words, env=env)

    def run(self, *words, env=None):
        self.p = subprocess.Popen([HUSK, *[str(w) for w in words]], stdin=self.slave, stdout=self.slave, stderr=self.slave, start_new_session=True,
                                  preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 1), env={**os.environ, "TERM": "vt220", **(env or {})})

    def size(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))

    def raw(self):
        return termios.tcgetattr(self.slave) != self.was

    def type(self, text):
        os.write(self.master, text.encode())

    def until(self, what, timeout=10):
        """Until what(text) is so. Once the program has ended what it has said is all."""
        end = time.monotonic() + timeout
        while not what(self.text) and time.monotonic() < end:
            ended = self.p.poll() is not None
            if select.select([self.master], [], [], 0 if ended else 0.05)[0]:
                self.text += os.read(self.master, 65536).decode(errors="replace")
            elif ended:
                break
        assert what(self.text), self.text[-3000:]

    def expect(self, pattern, timeout=10):
        """What matches, and all before it is done with."""
        self.until(lambda text: re.search(pattern, text), timeout)
        m = re.search(pattern, self.text)
        self.text = self.text[m.end():]
        return m

    def end(self, timeout=10):
        """Its status; what it says meanwhile is read."""
        self.until(lambda text: self.p.poll() is not None, timeout)
        with contextlib.suppress(AssertionError):
            self.until(lambda text: False, timeout)
        return status_of(self.p)

    def close(self):
        self.p.kill()
        self.p.wait()
        os.close(self.master)
        os.close(self.slave)


@contextlib.contextmanager
def terminal(*words, **more):
    t = Terminal(*words, **more)
    try:
        yield t
    finally:
        t.close()


# ------------------------------------------------------------------ processes

def read(path):
    try:
        with open(path, "rb") as f:
            return f.read().decode(errors="replace")
    except OSError:
        return ""


def pids():
    return [int(p) for p in os.listdir("/proc") if p.isdigit()]


def command_line(pid):
    """Its bytes, empty where it has none any more. Asked of each process after each test: without what open() does for comfort."""
    text = b""
    try:
        fd = os.open(f"/proc/{pid}/cmdline", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return text
    with contextlib.suppress(OSError):
        while (more := os.read(fd, 4096)):
            text += more
    os.close(fd)
    return text


def tagged(tag):
    """Processes that have the word in their command line, zombies not counted."""
    tag = tag.encode()
    return [pid for pid in pids() if tag in (text := command_line(pid)) and {tag, b"name=" + tag} & set(text.split(b"\0"))]


def children(pid):
    found = []
    for p in pids():
        stat = read(f"/proc/{p}/stat").rpartition(")")[2].split()
        if len(stat) > 1 and int(stat[1]) == pid:
            found.append(p)
    return sorted(found)


def init_of(keeper, timeout=5):
    """PID 1 of the box of this keeper, seen from outside."""
    def look():
        for p in children(keeper):
            ids = re.search(r"^NSpid:(.*)$", read(f"/proc/{p}/status"), re.M)
            if ids and ids[1].split()[-1] == "1":
                return p
        return None
    return wait_for(look, timeout)


def state_of(pid):
    return (read(f"/proc/{pid}/stat").rpartition(")")[2].split() or ["gone"])[0]


def alive(pid):
    return state_of(pid) not in ("gone", "Z", "X")


def sleeps(seconds, *processes, timeout=20):
    """For so long at a stretch none of them runs; until then they may have had something to do."""
    def count():
        return [re.findall(r"^voluntary_ctxt_switches:\s+(\d+)", read(f"/proc/{p}/status"), re.M) for p in processes]
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        before = count()
        time.sleep(seconds)
        if [] not in before and count() == before:
            return True
    return False


# ----------------------------------------------------------- what is left over

def descriptors(pid):
    """What it holds, but its log, which is open when there was something to say, and what is closed while we look."""
    found = []
    for f in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            found.append(os.readlink(f"/proc/{pid}/fd/{f}"))
    return sorted(l for l in found if not l.endswith("/log"))


def mounts():
    """But what a test of another worker has mounted in a directory of its own: it is looked for there."""
    others = re.compile(f"/popen-(?!{os.environ.get('PYTEST_XDIST_WORKER')}/)")
    return sorted(l for l in read("/proc/self/mountinfo").splitlines() if not others.search(l))


def cgroup_dirs(box_name):
    """Directories of this box in every hierarchy."""
    found = []
    for top in hierarchies():
        parent = top / "husk"
        with contextlib.suppress(OSError):
            found += [str(parent / d) for d in os.listdir(parent) if re.fullmatch(re.escape(box_name) + r"(\.\d+)?", d)]
    return found


@functools.lru_cache(None)
def hierarchies():
    if (CGROUPS / "cgroup.controllers").exists():
        return [CGROUPS]
    with contextlib.suppress(OSError):
        return [CGROUPS / d for d in os.listdir(CGROUPS) if (CGROUPS / d).is_dir() and not (CGROUPS / d).is_symlink()]
    return []


def left(box_name):
    """What there still is of a box: processes, cgroups, state."""
    found = [f"process {p} {read(f'/proc/{p}/cmdline')!r}" for p in tagged(box_name)]
    found += [f"cgroup {d}" for d in cgroup_dirs(box_name)]
    if (RUNDIR / box_name).exists():
        found.append(f"state {RUNDIR / box_name}")
    with contextlib.suppress(OSError):
        found += [f"link {e.path}" for e in os.scandir(RUNDIR) if e.is_symlink() and os.readlink(e.path) == box_name]
    return found


def nothing_left(box_name, timeout=5):
    wait_for(lambda: not left(box_name), timeout)
    found = left(box_name)
    assert not found, found


def loops(path):
    """Loop devices of files below a path. Other workers have theirs."""
    devices = [d for d in os.listdir("/sys/block") if d.startswith("loop")]
    return [d for d in devices if read(f"/sys/block/{d}/loop/backing_file").startswith(str(path))]


def host():
    """The host's tables, line by line. Other workers change processes: only what a box could leak is here."""
    keys = [re.sub(r"\s+", " ", k.split(" ", 1)[1]) for k in read("/proc/keys").splitlines() if "husk" in k]
    return {"mounts": mounts(), "links": sorted(os.listdir("/sys/class/net")), "keys": sorted(keys),
            "shm": sorted(os.listdir("/dev/shm")), "partitions": [l for l in read("/proc/partitions").splitlines() if "loop" not in l], "hostname": os.uname().nodename,
            "forwarding": read("/proc/sys/net/ipv4/ip_unprivileged_port_start")}


def same_host(before):
    after = host()
    for key, value in before.items():
        assert value == after[key], f"{key} changed"


# ------------------------------------------------------------------ a root tree

PASSWD = """root:x:0:0:root:/root:/bin/sh
www-data:x:33:33:www-data:/var/www:/bin/false
user:x:1000:1000:A User:/home/user:/bin/sh
"""
GROUP = """root:x:0:
adm:x:4:user
www-data:x:33:
video:x:44:user
user:x:1000:
"""
DIRS = "bin sbin usr/bin usr/sbin etc proc sys dev run tmp root home/user var/www mnt data srv".split()


def make_root(path, busybox="/bin/busybox"):
    """A small root file system: busybox, its links, names of users, mount points."""
    path = pathlib.Path(path)
    for d in DIRS:
        (path / d).mkdir(parents=True, exist_ok=True)
    for f, to in ((busybox, "busybox"), (INSIDE, "inside")):		# by a rename: the old one may be running
        shutil.copy(f, path / "bin/.new")
        os.rename(path / "bin/.new", path / "bin" / to)
    have = command(busybox, "--list").out.split()
    for applet in have:
        link = path / "bin" / applet
        if not link.is_symlink() and applet != "busybox":
            with contextlib.suppress(FileExistsError):
                link.symlink_to("busybox")
    (path / "etc/passwd").write_text(PASSWD)
    (path / "etc/group").write_text(GROUP)
    (path / "etc/shadow").write_text("root:secret:1::::::\n")
    (path / "etc/shadow").chmod(0o600)
    return path


def interface(text):
    """Names of the lines of /proc/net/dev."""
    return [l.split(":")[0].strip() for l in text.splitlines() if ":" in l]


def fields(text):
    """The lines "Key: value" of a status file as a dictionary."""
    return {k: v.strip() for k, _, v in (l.partition(":") for l in text.splitlines())}


def musl(source, target, *flags):
    """A small static C program for a box."""
    r = command("musl-gcc", "-static", "-O1", "-Wall", "-Wextra", "-o", target, TOP / "test" / source, *flags, timeout=60)
    assert r.status == 0, r
    return target


def send(pid, sig):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, sig)


if __name__ == "__main__":		# run.sh calls this once before the tests: the root directory
    make_root(sys.argv[1] if len(sys.argv) > 1 else ROOT)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
