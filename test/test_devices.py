"""The device policy: what a box may open and make, by the program of v2 and by the lists of v1."""
import contextlib
import ctypes
import errno
import os
import pathlib
import platform
import re
import stat
import struct
import subprocess
import tempfile

import pytest

import husk
import qemu
import test_boot

EPERM, ENXIO = errno.EPERM, errno.ENXIO		# not let through; let through, and there is no driver
V2 = (husk.CGROUPS / "cgroup.controllers").exists() or (husk.CGROUPS / "unified/cgroup.procs").exists()
LISTS = os.access(husk.CGROUPS / "devices/cgroup.procs", os.W_OK)
without = lambda *trees: ["unshare", "-m", "--propagation", "private", "sh", "-c",
                          "".join(f"umount /sys/fs/cgroup/{t} && " for t in trees) + 'exec "$@"', "sh"]
PROGRAM = pytest.param([], id="program", marks=pytest.mark.skipif(not V2, reason="no v2 tree"))
LIST = pytest.param(without("unified") if (husk.CGROUPS / "unified").exists() else [], id="lists",
                    marks=pytest.mark.skipif(not LISTS, reason="no devices hierarchy"))
both = pytest.mark.parametrize("before", [PROGRAM, LIST])
NODES = husk.ROOT / "bin/nodes"

# A policy, and what of it is let through: major 60 and 61 are nobody's.
RULES = ["c 60:1 rw", "c 60:2 r", "c 60:3 w", "c 61:* rw", "b 60:1 r", "b *:7 w", "c 60:5 r", "c 60:5 w", "a 60:9 rwm"]
OPENED = {f"{t}-{ma}-{mi}:{how}": ENXIO if ok else EPERM for t, ma, mi, how, ok in [
    ("c", 60, 1, "r", 1), ("c", 60, 1, "w", 1), ("c", 60, 1, "rw", 1), ("c", 60, 0, "r", 0),
    ("c", 60, 2, "r", 1), ("c", 60, 2, "w", 0), ("c", 60, 2, "rw", 0), ("c", 60, 3, "r", 0), ("c", 60, 3, "w", 1), ("c", 60, 3, "rw", 0),
    ("c", 60, 4, "r", 0), ("c", 61, 0, "rw", 1), ("c", 61, 255, "r", 1), ("c", 62, 0, "r", 0), ("c", 60, 5, "rw", 1),
    ("b", 60, 1, "r", 1), ("b", 60, 1, "w", 0), ("b", 60, 2, "r", 0), ("b", 61, 7, "w", 1), ("b", 62, 7, "w", 1), ("b", 61, 7, "r", 0), ("b", 61, 0, "r", 0),
    ("c", 60, 9, "rw", 1), ("b", 60, 9, "rw", 1)]}
# and with CAP_MKNOD, what may be made: device= as it says, the fixed nodes always
MADE = {"c:1:3=/dev/x3:rw": 0, "c:1:3=/dev/y3:m": 0, "c:60:1=/dev/x1:m": EPERM, "c:60:9=/dev/x9:rw": ENXIO, "b:60:9=/dev/z9:m": 0, "b:60:1=/dev/z1:m": EPERM,
        "c:1:1=/dev/mem:m": EPERM, "b:7:0=/dev/loop0:m": EPERM, "c:0:0=/dev/whiteout:m": 0}


@pytest.fixture(scope="module", autouse=True)
def program():
    husk.musl("nodes.c", NODES)


def nodes(path, names):
    """Nodes of that name (type-major-minor) in a directory that is bound with devices."""
    path.mkdir(exist_ok=True)
    path.chmod(0o755)
    for name in names:
        t, ma, mi = name.split(":")[0].split("-")
        with contextlib.suppress(FileExistsError):
            os.mknod(path / f"{t}-{ma}-{mi}", 0o666 | (stat.S_IFCHR if t == "c" else stat.S_IFBLK), os.makedev(int(ma), int(mi)))
            (path / f"{t}-{ma}-{mi}").chmod(0o666)
    return path


def said(text):
    return {k: int(v) for k, v in re.findall(r"^(\S+:\S+) (\d+)$", text, re.M)}


def run(before, box, *words, timeout=20):
    return husk.command(*before, husk.HUSK, "run", f"name={box}", f"root={husk.ROOT}", *words, timeout=timeout)


