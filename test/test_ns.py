"""The eight namespaces: new, host, joined; maps, clocks, names; and whose they are."""
import atexit
import fcntl
import os
import re
import shutil
import signal
import subprocess

import pytest

import husk
from husk import run

NOBODY = 43210		# no user of this machine


def inside(r):
    assert r.status == 0, r
    return dict(re.findall(r"^ns (\w+):\[(\d+)\]", r.out, re.M))


def of(pid, ns):
    return re.search(r"\d+", os.readlink(f"/proc/{pid}/ns/{ns}"))[0]


def maps(r):
    """uid_map and gid_map, printed one after the other."""
    assert r.status == 0, r
    return [tuple(map(int, l.split())) for l in r.out.splitlines()]


CAT = ("--", "/bin/cat", "/proc/self/uid_map", "/proc/self/gid_map")


# ----------------------------------------------------------------- user namespace

def test_auto_map_is_a_range_of_the_box_s_own(name):
    first = maps(run("ns.user=new", *CAT, box=name))
    assert len(first) == 2 and first[0] == first[1]
    assert first[0][0] == 0 and first[0][1] >= 1 << 28 and first[0][2] == 65536
    assert maps(run("ns.user=new", *CAT, box=name)) == first, "the same at every start"
    with husk.box("ns.user=new", "user=5", "--", "/bin/inside", "sleep", "20000", box=name) as p:
        assert husk.line(p) == "up"
        other = maps(run("ns.user=new", *CAT, box=name + "b"))
        assert other[0][1] != first[0][1]
        init = husk.init_of(p.pid)
        assert husk.fields(husk.read(f"/proc/{init}/status"))["Uid"].split()[0] == str(first[0][1]), "PID 1 is the box's root"
        program = husk.children(init)[0]
        assert husk.fields(husk.read(f"/proc/{program}/status"))["Uid"].split()[0] == str(first[0][1] + 5)
        p.terminate()
        husk.status_of(p)


def test_two_boxes_with_one_number_do_not_share(name):
    """Names that fall on the same number: the later one takes the next."""
    link = husk.RUNDIR / f".uid.{61184 + (maps(run('ns.user=new', *CAT, box=name))[0][1] - (1 << 28)) // 65536}"
    other = husk.RUNDIR / (name + "-other")
    other.mkdir()
    (other / "state").write_text("version=1\n")
    keeper = os.open(other, os.O_RDONLY)
    fcntl.flock(keeper, fcntl.LOCK_EX)
    os.symlink(other.name, link)
    try:
        moved = maps(run("ns.user=new", *CAT, box=name))[0][1]
        assert link.is_symlink(), "its owner lives"
    finally:
        os.close(keeper)
    back = maps(run("ns.user=new", *CAT, box=name))[0][1]
    assert back != moved and not other.exists() and not link.is_symlink(), "the dead one's number comes back, and what it left is gone"
    assert maps(run("ns.user=new", *CAT, box=name))[0][1] != moved


COUNTS = """
import ctypes, os, resource
libc, fds = ctypes.CDLL(None), []
while len(fds) < 200 and (fd := libc.inotify_init1(0)) >= 0:
    fds.append(fd)
print(len(fds), *resource.getrlimit(12), *resource.getrlimit(11))
"""


@pytest.mark.skipif(not os.path.exists("/usr/bin/python3"), reason="no python3 of the system")
@pytest.mark.parametrize("words", [[], ["user=root"]])
def test_what_counts_as_the_maker_s_is_not_used_up(name, words):
    """Root outside has 128 inotify instances for all that he runs, and so much room for signals and queues."""
    import resource
    r = run("ns.user=new", *words, "--", "/usr/bin/python3", "-S", "-c", COUNTS, box=name, root="/")
    signals = resource.getrlimit(resource.RLIMIT_SIGPENDING)[1] // 4
    assert r.status == 0 and r.out.split() == ["32", "204800", "204800", str(signals), str(signals)], r
    assert "2048\n" == run("ns.user=new", "--", "/bin/cat", "/proc/sys/user/max_inotify_watches", box=name, root="/").out
    r = run("--", "/bin/cat", "/proc/sys/user/max_inotify_instances", box=name, root="/")
    assert r.out == husk.read("/proc/sys/user/max_inotify_instances"), r


