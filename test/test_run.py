"""husk run: what is promised for every start, seen from inside and from outside."""
import ctypes
import os
import pathlib
import re
import resource
import shutil
import signal
import struct
import tempfile
import time

import pytest

import husk
from husk import run

ERROR = r"husk: {}: ([a-z0-9]+\.[a-z0-9]+): [^\n]+\n"


def error_of(r, name):
    """The row that the error line names: the last line, what stands before are log lines of the same shape."""
    lines = r.err.splitlines(keepends=True)
    found = [re.fullmatch(ERROR.format(re.escape(name)), l) for l in lines]
    assert lines and all(found), f"not lines of husk: {r.err!r}"
    return found[-1][1]


# ------------------------------------------------------------------------ rights

@pytest.mark.parametrize("user", ["auto", "1000", "1000:33", "root", "user", "www-data", "0"])
def test_rights(name, user):
    r = run("memory.max=32M", "pids.max=20", f"user={user}", "--", "/bin/inside", "rights", "3", box=name)
    assert r.status == 3, r
    s = husk.fields(r.out)
    for cap in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(s[cap], 16) == 0, cap
    assert s["NoNewPrivs"] == "1"
    assert s["Seccomp"] == "2"
    uid, gid = set(s["Uid"].split()), set(s["Gid"].split())
    want = {"1000": ("1000", "1000"), "1000:33": ("1000", "33"), "root": ("0", "0"), "0": ("0", "0"),
            "user": ("1000", "1000"), "www-data": ("33", "33")}.get(user)
    if want:
        assert (uid, gid) == ({want[0]}, {want[1]})
    else:
        assert len(uid) == 1 and 61184 <= int(min(uid)) <= 65519
        assert gid == uid
    assert s["Groups"] == ""
    fds = re.findall(r"^fd (\d+)", r.out, re.M)
    assert fds == ["0", "1", "2"]
    assert s["NSpid"].split()[-1] != "1"


def test_supplementary_groups(name):
    r = run("user=user", "groups=adm,video,77", "--", "/bin/inside", "rights", box=name)
    assert husk.fields(r.out)["Groups"].split() == ["4", "44", "77"], r
    r = run("user=user", "--", "/bin/inside", "rights", box=name)
    assert husk.fields(r.out)["Groups"] == "", "only groups= counts"


def test_groups_of_the_caller_are_gone(name):
    r = run("--", "/bin/inside", "rights", box=name, extra_groups=[4, 20, 27])
    assert husk.fields(r.out)["Groups"] == "", r


def test_namespaces_are_new(name):
    r = run("--", "/bin/inside", "rights", box=name)
    inside = dict(re.findall(r"^ns (\w+):\[(\d+)\]", r.out, re.M))
    assert sorted(inside) == sorted(husk.NAMESPACES), r
    for ns in husk.NAMESPACES:
        same = os.readlink(f"/proc/self/ns/{ns}") == f"{ns}:[{inside[ns]}]"
        assert same == (ns in ("user", "time")), ns


def test_all_eight_namespaces(name):
    r = run("ns.user=new", "clock.monotonic=100d", "--", "/bin/inside", "rights", box=name)
    inside = dict(re.findall(r"^ns (\w+):\[(\d+)\]", r.out, re.M))
    assert r.status == 0 and sorted(inside) == sorted(husk.NAMESPACES), r
    for ns in husk.NAMESPACES:
        assert os.readlink(f"/proc/self/ns/{ns}") != f"{ns}:[{inside[ns]}]", ns
    uptime = run("clock.boottime=100d", "--", "/bin/cat", "/proc/uptime", box=name)
    assert float(uptime.out.split()[0]) > 100 * 86400, uptime


@pytest.mark.parametrize("ns", ["pid", "net", "ipc", "uts", "cgroup"])
def test_namespace_of_the_host(name, ns):
    r = run(f"ns.{ns}=host" if ns != "net" else "net=host", "--", "/bin/inside", "rights", box=name)
    assert r.status == 0, r
    assert f"ns {os.readlink(f'/proc/self/ns/{ns}')}" in r.out


def test_pid_1_is_husk_and_alone(name):
    r = run("user=root", "--", "/bin/sh", "-c", "for p in /proc/[0-9]*; do read -r n < $p/comm; echo ${p#/proc/} $n; done", box=name)
    seen = sorted(r.out.splitlines())
    assert seen[0] == "1 husk", r
    assert [s.split()[1] for s in seen] == ["husk", "sh"], r


def test_only_lo_and_it_is_up(name):
    r = run("--", "/bin/sh", "-c", "cat /proc/net/dev; ifconfig lo", box=name)
    assert husk.interface(r.out.split("lo  ")[0]) == ["lo"], r
    assert "UP LOOPBACK RUNNING" in r.out and "127.0.0.1" in r.out, r


def test_hostname(name):
    assert run("--", "/bin/hostname", box=name).out == f"{name}\n"
    r = run("hostname=gw1", "domainname=example", "--", "/bin/sh", "-c", "hostname; cat /proc/sys/kernel/domainname", box=name)
    assert r.out == "gw1\nexample\n", r


def test_default_environment(name):
    r = run("user=user", "--", "/bin/env", box=name, env={"PATH": os.environ["PATH"], "SECRET": "x", "LD_PRELOAD": "/x.so", "TERM": "vt100"})
    assert sorted(r.out.split()) == sorted(["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/home/user", "USER=user",
                                            "LOGNAME=user", "container=husk"]), r
    r = run("env=A=b c", "env=SECRET", "--", "/bin/env", box=name, env={"PATH": os.environ["PATH"], "SECRET": "x"})
    assert {"A=b c", "SECRET=x"} <= set(r.out.splitlines()), r


