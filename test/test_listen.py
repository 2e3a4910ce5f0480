"""listen=: sockets that the keeper makes outside, and the program hears inside."""
import contextlib
import os
import socket
import stat
import tempfile

import pytest

import husk

PYTHON = "/usr/bin/python3"
# what it was given, then an answer to each connection; after MANY it ends with 1
SERVER = """
import os, select, socket, sys
many = int(sys.argv[1])
fds = [socket.socket(fileno=3 + i) for i in range(int(os.environ["LISTEN_FDS"]))]
print(os.environ["LISTEN_PID"] == str(os.getpid()), os.environ["LISTEN_FDNAMES"], len(fds), flush=True)
while many:
    for s in select.select(fds, [], [])[0]:
        if s.type == socket.SOCK_DGRAM:
            s.sendto(b"hello", s.recvfrom(99)[1])
        else:
            c = s.accept()[0]
            c.sendall(b"hello")
            c.close()
        many -= 1
        if not many:
            break
sys.exit(1)
"""

pytestmark = pytest.mark.skipif(not os.path.exists(PYTHON), reason="no python3 of the system")


def server(many=-1):
    return ["--", PYTHON, "-S", "-c", SERVER, str(many)]


def port(family=socket.AF_INET, kind=socket.SOCK_STREAM):
    """One that nobody has now."""
    with socket.socket(family, kind) as s:
        s.bind(("", 0))
        return s.getsockname()[1]


def ask(address, kind=socket.SOCK_STREAM):
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family, kind) as s:
        s.settimeout(30)
        s.connect(address)
        if kind == socket.SOCK_DGRAM:
            s.send(b"x")
        return s.recv(99).decode()


def start(name, *words, many=-1, root="/"):
    r = husk.husk("start", f"name={name}", f"root={root}", *words, *server(many), timeout=30)
    assert r.status == 0, r


def stop(name):
    r = husk.husk("stop", name, timeout=30)
    assert r.status == 0, r
    husk.nothing_left(name)


def test_a_box_without_a_network_serves(name, tmp_path):
    """TCP, UDP and a path, with a file of fd= and a program of husk exec, which has none of them."""
    p, p6, pu, path = port(), port(socket.AF_INET6), port(kind=socket.SOCK_DGRAM), str(tmp_path / "web.sock")
    words = [f"listen=127.0.0.1:{p}", f"listen=[::1]:{p6}", f"listen=udp:{pu}", f"listen={path}:mode=640,user=user33", f"fd=7:{path}.txt", "net=none"]
    (tmp_path / "web.sock.txt").write_text("x")
    passwd = husk.read("/etc/passwd").splitlines()
    user = next(l.split(":") for l in passwd if l.split(":")[2] not in ("0", "65534"))
    words[3] = words[3].replace("user33", user[0])
    with husk.box(*words, *server(), box=name, root="/") as b:
        assert husk.line(b, 30) == f"True {p}:{p6}:{pu}:web.sock 4"
        assert {ask(("127.0.0.1", p)), ask(("::1", p6)), ask(("127.0.0.1", pu), socket.SOCK_DGRAM), ask(("::1", pu), socket.SOCK_DGRAM), ask(path)} == {"hello"}
        st = os.stat(path)
        assert stat.S_IMODE(st.st_mode) == 0o640 and [str(st.st_uid), str(st.st_gid)] == user[2:4], st
        assert husk.wait_for(lambda: (husk.RUNDIR / name / "ctl").exists())
        out = husk.husk("exec", name, "--", "/bin/sh", "-c", "env; ls /proc/self/fd; cat /proc/net/dev", timeout=30).out
        assert "LISTEN" not in out and "\n7\n" not in out and husk.interface(out.partition("|bytes")[2])[-1:] == ["lo"], out
        stop(name)
    assert not os.path.exists(path)


@pytest.mark.parametrize("both", [True, False])
def test_both_families_by_one_socket_or_two(name, both):
    p = port(socket.AF_INET6)
    start(name, *([f"listen={p}"] if both else [f"listen=[::]:{p}", f"listen=0.0.0.0:{p}"]))
    assert ask(("127.0.0.1", p)) == ask(("::1", p)) == "hello"
    stop(name)


