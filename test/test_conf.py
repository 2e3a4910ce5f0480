"""The language: files with one mistake each and their exact message, files that are right, the examples."""
import os
import re

import pytest

import husk

CONF = husk.TOP / "test/conf"
BAD = sorted((CONF / "bad").glob("*.conf"))
GOOD = sorted((CONF / "good").glob("*.conf"))
EXAMPLES = sorted((husk.TOP / "boards/examples").rglob("*.conf"))


def expected(path):
    """What stands in the file's lines "#! ", with FILE for its name."""
    lines = [l[3:] for l in path.read_text(errors="surrogateescape").splitlines() if l.startswith("#! ")]
    return "".join(l.replace("FILE", str(path)) + "\n" for l in lines)


def unmarked(text):
    """husk show without the comments that say where a line comes from."""
    return [l for l in text.splitlines() if not l.startswith("#")]


def test_there_are_enough():
    assert len(BAD) >= 150
    assert len(EXAMPLES) >= 19


@pytest.mark.parametrize("path", BAD, ids=lambda p: p.stem)
def test_bad(path):
    r = husk.husk("check", path, timeout=5)
    assert r.status == 2, r
    assert expected(path), "no #! line says what is expected"
    assert r.err == expected(path)
    assert r.out == ""


@pytest.mark.parametrize("path", BAD, ids=lambda p: p.stem)
def test_bad_is_not_started(path, tmp_path):
    """What the text says wrongly is 2 from run as well, word for word, and not even the directory is made in which the name of a box
    is locked, which every start does first. What only this machine lacks is 125, 126 or 127, and nothing of it is left."""
    box, machine, rundir = husk.name("bad"), "machine" in path.stem, tmp_path / "run"
    r = husk.husk("run", path, f"name={box}", timeout=5, env=dict(os.environ, HUSK_RUN=str(rundir)))
    assert r.status in ((125, 126, 127) if machine else (2,)) and r.out == "", r
    assert machine or r.err == expected(path), r
    assert not (machine and [f for f in rundir.iterdir() if not f.is_symlink()] or not machine and rundir.exists()), list(rundir.iterdir())
    assert not husk.left(box)


@pytest.mark.parametrize("path", GOOD, ids=lambda p: p.stem)
def test_good_is_shown_and_read_again(path, tmp_path):
    first = husk.husk("show", path)
    assert first.status == 0, first
    again = tmp_path / path.name
    again.write_text("\n".join(unmarked(first.out)) + "\n")
    second = husk.husk("show", again)
    assert second.status == 0, second
    assert unmarked(second.out) == unmarked(first.out)


# What examples say that husk does not know yet, as boards/examples/README has it: its keys, and values of keys that it has. Each of
# those lines is refused, by name, and no other one.
AHEAD = {
    "can": "net.move net.veth net.addr net.route", "cloud": "share", "debug": "tty", "nodered": "net net.publish", "scada": "root", "sensor": "share",
}


def example(path):
    return str(path.relative_to(CONF.parent.parent / "boards/examples").with_suffix(""))


def named_in(path, top):
    """A root file system with all that an example names: its program, user, disks and directories."""
    husk.make_root(top)
    for line in path.read_text().splitlines():
        key, _, value = line.partition("=")
        words = value.split() if key in ("exec", "board.good", "board.console") else [value.split(":")[0]]
        for w in [w for w in words[:1 if key != "board.console" else 2] if w.startswith("/")]:
            at = top / w[1:]
            at.parent.mkdir(parents=True, exist_ok=True)
            if key in ("exec", "board.good", "board.console"):
                at.touch(0o755)
            elif key == "mount" or w.endswith(".squashfs"):
                at.touch()
            elif key in ("bind", "root", "cwd"):
                at.mkdir(parents=True, exist_ok=True)
        if key in ("bind", "mount", "tmpfs") and value.split(":")[1:2] and value.split(":")[1].startswith("/"):
            (top / value.split(":")[1][1:]).mkdir(parents=True, exist_ok=True)
        if key == "user" and value not in ("auto", "root"):
            with open(top / "etc/passwd", "a") as f:
                f.write(f"{value}:x:77:77::/:/bin/false\n")
    return top


