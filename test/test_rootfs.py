"""The file systems of a box: what is where, with which flags, how it came there, and that the comparison sees a difference."""
import os
import pathlib
import re
import shutil
import tempfile

import pytest

import husk
from husk import run

QUIET = "nosuid,nodev,noexec"
DEFAULT = {
    "/": "ro,nosuid,nodev", "/proc": "rw," + QUIET, "/dev": "rw,nosuid,noexec", "/dev/pts": "rw,nosuid,noexec",
    "/dev/shm": "rw," + QUIET, "/dev/mqueue": "rw," + QUIET, "/sys": "ro," + QUIET, "/run": "rw,nosuid,nodev", "/tmp": "rw,nosuid,nodev",
}


def table(text):
    """mountinfo as {path: (flags without atime, type, rest)}; the last line of a path counts."""
    found = {}
    for l in text.splitlines():
        f = l.split(" ")
        if len(f) < 9 or "-" not in f:
            continue
        flags = ",".join(w for w in f[5].split(",") if "atime" not in w)
        found[f[4]] = (flags, f[f.index("-") + 1], f[3], f[6:f.index("-")])
    return found


def mounts(*words, root=husk.ROOT, box=None, **more):
    r = run(*words, "--", "/bin/cat", "/proc/self/mountinfo", root=root, box=box, **more)
    assert r.status == 0, r
    return table(r.out)


@pytest.fixture
def public():
    """A directory that everybody may enter, as tmp_path is not."""
    d = pathlib.Path(tempfile.mkdtemp(prefix="husk-"))
    d.chmod(0o755)
    yield d
    shutil.rmtree(d)


# ------------------------------------------------------------------ what is there

def test_default_mounts(name):
    t = mounts(box=name)
    for path, flags in DEFAULT.items():
        assert t[path][0] == flags, f"{path}: {t[path]}"
    for path, (flags, kind, top, tags) in t.items():
        assert not tags, f"{path}: {tags}"
        if path not in DEFAULT:
            assert flags == "ro," + QUIET, f"{path}: {flags}"
            assert (kind, top) in (("tmpfs", "/pts"), ("tmpfs", "/husk.f//deleted")) or kind in ("proc", "sysfs"), path
    assert not [p for p in t if p.startswith("/sys/fs/cgroup")]


def test_masks_cannot_be_written_by_anybody(name):
    r = run("user=root", "caps=dac_override", "--", "/bin/sh", "-c", "touch /sys/firmware/x; echo x > /proc/timer_list", box=name)
    assert r.status != 0 and r.err.count("Read-only") == 1 + os.path.exists("/proc/timer_list"), r


@pytest.mark.parametrize("drop", ["proc", "dev", "pts", "shm", "mqueue", "sys", "run", "tmp"])
def test_one_default_mount_less(name, root, drop):
    path = {"pts": "/dev/pts", "shm": "/dev/shm", "mqueue": "/dev/mqueue"}.get(drop, "/" + drop)
    shutil.copy("/bin/busybox", root / "bin/busybox")
    r = run(f"mounts=-{drop}", "--", "/bin/sh", "-c", "cat /proc/self/mountinfo || exit 3", root=root, box=name)
    if drop == "proc":
        assert r.status == 3, r
    elif drop == "dev":
        assert r.status in (0, 125), r
    else:
        assert r.status == 0 and path not in table(r.out), r


def test_no_mounts_at_all(name):
    r = run("mounts=none", "--", "/bin/ls", "-A", "/proc", "/dev", "/sys", "/run", "/tmp", box=name)
    assert r.status == 0 and r.out == "/dev:\n\n/proc:\n\n/run:\n\n/sys:\n\n/tmp:\n", r


def test_run_is_the_user_s_and_tmp_is_everybody_s(name):
    r = run("user=1000:1000", "--", "/bin/sh", "-c", "stat -c '%n %u %g %a' /run /tmp /dev/shm; touch /run/x /tmp/x /dev/shm/x && echo done", box=name)
    assert r.out.splitlines() == ["/run 1000 1000 755", "/tmp 0 0 1777", "/dev/shm 0 0 1777", "done"], r


def test_default_mounts_are_bounded(name):
    r = run("memory.max=64M", "--", "/bin/sh", "-c", "for d in /run /tmp; do df -k $d | tail -1; df -i $d | tail -1; done", box=name)
    numbers = [int(l.split()[1]) for l in r.out.splitlines()]
    assert numbers[0] == numbers[2] == 8192 and numbers[1] <= 4096 and numbers[3] <= 4096, r


# ------------------------------------------------------------------ the roots

def test_root_of_the_host_alone(name, tmp_path):
    """What is mounted on the host's root is not there; the tree is read-only."""
    t = mounts(root="/", box=name)
    assert t["/"][0] == "ro,nosuid,nodev" and set(DEFAULT) <= set(t)
    assert not [p for p in t if p.startswith("/mnt") or p.startswith("/boot")]


def test_root_in_memory(name):
    r = run(f"bind={husk.ROOT}/bin:/bin", "bind=/etc/hosts:/a/b/c", "--", "/bin/sh", "-c", "touch /x; ls -d /a/b/c; stat -c %a /", root="tmpfs", box=name)
    assert "/a/b/c\n755\n" in r.out and "Read-only" in r.err, r
    r = run(f"bind={husk.ROOT}/bin:/bin", "user=root", "--", "/bin/touch", "/x", root="tmpfs:rw", box=name)
    assert r.status == 0, r


def test_no_new_privs_no_keeps_suid(name):
    assert mounts("no_new_privs=no", "syscalls=@all", box=name)["/"][0] == "ro,nodev"