def test_who_comes_while_it_starts_again_waits(name, tmp_path):
    """It ends after each answer, and nobody is refused; nor by a restart by hand, with a file that asks for one more."""
    p, q, path, conf = port(), port(), str(tmp_path / "s"), tmp_path / f"{name}.conf"
    conf.write_text(f"root=/\nbind={tmp_path}:/mnt\nlisten=127.0.0.1:{p}\nlisten={path}\nrestart=always 1ms\nexec={PYTHON} -S /mnt/srv.py 1\n")
    (tmp_path / "srv.py").write_text(SERVER)
    tmp_path.chmod(0o755)
    r = husk.husk("start", conf, timeout=30)
    assert r.status == 0, r
    for _ in range(4):
        assert ask(("127.0.0.1", p)) == "hello"
        assert ask(path) == "hello"
    inode = os.stat(path).st_ino
    conf.write_text(f"listen=127.0.0.1:{q}\n" + conf.read_text())
    r = husk.husk("restart", conf, timeout=30)
    assert r.status == 0, r
    assert ask(("127.0.0.1", q)) == ask(("127.0.0.1", p)) == ask(path) == "hello" and os.stat(path).st_ino == inode
    stop(name)
    assert not os.path.exists(path)
    for n in (p, q):
        with pytest.raises(ConnectionRefusedError):
            ask(("127.0.0.1", n))


SPOILS = """
import os, socket, sys
fds = [socket.socket(fileno=3 + i) for i in range(int(os.environ["LISTEN_FDS"]))]
if os.path.exists("/mnt/spoiled"):
    for s in fds[:2]:
        c = s.accept()[0]
        c.sendall(b"hello")
        c.close()
    for s in fds[2:]:
        s.sendto(b"hello", s.recvfrom(99)[1])
    sys.exit(0)
fds[0].shutdown(socket.SHUT_RDWR)
fds[1].shutdown(socket.SHUT_RDWR)
fds[2].connect(("127.0.0.1", 9))
try: fds[3].shutdown(socket.SHUT_RDWR)
except OSError: pass		# it is not connected, and shut down all the same
open("/mnt/spoiled", "w").close()
sys.exit(1)
"""


def test_what_a_program_has_spoiled_is_made_anew(name, tmp_path):
    """A run that shuts its sockets down, or connects them, does that to no later one."""
    p, pu, pd, path = port(), port(kind=socket.SOCK_DGRAM), port(kind=socket.SOCK_DGRAM), str(tmp_path / "s")
    tmp_path.chmod(0o777)
    r = husk.husk("start", f"name={name}", "root=/", f"bind={tmp_path}:/mnt:rw", f"listen=127.0.0.1:{p}", f"listen={path}", f"listen=udp:127.0.0.1:{pu}", f"listen=udp:127.0.0.1:{pd}", "restart=on-failure 1ms",
                  "--", PYTHON, "-S", "-c", SPOILS, timeout=30)
    assert r.status == 0, r
    assert husk.wait_for(lambda: (tmp_path / "spoiled").exists() and "state=running" in husk.read(husk.RUNDIR / name / "state"), 30)
    again = {"restarts=1", "state=running"}		# and not between the two, when it has been counted and nobody listens
    assert husk.wait_for(lambda: again <= set(husk.husk("state", name).out.splitlines()), 30)
    assert ask(("127.0.0.1", p)) == ask(path) == ask(("127.0.0.1", pu), socket.SOCK_DGRAM) == ask(("127.0.0.1", pd), socket.SOCK_DGRAM) == "hello"
    assert husk.husk("wait", name, timeout=30).status == 0
    stop(name)


OUT = """
import ctypes, errno, os, socket, sys
for n in range(3, 3 + int(os.environ["LISTEN_FDS"])):
    s = socket.socket(fileno=n)
    if sys.argv[2] == "accepted":
        print("up", flush=True)
        s = s.accept()[0]
        ctypes.CDLL(None).connect(s.fileno(), bytes(16), 16)    # to nobody: it is as new
    else:
        s.shutdown(socket.SHUT_RDWR)
    s.settimeout(3)
    to = ("::ffff:127.0.0.1" if s.family == socket.AF_INET6 else "127.0.0.1", int(sys.argv[1]))
    try:
        s.connect(to)
        print("connected", s.recv(9))
    except OSError as e:
        print("no answer" if isinstance(e, TimeoutError) else e)
    for option in 27, 44:                 # SO_DETACH_FILTER, SO_LOCK_FILTER
        try:
            s.setsockopt(socket.SOL_SOCKET, option, 0)
            print("taken off", option)
        except OSError as e:
            print(errno.errorcode[e.errno])
"""


