"""Programs that nobody here wrote, under the defaults: Debian's own, from unpacked packages."""
import os
import re
import subprocess
import time

import pytest

import husk

pytestmark = pytest.mark.skipif(not (husk.DEBIAN / ".done").exists(), reason="test/setup.sh test makes out/root-debian")


def debian(*args, **more):
    return husk.run(*args, root=husk.DEBIAN, **more)


@pytest.fixture
def data(tmp_path):
    """A directory for the program's data, the box's user may write there."""
    d = tmp_path / "data"
    d.mkdir()
    d.chmod(0o777)
    tmp_path.chmod(0o755)
    return d


def test_busybox(name):
    r = debian("--", "/bin/busybox", "sh", "-c", "ls / | wc -l; sort < /etc/passwd | head -1; vi --help 2>&1 | head -1; ping -c 1 127.0.0.1", box=name)
    assert "redis:x:101" in r.out, r


def test_dash(name):
    r = debian("--", "/bin/dash", "-c", "x=$(echo a | busybox tr a b); for i in 1 2 3; do echo $i$x; done | busybox tail -n 1; (exit 5) & wait $!; echo $?; kill -TERM $$", box=name)
    assert (r.status, r.out) == (143, "3b\n5\n"), r


PYTHON = """
import os, socket, subprocess, tempfile, threading, time, signal, sqlite3, json, random, multiprocessing
t = threading.Thread(target=lambda: print("thread", flush=True)); t.start(); t.join()
print(subprocess.run(["/bin/dash", "-c", "echo child; exit 3"]).returncode, flush=True)
s = socket.socket(); s.bind(("127.0.0.1", 80)); s.listen()
c = socket.create_connection(("127.0.0.1", 80)); a, _ = s.accept(); a.send(b"net"); print(c.recv(3))
print(socket.getaddrinfo("localhost", 80, socket.AF_INET)[0][4][0], len(socket.if_nameindex()))
with tempfile.NamedTemporaryFile() as f: f.write(b"x"); f.flush(); os.fsync(f.fileno()); print(os.path.getsize(f.name))
signal.signal(signal.SIGALRM, lambda *a: print("alarm")); signal.setitimer(signal.ITIMER_REAL, 0.01); time.sleep(0.05)
with multiprocessing.Pool(2) as p: print(p.map(abs, [-1, 2]))
try: os.setuid(0)
except PermissionError: print("denied")
d = sqlite3.connect(":memory:"); print(d.execute("select 1+1").fetchone())
print(os.getuid() >= 61184, time.time() > 1e9, len(os.urandom(8)))
"""


def test_python(name):
    r = debian("rlimit.nofile=1024", "--", "/usr/bin/python3", "-c", PYTHON, box=name)
    assert r.status == 0, r
    assert r.out == "thread\nchild\n3\nb'net'\n127.0.0.1 1\n1\nalarm\n[1, 2]\ndenied\n(2,)\nTrue True 8\n", r


def test_sqlite(name, data):
    r = debian(f"bind={data}:/data:rw", "--", "/usr/bin/sqlite3", "/data/x.db",
               "pragma journal_mode=wal; create table t(a); insert into t values(7); select a*6 from t; vacuum; pragma integrity_check;", box=name)
    assert r.out.split() == ["wal", "42", "ok"], r
    assert (data / "x.db").stat().st_uid >= 61184


def test_curl_without_network(name):
    r = debian("--", "/usr/bin/curl", "-sS", "http://127.0.0.1:1/", box=name)
    assert r.status == 7 and "onnect" in r.err, r
    r = debian("--", "/usr/bin/curl", "-sS", "file:///etc/hosts", box=name)
    assert r.out == "127.0.0.1 localhost\n", r


NGINX = """
user www-data;
daemon off;
error_log stderr notice;
pid /run/nginx.pid;
events {}
http {
	access_log off;
	client_body_temp_path /tmp/body; proxy_temp_path /tmp/proxy; fastcgi_temp_path /tmp/fcgi; uwsgi_temp_path /tmp/u; scgi_temp_path /tmp/s;
	server { listen 127.0.0.1:80; location / { return 200 "it works\\n"; } }
}
"""


def wait_until(p, text, timeout=10):
    """Reads the standard error of a box until the text has come."""
    import select
    seen, end = b"", time.monotonic() + timeout
    while text.encode() not in seen:
        left = end - time.monotonic()
        assert left > 0 and p.poll() is None or text.encode() in seen, seen
        if select.select([p.stderr, p.stdout], [], [], max(0, left))[0]:
            for f in select.select([p.stderr, p.stdout], [], [], 0)[0]:
                seen += os.read(f.fileno(), 65536)
    return seen.decode()


def fetch(keeper, command):
    """Runs a command of this machine in the network of the box."""
    init = husk.init_of(keeper)
    return husk.wait_for(lambda: (lambda r: r if r.status == 0 else None)(husk.command("nsenter", "-n", "-t", init, *command)), 5)