def test_auto_map_has_the_user(name):
    r = maps(run("ns.user=new", "user=5000000:7", *CAT, box=name))
    assert r[0][:1] + r[0][2:] == (0, 65535) and r[1] == (5000000, r[0][1] + 65535, 1) and r[2] == (0, r[0][1], 65536)


def test_map_as_written(name):
    words = ["ns.user=new", "uidmap=0:300000:10,1000:400000:5", "gidmap=0:300000:2000"]
    r = run(*words, "user=1003", *CAT, box=name)
    assert maps(r) == [(0, 300000, 10), (1000, 400000, 5), (0, 300000, 2000)]
    assert run(*words, "user=50", *CAT, box=name).status == 2, "nobody is 50"


def test_map_moves_root_elsewhere(name):
    r = run("ns.user=new", "uidmap=0:300005:1,6:300000:3", "gidmap=0:300005:1,6:300000:3", "user=7", "--", "/bin/inside", "rights", box=name)
    assert r.status == 0 and husk.fields(r.out)["Uid"].split()[0] == "7", r


# -------------------------------------------------------------------- without root

@pytest.fixture
def nobody(tmp_path_factory):
    """A caller who is not root, in groups of his own, with a run directory."""
    d = tmp_path_factory.mktemp("nobody")
    os.chown(d, NOBODY, NOBODY)
    for up in (d, *d.parents):
        if not up.stat().st_mode & 1 and str(up) != "/":
            up.chmod(up.stat().st_mode | 0o111)
    env = {"HUSK_RUN": str(d / "run"), "PATH": os.environ["PATH"]}

    def call(*words, **more):
        return husk.command(husk.HUSK, "run", f"root={husk.ROOT}", "ns.user=new", *words, user=NOBODY, group=NOBODY,
                            extra_groups=[4, 20], env=env, **more)
    r = call("--", "/bin/true")
    if r.status == 125 and re.search(r"ns\.(clone|idmap)", r.err):
        pytest.skip(f"no user namespaces without root here: {r.err}")
    yield call, d


@pytest.mark.parametrize("user, uid", [("auto", NOBODY), ("root", 0), ("1000", 1000), ("www-data", 33)])
def test_unprivileged(nobody, user, uid):
    call, _ = nobody
    r = call(f"user={user}", "--", "/bin/sh", "-c", "inside rights; cat /proc/self/uid_map; cat /proc/self/setgroups")
    s = husk.fields(r.out)
    assert r.status == 0, r
    assert s["Uid"].split() == [str(uid)] * 4 and [uid, NOBODY, 1] in [list(map(int, l.split())) for l in r.out.splitlines() if re.fullmatch(r"[\d ]+", l)]
    assert r.out.splitlines()[-1] == "deny"
    for c in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(s[c], 16) == 0, c


def test_e1_a_group_that_keeps_out_still_does(nobody):
    call, d = nobody
    f = d / "shared"
    f.mkdir()
    (f / "file").write_text("secret\n")
    os.chown(f / "file", 0, 20)
    (f / "file").chmod(0o707)
    r = call("user=root", f"bind={f}:/mnt", "--", "/bin/sh", "-c", "cat /mnt/file; setgroups 2>&1; chroot --groups= / true; cat /mnt/file")
    assert "secret" not in r.out, r


def test_unprivileged_cannot_have_groups_or_ranges(nobody):
    call, _ = nobody
    assert call("groups=5", "--", "/bin/true").status in (2, 125)
    r = call("uidmap=0:100000:65536", "gidmap=0:100000:65536", "--", "/bin/true")
    assert r.status in (0, 2, 125)
    if r.status == 125:
        assert "ns.idmap: " in r.err and "newuidmap" in r.err, r


def test_unprivileged_single_map_as_written(nobody):
    call, _ = nobody
    r = call(f"uidmap=0:{NOBODY}:1", f"gidmap=0:{NOBODY}:1", "user=root", "--", "/bin/cat", "/proc/self/uid_map", "/proc/self/gid_map")
    assert maps(r) == [(0, NOBODY, 1), (0, NOBODY, 1)]


