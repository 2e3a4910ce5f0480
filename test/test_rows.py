"""Reliability, row by row: what other inits and runtimes got wrong, what PID 1 has to do, and what was promised of one
box and of many. Each row has its tests, wherever they are; those that fit nowhere else are below. A number in a row is what
make test does in its time; a variable behind it asks for what was promised.

What peers got wrong:
 a short-lived payload of run, exec       test_rows.test_short_lived_programs test_events.test_lives_of_a_moment
 SIGCHLD and the end of the program in one test_pid1.test_row_4_exit_while_zombies_queue
 nobody reads the terminal, or the pipe   test_rows.test_nobody_reads_the_terminal test_run.test_output_survives_a_full_pipe test_log.test_nobody_reads
 a cgroup that cannot be removed          test_escape.test_h6_cgroup_of_our_name_with_a_process_in_it
 left frozen                              test_control.test_pause_that_is_told_to_end_thaws test_control.test_who_kills_an_update_leaves_nobody_frozen
 a failed exec                            test_exec.test_every_call_fails_once
 something is left when a start fails     test_fault.test_fault test_fault.test_few_descriptors
 EINTR, EAGAIN, EBUSY                     test_fault.test_fault
 a call that is not there, or forbidden   test_fault.test_older_kernel test_fault.test_older_kernel_stops_a_box
 create, list and delete at a time        test_rows.test_listed_and_deleted_while_it_comes_and_goes test_ctl.test_two_starts_at_once_are_one_box
 mountinfo of old kernels                 test_rootfs.test_the_same_table_on_every_kernel test_matrix.test_kernel
 a pid file and a changed directory       test_rows.test_a_relative_pid_file
 HOME twice                               test_rows.test_one_home
 chdir before and after setuid            test_rows.test_a_directory_that_only_the_user_may_enter
 the owner of /dev/null                   test_rows.test_the_owner_of_dev_null
 the mode of a tmpfs                      test_run.test_tmpfs_and_its_size
 flags of a bind in a user namespace      test_rootfs.test_the_host_s_restrictions_stay test_rootfs.test_user_namespace
 read-only below, too                     test_run.test_recursive_bind_is_read_only_below_too
 started with SIGCHLD ignored             test_rows.test_started_with_signals_ignored_and_blocked
 descriptor 0                             test_run.test_closed_stdio_is_dev_null
 the status of somebody else              test_rows.test_the_status_is_the_program_s
 delete of a paused box                   test_control.test_a_paused_box_that_is_stopped_is_killed_at_once test_control.test_a_paused_box_whose_keeper_is_killed
 two starts, one controller               test_run.test_many_starts_in_parallel
 a cwd that pins a mount                  test_pid1.test_row_15_cwd

What PID 1 does:
 1 exit codes, signals                    test_run.test_every_exit_status test_run.test_death_by_every_signal test_run.test_death_with_a_core_dump test_pid1.test_row_1_stop_and_continue_are_no_exit
 2 no status is another one               test_run.test_every_exit_status test_run.test_exit_137_is_not_a_kill
 3 reap                                   test_pid1.test_row_3_reap_100_sleepers test_pid1.test_row_3_reap_100000_orphans_at_full_rate
 4 an end among 2000; ZOMBIES=10000       test_pid1.test_row_4_exit_while_zombies_queue test_rows.test_in_the_time_of_a_guest
 5 forwarding                             test_pid1.test_row_5_forwarding test_pid1.test_row_5_keeper_forwards_what_is_not_its_own
 6 one program, or all                    test_pid1.test_row_6_only_the_program_gets_the_signal test_forks.test_what_stops_it_goes_to_all_that_are_left
 7 the program ends, others live          test_pid1.test_row_7_the_others_end_with_the_program test_run.test_program_that_forks_and_leaves
 8 job control                            test_pid1.test_row_8_stop_signals_stop_the_program_and_not_pid_1 test_run.test_job_control test_exec.test_ctrl_z_stops_the_program_and_the_client
 9 terminal                               test_run.test_tty test_run.test_ctrl_c test_run.test_window_size_follows test_run.test_end_of_file_on_a_tty
 10 a bad signal                          test_ctl.test_kill_refuses test_run.test_stop_signal
 11 inherited signals                     test_run.test_nothing_is_inherited test_rows.test_started_with_signals_ignored_and_blocked
 12 SIGPIPE                               test_pid1.test_row_12_sigpipe test_events.test_nobody_reads_any_more
 13 the parent dies                       test_run.test_killed_keeper test_caps.test_e9_nothing_outlives_the_keeper
 14 not PID 1                             test_cg.test_shared_pid_namespace_ends_with_its_keeper
 15 its directory, its descriptors        test_pid1.test_row_15_cwd test_run.test_pid_1_inherits_nothing_either
 16 what cannot be executed               test_run.test_what_cannot_be_executed test_pid1.test_row_16_too_many_arguments
 17 signals to PID 1                      test_pid1.test_row_17_signals_from_inside test_pid1.test_row_17_a_fault_that_is_only_sent test_pid1.test_row_17_own_fault_of_pid_1 test_boot.test_down
 18 no process to be had                  test_life.test_no_process_to_be_had test_exec.test_too_small_pids_max test_escape.test_h3_fork_bomb
 19 out of memory                         test_life.test_out_of_memory_is_the_reason test_events.test_pid_1_of_the_box_is_not_chosen
 20 a storm of signals                    test_pid1.test_row_20_signal_storm test_pid1.test_row_20_and_then_it_is_quiet test_boot.test_storm test_failing.test_storm
 21 the clock                             test_rows.test_in_the_time_of_a_guest test_boot.test_supervised
 22 standard input                        test_pid1.test_row_22_stdin test_run.test_stdin_reaches_the_program test_run.test_closed_stdio_is_dev_null
 23 a stop                                test_pid1.test_row_23_stop_is_bounded test_pid1.test_row_23_stop_during_the_start test_pid1.test_row_23_kill_during_stop test_ctl.test_stop_during_start test_run.test_stop_twice test_rows.test_in_the_time_of_a_guest
 24 again and again, 200 times            test_life.test_200_restarts_are_flat test_life.test_delays_and_the_end_of_trying
 25 60 starts in a guest; STARTS=5000     test_rows.test_in_the_time_of_a_guest test_ctl.test_many_starts_and_stops_leave_nothing test_pid1.test_row_24_200_starts_leave_nothing
 26 the power goes: 10 times; CUTS=1000   test_cuts.test_power_cut
 27 another husk                          test_upgrade.test_a_box_lives_through_twenty test_upgrade.test_killed_at_each_call_of_it test_upgrade.test_pid_1_of_a_board

What was promised:
 kill -9 of the keeper at every call      test_fault.test_fault test_ctl.test_a_keeper_killed_at_any_call_of_its_stop test_life.test_keeper_killed_at_each_call_of_a_restart
 and at any moment: 200 ms                test_ctl.test_a_keeper_killed_at_any_moment_takes_its_box_along test_rows.test_in_the_time_of_a_guest
 50 times in a guest; 2000: KILLS=2000    test_rows.test_in_the_time_of_a_guest
 60 at once; 200 with MANY=200            test_rows.test_many_boxes_at_once
 5000 mounts                              test_rows.test_thousands_of_mounts
 below a directory of mode 0700           test_rows.test_below_a_directory_that_nobody_enters
 a program that changes its uid           test_run.test_program_that_changes_its_own_uid_gets_term test_programs.test_dropbear test_programs.test_a_daemon_of_busybox
 a stopped client                         test_exec.test_a_stopped_client_does_not_hold_the_box
 two boxes, one keeper dies               test_run.test_two_boxes_at_once
 100 kB, no wake-ups                      test_run.test_idle_box_is_small test_rows.test_nobody_wakes_up
 who enters is hunted                     test_exec.test_nothing_can_be_got_from_who_enters test_exec.test_nothing_can_be_got_when_each_step_is_slow
 the binary is not written                test_escape.test_b1_overwrite_by_a_root_program_when_the_keeper_dies
 hostile state                            test_rows.test_every_verb_and_hostile_state test_ctl.test_hostile_state_is_refused test_list.test_what_is_no_state_file
"""
import os
import pathlib
import pty
import re
import shutil
import signal
import subprocess
import time

