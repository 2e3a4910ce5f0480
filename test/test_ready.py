"""ready=, start.timeout= and watchdog=: when a box is ready, and what becomes of one that is not, or is silent."""
import contextlib
import os
import re
import signal
import subprocess
import time

import pytest

import husk

debian = pytest.mark.skipif(not (husk.DEBIAN / ".done").exists(), reason="test/setup.sh test makes out/root-debian")
PYTHON = "/usr/bin/python3"
SOCKET = """
import array, os, socket, sys, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.connect(os.environ["NOTIFY_SOCKET"])
def say(text, *fds):
    s.sendmsg([text.encode()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else [])
"""


def sh(script):
    return ("--", "/bin/sh", "-c", script)


def py(script):
    return ("--", PYTHON, "-c", SOCKET + script)


def states(box):
    """The words of its state= lines so far."""
    return re.findall(r"^state=(\w+)", husk.read(husk.RUNDIR / box / "state"), re.M)


def ready(box, timeout=5.0):
    return husk.wait_for(lambda: states(box)[-1:] == ["ready"], timeout, 0.005)


@contextlib.contextmanager
def debian_box(*args, box, **more):
    with husk.box(*args, box=box, root=husk.DEBIAN, **more) as p:
        yield p


def end(p):
    p.terminate()
    return husk.status_of(p)


# ------------------------------------------------------------------------- start

def test_a_box_that_runs_is_running_and_no_more(name):
    with husk.box(*sh("echo up; sleep 60"), box=name) as p:
        assert husk.line(p) == "up"
        assert husk.wait_for(lambda: states(name) == ["running"])
        end(p)


# ----------------------------------------------------------------------- fd:N

@debian
@pytest.mark.parametrize("n", [3, 4, 5, 9, 255])
def test_a_newline_on_the_descriptor(name, n):
    """Whatever number ours have at that moment."""
    script = f"import os; input(); os.write({n}, b'a'); os.write({n}, b'b\\nc'); print('done', flush=True); input()"
    with debian_box(f"ready=fd:{n}", "--", PYTHON, "-c", script, box=name, stdin=subprocess.PIPE) as p:
        assert husk.wait_for(lambda: states(name) == ["starting"])
        p.stdin.write(b"\n")
        p.stdin.flush()
        assert husk.line(p) == "done" and ready(name)
        end(p)


def test_the_descriptor_is_the_only_one_that_is_there(name):
    with husk.box("ready=fd:7", "--", "/bin/inside", "fds", box=name) as p:
        out = p.stdout.read().decode()
    assert [int(n) for n in re.findall(r"^fd (\d+) ", out, re.M)] == [0, 1, 2, 7] and "fd 7 pipe:" in out, out


def test_closed_without_a_newline(name):
    with husk.box("ready=fd:5", *sh("exec 5>&-; trap 'exit 0' TERM; sleep 60 & wait"), box=name) as p:
        assert husk.status_of(p) == 125
        assert husk.errors(p) == f"husk: {name}: not ready: the descriptor is closed that would say so: stopped\n"


def test_a_program_that_ends_before_it_is_ready_has_its_own_status(name):
    r = husk.run("ready=fd:5", *sh("exit 7"), box=name)
    assert (r.status, r.err) == (7, "")


def test_what_is_no_newline_is_not_heard_for_ever(name):
    with husk.box("ready=fd:5", *sh("trap '' PIPE; cat /dev/zero >&5; echo over; exec sleep 60"), box=name) as p:
        assert husk.line(p) == "over"
        assert husk.status_of(p) == 143 and "not ready" in husk.errors(p)


def test_the_number_has_to_fit(name):
    r = husk.run("ready=fd:200", "rlimit.nofile=100", *sh("true"), box=name)
    assert r.status == 125 and re.search(r"init\.pass: .*rlimit\.nofile", r.err), r


# ------------------------------------------------------------------------ notify

@debian
@pytest.mark.parametrize("more", [[], ["user=root"], ["ns.user=new"], ["user=www-data"], ["ns.user=new", "user=root"], ["net=host"], ["mounts=-run"], ["pid1=program"],
                                  ["root=:rw"], ["user=root", "ns.mnt=host", "mounts=none", "etc=none"]])