def test_cwd_and_umask(name):
    r = run("cwd=/tmp", "umask=027", "--", "/bin/sh", "-c", "pwd; umask", box=name)
    assert r.out == "/tmp\n0027\n", r
    r = run("cwd=/absent", "--", "/bin/true", box=name)
    assert r.status == 125 and "/absent" in r.err, r


def test_mounts_of_a_default_box(name):
    r = run("--", "/bin/cat", "/proc/self/mountinfo", box=name)
    table = {}
    for l in r.out.splitlines():
        f = l.split()
        table[f[4]] = (set(f[5].split(",")), f[f.index("-") + 1], "shared:" in l)
    assert "ro" in table["/"][0], r
    for path, kind in {"/proc": "proc", "/dev": "tmpfs", "/dev/pts": "devpts", "/dev/shm": "tmpfs", "/dev/mqueue": "mqueue",
                       "/sys": "sysfs", "/run": "tmpfs", "/tmp": "tmpfs"}.items():
        assert table[path][1] == kind, path
        assert "nosuid" in table[path][0], path
        assert path.startswith("/dev") or "nodev" in table[path][0], path
    assert {"nosuid", "noexec", "nodev"} <= table["/proc"][0]
    assert "ro" in table["/sys"][0]
    assert "ro" in table["/proc/sys"][0]
    assert not any(shared for _, _, shared in table.values())
    for path, (flags, _, _) in table.items():
        assert path.startswith("/dev") or "nodev" in flags, f"{path} has devices"


def test_root_is_read_only_and_tmp_is_not(name):
    r = run("user=root", "--", "/bin/sh", "-c", "touch /x; touch /etc/x; touch /tmp/x /run/x && echo ok", box=name)
    assert r.out == "ok\n" and r.err.count("Read-only file system") == 2, r


def test_root_rw(name, root):
    assert run("user=root", "--", "/bin/touch", "/new", box=name, root=f"{root}:rw").status == 0
    assert (root / "new").exists()


def test_root_of_the_host(name):
    r = run("--", "/bin/sh", "-c", "cat /etc/debian_version; touch /etc/x", box=name, root="/")
    assert r.out == husk.read("/etc/debian_version") and "Read-only" in r.err, r


def test_root_tmpfs(name):
    r = run("bind=/bin/busybox:/bin/busybox:exec", "--", "/bin/busybox", "ls", "/", box=name, root="tmpfs")
    assert r.status == 0 and "bin" in r.out.split(), r


def test_binds(name, tmp_path):
    tmp_path.chmod(0o755)
    (tmp_path / "d").mkdir()
    (tmp_path / "d/f").write_text("text\n")
    (tmp_path / "d").chmod(0o777)
    r = run(f"bind={tmp_path}/d:/mnt", f"bind={tmp_path}/d:/data:rw", "--", "/bin/sh", "-c",
            "cat /mnt/f; touch /mnt/x; touch /data/y && echo ok", box=name)
    assert r.out == "text\nok\n" and "Read-only" in r.err, r
    assert (tmp_path / "d/y").exists() and not (tmp_path / "d/x").exists()
    r = run(f"bind={tmp_path}/absent:/mnt", "--", "/bin/true", box=name)
    assert r.status == 125 and error_of(r, name) == "rootfs.sources", r
    r = run(f"?bind={tmp_path}/absent:/mnt", "--", "/bin/true", box=name)
    assert r.status == 0, r
    r = run(f"bind={tmp_path}/d:/absent", "--", "/bin/true", box=name)
    assert r.status == 125 and error_of(r, name) == "rootfs.mounts", r
    r = run(f"bind={tmp_path}/made:/data:rw,create=750", "user=1000", "--", "/bin/touch", "/data/z", box=name)
    assert r.status == 0, r
    s = (tmp_path / "made").stat()
    assert (s.st_uid, s.st_mode & 0o777) == (1000, 0o750)


def test_bind_of_a_file(name, tmp_path):
    tmp_path.chmod(0o755)
    (tmp_path / "f").write_text("mine\n")
    r = run(f"bind={tmp_path}/f:/etc/passwd", "--", "/bin/cat", "/etc/passwd", box=name)
    assert r.out == "mine\n", r


def test_recursive_bind_is_read_only_below_too(name, tmp_path):
    tmp_path.chmod(0o755)
    (tmp_path / "a/b").mkdir(parents=True)
    script = f"mount -t tmpfs none {tmp_path}/a/b && exec {husk.HUSK} run name={name} root={husk.ROOT} user=root " \
             f"bind={tmp_path}/a:/mnt:rec -- /bin/sh -c 'touch /mnt/x; touch /mnt/b/x'"
    r = husk.command("unshare", "-m", "sh", "-c", script)
    assert r.err.count("Read-only") == 2, r


def test_tmpfs_and_its_size(name):
    r = run("tmpfs=/data:64K,mode=1777", "--", "/bin/inside", "fill", "/data/f", box=name)
    assert r.out.startswith("wrote 65536: No space left"), r
    r = run("--", "/bin/sh", "-c", "inside fill /tmp/f; inside fill /run/f", box=name)
    assert all(int(n) <= 8 << 20 for n in re.findall(r"wrote (\d+)", r.out)) and r.out.count("No space") == 2, r


def test_devices_of_a_default_box(name):
    r = run("--", "/bin/sh", "-c", "ls /dev; echo x > /dev/null; head -c 4 /dev/zero | wc -c; head -c 8 /dev/urandom | wc -c; "
            "readlink /dev/fd; readlink /dev/stdin; echo x > /dev/full", box=name)
    have = set(r.out.split())
    assert {"null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts", "shm", "fd", "stdin", "stdout", "stderr"} <= have, r
    assert not have & {"mem", "kmsg", "vda", "console0", "port", "loop0", "kvm", "net"}
    assert "No space left" in r.err
    assert r.out.split()[-4:] == ["4", "8", "/proc/self/fd", "/proc/self/fd/0"] or "/proc/self/fd" in r.out, r


