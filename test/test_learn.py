"""husk learn: programs that nobody here wrote are watched at their work, and do it again
under the line that was printed, where a call that it lacks is the end of them."""
import contextlib
import os
import re
import shutil
import signal
import subprocess

import pytest

import husk
import test_filter
from test_abi import both        # noqa: F401
from test_programs import NGINX, PYTHON, data, fetch, wait_until        # noqa: F401

debian = pytest.mark.skipif(not (husk.DEBIAN / ".done").exists(), reason="test/setup.sh test makes out/root-debian")
STRICT = ["syscalls.default=KILL"]


class Learned:
    """What husk learn has printed: lines for a configuration, and nothing else."""
    def __init__(self, text):
        m = re.fullmatch(r"# (\d+) calls seen, (\d+) allowed\n(syscalls=(\S.*)\n(?:sockets=(\S+)\n)?(?:abi=both\n)?)", text)
        assert m, text
        self.seen, self.allowed, self.lines = int(m[1]), int(m[2]), m[3].splitlines()
        self.words = m[4].split()
        self.sockets = m[5]
        assert self.count() == self.allowed, text
        names_alone = "abi=both" in text and not any(w[0] == "@" for w in self.words)   # a word opens a call of either ABI
        assert self.allowed <= (3 if names_alone else 2) * self.seen, text

    def count(self):
        """How many calls are allowed, not by the word of husk learn: each number with some arguments, as husk filter answers."""
        program = test_filter.parse(husk.husk("filter", *self.lines).out)
        tries = [[v] * 6 for v in (0, 1, 2, 0x1000)]
        return sum(any(test_filter.evaluate(program, arch, nr, a) == test_filter.ALLOW for a in tries) for arch in ("x86_64", "i386") for nr in range(600))


def learn(*args, box, root=husk.ROOT, **more):
    words = ["learn", f"name={box}"] + ([f"root={root}"] if root else [])
    return husk.husk(*words, *args, **more)


def short(*args, box, status=0, **more):
    """Learns a program that ends by itself, runs it again: the same status and output."""
    r = learn(*args, box=box, **more)
    assert r.status == status, r
    l = Learned(r.out)
    again = husk.run(*l.lines, *STRICT, *args, box=box, **more)
    assert (again.status, again.out + again.err) == (status, r.err), (l.lines, again)
    return l


def server(tmp_path, work, *args, box, between=lambda: None):
    """Learns a server while somebody works with it; TERM ends both, and the work is done
    again under the line, on the same ground. work(p) is given the keeper."""
    lines = tmp_path / "lines"
    silent, end = os.pipe()
    with lines.open("wb") as out:
        p = subprocess.Popen([husk.HUSK, "learn", f"name={box}", *map(str, args)], stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE)
        with ended(p):
            p.stdout = os.fdopen(silent)        # for wait_until(): the box says all on standard error
            work(p)
            p.terminate()
            status = husk.status_of(p)
            p.stdout.close()
            os.close(end)
    l = Learned(lines.read_text())
    between()
    with husk.box(*l.lines, *STRICT, *args, box=box, root=None) as p:
        work(p)
        p.terminate()
        assert husk.status_of(p) == status, (l.lines, husk.errors(p))
    return l


@contextlib.contextmanager
def ended(p):
    try:
        yield
    finally:
        if p.poll() is None:
            p.kill()
        p.wait()


def curl(p, want):
    r = fetch(p.pid, ["chroot", husk.DEBIAN, "/usr/bin/curl", "-s", "http://127.0.0.1/"])
    assert r and r.out == want, r or husk.errors(p)


# ------------------------------------------------------- what the issue is measured by

@debian
def test_httpd(name, data, tmp_path):
    (data / "index.html").write_text("page\n")
    l = server(tmp_path, lambda p: curl(p, "page\n"), f"root={husk.DEBIAN}", f"bind={data}:/srv", "--",
               "/bin/busybox", "httpd", "-f", "-h", "/srv", "-p", "127.0.0.1:80", box=name)
    assert l.sockets == "none,inet", l.lines


@debian
def test_nginx(name, data, tmp_path):
    (data / "nginx.conf").write_text(NGINX)
    l = server(tmp_path, lambda p: curl(p, "it works\n"), f"root={husk.DEBIAN}", "use=daemon", f"bind={data}/nginx.conf:/etc/nginx/nginx.conf",
               "tmpfs=/var/log/nginx:1M,mode=777", "tmpfs=/var/lib/nginx:1M,mode=777", "--", "/usr/sbin/nginx", box=name)
    assert {"@basic", "@net"} < set(l.words)