@pytest.mark.parametrize("how", ["listening", "accepted"])
def test_nobody_connects_from_outside_by_what_he_was_given(name, how):
    """A service of this machine alone, a box without a network; the socket is of the machine's."""
    with socket.create_server(("127.0.0.1", 0)) as service:
        service.settimeout(0.1)
        p = port()
        address = f"{p}" if how == "listening" else f"127.0.0.1:{p}"
        with husk.box(f"listen={address}", "--", PYTHON, "-S", "-c", OUT, str(service.getsockname()[1]), how, box=name, root="/") as b:
            if how == "accepted":
                assert husk.line(b) == "up"
                socket.create_connection(("127.0.0.1", p)).close()
            out = b.stdout.read().decode()
            assert b.wait() == 0, husk.errors(b)
        assert out.split("\n") == ["no answer", "EPERM", "EPERM", ""], out
        with pytest.raises(TimeoutError):
            service.accept()


@pytest.mark.parametrize("words, open_", [([], True), (["net=host"], False), (["ns.user=new"], False)])
def test_a_socket_is_no_way_to_rule_the_host_s_network(name, words, open_):
    r = husk.husk("run", f"name={name}", "root=/", "caps=net_admin", f"listen={port()}", *words, "--", "/bin/true", timeout=30)
    assert r.status == (2 if open_ else 0) and ("listen: with caps=net_admin" in r.err) == open_, r
    with husk.box("user=root", *words, f"listen={port()}", "--", "/bin/inside", "sleep", "20000", box=name) as b:
        assert husk.line(b) == "up"
        r = husk.husk("exec", name, "caps=net_admin", "--", "/bin/true", timeout=30)
        b.terminate()
        husk.status_of(b)
        assert r.status == (2 if open_ else 0) and ("listen: with caps=net_admin" in r.err) == open_, r


LENDS = """
import os, socket, sys
s = socket.socket(fileno=3)
if not os.path.exists("/mnt/lent"):
    open("/mnt/lent", "w").close()
    out = socket.socket(socket.AF_UNIX); out.connect("/mnt/out")
    socket.send_fds(out, [b"x"], [3]); out.recv(1)
    sys.exit(1)
while True:
    c = s.accept()[0]; c.sendall(b"hello"); c.close()
"""


@contextlib.contextmanager
def spoiled(name, tmp_path, path):
    """A box whose socket is shut down between two of its lives by who was lent it, still has it, and is no box."""
    tmp_path.chmod(0o777)
    with socket.socket(socket.AF_UNIX) as out:
        out.bind(str(tmp_path / "out"))
        os.chmod(tmp_path / "out", 0o777)
        out.listen()
        r = husk.husk("start", f"name={name}", "root=/", f"bind={tmp_path}:/mnt:rw", f"listen={path}", "restart=on-failure 3s", "--", PYTHON, "-S", "-c", LENDS, timeout=30)
        assert r.status == 0, r
        with out.accept()[0] as c:
            lent = socket.socket(fileno=socket.recv_fds(c, 1, 1)[1][0])
            c.send(b"x")
            assert husk.wait_for(lambda: "state=backoff" in husk.read(husk.RUNDIR / name / "state"), 30)
            lent.shutdown(socket.SHUT_RDWR)
        with lent:
            yield


def test_what_is_spoiled_between_two_lives_is_made_anew(name, tmp_path):
    """The starter is the first to see."""
    path = str(tmp_path / "s")
    with spoiled(name, tmp_path, path):
        assert husk.wait_for(lambda: husk.husk("state", name, "state").out == "running\n", 30)
        assert ask(path) == "hello"
    stop(name)


