"""abi=: programs of two ABIs in real boxes."""
import os
import pathlib
import platform
import re
import signal

import pytest

import husk
import qemu
import test_boot
from husk import run

SIGSYS = 128 + signal.SIGSYS
EPERM, ENOSYS = "-1", "-38"
GETPID, SOCKET = {4: 20, 8: 39}, {4: 359, 8: 41}		# numbers of i386, and of x86_64

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64" or not pathlib.Path("/proc/sys/abi/vsyscall32").exists(),
                                reason="a kernel for x86_64 that runs programs for i386")


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """The program twice, for /mnt of a box."""
    d = tmp_path_factory.mktemp("abi")
    for p in (d, d.parent):
        p.chmod(0o755)
    husk.musl("abi.c", d / "long")
    (d / "short").write_bytes(qemu.compiled(qemu.board("qemu-i386"), "abi.c"))
    (d / "short").chmod(0o755)
    return d


def box(both, name, *words):
    at = words.index("--")
    return run(f"bind={both}:/mnt:exec", *words[:at], "--", "/mnt/" + words[at + 1], *words[at + 2:], box=name)


def said(both, name, *words):
    r = box(both, name, *words)
    assert r.status == 0 and not r.err, r
    return r.out.strip()


# ------------------------------------------------------------------ who runs

@pytest.mark.parametrize("abi,program,uname", [("native", "long", "x86_64 8"), ("32", "short", "i686 4"),
                                               ("both", "long", "x86_64 8"), ("both", "short", "x86_64 4")])
def test_runs(both, name, abi, program, uname):
    assert said(both, name, f"abi={abi}", "--", program, "uname") == uname


@pytest.mark.parametrize("abi,program", [("native", "short"), ("32", "long")])
def test_the_other_one_dies_at_its_first_call(both, name, abi, program):
    r = box(both, name, f"abi={abi}", "--", program, "uname")
    assert r.status == SIGSYS and not r.out and "abi=" in r.err, r


def test_a_personality_of_its_own(both, name):
    assert said(both, name, "abi=32", "personality=262144", "--", "short", "uname") == "i686 4"
    assert said(both, name, "abi=both", "personality=linux32", "--", "long", "uname") == "i686 8"


def test_one_becomes_the_other(both, name):
    for a, b in (("long", "short"), ("short", "long")):
        assert said(both, name, "abi=both", "--", a, "exec", f"/mnt/{b}", "native", "-1") == ENOSYS
    r = box(both, name, "abi=32", "--", "short", "exec", "/mnt/long", "uname")
    assert r.status == SIGSYS and not r.out, r


# ------------------------------------------------------------- what is answered

@pytest.mark.parametrize("abi,program", [("native", "long"), ("32", "short"), ("both", "long"), ("both", "short")])
def test_answers(both, name, abi, program):
    """A family that is refused, a number that nobody knows, -1; and x32."""
    bits = 4 if program == "short" else 8
    for nr, want in ((SOCKET[bits], EPERM), (1000, ENOSYS), (-1, ENOSYS), (0x3fffffff, ENOSYS)):
        assert said(both, name, f"abi={abi}", "--", program, "native", str(nr)) == want, nr
    assert int(said(both, name, f"abi={abi}", "--", program, "native", str(GETPID[bits]))) > 0
    r = box(both, name, f"abi={abi}", "--", program, "native", str(0x40000000 | GETPID[bits]))
    if bits == 8:
        assert r.status == SIGSYS, r
    else:
        assert r.out.strip() == ENOSYS, r


def test_int_0x80_from_64_bits(both, name):
    """Its numbers are i386's: killed, or answered as i386's."""
    r = box(both, name, "--", "long", "int80", "20")
    assert r.status == SIGSYS and not r.out, r
    r = box(both, name, "syscalls.log=yes", "--", "long", "int80", "46", "0x6b737568")		# what husk's own sendmsg() has
    assert r.status == SIGSYS and not r.out, r
    assert int(said(both, name, "abi=both", "--", "long", "int80", "20")) > 0
    assert said(both, name, "abi=both", "--", "long", "int80", str(SOCKET[4])) == EPERM
    assert said(both, name, "abi=both", "--", "long", "int80", "102") == EPERM		# socketcall


def test_a_jump_out_of_32_bits(both, name):
    """abi=32 is no matter of the file: code for 64 bits has execve, exit_group and write, and nothing else."""
    assert int(said(both, name, "abi=both", "--", "short", "long", "39")) > 0
    assert said(both, name, "abi=both", "--", "short", "long", "41") == EPERM
    for nr in (39, 41, 0, 1000, 0x40000001):
        r = box(both, name, "abi=32", "--", "short", "long", str(nr))
        assert r.status == SIGSYS and not r.out, (nr, r)
    assert said(both, name, "abi=32", "--", "short", "long", "1") == "-9"		# write, to a descriptor that is none
    assert said(both, name, "abi=32", "syscalls=-write -writev +writev", "--", "short", "long", "1") == EPERM


