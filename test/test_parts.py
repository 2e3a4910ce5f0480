"""A husk that was made without parts (WITHOUT= of boards/NAME.mk): what is missing is refused, and the rest works."""
import re

import pytest

import husk
import qemu

SMALL = husk.OUT / "small/husk"
PARTS = husk.command("sh", husk.TOP / "init/parts.sh", "-l").out.split()
MAIN, KEYS = ((husk.TOP / f).read_text() for f in ("init/main.c", "cfg/keys.c"))
VERBS = re.findall(r'^\tV\((\w+), (\w+), "', MAIN, re.M)
ROWS = re.findall(r'^\t[KW]\(([A-Z0-9_]+), "([^"]+)"', KEYS, re.M)


def of_parts():
    """(key, part) of each that belongs to one"""
    ids = [r[0] for r in ROWS]
    for part, first, last in re.findall(r"^\tK\(([a-z]+), ([A-Z_]+), ([A-Z_]+)\)", KEYS, re.M):
        for id, name in ROWS[ids.index(first):ids.index(last) + 1]:
            yield name, part


@pytest.fixture(scope="module")
def small():
    if not SMALL.exists():
        r = husk.command("make", "-C", husk.TOP, "BOARD=small", timeout=300)
        assert r.status == 0, r
    return lambda *words, **more: husk.command(SMALL, *words, **more)


def test_the_list(small):
    assert len(PARTS) > 10 and {p for v, p in VERBS} | {p for k, p in of_parts()} == set(PARTS) - {"v1"} | {"always"}
    assert husk.husk("version").out == "husk 0.2 built with: " + " ".join(PARTS) + "\n"
    assert small("version").out == "husk 0.2 built with: v1\n"
    assert f"parts={' '.join(PARTS)}\n" in husk.husk("info", "-k").out


def test_a_word_that_is_no_part():
    lacks = lambda *words: husk.command("sh", husk.TOP / "init/parts.sh", *words)
    assert lacks().out == "0u\n" and lacks("boards", "events").out == "5u\n" and lacks("all").out == f"{2 ** len(PARTS) - 1}u\n"
    assert lacks("control").out == lacks("exec", "upgrade", "control").out and lacks("tty").out == lacks("exec", "tty").out
    assert lacks("all", "-events").out == lacks("all", "-events", "boards").out == f"{2 ** len(PARTS) - 5}u\n" and lacks("all", "-bogus").status == 1
    assert lacks("stats", "bogus").status == 1 and "WITHOUT=bogus: no such part; there are: boards" in lacks("bogus").err
    r = husk.command("make", "-C", husk.TOP, "BOARD=small", "OUT=out/bogus", "WITHOUT=bogus", timeout=60)
    assert r.status and r.err.count("WITHOUT=bogus") == 1 and "error:" not in r.err


@pytest.mark.parametrize("verb, part", VERBS, ids=lambda w: w)
def test_a_verb(small, verb, part):
    r = small(verb, "x" * 80)
    said = f"husk: {verb}: not in this program: made without {part}\n"
    assert (r.status == 2 and r.out == "" and r.err == said) == (part != "always"), r
    r = small(verb, "-x", "x=y")
    assert part != "always" or verb == "version" or r.err == f"husk: {verb}: -x: no such option - husk(8)\n", r


def test_a_word_that_is_no_verb(small):
    assert small("stat").err == "husk: stat: no such verb; start?\n" and small("x" * 20).err == f"husk: {'x' * 20}: no such verb\n"
    assert small().err == "husk: a verb is missing - husk(8)\n"