def test_newuidmap_is_asked_for_ranges(nobody):
    """One that only notes how it was called, on a /usr/bin that nobody else sees."""
    _, d = nobody
    for n in ("upper", "work"):
        (d / n).mkdir()
    (d / "upper/newuidmap").write_text(f"#!/bin/sh\necho $# $2 $3 $4 $5 $6 $7 env=$(env | grep -c HUSK) >>{d}/log\nexit 1\n")
    (d / "upper/newuidmap").chmod(0o755)
    r = husk.command("unshare", "-m", "sh", "-c",
                     f"mount -t overlay -o lowerdir=/usr/bin,upperdir={d}/upper,workdir={d}/work none /usr/bin || exit 77;"
                     f" HUSK_RUN={d}/run exec setpriv --reuid {NOBODY} --regid {NOBODY} --clear-groups"
                     f" {husk.HUSK} run root={husk.ROOT} ns.user=new user=5 uidmap=0:100000:10,10:200000:5 gidmap=0:100000:10 -- /bin/true")
    if r.status == 77:
        pytest.skip("no overlay here")
    assert r.status == 125 and "ns.idmap: /usr/bin/newuidmap" in r.err, r
    assert (d / "log").read_text() == "7 0 100000 10 10 200000 5 env=0\n"


@pytest.fixture
def ranges(nobody):
    """Runs boxes of nobody, who may give away 2000 numbers of uids and of gids by the real helpers."""
    if not os.path.exists("/usr/bin/newuidmap"):
        pytest.skip("no newuidmap: the package uidmap")
    _, d = nobody
    (d / "passwd").write_text(f"root:x:0:0::/:/bin/sh\nsomebody:x:{NOBODY}:{NOBODY}::/:/bin/sh\n")
    (d / "sub").write_text("somebody:500000:2000\n")

    def call(*words):
        return husk.command("unshare", "-m", "sh", "-c",
                            f"mount --bind {d}/passwd /etc/passwd && mount --bind {d}/sub /etc/subuid && mount --bind {d}/sub /etc/subgid &&"
                            f" HUSK_RUN={d}/run exec setpriv --reuid {NOBODY} --regid {NOBODY} --clear-groups \"$@\"",
                            "sh", husk.HUSK, "run", f"root={husk.ROOT}", "ns.user=new", *words)
    for f in ("subuid", "subgid"):
        if not os.path.exists(f"/etc/{f}"):
            pytest.skip(f"no /etc/{f}")
    return call


def test_ranges_by_newuidmap(ranges):
    """The real helpers: root of the box is a number that is not the caller's, and groups can be set."""
    r = ranges("uidmap=0:500000:1000,1000:43210:1", "gidmap=0:500000:1500", "user=5:6", "groups=7", "--", "/bin/sh", "-c",
               "cat /proc/self/uid_map /proc/self/gid_map; inside rights")
    assert r.status == 0 and [tuple(map(int, l.split())) for l in r.out.splitlines()[:3]] == [
        (0, 500000, 1000), (1000, NOBODY, 1), (0, 500000, 1500)], r
    s = husk.fields(r.out)
    assert s["Uid"].split() == ["5"] * 4 and s["Gid"].split() == ["6"] * 4 and s["Groups"].split() == ["7"], r
    assert int(s["CapEff"], 16) == 0 and s["NoNewPrivs"] == "1"


def test_ranges_that_are_not_one_s_own(ranges):
    r = ranges("uidmap=0:500000:3000", "gidmap=0:500000:1000", "user=5", "--", "/bin/true")
    assert r.status == 125 and "ns.idmap: /usr/bin/newuidmap did not do it" in r.err, r


# ------------------------------------------------------------------------ joining

@pytest.fixture
def running(name):
    """A box to join, with seven of its own and the host's users: its name, its PID 1, its keeper."""
    with husk.box("hostname=there", "clock.boottime=30d", "--", "/bin/inside", "sleep", "20000", box=name) as p:
        assert husk.line(p) == "up"
        yield name, husk.init_of(p.pid)
        p.terminate()
        husk.status_of(p)


def key_of(ns):
    return "net" if ns == "net" else f"ns.{ns}"


def theirs(init):
    """What its program is in: PID 1 itself stays in the clock of outside."""
    return {n: of(husk.children(init)[0], n) for n in husk.NAMESPACES}