def test_device_key(name):
    r = run("device=/dev/kmsg:/dev/log0:r,mode=444", "--", "/bin/sh", "-c", "ls -l /dev/log0; ls /dev/kmsg", box=name)
    assert re.search(r"^cr--r--r--.* 1, +11 .*/dev/log0$", r.out, re.M) and "No such file" in r.err, r


def test_etc_copies(name):
    r = run("net=host", "--", "/bin/sh", "-c", "cat /etc/hosts", box=name, root="/")
    assert r.out == husk.read("/etc/hosts"), r


# ------------------------------------------------------------------ exit statuses

@pytest.mark.parametrize("part", range(4))
def test_every_exit_status(name, part):
    for code in range(part * 64, part * 64 + 64):
        r = run("--", "/bin/inside", "exit", code, box=name)
        assert r.status == code, r
        assert r.err == ""


def test_exit_status_is_one_byte(name):
    assert run("--", "/bin/inside", "exit", "0x1ff", box=name).status == 0xff
    assert run("--", "/bin/inside", "exit", "0x100", box=name).status == 0


DEADLY = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 24, 25, 26, 27, 29, 30, 31, 34, 64]


def test_death_by_every_signal(name):
    for n in DEADLY:
        r = run("rlimit.core=0", "--", "/bin/inside", "die", n, box=name)
        assert r.status == 128 + n, f"signal {n}: {r}"


def test_death_with_a_core_dump(name, tmp_path):
    tmp_path.chmod(0o777)
    r = run("rlimit.core=1M", f"bind={tmp_path}:/data:rw", "cwd=/data", "user=1000", "--", "/bin/inside", "die", "11", box=name)
    assert r.status == 139, r


def test_exit_137_is_not_a_kill(name):
    assert run("--", "/bin/inside", "exit", "137", box=name).status == 137


@pytest.mark.parametrize("argv,status,words", [
    (["/doesnotexist"], 127, "No such file or directory"),
    (["doesnotexist"], 127, "doesnotexist"),
    (["/etc"], 126, "Permission denied"),
    (["/etc/passwd"], 126, "Permission denied"),
    (["/mnt/text"], 126, "Exec format error"),
    (["/mnt/wrong"], 126, "Exec format error"),
    (["/mnt/loader"], 127, "No such file or directory"),
    (["/mnt/script"], 127, "No such file or directory"),
])
def test_what_cannot_be_executed(name, tmp_path, argv, status, words):
    tmp_path.chmod(0o755)
    (tmp_path / "text").write_text("no shebang\n")
    (tmp_path / "script").write_text("#!/absent/interpreter\n")
    elf = bytearray(husk.INSIDE.read_bytes())
    elf[18:20] = struct.pack("<H", 2)		# a SPARC
    (tmp_path / "wrong").write_bytes(elf)
    with open("/usr/bin/env", "rb") as f:	# its loader is not in this root
        (tmp_path / "loader").write_bytes(f.read())
    for f in tmp_path.iterdir():
        f.chmod(0o755)
    r = run(f"bind={tmp_path}:/mnt:exec", "--", *argv, box=name)
    assert r.status == status, r
    assert argv[0] in r.err and words in r.err and r.err.count("\n") == 1, r


@pytest.mark.parametrize("args", [
    [], ["frob"], ["run"], ["run", "nosuchkey=1", "--", "/bin/true"], ["run", "memory.max=16Q", "--", "/bin/true"],
    ["run", "-x", "--", "/bin/true"], ["run", "root=/"], ["run", "/nonexistent.conf"], ["check", "/nonexistent.conf"], ["help", "nosuchkey"],
    ["run", "-p"], ["run", "exec="], ["run", "name=../x", "--", "/bin/true"], ["run", "--"],
])
def test_usage_is_2(args):
    r = husk.husk(*args)
    assert r.status == 2 and r.err and r.out == "", r


def test_help_and_version():
    assert re.fullmatch(r"husk \d+\.\d+.*\n", husk.husk("version").out)
    assert husk.husk("--version").out == husk.husk("version").out
    r = husk.husk("help")
    assert r.status == 0 and "husk run" in r.out + r.err
    assert husk.husk("--help").out == husk.husk("-h").out == r.out
    assert husk.husk("frob").err == "husk: frob: no such verb - husk help\n"
    for words in ("learn", "-d", "web"), ("run", "-x"), ("filter", "-d", "web"), ("show", "-a"):
        r = husk.husk(*words)
        assert (r.status, r.err) == (2, f"husk: {words[0]}: {words[1]}: no such option - husk help {words[0]}\n"), r
    r = husk.husk("help", "memory.max")
    assert r.status == 0 and "memory.max" in r.out, r


def test_a_file_here_is_not_a_name():
    r = husk.husk("run", "web.conf")
    assert r.status == 2 and r.err == "/etc/husk/web.conf.conf: No such file or directory; web, or ./web.conf?\n", r


def test_a_directory_cannot_lie_on_a_file(name):
    r = run("bind=/tmp:/bin/inside", "--", "/bin/true", box=name)
    assert r.status == 125 and r.err.endswith("rootfs.mounts: /bin/inside: Not a directory - a directory cannot lie on a file\n"), r