@pytest.mark.parametrize("path", EXAMPLES, ids=example)
def test_examples(path, tmp_path):
    """Of an image that has what it names nothing is wrong but the lines that are ahead of husk; and without its program it is."""
    top = named_in(path, tmp_path / "root")
    r = husk.husk("check", "-r", top, path)
    errors = [re.match(r"[^:]+(?::\d+)?: ([a-z_.]+): ", l)[1] for l in r.err.splitlines() if not l.endswith("(warning)")]
    assert sorted(set(errors)) == sorted(AHEAD.get(example(path), "").split()) and r.status == (2 if errors else 0), r
    for key in errors:
        assert husk.husk("help", key).status == 0 or f"{key}: no such verb or key" in r.err, (key, r)
    program = re.search(r"^(?:exec|board.good)=(/\S+)", path.read_text(), re.M)
    if program and not errors and not program[1].startswith("/srv/app/"):		# an image, which a build machine does not look into
        (top / program[1][1:]).unlink()
        assert husk.husk("check", "-r", top, path).status == 2, program[1]


def test_the_readme_names_those_that_are_ahead():
    text = (husk.TOP / "boards/examples/README").read_text()
    boxes = sorted(n for n in AHEAD if "/" not in n)
    assert re.search(rf"are ahead of husk: {', '.join(boxes[:-1])} and {boxes[-1]} have", text), boxes


def test_default_mounts_need_their_places(tmp_path):
    root, conf = tmp_path / "root", tmp_path / "x.conf"
    for d in ("bin", "proc", "dev", "sys", "run"):
        (root / d).mkdir(parents=True)
    text = f"exec=/bin/x\nuser=0\nroot={root}"
    (root / "bin/x").touch(0o755)
    conf.write_text(f"{text}\n")
    r = husk.husk("check", conf)
    assert r.status == 2 and r.err == f"{conf}: mounts: /tmp of the root: No such file or directory\n", r
    for more in ("\nmounts=-tmp\n", "\nmounts=none\n", ":rw\n"):
        conf.write_text(text + more)
        assert husk.husk("check", conf).status == 0, more


def test_what_is_given_from_outside(tmp_path):
    """Files of fd= and the places of listen=; on a build machine they need not be there yet."""
    conf, d = tmp_path / "x.conf", tmp_path / "d"
    d.mkdir()
    (d / "file").touch()
    wrong = {f"fd=3:{d}/none": f"fd: {d}/none: No such file or directory", f"fd=3:{d}": f"fd: {d}: a directory would lead out of the box - bind=",
             f"listen={d}/none/s": f"listen: {d}/none/: No such file or directory", f"listen={d}/file": f"listen: {d}/file is there, and no socket",
             f"listen={d}/s:user=rot": 'listen: no "rot" in /etc/passwd; root?', f"listen={d}/file/s": f"listen: {d}/file/: Not a directory"}
    for line, said in wrong.items():
        conf.write_text(f"exec=/bin/true\n{line}\n")
        r = husk.husk("check", conf)
        assert (r.status, r.err) == (2, f"{conf}:2: {said}\n"), r
        r = husk.husk("check", "-r", "/", conf)
        assert r.status == 0 and f"{said} (warning)" in r.err, r
    for line in f"?fd=3:{d}/none", f"fd=3:{d}/file", f"listen={d}/s:user=root", "listen=80":
        conf.write_text(f"exec=/bin/true\n{line}\n")
        assert husk.husk("check", conf).status == 0, line


@pytest.mark.parametrize("line, said", [
    (" cwd=/", '" cwd=/" is not key=value: no blank before the key or the ='), ("cwd = /", '"cwd = /" is not key=value: no blank before the key or the ='),
    ("cwd /", '"cwd /" is not key=value'), ("=/", '"=/" is not key=value'),
    ('exec=\nexec="/bin/sleep 1"', "exec: /bin/sleep 1 of the root: No such file or directory - quotes make one word of it"),
    ("root=/etc,rw", "root: /etc,rw: No such file or directory - options stand behind a :"), ("bind=/none,rw:/tmp/x", "bind: /none,rw: No such file or directory - options stand behind a :"),
    ("tmpfs=/data:noxec", 'tmpfs: "noxec" is not an option; noexec?'),
    ("hook.start=/bin/true", "hook.start: no such stage: prestart|createcontainer|startcontainer|poststart|poststop"),
    ("cwd=", "cwd: a value is missing"), ("sysctl.net.ipv4.ip_forward=", None)])