@pytest.mark.parametrize("by", ["box", "path"])
@pytest.mark.parametrize("ns", husk.NAMESPACES)
def test_join(name, ns, by):
    """One of the eight of a box that has all of its own, and none of the others. With its mounts come its processes,
    or there is no /proc to look into."""
    with husk.box("ns.user=new", "hostname=there", "clock.boottime=30d", "--", "/bin/inside", "sleep", "20000", box=name) as p:
        assert husk.line(p) == "up"
        init = husk.init_of(p.pid)
        it, program = theirs(init), husk.children(init)[0]
        assert len(set(it.values()) - {of("self", n) for n in husk.NAMESPACES}) == 8
        joined = {ns} | ({"pid"} if ns == "mnt" else set())
        words = [f"{key_of(n)}={f'box:{name}' if by == 'box' else f'/proc/{program}/ns/{n}'}" for n in joined]
        r = run(*words, *(["mounts=none", "etc=none"] if ns == "mnt" else []), "--", "/bin/inside", "rights", box=name + "b",
                root=None if ns == "mnt" else husk.ROOT)
        got, s = inside(r), husk.fields(r.out)
        for n in husk.NAMESPACES:
            assert (got[n] == it[n]) == (n in joined), (n, r)
            assert (got[n] == of("self", n)) == (n in {"user", "time"} - joined), (n, r)
        assert int(s["CapEff"], 16) == int(s["CapBnd"], 16) == 0 and (s["NoNewPrivs"], s["Seccomp"]) == ("1", "2"), r
        husk.nothing_left(name + "b")
        p.terminate()
        husk.status_of(p)


def test_join_the_mounts_of_a_box(name):
    """Who the user is stands in its /etc/passwd; what is hidden there is hidden, and nothing is mounted for us."""
    passwd = "echo who:x:4321:4322::/srv:/bin/sh >/srv/passwd; echo who:x:4322: >/srv/group; chmod 755 /srv"
    with husk.box("user=root", "tmpfs=/srv:1M", "--", "/bin/sh", "-c", f"{passwd}; ln -s /srv/passwd /srv/group /tmp; exec inside sleep 20000", box=name,
                  root=joined_root()) as p:
        assert husk.line(p) == "up"
        init = husk.init_of(p.pid)
        before = husk.read(f"/proc/{init}/mountinfo")
        words = [f"ns.mnt=box:{name}", f"ns.pid=box:{name}", "mounts=none", "etc=none", "user=who", "cwd=/srv"]
        r = run(*words, "--", "/bin/sh", "-c", "inside rights; pwd; head -n 1 passwd; cat /proc/kcore /proc/timer_list | wc -c; echo >/proc/sys/kernel/hostname", box=name + "b", root=None)
        s = husk.fields(r.out)
        assert s["Uid"].split() == ["4321"] * 4 and s["Gid"].split() == ["4322"] * 4, r
        assert r.out.splitlines()[-3:] == ["/srv", "who:x:4321:4322::/srv:/bin/sh", "0"] and "Read-only file system" in r.err, r
        assert husk.read(f"/proc/{init}/mountinfo") == before
        for more in ("root=/usr", "bind=/usr:/mnt", "tty=yes"):
            r = run(*words, more, "--", "/bin/true", box=name + "b", root=None)
            assert r.status == 2 and f"this box has another's mounts (ns.mnt=box:{name})" in r.err, r
        p.terminate()
        husk.status_of(p)


def joined_root():
    """Names of users lead to where a box can write its own."""
    root = husk.OUT / f"root-joined.{os.getpid()}"
    if not root.exists():
        husk.make_root(root)
        for f in ("passwd", "group"):
            (root / "etc" / f).unlink()
            (root / "etc" / f).symlink_to(f"/srv/{f}")
        atexit.register(shutil.rmtree, root)
    return root


def test_join_all_eight_of_a_box(running, name):
    """As husk exec does it; the clock is that of its program."""
    other, init = running
    it = theirs(init)
    r = run(*[f"{key_of(n)}=box:{other}" for n in husk.NAMESPACES], "mounts=none", "etc=none", "--", "/bin/sh", "-c", "inside rights; cut -d. -f1 /proc/uptime; hostname",
            box=other + "b", root=None)
    assert inside(r) == it, r
    up, hostname = r.out.splitlines()[-2:]
    assert int(up) > 30 * 86400 and hostname == "there", r