def test_words_mean_both(both, name):
    words = ("abi=both", "syscalls=-getpid socket(arg0==38):EACCES")
    for program, bits in (("long", 8), ("short", 4)):
        assert said(both, name, *words, "--", program, "native", str(GETPID[bits])) == EPERM
        assert said(both, name, *words, "--", program, "native", str(SOCKET[bits])) == "-13"


# ------------------------------------------------------------------- with others

def test_not_found_is_said(name):
    """What husk itself does behind the filter is in it."""
    r = run("abi=32", "--", "/nowhere", box=name)
    assert r.status == 127 and "init.exec: /nowhere: No such file or directory" in r.err, r


def test_exec_once(both, name):
    for abi, program in (("32", "short"), ("both", "short"), ("both", "long")):
        assert said(both, name, "exec.once=yes", f"abi={abi}", "--", program, "native", "-1") == ENOSYS
        r = box(both, name, "exec.once=yes", f"abi={abi}", "--", program, "exec", f"/mnt/{program}", "uname")
        assert r.status == 1 and not r.out, r		# EPERM


def test_denied_is_said_by_its_name(both, name):
    for abi, program in (("32", "short"), ("both", "short"), ("both", "long")):
        r = box(both, name, "syscalls.log=yes", f"abi={abi}", "syscalls=-getppid", "--", program, "native",
                "64" if program == "short" else "110")
        assert r.out.strip() == EPERM and "getppid" in r.err, r


def test_no_filter(both, name):
    """As without abi=: nothing is asked of anybody."""
    for program in ("long", "short"):
        assert int(said(both, name, "syscalls=@all", "abi=both", "--", program, "native", "20" if program == "short" else "39")) > 0


# ------------------------------------------------------------------------- check

def check(tmp_path, *lines):
    f = tmp_path / "box.conf"
    f.write_text("".join(l + "\n" for l in lines))
    return husk.husk("check", f)


def test_check_looks_at_the_program(both, tmp_path):
    for lines, want in ((["exec=/short"], "1: exec: /short: 32-bit program - abi=32 (this kernel: yes)"), (["exec=/short", "abi=32"], ""),
                        (["exec=/long"], ""), (["exec=/long", "abi=32"], "1: exec: /long: 64-bit program - abi=both"),
                        (["exec=/short", "abi=both"], ""), (["exec=/long", "abi=both"], ""), (["exec=/short", "syscalls=@all"], "")):
        for d in ("proc", "dev", "sys", "run", "tmp"):
            os.makedirs(both / d, exist_ok=True)
        r = check(tmp_path, *lines, f"root={both}", "user=0")
        assert want in r.err and (r.status == 2) == bool(want), (lines, r)
        assert r.err.count("\n") == bool(want), r


def test_check_of_both_says_which_it_is(tmp_path):
    r = check(tmp_path, "exec=/bin/true", "abi=both", "syscalls=-munmap(arg1>0x100000000)")
    assert r.status == 2 and r.err.endswith("no number that fits (of 32-bit programs)\n"), r


# ------------------------------------------------------------- on arm64, in a guest

OUTER = """exec=/bin/sh /outside.sh
use=host
log=inherit
"""
OUTER_SH = """
for abi in native 32 both; do for p in long short; do
	r=$(husk run name=t root=/srv/root abi=$abi -- /$p/busybox uname -m 2>&1)
	echo "@$abi-$p $r $?"
	echo "@$abi-$p-refused $(husk run name=t root=/srv/root abi=$abi user=root -- /$p/busybox unshare -n true 2>&1 | tail -n 1)"
done; done
echo "@log $(husk run name=t root=/srv/root abi=both syscalls.log=yes syscalls=-uname -- /short/busybox uname 2>&1 | head -n 1)"
husk poweroff
"""


def test_arm64():
    b = test_boot.ready("qemu-arm64")
    files = qemu.with_husk(b, {"outer": OUTER})
    files["outside.sh"] = qemu.file(OUTER_SH)
    files["srv/root/long/busybox"] = qemu.program(qemu.busybox(b))
    files["srv/root/short/busybox"] = qemu.program(qemu.busybox(qemu.board("qemu-armv7")))
    r = qemu.boot(b, files)
    assert r.ended, r
    said = dict(re.findall(r"^@(\S+) (.*)$", r.text, re.M))
    refused = "unshare: unshare(0x40000000): Operation not permitted"
    for abi, program, uname in (("native", "long", "aarch64"), ("32", "short", "armv8l"), ("both", "long", "aarch64"), ("both", "short", "aarch64")):
        assert said[f"{abi}-{program}"] == f"{uname} 0", r
        assert said[f"{abi}-{program}-refused"] == refused, r
    assert said["native-short"] == said["32-long"] and said["32-long"].endswith("abi= 159"), r
    assert re.fullmatch(r"husk: t: denied: uname\(0x[0-9a-f]+\) .*", said["log"]), r
