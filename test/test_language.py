"""The language of the filter on a real kernel: what a line forbids is tried from inside."""
import errno
import re
import shutil

import pytest

import husk
import qemu
import test_boot
from husk import run


@pytest.fixture(scope="module")
def tries(tmp_path_factory):
    """A directory with the program that tries, for /mnt of a box."""
    d = tmp_path_factory.mktemp("tries")
    for p in (d, d.parent):
        p.chmod(0o755)
    husk.musl("tries.c", d / "tries")
    (d / "script").write_text("#!/bin/sh\necho script\n/mnt/tries once\n")
    (d / "script").chmod(0o755)
    return d


def tried(tries, *args, box, user="1000"):
    """What became of each try: ok, an errno, signal N."""
    words, verb = args[:-1], args[-1]
    r = run(f"bind={tries}:/mnt:exec", f"user={user}", *words, "--", "/mnt/tries", *verb.split(), box=box)
    assert r.status == 0, r
    lines = (l.split(" ", 1) for l in r.out.splitlines())
    return {k: errno.errorcode.get(int(v), v) if v.lstrip("-").isdigit() else v for k, v in lines}


# ------------------------------------------------------------------------- exec.once

def test_exec_once(name, tries):
    """Nothing lands on page 0 again, and no other path is executed."""
    for user in ("1000", "root"):
        got = tried(tries, "exec.once=yes", "syscalls=+personality +userfaultfd +process_vm_writev +ptrace", "once", box=name, user=user)
        assert len(got) >= 25, got
        for k in ("mmap", "mmap-stack"):
            assert got[k] == "EPERM", (k, got)
        assert not [k for k, v in got.items() if v == "ok" and k not in ("personality", "userfaultfd", "process_vm_writev")], got
        assert got["grow"] == "signal 11" and "int80" not in got, got
        for k in ("execve", "execve-4096", "execve-high", "execve-tag", "execveat", "execveat-16", "execveat-fd", "execve-vfork", "last"):
            assert got[k] == "EPERM", (k, got)
        for k in ("execve-0", "execve-16", "execve-4095"):
            assert got[k] == "EFAULT", (k, got)


def test_without_exec_once_the_same_tries_work(name, tries):
    """The tries themselves are right: the last one becomes /bin/true."""
    got = tried(tries, "once", box=name)
    assert "last" not in got and "execve" not in got, got


def test_exec_once_finds_the_program(name, tries):
    for exec, out in (("echo hello", "hello\n"), ("/bin/echo hello", "hello\n")):
        r = run("exec.once=yes", "--", *exec.split(), box=name)
        assert r.status == 0 and r.out == out, r
    r = run("exec.once=yes", "env=PATH=/nowhere:/etc/passwd:/bin", "--", "echo", "found", box=name)
    assert r.out == "found\n", r
    for exec, status in (("nothing", 127), ("/bin/nothing", 127), ("/etc/passwd", 126), ("/etc", 126)):
        r = run("exec.once=yes", "--", exec, box=name)
        assert r.status == status and "init.exec" in r.err, r
    r = run("exec.once=yes", "env=PATH=" + ":".join("/" + "x" * 40 for _ in range(100)), "--", "echo", box=name)
    assert r.status == 125 and "init.page: echo along PATH: longer than a page" in r.err, r


def test_exec_once_runs_a_script_and_not_what_is_in_it(name, tries):
    r = run("exec.once=yes", f"bind={tries}:/mnt:exec", "--", "/mnt/script", box=name)
    assert r.out == "script\n" and r.status == 126 and "Operation not permitted" in r.err + r.out, r


@pytest.mark.parametrize("words", [["syscalls.default=LOG"], ["syscalls.default=KILL"], ["syscalls=@all"], ["syscalls=+execveat:ALLOW"], ["pid1=program"],
                                   ["caps=sys_admin", "no_new_privs=no"], ["net=host", "ns.pid=host", "user=root"]])
def test_exec_once_beside_others(name, words):
    r = run("exec.once=yes", *words, "--", "/bin/sh", "-c", "echo a; /bin/true; echo $?", box=name)
    assert r.out == "a\n126\n", r