def test_a_key(small, tmp_path):
    for key, part in of_parts():
        sub = {"hook.": "hook.prestart", "hugetlb.": "hugetlb.2MB.max", "CONTROLLER.": "memory.swappiness"}.get(key, key)
        (tmp_path / "x.conf").write_text(f"exec=/bin/true\n{sub}=1\n")
        r = small("run", tmp_path / "x.conf")
        assert r.status == 2 and r.err == f"{tmp_path}/x.conf:2: {sub}: not in this program: made without {part}\n", r
    for slip, of in (("memory.maxx", "memory.max"), ("io.maxx", "io.max"), ("pids.mx", "pids.max"), ("log.rat", "log.rate")):
        assert small("run", f"{slip}=1", "--", "/bin/true").err == f"command line: {slip}: no such key; {of}?\n"
    assert small("run", "log=ring", "--", "/bin/true").err == "command line: log: not in this program: made without log\n"
    assert small("run", "log=/var/log/x", "--", "/bin/true").status == 2
    assert small("run", "bind=/etc:/x:idmap", "--", "/bin/true").err == "command line: bind: idmap: not in this program: made without users\n"


WRONG = re.findall(r'^\tW\([A-Z0-9_]+, "([^"]+)", [A-Z]+, [^"]*, "([^"]+)"', KEYS, re.M)


def test_what_is_right(small):
    """Words of the program are known without help, too; how another value is right is not said."""
    none = {k for k, p in of_parts()}
    assert len(WRONG) > 20
    for key, words in WRONG:
        said = f"one of {words}" if "|" in words else words
        r = small("run", f"{key}=bogus", "--", "/bin/true")
        assert r.status == 2 and (key in none or r.err == f'command line: {key}: "bogus" is not {said}\n'), r
    assert small("run", "memory.max=16Q", "--", "/bin/true").err == 'command line: memory.max: "16Q" is not right here: husk.conf(5)\n'
    assert small("run", f"root={husk.ROOT}", "nice=5", "oom_score_adj=200", "umask=077", "mounts=-sys", "no_new_privs=yes", "--", "/bin/sh", "-c",
                 "cut -d' ' -f19 /proc/self/stat; cat /proc/self/oom_score_adj; umask; ls /sys").out == "5\n200\n0077\n"
    r = small("run", f"root={husk.ROOT}", "bind=/nothing", "--", "/bin/true")
    assert r.status == 125 and r.err.endswith(": rootfs.sources: /nothing: No such file or directory\n"), r


def test_a_box(small):
    text = small("run", f"root={husk.ROOT}", "memory.max=32M", "pids.max=20", "--", "/bin/sh", "-c",
                 "echo $$; grep -E 'CapEff|NoNewPrivs|Seccomp:' /proc/self/status; ls /proc/self/fd; exit 7")
    assert text.status == 7, text
    assert "CapEff:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n" in text.out and text.out.startswith("2\n")
    assert small("run", f"root={husk.ROOT}", "--", "/nothing").status == 127
    assert small("run", f"root={husk.ROOT}", "bind=/nothing", "--", "/bin/true").status == 125


def test_in_the_background(small, tmp_path):
    """With all that it says, which nobody reads."""
    name = husk.name()
    for how in "exit 0", "exit 7":
        r = small("run", "-d", "-p", tmp_path / "pid", f"root={husk.ROOT}", f"name={name}", "--", "/bin/sh", "-c",
                  f"trap '{how}' TERM; i=0; while [ $i -lt 9000 ]; do echo 0123456789012345678901234567890; i=$((i + 1)); done; echo >/run/done; sleep 60 & wait")
        assert r.status == 0, r
        pid = int((tmp_path / "pid").read_text())
        inside = f"/proc/{re.search(r'init=([0-9]+)', (husk.RUNDIR / name / 'state').read_text())[1]}/root/run/done"
        husk.wait_for(lambda: husk.os.path.exists(inside), 30)
        husk.os.kill(pid, husk.signal.SIGTERM)
        husk.wait_for(lambda: not (husk.RUNDIR / name).exists(), 30)
        assert not (tmp_path / "pid").exists()