import pytest

import husk
import qemu
from husk import run

HERE = pathlib.Path(__file__).parent


def test_each_row_has_its_tests():
    named = re.findall(r"\b(test_\w+)\.(test_\w+)", __doc__)
    have = {f: set(re.findall(r"^def (test_\w+)", (HERE / f"{f}.py").read_text(), re.M)) for f in {f for f, _ in named}}
    assert len(named) > 100 and not [f"{f}.{t}" for f, t in named if t not in have[f]]


# ------------------------------------------------------------------ in a guest

def test_in_the_time_of_a_guest():
    """Its clock counts instructions: what takes how long is no matter of this machine. test/lives.c says what it does."""
    if not shutil.which("qemu-system-x86_64") or not (qemu.TOP / "out/qemu-x86_64/husk").exists():
        pytest.skip("no QEMU, or no board")
    kills, starts, many = (int(os.environ.get(k, n)) for k, n in (("KILLS", "50"), ("STARTS", "60"), ("ZOMBIES", "2000")))
    lives = qemu.program(qemu.compiled(qemu.board("qemu-x86_64"), "lives.c"))
    script = f"lives kill {kills}; lives start {starts}; lives zombies {many}; for h in stopped traced frozen init; do lives stop $h; done; lives clock 10\n"
    r = qemu.guest("qemu-x86_64", script, files={"bin/lives": lives, "srv/root/bin/lives": lives}, icount=1, timeout=600 + starts + many // 10)
    said = {l.split()[0]: dict(re.findall(r"(\w+)=(-?\d+)", l)) for l in re.findall(r"^@(?:stop )?(\w+ .*)", r.text, re.M)}
    said = {k: {w: int(n) for w, n in v.items()} for k, v in said.items()}
    assert r.ended and len(said) == 9, r
    k, s = said["kill"], said["start"]
    assert k["wrong"] == 0 and k["more"] > k["n"] // 2 and k["most"] < 200000, k
    assert s["wrong"] == s["left"] == 0 and 0.8 < s["last"] / s["first"] < 1.2, s
    z = said["zombies"]
    assert z["status"] == 42 and z["many"] > many and z["us"] < many * 50, r
    for how in "stopped", "traced", "frozen", "init", "clock":
        assert said[how]["status"] == 137 and said[how]["us"] < 1300000 and said[how]["left"] == 0, (how, r)
    assert said["restarts"]["status"] == 3 and 900000 <= said["restarts"]["us"] < 1500000, r


# ------------------------------------------------------------------ many

def start(name, *words, program=("/bin/sleep", "1000")):
    r = husk.husk("start", f"name={name}", f"root={husk.ROOT}", *words, "--", *program)
    assert r.status == 0, r


def of_state(name, key):
    found = re.findall(rf"^{key}=(\d+)", husk.read(husk.RUNDIR / name / "state"), re.M)
    return int(found[-1]) if found else 0


@pytest.fixture
def name():
    n = husk.name("row")
    yield n
    r = husk.husk("stop", n, timeout=30)
    assert r.status == 0, r
    husk.nothing_left(n)


def test_many_boxes_at_once():
    """Nothing is left of them on the host, and the last ones are as small as the first ones. 200 with MANY=200."""
    many, base = int(os.environ.get("MANY", "60")), husk.name("many")
    names = [f"{base}-{i}" for i in range(many)]
    before, took, size = husk.mounts(), [], lambda n: (len(os.listdir(f"/proc/{of_state(n, 'keeper')}/fd")), len(os.listdir(f"/proc/{of_state(n, 'init')}/fd")))
    try:
        for n in names:
            t = time.monotonic()
            start(n, "memory.max=32M", "pids.max=20")
            took.append(time.monotonic() - t)
        assert husk.mounts() == before
        assert len({of_state(n, "uid") for n in names}) == many
        r = husk.husk("list")
        assert r.status == 0 and sum(n in r.out for n in names) == many
        assert husk.wait_for(lambda: size(names[0]) == size(names[-1])), (size(names[0]), size(names[-1]))
    finally:
        rs = [husk.husk("stop", n, timeout=30) for n in names if (husk.RUNDIR / n).exists()]
    assert not [r for r in rs if r.status]
    print("us of a start: first", [int(t * 1e6) for t in took[:5]], "last", [int(t * 1e6) for t in took[-5:]])
    for n in names:
        husk.nothing_left(n)


def test_thousands_of_mounts(name, tmp_path):
    """The host has 5000, here in a namespace of mounts of its own: a start and a stop work, and see none of them."""
    (tmp_path / "m").mkdir()
    script = (f"mount --make-rprivate / && mount -t tmpfs m {tmp_path}/m && cd {tmp_path}/m && /usr/bin/python3 -c \"\nimport ctypes, os\nc = ctypes.CDLL(None)\n"
              "for i in range(5000):\n    os.mkdir(str(i))\n    assert c.mount(b'm', str(i).encode(), b'tmpfs', 0, b'size=4k') == 0\n\" && cd / && wc -l </proc/self/mountinfo && "
              f"{husk.HUSK} run name={name} root={husk.ROOT} -- /bin/sh -c 'wc -l </proc/self/mountinfo; exit 7'; echo $?; "
              f"{husk.HUSK} start name={name} root={husk.ROOT} -- /bin/sleep 1000 && {husk.HUSK} stop {name}; echo $?")
    r = husk.command("unshare", "-m", "sh", "-c", script, timeout=120)
    lines = r.out.split()
    assert int(lines[0]) > 5000 and int(lines[1]) < 40 and lines[2:] == ["7", "0"], r


def test_below_a_directory_that_nobody_enters(name, tmp_path):
    """The user of the box, and who is root of its user namespace, may not search what is above its root directory."""
    above = tmp_path / "above"
    above.mkdir()
    root = husk.make_root(above / "root")
    above.chmod(0o700)
    for words in ([], ["ns.user=new"], ["ns.user=new", "user=1000"], ["user=auto"]):
        r = run(*words, "--", "/bin/sh", "-c", "cat /etc/hostname /etc/passwd >/dev/null 2>&1; ls /bin/sh && exit 5", box=name, root=root)
        assert (r.status, r.out) == (5, "/bin/sh\n"), (words, r)


QUIET = [["log=ring"], ["ready=notify", "start.timeout=1h"], ["ready=fd:5", "start.timeout=1h"], ["tty=yes"], ["restart=always", "memory.max=64M"], ["needs=/no/such"]]


def test_nobody_wakes_up():
    """Neither keepers nor PIDs 1, while nothing happens, all of them at once; IDLE=60 for a minute."""
    boxes = {husk.name("tq"): words for words in QUIET}
    try:
        who = []
        for box, words in boxes.items():
            r = run("-d", *words, "--", "/bin/sh", "-c", "exec sleep 1000", box=box)
            assert r.status == 0, r
            who.append([p for p in (of_state(box, "keeper"), of_state(box, "init")) if p])
        assert all(who) and sum(map(len, who)) >= 2 * len(boxes) - 1, who		# one that waits for a file has no PID 1
        assert husk.sleeps(float(os.environ.get("IDLE", "2")), *sum(who, []), timeout=200)
    finally:
        r = husk.husk("stop", *boxes, timeout=60)
        assert r.status == 0, r
        for box in boxes:
            husk.nothing_left(box)


# ------------------------------------------------------------------ what peers got wrong

def test_short_lived_programs(name):
    for _ in range(40):
        assert run("--", "/bin/true", box=name).status == 0
        r = run("-d", "--", "/bin/true", box=name)
        assert r.status == 0 and husk.husk("wait", name).status == 0, r
    start(name)
    for i in range(60):
        assert husk.husk("exec", name, "--", "/bin/sh", "-c", f"exit {i}").status == i
        r = husk.husk("exec", "-d", name, "--", "/bin/true")
        assert r.status == 0, r


def test_nobody_reads_the_terminal(name):
    """The program writes more than the terminal takes: it waits, the keeper sleeps, and the box can be stopped."""
    master, slave = pty.openpty()
    try:
        with husk.box("--", "/bin/sh", "-c", "trap '' HUP; while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done", box=name, stdin=slave, stdout=slave, stderr=slave, start_new_session=True) as p:
            assert husk.wait_for(lambda: husk.init_of(p.pid))
            assert husk.sleeps(0.5, p.pid)
            p.terminate()
            assert husk.status_of(p, 20) in (137, 143)
    finally:
        os.close(master)
        os.close(slave)


def test_listed_and_deleted_while_it_comes_and_goes(name):
    """Whoever looks, or clears, meanwhile: each says what it saw, and a start that says 0 has made a box."""
    script = f"while :; do {husk.HUSK} list; {husk.HUSK} state {name}; {husk.HUSK} ps {name}; {husk.HUSK} delete {name}; {husk.HUSK} kill {name}; done 2>&1"
    with open("/dev/null", "w") as null, subprocess.Popen(["/bin/sh", "-c", script], stdout=subprocess.PIPE, stderr=null, start_new_session=True) as other:
        try:
            for _ in range(30):
                r = husk.husk("start", f"name={name}", f"root={husk.ROOT}", "--", "/bin/sleep", "1000")
                assert r.status == 0 or (r.status in (125, 143) and r.err), r
                assert husk.husk("stop", name, timeout=30).status == 0
        finally:
            os.killpg(other.pid, signal.SIGKILL)
            said = other.stdout.read().decode(errors="replace")
    assert not re.search("signal 11|signal 6|Bad file|Invalid", said), said


def test_a_relative_pid_file(name, tmp_path):
    r = run("-d", "-p", "the.pid", "cwd=/tmp", "--", "/bin/sleep", "1000", box=name, cwd=tmp_path)
    assert r.status == 0 and int((tmp_path / "the.pid").read_text()) == of_state(name, "keeper"), r


def test_one_home(name):
    for words, home in (([], "/root"), (["user=user"], "/home/user"), (["env=HOME=/x"], "/x"), (["user=user", "env=HOME=/x"], "/x")):
        r = run(*(words or ["user=root"]), "--", "/bin/env", box=name)
        assert r.status == 0 and re.findall(r"^HOME=(.*)$", r.out, re.M) == [home], (words, r)


def test_a_directory_that_only_the_user_may_enter(name, tmp_path):
    """And root of the host not: it is gone to with the user's rights."""
    (tmp_path / "home").mkdir(mode=0o700)
    os.chown(tmp_path / "home", 1000, 1000)
    r = run("user=1000", f"bind={tmp_path}/home:/srv:rw", "cwd=/srv", "--", "/bin/pwd", box=name)
    assert (r.status, r.out) == (0, "/srv\n"), r
    r = run("user=1001", f"bind={tmp_path}/home:/srv:rw", "cwd=/srv", "--", "/bin/pwd", box=name)
    assert r.status == 125 and "/srv" in r.err, r


def test_the_owner_of_dev_null(name):
    before = os.stat("/dev/null")
    start(name)
    for words in (["user=1000"], ["-d", "user=1000"]):
        options = [w for w in words if w == "-d"]
        assert husk.husk("exec", *options, name, *[w for w in words if w != "-d"], "--", "/bin/true").status == 0
    after = os.stat("/dev/null")
    assert (before.st_uid, before.st_gid, before.st_mode) == (after.st_uid, after.st_gid, after.st_mode)


def test_started_with_signals_ignored_and_blocked(name):
    def launch():
        for n in (signal.SIGCHLD, signal.SIGPIPE, signal.SIGTTOU, signal.SIGINT):
            signal.signal(n, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD, signal.SIGTERM, signal.SIGTTIN, signal.SIGILL})
    r = run("--", "/bin/sh", "-c", "grep -E 'Sig(Blk|Ign)' /proc/self/status; exit 9", box=name, preexec_fn=launch, restore_signals=False)
    assert r.status == 9 and set(re.findall(r"Sig\w+:\s+(\w+)", r.out)) == {"0" * 16}, r
    r = run("-d", "--", "/bin/sleep", "1000", box=name, preexec_fn=launch, restore_signals=False)
    assert r.status == 0 and husk.husk("stop", name).status == 0


