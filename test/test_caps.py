"""Rights of the program: five sets, ids, limits; what the kernel says against what was asked."""
import os
import re
import shutil
import subprocess

import pytest

import husk
from husk import run

SETS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
BIND = 1 << 10		# net_bind_service
OCI = 0xa80425fb	# libcontainer's fourteen


def rights(*words, box, **more):
    r = run(*words, "--", "/bin/inside", "rights", box=box, **more)
    assert r.status == 0, r
    return husk.fields(r.out), r


def sets(s):
    return tuple(int(s[c], 16) for c in SETS)


def strace(inject, *words, box, argv=("/bin/inside", "rights")):
    if not shutil.which("strace"):
        pytest.skip("no strace")
    return husk.command("strace", "-f", "-qq", "-o", "/dev/null", "-e", f"inject={inject}", husk.HUSK, "run",
                        f"root={husk.ROOT}", f"name={box}", *words, "--", *argv, timeout=30)


# ---------------------------------------------------------------- capabilities

@pytest.mark.parametrize("words, want", [
    (["user=1000"], (0, 0, 0, 0, 0)),
    (["user=auto"], (0, 0, 0, 0, 0)),
    (["user=root"], (0, 0, 0, 0, 0)),
    (["user=root", "caps=oci"], (0, OCI, OCI, OCI, 0)),
    (["user=root", "caps=net_bind_service"], (0, BIND, BIND, BIND, 0)),
    (["user=33", "caps=net_bind_service"], (BIND, BIND, BIND, BIND, BIND)),
    (["user=33", "caps=oci"], (OCI, OCI, OCI, OCI, OCI)),
    (["caps=net_bind_service"], (BIND, BIND, BIND, BIND, BIND)),
    (["user=33", "caps=net_bind_service", "caps.ambient=none", "caps.inheritable=net_bind_service"], (BIND, 0, 0, BIND, 0)),
    (["user=33", "caps=net_bind_service,kill", "caps.ambient=kill"], None),
    (["user=1000", "pid1=program"], (0, 0, 0, 0, 0)),
    (["user=33", "caps=net_bind_service", "pid1=program"], (BIND, BIND, BIND, BIND, BIND)),
    (["user=root", "caps=oci", "ns.user=new"], (0, OCI, OCI, OCI, 0)),
    (["user=33", "caps=net_bind_service", "ns.user=new"], (BIND, BIND, BIND, BIND, BIND)),
], ids=lambda v: " ".join(v) if isinstance(v, list) else "")
def test_five_sets(name, words, want):
    got = sets(rights(*words, box=name)[0])
    if want is None:			# ambient is a part: so is what survives the exec
        kill = 1 << 5
        assert got[1:3] == (kill, kill) and got[4] == kill and got[3] == BIND | kill, got
    else:
        assert got == want, [f"{c}={v:x}" for c, v in zip(SETS, got)]


def test_caps_all_is_all_that_the_caller_has(name):
    own = int(husk.fields(husk.read("/proc/self/status"))["CapPrm"], 16)
    s, r = rights("user=root", "caps=all", "syscalls=@all", box=name)
    assert sets(s) == (0, own, own, own, 0), r
    last = int(husk.read("/proc/sys/kernel/cap_last_cap"))
    assert ("not there for the caller to give" in r.err) == (own != (2 << last) - 1), r.err


def test_securebits_stay(name):
    locked_noroot = 3
    for words in (["user=1000"], ["user=root"], ["user=33", "caps=net_bind_service"]):
        _, r = rights(*words, box=name)
        assert int(re.search(r"^securebits (\d+)", r.out, re.M)[1]) & 3 == locked_noroot, words
    _, r = rights("user=root", "caps=oci", box=name)
    assert int(re.search(r"^securebits (\d+)", r.out, re.M)[1]) & 3 == 0, "root keeps its capabilities over exec"


def test_a_root_that_drops_loses_them(name):
    """daemon: root with setuid; after its own setuid() nothing is left."""
    sh = "start-stop-daemon -S -c user -x /bin/grep -- -E 'Cap|Uid' /proc/self/status"
    r = run("user=root", "caps=setuid,setgid", "--", "/bin/sh", "-c", sh, box=name)
    s = husk.fields(r.out)
    assert r.status == 0 and s["Uid"].split()[0] == "1000" and int(s["CapEff"], 16) == int(s["CapPrm"], 16) == 0, r


# ------------------------------------------------------------------- user and groups