def test_join_processes_that_may_be_traced(running):
    """PID 1 of what starts there has all rights of root for a while; by hand it was taken after nine starts."""
    other, init = running

    def joins(box, *words):
        return run(f"ns.pid=box:{box}", *words, "--", "/bin/true", box=other + "b")
    assert joins(other).status == 0
    with husk.box("caps=sys_ptrace", "--", "/bin/inside", "sleep", "20000", box=other + "c") as p:
        assert husk.line(p) == "up"
        for more in ([], ["ns.user=new"]):
            r = joins(other + "c", *more)
            assert r.status == 125 and f"{other}c is in that pid namespace with caps=sys_ptrace" in r.err, (more, r)
        r = run(f"ns.pid=/proc/{husk.init_of(p.pid)}/ns/pid", "--", "/bin/true", box=other + "b")
        assert r.status == 125 and "caps=sys_ptrace" in r.err, r
        p.terminate()
        husk.status_of(p)
    for users in ([], [f"ns.user=box:{other}"]):		# which may be the host's
        r = joins(other, "caps=sys_ptrace", *users)
        assert r.status == 2 and f"caps: sys_ptrace could take what else starts with ns.pid=box:{other}" in r.err, r
    with husk.box(f"ns.user=box:{other}", "caps=sys_ptrace", "--", "/bin/inside", "sleep", "20000", box=other + "c") as p:
        assert husk.line(p) == "up"
        assert joins(other + "c").status == 125
        p.terminate()
        husk.status_of(p)
    assert joins(other).status == 0
    with husk.box("ns.user=new", "caps=sys_ptrace", "--", "/bin/inside", "sleep", "20000", box=other + "c") as p:
        assert husk.line(p) == "up"
        assert joins(other + "c").status == 0, "which is nothing in the host's users"
        p.terminate()
        husk.status_of(p)


def test_join_all_that_goes(running):
    other, init = running
    keys = [f"{k}=box:{other}" for k in ("net", "ns.ipc", "ns.uts")]
    r = run(*keys, "ns.user=new", "--", "/bin/true", box=other + "b")
    assert r.status == 125 and "rootfs.mounts: mount sysfs" in r.err, "a /sys of that network is not ours to mount, and never the host's"
    r = run(*keys, "ns.user=new", "mounts=-sys", "--", "/bin/sh", "-c", "hostname; inside rights", box=other + "b")
    got = inside(r)
    assert r.out.startswith("there\n")
    for n in ("net", "ipc", "uts"):
        assert got[n] == of(init, n), "also by a root that is one only in its own user namespace"
    assert got["user"] != of(init, "user")


def test_join_a_user_namespace(name):
    with husk.box("ns.user=new", "--", "/bin/inside", "sleep", "20000", box=name) as p:
        assert husk.line(p) == "up"
        init = husk.init_of(p.pid)
        r = run(f"ns.user=box:{name}", f"net=box:{name}", "user=7", "--", "/bin/inside", "rights", box=name + "b")
        got = inside(r)
        assert got["user"] == of(init, "user") and got["net"] == of(init, "net")
        assert husk.fields(r.out)["Uid"].split()[0] == "7"
        r = run(f"ns.user=box:{name}", "user=7", *CAT, box=name + "b")
        assert maps(r)[0] == tuple(map(int, husk.read(f"/proc/{init}/uid_map").split())), "its maps are ours"
        p.terminate()
        husk.status_of(p)


@pytest.mark.parametrize("what, words", [("box:nobody-there", "not running"), ("/etc/passwd", "Invalid argument"),
                                         ("/proc/self/ns/net", "Invalid argument"), ("/nowhere/at/all", "No such file")])
def test_what_cannot_be_joined(name, what, words):
    r = run(f"ns.uts={what}", "--", "/bin/true", box=name)
    assert r.status == 125 and re.search(r"ns\.(join|enter): ", r.err) and words in r.err, r
    assert what in r.err and "uts" in r.err or what[4:] in r.err, r


def test_a_box_that_has_ended_is_not_joined(name, tmp_path):
    """Its state file is there, its number is another's: the start time tells."""
    d = husk.RUNDIR / (name + "x")
    d.mkdir(mode=0o700)
    (d / "state").write_text(f"version=1\nkeeper=1\ninit={os.getpid()} start=1\n")
    lock = os.open(d, os.O_RDONLY)
    import fcntl
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        r = run(f"ns.uts=box:{name}x", "--", "/bin/true", box=name)
        assert r.status == 125 and "ns.join: " in r.err and "ended" in r.err, r
    finally:
        os.close(lock)
        shutil.rmtree(d)


