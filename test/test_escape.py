"""The classes of escapes that others had, each tried from inside. Names carry the row: a1, b1, c1 ..."""
import ctypes
import hashlib
import os
import pathlib
import re
import shutil
import signal
import stat
import threading
import time

import pytest

import husk
import qemu
from husk import run
from test_boot import ready, said


def tree(path):
    """A directory as text, to see that nobody touched it."""
    lines = []
    for top, dirs, files in os.walk(path):
        for f in sorted(dirs + files):
            p = os.path.join(top, f)
            s = os.lstat(p)
            lines.append(f"{p} {stat.filemode(s.st_mode)} {s.st_uid}:{s.st_gid} {s.st_size} {s.st_mtime_ns}")
    return sorted(lines)


@pytest.fixture
def canary(tmp_path):
    """A tree of the host that no box may change or read."""
    d = tmp_path / "canary"
    (d / "dir").mkdir(parents=True)
    (d / "file").write_text("secret\n")
    (d / "dir/file").write_text("secret\n")
    before = tree(d)
    yield d
    assert tree(d) == before


@pytest.fixture(autouse=True)
def binary_unchanged():
    before = hashlib.sha256(open(husk.HUSK, "rb").read()).hexdigest()
    yield
    assert hashlib.sha256(open(husk.HUSK, "rb").read()).hexdigest() == before


# ------------------------------------------------------------------- A: descriptors

@pytest.mark.parametrize("where", ["/proc/self/fd/3", "/proc/self/fd/5/../..", "/proc/1/cwd", "/proc/self/fd/10", "/proc/1/root"])
def test_a2_cwd_through_a_descriptor(name, where, canary):
    def launch():
        fd = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
        for n in range(3, 20):
            os.dup2(fd, n, inheritable=True)
    r = run(f"cwd={where}", "--", "/bin/sh", "-c", f"ls; cat {canary}/file; ls /proc/self/cwd/", box=name, preexec_fn=launch, close_fds=False)
    assert r.status in (2, 125) or str(husk.TOP.parts[1]) not in r.out.split(), r
    assert "secret" not in r.out


def test_a2_program_through_a_descriptor(name):
    def launch():
        fd = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
        for n in range(3, 20):
            os.dup2(fd, n, inheritable=True)
    for n in range(3, 12):
        r = run("--", f"/proc/self/fd/{n}/bin/ls", box=name, preexec_fn=launch, close_fds=False)
        assert r.status in (125, 126, 127), r


@pytest.mark.parametrize("user", ["auto", "root"])
def test_a3_other_processes_of_the_box(name, user):
    r = run(f"user={user}", "--", "/bin/inside", "attack", box=name)
    assert r.status == 0 and "still here" in r.out, r
    bad = [l for l in r.out.splitlines() if re.match(r"(OPENED|TRACED|LIMITED|RENICED)", l) and re.search(r"/proc/1/|\b1$", l)]
    if user == "root":		# uid 0 of the box is PID 1's own: it may spoil its own box, and no more
        bad = [l for l in bad if l not in ("OPENED /proc/1/oom_score_adj", "LIMITED 1", "RENICED 1")]
    assert not bad, r


@pytest.mark.parametrize("user", ["root", "1000"])
def test_a3_a_starting_box_cannot_be_attacked_by_another(name, user):
    """A box that shares the pid namespace of the host sees others of the same uid start, and gets hold of none
    before its program runs: no descriptor, no memory, no trace."""
    other = name + "b"
    with husk.box("ns.pid=host", f"user={user}", "stop.timeout=100ms", "--", "/bin/inside", "spy", other, "4000", box=name) as p:
        assert husk.line(p) == "up"
        for _ in range(40):
            assert run(f"user={user}", "--", "/bin/true", box=other).status == 0
        out = p.stdout.read().decode()
        husk.status_of(p)
    looks = int(re.search(r"looked (\d+)", out)[1])
    assert looks > 20, "it saw nothing"
    assert "GOT" not in out, out[:2000]


# ------------------------------------------------------------------ B: our own binary