def test_not_root_needs_a_run_directory(name):
    exe = tempfile.mkdtemp(dir="/tmp")
    try:
        os.chmod(exe, 0o755)
        shutil.copy(husk.HUSK, exe)
        r = husk.command(f"{exe}/husk", "run", f"name={name}", "ns.user=new", "--", "/bin/true", user=1000, group=1000, extra_groups=[], env={}, cwd="/")
    finally:
        shutil.rmtree(exe)
    assert r.status == 125 and "init.state: run directory /run/husk, which is not this user's alone (HUSK_RUN, or XDG_RUNTIME_DIR)" in r.err, r


def test_missing_root_is_125(name):
    r = husk.husk("run", f"name={name}", "root=/nonexistent/root", "--", "/bin/true")
    assert r.status == 125 and error_of(r, name) == "rootfs.sources", r


def test_unknown_user_is_125(name):
    r = run("user=nobody-here", "--", "/bin/true", box=name)
    assert r.status == 125 and error_of(r, name) == "caps.user", r
    assert "nobody-here" in r.err


def test_name_without_name(name):
    r = husk.husk("run", f"root={husk.ROOT}", "--", "/bin/hostname")
    assert re.fullmatch(r"hostname\.\d+\n", r.out), r


def test_a_limit_that_cannot_be_applied_stops_the_start(name):
    script = f"mount -t tmpfs none /sys/fs/cgroup && exec {husk.HUSK} run name={name} root={husk.ROOT} memory.max=32M -- /bin/inside exit 9"
    r = husk.command("unshare", "-m", "sh", "-c", script)
    assert r.status == 125 and error_of(r, name).startswith("cg."), r
    assert "memory" in r.err
    r = husk.command("unshare", "-m", "sh", "-c", script.replace("memory.max", "?memory.max"))
    assert r.status == 9, "with ? it goes on without it"


# ------------------------------------------------------------------------- limits

def controller_file(controller, v1, v2, box):
    """The file that holds this limit, wherever this machine has the controller."""
    if (husk.CGROUPS / "cgroup.controllers").exists():
        return husk.CGROUPS / "husk" / box / v2
    return husk.CGROUPS / controller / "husk" / box / v1


def test_limits_are_in_the_kernel(name):
    with husk.box("memory.max=32M", "pids.max=20", "cpu.max=50%", "cpu.weight=50", "--", "/bin/inside", "sleep", "20000", box=name) as p:
        assert husk.line(p) == "up"
        assert husk.read(controller_file("memory", "memory.limit_in_bytes", "memory.max", name)).strip() == str(32 << 20)
        assert husk.read(controller_file("pids", "pids.max", "pids.max", name)).strip() == "20"
        if (husk.CGROUPS / "cgroup.controllers").exists():
            assert husk.read(husk.CGROUPS / "husk" / name / "cpu.max").split() == ["50000", "100000"]
        else:
            d = husk.CGROUPS / "cpu/husk" / name
            assert int(husk.read(d / "cpu.cfs_quota_us")) * 2 == int(husk.read(d / "cpu.cfs_period_us"))
            assert 500 <= int(husk.read(d / "cpu.shares")) <= 520
        procs = husk.read(controller_file("memory", "cgroup.procs", "cgroup.procs", name)).split()
        assert len(procs) == 2, "PID 1 and the program"
        p.terminate()
        husk.status_of(p)


def test_memory_limit_kills(name):
    r = run("memory.max=16M", "memory.swap.max=0", "--", "/bin/inside", "memory", "64", box=name)
    assert r.status == 137, r


def test_pids_limit_holds(name):
    r = run("pids.max=20", "--", "/bin/inside", "bomb", "100", box=name)
    n = int(re.search(r"forked (\d+): Resource temporarily unavailable", r.out)[1])
    assert 16 <= n <= 18, r


def test_a_small_memory_limit_is_enough(name):
    r = run("memory.max=512K", "--", "/bin/inside", "exit", "4", box=name)
    assert r.status == 4, r


def test_rlimits(name):
    r = run("rlimit.nofile=100:200", "rlimit.nproc=50", "--", "/bin/sh", "-c", "ulimit -n; ulimit -Hn; ulimit -u; ulimit -c", box=name)
    assert r.out.split()[:2] == ["100", "200"] and r.out.split()[-1] == "0", r
    r = run("--", "/bin/sh", "-c", "ulimit -n; ulimit -Hn; ulimit -Hc", box=name)
    assert r.out.split() == ["1024", "4096", "0"], r


def test_scheduling(name):
    r = run("nice=7", "oom_score_adj=300", "affinity=0", "sched=batch", "--", "/bin/inside", "rights", box=name)
    assert r.status == 0, r
    assert "nice 7 sched 3" in r.out and "cpus 1" in r.out and "oom 300" in r.out, r


def test_caps_are_effective_for_any_user(name):
    bit = 1 << 10		# net_bind_service
    for user in ("1000", "root"):
        r = run(f"user={user}", "caps=net_bind_service", "--", "/bin/inside", "rights", box=name)
        s = husk.fields(r.out)
        assert r.status == 0, r
        assert int(s["CapEff"], 16) == int(s["CapPrm"], 16) == int(s["CapBnd"], 16) == bit, (user, s)


def test_sysctl(name):
    r = run("sysctl.net.ipv4.ip_forward=1", "--", "/bin/cat", "/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv4/ip_unprivileged_port_start", box=name)
    assert r.out == "1\n0\n", r
    r = run("sysctl.kernel.shmmni=", "--", "/bin/true", box=name)		# written, and no number
    assert r.status == 125 and r.err.endswith(": ns.sysctl: kernel.shmmni=: Invalid argument\n"), r


# ---------------------------------------------------- nothing is inherited (E8, A1, A4)