def test_what_a_newcomer_writes(line, said, tmp_path):
    """The answer has the rule."""
    (tmp_path / "x.conf").write_text(f"exec=/bin/sh\n{line}\n")
    r = husk.husk("check", tmp_path / "x.conf")
    assert (r.status, r.err) == ((2, f"{tmp_path}/x.conf:{2 + line.count(chr(10))}: {said}\n") if said else (0, "")), r


def test_help_of_what_is_no_key():
    """A part of a name or of a value, and what others call it; what is neither is an error as ever."""
    def keys_of(word):
        r = husk.husk("help", word)
        assert r.status == 0 and not r.err, r
        return set(re.findall(r"^([a-z]\S*?)=", r.out, re.M))
    assert {"memory.max", "pids.max", "cpu.max", "io.max"} <= keys_of("limits") and {"ns.pid", "ns.user"} <= keys_of("namespaces")
    assert {"memory.max", "memory.high"} <= keys_of("memory") and "board.good" in keys_of("board") and "bind" in keys_of("create")
    for word, key in ("network", "net"), ("capabilities", "caps"), ("seccomp", "syscalls"), ("presets", "use"), ("ports", "listen"), ("environment", "env"):
        assert key in keys_of(word), word
    assert husk.husk("help", "nosuchkey").status == 2 and husk.husk("help", "memroy.max").err == "husk: help: memroy.max: no such verb or key; memory.max? - husk help all, husk.conf(5)\n"


def test_what_can_be_looked_up(tmp_path):
    """Paths and processors that a start would miss; nothing of what the box's own mounts bring, or a default covers."""
    none = "/none of the root: No such file or directory"
    wrong = {"mask=/none": f"mask: {none}", "readonly=/none": f"readonly: {none}", "hook.prestart=/none x": "hook.prestart: /none: No such file or directory",
             "hook.poststop=/etc/passwd": "hook.poststop: /etc/passwd: Permission denied", "hook.createcontainer=/none x": "hook.createcontainer: /none: No such file or directory",
             "hook.startcontainer=/none x": f"hook.startcontainer: {none}"}
    online, nodes = (husk.read(f"/sys/devices/system/{d}/online").strip() for d in ("cpu", "node"))
    here = {"cpuset.cpus=0,1000-1001": f"cpuset.cpus: 1000: this machine has {online}", "cpuset.mems=0-999": f"cpuset.mems: {int(nodes[-1]) + 1}: this machine has {nodes}", "affinity=1000": "affinity: this machine has none of these CPUs", "io.max=/dev/none:rbps=1M": "io.max: /dev/none: No such file or directory"}
    for line, said in (wrong | here).items():
        (tmp_path / "x.conf").write_text(f"exec=/bin/sh\n{line}\n")
        assert husk.husk("check", tmp_path / "x.conf").err == f"{tmp_path}/x.conf:2: {said}\n"
        assert husk.husk("check", "-r", "/", tmp_path / "x.conf").status == (2 if line in wrong else 0)
        assert husk.husk("run", "root=/", line, "--", "/bin/true").status == 125 or line == "hook.poststop=/etc/passwd"
    r = husk.husk("check", "exec=/bin/sh", "mask=/run/x,/proc/none,/etc/", "readonly=/tmp/x", "?io.max=/dev/none:rbps=1M", "hook.startcontainer=/run/none", "affinity=0-99", "?cpuset.cpus=1000", f"cpuset.mems={nodes}")
    assert r.status == 0 and not r.err, r