def test_b1_shebang_of_our_own_exe(name, tmp_path):
    tmp_path.chmod(0o755)
    script = tmp_path / "x"
    script.write_text("#!/proc/self/exe\n")
    script.chmod(0o755)
    r = run(f"bind={tmp_path}:/mnt:exec", "user=root", "--", "/mnt/x", box=name)
    assert r.status not in (0, 137), r


def test_b1_overwrite_by_a_root_program_when_the_keeper_dies(name):
    """uid 0 without capabilities owns the file; the window is the death of the keeper."""
    before = pathlib.Path(husk.HUSK).read_bytes()
    for _ in range(15):
        with husk.box("user=root", "--", "/bin/inside", "exe", "300", box=name) as p:
            husk.wait_for(lambda: husk.tagged(name) and husk.init_of(p.pid, 0.01), 2)
            time.sleep(0.05)
            p.kill()
            out = p.stdout.read().decode()
            assert "WRITABLE" not in out, out
    assert pathlib.Path(husk.HUSK).read_bytes() == before
    assert run("--", "/bin/true", box=name).status == 0


def test_b1_overwrite_while_starts_go_on(name):
    with husk.box("user=root", "ns.pid=host", "stop.timeout=100ms", "--", "/bin/inside", "exe", "1500", box=name) as p:
        for _ in range(40):
            assert run("--", "/bin/true", box=name + "b").status == 0
        husk.status_of(p)
        out = p.stdout.read().decode()
    assert "WRITABLE" not in out, out


def test_b2_nothing_of_the_root_is_loaded(name, root):
    """Names of users are read; no library, no switch of names, no preload."""
    for f in ("etc/nsswitch.conf", "etc/ld.so.preload", "lib/libnss_files.so.2", "lib64/ld-linux-x86-64.so.2"):
        (root / f).parent.mkdir(exist_ok=True)
        (root / f).write_text("x")
    r = husk.command("strace", "-f", "-b", "execve", "-e", "trace=open,openat,openat2,execve", husk.HUSK, "run", f"root={root}",
                     f"name={name}", "user=www-data", "--", "/bin/true", timeout=20)
    assert r.status == 0, r
    assert not re.search(r"nss|preload|\.so", r.err), r.err


# ------------------------------------------------ C: paths below the root, masks, devices

LINKS = {
    "absolute": "/canary", "host": "{canary}/dir", "climbing": "../../../../../../../../../..{canary}/dir",
    "dangling": "/nowhere/at/all", "loop": "{self}", "file": None, "fifo": None,
}
TARGETS = ["proc", "sys", "dev", "run", "tmp", "etc"]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("shape", LINKS)
def test_c1_mount_point_is_not_what_it_seems(name, root, canary, target, shape):
    """Lands inside the root or is an error; the host's tree stays as it was (the fixtures look)."""
    p = root / target
    shutil.rmtree(p)
    if shape == "file":
        p.write_text("x")
    elif shape == "fifo":
        os.mkfifo(p)
    else:
        p.symlink_to(LINKS[shape].format(canary=canary, self=target))
    for words in (["user=root"], ["user=root", f"bind={canary}:/{target}/x:rw"]):
        r = run(*words, "--", "/bin/sh", "-c", "touch /tmp/x /run/x /dev/x /etc/x; echo ran", box=name, root=f"{root}:rw", timeout=5)
        assert r.status in (0, 1, 2, 125), r
        if target in ("proc", "sys", "dev") and len(words) == 1:
            assert r.status == 125, f"/{target} must be a directory: {r}"