@pytest.mark.parametrize("what", ["proc", "sys", "dev"])
@pytest.mark.parametrize("to", ["/mnt", "mnt", "../../mnt", "/nowhere"])
def test_kernel_directories_are_never_links(name, root, what, to):
    shutil.rmtree(root / what)
    (root / what).symlink_to(to)
    r = run("--", "/bin/true", root=root, box=name)
    assert r.status == 125 and f"rootfs.mounts: /{what}: must be an ordinary directory" in r.err, r


def test_run_may_be_a_link(name, root):
    """Older trees have /run -> var/run or /tmp -> /var/tmp; both lead inside."""
    for n, to in (("run", "var/run"), ("tmp", "/var/tmp")):
        shutil.rmtree(root / n)
        (root / n).symlink_to(to)
        (root / "var" / os.path.basename(to)).mkdir(exist_ok=True, parents=True)
    t = mounts(root=root, box=name)
    assert t["/var/run"][1] == t["/var/tmp"][1] == "tmpfs"


# ------------------------------------------------------------------ binds

def test_bind_flags(name, tmp_path):
    src = tmp_path / "src"
    src.mkdir()
    (src / "f").write_text("x")
    t = mounts(f"bind={src}:/mnt", f"bind={src}:/srv:rw", f"bind={src}:/data:rw,exec,dev,suid,noatime", box=name)
    assert t["/mnt"][0] == "ro,nosuid,nodev" and t["/srv"][0] == "rw," + QUIET and t["/data"][0] == "rw"


def test_the_host_s_restrictions_stay(name, tmp_path):
    """A mount that is read-only or nosuid outside does not lose that by being bound."""
    script = f"mount -t tmpfs -o nosuid,noexec x {tmp_path} && mkdir {tmp_path}/d && mount -o remount,bind,ro {tmp_path} && " \
             f"exec {husk.HUSK} run root={husk.ROOT} name={name} bind={tmp_path}/d:/mnt:rw,exec,suid -- /bin/cat /proc/self/mountinfo"
    r = husk.command("unshare", "-m", "sh", "-c", script)
    assert r.status == 0 and table(r.out)["/mnt"][0] == "ro,nosuid,nodev,noexec", r


SHAPES = ["", "openat2", "open_tree", "move_mount", "mount_setattr", "openat2,open_tree,move_mount,mount_setattr"]


def without(calls, tmp_path, *words, box):
    """husk run as on a kernel that has not these calls."""
    if not husk.INJECT.exists():
        pytest.skip("the tracer is for x86_64 only")
    import fault
    numbers = ",".join(str(fault.number(c)) for c in calls.split(",")) if calls else "-1"
    return husk.command(husk.INJECT, "-o", tmp_path / "log", "never", numbers, "--", husk.HUSK, "run", f"name={box}", *words, timeout=20)


@pytest.mark.parametrize("calls", SHAPES)
@pytest.mark.parametrize("user", ["host", "new"])
def test_the_same_table_on_every_kernel(name, tmp_path, public, calls, user):
    src = public / "src"
    (src / "sub").mkdir(parents=True)
    (src / "f").write_text("x")
    words = [f"root={husk.ROOT}", f"bind={src}:/mnt:rw", f"bind={src}:/srv", f"bind={src}/f:/etc/passwd", "tmpfs=/data:1M", "readonly=/data",
             f"ns.user={user}", "--", "/bin/cat", "/proc/self/mountinfo"]
    a, b = (table(without(c, tmp_path, *words, box=name).out) for c in ("", calls))
    assert set(DEFAULT) <= set(a) and a == b


@pytest.mark.parametrize("calls", SHAPES)
def test_recursive_read_only(name, tmp_path, calls):
    """The submount is not writable either, whichever way it was made so."""
    if not husk.INJECT.exists():
        pytest.skip("the tracer is for x86_64 only")
    import fault
    src = tmp_path / "a b\\c"
    (src / "sub").mkdir(parents=True)
    numbers = ",".join(str(fault.number(c)) for c in calls.split(",")) if calls else "-1"
    script = f"mount -t tmpfs x '{src}/sub' && exec {husk.INJECT} -o {tmp_path}/log never {numbers} -- {husk.HUSK} run root={husk.ROOT} " \
             f"name={name} user=root \"bind=$1\" -- /bin/sh -c 'touch /mnt/x; touch /mnt/sub/x; cat /proc/self/mountinfo'"
    r = husk.command("unshare", "-m", "sh", "-c", script, "sh", f"{src}:/mnt:rec".replace("\\c", "\\\\c"), timeout=20)
    assert r.err.count("Read-only") == 2, r
    t = table(r.out)
    assert t["/mnt"][0] == t["/mnt/sub"][0] == "ro,nosuid,nodev", r


def test_any_byte_in_the_name_of_a_mount_point(name, tmp_path):
    """The kernel escapes four of them in mountinfo, and writes all others as they are."""
    at = tmp_path / "src/a\001b\t\x7f\xff c"
    at.mkdir(parents=True)
    script = 'mount -t tmpfs x "$1" && touch "$1/seen" && shift && exec "$@"'
    r = husk.command("unshare", "-m", "sh", "-c", script, "sh", at, husk.HUSK, "run", f"root={husk.ROOT}", f"name={name}", "user=root", f"bind={tmp_path}/src:/mnt:rec", "--",
                     "/bin/sh", "-c", "cd /mnt/* && ls && touch x")
    assert r.out == "seen\n" and "Read-only" in r.err, r