def test_ready_by_sd_notify(name, more):
    if any("ns.mnt=host" in m for m in more):
        args, root = [*more, "ready=notify", "--", PYTHON, "-c"], None
    else:
        args, root = [*more, "ready=notify", "--", PYTHON, "-c"], husk.DEBIAN
    with husk.box(*args, SOCKET + "say('STATUS=at it\\nREADY=1'); print('said', flush=True); sys.stdin.read()", box=name, root=root, stdin=subprocess.PIPE) as p:
        assert husk.line(p) == "said", husk.errors(p)
        assert ready(name)
        assert husk.read(husk.RUNDIR / name / "status") == "at it" and husk.husk("state", name, "status").out == "at it\n"
        p.stdin.close()
        assert husk.status_of(p) == 0
        p.stdin = None


@debian
def test_any_process_of_any_user_may_say_it(name):
    script = "import os\nif os.fork() == 0:\n os.setgid(1234); os.setuid(1234); say('READY=1'); os._exit(0)\nos.wait(); print('said', flush=True); time.sleep(60)"
    with debian_box("user=root", "caps=setuid,setgid", "ready=notify", *py(script), box=name) as p:
        assert husk.line(p) == "said" and ready(name)
        end(p)


@debian
def test_it_says_that_it_stops(name):
    with debian_box("ready=notify", *py("say('READY=1'); time.sleep(0.2); say('STOPPING=1'); time.sleep(60)"), box=name) as p:
        assert husk.wait_for(lambda: states(name) == ["starting", "ready", "running"])
        end(p)


@debian
def test_its_mind_changes_once(name):
    script = "say('READY=1\\nSTOPPING=1\\n' * 50)\nfor _ in range(50): say('READY=1\\nSTOPPING=1\\n' * 50)\nprint('said', flush=True); time.sleep(60)"
    with debian_box("ready=notify", *py(script), box=name) as p:
        assert husk.line(p) == "said"
        time.sleep(0.3)
        assert states(name) == ["starting", "ready", "running"]
        end(p)


def test_without_it_there_is_no_socket(name):
    r = husk.run("env=X=1", "--", "/bin/sh", "-c", "env; ls /dev", box=name)
    assert r.status == 0 and "NOTIFY" not in r.out and "WATCHDOG" not in r.out and "notify" not in r.out


@debian
def test_nobody_outside_reaches_it(name):
    with debian_box("ready=notify", *py("print('up', flush=True); time.sleep(60)"), box=name) as p:
        assert husk.line(p) == "up"
        d = husk.RUNDIR / name
        assert d.stat().st_mode & 0o777 == 0o700 and (d / "notify").is_socket()
        end(p)


@debian
def test_status_is_one_short_plain_line(name):
    script = "say('STATUS=' + 'x' * 500); say('STATUS=a\\x1b[31m\\x7f\\u009b\\tb'); say('READY=1'); time.sleep(60)"
    with debian_box("ready=notify", *py(script), box=name) as p:
        assert ready(name)
        assert husk.read(husk.RUNDIR / name / "status") == "a?[31m???\tb"
        end(p)
    with debian_box("ready=notify", *py("say('STATUS=' + 'x' * 500 + '\\nREADY=1'); time.sleep(60)"), box=name) as p:
        assert ready(name)
        assert husk.read(husk.RUNDIR / name / "status") == "x" * 128
        end(p)


@debian
def test_nonsense_is_not_heard(name):
    script = """
for text in ("", "READY", "READY=0", "READY=10", "XREADY=1", "\\0READY=1", "\\n\\n", "WATCHDOG=1", "RELOADING=1", "EXTEND_TIMEOUT_USEC=x", "EXTEND_TIMEOUT_USEC=99999999999999999999",
             "FDSTORE=1", "x" * 3000 + "\\nREADY=1"):
    say(text)
print("said", flush=True); sys.stdin.readline(); say("FOO=1\\nREADY=1\\nBAR"); time.sleep(60)"""
    with debian_box("ready=notify", *py(script), box=name, stdin=subprocess.PIPE) as p:
        assert husk.line(p) == "said"
        time.sleep(0.2)
        assert husk.wait_for(lambda: states(name) == ["starting"])
        p.stdin.write(b"\n")
        p.stdin.flush()
        assert ready(name)
        end(p)


@debian
def test_who_takes_descriptors_is_buried(name):
    """At the latest by the next one that comes: a box cannot fill its keeper's table of processes."""
    script = """
for i in range(200): say("STATUS=%d" % i, 0)
say("READY=1"); sys.stdin.readline()
"""
    with debian_box("ready=notify", *py(script), box=name, stdin=subprocess.PIPE) as p:
        assert ready(name, 10)
        dead = [c for c in husk.children(p.pid) if husk.read(f"/proc/{c}/stat").rpartition(") ")[2].startswith("Z")]
        assert len(dead) <= 2, dead
        assert end(p) == 143