@both
def test_rights_apart(name, tmp_path, before):
    """Of nodes that are bound where nodev does not help: r and w, numbers and *, block and character; a child of a child has no more."""
    d = nodes(tmp_path / "n", OPENED)
    words = [f"devices.allow={r}" for r in RULES]
    tries = [f"/mnt/{k}" for k in OPENED]
    r = run(before, name, "user=1000", *words, f"bind={d}:/mnt:dev,rw", "--", "/bin/nodes", "try", *tries)
    assert r.status == 0 and not r.err and said(r.out) == {f"/mnt/{k}": v for k, v in OPENED.items()}, r
    r = run(before, name, "user=root", *words, f"bind={d}:/mnt:dev,rw", "--", "/bin/sh", "-c", "(sh -c '/bin/nodes try /mnt/c-62-0:r /mnt/c-60-1:r; :'; :)")
    assert said(r.out) == {"/mnt/c-62-0:r": EPERM, "/mnt/c-60-1:r": ENXIO}, r


@both
def test_what_may_be_made(name, before):
    """m counts where there is CAP_MKNOD: PID 1 has made the nodes, and the program may not."""
    r = run(before, name, "user=root", "caps=mknod", *[f"devices.allow={r}" for r in RULES], "--", "/bin/nodes", "try", *MADE)
    assert r.status == 0 and not r.err and said(r.out) == {k.split("=")[1]: v for k, v in MADE.items()}, r
    for words, e in (("device=/dev/full:/dev/f:rw", 0), ("?device=/dev/loop-control:/dev/l:rw", EPERM), ("?device=/dev/loop-control:/dev/l:rwm", 0)):
        if "loop" in words and not os.path.exists("/dev/loop-control"):
            continue
        numbers = "1:7" if "full" in words else "10:237"
        r = run(before, name, "user=root", "caps=mknod", words, "--", "/bin/nodes", "try", f"c:{numbers}=/dev/own:m", f"{words.split(':')[1]}:rw")
        assert r.status == 0 and said(r.out) == {"/dev/own:m": e, f"{words.split(':')[1]}:rw": 0}, r


def test_mknod_of_a_user_namespace_makes_nothing(name):
    """So its capability needs no policy."""
    r = run(without("unified", "devices"), name, "ns.user=new", "user=root", "caps=mknod", "--", "/bin/nodes", "try", "c:1:3=/dev/x:m", "/dev/null:rw")
    assert r.status == 0 and said(r.out) == {"/dev/x:m": EPERM, "/dev/null:rw": 0}, r


@pytest.fixture
def loop(tmp_path):
    """A block device with a file system on it."""
    image = tmp_path / "image"
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/f").write_text("inside")
    if husk.command("mksquashfs", tmp_path / "tree", image, "-quiet", "-no-progress").status:
        pytest.skip("no mksquashfs")
    r = husk.command("losetup", "-f", "--show", image)
    if r.status:
        pytest.skip(f"no loop device: {r.err}")
    device = r.out.strip()
    try:
        yield device, os.minor(os.stat(device).st_rdev)
    finally:
        husk.command("losetup", "-d", device)


@both
def test_block_devices(name, before, loop):
    """Listed it works, for reading alone; made by the box it is refused; and what PID 1 has mounted is not the program's."""
    device, n = loop
    r = run(before, name, "user=root", "caps=dac_override", f"device={device}:/dev/d:r", "--", "/bin/sh", "-c", "head -c 4 /dev/d; echo; /bin/nodes try /dev/d:r /dev/d:w")
    assert r.out.startswith("hsqs\n") and said(r.out) == {"/dev/d:r": 0, "/dev/d:w": EPERM}, r
    r = run(before, name, "user=root", "caps=mknod", f"devices.allow=b 7:{n} m", "--", "/bin/nodes", "try", f"b:7:{n}=/dev/d:r")
    assert said(r.out) == {"/dev/d:r": EPERM}, r
    for more in ("caps=mknod", f"device={device}:/dev/d:w"):
        r = run(before, name, "user=root", more, "caps=dac_override", f"mount={device}:/mnt:squashfs,ro", "--", "/bin/sh", "-c", f"cat /mnt/f; echo; /bin/nodes try b:7:{n}=/dev/own:r; /bin/nodes try /dev/d:r; :")
        assert r.status == 0 and r.out.startswith("inside\n") and said(r.out)["/dev/own:r"] == EPERM, r
        assert said(r.out)["/dev/d:r"] == (EPERM if "device" in more else errno.ENOENT), r