@pytest.mark.parametrize("line, said", [
    ("board.overlay=10", '"10" is not SIZE from 64K or DIR (64M, 10%, /data/overlay)'), ("board.overlay=d", '"d" is not SIZE from 64K or DIR (64M, 10%, /data/overlay)'),
    ("board.module=../x", '"../x" is not NAME ARG=VALUE ...'), ("board.module=x.ko", '"x.ko" is not NAME ARG=VALUE ...'), ("board.module=snd-soc_1 index=1", None), ("board.overlay=10%", None),
    ("mount=LABEL=d:/data:ext4,fsk", "fsk goes to the file system; fsck? (warning)"), ("mount=LABEL=d:/data:ext4,data=ordered,noatme,mkfs", "noatme goes to the file system; noatime? (warning)"),
    ("mount=LABEL=d:/data:fskc,errors=panic", "fskc goes to the file system; fsck? (warning)"), ("mount=LABEL=d:/data:ext4,errors=remount-ro,discard,fsck", None),
    ("mount=/dev/x:none:ext4", '"/dev/x:none:ext4" is not SRC:BOX[:TYPE,OPTS] (a device or a type; from /, no ..)'), ("mount=LABEL=s:none:swap", None), ("mount=/dev/root:/:fsck,noatime", None), ("tmpfs=/", '"/" is not BOX[:SIZE,mode=M,exec] (from /, no ..)'), ("mount=LABEL=s:none", None),
    ("env=A=1", "a box's, not the board's"), ("umask=022", "a box's, not the board's"), ("rlimit.nofile=10", "a box's, not the board's"), ("tmpfs=/x:1Q", '"1Q" is not an option'), ("tmpfs=/x:1M", None),
    ("board.root=sda1", '"sda1" is not DISK[:TYPE,OPTS] (cmdline, no, /dev/X, LABEL=X, UUID=X, PARTLABEL=X, PARTUUID=X)'), ("board.local=x", '"x" is not an absolute path'),
    ("board.good=/none -x", "/none: No such file or directory (warning)"), ("board.good=/bin/sh -x", None), ("board.console=tty1 /none %t", "/none: No such file or directory (warning)"), ("board.console=tty1 /bin/sh", None),
    ("board.watchdog=/dev/none:30s", "/dev/none: No such file or directory (warning)"), ("?board.watchdog=/dev/none:30s", None), ("board.watchdog=/dev/null:30s", None),
    ("board.console=tty1:aks", '"tty1:aks" is not TTY[:ask] [PATH ARG ...] (ttyS0, console; %t is TTY)'), ("board.watchdog.stop=5", '"5" is not a time to 1d (30s, 2m)'), ("board.verity=cmdline", "no such key")])
def test_what_a_board_is_told(tmp_path, line, said):
    (tmp_path / "board.conf").write_text(f"\n{line}\n")
    r = husk.husk("check", tmp_path / "board.conf")
    assert r.status == (2 if said and "(warning)" not in said else 0) and r.err == (f"{tmp_path}/board.conf:2: {line.split('=')[0]}: {said}\n" if said else ""), r
    r = husk.husk("check", "-r", "/", tmp_path / "board.conf")
    assert r.status == (2 if said and not said.endswith("? (warning)") and "watchdog=" not in line else 0), r		# the programs of a root are in it, its devices are not


def test_places_of_a_board(tmp_path):
    """A mount has one in the image, below another mount, or below what husk mounts itself; swap has none."""
    (tmp_path / "root/data").mkdir(parents=True)
    conf = tmp_path / "board.conf"
    conf.write_text("mount=LABEL=d:/data:ext4\nmount=LABEL=e:/data/e:ext4\nmount=LABEL=s:none:swap\ntmpfs=/cache:1M\nmount=LABEL=u:/run/usb:vfat\n?mount=LABEL=n:/no:vfat\nmount=LABEL=x:/x:ext4\n")
    r = husk.husk("check", "-r", tmp_path / "root", conf)
    said = [f"{conf}:{n}: {key}: {path} is not in the image: a read-only root needs it (warning)\n" for n, key, path in ((4, "tmpfs", "/cache"), (7, "mount", "/x"))]
    assert r.status == 0 and r.err == "".join(said), r
    r = husk.husk("check", conf)
    assert r.status == 0 and not r.err, r