@debian
def test_descriptors_that_come_along_are_closed(name):
    """The last copy of a socket that lingers would halt who closes it."""
    script = """
l = socket.socket(); l.bind(("127.0.0.1", 0)); l.listen()
full = []
for i in range(5):
    t = socket.socket(); t.connect(l.getsockname()); t.setblocking(False)
    try:
        while True: t.send(b"x" * 65536)
    except BlockingIOError: pass
    t.setblocking(True); t.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\\1\\0\\0\\0\\x3c\\0\\0\\0"); full.append(t)
print("full", flush=True); sys.stdin.readline()
for t in full: say("STATUS=full", t.fileno(), l.fileno()); t.close()
print("sent", flush=True)
r, w = os.pipe(); say("BARRIER=1", w); os.close(w); os.read(r, 1)
say("READY=1"); print("said", flush=True); sys.stdin.readline()
for t in range(3): say("STATUS=late", l.fileno())
"""
    with debian_box("ready=notify", *py(script), box=name, stdin=subprocess.PIPE) as p:
        assert husk.line(p) == "full"
        p.send_signal(signal.SIGSTOP)
        p.stdin.write(b"\n")
        p.stdin.flush()
        assert husk.line(p) == "sent"
        begun = time.monotonic()
        p.send_signal(signal.SIGCONT)
        assert husk.line(p, 8) == "said", husk.errors(p)
        assert ready(name, 1) and time.monotonic() - begun < 5
        assert len(os.listdir(f"/proc/{p.pid}/fd")) < 20
        p.stdin.write(b"\n")
        p.stdin.flush()
        assert husk.status_of(p, 2) == 0


@debian
def test_a_flood_does_not_eat_the_keeper(name):
    script = "say('READY=1')\nprint('go', flush=True)\nwhile True: say('STATUS=flood', 0)"
    with debian_box("ready=notify", *py(script), box=name) as p:
        assert husk.line(p) == "go" and ready(name)

        def used():
            f = husk.read(f"/proc/{p.pid}/stat").rpartition(")")[2].split()
            return int(f[11]) + int(f[12])
        was = used()
        time.sleep(1)
        assert used() - was < 25, "a quarter of a processor, and no more"
        end(p)


# ---------------------------------------------------------------------- port, path

@pytest.mark.parametrize("net", ["none", "host"])
@pytest.mark.parametrize("v6", [False, True])
def test_ready_when_somebody_listens(name, net, v6):
    port = 20000 + os.getpid() % 10000
    address = "[::]" if v6 else "0.0.0.0"
    script = f"echo up; read x; exec busybox httpd -f -p {address}:{port}"
    with husk.box(f"net={net}", f"ready=port:{port}", *sh(script), box=name, stdin=subprocess.PIPE) as p:
        assert husk.line(p) == "up"
        time.sleep(0.1)
        assert husk.wait_for(lambda: states(name) == ["starting"])
        p.stdin.write(b"\n")
        p.stdin.flush()
        assert ready(name), husk.errors(p)
        end(p)


@pytest.mark.parametrize("path", ["/run/web/sock", "/tmp/x", "/run/link/x"])
def test_ready_when_a_path_is_there(name, path):
    script = f"echo up; read x; mkdir -p /run/real; ln -s /run/real /run/link; mkdir -p {os.path.dirname(path)}; sleep 0.1; >{path}; echo made; read x"
    with husk.box(f"ready={path}", *sh(script), box=name, stdin=subprocess.PIPE) as p:
        assert husk.line(p) == "up" and husk.wait_for(lambda: states(name) == ["starting"])
        p.stdin.write(b"\n")
        p.stdin.flush()
        assert husk.line(p) == "made"
        assert ready(name), husk.errors(p)
        end(p)


def test_a_path_is_that_of_the_box(name, tmp_path):
    """Links of the box lead nowhere else: not to what is there outside."""
    with husk.box("ready=/run/out/passwd", *sh("ln -s ../../../../../../../etc /run/out; ls /run/out/; sleep 60"), box=name, root=None) as p:
        assert ready(name)
        end(p)
    (tmp_path / "there").touch()
    with husk.box(f"ready={tmp_path}/there", "start.timeout=400ms", *sh("trap 'exit 3' TERM; sleep 60 & wait"), box=name) as p:
        assert husk.status_of(p) == 3