@pytest.mark.parametrize("words", [["use=daemon"], ["user=www-data"]])
def test_nginx(name, data, words):
    """As root it makes workers of another user by itself; TERM reaches it, and it ends them."""
    (data / "nginx.conf").write_text(NGINX if words == ["use=daemon"] else NGINX.replace("user www-data;", ""))
    with husk.box(*words, f"bind={data}/nginx.conf:/etc/nginx/nginx.conf", "tmpfs=/var/log/nginx:1M,mode=777", "tmpfs=/var/lib/nginx:1M,mode=777", "--",
                  "/usr/sbin/nginx", box=name, root=husk.DEBIAN) as p:
        r = fetch(p.pid, ["chroot", husk.DEBIAN, "/usr/bin/curl", "-s", "http://127.0.0.1/"])
        assert r and r.out == "it works\n", husk.errors(p) if p.poll() is not None else r
        init = husk.init_of(p.pid)
        uids = {husk.fields(husk.read(f"/proc/{c}/status"))["Uid"].split()[0] for m in husk.children(init) for c in husk.children(m)}
        assert uids == {"33"}
        began = time.monotonic()
        p.terminate()
        assert husk.status_of(p) == 0
        assert time.monotonic() - began < 5, "TERM did not reach it"
        said = husk.errors(p)
        assert "signal 15 (SIGTERM) received" in said and re.search(r"worker process \d+ exited with code 0", said), said


def test_redis(name, data):
    with husk.box(f"bind={data}:/data:rw", "cwd=/data", "--", "/usr/bin/redis-server", "--port", "6379", "--save", "60 1", "--appendonly", "yes",
                  box=name, root=husk.DEBIAN) as p:
        wait_until(p, "Ready to accept connections")
        r = fetch(p.pid, ["chroot", husk.DEBIAN, "/usr/bin/redis-cli", "set", "a", "b"])
        assert r and r.out == "OK\n", r
        r = fetch(p.pid, ["chroot", husk.DEBIAN, "/usr/bin/redis-cli", "bgsave"])
        assert "started" in r.out, r
        assert husk.wait_for(lambda: (data / "dump.rdb").exists())
        p.terminate()
        assert husk.status_of(p) == 0


def below(pid):
    """All processes that descend from it."""
    return [q for c in husk.children(pid) for q in (c, *below(c))]


SESSION = "busybox grep -E '^(Uid|Gid|Groups|CapEff|NoNewPrivs)' /proc/self/status; exec busybox sleep 60000"


def test_dropbear(name, data):
    """A session by a key has the ids of its user and no right, although dropbear itself is root; TERM ends all of it."""
    for key in ("host", "own"):
        r = debian("user=root", f"bind={data}:/data:rw", "--", "/usr/bin/dropbearkey", "-t", "ed25519", "-f", f"/data/{key}", box=name)
        assert r.status == 0 and "ssh-ed25519" in r.out, r
    home = data / "home"
    (home / ".ssh").mkdir(parents=True, mode=0o700)
    (home / ".ssh/authorized_keys").write_text(re.search(r"^ssh-ed25519 .*\n", r.out, re.M)[0])
    for f in (home, home / ".ssh", home / ".ssh/authorized_keys"):
        os.chown(f, 1000, 1000)
    with husk.box("use=daemon", f"bind={data}:/data:rw", f"bind={home}:/home/user:rw", "--", "/usr/sbin/dropbear", "-F", "-E", "-r", "/data/host", "-p", "127.0.0.1:22",
                  box=name, root=husk.DEBIAN) as p:
        wait_until(p, "Not backgrounding")
        client = subprocess.Popen([husk.HUSK, "exec", name, "--", "/usr/bin/dbclient", "-y", "-y", "-i", "/data/own", "user@127.0.0.1", SESSION],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            said = husk.fields("\n".join(husk.line(client, 20) for _ in range(5)))
            assert {k: v.split() for k, v in said.items()} == {"Uid": ["1000"] * 4, "Gid": ["1000"] * 4, "Groups": ["1000"], "CapEff": ["0" * 16], "NoNewPrivs": ["1"]}
            init = husk.init_of(p.pid)
            session = husk.wait_for(lambda: [q for q in below(init) if "sleep\0" in husk.read(f"/proc/{q}/cmdline")])
            main = husk.children(init)[0]
            assert session and [husk.fields(husk.read(f"/proc/{q}/status"))["Uid"].split()[0] for q in (main, *session)] == ["0", "1000"]
            began = time.monotonic()
            p.terminate()
            assert husk.status_of(p) in (0, 1, 143)		# 1 is its own word for a signal
            assert time.monotonic() - began < 5, "TERM did not reach it"
            assert "Terminated by signal" in husk.errors(p)
            assert not husk.alive(session[0])
            assert husk.status_of(client) != 0
        finally:
            client.kill()
            client.wait()
    husk.nothing_left(name)


@pytest.mark.parametrize("words, own", [([], []), (["use=daemon"], ["-u", "www-data:www-data"])], ids=["a user", "root that becomes one"])
def test_a_daemon_of_busybox(name, data, words, own):
    """Where it is root and drops its ids by itself, who sends TERM has another user than it."""
    (data / "index.html").write_text("page\n")
    with husk.box(*words, f"bind={data}:/srv", "--", "/bin/busybox", "httpd", "-f", *own, "-h", "/srv", "-p", "127.0.0.1:80", box=name, root=husk.DEBIAN) as p:
        r = fetch(p.pid, ["chroot", husk.DEBIAN, "/usr/bin/curl", "-s", "http://127.0.0.1/"])
        assert r and r.out == "page\n", r
        main, = husk.children(husk.init_of(p.pid))
        ids = husk.fields(husk.read(f"/proc/{main}/status"))["Uid"].split()
        assert ids == ["33"] * 4 if own else int(ids[0]) >= 61184, ids
        began = time.monotonic()
        p.terminate()
        assert husk.status_of(p) in (0, 143)
        assert time.monotonic() - began < 5, "TERM did not reach it"