@pytest.mark.parametrize("calls", ["", "open_tree,move_mount,mount_setattr"])
def test_slave(name, tmp_path, calls):
    """What is mounted outside later appears inside, in a slave bind only; nothing goes out."""
    if not husk.INJECT.exists():
        pytest.skip("the tracer is for x86_64 only")
    import fault
    numbers = ",".join(str(fault.number(c)) for c in calls.split(",")) if calls else "-1"
    for d in ("a/sub", "b/sub"):
        (tmp_path / d).mkdir(parents=True)
    script = f"""mount --make-rshared / && mount -t tmpfs x {tmp_path} && mkdir -p {tmp_path}/a/sub {tmp_path}/b/sub
        {husk.INJECT} -o /dev/null never {numbers} -- {husk.HUSK} run root={husk.ROOT} name={name} bind={tmp_path}/a:/mnt:rec,slave bind={tmp_path}/b:/srv:rec \
            tmpfs=/data -- /bin/sh -c 'echo up > /data/x; sleep 1; ls /mnt/sub /srv/sub; cat /proc/self/mountinfo' &
        sleep 0.5; mount -t tmpfs y {tmp_path}/a/sub; touch {tmp_path}/a/sub/seen; mount -t tmpfs y {tmp_path}/b/sub; touch {tmp_path}/b/sub/seen; wait"""
    r = husk.command("unshare", "-m", "sh", "-c", script, timeout=20)
    assert r.out.startswith("/mnt/sub:\nseen\n\n/srv/sub:\n"), r
    assert "shared:" not in r.out and not re.search(r" /srv .* master:", r.out), r


def test_idmap(name, tmp_path):
    src = tmp_path / "src"
    src.mkdir()
    os.chown(src, 1000, 1000)
    r = run("ns.user=new", "uidmap=0:100000:65536", "gidmap=0:100000:65536", "user=1000:1000", f"bind={src}:/mnt:rw,idmap", "--",
            "/bin/sh", "-c", "stat -c '%u %g' /mnt; touch /mnt/x; stat -c '%u %g' /mnt/x", box=name)
    assert r.status == 0 and r.out == "1000 1000\n1000 1000\n", r
    assert os.stat(src / "x").st_uid == 1000


@pytest.mark.parametrize("user,owner", [("1000:44", (1000, 44)), ("www-data", (33, 33)), ("root", (0, 0))])
def test_create(name, tmp_path, user, owner):
    d = tmp_path / "new"
    r = run(f"user={user}", f"bind={d}:/mnt:rw,create=751", "--", "/bin/touch", "/mnt/x", box=name)
    s = os.stat(d)
    assert r.status == 0 and (s.st_uid, s.st_gid) == owner and s.st_mode & 0o7777 == 0o751 and (d / "x").exists(), r
    d.chmod(0o700)
    run(f"user={user}", f"bind={d}:/mnt:rw,create=751", "--", "/bin/true", box=name)
    assert os.stat(d).st_mode & 0o7777 == 0o700, "one that is there is left alone"


def test_what_is_made_for_the_caller_stays_when_the_start_fails(name, tmp_path):
    """The two that are not undone: a directory of create, whole, and the file of log with those on its way."""
    r = run("user=1000:44", f"bind={tmp_path}/new:/mnt:rw,create=751", f"log={tmp_path}/a/b/log", f"bind={tmp_path}:/not/there", "--", "/bin/true", box=name)
    s = os.stat(tmp_path / "new")
    assert r.status == 125 and "rootfs.mounts: " in r.err and (s.st_uid, s.st_gid, s.st_mode & 0o7777) == (1000, 44, 0o751), r
    assert sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*")) == ["a", "a/b", "a/b/log", "new"]


def test_create_follows_no_link_of_a_box(name, public):
    """What is made is the user's: so not where he has put a link to, nor is what is there."""
    (public / "his").mkdir()
    (public / "ours").mkdir()
    (public / "his/link").symlink_to("../ours")
    for path in (public / "his", public / "his/link"):
        os.chown(path, 4242, 4242, follow_symlinks=False)
    words = "user=4242", f"bind={public}/his/link/new:/mnt:rw,create", "--", "/bin/true"
    r = run(*words, box=name)
    assert r.status == 125 and "none is followed then" in r.err and not list((public / "ours").iterdir()), r
    (public / "ours/new").mkdir()
    (public / "ours/new").chmod(0o1700)
    r = run(*words, box=name)
    assert r.status == 125 and (public / "ours/new").stat().st_uid == 0, r


def test_create_for_nobody_leaves_nothing(name, tmp_path):
    r = run("user=nobody-has-this-name", f"bind={tmp_path}/new:/mnt:rw,create", "--", "/bin/true", box=name)
    assert r.status == 125 and not (tmp_path / "new").exists(), r


def test_optional_things(name, tmp_path):
    r = run(f"?bind={tmp_path}/absent:/mnt", "?mount=x:/srv:nosuchfs", f"?bind={tmp_path}:/not/there", "?device=/dev/absent",
            "--", "/bin/cat", "/proc/self/mountinfo", box=name)
    assert r.status == 0 and not {"/mnt", "/srv", "/not/there"} & set(table(r.out)), r
    for word in ("absent", "nosuchfs", "/not/there"):
        assert [l for l in r.err.splitlines() if word in l and "went on without it" in l], r
    r = run(f"bind={tmp_path}/absent:/mnt", "--", "/bin/true", box=name)
    assert r.status == 125 and "rootfs.sources" in r.err and "absent" in r.err, r


def test_mount_points_are_not_made_in_what_is_the_caller_s(name, tmp_path):
    (tmp_path / "a").mkdir()
    r = run("bind=/etc:/not/there", "--", "/bin/true", box=name)
    assert r.status == 125 and "rootfs.mounts: /not/there: not in the read-only root - make it in the image, root=DIR:rw, or of a default mount mounts=-NAME\n" in r.err, r
    r = run(f"bind={tmp_path}/a:/mnt:rw", "bind=/etc:/mnt/new", "--", "/bin/true", box=name)
    assert r.status == 125 and os.listdir(tmp_path / "a") == [], r
    r = run("bind=/etc:/run/x/y", "bind=/etc/hosts:/tmp/z/hosts", "--", "/bin/ls", "/run/x/y/hosts", "/tmp/z/hosts", box=name)
    assert r.status == 0, r