NONE = without(*[t for t in ("unified", "devices") if (husk.CGROUPS / t).exists()])
NO_BPF = [*without("devices"), husk.INJECT, "-o", "/dev/null", "never", "321", "--"]		# a kernel without bpf(2)


@pytest.mark.skipif(not V2 or not LISTS, reason="not both layouts")
@pytest.mark.parametrize("before", [NONE, NO_BPF], ids=["no-cgroup", "no-bpf"])
@pytest.mark.parametrize("words, status", [
    (["user=root", "caps=mknod"], 125), (["device=/dev/full:r"], 125), (["user=root", "device=/dev/full:/dev/f:w"], 125), (["ns.mnt=host", "mounts=none"], 125),
    (["device=/dev/full:rw"], 0), (["user=root"], 0), (["devices.allow=c 60:1 rw", "user=root"], 0), (["caps=kill"], 0), ([], 0),
    (["use=host"], 0), (["user=root", "caps=mknod", "devices.allow=a *:* rwm"], 0), (["ns.user=new", "caps=mknod"], 0),
], ids=lambda v: "+".join(v) if isinstance(v, list) else "")
def test_where_the_policy_is_the_first_wall(name, words, status, before):
    """Without one the start fails in three cases; elsewhere it is one line, or none where nothing is behind that wall."""
    root = [] if "use=host" in words or "ns.mnt=host" in words else [f"root={husk.ROOT}"]
    more = ["memory.max=max", "pids.max=max"]
    r = husk.command(*before, husk.HUSK, "run", f"name={name}", *root, *words, *more, "--", "/bin/true")
    assert r.status == status, r
    if status:
        assert f"husk: {name}: cg.devices: no device policy, and caps=mknod, ns.mnt= or device= need it (" + \
            ("CONFIG_CGROUP_BPF)" if before is NO_BPF else "neither a v2 tree nor a devices hierarchy is ours to write)") in r.err, r
    elif before is NO_BPF:
        silent = not words or any("devices.allow=a" in w or w == "use=host" for w in words)
        assert ("no device policy: " in r.err) != silent and ("Function not implemented (CONFIG_CGROUP_BPF)" in r.err) != silent, r
    husk.nothing_left(name)


def test_an_unprivileged_caller(name):
    """He can load no program: what he takes away from his own box would not hold."""
    with tempfile.TemporaryDirectory(prefix="husk-") as d:
        os.chmod(d, 0o755)
        os.mkdir(f"{d}/run")
        os.chown(f"{d}/run", 1000, 1000)
        unprivileged(name, ["setpriv", "--reuid=1000", "--regid=1000", "--clear-groups", "env", f"HUSK_RUN={d}/run"])


def unprivileged(name, as_user):
    for words, status in ((["device=/dev/full:r"], 125), (["device=/dev/full:rw"], 0), (["caps=mknod"], 0)):
        r = husk.command(*as_user, husk.HUSK, "run", f"name={name}", f"root={husk.ROOT}", "ns.user=new", *words, "--", "/bin/true")
        if "ns.clone" in r.err:
            pytest.skip(r.err)
        assert r.status == status and ("cg.devices: no device policy" in r.err) == (status == 125), r


@pytest.mark.skipif(not V2 or not LISTS, reason="not both layouts")
@pytest.mark.parametrize("call, error", [(n, e) for n in range(1, 5) for e in ("EPERM", "EINVAL", "EACCES")])
def test_each_call_of_bpf_fails_once(name, call, error, tmp_path):
    """Without the program there are the lists; the error is said where they are not there either."""
    for hidden in ([], ["devices"]):
        r = husk.command(*without(*hidden), "strace", "-f", "-qq", "-o", tmp_path / "log", "-e", "trace=bpf", "-e", f"inject=bpf:error={error}:when={call}", husk.HUSK, "run",
                         f"name={name}", f"root={husk.ROOT}", "user=root", "caps=mknod", "--", "/bin/nodes", "try", "c:1:1=/dev/x:m", "c:1:3=/dev/y:rw")
        assert "(INJECTED)" in (tmp_path / "log").read_text()
        if hidden:
            assert r.status == 125 and "cg.devices: no device policy" in r.err and os.strerror(errno.__dict__[error]) in r.err, r
            assert ("bpf(2) is refused" in r.err) == (error == "EPERM"), r
        else:
            assert r.status == 0 and not r.err and said(r.out) == {"/dev/x:m": EPERM, "/dev/y:rw": 0}, r
        husk.nothing_left(name)