def test_names_are_the_root_s_own(name, root):
    (root / "etc/passwd").write_text("root:x:5:5::/root:/x\nweb:x:777:778:W:/srv/web:/bin/false\nlast:x:9:8::/l:/x")
    (root / "etc/group").write_text("adm:x:4:web\nstaff:x:50:\nwheel:x:0:\nroot:x:0:web\n")
    def who(*words):
        s, r = rights(*words, box=name, root=root)
        return s["Uid"].split()[0], s["Gid"].split()[0], s["Groups"].split()
    assert who("user=web") == ("777", "778", [])
    assert who("user=web:staff") == ("777", "50", [])
    assert who("user=last") == ("9", "8", []), "a last line without newline"
    assert who("user=root") == ("0", "0", []), "root is 0 whatever the file says"
    assert who("user=web", "groups=staff,adm,4,91") == ("777", "778", ["4", "50", "91"])
    for words in (["user=web:wheel"], ["user=web", "groups=wheel"], ["user=web", "groups=nosuch"], ["user=web:nosuch"]):
        r = run(*words, "--", "/bin/inside", "rights", box=name, root=root)
        assert r.status == 125 and "caps.user: " in r.err and "/etc/group" in r.err, r


@pytest.mark.parametrize("line", ["web:x:0:5::/:/x", "web:x:00:5::/:/x", "web:x:5:0::/:/x", "web:x:+5:5::/:/x",
                                  "web:x:5:5x::/:/x", "web:x:5", "web:x:4294967295:5::/:/x", "web:x::5::/:/x", "xweb:x:5:5::/:/x"])
def test_a_hostile_line_is_no_user(name, root, line):
    (root / "etc/passwd").write_text(line + "\n")
    r = run("user=web", "--", "/bin/inside", "rights", box=name, root=root)
    assert r.status == 125 and r.out == "" and "caps.user: " in r.err, r


def test_home_and_user(name, root):
    (root / "etc/passwd").write_text("web:x:777:778:W:/srv/web:/x\nodd:x:7:7::/a b:/x\nrel:x:8:8::home:/x\n")
    def env(user):
        return run(f"user={user}", "--", "/bin/sh", "-c", "echo $HOME $USER $LOGNAME", box=name, root=root).out.split()
    assert env("web") == ["/srv/web", "web", "web"]
    assert env("777") == ["/srv/web", "web", "web"]
    assert env("odd") == ["/", "odd", "odd"] and env("rel") == ["/", "rel", "rel"]
    assert env("555")[0] == "/"


def test_numbers_need_no_files(name, root):
    shutil.rmtree(root / "etc")
    (root / "etc").mkdir()
    for user in ("1000", "0", "root", "auto"):
        s, r = rights(f"user={user}", "etc=none", box=name, root=root)
        assert user == "auto" or s["Uid"].split()[0] == ("1000" if user == "1000" else "0"), r


# ------------------------------------------------------------------- a failed drop

@pytest.mark.parametrize("call", ["setgroups", "setresgid", "setresuid", "capset"])
@pytest.mark.parametrize("error", ["EPERM", "EAGAIN", "ENOSYS", "EINVAL"])
def test_e5_a_refused_drop_stops_the_start(name, call, error):
    r = strace(f"{call}:error={error}", "user=1000", "groups=4", box=name)
    assert r.status == 125 and r.out == "" and re.search(r"^husk: .*: (caps\.(ids|sets)|init\.rights): ", r.err, re.M), r


@pytest.mark.parametrize("call, words, line", [
    ("setgroups", ["user=1000", "groups=4"], "Groups"),
    ("setresgid", ["user=1000"], "Gid"),
    ("setresuid", ["user=1000"], "Uid"),
    ("capset", ["user=root"], "CapPrm"),
    ("capset", ["user=root", "caps=oci"], "CapPrm"),
])
def test_readback_finds_what_was_skipped(name, call, words, line):
    """The call says yes and does nothing: only reading back can tell."""
    r = strace(f"{call}:retval=0", *words, box=name)
    assert r.status == 125 and r.out == "", r
    first = call == "capset" and "init.rights: CAP_KILL is not alone" in r.err		# PID 1 asks at the same time
    assert first or f"caps.readback: {line} is not as asked for" in r.err, r


@pytest.mark.parametrize("words", [["user=1000"], ["user=33", "caps=net_bind_service"]], ids=["none", "one"])
def test_no_skipped_prctl_leaves_a_right(name, words):
    whole = sets(rights(*words, box=name)[0])
    stopped, securebits = 0, False
    for k in range(1, 62):
        r = strace(f"prctl:retval=0:when={k}", *words, box=name)
        if r.status == 0:
            s = husk.fields(r.out)
            assert sets(s) == whole and s["NoNewPrivs"] == "1" and s["Seccomp"] == "2", (k, r)
        else:
            assert r.status == 125 and r.out == "", (k, r)
            stopped += 1
            securebits |= "caps.readback: securebits is not" in r.err
    assert (securebits or len(words) > 1) and stopped > 38, "each capability of the bounding set counts"