@debian
def test_python(name):
    l = short("rlimit.nofile=1024", "--", "/usr/bin/python3", "-c", PYTHON, box=name, root=husk.DEBIAN)
    assert l.words[-1] == "-@wx"


@debian
def test_short_python(name):
    short("--", "/usr/bin/python3", "-c", "print(6 * 7)", box=name, root=husk.DEBIAN)


@debian
def test_redis(name, data, tmp_path):
    cli = ["chroot", husk.DEBIAN, "/usr/bin/redis-cli"]

    def work(p):
        wait_until(p, "Ready to accept connections")
        r = fetch(p.pid, [*cli, "set", "a", "b"])
        assert r and r.out == "OK\n", r
        assert "started" in fetch(p.pid, [*cli, "bgsave"]).out
        assert husk.wait_for(lambda: "rdb_bgsave_in_progress:0" in fetch(p.pid, [*cli, "info", "persistence"]).out)    # its child has been waited for
        assert (data / "dump.rdb").exists()
        assert fetch(p.pid, [*cli, "get", "a"]).out == "b\n"

    def empty():
        for f in data.iterdir():
            shutil.rmtree(f) if f.is_dir() else f.unlink()

    server(tmp_path, work, f"root={husk.DEBIAN}", f"bind={data}:/data:rw", "cwd=/data", "--", "/usr/bin/redis-server", "--port", "6379",
           "--save", "60 1", "--appendonly", "yes", box=name, between=empty)


@debian
def test_dropbear(name, data, tmp_path):
    r = husk.run("user=root", f"bind={data}:/data:rw", "--", "/usr/bin/dropbearkey", "-t", "ed25519", "-f", "/data/key", box=name, root=husk.DEBIAN)
    assert r.status == 0, r

    def work(p):
        wait_until(p, "Not backgrounding")
        r = fetch(p.pid, ["sh", "-c", "echo | timeout 2 busybox nc 127.0.0.1 22 | head -c 20"])
        assert r and r.out.startswith("SSH-2.0-dropbear"), r
        main = husk.children(husk.init_of(p.pid))[0]
        assert husk.wait_for(lambda: not husk.children(main))		# of that connection: who ends before has not waited for it

    server(tmp_path, work, f"root={husk.DEBIAN}", "use=daemon", f"bind={data}:/data:rw", "--", "/usr/sbin/dropbear", "-F", "-E", "-r", "/data/key",
           "-p", "127.0.0.1:22", box=name)


# --------------------------------------------------------------- other ways to be a program

def test_a_static_program(name):
    l = short("--", "/bin/busybox", "wc", "/etc/passwd", box=name)
    assert l.seen < 25 and "@net" not in l.words


def test_children_that_execute_others(name):
    """A shell, a pipe, a subshell, and what they execute."""
    short("--", "/bin/sh", "-c", "ls -l / | sort -r | head -2; (cd /tmp; echo x >f; mv f g; rm g); ln -s a /tmp/b; readlink /tmp/b; exit 3", box=name, status=3)


def test_one_that_is_killed(name):
    l = short("--", "/bin/sh", "-c", "echo before; kill -9 $$; echo behind", box=name, status=137)
    assert "kill" in l.words or "@signal" in l.words


def test_one_that_crashes(name):
    short("rlimit.core=0", "--", "/bin/sh", "-c", "kill -SEGV $$", box=name, status=139)


@debian
def test_the_same_line_each_time(name):
    args = ["--", "/usr/bin/python3", "-c", "print(6 * 7)"]
    texts = {learn(*args, box=name, root=husk.DEBIAN).out for _ in range(3)}
    assert len(texts) == 1, texts


THREADS = """
import threading, os, subprocess
def work(i):
    for _ in range(50): os.stat("/"); os.getppid()
    if i == 3: subprocess.run(["/bin/busybox", "true"])
t = [threading.Thread(target=work, args=(i,)) for i in range(8)]
for x in t: x.start()
for x in t: x.join()
print("done")
"""


@debian
def test_many_threads(name):
    short("--", "/usr/bin/python3", "-c", THREADS, box=name, root=husk.DEBIAN)


@debian
def test_as_process_1(name):
    short("pid1=program", "--", "/bin/busybox", "sh", "-c", "echo $$", box=name, root=husk.DEBIAN)