def odd_launcher():
    """Everything that a careless parent could leave to its child."""
    libc = ctypes.CDLL(None)
    for n in (signal.SIGINT, signal.SIGPIPE, signal.SIGHUP, signal.SIGTTOU, signal.SIGUSR2):
        signal.signal(n, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGUSR1, signal.SIGALRM, 40})
    os.umask(0o077)
    os.nice(5)
    os.sched_setaffinity(0, {0})
    libc.personality(0x0040000)
    with open("/proc/self/oom_score_adj", "w") as f:
        f.write("500")
    resource.setrlimit(resource.RLIMIT_CORE, (1 << 20, 1 << 20))
    resource.setrlimit(resource.RLIMIT_NOFILE, (2000, 5000))
    os.chdir("/usr")
    slash = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    procs = os.open(cgroup_file(), os.O_RDWR)
    for fd in range(10, 301):
        os.dup2(slash if fd % 2 else procs, fd, inheritable=True)
    os.dup2(slash, 3, inheritable=True)
    os.dup2(procs, 4, inheritable=True)


def cgroup_file():
    for top in husk.hierarchies():
        if (top / "cgroup.procs").exists():
            return top / "cgroup.procs"
    return "/proc/self/mem"


def test_nothing_is_inherited(name):
    r = run("--", "/bin/inside", "rights", box=name, preexec_fn=odd_launcher, close_fds=False, env={"EVIL": "1", "PATH": "/bin"})
    assert r.status == 0, r
    s = husk.fields(r.out)
    assert re.findall(r"^fd (\d+)", r.out, re.M) == ["0", "1", "2"]
    for mask in ("SigBlk", "SigIgn", "SigCgt"):
        assert int(s[mask], 16) == 0, mask
    assert "is not default" not in r.out
    assert s["Umask"] == "0022"
    assert "nice 0 sched 0 personality 0 " in r.out, r
    assert f"cpus {os.cpu_count()}" in r.out
    assert "oom 0" in r.out
    assert "cwd /\n" in r.out
    assert "rlimit 4 1 1" in r.out and "rlimit 7 1024 4096" in r.out, r


def test_pid_1_inherits_nothing_either(name):
    with husk.box("--", "/bin/inside", "sleep", "20000", box=name, preexec_fn=odd_launcher, close_fds=False) as p:
        assert husk.line(p) == "up"
        init = husk.init_of(p.pid)
        status = husk.fields(husk.read(f"/proc/{init}/status"))
        assert status["Umask"] in ("0000", "0022") and int(status["SigIgn"], 16) & ((1 << 1) | 1) == 0
        links = {fd: os.readlink(f"/proc/{init}/fd/{fd}") for fd in os.listdir(f"/proc/{init}/fd")}
        assert len(links) <= 8, links
        assert not [l for l in links.values() if l == "/" or "cgroup.procs" in l], links
        # the program may speak before its keeper has closed what only the start needed
        husk.wait_for(lambda: len(os.listdir(f"/proc/{p.pid}/fd")) <= 16)
        keeper = {fd: os.readlink(f"/proc/{p.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{p.pid}/fd")}
        assert len(keeper) <= 16, keeper
        inherited = {os.stat(f)[:3] for f in ("/", cgroup_file())}
        assert not [(fd, l) for fd, l in keeper.items() if os.stat(f"/proc/{p.pid}/fd/{fd}")[:3] in inherited], keeper
        assert os.readlink(f"/proc/{init}/cwd") == "/"
        caps = {k: int(v, 16) for k, v in status.items() if k.startswith("Cap")}
        assert caps["CapEff"] == caps["CapPrm"] == 1 << 5, "CAP_KILL and nothing else"
        assert caps["CapBnd"] == caps["CapInh"] == caps["CapAmb"] == 0
        assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
        p.terminate()
        husk.status_of(p)


def test_fds_just_before_the_program(name, tmp_path):
    """Not only closed by execve: at the moment of the call there is nothing to be reached."""
    if not husk.INJECT.exists():
        pytest.skip("the tracer is for x86_64 only")
    log = tmp_path / "log"
    r = husk.command(husk.INJECT, "-o", log, "list", "--", husk.HUSK, "run", f"name={name}", f"root={husk.ROOT}", "--", "/bin/true")
    assert r.status == 0, r
    fds = [l.split(" ", 3)[2:] for l in log.read_text().splitlines() if l.startswith("fd 2 ")]
    assert {"0", "1", "2"} <= {f for f, _ in fds}
    for _, link in fds[3:]:
        assert not link.startswith("/") or link == "/dev/null", fds
    assert len(fds) <= 5, fds


@pytest.mark.parametrize("fd", [0, 1, 2])
def test_stdio_that_is_a_directory_is_refused(name, fd):
    def launch():
        os.dup2(os.open("/", os.O_RDONLY | os.O_DIRECTORY), fd, inheritable=True)
    r = run("--", "/bin/inside", "exit", "9", box=name, preexec_fn=launch)
    assert r.status == 125, r


def test_stdio_that_is_a_path_descriptor_is_refused(name):
    def launch():
        os.dup2(os.open("/etc/passwd", os.O_PATH), 0, inheritable=True)
    r = run("--", "/bin/inside", "exit", "9", box=name, preexec_fn=launch)
    assert r.status == 125, r


@pytest.mark.parametrize("closed", [[0], [1], [2], [0, 1, 2]])
def test_closed_stdio_is_dev_null(name, tmp_path, closed):
    tmp_path.chmod(0o777)

    def launch():
        for fd in closed:
            os.close(fd)
    r = run(f"bind={tmp_path}:/data:rw", "--", "/bin/sh", "-c", "inside fds > /data/fds", box=name, preexec_fn=launch)
    assert r.status == 0, r
    got = dict(l.split()[1:3] for l in (tmp_path / "fds").read_text().splitlines())
    assert sorted(got) == ["0", "1", "2"]
    for fd in closed:
        if fd != 1:
            assert got[str(fd)] == "/dev/null", got