def test_a_bind_takes_the_place_of_a_default_mount(name, tmp_path):
    t = mounts(f"bind={tmp_path}:/tmp:rw", "tmpfs=/run:1M", box=name)
    assert t["/tmp"][2].endswith(str(tmp_path)) and t["/run"][1] == "tmpfs" and t["/dev"][1] == "tmpfs"


def test_knobs_below_proc(name):
    """Only the host's own, on its own path, after the read-only ones, and never over a mask."""
    r = run("bind=/proc/sys/net:rw", "user=root", "caps=net_admin", "--", "/bin/sh", "-c",
            "cat /proc/self/mountinfo; echo 1 > /proc/sys/kernel/panic; echo 7 > /proc/sys/net/ipv4/tcp_fin_timeout && echo set", box=name)
    t = table(r.out)
    assert t["/proc/sys"][0] == "ro," + QUIET and t["/proc/sys/net"][0].startswith("rw") and "Read-only" in r.err and "set" in r.out, r
    r = run("bind=/proc/sys/net", "user=root", "--", "/bin/sh", "-c", "echo 7 > /proc/sys/net/ipv4/tcp_fin_timeout", box=name)
    assert r.status != 0, r
    for words in (["mask=/proc/sys/net/ipv4/", "bind=/proc/sys/net:rw"], ["readonly=/proc/sys/net/ipv4", "bind=/proc/sys/net:rw"]):
        r = run(*words, "--", "/bin/true", box=name)
        assert r.status in (2, 125) and "uncover" in r.err, r


def test_links_do_not_lead_below_proc(name, root, tmp_path):
    (root / "door").symlink_to("/proc/sys")
    (root / "kernel").symlink_to("/sys/kernel")
    for target in ("/door", "/door/net", "/kernel"):
        for words in ([f"bind={tmp_path}:{target}"], [f"tmpfs={target}"]):
            r = run(*words, "--", "/bin/true", root=root, box=name)
            assert r.status == 125 and "rootfs.mounts" in r.err, r


# ------------------------------------------------------------------ images

def images(where):
    """A squashfs and an ext4 with a file each, or skipped."""
    tree = where / "tree"
    tree.mkdir()
    (tree / "f").write_text("of the image\n")
    if not shutil.which("mksquashfs") or not shutil.which("mke2fs") or not os.path.exists("/dev/loop-control"):
        pytest.skip("no mksquashfs, mke2fs or loop devices")
    for words in (["mksquashfs", tree, where / "s", "-quiet", "-no-progress"], ["mke2fs", "-q", "-t", "ext4", "-d", tree, where / "e", "1M"]):
        r = husk.command(*words)
        assert r.status == 0, r
    return where / "s", where / "e"


@pytest.fixture
def no_loops_left(public):
    yield
    assert husk.wait_for(lambda: not husk.loops(public)), husk.loops(public)


READ = "cat /mnt/f; echo more >>/mnt/f && cat /mnt/f; grep ' /mnt ' /proc/self/mountinfo; ls /dev"


def test_an_image_gets_its_loop_device(name, public, no_loops_left):
    """Read-only or not, with its type or without; the device is the box's, and gone with it."""
    s, e = images(public)
    for words, flags, kind in (([f"mount={s}:/mnt"], "rw,nosuid,nodev", "squashfs"), ([f"mount={s}:/mnt:squashfs,ro,noexec"], "ro," + QUIET, "squashfs"),
                               ([f"mount={e}:/mnt:ext4,ro"], "ro,nosuid,nodev", "ext4"), ([f"mount={e}:/mnt:ext4"], "rw,nosuid,nodev", "ext4")):
        r = run(*words, "user=root", "caps=dac_override", "memory.max=32M", "--", "/bin/sh", "-c", READ, box=name)
        assert r.status == 0 and r.out.startswith("of the image\n"), r
        assert table(r.out)["/mnt"][:2] == (flags, kind) and "loop" not in r.out, r
        assert ("more" in r.out) == (kind == "ext4" and "rw" in flags) and ("Read-only" in r.err) == ("more" not in r.out), r


def test_an_image_on_a_read_only_mount(name, public, no_loops_left):
    _, e = images(public)
    script = f"mount --bind {public} {public} && mount -o remount,bind,ro {public} && exec {husk.HUSK} run root={husk.ROOT} name={name} " \
             f"mount={e}:/mnt:ext4 -- /bin/sh -c \"{READ}\""
    r = husk.command("unshare", "-m", "sh", "-c", script)
    assert r.status == 0 and table(r.out)["/mnt"][0] == "ro,nosuid,nodev", r


def test_no_loop_device(name, public, no_loops_left):
    """The stage is named, and the option of the kernel; what is optional is gone without."""
    s, _ = images(public)
    (public / "junk").write_text("no file system at all" * 1000)
    hide = 'mount --bind /dev/null /dev/loop-control && exec "$@"'
    words = [husk.HUSK, "run", f"root={husk.ROOT}", f"name={name}", f"mount={s}:/mnt", "--", "/bin/ls", "/mnt"]
    r = husk.command("unshare", "-m", "sh", "-c", hide, "sh", *words)
    assert r.status == 125 and f"rootfs.sources: a loop device for {s} (CONFIG_BLK_DEV_LOOP)" in r.err, r
    words[4] = "?" + words[4]
    r = husk.command("unshare", "-m", "sh", "-c", hide, "sh", *words)
    assert r.status == 0 and r.out == "" and r.err.count("went on without it") == 1, r
    for kind in ("", ":squashfs", ":ext4"):
        r = run(f"mount={public}/junk:/mnt{kind}", "--", "/bin/true", box=name)
        assert r.status == 125 and "rootfs.mounts" in r.err and "junk on /mnt" in r.err, r