def test_as_a_user_who_is_not_root(name, tmp_path):
    (tmp_path / "run").mkdir()
    os.chown(tmp_path / "run", 65534, 65534)
    for up in (tmp_path, *tmp_path.parents):
        if not up.stat().st_mode & 1 and str(up) != "/":
            up.chmod(up.stat().st_mode | 0o111)
    env = {"HUSK_RUN": str(tmp_path / "run"), "PATH": os.environ["PATH"]}
    r = learn("ns.user=new", "--", "/bin/sh", "-c", "id -u; echo x", box=name, user=65534, group=65534, extra_groups=[], env=env)
    if r.status == 125 and re.search(r"ns\.(clone|idmap)", r.err):
        pytest.skip(f"no user namespaces without root here: {r.err}")
    assert r.status == 0 and "x\n" in r.err, r
    Learned(r.out)


@pytest.mark.skipif(not os.path.exists("/proc/sys/abi/vsyscall32"), reason="a kernel that runs programs for i386")
@pytest.mark.parametrize("first, then", [("short", "long"), ("long", "short")])
def test_a_program_of_the_other_abi(both, name, first, then):        # noqa: F811
    """Seen although the file does not allow it, and said."""
    work = [f"bind={both}:/mnt:exec", "--", f"/mnt/{first}", "exec", f"/mnt/{then}", "uname"]
    l = short(*work, box=name)
    assert l.lines[-1] == "abi=both"
    for abi in ("abi=both", "abi=32"):
        m = learn(abi, *work, box=name)
        assert "abi=" not in m.out and m.out.splitlines()[:2] == [f"# {l.seen} calls seen, {l.allowed} allowed", l.lines[0]], m


# ------------------------------------------------------------------ what a test is worth

PROBE = """
import ctypes, fcntl, mmap, os, signal, socket, sys
c = ctypes.CDLL(None, use_errno=True)
what = sys.argv[1] if len(sys.argv) > 1 else ""
s = socket.socket(); f = s.fileno()
try: fcntl.ioctl(0, 0x5412 if what == "sti" else 0x5413, b"x" * 8)
except OSError: pass
p = os.fork()
if not p: os._exit(0)
os.waitpid(p, 0)
m = mmap.mmap(-1, 4096, prot=7 if what == "wx" else 3)
if what == "x": c.mprotect(ctypes.c_void_p(ctypes.addressof(ctypes.c_char.from_buffer(m))), 4096, 5)
if what == "packet": socket.socket(17, 3)
if what == "user":
    p = c.syscall(56, 0x10000011, 0, 0, 0, 0)
    p > 0 and os.waitpid(p, 0) or p or os._exit(0)
print("end")
"""
# calls 16 ioctl, 9 mmap, 10 mprotect, 41 socket, 56 clone
ODD = {"sti": "ioctl", "wx": "mmap", "x": "mprotect", "packet": "socket", "user": "clone"}        # and memory by none of them


@pytest.fixture(scope="module")
def tame():
    r = learn("--", "/usr/bin/python3", "-c", PROBE, box=husk.name("tame"), root=husk.DEBIAN)
    assert r.status == 0, r
    return Learned(r.out)


@debian
@pytest.mark.parametrize("what", ODD)
def test_the_other_half_of_a_call_is_not_opened(name, tame, what):
    """What the program has not done: the same call, and its end."""
    args = ["--", "/usr/bin/python3", "-c", PROBE]
    assert husk.run(*tame.lines, *STRICT, *args, box=name, root=husk.DEBIAN).status == 0
    r = husk.run(*tame.lines, *STRICT, *args, what, box=name, root=husk.DEBIAN)
    assert r.status == 159 and "end" not in r.out, r


@debian
@pytest.mark.parametrize("what", [w for w in ODD if w != "packet"])
def test_who_does_it_may(name, what):
    l = short("--", "/usr/bin/python3", "-c", PROBE, what, box=name, root=husk.DEBIAN)
    assert not any(w.startswith(ODD[what] + "(") for w in l.words) and (what in ("wx", "x")) == ("-@wx" not in l.words), l.words


@debian
def test_who_opens_a_strange_socket_may(name):
    l = short("caps=net_raw", "--", "/usr/bin/python3", "-c", PROBE, "packet", box=name, root=husk.DEBIAN)
    assert l.sockets == "none,inet,packet", l.lines


# ----------------------------------------------------------------------- how it is used

def conf(tmp_path, *lines):
    p = tmp_path / "web.conf"
    p.write_text("\n".join(lines) + "\n")
    return p