# --------------------------------------------------------------- clocks, names, pid 1

@pytest.mark.parametrize("words", [[], ["ns.user=new"]], ids=["", "user"])
def test_clocks(name, words):
    own = float(husk.read("/proc/uptime").split()[0])
    r = run(*words, "clock.boottime=10d", "clock.monotonic=5d", "--", "/bin/cat", "/proc/uptime", "/proc/self/timens_offsets", box=name)
    assert r.status == 0, r
    up, rest = r.out.split("\n", 1)
    assert 864000 <= float(up.split()[0]) - own < 864100
    assert re.search(r"^monotonic +432000 +0$", rest, re.M) and re.search(r"^boottime +864000 +0$", rest, re.M)


def test_names_stay_inside(name):
    before = os.uname().nodename
    r = run("hostname=gw1", "domainname=example.org", "user=root", "--", "/bin/sh", "-c", "hostname; cat /proc/sys/kernel/domainname", box=name)
    assert r.out == "gw1\nexample.org\n", r
    assert os.uname().nodename == before


def test_net_of_one_s_own_is_open(name):
    r = run("user=1000", "--", "/bin/sh", "-c", "cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/net/ipv4/ping_group_range", box=name)
    assert r.out.split() == ["0", "0", "2147483647"], r
    assert husk.read("/proc/sys/net/ipv4/ip_unprivileged_port_start").strip() == "1024"


def test_pid1_program(name):
    r = run("pid1=program", "user=1000", "--", "/bin/inside", "rights", "7", box=name)
    assert r.status == 7 and re.search(r"^pid 1 ppid 0 ", r.out, re.M), r
    assert re.findall(r"^fd (\d+)", r.out, re.M) == ["0", "1", "2"]


# ------------------------------------------------------------------ the clone and undo

@pytest.mark.parametrize("inject", ["clone3:error=ENOSYS", "clone3:error=EPERM:when=1", "clone3:error=E2BIG:when=1",
                                    "clone3,pidfd_open:error=ENOSYS", "clone3:error=EPERM"])
def test_clone_without_the_newest_calls(name, inject):
    if not shutil.which("strace"):
        pytest.skip("no strace")
    r = husk.command("strace", "-f", "-qq", "-o", "/dev/null", "-e", f"inject={inject}", husk.HUSK, "run", f"root={husk.ROOT}",
                     f"name={name}", "--", "/bin/inside", "rights", timeout=30)
    got = inside(r)
    for ns in husk.NAMESPACES:
        assert (got[ns] == of("self", ns)) == (ns in ("user", "time")), ns
    for l in re.findall(r"^\d+:[^:]*:(.*)$", r.out, re.M):
        assert l == "/" or "husk" not in l, "the cgroup namespace has its root in the leaf"


def test_undo_never_ends_a_stranger(name):
    """A number in the state file of a killed keeper may be another's by now."""
    stranger = subprocess.Popen(["sleep", "60"])
    start = husk.read(f"/proc/{stranger.pid}/stat").rpartition(")")[2].split()[19]
    try:
        for when, ended in ((int(start) - 1, False), (0, False), (f"{int(start) - 1} shared", False),
                            (f"{start}\nboot=7a3e4f60-0000-4000-8000-000000000000", False), (int(start), True)):
            d = husk.RUNDIR / name
            d.mkdir(mode=0o700)
            (d / "state").write_text(f"version=1\nkeeper=1\ninit={stranger.pid} start={when}\n")
            r = run("--", "/bin/true", box=name)
            assert r.status == 0, r
            assert (stranger.poll() is not None) == ended or (ended and husk.wait_for(lambda: stranger.poll() is not None)), when
    finally:
        stranger.send_signal(signal.SIGKILL)
        stranger.wait()


def test_a_box_that_dies_early_says_why(name):
    if not shutil.which("strace"):
        pytest.skip("no strace")
    for call in ("prctl", "sethostname", "mount"):
        r = husk.command("strace", "-f", "-qq", "-o", "/dev/null", "-e", f"inject={call}:error=EPERM", husk.HUSK, "run",
                         f"root={husk.ROOT}", f"name={name}", "--", "/bin/inside", "rights", timeout=30)
        assert r.status == 125 and r.out == "" and re.search(r"^husk: [^:]+: (caps|ns|rootfs)\.\w+: ", r.err), r
