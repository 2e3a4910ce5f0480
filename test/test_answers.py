"""What the verbs answer where an answer was missing, or two of them differed."""
import os
import re
import subprocess
import time

import pytest

import husk


def start(name, *words, **more):
    return husk.husk("start", f"name={name}", f"root={husk.ROOT}", *words, timeout=40, **more)


def state(name, field, **more):
    return husk.husk("state", name, field, **more).out.strip()


@pytest.fixture
def own():
    """A run directory of its own, and what it says to husk."""
    import tempfile
    with tempfile.TemporaryDirectory(prefix="husk-") as d:
        yield {"HUSK_RUN": d, "PATH": os.environ["PATH"]}
        for n in os.listdir(d):
            if not n.startswith("."):
                husk.husk("stop", n, timeout=30, env={"HUSK_RUN": d})


def test_what_it_needs_comes_and_goes_and_it_is_not_started_each_time(name, tmp_path):
    """Somebody else makes the path and takes it away as fast as he can: there is a delay, which doubles."""
    path = tmp_path / "there"
    path.touch()
    assert start(name, f"needs={path}", "--", "/bin/sleep", "99").status == 0
    starts = set()
    for _ in range(60):
        path.unlink()
        assert husk.wait_for(lambda: state(name, "state") == "waiting", 30)
        path.touch()
        starts.add(state(name, "pid"))
        time.sleep(.02)
        starts.add(state(name, "pid"))
        if not (pid := state(name, "pid")):		# it waits, although what it needs is there
            break
    else:
        pytest.fail(f"started {len(starts)} times")
    assert husk.wait_for(lambda: state(name, "state") == "running", 90)		# and then it goes on
    assert husk.husk("stop", name, timeout=30).status == 0


def test_a_restart_does_not_believe_the_command_line_of_somebody_else(name):
    """The keeper of the state file is not who answers at the door: a number that was given again."""
    assert start(name, "--", "/bin/sleep", "99").status == 0
    file = husk.RUNDIR / name / "state"
    text = file.read_text()
    with subprocess.Popen(["/bin/sleep", "99", "memory.max=1M"]) as p:
        file.write_text(re.sub(r"^keeper=.*", f"keeper={p.pid}", text, flags=re.M))
        r = husk.husk("restart", name, timeout=60)
        p.kill()
    assert r.status == 1 and "how it was started" in r.err, r
    file.write_text(text)
    assert husk.husk("restart", name, timeout=60).status == 0 and husk.husk("stop", name, timeout=30).status == 0


@pytest.mark.parametrize("words, trap", [(["ready=fd:9", "start.timeout=300ms"], ""), (["ready=fd:9", "start.timeout=300ms", "stop.timeout=300ms"], "trap '' TERM;"),
                                         (["watchdog=300ms"], ""), ([], "exit 3;"), ([], "kill -11 $$;"), (["restart=on-failure 1ms 2/1h"], "exit 4;")])
def test_who_waits_later_hears_the_same(name, words, trap):
    r = husk.husk("run", "-d", f"name={name}", f"root={husk.ROOT}", *words, "--", "/bin/sh", "-c", f"sleep 1; {trap} while :; do sleep 1; done", timeout=40)
    assert r.status == 0, r
    with subprocess.Popen([husk.HUSK, "wait", name]) as p:
        watched = husk.status_of(p, 60)
    assert husk.wait_for(lambda: state(name, "state") == "failed", 30)
    assert husk.husk("wait", name).status == watched != 0
    assert husk.husk("stop", name).status == 0


def test_a_file_that_changes_within_the_second_has_changed(name, tmp_path):
    conf = tmp_path / f"{name}.conf"
    conf.write_text(f"root={husk.ROOT}\nexec=/bin/sleep 99\n")
    assert husk.husk("start", conf, timeout=40).status == 0 and state(name, "changed") == ""
    now = os.stat(conf)
    os.utime(conf, ns=(now.st_atime_ns, now.st_mtime_ns + 1))
    assert state(name, "changed") == "yes"
    assert husk.husk("restart", conf, timeout=40).status == 0 and state(name, "changed") == ""
    assert husk.husk("stop", name, timeout=30).status == 0


def test_a_box_of_a_file_elsewhere_that_is_not_started(name, tmp_path):
    conf = tmp_path / f"{name}.conf"
    conf.write_text("exec=/bin/true\n")
    r = husk.husk("state", conf)
    assert r.status == 3 and "state=stopped" in r.out, r
    r = husk.husk("logs", conf)
    assert r.status == 3 and r.err == f"husk: {name}: no log here\n", r
    r = husk.husk("state", tmp_path / "none.conf")
    assert r.status == 4 and r.err.startswith(f"husk: none: no such box, and no file {tmp_path}/none.conf"), r


def test_a_mistyped_name_is_offered_another(name):
    name += "x" * (63 - len(name))		# as long as a name may be, but for the letter too many
    assert start(name, "--", "/bin/sleep", "99").status == 0
    said = {"stop": 0, "delete": 0, "state": 4, "attach": 125, "exec": 125} | dict.fromkeys("wait kill pause resume ps stats reload upgrade".split(), 3)
    for verb, status in said.items():
        r = husk.husk(verb, name + "x")
        assert r.status == status and f"no such box, and no file /etc/husk/{name}x.conf; {name}?" in r.err, r
    assert husk.husk("stop", name, timeout=30).err == "" and husk.husk("stop", name[::-1]).status == 0