@pytest.mark.parametrize("target", ["mnt", "data/a/b", "srv"])
@pytest.mark.parametrize("shape", ["absolute", "host", "climbing", "dangling", "loop"])
def test_c1_target_of_a_bind(name, root, canary, target, shape, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    first = root / target.split("/")[0]
    if first.exists():
        shutil.rmtree(first)
    first.symlink_to(LINKS[shape].format(canary=canary, self=first.name))
    r = run(f"bind={source}:/{target}:rw", "user=root", "--", "/bin/sh", "-c", f"touch /{target}/x", box=name, root=f"{root}:rw", timeout=5)
    assert r.status in (0, 1, 125), r
    r = run(f"tmpfs=/{target}", "user=root", "--", "/bin/sh", "-c", f"touch /{target}/x", box=name, root=root, timeout=5)
    assert r.status in (0, 1, 125), r


def test_c1_mount_points_are_made_inside_only(name, root, canary):
    (root / "link").symlink_to(f"../../../../../../../../..{canary}")
    r = run(f"bind={canary}/dir:/link/new/dir", "--", "/bin/true", box=name, root=f"{root}:rw", timeout=5)
    assert r.status in (0, 125), r
    assert not (canary / "new").exists()


def test_c3_hostile_dev(name, root, canary):
    dev = root / "dev"
    for n, to in {"null": f"{canary}/file", "console": f"{canary}/file", "ptmx": "/proc/sys/kernel/core_pattern", "fd": f"{canary}/dir",
                  "pts": f"{canary}/dir", "shm": f"{canary}/dir", "mqueue": f"{canary}/dir", "tty": f"{canary}/file"}.items():
        (dev / n).symlink_to(f"../../../../../../../../..{to}")
    for words in ([], ["tty=yes"], ["mask=/etc/passwd"]):
        r = run("user=root", *words, "--", "/bin/sh", "-c", "echo x > /dev/null; ls -l /dev/null; cat /proc/kcore | wc -c", box=name, root=f"{root}:rw")
        assert r.status == 0 and re.search(r"^crw.* 1, +3 .*/dev/null\r?$", r.out, re.M), r


MASKED = ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/sysrq-trigger", "/proc/acpi", "/proc/scsi", "/sys/firmware"]


@pytest.mark.parametrize("user", ["root", "auto"])
def test_c4_masks(name, user):
    paths = [p for p in MASKED if os.path.exists(p)]
    r = run(f"user={user}", "--", "/bin/sh", "-c", f"for p in {' '.join(paths)}; do if [ -d $p ]; then ls -A $p; else head -c 9 $p; fi; done;"
            "cat /proc/self/mountinfo >&2", box=name)
    assert r.out == "", r
    for p in paths:
        if p != "/proc/sysrq-trigger":
            assert f" {p} " in r.err, f"{p} is not masked"


def test_c4_mask_and_readonly_keys(name):
    r = run("user=root", "mask=/etc/shadow", "mask=/home", "readonly=/tmp", "--", "/bin/sh", "-c", "cat /etc/shadow; ls -A /home; touch /tmp/x", box=name)
    assert r.out == "" and "Read-only" in r.err, r
    r = run("mask=/absent", "--", "/bin/true", box=name)
    assert r.status in (0, 125), r


def test_c4_a_mask_that_fails_stops_the_start(name, tmp_path):
    """Each mount of the masks is made to fail, once and for ever."""
    import errno
    import fault
    if not husk.INJECT.exists():
        pytest.skip("the injector is for x86_64 only")
    calls, _ = fault.record(husk.name("tf"), tmp_path / "list")
    late = [c for c in calls if c.role == 1 and c.name in ("mount", "move_mount", "mount_setattr")]
    assert len(late) > 20
    for call in late:
        for mode in ("fail", "ever"):
            r = fault.inject(tmp_path / "log", mode, 1, call.n, errno.EPERM, box=name)
            if r.status == 7:
                assert fault.allowed(call, errno.EPERM, mode), f"{call} failed and the box ran"
            else:
                assert r.status == 125 and "Seccomp" not in r.out, r


@pytest.mark.parametrize("dst", ["/proc", "/proc/self", "/proc/sys", "/proc/self/attr", "/proc/1", "/sys", "/sys/kernel", "/dev/../proc", "/proc/."])
def test_c5_nothing_may_be_mounted_on_proc(name, tmp_path, dst):
    (tmp_path / "attr").mkdir()
    r = run(f"bind={tmp_path}:{dst}", "--", "/bin/true", box=name)
    assert r.status in (2, 125), r
    r = run(f"tmpfs={dst}", "--", "/bin/true", box=name)
    assert r.status in (2, 125), r


# -------------------------------------------------------------------- D: kernel knobs

WRITE = """/proc/sysrq-trigger /proc/sys/kernel/core_pattern /proc/sys/kernel/modprobe /proc/sys/kernel/hotplug /sys/kernel/uevent_helper
/proc/sys/fs/binfmt_misc/register /proc/sys/vm/panic_on_oom /proc/sys/vm/drop_caches /proc/sys/vm/overcommit_memory /proc/sys/kernel/panic
/proc/sys/kernel/sysrq /proc/sys/kernel/kptr_restrict /proc/sys/kernel/dmesg_restrict /proc/sys/kernel/ns_last_pid /proc/sys/kernel/poweroff_cmd
/proc/sys/kernel/hostname /proc/sys/net/ipv4/ip_forward /proc/irq/default_smp_affinity /proc/mtrr /sys/power/state /sys/power/disk
/sys/class/gpio/export /sys/fs/cgroup/cgroup.procs /sys/fs/cgroup/memory.max /sys/kernel/mm/transparent_hugepage/enabled /sys/block/vda/queue/scheduler
/sys/kernel/profiling /sys/module/printk/parameters/time  /proc/1/mem
/dev/mem /dev/kmem /dev/port /dev/kmsg /dev/vda /dev/loop-control /dev/fuse /dev/net/tun /dev/watchdog""".split()
READ = """/proc/kcore /proc/kallsyms /proc/kmsg /proc/keys /proc/timer_list /proc/sched_debug /proc/vmallocinfo /proc/iomem /proc/slabinfo
/proc/1/maps /proc/1/environ /proc/1/fd/0 /proc/latency_stats /proc/sysrq-trigger
/dev/mem /dev/kmem /dev/port /dev/kmsg /sys/kernel/debug /sys/kernel/tracing/trace /sys/firmware/acpi/tables/DSDT""".split()
# an unprivileged reader of these gets zeroed addresses from the kernel, or a file that is world-readable everywhere
HARMLESS = {"/proc/kallsyms", "/proc/iomem", "/sys/kernel/debug", "/proc/sched_debug"}


@pytest.mark.parametrize("user", ["root", "auto"])
def test_d1_knobs(name, user):
    r = run(f"user={user}", "--", "/bin/inside", "knobs", *WRITE, box=name)
    opened = re.findall(r"^write (\S+) ok$", r.out, re.M)
    assert r.status == 0 and opened == [], opened


@pytest.mark.parametrize("user", ["root", "auto"])
def test_d2_leaks(name, user):
    r = run(f"user={user}", "--", "/bin/inside", "knobs", *READ, box=name)
    read = {p for p, n in re.findall(r"^read (\S+) ok (-?\d+)$", r.out, re.M) if int(n) > 0}
    assert r.status == 0 and read - HARMLESS == set(), read
    if "/proc/kallsyms" in read:
        text = run(f"user={user}", "--", "/bin/head", "-n", "3", "/proc/kallsyms", box=name).out
        assert all(l.startswith("0000000000000000") for l in text.splitlines()), "addresses of the kernel"


@pytest.mark.parametrize("words", ["sysctl.net.x=1+kernel.core_pattern=|/x", "sysctl.kernel.core_pattern=|/x", "sysctl.net/ipv4/../../kernel.panic=1",
                                   "sysctl.vm.panic_on_oom=1", "sysctl.net..ipv4=1", "sysctl.kernel.shm/../panic=1", "sysctl.=1"])
def test_d3_sysctl_by_a_trick(name, words):
    before = husk.read("/proc/sys/kernel/core_pattern"), husk.read("/proc/sys/vm/panic_on_oom")
    r = run(words, "--", "/bin/true", box=name)
    assert r.status in (2, 125), r
    assert before == (husk.read("/proc/sys/kernel/core_pattern"), husk.read("/proc/sys/vm/panic_on_oom"))


def test_d4_no_core_dump(name, tmp_path):
    tmp_path.chmod(0o777)
    r = run(f"bind={tmp_path}:/data:rw", "cwd=/data", "--", "/bin/sh", "-c", "ulimit -Hc; inside die 11", box=name)
    assert r.out == "0\n" and not list(tmp_path.iterdir()), r


def test_d4_no_core_pipe():
    """The program of core_pattern is the host's root: of a limit of 0 it is started all the same, of 1 it is not."""
    ready("qemu-x86_64")
    r = qemu.guest("qemu-x86_64", r"""printf '#!/bin/sh\ncat >/dev/null\necho "@dumped $2 $(id -u)" >>/dumped\n' >/h; chmod 755 /h
echo '|/h %P %e' >/proc/sys/kernel/core_pattern
for l in "" rlimit.core=0; do husk run name=c root=/srv/root $l -- /bin/sh -c 'kill -SEGV $$'; echo "@status [$l] $?"; done
until [ -s /dumped ]; do usleep 10000; done; sync; cat /dumped; echo "@lines $(grep -c dumped /dumped)"
""")
    assert said(r, "status") == ["[] 139", "[rlimit.core=0] 139"] and said(r, "dumped") == ["sh 0"] and said(r, "lines") == ["1"], r


def test_d5_device_nodes(name):
    r = run("user=root", "--", "/bin/sh", "-c", "mknod /tmp/m c 1 1 && echo made; mknod /dev/m b 254 0 && echo made", box=name)
    assert "made" not in r.out, r
    r = run("user=root", "caps=mknod", "syscalls=@all", "--", "/bin/sh", "-c", "mknod /dev/m c 1 1 && head -c 1 /dev/m && echo OPENED", box=name)
    assert "OPENED" not in r.out, r


# --------------------------------------------------------------------- E: credentials

USERS = {
    "1": (1, 1), "1:1": (1, 1), "7:9": (7, 9), "+1": None, "-1": None, "01": "?", "0x1": None, "4294967295": None, "4294967296": None,
    "99999999999999999999": None, " 1": "?", "1 ": "?", "": None, ":": None, "1:": None, ":1": None, "root": (0, 0), "4294967294": (4294967294, 4294967294),
    "1;2": None, "1,2": None, "../root": None, "user:adm": (1000, 4),
}


@pytest.mark.parametrize("spec", USERS)
def test_e4_user_spec(name, spec):
    r = run(f"user={spec}", "--", "/bin/inside", "rights", box=name)
    want = USERS[spec]
    if isinstance(want, tuple):
        s = husk.fields(r.out)
        assert r.status == 0, r
        assert (int(s["Uid"].split()[0]), int(s["Gid"].split()[0])) == want
    elif want is None:
        assert r.status in (2, 125) and r.out == "", r
    else:
        assert r.status in (2, 125) or int(husk.fields(r.out)["Uid"].split()[0]) == 1, r


def test_e4_names_of_a_hostile_image(name, root):
    (root / "etc/passwd").write_text("1000:x:0:0::/:/bin/sh\nroot:x:0:0::/:/bin/sh\nfake:x:0:0::/:/bin/sh\nfar:x:4294967296:0::/:/bin/sh\nneg:x:-1:0::/:/bin/sh\nshort:x\nsp:x: 5:5::/:\n")
    r = run("user=1000", "--", "/bin/inside", "rights", box=name, root=root)
    assert husk.fields(r.out)["Uid"].split()[0] == "1000", r
    for user in ("fake", "far", "neg", "short", "sp"):
        r = run(f"user={user}", "--", "/bin/inside", "rights", box=name, root=root)
        assert r.status == 125 and "caps.user" in r.err, (user, r)


@pytest.mark.parametrize("shape", ["fifo", "endless", "huge", "nul", "link", "directory"])
def test_e4_passwd_is_not_a_plain_file(name, root, shape):
    p = root / "etc/passwd"
    p.unlink()
    if shape == "fifo":
        os.mkfifo(p)
    elif shape == "endless":
        p.write_text("a" * 300000)
    elif shape == "huge":
        with open(p, "wb") as f:
            f.truncate(10 << 30)
    elif shape == "nul":
        p.write_bytes(b"\0" * 5000 + b"\nuser:x:1000:1000::/:/bin/sh\n")
    elif shape == "link":
        p.symlink_to("/proc/self/environ")
    else:
        p.mkdir()
    began = time.monotonic()
    r = run("user=user", "--", "/bin/inside", "rights", box=name, root=root)
    assert time.monotonic() - began < 5
    assert r.status == 125 or husk.fields(r.out)["Uid"].split()[0] == "1000", r


def test_e6_set_uid_programs(name, root):
    shutil.copy(husk.INSIDE, root / "bin/suid")
    os.chown(root / "bin/suid", 0, 0)
    (root / "bin/suid").chmod(0o6755)
    r = run("user=1000", "--", "/bin/suid", "euid", box=name, root=root)
    assert r.out == "uid 1000 euid 1000\n", r


def test_e6_file_capabilities(name, root):
    shutil.copy(husk.INSIDE, root / "bin/capable")
    # version 2, effective, permitted: everything
    os.setxattr(root / "bin/capable", "security.capability", bytes.fromhex("01000002" "ffffffff" "00000000" "ff010000" "00000000"))
    r = run("user=1000", "--", "/bin/capable", "rights", box=name, root=root)
    s = husk.fields(r.out)
    assert r.status == 126 or int(s["CapEff"], 16) == int(s["CapPrm"], 16) == 0, r


def test_e7_keyrings(name):
    r = run("user=root", "--", "/bin/sh", "-c", "cat /proc/keys; inside calls", box=name)
    for call in ("keyctl", "add_key", "request_key"):
        assert re.search(rf"^{call} \d+$", r.out, re.M), call
    assert not re.search(r"^[0-9a-f]{8} ", r.out, re.M), "keys of the host"


# -------------------------------------------------------------- G, I, K: system calls

@pytest.mark.skipif(os.uname().machine != "x86_64", reason="foreign numbers of x86_64")
@pytest.mark.parametrize("abi", ["int80", "x32"])
def test_g1_g2_foreign_abi_is_killed(name, abi):
    r = run("--", "/bin/inside", "foreign", abi, box=name)
    assert r.status == 128 + signal.SIGSYS or (abi == "x32" and r.status == 0 and r.out == "x32 -1\n"), r


DENIED = """unshare unshare_user unshare_mnt unshare_pid unshare_net unshare_ipc unshare_uts unshare_cgroup clone_user clone_mnt clone_pid
clone_net clone_ipc clone_uts clone_cgroup setns mount umount2 pivot_root chroot open_tree move_mount fsopen mount_setattr bpf userfaultfd
perf_event_open init_module finit_module delete_module reboot swapon keyctl add_key request_key open_by_handle_at acct settimeofday
clock_settime ptrace process_vm_readv pidfd_getfd kcmp fanotify_init syslog vhangup sethostname setdomainname quotactl personality""".split()


@pytest.mark.parametrize("user", ["root", "auto"])
def test_k_calls_that_no_box_needs(name, user):
    r = run(f"user={user}", "--", "/bin/inside", "calls", box=name)
    assert r.status == 0, r
    got = dict(l.split(None, 1) for l in r.out.splitlines())
    for call in DENIED:
        assert got[call] in ("1", "38", f"signal {int(signal.SIGSYS)}"), f"{call}: {got[call]}"
    assert got["clone3"] == got["none"] == got["unknown"] == "38"
    assert got["io_uring_setup"] in ("38", "1")
    assert got["getpid"] == "ok"
    assert got["setuid"] == got["setgid"] == "1", "no capability"


@pytest.mark.parametrize("words,families", [([], {1, 2, 10, 16})])
def test_i3_address_families(name, words, families):
    r = run("user=root", *words, "--", "/bin/inside", "sockets", box=name)
    made = {(int(f), int(t)) for f, t in re.findall(r"^(\d+) (\d+) ok$", r.out, re.M)}
    assert r.status == 0 and {f for f, _ in made} <= families, made
    assert {1, 2} <= {f for f, _ in made}
    assert not [m for m in made if m[1] == 3 and m[0] not in (1, 16)], "raw sockets"
    assert "high ok" not in r.out, "the low word counts"


def test_i6_namespaces_are_walls(name):
    r = run("user=root", "--", "/bin/sh", "-c", "kill -9 -1; hostname changed; echo ok", box=name)
    assert r.status in (0, 137), r
    assert os.uname().nodename != "changed"


def test_g10_filter_is_there(name):
    for words in ([], ["user=root"], ["caps=net_bind_service"], ["use=daemon"]):
        r = run(*words, "--", "/bin/inside", "rights", box=name)
        s = husk.fields(r.out)
        assert (s["Seccomp"], s["NoNewPrivs"]) == ("2", "1"), (words, r)


# -------------------------------------------------------------------- H: limits, stop

def test_h3_fork_bomb(name):
    """The host answers while it goes on, and a stop ends it all."""
    with husk.box("pids.max=100", "memory.max=64M", "stop.timeout=300ms", "--", "/bin/sh", "-c", "trap '' TERM; b() { b | b & b; }; echo up; b 2> /dev/null", box=name) as p:
        assert husk.line(p) == "up"
        time.sleep(0.5)
        began = time.monotonic()
        assert run("--", "/bin/true", box=name + "b").status == 0
        assert time.monotonic() - began < 5
        p.terminate()
        husk.status_of(p, 8)
    husk.nothing_left(name)


def test_h3_memory_and_tmpfs(name):
    r = run("memory.max=24M", "memory.swap.max=0", "tmpfs=/data:512M,mode=1777", "--", "/bin/inside", "fill", "/data/x", box=name)
    assert r.status == 137 or "wrote" in r.out, r


def test_h4_a_tree_that_does_not_want_to_die(name):
    script = "trap '' TERM INT HUP; (setsid inside ignore 5 &); (inside ignore 3 &) ; inside ignore 2"
    with husk.box("stop.timeout=300ms", "--", "/bin/sh", "-c", script, box=name) as p:
        assert husk.line(p) == "ready"
        time.sleep(0.2)
        p.terminate()
        assert husk.status_of(p) == 137
    husk.nothing_left(name)


def test_h2_cgroup_files_are_out_of_reach(name):
    r = run("user=root", "--", "/bin/sh", "-c", "find /sys/fs/cgroup -name cgroup.procs | while read f; do echo 1 > $f && echo WRITTEN $f; done; cat /proc/self/cgroup", box=name)
    assert "WRITTEN" not in r.out, r
    assert name not in r.out, "the cgroup namespace hides where it is"


@pytest.mark.parametrize("path", ["../x", "/../x", "a/../../x", "x" * 300, "/a//b", "."])
def test_h2_cgroup_path(name, path):
    r = run(f"cgroup={path}", "memory.max=32M", "--", "/bin/true", box=name)
    assert r.status in (2, 125), r


def test_h6_cgroup_of_our_name_with_a_process_in_it(name):
    import subprocess
    dirs = [h / "husk" / name for h in husk.hierarchies() if (h / "cgroup.procs").exists() and os.access(h, os.W_OK)][:1]
    if not dirs:
        pytest.skip("no cgroup hierarchy is writable here")
    d = dirs[0]
    d.mkdir(parents=True)
    sleeper = subprocess.Popen(["sleep", "30"])
    try:
        (d / "cgroup.procs").write_text(str(sleeper.pid))
        r = run("memory.max=32M", "--", "/bin/true", box=name)
        assert r.status == 125 and "cg." in r.err or not (d / "cgroup.procs").exists(), r
        assert sleeper.poll() is None, "a stranger was killed"
    finally:
        sleeper.kill()
        sleeper.wait()
        husk.wait_for(lambda: not d.exists() or not d.rmdir())


# --------------------------------------------------------------------------- J: state

@pytest.mark.parametrize("bad", ["../x", "a/b", "", ".", "..", "-x", "x" * 65, "a b", "a\nb", "x\x01", ".hidden"])
def test_j1_names(bad):
    r = husk.husk("run", f"root={husk.ROOT}", f"name={bad}", "--", "/bin/true")
    assert r.status == 2, r


@pytest.mark.parametrize("shape", ["foreign", "writable", "link", "file", "fifo"])
def test_j1_hostile_run_directory(name, tmp_path, shape):
    rundir = tmp_path / "run"
    if shape == "link":
        (tmp_path / "real").mkdir(mode=0o700)
        rundir.symlink_to("real")
    elif shape == "file":
        rundir.write_text("")
    elif shape == "fifo":
        os.mkfifo(rundir)
    else:
        rundir.mkdir(mode=0o700)
        if shape == "foreign":
            os.chown(rundir, 1000, 1000)
        else:
            rundir.chmod(0o777)
    r = run("--", "/bin/true", box=name, env=dict(os.environ, HUSK_RUN=str(rundir)))
    assert r.status == 125 and "init.state" in r.err, r


@pytest.mark.parametrize("shape", ["link", "fifo", "rubbish", "foreign-cgroup", "directory"])
def test_j1_hostile_state_of_a_name(name, tmp_path, shape, canary):
    """What an earlier keeper is said to have left is not believed beyond its own things."""
    rundir = tmp_path / "run"
    (rundir / name).mkdir(parents=True, mode=0o700)
    rundir.chmod(0o700)
    state = rundir / name / "state"
    if shape == "link":
        state.symlink_to(canary / "file")
    elif shape == "fifo":
        os.mkfifo(state)
    elif shape == "directory":
        state.mkdir()
    elif shape == "rubbish":
        state.write_bytes(b"\xff=\0\n" * 500)
    else:
        state.write_text(f"version=1\ncgroup={canary}/dir\ninit=1:1\ncg=../../../..{canary}/dir\npid=1\n")
    r = run("--", "/bin/inside", "exit", "6", box=name, env=dict(os.environ, HUSK_RUN=str(rundir)), timeout=5)
    assert r.status in (6, 125), r


def test_j5_configuration_inside_the_root_is_ignored(name, root):
    (root / "etc/husk").mkdir()
    (root / f"etc/husk/{name}.conf").write_text("caps=all\nuser=root\n")
    r = run("user=1000", "--", "/bin/inside", "rights", box=name, root=root)
    assert int(husk.fields(r.out)["CapEff"], 16) == 0 and husk.fields(r.out)["Uid"].split()[0] == "1000", r


def test_j4_words_behind_the_dashes_are_the_program_s(name):
    r = run("--", "/bin/echo", "--", "-d", "user=root", "caps=all", box=name)
    assert r.out == "-- -d user=root caps=all\n", r


def test_start_under_attack_by_renames(name, root, canary, tmp_path):
    """A directory of the root becomes a link and back, as fast as it goes, while boxes mount there."""
    (root / "data/sub").mkdir()
    (root / "swap").symlink_to(f"../../../../../../../../../../..{canary}")
    stop = threading.Event()
    libc = ctypes.CDLL(None, use_errno=True)
    one, two = str(root / "data").encode(), str(root / "swap").encode()

    def swap():
        while not stop.is_set():
            for _ in range(100):
                libc.renameat2(-100, one, -100, two, 2)		# RENAME_EXCHANGE
    t = threading.Thread(target=swap)
    t.start()
    (tmp_path / "source").mkdir()
    try:
        for _ in range(100):
            r = run(f"bind={tmp_path}/source:/data/sub:rw", "tmpfs=/data/made/deep", "user=root", "--", "/bin/sh", "-c", "touch /data/sub/x",
                    box=name, root=f"{root}:rw", timeout=5)
            assert r.status in (0, 1, 125), r
    finally:
        stop.set()
        t.join()
