"""forks=yes: programs that go to the background by themselves; and what is said where nobody has written it."""
import os
import re
import signal
import subprocess
import tempfile

import pytest

import husk
import test_programs
from test_programs import data, fetch		# noqa: F401 (a fixture)


def test_the_box_ends_with_its_last_process_and_with_its_status():
    r = husk.run("forks=yes", "--", "/bin/sh", "-c", "(sleep 0.1; exit 3) & (sleep 0.4; echo last; exit 7) & exit 0")
    assert (r.status, r.out, r.err) == (7, "last\n", ""), r
    r = husk.run("forks=yes", "--", "/bin/sh", "-c", "(sleep 0.1; kill -9 $$; sleep 0.1; kill -KILL `sh -c 'echo $PPID'`) & exit 0")
    assert r.status == 137, r
    r = husk.run("forks=yes", "--", "/bin/true")
    assert r.status == 0, r


@pytest.mark.parametrize("end,status", [("exit 4", 4), ("kill -TERM $$", 143)])
def test_a_program_that_fails_before_it_forks_is_the_end(end, status):
    name = husk.name("tfk")
    r = husk.run("forks=yes", "--", "/bin/sh", "-c", f"sleep 30 & {end}", box=name)
    assert r.status == status and r.err == "", r
    husk.nothing_left(name)


def test_what_stops_it_goes_to_all_that_are_left():
    name = husk.name("tfk")
    one = "trap 'echo stopped %d; exit 0' TERM; echo up; while :; do sleep 0.01; done"
    with husk.box("forks=yes", "--", "/bin/sh", "-c", f"({one % 1}) & ({one % 2}) & exit 0", box=name) as p:
        assert husk.line(p) == husk.line(p) == "up"
        init = husk.init_of(p.pid)
        assert husk.wait_for(lambda: len(husk.children(init)) == 2)		# the program itself has ended
        p.terminate()
        assert sorted((husk.line(p), husk.line(p))) == ["stopped 1", "stopped 2"]
        assert husk.status_of(p) == 0
    husk.nothing_left(name)


def test_and_when_its_time_is_over_all_are_killed():
    name = husk.name("tfk")
    with husk.box("forks=yes", "stop.timeout=200ms", "--", "/bin/sh", "-c", "(trap '' TERM; echo up; while :; do sleep 0.01; done) & exit 0", box=name) as p:
        assert husk.line(p) == "up"
        init = husk.init_of(p.pid)
        assert husk.wait_for(lambda: husk.children(husk.children(init)[0]) == [])
        p.terminate()
        assert husk.status_of(p) == 137 and "did not stop in 200 ms" in husk.errors(p)
    husk.nothing_left(name)


def test_it_is_started_again_by_how_the_last_one_ended():
    """restart=on-failure: the program has ended well, what it left behind has not; and ready=port of who is left."""
    name = husk.name("tfk")
    script = "n=`cat /mnt/n 2>/dev/null`; echo $((n+1)) >/mnt/n; (nc -l -p 7 >/dev/null & sleep 0.2; [ $((n+1)) = 3 ] || exit 5) & exit 0"
    with tempfile.TemporaryDirectory() as d:
        os.chmod(d, 0o777)
        r = husk.run("forks=yes", "restart=on-failure 10ms", "ready=port:7", f"bind={d}:/mnt:rw", "stop.timeout=1s", "--", "/bin/sh", "-c", script.replace("nc -l -p 7 >/dev/null &", "timeout 0.2 nc -l -p 7 >/dev/null;"), box=name)
        assert r.status == 0 and husk.read(f"{d}/n") == "3\n" and r.err.count("exit 5: again") == 2, r
    husk.nothing_left(name)


@pytest.mark.parametrize("n", [1, 3])
def test_nobody_has_said_that_it_forks(n):
    name = husk.name("tfk")
    r = husk.run("--", "/bin/sh", "-c", "sleep 20 & " * n + "exit 0", box=name)
    said = rf"husk: {name}: ended with 0 after 0\.\ds, {n} process{'es' if n > 1 else ''} left - it went to the background: its foreground option \(-n\), or forks=yes\n"
    assert r.status == 0 and re.fullmatch(said, r.err), r
    husk.nothing_left(name)


