"""hook.STAGE=: programs of others at five moments of a box's life, by the rules of OCI."""
import contextlib
import json
import os
import re
import signal
import tempfile
import time

import pytest

import husk
from test_inside import boot, where  # noqa: F401 (a fixture)

STAGES = ["prestart", "createcontainer", "startcontainer", "poststart", "poststop"]
OUTSIDE = [s for s in STAGES if s != "startcontainer"]		# programs of the host


@pytest.fixture
def hook(tmp_path):
    """A script of the host whose lines go into a file; it does what MORE says."""
    def make(more="", name="hook"):
        path = tmp_path / name
        path.write_text("#!/bin/sh\n{ echo \"stage $HUSK_HOOK\"; echo \"state $(cat)\"; env | sed 's/^/env /'; "
                        f"echo \"cwd $(pwd)\"; umask | sed 's/^/umask /'; for f in \"$@\"; do echo \"arg $f\"; done; }} >>{tmp_path}/log 2>&1\n{more}\n")
        path.chmod(0o755)
        return path
    return make


def log(tmp_path, key=None):
    lines = [l.partition(" ") for l in husk.read(tmp_path / "log").splitlines()]
    return [v for k, _, v in lines if k == key] if key else lines


def test_each_has_its_moment_its_state_and_nothing_else(hook, tmp_path):
    box, h = husk.name("thk"), hook()
    words = [f"hook.{s}={h} {s}" for s in OUTSIDE]
    words.append("hook.startcontainer=/bin/sh -c \"cat; env; pwd; ls -l /proc/self/fd; exec grep . /proc/self/status\" x \"a b\"")
    r = husk.run(*words, "--", "/bin/echo", "program", box=box)
    assert r.status == 0 and r.out.splitlines()[-1] == "program", r
    assert log(tmp_path, "stage") == OUTSIDE
    states = {s: json.loads(t) for s, t in zip(log(tmp_path, "stage"), log(tmp_path, "state"))}
    inside = json.loads(r.err.splitlines()[0])
    pid = states["prestart"]["pid"]
    for s in STAGES:
        state = states.get(s, inside)
        assert (state["ociVersion"], state["id"], state["bundle"]) == ("1.0.2", box, str(husk.RUNDIR / box)), s
    assert [states.get(s, inside)["status"] for s in STAGES] == ["creating", "creating", "created", "running", "stopped"]
    assert pid > 1 and states["poststart"]["pid"] == pid and states["createcontainer"]["pid"] == 1 and states["poststop"]["pid"] == 0
    assert set(log(tmp_path, "env")) - {"PWD=/", "_=/usr/bin/env"} == {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", f"HUSK_NAME={box}"} | {f"HUSK_HOOK={s}" for s in OUTSIDE}
    assert log(tmp_path, "cwd") == ["/"] * 4 and set(log(tmp_path, "umask")) == {"0022"} and sorted(log(tmp_path, "arg")) == sorted(OUTSIDE)
    status = husk.fields(r.err)
    assert status["SigBlk"] == status["SigIgn"] == "0" * 16 and status["Seccomp"] == "2" and status["NoNewPrivs"] == "1", r.err
    assert status["CapEff"] == status["CapBnd"] == "0" * 16 and status["Uid"].split()[0] != "0"
    assert len(re.findall(r" \d+ -> ", r.err)) <= 4 and "/proc" in r.err
    assert "HUSK_HOOK=startcontainer" in r.err and "TERM=" not in r.err
    husk.nothing_left(box)


def test_no_descriptor_and_no_signal_of_ours(tmp_path):
    """What the keeper, PID 1 and the program's process hold is not the hook's: 0, 1, 2 and what it opens itself."""
    box, words = husk.name("thk"), []
    for s in OUTSIDE:
        words.append(f"hook.{s}=/bin/busybox sh -c \"exec >{tmp_path}/{s}; ls -l /proc/self/fd; exec grep -E 'Sig(Blk|Ign|Cgt)|^PPid' /proc/self/status\"")
    r = husk.run(*words, "--", "/bin/sleep", "0.2", box=box)
    assert r.status == 0, r
    for s in ("prestart", "poststart", "poststop"):
        said = husk.read(tmp_path / s)
        fds = dict(re.findall(r" (\d+) -> (\S+)", said))
        assert set(fds) <= {"0", "1", "2", "3"} and fds["0"].startswith("pipe:") and fds["1"] == str(tmp_path / s), said
        assert "/proc/" in fds.get("3", "/proc/"), said
        assert re.search(r"SigBlk:\s0{16}\nSigIgn:\s0{16}\nSigCgt:\s0{16}", said), said
    assert husk.read(tmp_path / "createcontainer").count("0" * 16) == 3


def test_prestart_sees_the_mounts_and_comes_before_createcontainer(tmp_path, hook):
    """Outside, and the box is made but for the pivot; createcontainer is in its namespaces with the host's files."""
    box = husk.name("thk")
    path, into = tmp_path / "pre", tmp_path / "create"
    path.write_text(f"#!/bin/sh\nread s; p=`echo $s | sed 's/.*pid.:\\([0-9]*\\).*/\\1/'`\ncat /proc/$p/mountinfo >{tmp_path}/out\n"
                    f"readlink /proc/$p/ns/net >{tmp_path}/net\nreadlink /proc/self/ns/net /proc/self/ns/mnt >{tmp_path}/own\n")
    into.write_text(f"#!/bin/sh\n[ -e {tmp_path}/own ] || exit 1\nreadlink /proc/self/ns/net /proc/self/ns/mnt >{tmp_path}/inner\nhostname >{tmp_path}/host\n")
    for f in (path, into):
        f.chmod(0o755)
    r = husk.run(f"hook.prestart={path}", f"hook.createcontainer={into}", "tmpfs=/data:1M", "--", "/bin/true", box=box)
    assert r.status == 0, r
    assert re.search(r" /data .*- tmpfs", husk.read(tmp_path / "out")), "no mounts of the box yet"
    own, inner = husk.read(tmp_path / "own").split(), husk.read(tmp_path / "inner").split()
    assert own == [os.readlink("/proc/self/ns/net"), os.readlink("/proc/self/ns/mnt")]
    assert husk.read(tmp_path / "net").strip() == inner[0] != own[0] and inner[1] != own[1]
    assert husk.read(tmp_path / "host").strip() == box


def test_what_a_hook_mounts_is_not_planned(tmp_path):
    box = husk.name("thk")
    path = tmp_path / "mounts"
    path.write_text("#!/bin/sh\np=`sed 's/.*pid.:\\([0-9]*\\).*/\\1/'`\nroot=`sed -n 's/.* \\(\\S*\\/data\\) .*tmpfs.*/\\1/p' /proc/$p/mountinfo`\n"
                    "exec nsenter -t $p -m /bin/busybox mount -t tmpfs none \"$root\"\n")
    path.chmod(0o755)
    r = husk.run(f"hook.prestart={path}", "tmpfs=/data:1M", "--", "/bin/true", box=box)
    assert r.status == 125 and "rootfs.verify" in r.err, r
    husk.nothing_left(box)


@pytest.mark.parametrize("stage", STAGES[:3])
@pytest.mark.parametrize("how", ["/bin/false", "/bin/sh -c \"kill -9 $$\"", "/absent x", "/etc/passwd"])
def test_a_failing_one_is_the_end_of_the_start(stage, how, tmp_path, hook):
    box = husk.name("thk")
    said = {"/bin/false": "ended with 1", "/bin/sh": "ended by signal 9", "/absent": "No such file or directory", "/etc/passwd": "Permission denied"}[how.split()[0]]
    r = husk.run(f"hook.{stage}={how}", f"hook.poststop={hook()}", "--", "/bin/echo", "ran", box=box)
    assert r.status == 125 and r.out == "" and r.err == f"husk: {box}: init.{stage}: {how.split()[0]}: {said}\n", r
    assert log(tmp_path, "stage") == ["poststop"]		# the box is deleted, as OCI has it
    husk.nothing_left(box)


def test_how_pid_1_has_ended_as_anybody():
    """Killed from outside while it waits for a hook: who may not trace it is told as well."""
    box = husk.name("thk")
    with tempfile.TemporaryDirectory(prefix="husk-") as d:
        os.chmod(d, 0o777)
        for name, do in (("kill", f"read -r l; p=${{l#*'\"pid\":'}}; (until [ -e {d}/now ]; do sleep 0.01; done; kill -9 ${{p%%,*}}) >/dev/null 2>&1 &"), ("wait", f": >{d}/now; exec sleep 9")):
            with open(f"{d}/{name}", "w") as f:
                f.write(f"#!/bin/sh\n{do}\n")
            os.chmod(f"{d}/{name}", 0o755)
        r = husk.husk("run", f"name={box}", "ns.user=new", f"hook.prestart={d}/kill", f"hook.createcontainer={d}/wait", "--", "/bin/true",
                      user=65534, group=65534, extra_groups=[], env={"HUSK_RUN": d + "/run", "PATH": os.environ["PATH"]})
    assert r.status == 125 and r.err.endswith(f"husk: {box}: init.ready: PID 1 of the box ended by signal 9\n"), r


def test_a_start_that_fails_earlier_has_no_poststop(tmp_path, hook):
    box = husk.name("thk")
    r = husk.run("bind=/absent", f"hook.poststop={hook()}", "--", "/bin/true", box=box)
    assert r.status == 125 and not log(tmp_path), r
    r = husk.run("tmpfs=/proc/x", f"hook.poststop={hook()}", "--", "/absent", box=box)
    assert r.status in (2, 125, 127)
    r = husk.run(f"hook.poststop={hook()}", "--", "/absent", box=box)
    assert r.status == 127 and log(tmp_path, "stage") == ["poststop"], r


def test_who_cannot_be_run_is_heard_in_the_log(tmp_path):
    """In the background of both starts, and of both ends: poststop of these is run by a child of the keeper. So it is where the log is a file."""
    box, no = husk.name("thk"), tmp_path / "no"
    no.write_text("#!/absent\n")
    no.chmod(0o755)
    hooks = "hook.poststart=/etc/passwd", f"hook.poststop={no}"
    said = "init.poststart: /etc/passwd: Permission denied", f"init.poststop: {no}: No such file or directory"
    lines = lambda text: sorted(re.findall(r"^\S+! (init\.post.*|.*lost)$", text, re.M))
    for log, read in ("ring", lambda: husk.husk("logs", box).out), (f"{tmp_path}/log:64K", lambda: husk.read(tmp_path / "log")):
        r = husk.husk("run", "-d", f"name={box}", f"root={husk.ROOT}", f"log={log}", "restart=always 10ms..10ms 2/1m", *hooks, "--", "/bin/sleep", "0.1")
        assert r.status == 0 and r.err == f"husk: {box}: {said[0]}\n", r		# it runs, and who waits hears it
        assert husk.wait_for(lambda: len(lines(read())) >= 4), read()
        assert lines(read()) == sorted(said * 2)
        assert husk.wait_for(lambda: husk.husk("state", box, "state").out == "failed\n") and husk.husk("delete", box).status == 0
    (tmp_path / "log").unlink()
    r = husk.run(f"log={tmp_path}/log:64K", *hooks, "--", "/bin/sleep", "0.1", box=box)
    assert r.status == 0 and lines(husk.read(tmp_path / "log")) == sorted(said) == sorted(r.err.replace(f"husk: {box}: ", "").splitlines()), r
    husk.nothing_left(box)


def test_on_a_board_it_is_on_the_console_and_in_the_log(where):
    """Of the first start, of one that fails, and of the end; and who has ended is not held by another who starts meanwhile."""
    look = f"i=0; until [ $({husk.HUSK} logs | grep -o '[bf]: init.post[a-z]*' | sort -u | wc -l) -ge 3 ] || [ $((i += 1)) -gt 200 ]; do sleep 0.05; done; {husk.HUSK} logs"
    (where / "z.sh").write_text(f"{look}; {husk.HUSK} state slow state; {husk.HUSK} delete b; echo @deleted $?; kill -USR1 1; sleep 100\n")
    for name, text in {"b": "exec=/bin/sleep 0.3\nhook.poststart=/absent b\nhook.poststop=/absent b\n", "f": "exec=/bin/sleep 9\nhook.prestart=/bin/false\nhook.poststop=/absent f\n",
                       "slow": "exec=/bin/sleep 100\nafter=b\nhook.prestart=/bin/sleep 9\n"}.items():
        (where / f"{name}.conf").write_text("use=host\n" + text)
    _, text = boot(where, {"z": f"exec=/bin/sh {where}/z.sh\n"})
    no = "/absent: No such file or directory"
    wanted = sorted([("b", f"init.poststart: {no}"), ("b", f"init.poststop: {no}"), ("f", f"init.poststop: {no}")])
    assert sorted(set(re.findall(r"^husk: (\w+): (init\.post.*)$", text, re.M))) == wanted, text
    assert sorted(set(re.findall(r"^\S+Z! (\w+): (init\.post.*)$", text, re.M))) == wanted, text
    assert "lost" not in text and "\nstarting\n@deleted 0\n" in text, text


@pytest.mark.parametrize("stage", STAGES[3:])
def test_afterwards_it_is_one_line(stage, tmp_path):
    box = husk.name("thk")
    r = husk.run(f"hook.{stage}=/bin/false", f"hook.{stage}=/bin/busybox touch {tmp_path}/second", "--", "/bin/sh", "-c", "sleep 0.3; exit 5", box=box)
    assert r.status == 5 and r.err == f"husk: {box}: init.{stage}: /bin/false: ended with 1\n", r
    assert (tmp_path / "second").exists(), "the next one is not run"
    husk.nothing_left(box)


def test_the_order_is_that_of_the_file(tmp_path):
    box = husk.name("thk")
    for i in range(4):
        (tmp_path / f"h{i}").write_text(f"#!/bin/sh\necho {i} >>{tmp_path}/log\n")
        (tmp_path / f"h{i}").chmod(0o755)
    r = husk.run(*[f"hook.prestart={tmp_path}/h{i}" for i in (2, 0, 3)], "hook.prestart=/bin/false", f"hook.prestart={tmp_path}/h1", "--", "/bin/true", box=box)
    assert r.status == 125 and husk.read(tmp_path / "log").split() == ["2", "0", "3"], r


def test_ten_seconds_and_then_its_whole_group(tmp_path):
    """Of a hook before the program and of one behind it, in two boxes at once."""
    word, path = husk.name("slow"), tmp_path / "slow"
    path.write_text(f"#!/bin/sh\nbusybox sh -c 'sleep 60; : {word}' {word} & busybox sh -c 'sleep 60; : {word}' {word}\n")
    path.chmod(0o755)
    boxes = {stage: husk.name("thk") for stage in ("prestart", "poststop")}
    start = time.monotonic()
    with contextlib.ExitStack() as stack:
        ps = {stage: stack.enter_context(husk.box(f"hook.{stage}={path}", "--", "/bin/true", box=box)) for stage, box in boxes.items()}
        for stage, p in ps.items():
            status, box = husk.status_of(p, 30), boxes[stage]
            took = time.monotonic() - start
            assert 9.5 < took < 20, (stage, took)
            assert status == (125 if stage == "prestart" else 0), stage
            assert husk.errors(p) == f"husk: {box}: init.{stage}: {path}: no end after 10 s: killed\n", stage
    assert husk.wait_for(lambda: not husk.tagged(word))
    for box in boxes.values():
        husk.nothing_left(box)


def test_in_the_background_start_waits_for_poststart(tmp_path, hook):
    box = husk.name("thk")
    h = hook("sleep 0.5")
    r = husk.husk("run", "-d", f"name={box}", f"root={husk.ROOT}", f"hook.poststart={h}", "-p", tmp_path / "pid", "--", "/bin/sleep", "60")
    try:
        assert r.status == 0 and log(tmp_path, "stage") == ["poststart"], r
    finally:
        husk.send(int(husk.read(tmp_path / "pid") or 0) or 2 ** 22, signal.SIGTERM)
    husk.nothing_left(box, 5)


def test_a_slow_hook_does_not_hold_the_program_or_its_keeper(tmp_path, hook):
    """In the foreground the keeper is needed: for the signal that ends the box, for its terminal. poststop comes behind poststart."""
    box = husk.name("thk")
    with husk.box(f"hook.poststart={hook('sleep 1; echo late >>' + str(tmp_path / 'log'), 'slow')}", f"hook.poststop={hook()}", "stop.timeout=1s",
                  "--", "/bin/sh", "-c", "trap 'echo end; exit 3' TERM; echo up; while :; do sleep 0.01; done", box=box) as p:
        assert husk.line(p) == "up"
        p.terminate()
        assert husk.line(p) == "end" and "late" not in husk.read(tmp_path / "log")
        assert husk.status_of(p) == 3
    assert [l for l in husk.read(tmp_path / "log").splitlines() if l.split()[0] in ("stage", "late")] == ["stage poststart", "late", "stage poststop"]
    husk.nothing_left(box)


def test_a_killed_keeper_takes_its_hook_with_it_and_poststop_comes_later(tmp_path, hook):
    box, word = husk.name("thk"), husk.name("slow")
    slow = tmp_path / "slow"
    slow.write_text(f"#!/bin/sh\nexec busybox sh -c 'while :; do sleep 1; done' {word}\n")
    slow.chmod(0o755)
    with husk.box(f"hook.prestart={slow}", f"hook.poststop={hook()}", "--", "/bin/true", box=box) as p:
        assert husk.wait_for(lambda: husk.tagged(word))
        p.kill()
        p.wait()
        assert husk.wait_for(lambda: not husk.tagged(word))
        assert not log(tmp_path)
    r = husk.run("--", "/bin/true", box=box)		# this one has no hooks
    assert r.status == 0 and log(tmp_path, "stage") == ["poststop"], r
    husk.nothing_left(box)


def test_who_runs_poststart_holds_no_name(tmp_path):
    """One that outlives its keeper for a moment is not what keeps the next start out."""
    (tmp_path / "see").write_text(f"#!/bin/sh\ncat /proc/$PPID/fdinfo/* >{tmp_path}/fds 2>&1\n")
    (tmp_path / "see").chmod(0o755)
    r = husk.run(f"hook.poststart={tmp_path}/see", "--", "/bin/true", box=husk.name("thk"))
    fds = husk.read(tmp_path / "fds")
    assert r.status == 0 and "flags:" in fds and "lock:" not in fds, (r, fds)


def test_a_keeper_killed_under_a_running_box(tmp_path, hook):
    box = husk.name("thk")
    with husk.box(f"hook.poststop={hook()} \"a  b\" c", "--", "/bin/sh", "-c", "echo up; sleep 60", box=box) as p:
        assert husk.line(p) == "up"
        p.kill()
    r = husk.run("--", "/bin/true", box=box)
    assert r.status == 0 and log(tmp_path, "stage") == ["poststop"] and log(tmp_path, "arg") == ["a  b", "c"], r
    husk.nothing_left(box)


def test_startcontainer_has_no_more_rights_than_the_program():
    """A program of the image: its system calls are answered as the program's are."""
    deny = "/bin/inside mount none /tmp tmpfs 0"
    program = husk.run("--", *deny.split())
    r = husk.run(f"hook.startcontainer={deny}", "--", "/bin/true")
    assert program.status and r.status == 125 and "init.startcontainer: /bin/inside: ended with" in r.err, r
    r = husk.run("syscalls=@service -fchmodat -chmod", "hook.startcontainer=/bin/chmod 600 /tmp", "--", "/bin/true")
    assert r.status == 125 and "ended with 1" in r.err, r


@pytest.mark.parametrize("more", [["syscalls.log=yes", "syscalls=-sched_getaffinity"], ["pid1=program"], ["ns.user=new"], ["ns.pid=host"], ["tty=yes"], ["no_new_privs=no", "syscalls=@all"], ["use=host"]],
                         ids=lambda m: m[0])
def test_in_other_boxes(more, tmp_path, hook):
    if more == ["use=host"]:
        more, root = ["use=host", "hook.startcontainer=/bin/true"], None
    else:
        more, root = [*more, "hook.startcontainer=/bin/sh -c \"cat >/tmp/state\""], husk.ROOT
    box = husk.name("thk")
    create = "/bin/busybox true" if "ns.user=new" in more else hook()		# as root of the box, who may not enter here
    r = husk.run(*[f"hook.{s}={create if s == 'createcontainer' else hook()}" for s in OUTSIDE], *more, "--", "/bin/sh", "-c", "cat /tmp/state 2>/dev/null; sleep 0.2", box=box, root=root)
    assert r.status == 0 and ("use=host" in more or '"status":"created"' in r.out), r
    assert len(log(tmp_path, "stage")) >= 3 and set(OUTSIDE) - set(log(tmp_path, "stage")) <= {"createcontainer"}


@pytest.mark.parametrize("words,said", [
    (["hook.prestrt=/bin/true"], "hook.prestrt: no such stage: prestart|"),
    (["hook.createruntime=/bin/true"], "hook.createruntime: no such stage"),
    (["hook.poststop=true"], 'hook.poststop: "true" is not PATH ARG ...'),
    (["?hook.poststop=/bin/true"], "hook.poststop: no ? before this key"),
    (["hook.poststop=/bin/sh -c \"x"], 'hook.poststop: a " is not closed'),
    (["hook.poststop=/bin/x" + " a" * 16], "is not PATH ARG"),
    (["hook.poststop=/" + "x" * 255], "is not PATH ARG"),
    (["hook.poststop=/bin/x"] * 9, "more than 8 of them"),
    (["hook.startcontainer=/bin/x", "exec.once=yes"], "hook.startcontainer: not with exec.once=: it would be one more"),
], ids=lambda w: w[0][:40] if isinstance(w, list) else "")
def test_what_is_written_wrongly(words, said):
    r = husk.run(*words, "--", "/bin/true")
    assert r.status == 2 and said in r.err, r


def test_a_stage_is_emptied_alone(tmp_path):
    conf = tmp_path / "web.conf"
    conf.write_text("exec=/bin/true\nhook.prestart=/bin/a 1\nhook.poststop=/bin/b \"x y\"\nhook.prestart=/bin/c\nhook.poststart=/bin/d\n")
    shown = husk.husk("show", conf, "hook.prestart=", "hook.prestart=/bin/e").out
    assert [l for l in shown.splitlines() if l.startswith("hook.")] == ['hook.poststop=/bin/b "x y"', "hook.poststart=/bin/d", "hook.prestart=/bin/e"]
    again = tmp_path / "again.conf"
    again.write_text(shown)
    assert [l for l in husk.husk("show", again).out.splitlines() if l.startswith("hook.")] == ['hook.poststop=/bin/b "x y"', "hook.poststart=/bin/d", "hook.prestart=/bin/e"]
    plan = husk.husk("plan", conf).out
    assert "HOST init.prestart\n\thook.prestart=/bin/a 1\n" in plan, plan


def test_each_restart_has_its_hooks_one_after_the_other(tmp_path):
    """poststop of one life is over before prestart of the next."""
    box = husk.name("thk")
    for s, do in (("prestart", "echo prestart"), ("poststart", "echo poststart"), ("poststop", "echo begin; sleep 0.2; echo poststop")):
        (tmp_path / s).write_text(f"#!/bin/sh\n{{ {do}; }} >>{tmp_path}/log\n")
        (tmp_path / s).chmod(0o755)
    with husk.box("restart=always 10ms..10ms", *[f"hook.{s}={tmp_path}/{s}" for s in ("prestart", "poststart", "poststop")], "--", "/bin/sleep", "0.3", box=box) as p:
        assert husk.wait_for(lambda: husk.read(tmp_path / "log").count("poststop") >= 3, 20)
        p.terminate()
        husk.status_of(p)
    said = "".join(l + " " for l in husk.read(tmp_path / "log").split() if l != "poststart")
    # the last start may be cut off before its hook has said anything: poststop is due all the same
    assert re.fullmatch(r"(prestart begin poststop ){3,}(begin poststop )?", said), said
    husk.nothing_left(box, 1)


def test_a_keeper_that_restarts_is_there_while_poststop_works(tmp_path):
    box = husk.name("thk")
    os.mkfifo(tmp_path / "gate")
    (tmp_path / "stop").write_text(f"#!/bin/sh\necho begin >>{tmp_path}/log\nread x <{tmp_path}/gate\necho end >>{tmp_path}/log\n")
    (tmp_path / "stop").chmod(0o755)
    r = husk.husk("run", "-d", f"name={box}", f"root={husk.ROOT}", "restart=always 1s..1s", f"hook.poststop={tmp_path}/stop", "--", "/bin/sleep", "0.3")
    assert r.status == 0, r
    assert husk.wait_for(lambda: "begin" in husk.read(tmp_path / "log"))
    r = husk.husk("stop", box)
    assert r.status == 0 and "end" not in husk.read(tmp_path / "log"), r
    with open(tmp_path / "gate", "w") as f:
        f.write("go\n")
    assert husk.wait_for(lambda: husk.read(tmp_path / "log").split() == ["begin", "end"])
    husk.nothing_left(box, 1)