@pytest.mark.skipif(not V2, reason="no v2 tree")
@pytest.mark.parametrize("call", range(5, 11))
def test_a_policy_that_cannot_be_narrowed(name, call, tmp_path):
    """What PID 1 was allowed the program would be, too: it does not run."""
    r = husk.command("strace", "-f", "-qq", "-o", tmp_path / "log", "-e", "trace=bpf", "-e", f"inject=bpf:error=ENOMEM:when={call}", husk.HUSK, "run",
                     f"name={name}", f"root={husk.ROOT}", "user=root", "caps=mknod", "device=/dev/full:/dev/f", "devices.allow=c 1:1 r", "?device=/dev/loop-control", "--", "/bin/echo", "ran")
    if "(INJECTED)" not in (tmp_path / "log").read_text():
        pytest.skip("not so many calls")
    assert r.status == 125 and "ran" not in r.out and "cg.narrow: " in r.err, r
    husk.nothing_left(name)


@pytest.mark.skipif(not LISTS, reason="no devices hierarchy")
@pytest.mark.parametrize("call", ["openat", "write", "read"])
def test_each_write_to_the_lists_fails_once(name, call, tmp_path):
    """And each read back: the file is named, nothing has run, nothing is left."""
    leaf, rows = husk.CGROUPS / "devices/husk" / name, set()
    paths = [w for f in ("allow", "deny", "list") for w in ("-P", str(leaf / f"devices.{f}"))]
    for n in range(1, 40):
        r = husk.command(*LIST.values[0], "strace", "-f", "-qq", "-o", tmp_path / "log", *paths, "-e", f"trace={call}", "-e", f"inject={call}:error=ENOMEM:when={n}", husk.HUSK, "run",
                         f"name={name}", f"root={husk.ROOT}", "user=root", "caps=mknod", "device=/dev/full:/dev/f", "devices.allow=c 1:1 r", "?device=/dev/loop-control", "--", "/bin/echo", "ran")
        if "(INJECTED)" not in husk.read(tmp_path / "log"):
            break
        rows.add(re.search(r": (cg\.\w+): devices\.\w+(: [ac][^:]*.*)?: Out of memory$", r.err.strip())[1])
        assert r.status == 125 and not r.out, (n, r)
        husk.nothing_left(name)
    assert r.status == 0 and r.out == "ran\n" and n > 2 and "cg.devices" in rows, (n, rows, r)
    assert "cg.narrow" in rows or not os.path.exists("/dev/loop-control"), rows


@pytest.mark.skipif(not V2, reason="no v2 tree")
def test_nothing_below_may_widen_it(name):
    """Who may do everything to a cgroup below, and load programs: what he attaches there is refused, and what is above holds there."""
    r = run([], name, "user=root", "caps=sys_admin,net_admin,bpf,perfmon,mknod,dac_override", "syscalls=@all", "tmpfs=/mnt", "devices.allow=c 60:1 m", "--",
            "/bin/sh", "-c", "mknod /dev/no c 60 1; exec /bin/nodes wider /mnt /dev/no")
    got = dict(l.rsplit(" ", 1) for l in r.out.splitlines())
    assert got["mkdir"] == got["load"] == got["enter"] == "0", r
    assert [got[f"attach {f}"] for f in (0, 1, 2)] == [str(EPERM)] * 3 and got["open"] == str(EPERM), r


def update(name, *words, **more):
    return husk.husk("update", name, *words, **more)


can_update = pytest.mark.skipif("no such verb" in husk.husk("update").err, reason="no husk update")
ALLOW = ["devices.allow=", "devices.allow=c 60:1 r", "devices.allow=c 60:2 w"]