def test_a_loop_device_on_older_kernels(name, public, tmp_path, no_loops_left):
    """Without LOOP_CONFIGURE (5.8), and where another start takes the free device first."""
    if not husk.INJECT.exists():
        pytest.skip("the tracer is for x86_64 only")
    import fault
    s, _ = images(public)
    words = ["--", husk.HUSK, "run", f"root={husk.ROOT}", f"name={name}", f"mount={s}:/mnt:squashfs,ro", "--", "/bin/cat", "/mnt/f"]
    log = tmp_path / "log"
    assert husk.command(husk.INJECT, "-o", log, "list", *words).out == "of the image\n"
    configure = re.findall(rf"^call 0 ({fault.number('ioctl')}\.\d+) ", log.read_text(errors="replace"), re.M)[1]
    for e in (22, 16):
        r = husk.command(husk.INJECT, "-o", log, "fail", 0, configure, e, *words)
        assert "hit " in log.read_text() and r.out == "of the image\n", r


# ------------------------------------------------------------------ masks and read-only paths

def test_a_mask_in_a_read_only_tree_stays(name, root):
    (root / "srv/a").mkdir()
    (root / "srv/a/secret").write_text("secret")
    (root / "srv/f").write_text("secret")
    for words in (["mask=/srv/a", "readonly=/srv"], ["readonly=/srv", "mask=/srv/a/"], ["mask=/proc/sys/kernel", "mask=/srv/a"]):
        r = run(*words, "mask=/srv/f", "user=root", "--", "/bin/sh", "-c", "cat /srv/a/secret /srv/f; ls -A /srv/a", root=f"{root}:rw", box=name)
        assert "secret" not in r.out, r
    r = run("mask=/proc/sys/kernel", "--", "/bin/ls", "/proc/sys/kernel", box=name)
    assert r.status == 0 and r.out == "", r


def test_readonly_covers_what_is_mounted_below(name, tmp_path):
    r = run("tmpfs=/srv", "tmpfs=/srv/sub", "readonly=/srv", "user=root", "--", "/bin/sh", "-c", "touch /srv/x; touch /srv/sub/x; touch /tmp/x && echo done", box=name)
    assert r.out == "done\n" and r.err.count("Read-only") == 2, r


def test_a_mask_through_a_link_hides_the_file(name, root, tmp_path):
    (tmp_path / "out").write_text("outside")
    (root / "etc/real").write_text("secret")
    (root / "etc/link").symlink_to("real")
    (root / "etc/away").symlink_to(f"../../../../../../..{tmp_path}/out")
    r = run("mask=/etc/link", "--", "/bin/cat", "/etc/real", root=root, box=name)
    assert r.out == "", r
    r = run("mask=/etc/away", "--", "/bin/true", root=root, box=name)
    assert r.status == 125 and "rootfs.masks" in r.err, r


# ------------------------------------------------------------------ dev, etc

def test_nodes(name):
    r = run("--", "/bin/sh", "-c", "cd /dev; stat -c '%n %t:%T %a %u' null zero full random urandom tty; for l in fd stdin stdout stderr ptmx; do readlink $l; done; ls", box=name)
    assert r.out.splitlines() == ["null 1:3 666 0", "zero 1:5 666 0", "full 1:7 666 0", "random 1:8 666 0", "urandom 1:9 666 0", "tty 5:0 666 0",
                                  "/proc/self/fd", "/proc/self/fd/0", "/proc/self/fd/1", "/proc/self/fd/2", "pts/ptmx"] + \
        "fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero".split(), r


def test_devices(name):
    r = run("user=1000:1000", "device=/dev/vd*:rw", "device=/dev/null:/dev/sub/dir/n:r", "device=/dev/zero:rw,mode=640", "--", "/bin/sh", "-c",
            "stat -c '%n %t:%T %a %u:%g' /dev/vda /dev/sub/dir/n /dev/zero", box=name)
    if os.path.exists("/dev/vda"):
        assert r.out.splitlines()[0] == f"/dev/vda {os.major(os.stat('/dev/vda').st_rdev):x}:0 600 1000:1000", r
    assert r.out.splitlines()[-2:] == ["/dev/sub/dir/n 1:3 400 1000:1000", "/dev/zero 1:5 640 1000:1000"], r
    for words, what in ((["device=/dev/absent"], "absent"), (["device=/etc/passwd:/dev/x"], "no device"), (["mounts=-dev", "device=/dev/null"], "device")):
        r = run(*words, "--", "/bin/true", box=name)
        assert r.status in (2, 125) and (r.status == 2 or "rootfs.dev" in r.err) and what in r.err, r


def test_nodes_of_a_user_namespace_are_the_host_s(name):
    r = run("ns.user=new", "device=/dev/loop-control", "--", "/bin/sh", "-c",
            "echo x > /dev/null && head -c 3 /dev/zero | wc -c; stat -c '%t:%T' /dev/null /dev/tty; cat /proc/self/mountinfo", box=name)
    assert r.status == 0 and r.out.startswith("3\n1:3\n5:0\n") and " /dev/null " in r.out, r