@pytest.mark.parametrize("program", ["exit 0", "sleep 20 & exit 1", "sleep 20 & kill -TERM $$", "(sleep 0.01; exit 0) & wait; exit 0", "sleep 2.1; sleep 20 & exit 0"])
def test_nothing_is_said_of_others(program):
    """Nobody left, a failure, or one that has worked for some time."""
    r = husk.run("--", "/bin/sh", "-c", program)
    assert r.err == "", r


@pytest.mark.parametrize("words,said", [(["pid1=program"], "not with pid1=program"), (["ns.pid=host"], "not with ns.pid=host: who is left"), (["use=host"], "not with ns.pid=host by use=host")])
def test_where_it_cannot_be(words, said):
    r = husk.run("forks=yes", *words, "--", "/bin/true", root=None)
    assert r.status == 2 and f"forks: {said}" in r.err, r


debian = pytest.mark.skipif(not (husk.DEBIAN / ".done").exists(), reason="test/setup.sh test makes out/root-debian")


def ends(p, name):
    """TERM reaches a daemon that is nobody's child any more."""
    p.terminate()
    status = husk.status_of(p)
    husk.nothing_left(name, 1)
    return status


@debian
def test_nginx(data):
    name = husk.name("tfk")
    (data / "nginx.conf").write_text(test_programs.NGINX.replace("daemon off;", "daemon on;"))
    words = ["use=daemon", f"bind={data}/nginx.conf:/etc/nginx/nginx.conf", "tmpfs=/var/log/nginx:1M,mode=777", "tmpfs=/var/lib/nginx:1M,mode=777"]
    with husk.box("forks=yes", *words, "--", "/usr/sbin/nginx", box=name, root=husk.DEBIAN) as p:
        r = fetch(p.pid, ["chroot", husk.DEBIAN, "/usr/bin/curl", "-s", "http://127.0.0.1/"])
        assert r and r.out == "it works\n", husk.errors(p) if p.poll() is not None else r
        assert ends(p, name) == 0
    r = husk.run(*words, "--", "/usr/sbin/nginx", root=husk.DEBIAN, box=name)
    assert r.status == 0 and "it went to the background" in r.err, r


@debian
def test_dropbear(data):
    name = husk.name("tfk")
    r = husk.run("user=root", f"bind={data}:/data:rw", "--", "/usr/bin/dropbearkey", "-t", "ed25519", "-f", "/data/key", box=name, root=husk.DEBIAN)
    assert r.status == 0, r
    program = ["use=daemon", f"bind={data}:/data:rw", "--", "/usr/sbin/dropbear", "-E", "-r", "/data/key", "-p", "127.0.0.1:22"]
    with husk.box("forks=yes", *program, box=name, root=husk.DEBIAN) as p:
        r = fetch(p.pid, ["sh", "-c", "echo | timeout 5 busybox nc 127.0.0.1 22 | head -c 20 | grep ."])
        assert r and r.out.startswith("SSH-2.0-dropbear"), r
        assert ends(p, name) in (0, 1, 143)		# 1 is its own word for a signal
    r = husk.run(*program, root=husk.DEBIAN, box=name)
    assert r.status == 0 and "it went to the background" in r.err, r


@debian
def test_crond_of_busybox(data):
    name = husk.name("tfk")
    program = ["user=root", f"bind={data}:/data:rw", "--", "/bin/busybox", "crond", "-c", "/data", "-L", "/dev/null"]
    with husk.box("forks=yes", *program, box=name, root=husk.DEBIAN, stderr=subprocess.DEVNULL) as p:
        init = husk.init_of(p.pid)
        assert husk.wait_for(lambda: [c for c in husk.children(init) if husk.read(f"/proc/{c}/stat").split()[6] == "0"])
        assert p.poll() is None
        assert ends(p, name) in (0, 128 + signal.SIGTERM)
    r = husk.run(*program, root=husk.DEBIAN, box=name)
    assert r.status == 0 and "it went to the background" in r.err, r