def test_exec_once_where_it_cannot_be(name):
    for words, what in ((["caps=sys_rawio"], "not with caps=sys_rawio"), (["caps=all"], "sys_rawio"), (["ns.user=new"], "not with ns.user=new")):
        r = run("exec.once=yes", *words, "--", "/bin/true", box=name)
        assert r.status == 2 and re.search(rf"^command line: exec.once: .*{what}", r.err), r
    r = husk.command("setpriv", "--bounding-set=-sys_rawio", "--inh-caps=-sys_rawio", husk.HUSK, "run", f"root={husk.ROOT}", f"name={name}", "exec.once=yes", "--", "/bin/true")
    assert r.status == 125 and r.err == f"husk: {name}: init.page: map address 0: Operation not permitted - exec.once needs CAP_SYS_RAWIO of the host\n", r
    husk.nothing_left(name)


def test_exec_once_where_page_0_is_for_everybody(name, tmp_path):
    """vm.mmap_min_addr is 0: by a kernel that says so to the one call."""
    log = tmp_path / "log"
    base = ["--", husk.HUSK, "run", f"name={name}", f"root={husk.ROOT}", "exec.once=yes", "--", "/bin/true"]
    assert husk.command(husk.INJECT, "-o", log, "list", *base).status == 0
    nr = 9		# mmap
    calls = [l.split(" ", 4) for l in log.read_text().splitlines() if l.startswith(f"call 2 {nr}.")]
    assert len(calls) == 2, calls		# to put the path there, and to see that this was the last time
    r = husk.command(husk.INJECT, "-o", log, "fake", "2", calls[1][2], *base)
    assert r.status == 125 and "init.once: anybody may map address 0: vm.mmap_min_addr must be above it" in r.err, r


def test_exec_once_costs_nothing_where_it_is_off(name, tmp_path):
    log = tmp_path / "log"
    assert husk.command(husk.INJECT, "-o", log, "list", "--", husk.HUSK, "run", f"name={name}", f"root={husk.ROOT}", "--", "/bin/true").status == 0
    assert not [l for l in log.read_text().splitlines() if l.startswith("call 2 9.")]


# --------------------------------------------------------------------------- sockets=

def opened(*words, box):
    """The families whose sockets the filter lets through: what it refuses is EPERM for all types, and more than that."""
    r = run("user=root", "caps=all,-sys_rawio", *words, "--", "/bin/inside", "sockets", box=box)
    assert r.status == 0, r
    seen = {}
    for family, _, answer in (l.split() for l in r.out.splitlines() if not l.startswith("high")):
        seen.setdefault(int(family), set()).add(answer)
    return {f for f, a in seen.items() if a != {"1"}}, [l for l in r.out.splitlines() if l.startswith("high")]


FOUR = {1, 2, 10, 16}


@pytest.mark.parametrize("words, families", [
    ([], FOUR), (["sockets=can"], FOUR | {29}), (["sockets=can,-netlink", "syscalls=+getpid"], {1, 2, 10, 29}), (["sockets=none,unix"], {1}), (["sockets=none"], set()),
    (["sockets=all,-alg,-vsock"], set(range(46)) - {38, 40}), (["use=netdev"], FOUR | {17}), (["use=netdev", "sockets=", "sockets=packet"], {17}),
    (["syscalls=@all", "sockets=none,inet"], {2}), (["sockets=none,inet", "syscalls=+socket(arg0==AF_ALG)"], {2, 38}),
    (["sockets=none,inet", "syscalls=+socket"], {2})])
def test_sockets(name, words, families):
    got, high = opened(*words, box=name)
    assert got == families, got ^ families
    assert high == ["high 1", "high 1"] or 38 in families or "all" in words[0], high


def test_sockets_all(name):
    assert opened("sockets=all", box=name)[0] == set(range(46))
    r = run("use=host", "sockets=-unix", "--", husk.INSIDE, "sockets", box=name, root=None)
    assert {int(l.split()[0]) for l in r.out.splitlines() if re.match(r"\d+ \d+ 1$", l)} == {1}, r


@pytest.mark.parametrize("words, call, answer", [
    (["sockets=can"], "socket AF_CAN", "ALLOW - command line: sockets: can"),
    (["sockets=can"], "socket AF_ALG", "EPERM - command line: sockets: can; to allow it: sockets=alg"),
    (["sockets=none,inet"], "socket AF_INET SOCK_PACKET", "EPERM - command line: sockets: none,inet; to allow it: sockets=packet"),
    (["sockets=none"], "socketpair AF_UNIX", "EPERM - command line: sockets: none; to allow it: sockets=unix"),
    (["sockets=can"], "socket 45", "EPERM - command line: sockets: can; to allow it: syscalls=+socket(arg0==0x2d)"),
    (["sockets=can", "syscalls=-@net"], "socket AF_CAN", "EPERM - command line: syscalls: -@net; to allow it: syscalls=+socket(arg0==0x1d)"),
    (["use=netdev"], "socket AF_PACKET", "ALLOW - use=netdev: sockets: packet"),
    (["exec.once=yes"], "execve 4096", "EPERM - command line: exec.once: yes"),
])
def test_who_said_it(words, call, answer):
    r = husk.husk("filter", *words, *call.split())
    assert answer in r.out, r