def test_etc(name, root):
    (root / "etc/hosts").write_text("the image's")
    (root / "etc/localtime").symlink_to("../run/there/zone")
    zone = os.path.exists("/etc/localtime")
    r = run("net=host", "etc=hosts,localtime,absent-everywhere", "user=root", "--", "/bin/sh", "-c",
            "cat /etc/hosts; echo x >> /etc/hosts; ls /run/there; readlink /etc/localtime; cat /proc/self/mountinfo", root=root, box=name)
    host = open("/etc/hosts").read()
    assert r.status == 0 and r.out.startswith(host) and "Read-only" in r.err, r
    assert ("/run/there/zone" in table(r.out)) == zone, r
    assert (root / "etc/hosts").read_text() == "the image's"


def own_etc(tmp_path, *command):
    """A command whose /etc is a copy, to be changed; in it out/husk runs boxes with the host's network."""
    etc = tmp_path / "etc"
    etc.mkdir()
    (tmp_path / "far").mkdir()
    for f in ("passwd", "group"):
        shutil.copy(f"/etc/{f}", etc)
    (etc / "hosts").write_text("old\n")
    (etc / "resolv.conf").symlink_to(tmp_path / "far/real")
    (tmp_path / "far/real").write_text("old, and long\n")
    return ["unshare", "-m", "sh", "-c", f'mount --bind {etc} /etc && exec "$@"', "sh", *map(str, command)]


SEES = "cd /etc; while :; do cat hosts resolv.conf 2>&1; sleep 0.05; done"


def changes(etc, far, seen):
    (etc / "hosts").write_text("written")
    (etc / "hosts").write_text("written\n")
    seen("written", "old, and long")
    (far / "new").write_text("short\n")
    (far / "new").rename(far / "real")
    seen("written", "short")
    (etc / "new").symlink_to("hosts")
    (etc / "new").rename(etc / "resolv.conf")
    seen("written", "written")
    (etc / "hosts").unlink()
    os.mkfifo(etc / "hosts")
    (etc / "resolv.conf").unlink()
    (etc / "resolv.conf").write_text("x" * 300000)
    (etc / "resolv.conf").unlink()
    (etc / "resolv.conf").write_text("end\n")


@pytest.mark.parametrize("user", ["host", "new"])
@pytest.mark.parametrize("calls", ["", "open_tree,move_mount,mount_setattr"])
def test_copies_are_kept_fresh(name, public, user, calls):
    """Written, replaced, removed; the file itself or what it is a link to. Nobody who is inside can hold the keeper up."""
    if not husk.INJECT.exists():
        pytest.skip("the tracer is for x86_64 only")
    import fault
    numbers = ",".join(str(fault.number(c)) for c in calls.split(",")) if calls else "-1"
    root = husk.make_root(public / "root")
    for f in ("hosts", "resolv.conf"):
        (root / "etc" / f).write_text("the image's\n")
    words = own_etc(public, husk.INJECT, "-o", "/dev/null", "never", numbers, "--", husk.HUSK, "run", f"name={name}", f"root={root}",
                    "net=host", f"ns.user={user}", "user=root", "stop.timeout=1s", "--", "/bin/sh", "-c", SEES)
    etc, far = public / "etc", public / "far"
    p = husk.subprocess.Popen(words, stdin=-3, stdout=-1, stderr=-1)

    def seen(hosts, names):
        assert husk.wait_for(lambda: husk.line(p) == hosts and husk.line(p) == names), (hosts, names)
    try:
        if calls and user == "new":
            seen("the image's", "the image's")
        else:
            seen("old", "old, and long")
            changes(etc, far, seen)
            assert husk.wait_for(lambda: husk.line(p) == "end")
    finally:
        os.kill(husk.children(p.pid)[0], 15)
        said = p.communicate(timeout=5)[1].decode()
    assert said.count("went on without it") == (2 if calls and user == "new" else 0), said


def test_no_link_of_a_box_leads_to_a_copy(name, public):
    """Who may write where a link of /etc leads is read by all; but not what a link of his leads to, which root alone may read."""
    root = husk.make_root(public / "root")
    (root / "etc/resolv.conf").write_text("the image's\n")
    words = own_etc(public, "sh", "-c", 'for i in 1 2; do "$@"; done', "sh", husk.HUSK, "run", f"name={name}", f"root={root}", "net=host", "user=4242", f"bind={public}/far:/mnt:rw",
                    "--", "/bin/sh", "-c", "cd /mnt; cat /etc/resolv.conf; [ -L real ] || { echo his >new; mv new real; until grep his /etc/resolv.conf; do sleep .05; done; }; ln -sf /etc/hosts new; mv -T new real")
    (public / "etc/hosts").chmod(0o600)
    os.chown(public / "far", 4242, 4242)
    r = husk.command(*words)
    assert r.out == "old, and long\nhis\nthe image's\n" and "none is followed then - went on without it" in r.err, r


def test_a_slave_brings_no_device(name, tmp_path):
    """What is mounted outside later has the host's flags: the device policy is the wall."""
    script = f"""mount --make-rshared / && mount -t tmpfs x {tmp_path} && mkdir -p {tmp_path}/a/sub
        {husk.HUSK} run root={husk.ROOT} name={name} bind={tmp_path}/a:/mnt:rec,slave -- /bin/sh -c 'sleep 1; read -r x </mnt/sub/node; echo opened $?' &
        sleep 0.5; mount -t tmpfs y {tmp_path}/a/sub; mknod -m 666 {tmp_path}/a/sub/node c 1 11; wait"""
    r = husk.command("unshare", "-m", "sh", "-c", script, timeout=20)
    assert "opened 0" not in r.out and "Operation not permitted" in r.err, r


@pytest.mark.parametrize("words", [("mounts=-pts",), ("mounts=-dev",), ("mount=none:/dev/pts:devpts,newinstance",), ("tmpfs=/dev/pts",),
                                   ("caps=dac_read_search,dac_override", "syscalls=@all"), ("mounts=-pts", "ns.user=new")])