def test_appended_to_the_file_itself(tmp_path, name):
    """As the manual has it: and the program cannot write there."""
    c = conf(tmp_path, "exec=/bin/sh -c \"echo nice=19 >&1; echo nice=19 >/proc/self/fd/1; ls -l /proc/self/fd; id -u\"", f"root={husk.ROOT}", f"name={name}")
    before = c.read_text()
    with c.open("ab") as out:
        r = husk.subprocess.run([husk.HUSK, "learn", c], stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE, timeout=10)
    assert r.returncode == 0 and b"web.conf" not in r.stderr and b"nice=19" in r.stderr, r
    assert c.read_text().startswith(before)
    Learned(c.read_text()[len(before):])
    r = husk.husk("run", c, *STRICT)
    assert r.status == 0, r


def test_with_a_terminal(name):
    r = learn("tty=yes", "--", "/bin/sh", "-c", "tty; echo x", box=name)
    assert r.status == 0 and "/dev/pts/0" in r.err and "x\r\n" in r.err.replace("\n", "\r\n").replace("\r\r", "\r"), r
    Learned(r.out)


def test_what_the_file_allows_is_no_matter(name):
    a = learn("--", "/bin/ls", "/", box=name)
    b = learn("syscalls=@basic", "syscalls.default=KILL", "syscalls.log=yes", "--", "/bin/ls", "/", box=name)
    c = learn("syscalls=@all", "--", "/bin/ls", "/", box=name)
    assert a.status == 0 and a.out == b.out == c.out, (a, b, c)


def test_what_it_needs_more(name):
    """-a: once learned, then something new."""
    first = Learned(learn("--", "/bin/sh", "-c", "echo x", box=name).out)
    work = ["--", "/bin/sh", "-c", "echo x; ln -s a /tmp/b; ls -l /tmp | wc -l"]
    r = learn("-a", *first.lines, *work, box=name)
    m = re.fullmatch(r"# (\d+) calls that it did not have\n(syscalls=(\+.*))\n", r.out)
    assert m and r.status == 0, r
    assert int(m[1]) == len(m[3].split()) and "+symlink" in m[3].split() or "+symlinkat" in m[3].split(), r.out
    assert husk.run(*first.lines, *STRICT, *work, box=name).status == 159
    assert husk.run(*first.lines, m[2], *STRICT, *work, box=name).status == 0
    r = learn("-a", *first.lines, m[2], *work, box=name)
    assert r.out == "# 0 calls that it did not have\n", r
    assert learn("-a", "--", "/bin/true", box=name).out == learn("-a", "syscalls=@all", "--", "/bin/true", box=name).out == "# 0 calls that it did not have\n"


@debian
def test_a_family_more(name):
    args = ["--", "/usr/bin/python3", "-c", PROBE]
    for words in (["caps=net_raw"], ["caps=net_raw", "sockets=none,inet"]):
        r = learn("-a", *words, *args, "packet", box=name, root=husk.DEBIAN)
        assert r.out == "# 0 calls that it did not have\nsockets=packet\n", r


def test_no_line_for_what_did_not_run(name):
    for status, words in ((127, ["--", "/bin/nobody"]), (126, ["--", "/etc/passwd"]), (2, ["nice=99", "--", "/bin/true"]), (125, ["cwd=/nowhere", "--", "/bin/true"])):
        r = learn(*words, box=name)
        assert (r.status, r.out) == (status, ""), r


def test_where_nothing_can_be_written(name):
    with open("/dev/full", "wb") as full:
        r = husk.subprocess.run([husk.HUSK, "learn", f"name={name}", f"root={husk.ROOT}", "--", "/bin/true"], stdout=full, stderr=subprocess.PIPE, timeout=10)
    assert r.returncode == 1 and b"cannot be written" in r.stderr, r


def test_no_background(name):
    for option in ("-d", "-p"):
        r = husk.husk("learn", option, "x", f"name={name}", "--", "/bin/true")
        assert r.status == 2 and option in r.err, r


@pytest.mark.skipif(not shutil.which("strace"), reason="no strace")
def test_an_older_kernel(name, tmp_path):
    """5.0 to 5.4 have the listener, and no way to let a call go on: found out with the first one, before the program runs."""
    words = [husk.HUSK, "learn", f"name={name}", f"root={husk.ROOT}", "--", "/bin/echo", "ran"]
    husk.command("strace", "-qq", "-X", "raw", "-e", "trace=ioctl", "-o", tmp_path / "log", *words, timeout=20)
    calls = (tmp_path / "log").read_text().splitlines()
    send = next(i for i, l in enumerate(calls, 1) if re.search(r"0xc0182101", l))
    r = husk.command("strace", "-qq", "-e", f"inject=ioctl:error=EINVAL:when={send}+", "-o", "/dev/null", *words, timeout=20)
    assert r.status == 125 and "needs Linux 5.5" in r.err and not r.out and "ran" not in r.err, r