# --------------------------------------------------------------------- life of a box

def test_background_and_pid_file(name, tmp_path):
    pidfile = tmp_path / "pid"
    r = run("-d", "-p", pidfile, "--", "/bin/inside", "signals", box=name)
    assert r.status == 0, r
    keeper = int(pidfile.read_text())
    assert husk.tagged(name), "runs"
    assert os.getsid(keeper) == keeper or os.getsid(keeper) != os.getsid(0)
    os.kill(keeper, signal.SIGTERM)
    assert husk.wait_for(lambda: not husk.alive(keeper), 5)
    husk.nothing_left(name)


def test_background_reports_a_failed_start(name, tmp_path):
    r = run("-d", "-p", tmp_path / "pid", f"bind={tmp_path}/absent:/mnt", "--", "/bin/true", box=name)
    assert r.status == 125 and error_of(r, name) == "rootfs.sources", r
    assert not (tmp_path / "pid").exists()
    r = run("-d", "--", "/absent", box=name)
    assert r.status == 127, r
    assert husk.husk("stop", name).status == 0		# that it failed stays until then


@pytest.mark.parametrize("background", [[], ["-d"]])
def test_a_pid_file_that_cannot_be_made_is_125(name, tmp_path, background):
    r = run(*background, "-p", tmp_path / "no/pid", "--", "/bin/inside", "sleep", "20000", box=name)
    assert r.status == 125 and r.err == f"husk: {name}: init.pidfile: {tmp_path}/no/pid: No such file or directory\n", r


def test_a_pid_file_of_a_failed_start_is_left_alone(name, tmp_path):
    (tmp_path / "pid").write_text("1\n")
    r = run("-p", tmp_path / "pid", f"bind={tmp_path}/absent:/mnt", "--", "/bin/true", box=name)
    assert r.status == 125 and (tmp_path / "pid").read_text() == "1\n", r


def test_a_pid_file_that_nobody_reads_stops_the_box(name, tmp_path):
    os.mkfifo(tmp_path / "pid")
    r = run("-p", tmp_path / "pid", "--", "/bin/inside", "sleep", "20000", box=name)
    assert f"{tmp_path}/pid: No such device or address" in r.err


def test_a_run_directory_that_survives_a_boot(name):
    """It is not in memory: the state file says of which boot it speaks."""
    home = pathlib.Path(tempfile.mkdtemp(dir="/var/tmp"))
    state = home / "h" / name / "state"
    try:
        with husk.box("--", "/bin/inside", "sleep", "20000", box=name, env={**os.environ, "HUSK_RUN": str(home / "h")}) as p:
            assert husk.wait_for(lambda: state.exists() and "init=" in state.read_text())
            assert "boot=" + husk.read("/proc/sys/kernel/random/boot_id").strip() in state.read_text().splitlines()
            p.terminate()
            p.wait(10)
        assert not state.exists()
    finally:
        shutil.rmtree(home)


def test_pid_file_in_the_foreground(name, tmp_path):
    with husk.box("-p", tmp_path / "pid", "--", "/bin/inside", "sleep", "20000", box=name) as p:
        assert husk.line(p) == "up"
        assert husk.wait_for(lambda: husk.read(tmp_path / "pid").strip() == str(p.pid))
        p.terminate()
        husk.status_of(p)


def test_second_start_of_a_name(name):
    with husk.box("--", "/bin/inside", "sleep", "20000", box=name) as p:
        assert husk.line(p) == "up"
        r = run("--", "/bin/true", box=name)
        assert r.status == 125 and error_of(r, name) == "init.state", r
        assert "running" in r.err
        assert husk.alive(p.pid) and husk.cgroup_dirs(name)
        p.terminate()
        husk.status_of(p)
    assert run("--", "/bin/true", box=name).status == 0


def test_stop_by_term(name):
    with husk.box("--", "/bin/inside", "signals", box=name) as p:
        assert husk.line(p) == "ready"
        p.terminate()
        assert husk.line(p) == "got 15"
        assert husk.status_of(p) == 7
    husk.nothing_left(name)


def test_stop_by_int(name):
    """It is a stop as well, and arrives as what it is."""
    with husk.box("stop.timeout=300ms", "--", "/bin/inside", "signals", "2", box=name) as p:
        assert husk.line(p) == "ready"
        p.send_signal(signal.SIGINT)
        assert husk.line(p) == "got 2"
        assert husk.status_of(p) == 7
    with husk.box("stop.timeout=300ms", "--", "/bin/inside", "ignore", box=name) as p:
        assert husk.line(p) == "ready"
        p.send_signal(signal.SIGINT)
        assert husk.status_of(p) == 137


def test_stop_signal(name):
    with husk.box("stop.signal=USR1", "--", "/bin/inside", "signals", "10", box=name) as p:
        assert husk.line(p) == "ready"
        p.terminate()
        assert husk.line(p) == "got 10"
        assert husk.status_of(p) == 7


def test_stop_timeout(name):
    with husk.box("stop.timeout=500ms", "--", "/bin/inside", "ignore", "4", box=name) as p:
        assert husk.line(p) == "ready"
        began = time.monotonic()
        p.terminate()
        assert husk.status_of(p) == 137
        assert 0.4 < time.monotonic() - began < 5
    husk.nothing_left(name)