@contextlib.contextmanager
def looping(before, name, d):
    args = [*before, husk.HUSK, "run", f"name={name}", f"root={husk.ROOT}", "user=1000", f"bind={d}:/mnt:dev,rw", *ALLOW, "--", "/bin/nodes", "loop", "/mnt/c-60-1", "/mnt/c-60-2"]
    p = subprocess.Popen([str(a) for a in args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert husk.line(p) == "up"
        husk.wait_for(lambda: (husk.RUNDIR / name / "box").exists())
        yield p
    finally:
        p.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            p.wait(5)
        p.kill()
        p.wait()
        p.stdout.close()
        p.stderr.close()


@can_update
@both
def test_replaced_without_a_gap(name, tmp_path, before):
    """A hundred times: what may be opened before and after always may, and what never may never does."""
    d = nodes(tmp_path / "n", ["c-60-1", "c-60-2"])
    with looping(before, name, d) as p:
        for i in range(100):
            r = update(name, *(ALLOW if i % 2 else ["devices.allow=", "devices.allow=c 60:1 rw", "devices.allow=c 61:* rwm"]))
            assert r.status == 0 and not r.err, r
        p.terminate()
        rounds, yes, no = map(int, re.fullmatch(r"rounds (\d+) yes (\d+) no (\d+)", husk.line(p)).groups())
        assert rounds > 1000 and (yes, no) == (0, 0), (rounds, yes, no)


@can_update
@pytest.mark.parametrize("before", [LIST])
def test_a_policy_where_there_was_none(name, before):
    """On v1 a box that has no way to a device has no leaf for it, until it is asked for."""
    p = subprocess.Popen([*before, husk.HUSK, "run", f"name={name}", f"root={husk.ROOT}", "--", "/bin/sh", "-c", "echo up; sleep 60 & sleep 60"],
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert husk.line(p) == "up"
        leaf = husk.CGROUPS / "devices/husk" / name
        assert not leaf.exists()
        r = husk.command(*before, husk.HUSK, "update", name, "devices.allow=c 60:1 r")
        assert r.status == 0, r
        assert "c 60:1 r\n" in (leaf / "devices.list").read_text() and "a *:*" not in (leaf / "devices.list").read_text()
        assert sorted((leaf / "cgroup.procs").read_text().split()) == sorted((husk.CGROUPS / "freezer/husk" / name / "cgroup.procs").read_text().split()) != []
    finally:
        p.terminate()
        p.wait(8)
        p.stdout.close()
        p.stderr.close()
    husk.nothing_left(name)


@can_update
@both
def test_an_update_that_fails_changes_nothing(name, tmp_path, before):
    """Whichever call or write fails, once."""
    d = nodes(tmp_path / "n", ["c-60-1", "c-60-2"])
    with looping(before, name, d) as p:
        leaf = next((t for t in husk.cgroup_dirs(name) if "/devices/" in t), None)
        shown = lambda: sorted(husk.read(f"{leaf}/devices.list").splitlines()) if before else []
        paths = [w for f in ("allow", "deny", "list") for w in ("-P", f"{leaf}/devices.{f}")] if before else []
        points = 0
        for call, n in [(c, n) for c in (("write", "openat", "read") if before else ("bpf",)) for n in range(1, 12)]:
            was = shown()
            r = husk.command("strace", "-qq", "-o", tmp_path / "log", *paths, "-e", f"trace={call}", "-e", f"inject={call}:error=ENOMEM:when={n}", husk.HUSK, "update", name,
                             "devices.allow=", "devices.allow=c 60:1 rw", "devices.allow=c 61:* rwm")
            if "(INJECTED)" not in husk.read(tmp_path / "log"):
                assert update(name, *ALLOW).status == 0		# that one went through
                continue
            points += 1
            assert r.status == 1 and "cg.devices: " in r.err and "Out of memory" in r.err and "as before" not in r.err, (call, n, r)
            assert shown() == was, (call, n, r)
        assert points > 5, points
        p.terminate()
        assert re.fullmatch(r"rounds \d+ yes 0 no 0", husk.line(p)), r


def attached(leaf):
    """The numbers of the device programs of a cgroup, of the kernel."""
    fd, ids = os.open(leaf, os.O_RDONLY), (ctypes.c_uint32 * 8)()
    try:
        query = struct.pack("=IIIIQI", fd, 6, 0, 0, ctypes.addressof(ids), len(ids)).ljust(120, b"\0")		# BPF_CGROUP_DEVICE
        attr = ctypes.create_string_buffer(query)
        assert ctypes.CDLL(None, use_errno=True).syscall(321, 16, attr, len(query)) == 0, os.strerror(ctypes.get_errno())	# bpf, BPF_PROG_QUERY
        return list(ids[:struct.unpack_from("=I", attr, 24)[0]])
    finally:
        os.close(fd)


@can_update
@both
@pytest.mark.parametrize("words", [[], ["devices.allow=c 60:1 r"]])
def test_an_update_that_cannot_be_saved(name, tmp_path, before, words):
    """The policy is the one from before: of a box that had none, none."""
    if not before and platform.machine() != "x86_64":
        pytest.skip("asks by a number of x86_64")
    p = subprocess.Popen([*before, husk.HUSK, "run", f"name={name}", f"root={husk.ROOT}", "user=1000" if words else "user=auto", *words, "--", "/bin/sh", "-c", "echo up; sleep 60"],
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert husk.line(p) == "up"
        husk.wait_for(lambda: (husk.RUNDIR / name / "box").exists())
        tree = next(t for t in husk.cgroup_dirs(name) if "/freezer/" in t or not before)
        state = lambda: husk.read(pathlib.Path(tree.replace("freezer", "devices")) / "devices.list") or "a *:* rwm\n" if before else attached(tree)
        was = state()
        r = husk.command(*before, "strace", "-qq", "-o", tmp_path / "log", "-e", "inject=rename,renameat,renameat2:error=ENOSPC", husk.HUSK, "update", name, "devices.allow=c 60:2 w")
        assert r.status == 1 and "init.state: save what it is made of: No space left" in r.err and "as before" not in r.err, r
        assert state() == was and bool(words or before) == bool(was)
        assert update(name, "devices.allow=c 60:2 w").status == 0 if not before else True
    finally:
        p.terminate()
        p.wait(8)
        p.stdout.close()
        p.stderr.close()
    husk.nothing_left(name)


# ------------------------------------------------------------------------- guests

GUEST = """
mount -t tmpfs none /srv/root/mnt
for n in %s; do set -- $(echo $n | tr - ' '); mknod -m 666 /srv/root/mnt/$n $1 $2 $3; done
husk run name=a root=/srv/root user=1000 bind=/srv/root/mnt:/mnt:dev,rw %s -- /bin/nodes try %s | sed 's/^/@opened /'
husk run name=b root=/srv/root user=root caps=mknod %s -- /bin/nodes try %s | sed 's/^/@made /'
husk run name=c root=/srv/root user=root caps=dac_override device=/dev/kmsg:/dev/k:w -- /bin/nodes try /dev/k:w /dev/k:rw | sed 's/^/@listed /'
husk run name=d root=/srv/root user=root caps=sys_admin,net_admin,mknod,dac_override,bpf,perfmon syscalls=@all tmpfs=/mnt "devices.allow=c 60:1 m" -- \
    /bin/sh -c 'mknod /dev/no c 60 1; /bin/nodes wider /mnt /dev/no' | sed 's/^/@wider /'
dmesg | grep -iE 'bpf|devcg' | grep -iE 'bug|oops|warning' | sed 's|^|@kernel |'
"""


@pytest.mark.parametrize("board, version, layout", [("qemu-arm64", "5.10", "v2"), ("qemu-armv7", "5.10", "v1"), ("qemu-x86_64", "6.12", "v2")])
def test_in_a_guest(board, version, layout):
    """The same answers from other kernels, whose verifier takes the program."""
    test_boot.ready(board)
    b = qemu.of(board, version)
    allow = " ".join(f'"devices.allow={r}"' for r in RULES)
    script = GUEST % (" ".join(sorted({k.split(":")[0] for k in OPENED})), allow, " ".join(f"/mnt/{k}" for k in OPENED), allow, " ".join(MADE))
    r = qemu.guest(board, script, version, layout, {"srv/root/bin/nodes": qemu.program(qemu.compiled(b, "nodes.c"))})
    lines = lambda tag: said("\n".join(test_boot.said(r, tag)))
    assert lines("opened") == {f"/mnt/{k}": v for k, v in OPENED.items()}, r
    assert lines("made") == {k.split("=")[1]: v for k, v in MADE.items()}, r
    assert lines("listed") == {"/dev/k:w": 0, "/dev/k:rw": EPERM}, r
    assert not test_boot.said(r, "kernel"), r
    got = dict(l.rsplit(" ", 1) for l in test_boot.said(r, "wider"))
    if layout == "v2":
        assert [got[f"attach {f}"] for f in (0, 1, 2)] == [str(EPERM)] * 3 and got["open"] == str(EPERM), r