def test_who_looks_is_gone_with_the_box(name):
    for kind in ("/run/x", "port:9"):
        with husk.box(f"ready={kind}", *sh("echo up; read x"), box=name, stdin=subprocess.PIPE) as p:
            assert husk.line(p) == "up"
            looks = [c for c in husk.children(p.pid) if c != husk.init_of(p.pid)]
            assert len(looks) == 1
            assert husk.wait_for(lambda: len(os.listdir(f"/proc/{looks[0]}/fd")) <= 4)
            p.stdin.close()
            p.stdin = None
            assert husk.status_of(p) == 1
        assert husk.wait_for(lambda: not any(map(husk.alive, looks)))
        with husk.box(f"ready={kind}", *sh("echo up; sleep 60"), box=name) as p:
            assert husk.line(p) == "up"
            looks = [c for c in husk.children(p.pid) if c != husk.init_of(p.pid)]
            p.kill()
            assert husk.wait_for(lambda: not any(map(husk.alive, looks)))
        husk.run(*sh("true"), box=name)


# ------------------------------------------------------------ start.timeout, watchdog

@pytest.mark.parametrize("kind", ["notify", "fd:5", "port:1", "/run/x"])
def test_not_ready_in_time(name, kind):
    begun = time.monotonic()
    with husk.box(f"ready={kind}", "start.timeout=300ms", *sh("trap 'exit 0' TERM; sleep 60 & wait"), box=name) as p:
        assert husk.status_of(p) == 125
        assert husk.errors(p) == f"husk: {name}: not ready in time: stopped\n"
    assert 0.3 < time.monotonic() - begun < 5


def test_not_ready_and_not_willing_to_go(name):
    with husk.box("ready=fd:5", "start.timeout=200ms", "stop.timeout=200ms", *sh("trap '' TERM; while :; do sleep 1; done"), box=name) as p:
        assert husk.status_of(p) == 137
        assert husk.errors(p) == f"husk: {name}: not ready in time: stopped\nhusk: {name}: did not stop in 200 ms: killed\n"


def test_who_is_ready_in_time_stays(name):
    with husk.box("ready=fd:5", "start.timeout=2s", *sh("echo >&5; sleep 2.2; exit 4"), box=name) as p:
        assert husk.status_of(p) == 4 and husk.errors(p) == ""


@debian
def test_the_time_can_be_extended_while_it_starts(name):
    script = "say('EXTEND_TIMEOUT_USEC=9000000'); time.sleep(3.2); say('READY=1'); print('ready', flush=True); time.sleep(60)"
    with debian_box("ready=notify", "start.timeout=3s", *py(script), box=name) as p:
        assert husk.line(p) == "ready" and ready(name)
        end(p)


@debian
def test_the_time_to_stop_cannot(name):
    script = "import signal\nsignal.signal(15, lambda *a: say('EXTEND_TIMEOUT_USEC=9000000'))\nsay('READY=1'); print('up', flush=True)\nwhile True: time.sleep(1)"
    with debian_box("ready=notify", "stop.timeout=300ms", *py(script), box=name) as p:
        assert husk.line(p) == "up"
        begun = time.monotonic()
        assert end(p) == 137 and time.monotonic() - begun < 5


@debian
def test_who_does_not_call_in_is_killed(name):
    script = "print(*(os.environ[k] for k in ('WATCHDOG_USEC', 'WATCHDOG_PID')), os.getpid(), flush=True)\nfor i in range(3): time.sleep(0.8); say('WATCHDOG=1')\ntime.sleep(60)"
    begun = time.monotonic()
    with debian_box("watchdog=2s", *py(script), box=name) as p:
        assert husk.line(p) == "2000000 2 2"
        assert husk.status_of(p) == 137
        assert husk.errors(p) == f"husk: {name}: watchdog: it has not called in: killed\n"
    assert time.monotonic() - begun > 4


@debian
def test_it_has_to_call_in_from_when_it_is_ready(name):
    with debian_box("watchdog=200ms", "ready=notify", *py("time.sleep(0.5); say('READY=1'); print('ready', flush=True); time.sleep(60)"), box=name) as p:
        assert husk.line(p) == "ready" and husk.status_of(p) == 137