def test_a_killed_keeper_leaves_a_path_and_the_next_start_takes_it(name, tmp_path):
    p, path = port(), str(tmp_path / "s")
    words = [f"listen=127.0.0.1:{p}", f"listen={path}"]
    with husk.box(*words, *server(), box=name, root="/") as b:
        husk.line(b, 30)
        b.kill()
        b.wait()
    assert os.path.exists(path)
    start(name, *words)
    assert ask(path) == ask(("127.0.0.1", p)) == "hello"
    r = husk.husk("run", f"name={name}-2", f"listen={path}", "--", "/bin/true")
    assert r.status == 125 and f"init.listen: {path} is that of the box {name}, which runs\n" in r.err, r
    r = husk.husk("run", f"name={name}-2", f"listen={p}", "--", "/bin/true")
    assert r.status == 125 and f"init.listen: port {p}: Address in use - somebody listens there" in r.err, r
    assert ask(path) == ask(("127.0.0.1", p)) == "hello"		# and who refused it has taken nothing away
    stop(name)


def test_a_path_is_one_boxs_between_its_lives_as_well(name, tmp_path):
    """And what is another's by then, who is no box, is not taken away: he may have taken the place of one that was spoiled."""
    path = str(tmp_path / "s")
    spoils = "import os, socket, sys; socket.socket(fileno=3).shutdown(socket.SHUT_RDWR); sys.exit(1)"
    r = husk.husk("start", f"name={name}", "root=/", f"listen={path}", "restart=on-failure 1h", "--", PYTHON, "-S", "-c", spoils, timeout=30)
    assert r.status == 0, r
    assert husk.wait_for(lambda: "state=backoff" in husk.read(husk.RUNDIR / name / "state"), 30)
    r = husk.husk("run", f"name={name}-2", f"listen={path}", "--", "/bin/true")
    assert r.status == 125 and f"{path} is that of the box {name}, which runs\n" in r.err, r
    stop(name)
    with spoiled(name, tmp_path, path):
        os.unlink(path)
        with socket.socket(socket.AF_UNIX) as mine:
            mine.bind(path)
            mine.listen()
            mine.settimeout(30)
            assert husk.wait_for(lambda: "Address in use" in husk.husk("state", name).out, 30)
            with socket.socket(socket.AF_UNIX) as c:
                c.connect(path)
    husk.husk("stop", name, timeout=30)


def test_what_is_no_dead_socket_stays(name, tmp_path):
    path, link = tmp_path / "s", tmp_path / "link"
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(path))
    assert husk.run(f"listen={path}", "--", "/bin/true", box=name).status == 0 and not path.exists()		# nobody's
    path.write_text("precious")
    r = husk.run(f"listen={path}", "--", "/bin/true", box=name)
    assert r.status == 125 and path.read_text() == "precious" and f"init.listen: {path} is there, and no socket" in r.err, r
    r = husk.run(f"listen={tmp_path}/u:user=nobody-at-all", "--", "/bin/true", box=name)
    assert r.status == 125 and '"nobody-at-all" is not in /etc/passwd\n' in r.err, r
    link.symlink_to(tmp_path)
    r = husk.run(f"listen={link}/t", "--", "/bin/true", box=name)
    assert r.status == 125 and "no link on the way is followed" in r.err and not (tmp_path / "t").exists(), r


def test_who_has_ended_for_good_gives_back_its_addresses(name, tmp_path):
    p, path = port(), tmp_path / "s"
    start(name, f"listen=127.0.0.1:{p}", f"listen={path}", many=1)
    assert ask(str(path)) == "hello"
    assert husk.wait_for(lambda: husk.husk("state", name, "state").out == "failed\n", 30)
    assert not path.exists()
    with pytest.raises(ConnectionRefusedError):
        ask(("127.0.0.1", p))
    stop(name)


def test_root_has_the_ports_below_1024(name):
    if int(husk.read("/proc/sys/net/ipv4/ip_unprivileged_port_start")) <= 79:
        pytest.skip("everybody may")
    with tempfile.TemporaryDirectory() as run:
        os.chown(run, 65534, 65534)
        r = husk.husk("run", f"name={name}", "listen=79", "ns.user=new", "--", "/bin/true", user=65534, group=65534, extra_groups=[], env={"HUSK_RUN": run})
    assert r.status == 125 and "port 79: Permission denied - ports below net.ipv4.ip_unprivileged_port_start are root's" in r.err, r