def test_stop_of_a_stopped_program(name):
    with husk.box("stop.timeout=500ms", "--", "/bin/inside", "signals", box=name) as p:
        assert husk.line(p) == "ready"
        init = husk.init_of(p.pid)
        os.kill(husk.children(init)[0], signal.SIGSTOP)
        began = time.monotonic()
        p.terminate()
        assert husk.status_of(p) in (7, 137)
        assert time.monotonic() - began < 5


def test_stop_twice(name):
    with husk.box("stop.timeout=1s", "--", "/bin/inside", "ignore", box=name) as p:
        assert husk.line(p) == "ready"
        p.terminate()
        time.sleep(0.05)
        p.terminate()
        assert husk.status_of(p) == 137


def test_program_that_changes_its_own_uid_gets_term(name):
    with husk.box("user=root", "caps=setuid,setgid", "--", "/bin/inside", "setuid", "33", box=name) as p:
        assert husk.line(p) == "uid 33"
        assert husk.line(p) == "ready"
        p.terminate()
        assert husk.line(p) == "got 15"
        assert husk.status_of(p) == 7


@pytest.mark.parametrize("delay", [0, 0.001, 0.003, 0.01, 0.05])
def test_killed_keeper(name, delay):
    with husk.box("memory.max=32M", "--", "/bin/inside", "ignore", "3", box=name) as p:
        if delay:
            time.sleep(delay)
        else:
            assert husk.line(p) == "ready"
        p.kill()
        assert husk.status_of(p) == 137
        assert husk.wait_for(lambda: not husk.tagged(name)), husk.left(name)
        state = "".join(husk.read(f) for f in (husk.RUNDIR / name).glob("*")) if (husk.RUNDIR / name).is_dir() else ""
        for d in husk.cgroup_dirs(name):
            assert "husk/" + name in state, f"{d} is not in the state file: {state!r}"
    r = run("memory.max=32M", "--", "/bin/inside", "exit", "6", box=name)
    assert r.status == 6, r
    husk.nothing_left(name)


def test_killed_init_is_137(name):
    with husk.box("--", "/bin/inside", "signals", box=name) as p:
        assert husk.line(p) == "ready"
        os.kill(husk.init_of(p.pid), signal.SIGKILL)
        assert husk.status_of(p) == 137
    husk.nothing_left(name)


def test_two_boxes_at_once(name):
    other = name + "b"
    with husk.box("--", "/bin/inside", "signals", box=name) as a, husk.box("--", "/bin/inside", "signals", box=other) as b:
        assert husk.line(a) == "ready" and husk.line(b) == "ready"
        ids = [husk.read(f"/proc/{husk.children(husk.init_of(p.pid))[0]}/status") for p in (a, b)]
        uids = [husk.fields(i)["Uid"].split()[0] for i in ids]
        assert uids[0] != uids[1]
        a.kill()
        husk.status_of(a)
        assert husk.wait_for(lambda: not husk.tagged(name))
        assert husk.alive(b.pid) and husk.tagged(other)
        b.terminate()
        assert husk.status_of(b) == 7
    assert run("--", "/bin/true", box=name).status == 0
    husk.nothing_left(other)


def test_many_starts_in_parallel(name):
    ps = [husk.start("--", "/bin/inside", "exit", str(i), box=f"{name}-{i}") for i in range(24)]
    assert [husk.status_of(p, 20) for p in ps] == list(range(24))
    for i, p in enumerate(ps):
        p.stdout.close()
        p.stderr.close()
        husk.nothing_left(f"{name}-{i}")


def test_program_that_forks_and_leaves(name):
    with husk.box("stop.timeout=500ms", "--", "/bin/sh", "-c", "inside ignore & sleep 0.2; exit 3", box=name) as p:
        assert husk.status_of(p) == 3
    husk.nothing_left(name)


def test_run_from_a_file(name, tmp_path):
    conf = tmp_path / f"{name}.conf"
    conf.write_text(f"# a box\nexec=/bin/sh -c \"hostname; exit 4\"\nroot={husk.ROOT}\nmemory.max=32M\n?pids.max=30\n")
    r = husk.husk("run", conf)
    assert (r.status, r.out) == (4, f"{name}\n"), r
    r = husk.husk("run", conf, "hostname=other", "--", "/bin/hostname")
    assert r.out == "other\n", r


def test_show_and_plan(name, tmp_path):
    conf = tmp_path / f"{name}.conf"
    conf.write_text(f"exec=/bin/true\nroot={husk.ROOT}\n")
    first = husk.husk("show", conf)
    assert first.status == 0 and "exec=/bin/true" in first.out, first
    again = tmp_path / "again" / f"{name}.conf"
    again.parent.mkdir()
    again.write_text(first.out)
    said = [l for l in first.out.splitlines() if not l.startswith("#")]
    assert said == [l for l in husk.husk("show", again).out.splitlines() if not l.startswith("#")]
    plan = husk.husk("plan", conf)
    assert plan.status == 0 and "rootfs.pivot" in plan.out and "filter.load" in plan.out, plan
    assert not (husk.RUNDIR / name).exists()


def test_stdin_reaches_the_program(name):
    r = run("--", "/bin/cat", box=name, text="hello\n")
    assert (r.status, r.out) == (0, "hello\n"), r


def pss(*processes):
    """kB of memory of these, each page counted by its share."""
    return sum(int((re.findall(r"^Pss: +(\d+) kB", husk.read(f"/proc/{p}/smaps_rollup"), re.M) or ["0"])[0]) for p in processes)