def test_nothing_inside_can_write_what_masks_show(name, words):
    r = run(*words, "user=root", "--", "/bin/sh", "-c",
            "touch /dev/pts/z 2>/dev/null; for d in /proc/acpi /sys/firmware; do [ -d $d ] && ls -A $d; done; cat /proc/keys; echo x >/proc/keys", box=name)
    assert r.status != 125 and not r.out and "Read-only file system" in r.err, r


@pytest.mark.parametrize("to", ["/proc/1/uid_map", "/proc/version"])
def test_a_copy_does_not_go_below_proc(name, root, to):
    (root / "etc/localtime").unlink(missing_ok=True)
    (root / "etc/localtime").symlink_to(to)
    r = run("etc=localtime", "--", "/bin/sh", "-c", "grep -c etc.localtime /proc/self/mountinfo || true", root=root, box=name)
    assert r.out == "0\n" and r.status == 0, r


# ------------------------------------------------------------------ user namespaces, other namespaces of the host

def test_user_namespace(name, tmp_path):
    """Root of the namespace may enter neither the directory of the root nor that of the source: HOST opened them."""
    closed = tmp_path / "closed"
    husk.make_root(closed / "root")
    (closed / "data").mkdir()
    closed.chmod(0o700)
    r = run("ns.user=new", f"bind={closed}/data:/mnt", "--", "/bin/sh", "-c", "cat /proc/self/mountinfo; touch /x", root=closed / "root", box=name)
    t = table(r.out)
    assert "Read-only" in r.err and set(DEFAULT) <= set(t) and "/mnt" in t, r
    assert t["/proc/kallsyms" if os.path.exists("/proc/kallsyms") else "/proc/sys"][0] == "ro," + QUIET


def test_namespaces_of_the_host_in_a_user_namespace(name):
    """Their file systems are the host's, read-only, with the same masks."""
    r = run("ns.user=new", "ns.pid=host", "net=host", "ns.ipc=host", "--", "/bin/sh", "-c", "cat /proc/self/mountinfo; cat /proc/kallsyms; echo 0 > /proc/sys/kernel/panic", box=name)
    if "cgroup" in r.err and r.status == 2:
        pytest.skip(r.err)
    t = table(r.out)
    assert t["/proc"][0] == t["/sys"][0] == "ro," + QUIET and "/proc/sys" in t and r.out.rstrip().splitlines()[-1].count(" ") > 6, r


def test_unprivileged(name, public):
    """Another user, his own run directory: what he gets is the same box in a user namespace."""
    d = public / "run"
    d.mkdir()
    os.chown(d, 1000, 1000)

    def become():
        os.setgroups([])
        os.setresgid(1000, 1000, 1000)
        os.setresuid(1000, 1000, 1000)
    exe = public / "husk"
    shutil.copy(husk.HUSK, exe)
    exe.chmod(0o755)
    for root in ("/", str(husk.ROOT)):
        r = husk.command(exe, "run", f"root={root}", f"name={name}", "ns.user=new", "memory.max=max", "pids.max=max", "--", "/bin/cat", "/proc/self/mountinfo",
                         preexec_fn=become, env={"XDG_RUNTIME_DIR": str(d)}, cwd="/")
        if r.status == 125 and "user_namespaces" in r.err:
            pytest.skip(r.err)
        assert r.status == 0, r
        t = table(r.out)
        assert t["/"][0].startswith("ro,nosuid,nodev") and set(DEFAULT) <= set(t), r
        assert [p for p in t if p.startswith("/proc/")], r


# ------------------------------------------------------------------ the comparison itself

def point(tmp_path, call):
    """Number of the last such call of INIT, before the pivot."""
    if not husk.INJECT.exists():
        pytest.skip("the tracer is for x86_64 only")
    import fault
    calls, _ = fault.record(husk.name("tv"), tmp_path / "list")
    return [c for c in calls if c.role == 1 and c.name == call][-1].n


HOOK = """import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
assert libc.setns(os.open(f"/proc/{sys.argv[1]}/ns/mnt", os.O_RDONLY), 0) == 0
src, dst, kind, flags = (w.encode() for w in sys.argv[2:])
done = libc.umount2(dst, 0) if kind == b"umount" else libc.mount(src, dst, kind, int(flags), None)
if done:
    print(os.strerror(ctypes.get_errno()), file=sys.stderr)
sys.exit(done != 0)
"""
RDONLY, NOSUID, NODEV, NOEXEC, REMOUNT, BIND, SHARED = 1, 2, 4, 8, 32, 4096, 1 << 20
HOOKS = {
    "a tmpfs over knobs": "x /proc/bus tmpfs 0",
    "a mount in the root": "x /srv tmpfs 0",
    "a mount on the root": "x / tmpfs 0",
    "a mask gone": "x /proc/kallsyms umount 0",
    "a mount gone": "x /tmp umount 0",
    "proc executable": f"x /proc x {REMOUNT | BIND | NOSUID | NODEV}",
    "knobs writable": f"x /proc/sys x {REMOUNT | BIND | NOSUID | NODEV | NOEXEC}",
    "the root writable": f"x / x {REMOUNT | BIND | NOSUID | NODEV}",
    "the root with devices": f"x / x {REMOUNT | BIND | NOSUID | RDONLY}",
    "a shared mount": f"x /tmp x {SHARED}",
    "a file over another": f"/bin/inside /etc/passwd x {BIND}",
    "a mask over a mask": f"/sys/firmware /proc/acpi x {BIND}",
}