def test_cgroups_of_version_1():
    """Who knows them not starts nothing beside them."""
    r = husk.command("make", "-C", husk.TOP, "BOARD=small", "OUT=out/smallest", "WITHOUT=all", timeout=300)
    assert r.status == 0, r
    smallest = lambda *words: husk.command(husk.OUT / "smallest/husk", *words)
    assert smallest("version").out == "husk 0.2 built with: no part that can be left out\n"
    r = smallest("run", "user=root", "name=x", f"root={husk.ROOT}", "--", "/bin/echo", "up")
    if len(open("/proc/self/cgroup").readlines()) > 1:
        assert (r.status, r.out) == (125, "") and r.err == "husk: x: cg.make: cgroups of version 1 are mounted: not in this program: made without v1\n", r
    else:
        assert (r.status, r.out) == (0, "up\n"), r
    assert not (husk.RUNDIR / "x").exists()


@pytest.mark.parametrize("part", PARTS)
def test_without_each(part):
    """No warning. There is no #if, so where one is built all are linked."""
    src = " ".join(str(p.relative_to(husk.TOP)) for p in sorted(husk.TOP.glob("*/*.c")) if p.parent.name != "test" and
                   re.search(r"\b(HAS|ONLY|OF|STARTERS|key_lacks)\b", p.read_text()))
    r = husk.command("make", "-C", husk.TOP, "clang", "CLANG=gcc", f"WITHOUT={part}", f"SRC={src}", timeout=60)
    assert r.status == 0 and "warning" not in r.err, r


def test_the_manual_has_them():
    page = (husk.TOP / "init/husk.8").read_text().split(".Sh PARTS")[1].split(".Sh ")[0]
    for verb, part in VERBS:
        assert part == "always" or re.search(rf"\b{verb}\b", page) and re.search(rf"^\.It Cm .*\b{part}\b", page, re.M), verb
    keys = (husk.OUT / "husk.conf.5").read_text()
    for key, part in of_parts():
        entry = re.search(rf"^\.It Ic {re.escape(key.rstrip('.'))}(?:\.X)?\\&=.*?(?=^\.It|^\.El)", keys, re.M | re.S)[0]
        assert f"Of the part\n.Cm {part}\n" in entry, entry
    assert keys.count("Of the part") == len(list(of_parts()))


ON_ARMV7 = """
cd /; echo @$(/small version)
mkdir /v1; mount -t cgroup -o freezer cg /v1		# one of version 1, and nothing else: no second line says so
/small run root=/srv/root -- /bin/echo @ran; echo @alone $? $(wc -l </proc/self/cgroup)
umount /v1; while grep -q freezer /proc/self/cgroup; do :; done; %s		# the kernel ends a hierarchy behind the call
/small run root=/srv/root memory.max=32M pids.max=20 device=/dev/tty0 -- /bin/sh -c '
	echo @in $$ $(wc -l </proc/self/cgroup) $(sed -n "s/^\\\\(CapEff\\\\|NoNewPrivs\\\\|Seccomp\\\\):.//p" /proc/self/status) $(ls /proc/self/fd)
	mknod /tmp/n c 1 3; exit 7'
echo @ended $?; ls /run/husk | grep -v "^[.]"
/small run root=/srv/root ns.user=new -- /bin/true; echo @user $?
mount -t cgroup -o freezer cg /v1
/small run root=/srv/root -- /bin/echo @ran; echo @v1 $?
umount /v1; while grep -q freezer /proc/self/cgroup; do :; done; /small run root=/srv/root -- /bin/echo @again
""".replace("%s", qemu.MOUNTS["v2"])


def test_on_armv7():
    """The smallest one, where it is for."""
    small = husk.OUT / "small-armv7/husk"
    if not small.exists():
        assert husk.command("make", "-C", husk.TOP, "BOARD=small-armv7", timeout=300).status == 0
    text = qemu.guest("qemu-armv7", ON_ARMV7, layout="none", files={"small": qemu.program(small.read_bytes())}).text
    for said in ("@husk 0.2 built with: no part", "@in 2 1 0000000000000000 1 2 0 1 2", "@ended 7", "ns.user: not in this program: made without users", "@user 2",
                 "cgroups of version 1 are mounted: not in this program: made without v1", "@alone 125 1", "@v1 125", "@again"):
        assert said in text, text
    assert "@ran" not in text