def test_idle_box_is_small(name):
    """Its keeper and its PID 1 together, in the background with a log, and in the foreground."""
    with husk.box("--", "/bin/inside", "sleep", "20000", box=name) as p:
        assert husk.line(p) == "up"
        who = p.pid, husk.init_of(p.pid)
        assert husk.wait_for(lambda: 0 < pss(*who) <= 100), pss(*who)
        p.terminate()
        husk.status_of(p)
    assert husk.husk("start", f"name={name}", f"root={husk.ROOT}", "--", "/bin/sh", "-c", "echo up; sleep 1000").status == 0
    keeper = int(re.search(r"^keeper=(\d+)", husk.read(husk.RUNDIR / name / "state"), re.M)[1])
    who = keeper, husk.init_of(keeper)
    assert husk.wait_for(lambda: 0 < pss(*who) <= 100), pss(*who)
    assert husk.husk("stop", name).status == 0


def test_idle_box_sleeps(name):
    with husk.box("--", "/bin/inside", "sleep", "30000", box=name) as p:
        assert husk.line(p) == "up"
        assert husk.sleeps(3, p.pid, husk.init_of(p.pid))
        p.terminate()
        husk.status_of(p)


def test_calls_of_a_start(name, tmp_path):
    if not husk.INJECT.exists():
        pytest.skip("the tracer is for x86_64 only")
    log = tmp_path / "log"
    r = husk.command(husk.INJECT, "-o", log, "list", "--", husk.HUSK, "run", f"name={name}", f"root={husk.ROOT}",
                     "memory.max=32M", "pids.max=64", "--", "/bin/true")
    assert r.status == 0, r
    calls = [l.split()[1] for l in log.read_text(errors="replace").splitlines() if l.startswith("call ")]
    by_role = {role: calls.count(role) for role in sorted(set(calls))}
    held = int(re.search(r"^calls +\d+ +(\d+)", (husk.TOP / "test/bars.txt").read_text(), re.M)[1])
    late = 24 if "box.new" in log.read_text(errors="replace") else 0		# it took longer than a tenth of a second: it has a door, is saved, and forgotten; what it was denied is unlinked
    assert len(calls) <= held + late, by_role


# --------------------------------------------------------------------------- terminal

def on_terminal(name, *words):
    return husk.Terminal("run", f"name={name}", f"root={husk.ROOT}", "tty=yes", *words, size=(33, 101))


@pytest.fixture
def terminal(name):
    made = []

    def make(*words):
        made.append(on_terminal(name, *words))
        return made[-1]
    yield make
    for t in made:
        t.close()


def test_tty(terminal):
    t = terminal("--", "/bin/inside", "tty")
    m = t.expect(r"isatty 111 name (\S+) leader 1 foreground 1 size (\d+)x(\d+) tioclinux (\S+)")
    assert m[1] in ("/dev/pts/0", "/dev/console")
    assert (m[2], m[3]) == ("33", "101")
    assert m[4] != "ok", "TIOCSTI"
    assert t.end() == 0
    assert not t.raw()


def test_tty_belongs_to_the_user(terminal):
    t = terminal("user=1000", "--", "/bin/sh", "-c", "stat -c '%u mode %a' $(tty); echo again > $(tty)")
    t.expect(r"1000 mode 6[02]0")
    t.expect("again")
    assert t.end() == 0


def test_ctrl_c(terminal):
    t = terminal("--", "/bin/sh", "-c", "echo up; sleep 30")
    t.expect("up")
    t.type("\x03")
    assert t.end() == 130
    assert not t.raw()


def test_job_control(terminal):
    t = terminal("--", "/bin/sh", "-i")
    t.type("echo flags-$-\r")
    assert "m" in t.expect(r"flags-(\w+)")[1]
    t.type("sleep 30\r")
    time.sleep(0.3)
    t.type("\x1a")
    t.expect("Stopped")
    t.type("jobs\r")
    t.expect(r"Stopped +sleep 30")
    t.type("fg\r")
    time.sleep(0.2)
    t.type("\x03")
    t.type("echo again-$?\r")
    t.expect("again-130")
    t.type("exit 9\r")
    assert t.end() == 9


def test_window_size_follows(terminal):
    t = terminal("--", "/bin/sh", "-c", "echo up; trap 'stty size; exit 3' WINCH; while :; do sleep 0.05; done")
    t.expect("up")
    time.sleep(0.2)
    t.size(11, 44)
    t.expect("11 44")
    assert t.end() == 3


def test_end_of_file_on_a_tty(terminal):
    t = terminal("--", "/bin/sh", "-c", "stty -echo; echo up; tac")
    t.expect("up")
    t.type("1\r2\r3\r\x04")
    t.expect("3\r\n2\r\n1\r\n")
    assert t.end() == 0


def test_hang_up_ends_the_box(name):
    t = on_terminal(name, "--", "/bin/inside", "sleep", "30000")
    t.expect("up")
    os.close(t.slave)
    os.close(t.master)
    assert husk.status_of(t.p, 8) != 0
    husk.nothing_left(name)


def test_tty_without_a_terminal(name):
    r = run("tty=yes", "--", "/bin/inside", "tty", box=name)
    assert "isatty 1" in r.out or r.status == 125, r


def test_output_survives_a_full_pipe(name):
    with husk.box("--", "/bin/sh", "-c", "head -c 300000 /dev/zero; exit 5", box=name) as p:
        time.sleep(0.3)
        assert len(p.stdout.read()) == 300000
        assert husk.status_of(p) == 5


def test_a_second_start_leaves_the_first_alone(name):
    with husk.box("--", "/bin/inside", "sleep", "20000", box=name) as p:
        state = husk.RUNDIR / name / "state"
        assert husk.wait_for(lambda: state.exists() and "state=running" in state.read_text())
        was = state.read_text()
        r = run("--", "/bin/true", box=name)
        assert r.status == 125 and "is running already - husk restart, or husk exec" in r.err
        assert state.read_text() == was
        p.terminate()
        p.wait(10)
    assert not state.exists()