def test_the_status_is_the_program_s(name):
    """Orphans end with others, before it and together with it."""
    r = run("--", "/bin/sh", "-c", "(setsid sh -c 'sleep 0.1; exit 3' &); (setsid sh -c 'exit 4' &); sleep 0.3; exit 6", box=name)
    assert r.status == 6, r


# ------------------------------------------------------------------ hostile state

def foreign(d, tmp):
    (d / "state").write_text("version=1\n")
    os.chown(d, 1000, 1000)


def link_dir(d, tmp):
    d.rmdir()
    (tmp / "d").mkdir(mode=0o700)
    (tmp / "d/state").write_text("version=1\n")
    d.symlink_to(tmp / "d")


def link_state(d, tmp):
    (tmp / "s").write_text("version=1\ncgroup2=/sys/fs/cgroup\n")
    (d / "state").symlink_to(tmp / "s")


def fifo_dir(d, tmp):
    d.rmdir()
    os.mkfifo(d, 0o600)


def fifo_state(d, tmp):
    os.mkfifo(d / "state", 0o600)


def fifo_ctl(d, tmp):
    os.mkfifo(d / "ctl", 0o600)
    os.mkfifo(d / "box", 0o600)
    os.mkfifo(d / "log", 0o600)
    (d / "state").write_text("version=1\nstate=running 5\n")