def test_who_has_a_file_or_has_been_there_does_not_run(name, tmp_path):
    """Of the same verbs no other answer: it is known, and state says how it has ended."""
    conf = tmp_path / f"{name}.conf"
    conf.write_text("exec=/bin/true\n")
    assert husk.husk("ps", conf).err == husk.husk("wait", conf).err == f"husk: {name}: not running\n"
    assert start(name, "--", "/bin/true").status == 0 and husk.wait_for(lambda: state(name, "state") == "done")
    for verb in "kill pause ps stats reload".split():
        r = husk.husk(verb, name)
        assert (r.status, r.err) == (3, f"husk: {name}: not running\n"), r
    assert husk.husk("delete", name).status == 0


def test_who_waits_for_nobody_says_so(name, tmp_path):
    """A path may come; a box that is not there, and has no file, is mostly a slip."""
    for words, why in ((["needs=/nowhere"], "needs /nowhere"), ([f"needs={name}x"], f"needs {name}x - no such box, and no file /etc/husk/{name}x.conf")):
        assert start(name, *words, "--", "/bin/true").status == 0
        assert state(name, "why") == why and husk.husk("stop", name).status == 0
    for f, more in (("web", ""), ("n", "name=called\n"), ("m", "name=web2\n"), ("k", "include=n.conf\n")):
        (tmp_path / f"{f}.conf").write_text(f"exec=/bin/true\n{more}")
    (tmp_path / "u.conf").write_text("exec=/bin/true\nneeds=web,called,m\nneeds=calle,k,called.d\nafter=nobody\n")
    r = husk.husk("check", tmp_path / "u.conf")
    assert r.status == 0 and r.err == "".join(f"{tmp_path}/u.conf:{l}: needs: {v}: no file beside this one is of that box (warning)\n" for l, v in ((2, "m"), (3, "calle"), (3, "called.d"))), r
    (tmp_path / "t.conf").write_text("exec=/bin/true\nneeds=web.conf,web,/a.conf\nafter=b.conf\n")
    r = husk.husk("check", tmp_path / "t.conf")
    assert r.status == 0 and r.err == "".join(f"{tmp_path}/t.conf:{l}: {k}: {v}: the name of a box, without .conf (warning)\n" for l, k, v in ((2, "needs", "web.conf"), (3, "after", "b.conf"))), r


def test_what_is_not_set_is_said_for_people():
    for key, what in (("log", "ring:16K, in the foreground inherit"), ("start.timeout", "30s"), ("hostname", "the box's name")):
        r = husk.husk("help", key)
        assert r.status == 0 and r.out.endswith(f"default:\n{what}\n"), r
    assert husk.husk("help", "watchdog").out.endswith("# watchdog is not set\n")


@pytest.mark.parametrize("words", [["--", "/absent"], ["hook.prestart=/bin/false", "--", "/bin/true"], ["bind=/absent:/mnt", "--", "/bin/true"]])
def test_a_start_that_fails_leaves_nothing(name, words):
    r = start(name, *words)
    assert r.status == (127 if "/absent" in words else 125), r
    husk.nothing_left(name)


def test_all_that_are_to_become_ready(own):
    assert husk.husk("wait", "--ready", env=own).status == 0		# nobody
    for n, words in (("a", []), ("b", ["ready=/run/ready"])):
        r = start(n, *words, "--", "/bin/sh", "-c", "sleep 1; echo >/run/ready; sleep 99", env=own)
        assert r.status == 0, r
    r = husk.husk("wait", "--ready", env=own, timeout=60)
    assert r.status == 0 and state("b", "state", env=own) == "ready", r
    assert start("c", "--", "/bin/sh", "-c", "exit 3", env=own).status == 0
    assert husk.wait_for(lambda: state("c", "state", env=own) == "failed", 30)
    r = husk.husk("wait", "--ready", env=own, timeout=60)
    assert r.status == 1 and r.err == "husk: c: not ready\n", r


def test_a_long_name_has_its_column(own):
    long = "a-name-of-twenty-four-x"
    for n in ("b", long):
        assert start(n, "--", "/bin/sleep", "99", env=own).status == 0
    import pty
    pid, fd = pty.fork()
    if not pid:
        os.execve(husk.HUSK, [husk.HUSK, "list"], own)
    text = b""
    with pytest.raises(OSError):
        while part := os.read(fd, 4096):
            text += part
    os.waitpid(pid, 0)
    lines = [l for l in re.sub(r"\x1b\[[0-9;]*m", "", text.decode()).splitlines() if re.match(rf"NAME|b |{long} ", l)]
    assert len(lines) == 3 and {l[len(long) + 1:].split()[0] for l in lines} == {"STATE", "running"}, lines


def test_how_often_and_what_it_says(name):
    assert start(name, "restart=always 1h 3/1h", "--", "/bin/false").status == 0
    assert husk.wait_for(lambda: state(name, "state") == "backoff", 30)
    assert state(name, "restarts.window") == "1 of 3 in 1h"
    assert husk.husk("stop", name, timeout=30).status == 0