# ------------------------------------------------------------- one line says it

IDIOMS = {	# the word, what the program tries, the rights that it needs for that; what fails even so, and what only newer kernels have
    "-@wx": ("wx", ["syscalls=+personality +userfaultfd", "tmpfs=/tmp"], {"file", "file-shared"}, {"memfd_secret", "memfd-noexec"}),
    "-@suid": ("suid", ["caps=fsetid"], {"FOUND"}, {"fchmodat2"}),
    "-@realtime": ("realtime", ["caps=sys_nice"], set(), set()),
    "-@namespace": ("newns", ["caps=sys_admin"], set(), {"clone3"}),
}


@pytest.mark.parametrize("word", IDIOMS)
def test_one_line(name, tries, word):
    verb, words, never, newer = IDIOMS[word]
    more = [w for w in words if w.startswith("syscalls=")]
    base = [w for w in words if w not in more]
    without = tried(tries, *words, verb, box=name, user="root")
    refused = {k for k, v in without.items() if v != "ok"}
    assert refused - newer <= never, without		# the tries themselves work
    got = tried(tries, *base, *[f"{w} {word}" for w in more] or [f"syscalls={word}"], verb, box=name, user="root")
    assert got.keys() - {"FOUND"} == without.keys() - {"FOUND"} and len(got) > 7
    for k, v in got.items():
        assert (v == "ok") == k.startswith("may-"), (k, got)
        assert v in ("ok", "EPERM", "ENOSYS"), (k, got)


# ------------------------------------------------------------ on all four machines

TRIED = {	# what is written, what is tried; "" as a control
    "once": ("exec.once=yes syscalls.default=EPERM", "once"), "wx": ("syscalls=-@wx tmpfs=/tmp", "wx"), "suid": ("syscalls=-@suid", "suid"),
    "realtime": ("syscalls=-@realtime caps=sys_nice", "realtime"), "newns": ("syscalls=-@namespace caps=sys_admin", "newns"),
    "wx0": ("", "wx"), "suid0": ("caps=fsetid", "suid"), "realtime0": ("caps=sys_nice", "realtime"), "newns0": ("caps=sys_admin", "newns"),
}


@pytest.mark.parametrize("board", qemu.BOARDS)
def test_one_line_on_every_kernel(board):
    b = qemu.board(board)
    if not shutil.which(b["QEMU"].split()[0]) or not (husk.OUT / b["NAME"] / "husk").exists():
        pytest.skip("no QEMU, or not built")
    script = "".join(f"husk run /once.conf {words} -- /tries {verb} | sed 's/^/@{k} /'\n" for k, (words, verb) in TRIED.items())
    files = qemu.with_husk(b, {"out": "use=host\nlog=inherit\nexec=/bin/sh /script\n"})
    files |= {"once.conf": qemu.file("exec=/tries\nroot=/srv/root\nuser=root\npids.max=20\n"), "srv/root/tries": qemu.program(qemu.compiled(b, "tries.c"))}
    files |= test_boot.crashes(b, "stack", "husk run /once.conf exec.once=yes -- /tries once\necho 65536 >/proc/sys/vm/mmap_min_addr\n" + script)
    r = qemu.boot(b, files)
    test_boot.check_crash(r)		# the stack has run over
    assert ("init.once: anybody may map address 8192" in r.text) == (board == "qemu-armv7")
    for k in TRIED:
        got = {n: errno.errorcode.get(int(v), v) if v.isdigit() else v for n, v in re.findall(rf"^@{k} (\S+) ([^\r\n]*)", r.text, re.M)}
        assert len(got) >= 8, (k, got, re.findall("husk: once.*", r.text), r.text[-2000:])
        ok = {n for n, v in got.items() if v == "ok" and not n.startswith("may-")}
        if k.endswith("0"):
            assert len(ok) > len(got) / 3, (k, got)		# the tries work
        elif k == "once":
            assert not ok and not {n for n, v in got.items() if n.startswith("exec") and v not in ("EPERM", "EFAULT")}, got
        else:
            assert not ok and {v for n, v in got.items() if n.startswith("may-")} == {"ok"}, (k, got)