def test_command_line_is_the_same_language():
    r = husk.husk("run", "root=/", "memroy.max=3M", "--", "/bin/true")
    assert r.status == 2 and "memroy.max: no such key; memory.max?" in r.err, r


def test_presets_are_shown():
    for preset in ("service", "daemon", "netdev", "host", "oci"):
        r = husk.husk("show", f"use={preset}", "exec=/bin/true")
        assert r.status == 0 and "caps" in r.out, r
    assert "net=host" in husk.husk("show", "use=host", "exec=/bin/true").out


def test_owner_and_mode(tmp_path):
    conf = tmp_path / "x.conf"
    conf.write_text("exec=/bin/true\n")
    conf.chmod(0o666)
    r = husk.husk("check", conf)
    assert r.status == 2 and "writ" in r.err, r
    conf.chmod(0o644)
    assert husk.husk("check", conf).status == 0
    os.chown(conf, 1234, 0)
    r = husk.husk("check", conf)
    assert r.status == 2 and "own" in r.err, r


@pytest.mark.parametrize("content", [b"\0", b"\xff\xfe" * 50, b"=" * 100, b"exec=" + b"x" * 200000, b"?" * 3000, b"exec=\"\n", b"use=" * 999,
                                     b"include=x.conf\n", b"env=" + b"A" * 70000 + b"=1\n", b"bind=" + b":" * 9999, b"#" * 150000],
                         ids=lambda c: f"{c[:4]}x{len(c)}")
def test_rubbish(tmp_path, content):
    conf = tmp_path / "x.conf"
    conf.write_bytes(content)
    r = husk.husk("check", conf, timeout=5)
    assert r.status == 2 and r.err.startswith(str(conf)) and len(r.err) < 4000, r


def keys():
    """Name, what a value is, and the flags of each row of the table; where nothing is said a value is what the row above says."""
    rows, what = [], ""
    for l in (husk.TOP / "cfg/keys.c").read_text().splitlines():
        m = re.match(r'\t[KW]\([A-Z0-9_]+, "([^"]+)", [A-Z]+, [^,]+, ([^"]*), "((?:[^"\\]|\\.)*)", ', l)
        assert m or not re.match(r'\t[KW]\([A-Z0-9_]+, "', l), l
        if m:
            what = m[3].replace("\\\\", "\\") or what
            rows.append((m[1], what, m[2].split(" | ")))
    return rows


SUBS = {"CONTROLLER.": "memory.anything", "hugetlb.": "hugetlb.2MB.max", "rlimit.": "rlimit.nofile", "sysctl.": "sysctl.net.x", "hook.": "hook.prestart"}


def test_the_table_is_read():
    rows = keys()
    assert len(rows) >= 110 and len({r[0] for r in rows}) == len(rows) and {r[0] for r in rows if "SUB" in r[2]} == set(SUBS)


@pytest.mark.parametrize("key, what, flags", keys(), ids=lambda v: v if isinstance(v, str) and " " not in v else "")
def test_help_of_every_key(key, what, flags):
    """Behind the verb of that name, where there is one."""
    r = husk.husk("help", SUBS.get(key, key))
    assert r.status == 0 and r.err == "", r
    lines = r.out.splitlines()
    lines = lines[lines.index(f"{key}{'X' if key in SUBS else ''}={what}"):]
    says = lines[1:lines.index("default:")]
    assert len(says) == len({"LIST", "SKIP", "BOARD", "LIVE"} & set(flags)) and (len(lines) > len(says) + 2 or key in SUBS), r


def test_manual_has_every_key():
    """In the order of the table, with what a value is."""
    text = re.sub(r"\\[&:]", "", (husk.TOP / "out/husk.conf.5").read_text()).replace("\\e", "\\")
    listed = re.findall(r"^\.It Ic (\S+)= Ns Ar (.*)$", text, re.M)
    rows = [(f"{k}{'X' if k in SUBS else ''}", w) for k, w, _ in keys()]
    at = listed.index(rows[0])
    assert listed[at:at + len(rows)] == rows