@debian
def test_it_may_say_itself_that_it_hangs(name):
    with debian_box("watchdog=50s", *py("say('WATCHDOG=trigger'); time.sleep(60)"), box=name) as p:
        assert husk.status_of(p) == 137


@debian
def test_who_is_paused_cannot_call_in(name):
    script = "print('up', flush=True)\nwhile True: time.sleep(0.05); say('WATCHDOG=1')"
    with debian_box("watchdog=1s", *py(script), box=name) as p:
        assert husk.line(p) == "up"
        r = husk.husk("pause", name)
        if r.status:
            end(p)
            pytest.skip(r.err)
        time.sleep(1.6)
        assert p.poll() is None
        assert husk.husk("resume", name).status == 0
        time.sleep(1.2)
        assert p.poll() is None, husk.errors(p)
        end(p)


def test_the_end_says_why(name, tmp_path):
    with husk.box("ready=fd:5", "start.timeout=200ms", *sh("sleep 60"), box=name) as p:
        with open(husk.wait_for(lambda: (husk.RUNDIR / name / "state").exists() and husk.RUNDIR / name / "state")) as f:
            assert husk.status_of(p) == 143
            assert f.read().splitlines()[-1] == "ended=signal 15 TERM start.timeout"


# ------------------------------------------------------------------- real programs

@debian
def test_redis_says_it_to_its_supervisor(name):
    with debian_box("ready=notify", "net=none", "--", "/usr/bin/redis-server", "--port", "0", "--supervised", "systemd", "--save", "", "--dir", "/tmp", "--unixsocket", "/tmp/s", box=name) as p:
        assert ready(name, 8), husk.errors(p)
        assert "Ready to accept" in husk.read(husk.RUNDIR / name / "status")
        end(p)


@debian
def test_nginx_is_ready_when_it_listens(name, tmp_path):
    (tmp_path / "n.conf").write_text("daemon off; pid /tmp/pid; error_log stderr; events {}\nhttp { access_log off; client_body_temp_path /tmp/a; proxy_temp_path /tmp/b;"
                                     "fastcgi_temp_path /tmp/c; uwsgi_temp_path /tmp/d; scgi_temp_path /tmp/e; server { listen 80; } }\n")
    for up in (tmp_path, *tmp_path.parents):
        if up != up.parent and up.stat().st_mode & 5 != 5:
            up.chmod(up.stat().st_mode | 0o555)
    with debian_box("ready=port:80", f"bind={tmp_path}:/mnt", "--", "/usr/sbin/nginx", "-c", "/mnt/n.conf", box=name) as p:
        assert ready(name, 8), husk.errors(p)
        end(p)


# ------------------------------------------------------------------------- the words

@pytest.mark.parametrize("line, what", [
    ("ready=fd:2", r'ready: "fd:2" is not one of \(start, exit, notify, fd:N of 3\.\.255, port:N, /PATH\)'),
    ("ready=fd:256", r'ready: "fd:256" is not'), ("ready=port:0", "ready: "), ("ready=port:65536", "ready: "), ("ready=fd", "ready: "), ("ready=start:1", "ready: "),
    ("ready=/", "ready: "), ("ready=/a/../b", "ready: "), ("ready=yes", "ready: "), ("ready=port:80:1", "ready: "), ("ready=", "ready: "),
    ("start.timeout=5s", "start.timeout: ready=start waits for nothing"),
    ("watchdog=5", "watchdog: "), ("watchdog=2d", "watchdog: "),
    ("ready=notify ns.mnt=host mounts=none etc=none user=nobody", "ready: its socket cannot be reached: this box has the host's mounts"),
    ("watchdog=5s ns.mnt=host mounts=none etc=none user=nobody", "watchdog: its socket cannot be reached"),
    ("ready=notify ns.mnt=box:other mounts=none etc=none", "ready: its socket cannot be reached: this box has another's mounts"),
])
def test_nonsense_is_found_by_the_checker(line, what):
    r = husk.husk("show", *line.split(), "--", "/bin/true")
    assert r.status == 2 and re.search(what, r.err), r


@pytest.mark.parametrize("line", ["ready=exit", "ready=notify", "ready=fd:3", "ready=port:80 net=host", "ready=/run/x", "ready=exit start.timeout=5m", "watchdog=30s", "ready=notify start.timeout=0"])
def test_what_is_shown_is_what_was_said(line):
    r = husk.husk("show", *line.split(), "--", "/bin/true")
    assert r.status == 0, r
    for word in line.split():
        assert word in r.out.splitlines(), r.out