# ------------------------------------------------------------------ limits, scheduling

def test_inherited_limits_are_the_kernel_s_again(name):
    """Soft limits of the caller; raising a hard one takes a capability that is not everywhere."""
    import resource
    def launch():
        for n, soft in ((0, 100), (1, 1 << 20), (2, 1 << 30), (3, 1 << 20), (7, 64), (9, 1 << 40), (12, 500), (15, 10 ** 6)):
            resource.setrlimit(n, (soft, resource.getrlimit(n)[1]))
    r = rights(box=name, preexec_fn=launch)[1]
    got = {int(n): (int(a), int(b)) for n, a, b in re.findall(r"^rlimit (\d+) (-?\d+) (-?\d+)", r.out, re.M)}
    for n in (0, 1, 2, 9, 15):
        assert got[n] == (-1, -1), n
    assert got[3][0] == 8 << 20 and got[7] == (1024, 4096) and got[12][0] == 819200 and got[4] == (1, 1)


def test_a_hard_limit_that_cannot_be_raised_is_said(name):
    import resource
    def launch():
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, 200))
    _, r = rights(box=name, preexec_fn=launch)
    if "rlimit 7 1024 4096" not in r.out:
        assert "rlimit 7 200 200" in r.out and "rlimit.nofile stays at 200" in r.err, r


def test_inherited_policy_slack_and_priority_are_gone(name):
    import ctypes
    def launch():
        libc = ctypes.CDLL(None)
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
        libc.prctl(29, 123456, 0, 0, 0)		# PR_SET_TIMERSLACK
        libc.prctl(41, 1, 0, 0, 0)		# PR_SET_THP_DISABLE
        libc.syscall(251 if os.uname().machine == "x86_64" else 289, 1, 0, 3 << 13 | 5)
    r = run("user=root", "--", "/bin/sh", "-c", "inside rights; ionice; grep THP /proc/self/status", box=name, preexec_fn=launch)
    assert "sched 0 personality 0 timerslack 50000" in r.out, r
    assert "none: prio 0" in r.out and "THP_enabled:\t0" not in r.out, r


def test_scheduling_is_in_the_kernel(name):
    r = run("sched=fifo:10", "ionice=idle", "umask=027", "personality=linux32", "--", "/bin/sh", "-c", "umask; uname -m", box=name)
    if r.status == 2 and "personality" in r.err:
        r = run("sched=fifo:10", "umask=027", "--", "/bin/sh", "-c", "umask", box=name)
    if r.status == 125:
        assert "caps.sched: fifo:10: Operation not permitted" in r.err, r
    else:
        assert r.status == 0 and r.out.startswith("0027"), r


def test_an_unknown_label_stops_the_start(name):
    for key in ("apparmor", "selinux"):
        r = run(f"{key}=no_such_label_t", "--", "/bin/true", box=name)
        assert r.status == 125 and f"caps.label: {key}=no_such_label_t" in r.err, r


# ------------------------------------------------------------------ the parent dies (E9)

@pytest.mark.parametrize("words", [[], ["pid1=program"], ["user=root"], ["ns.user=new"], ["pid1=program", "ns.user=new"]],
                         ids=lambda w: " ".join(w) or "default")
def test_e9_nothing_outlives_the_keeper(name, words):
    with husk.box(*words, "--", "/bin/inside", "sleep", "20000", box=name) as p:
        assert husk.line(p) == "up"
        init = husk.init_of(p.pid)
        inside = [init] + husk.children(init)
        p.kill()
        p.wait()
        assert husk.wait_for(lambda: not [q for q in inside if husk.alive(q)])
    r = run(*words, "--", "/bin/true", box=name)
    assert r.status == 0, "the next start sweeps"


def test_e9_keeper_killed_while_it_starts(name):
    for ms in range(0, 30, 3):
        p = subprocess.Popen([husk.HUSK, "run", f"root={husk.ROOT}", f"name={name}", "--", "/bin/inside", "sleep", "20000", name],
                             stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            p.wait(ms / 1000)
        except subprocess.TimeoutExpired:
            p.kill()
        p.wait()
        assert husk.wait_for(lambda: not husk.tagged(name)), ms
    assert run("--", "/bin/true", box=name).status == 0