def truncated(d, tmp):
    (d / "state").write_text("version=1\nkeeper=1\ninit=12 sta")


def empty(d, tmp):
    (d / "state").write_text("")


def recycled(d, tmp):
    (d / "state").write_text(f"version=1\nkeeper={os.getpid()}\ninit={os.getpid()} start=1\nstate=running 5\n")


def huge(d, tmp):
    with open(d / "state", "wb") as f:
        f.truncate(1 << 40)


REFUSED, SWEPT = [foreign, link_dir, link_state, fifo_dir, fifo_state], [truncated, empty, recycled, fifo_ctl, huge]
VERBS = [("stop",), ("restart",), ("delete",), ("wait",), ("reload",), ("kill",), ("kill", "KILL"), ("pause",), ("resume",), ("update", "pids.max=9"), ("exec", "--", "/bin/true"),
         ("ps",), ("stats",), ("state",), ("logs",), ("list",)]


@pytest.mark.skipif(os.getuid() != 0, reason="not root")
@pytest.mark.parametrize("what", REFUSED + SWEPT, ids=lambda f: f.__name__)
def test_every_verb_and_hostile_state(what, tmp_path):
    """Never a signal, never without an end, never silent where it did not work; what is not ours is still there, and so is this process."""
    name = husk.name("row")
    d = husk.RUNDIR / name
    husk.RUNDIR.mkdir(mode=0o700, exist_ok=True)
    try:
        for verb, *words in VERBS:
            husk.command("rm", "-rf", d)
            d.mkdir(mode=0o700)
            what(d, tmp_path)
            shutil.rmtree(tmp_path / "d", ignore_errors=True) if what is not link_dir else None
            r = husk.husk(verb, *([name] if verb != "list" else []), *words, timeout=20)
            assert r.status < 128 or (r.status == 137 and verb == "wait"), (verb, r)
            if r.status and r.status != 137:
                assert re.search(rf"{name}", r.err + r.out), (verb, r)
            if what in REFUSED:
                assert os.path.lexists(d) and (r.status or verb in ("list",)), (verb, r)
            shutil.rmtree(tmp_path / "d", ignore_errors=True)
    finally:
        husk.command("rm", "-rf", d)