@pytest.mark.parametrize("what", HOOKS)
def test_verify_sees(name, tmp_path, what):
    """Somebody changes the table between the pivot and the comparison: the box does not start."""
    import fault
    n = point(tmp_path, "getcwd")
    (tmp_path / "hook.py").write_text(HOOK)
    command = f"/usr/bin/python3 {tmp_path}/hook.py $PID {HOOKS[what]} 2>{tmp_path}/said && touch {tmp_path}/done"
    r = husk.command(husk.INJECT, "-o", tmp_path / "log", "hook", "1", n, command, "--", *fault.words(name), timeout=20)
    assert (tmp_path / "done").exists(), (tmp_path / "said").read_text()
    assert r.status == 125 and "rootfs.verify: " in r.err, r


def test_verify_sees_every_mount_that_was_not_made(name, tmp_path):
    """Each mount call of INIT is answered with success and not done."""
    import fault
    if not husk.INJECT.exists():
        pytest.skip("the tracer is for x86_64 only")
    calls, _ = fault.record(husk.name("tv"), tmp_path / "list")
    for c in calls:
        if c.role != 1 or c.name not in ("mount", "move_mount", "umount2", "pivot_root"):
            continue
        r = husk.command(husk.INJECT, "-o", tmp_path / "log", "fake", "1", c.n, "--", *fault.words(husk.name("tv")), timeout=20)
        assert r.status == 125 or (c.text == "/" and c.name == "mount" and "shared" not in husk.read("/proc/self/mountinfo")), f"{c}: {r}"


def test_calls_of_the_rows(name, tmp_path):
    """What rootfs/ costs in a default start, HOST and INIT together."""
    if not shutil.which("strace"):
        pytest.skip("no strace")
    log = tmp_path / "log"
    husk.command("strace", "-f", "-o", log, husk.HUSK, "run", f"root={husk.ROOT}", f"name={name}", "--", "/bin/true", timeout=20)
    lines = [l.split(None, 1)[1] for l in log.read_text(errors="replace").splitlines()]
    start = next(i for i, l in enumerate(lines) if l.startswith("mount(NULL, \"/\""))
    pid = log.read_text(errors="replace").splitlines()[start].split()[0]
    own = [l.split(None, 1)[1] for l in log.read_text(errors="replace").splitlines() if l.split()[0] == pid]
    own = own[own.index(lines[start]):]
    end = next(i for i, l in enumerate(own) if "self/mountinfo" in l)
    assert end + 4 <= 80, "\n".join(own[:end + 4])


# ------------------------------------------------------ a neighbour's links on the host
@pytest.mark.parametrize("calls", ["", "openat2", "openat2,open_tree,move_mount,mount_setattr"])
def test_a_link_of_a_neighbours_is_no_source(name, public, tmp_path, calls):
    """What a box puts where it may write must not lead the next start of another one, which root wrote, elsewhere."""
    canary = public / "canary"
    (canary / "dir").mkdir(parents=True)
    for f in ("file", "dir/file"):
        (canary / f).write_text("secret\n")
    data = public / "data"
    data.mkdir()
    os.chown(data, 1000, 1000)
    plant = f"ln -s {canary} /mnt/b; ln -s {canary}/file /mnt/f; mkdir /mnt/d; ln -s /dev/zero /mnt/z"
    r = run("user=1000", f"bind={data}:/mnt:rw", "--", "/bin/sh", "-c", plant, box=name)
    assert r.status == 0 and (data / "b").is_symlink(), r
    os.symlink(canary, data / "d/root")			# root's, but a neighbour can move all that is around it
    os.lchown(data / "d/root", 0, 0)

    def start(*words):
        return without(calls, tmp_path, "user=root", *words, box=name)
    show = ["--", "/bin/sh", "-c", "cat /mnt/file /mnt/sub/file; cat <&5; echo ran"]
    for row in (f"bind={data}/b:/mnt:rw", f"bind={data}/b/dir:/mnt", f"bind={data}/d/root:/mnt", f"fd=5:{data}/f", f"fd=5:{data}/f:rw",
                f"mount={data}/f:/mnt:ext4", f"mount={data}/z:/mnt:ext4", f"mount={data}/absent:/mnt:ext4"):
        r = start(f"root={husk.ROOT}", row, *show)
        assert r.status == 125 and "others than root can put a link there" in r.err and "ran" not in r.out, (row, r)
        r = start(f"root={husk.ROOT}", "?" + row, *show)
        assert "secret" not in r.out and ("ran" in r.out or "mount" not in row), (row, r)
    r = start(f"root={data}/b", "--", "/file")
    assert r.status == 125 and "others than root can put a link there" in r.err, r
    # a link that root made where nobody else writes, or in a directory like /tmp, is meant
    (public / "way").mkdir()
    os.symlink("../way2", public / "way/l")
    (public / "way2").mkdir()
    (public / "way2/file").write_text("meant\n")
    (public / "way2").chmod(0o755)
    os.symlink(public / "way/l", f"/tmp/{name}")
    try:
        r = start(f"root={husk.ROOT}", f"bind=/tmp/{name}:/mnt", f"fd=5:/tmp/{name}/file", "bind=/etc/localtime:/etc/passwd", "bind=/bin:/srv", "--", "/bin/sh", "-c",
                  "cat /mnt/file; cat <&5; wc -c < /etc/passwd; ls /srv")
        assert r.out.startswith(f"meant\nmeant\n{os.stat('/etc/localtime').st_size}\n") and "sh\n" in r.out, r
        os.lchown(f"/tmp/{name}", 1000, 1000)
        r = start(f"root={husk.ROOT}", f"bind=/tmp/{name}:/mnt", "--", "/bin/true")
        assert r.status == 125 and "others than root" in r.err, r
    finally:
        os.unlink(f"/tmp/{name}")
