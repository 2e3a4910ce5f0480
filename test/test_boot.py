"""Boards: husk as PID 1 of a machine, in QEMU, on Debian's kernels of all four architectures."""
import errno
import json
import re
import shutil
import stat
import subprocess
import time

import pytest

import qemu
import test_import

QUICK = "qemu-arm64"		# the fastest to emulate: for what is not the architecture's business


@pytest.fixture(scope="module", params=qemu.BOARDS)
def each(request):
    return request.param


def ready(name):
    if not shutil.which(qemu.board(name)["QEMU"].split()[0]):
        pytest.skip("no QEMU")
    if not (qemu.TOP / "out" / name / "husk").exists():
        pytest.skip(f"make BOARD={name}")
    return qemu.board(name)


def said(boot, tag):
    """What the lines @TAG said, in order."""
    return re.findall(rf"^@{tag} ?(.*)$", boot.text, re.M)


INSIDE = """exec=/bin/sh /inside.sh
root=/srv/root
user=1000
memory.max=32M
pids.max=20
log=inherit
"""
INSIDE_SH = """
trap 'echo "@in-term"; exit 0' TERM
echo "@in-id $(id -u):$(id -g) groups $(id -G) pid $$ host $(hostname)"
sed -n 's/^\\(Cap[A-Z][a-z]*\\|NoNewPrivs\\|Seccomp\\):[ \\t]*/@in-status \\1 /p' /proc/self/status
echo "@in-fds $(ls /proc/self/fd | tr '\\n' ' ')"
echo "@in-nodes $(cd /dev; stat -c %n-%t-%T null zero full random urandom tty | tr '\\n' ' ')"
echo "@in-init $(cat /proc/1/comm) of $(ls -d /proc/[0-9]* | wc -l)"
echo "@in-cgroup $(cat /proc/self/cgroup | tr '\\n' ' ')"
cut -d' ' -f5,6 /proc/self/mountinfo | sed 's/^/@in-mount /'
for n in cgroup ipc mnt net pid user uts; do echo "@in-ns $n $(readlink /proc/self/ns/$n)"; done
echo "@in-net $(tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' \\n')"
(echo x >/proc/sys/kernel/hostname) 2>&1 | sed 's/.*: /@in-sysctl /'
(echo x >/file) 2>&1 | sed 's/.*: /@in-root /'
kill -9 1; echo "@in-alive"
while :; do sleep 1; done
"""
OUTSIDE = """use=host
exec=/bin/sh /outside.sh
log=inherit
log.rate=max
after=inside
"""
# two programs that print at once print into each other's lines: inside is done when it sleeps
OUTSIDE_SH = """
n=0; while [ $n -lt 100 ] && ! ps | grep -q '[s]leep 1$'; do sleep 0.2; n=$((n+1)); done
echo "@out-host $(hostname) pid1 $(cat /proc/1/comm)"
for n in cgroup ipc mnt net pid user uts; do echo "@out-ns $n $(readlink /proc/1/ns/$n)"; done
for k in kernel/kptr_restrict fs/suid_dumpable fs/protected_symlinks; do echo "@out-sysctl $k $(cat /proc/sys/$k)"; done
for f in memory.max pids.max; do echo "@out-limit $f $(cat /sys/fs/cgroup/husk/inside/$f)"; done
husk run /once.conf; echo "@out-once $?"
husk run /once.conf -- /bin/sh -c 'kill -SEGV $$'; echo "@out-signal $?"
husk run /once.conf -- /bin/nothing; echo "@out-nothing $?"
husk run /once.conf memory.max=4M -- /bin/sh -c 'x=x; while :; do x=$x$x; done'; echo "@out-oom $?"
grep -c . /proc/self/mounts | sed 's/^/@out-mounts /'
ls /sys/fs/cgroup/husk | grep '^[a-z]*$' | grep -v '^cgroup' | tr '\\n' ' ' | sed 's/^/@out-left /'; echo
ls /run/husk | grep -v '^uid' | tr '\\n' ' ' | sed 's/^/@out-state /'; echo
sleep 1
husk poweroff
"""
ONCE = "exec=/bin/sh -c 'exit 7'\nroot=/srv/root\nlog=inherit\n".replace("'", '"')


def full(b, **more):
    files = qemu.with_husk(b, {"inside": INSIDE, "outside": OUTSIDE}, **more)
    files["srv/root/inside.sh"] = qemu.file(INSIDE_SH)
    files["outside.sh"] = qemu.file(OUTSIDE_SH)
    files["once.conf"] = qemu.file(ONCE)
    return files


def check_full(r, name, v2=True, halts=False):
    assert "reboot: System halted" in r.text if halts else r.ended and "Power down" in r.text, r
    status = dict(s.split() for s in said(r, "in-status"))
    assert {k: int(v, 16) for k, v in status.items()} == {
        "CapInh": 0, "CapPrm": 0, "CapEff": 0, "CapBnd": 0, "CapAmb": 0, "NoNewPrivs": 1, "Seccomp": 2}, r
    assert said(r, "in-id") == ["1000:1000 groups 1000 pid 2 host inside"], r
    assert said(r, "in-fds") == ["0 1 2 3 "] and said(r, "in-init")[0].startswith("husk of "), r
    assert said(r, "in-nodes") == ["null-1-3 zero-1-5 full-1-7 random-1-8 urandom-1-9 tty-5-0 "], r
    assert said(r, "in-net") == ["lo"] and said(r, "in-alive") == [""], r
    assert said(r, "in-sysctl") == ["Read-only file system"] and said(r, "in-root") == ["Read-only file system"], r
    mounts = dict(m.split() for m in said(r, "in-mount"))
    for point in ("/", "/proc/sys", "/sys", "/proc/kmsg"):
        assert "ro" in mounts[point].split(","), (point, r)
    for point, flags in mounts.items():
        assert "nosuid" in flags and ("nodev" in flags or point.startswith("/dev")), (point, r)
    assert said(r, "out-host") == [f"{name} pid1 husk"], r
    ours, its = (dict(l.split() for l in said(r, tag)) for tag in ("out-ns", "in-ns"))
    assert len(ours) == 7 and {n for n in ours if its[n] != ours[n]} == set(ours) - {"user"}, r
    assert said(r, "out-sysctl") == ["kernel/kptr_restrict 2", "fs/suid_dumpable 0", "fs/protected_symlinks 1"], r
    if v2:
        assert said(r, "in-cgroup") == ["0::/ "], r
        assert said(r, "out-limit") == ["memory.max 33554432", "pids.max 20"], r
        assert said(r, "out-left") == ["inside outside "], r
    assert said(r, "out-once") == ["7"] and said(r, "out-signal") == ["139"], r
    assert said(r, "out-nothing") == ["127"] and said(r, "out-oom") == ["137"], r
    assert said(r, "out-state") == ["inside outside "], r
    # on the way down: the box is asked, the program hears it, and nobody has to be killed
    assert said(r, "in-term") == [""] and "killed" not in r.text.split("going down")[1], r


# The answers of filters on a real kernel. ELIBBAD, because no call answers it by itself: what is
# refused with it never came to the kernel's code, and what is allowed is called with arguments of which
# nothing comes, but the calls of NOT.
NOT = "vfork rt_sigreturn sigreturn set_tls pause sigsuspend exit exit_group breakpoint kill clone".split()
VERDICTS = {
    "all": "syscalls=@all:ELIBBAD @basic @signal @thread @io @file @process @time @ids",
    "kill": "syscalls.default=KILL\nsyscalls=@basic @signal @io @process @time =open =openat",
    "service": "",
    "args": """syscalls=-clock_gettime mprotect(arg2&PROT_EXEC!=0):ELIBBAD munmap(arg1>0x10000000):ELIBBAD
syscalls=kill(arg1==9|15, arg0==0x7ffffffe):ELIBBAD personality(arg0!=0xffffffff):ELIBBAD
syscalls=socket(arg0==AF_UNIX, arg1&~SOCK_CLOEXEC==SOCK_STREAM) fchmod(arg1&S_ISUID!=0):ELIBBAD""",
}
HIGH = 1 << 32
FOREIGN = {"qemu-x86_64": "qemu-i386", "qemu-arm64": "qemu-armv7"}		# whose programs its kernel runs, too


def rows(arch, policy):
    """The calls that are made under a policy: (number or !number, arguments)."""
    nr, wide, nothing = test_import.numbers(arch), test_import.BITS[arch] == 64, [2**64 - 1] * 6
    odd = ["ffffffff", "3e8", "3fffffff"] + {"x86_64": ["40000000", "40000027", "40000208", "!14", "!66"], "armv7": ["f0000", "f0007", "f0100"]}.get(arch, [])
    calls = lambda names, *args: [(f"{nr[n]:x}", list(args) + [0] * (6 - len(args))) for n in names.split() if n in nr]
    if policy in ("all", "kill"):
        return [(f"{n:x}", nothing) for n in sorted(nr.values())] + [(f"{n:x}", nothing) for n in range(440, 480) if n not in nr.values()] + [(n, nothing) for n in odd]
    if policy == "args":
        high = [0, HIGH, 1 << 63] if wide else [0]
        return [r for h in high for v in (6, 7, 8, 9, 14, 15, 16) for r in calls("kill", 0x7ffffffe, v | h)] + \
            [r for h in high for v in (0, 1, 4, 5) for r in calls("mprotect", 1, 4096, v | h)] + \
            [r for h in high for v in (0, 0xfffffff, 0x10000000, 0x10000001, 0xffffffff) for r in calls("munmap", 1, v | h)] + \
            [r for h in high for v in (0, 8, 0xffffffff) for r in calls("personality", v | h)] + \
            [r for h in high for v in (1, 2) for t in (1, 2, 0x80001) for r in calls("socket", v | h, t)] + \
            [r for h in high for v in (0o644, 0o4755) for r in calls("fchmod", 2**32 - 1, v | h)] + calls("clock_gettime clock_gettime64", 0, 1) + calls("clock_getres", 0, 1)
    families = [1, 2, 10, 16, 17, 29, 38, 40, 45]
    high = [0, HIGH, 1 << 63] if wide else [0]
    return [r for h in high for f in families for r in calls("socket", f | h, 99)] + [r for h in high for c in (0x5401, 0x5412, 0x541c) for r in calls("ioctl", 2**32 - 1, c | h)] + \
        [r for h in high for c in (0x20000, 0x10000000, 0x40000000) for r in calls("clone", 0x11 | c | h)] + [r for h in high for p in (8, 0x40000) for r in calls("personality", p | h)] + \
        [r for h in high for m in (0o20644, 0o60644) for r in calls("mknodat", 2**32 - 1, 1, m | h)] + calls("socketcall ipc", 1, 0) + calls("clone3 io_uring_setup", 0, 0) + \
        calls("clock_gettime clock_gettime64 futex futex_time64 stat64 fstat64 _llseek mmap2 cacheflush get_tls", 0, 0, 0) + calls("setuid32", 1000) + \
        calls("mount umount2 unshare setns ptrace bpf keyctl perf_event_open userfaultfd open_tree fsopen init_module reboot chroot swapon acct kexec_load", *nothing) + \
        [(n, nothing) for n in odd]


def answers(arch, policy, tmp):
    """Those rows, and of each what the evaluation of the filter says: that the kernel must do, too."""
    conf, lines = tmp / f"{policy}.conf", VERDICTS[policy]
    if policy == "all" and (moby := qemu.TOP / "out/profiles/moby.json").exists():
        (tmp / "moby.json").write_text(json.dumps(json.loads(moby.read_text()) | {"defaultErrnoRet": errno.ELIBBAD}))
        lines = test_import.importer("oci", f"--arch={arch}", tmp / "moby.json").out
        assert "ELIBBAD" in lines and "personality(" in lines
    conf.write_text(f"exec=/verdicts {policy} /{policy}.list\nroot=/srv/root\nuser=1000\nlog=inherit\nlog.rate=max\n{lines}\n")
    program, names = test_import.husk_filter(arch, conf), {n: k for k, n in test_import.numbers(arch).items()}
    out = []
    for nr, args in rows(arch, policy):
        mask = (1 << test_import.BITS[arch]) - 1
        want = test_import.KILL if nr[0] == "!" else test_import.run(program, arch, int(nr, 16), [a & mask for a in args])
        if not test_import.passes(want) or (policy == "args" or names.get(int(nr, 16)) not in NOT):
            out.append((nr, args, want))
    return conf.read_text(), out


def verdicts(b, tmp):
    """(files of a guest, what they are to say)"""
    arch, files, all_of_them = b["NAME"].removeprefix("qemu-"), {}, {}
    for policy in VERDICTS:
        text, out = answers(arch, policy, tmp)
        files[f"verdicts/{policy}.conf"] = qemu.file(text)
        files[f"srv/root/{policy}.list"] = qemu.file("".join(f"{nr} {' '.join(f'{a:x}' for a in args)}\n" for nr, args, _ in out))
        all_of_them[policy] = out
    if b["NAME"] in FOREIGN:
        files["srv/root/foreign"] = qemu.program(qemu.compiled(qemu.board(FOREIGN[b["NAME"]]), "verdicts.c"))
    return files | {"srv/root/verdicts": qemu.program(qemu.compiled(b, "verdicts.c"))}, all_of_them


def check_verdicts(r, arch, wanted):
    said_ = {(p, int(i)): text for p, i, text in (l.split(" ", 2) for l in said(r, "v") if not l.endswith(" end"))}
    wrong = []
    for policy, out in wanted.items():
        assert f"@v {policy} end" in r.text, r
        for i, (nr, args, want) in enumerate(out):
            got = said_.get((policy, i), "nothing")
            if want == test_import.KILL:
                good = got == "signal 31"
            elif test_import.passes(want):		# the kernel's own answer, whatever it is
                good = got not in ("80", "signal 31", "nothing") and (policy != "service" or got not in ("1",))
            else:
                good = got == str(want & 0xffff)
            if not good:
                wrong.append((policy, nr, [hex(a) for a in args], hex(want), got))
    assert not wrong, wrong[:20]
    assert said(r, "foreign") == (["159"] if arch in FOREIGN else []), r


# A shell, what it executes, files, clocks, a server and who asks it: much of it is two calls on a 32-bit machine. What
# is not done while it is watched is not learned: nobody asks before the server listens, who waits has waited before, and
# nc, other than wget, polls whether or not the answer is there.
LEARN_SH = r"""
cd /tmp; echo page >index.html; usleep 300000 & wait $!
/bin/busybox httpd -f -p 127.0.0.1:8080 -h /tmp & usleep 1000
until grep -q ':1F90 00000000:0000 0A' /proc/net/tcp; do usleep 10000; done
printf 'GET / HTTP/1.0\r\n\r\n' >f; nc 127.0.0.1 8080 <f >got; kill -9 $!; wait $!; echo "server $?, $(tail -n 1 got)"
/times; date +%Y >f; dd if=f of=g bs=1 skip=2 seek=3000 2>/dev/null; wc -c <g
ls -l / | sort -r | head -n 1 | wc -l; mkdir d; ln -s a d/b; readlink d/b; rm -r d; (usleep 1000; exit 3); echo $?
trap 'echo heard' USR1; kill -USR1 $$; id -u; exit 5
"""
LEARNED = ["server 137, page", "5000000001 5000000000 x", "3003", "1", "a", "3", "heard", "1000"]
LEARN = """husk learn /learn.conf >/learned 2>/said; echo "@learn-is $?"; sed 's/^/@learn-said /' /said; sed 's/^/@learned /' /learned
(cat /learn.conf /learned; echo syscalls.default=KILL) >/strict.conf
husk run /strict.conf >/said 2>&1; echo "@strict-is $?"; sed 's/^/@strict-said /' /said
husk run /strict.conf -- /bin/mount -t tmpfs none /tmp; echo "@shut $?"
"""


def check_learn(r):
    """The lines that the same program runs under, where a call that they lack is its end; and there is such a call."""
    assert said(r, "learn-is") == said(r, "strict-is") == ["5"], r
    for tag in ("learn-said", "strict-said"):		# husk may have a word on the kernel, and the shell on whom it killed
        assert [l for l in said(r, tag) if not l.startswith(("husk: ", "Killed"))] == LEARNED, r
    counts, words, *sockets = said(r, "learned")
    seen, allowed = map(int, re.fullmatch(r"# (\d+) calls seen, (\d+) allowed", counts).groups())
    assert 30 < seen <= allowed <= 2 * seen and words.startswith("syscalls="), r
    assert sockets == ([] if "socketcall" in words.split() else ["sockets=none,inet"]), r		# whose arguments no filter sees
    assert said(r, "shut") == ["159"], r


def test_every_board(each, tmp_path):
    """Boots from an initramfs, starts its boxes in order, tries its filters, and powers off when asked."""
    b = ready(each)
    files, wanted = verdicts(b, tmp_path)
    files |= full(b)
    files |= {"learn.conf": qemu.file("root=/srv/root\nuser=1000\nexec=/bin/sh /learn.sh\n"), "srv/root/learn.sh": qemu.file(LEARN_SH),
              "srv/root/times": qemu.program(qemu.compiled(b, "times.c"))}
    tries = LEARN + "".join(f"husk run /verdicts/{p}.conf\n" for p in VERDICTS)
    tries += "echo @clock $(date +%s)\n"
    files["init"] = qemu.program("#!/bin/sh\ndate -s @0 >/dev/null\nexec /husk\n")		# as a kernel leaves it that reads no clock
    if each in FOREIGN:
        tries += "husk run /verdicts/service.conf -- /foreign x /service.list; echo @foreign $?\n"
    files["outside.sh"] = qemu.file(OUTSIDE_SH.replace("sleep 1\nhusk poweroff", tries + "husk poweroff"))
    r = qemu.boot(b, files, init="/init")
    check_full(r, each)
    assert abs(int(said(r, "clock")[0]) - time.time()) < 86400, r
    check_learn(r)
    check_verdicts(r, each, wanted)


def test_read_only_root(tmp_path):
    """init=/sbin/husk on a squashfs, after an initramfs that has mounted nothing else."""
    b = ready(QUICK)
    files = qemu.rootfs(b) | {m + ".ko": qemu.file(qemu.module(b, m)) for m in ("loop", "squashfs")}
    files |= {"dev/console": (stat.S_IFCHR | 0o600, (5, 1)), "image": qemu.file(qemu.squashfs(full(b), tmp_path / "image").read_bytes()), "new": qemu.directory()}
    files["init"] = qemu.program("""#!/bin/sh
mount -t devtmpfs dev /dev; insmod /loop.ko; insmod /squashfs.ko
losetup /dev/loop0 /image && mount -t squashfs -o ro /dev/loop0 /new && umount /dev && exec switch_root /new /sbin/husk
""")
    check_full(qemu.boot(b, files, init="/init"), QUICK)


MOUNT_V1 = """#!/bin/sh
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t tmpfs cg /sys/fs/cgroup
for c in %s; do mkdir /sys/fs/cgroup/$c; mount -t cgroup -o $c cg /sys/fs/cgroup/$c; done
%s
exec /husk
"""
HYBRID = "mkdir /sys/fs/cgroup/unified; mount -t cgroup2 cg /sys/fs/cgroup/unified"
LIMITS = """use=host
exec=/bin/sh /limits.sh
log=inherit
after=inside
"""
LIMITS_SH = """
n=0; while [ $n -lt 100 ] && ! ps | grep -q '[s]leep 1$'; do sleep 0.2; n=$((n+1)); done
for f in FILES; do echo "@limit $f $(cat /sys/fs/cgroup/$f)"; done
echo "@procs $(cat /sys/fs/cgroup/TREE/husk/inside/cgroup.procs | wc -l)"
husk run /once.conf memory.max=4M -- /bin/sh -c 'x=x; while :; do x=$x$x; done'; echo "@oom $?"
husk run /once.conf pids.max=8 -- /bin/sh -c 'for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 9 & done; sleep 1'; echo "@bomb $?"
husk run /once.conf cpu.max=50% cpu.weight=200 -- /bin/true; echo "@cpu $?"
husk run /once.conf caps=mknod user=root -- /bin/sh -c 'cd /dev; mknod m c 1 1 && cat m'; echo "@dev $?"
echo "@left $(ls -d /sys/fs/cgroup/*/husk/once 2>/dev/null)"
husk poweroff
"""


@pytest.mark.parametrize("layout, controllers, more, files, tree", [
    ("v1", "memory pids cpu devices freezer", "", "memory/husk/inside/memory.limit_in_bytes pids/husk/inside/pids.max", "freezer"),
    ("joined", "cpu,cpuacct memory,pids devices freezer", "",
     "memory,pids/husk/inside/memory.limit_in_bytes memory,pids/husk/inside/pids.max", "memory,pids"),
    ("hybrid", "memory", HYBRID, "memory/husk/inside/memory.limit_in_bytes unified/husk/inside/pids.max", "unified"),
])
def test_cgroup_layouts(layout, controllers, more, files, tree):
    """What an initramfs has mounted is taken as it is, and the limits hold in each layout."""
    b = ready(QUICK)
    f = full(b)
    del f["etc/husk/outside.conf"]
    f["etc/husk/limits.conf"] = qemu.file(LIMITS)
    f["limits.sh"] = qemu.file(LIMITS_SH.replace("FILES", files).replace("TREE", tree))
    f["init"] = qemu.program(MOUNT_V1 % (controllers, more))
    r = qemu.boot(b, f, init="/init")
    assert r.ended, r
    memory, pids = files.split()
    assert said(r, "limit") == [f"{memory} 33554432", f"{pids} 20"], r
    assert int(said(r, "procs")[0]) >= 2, r
    assert said(r, "oom") == ["137"] and said(r, "cpu") == ["0"], r
    assert "can't fork" in r.text, r
    assert said(r, "dev") == ["1"] and "Operation not permitted" in r.text, r
    assert said(r, "left") == [""], r


def small(b, boxes, conf=None):
    return qemu.with_husk(b, {n: "use=host\nlog=inherit\n" + t for n, t in boxes.items()}, conf=conf)


def shell(text, more=""):
    return f'exec=/bin/sh -c "{text}"\n{more}'


def test_no_memory_controller():
    """The most wanted line of all: why a limit cannot be applied."""
    b = ready(QUICK)
    f = full(b)
    f["outside.sh"] = qemu.file("husk run /once.conf -- /bin/true; echo @plain $?\nhusk run /once.conf memory.max=8M -- /bin/true; echo @limit $?\nhusk poweroff\n")
    r = qemu.boot(b, f, "cgroup_disable=memory")
    assert r.ended, r
    line = "cg.limits: memory.max: no memory controller - cgroup_disable=memory is on the kernel's command line"
    assert f"husk: inside: {line}\n" in r.text, r
    assert f"husk: once: {line}: not limited\n" in r.text, r	# the default is ?memory.max
    assert said(r, "plain") == ["0"] and said(r, "limit") == ["125"], r


def test_order_of_after():
    """after=, what is wrong, what is not to be started, and a circle that holds nobody up."""
    b = ready(QUICK)
    f = small(b, {
        "a": shell("sleep 0.5; echo @order a", "after=z\n"),	# after: is up; who prints first is the scheduler's business
        "b": shell("sleep 3; echo @order b; husk poweroff", "after=m\n"),
        "m": shell("sleep 1; echo @order m", "after=a\nafter=not-there\n"),
        "z": shell("echo @order z"),
        "0": shell("[ -d /run/husk/b ] && echo @order 0", "after=*\n"),
        "hand": shell("echo @order hand", "boot=no\n"),
        "wrong": shell("echo @order wrong", "memroy.max=1\n"),
        "x": shell("echo @order x", "after=y\n"),
        "y": shell("echo @order y", "after=x\n"),
    })
    r = qemu.boot(b, f)
    order = said(r, "order")
    assert r.ended and sorted(order) == ["0", "a", "b", "m", "x", "y", "z"], r
    assert order.index("z") < order.index("a") < order.index("m") and order[-1] == "b", r
    assert "/etc/husk/wrong.conf:4: memroy.max" in r.text and "after: a circle" in r.text, r


def test_supervised():
    """Restarts of several at once, what needs another, what is skipped, fails and waits; a clock that jumps is no matter."""
    b = ready(QUICK)
    forever = "while :; do sleep 1; done"
    names = "s t u v w x"
    f = small(b, {
        "s": shell(f"echo @up s; {forever}", "restart=always 300ms..1s\n"),
        "t": shell(f"echo @up t; {forever}", "needs=s\nrestart=always 300ms..1s\n"),
        "u": shell(f"echo @up u; {forever}", "needs=/run/flag\n"),
        "v": shell("echo @up v; exit 4", "restart=on-failure 50ms 3/1m\n"),
        "w": shell("echo @up w", "if=/no/such\n"),
        "x": shell("echo @up x", "before=*\nready=exit\nrestart=on-failure\n"),
        "z": shell(f"sleep 2; echo @phase 1; kill -9 $(grep -h ^init= /run/husk/[st]/state | cut -d= -f2 | cut -d' ' -f1); date -s @86400 >/dev/null; sleep 3;"
                   f" echo @phase 2; touch /run/flag; sleep 1; for n in {names}; do echo @state $n $(grep ^state= /run/husk/$n/state | tail -n 1); done; husk poweroff", "after=v\n"),
    })
    r = qemu.boot(b, f)
    assert r.ended, r
    up = said(r, "up")
    assert up[0] == "x" and sorted(up) == sorted("x s t s t v v v u".split()), r
    states = {l.split()[0]: l.split(" ", 1)[1] for l in said(r, "state")}
    words = {n: re.sub(r"state=(\w+) \d+", r"\1", t) for n, t in states.items()}
    assert words == {"s": "running", "t": "running", "u": "running", "v": "failed 3 exits in 1m, last: exit 4; gave up",
                     "w": "skipped if=/no/such", "x": "done exit 0"}, r


def test_giveup_reboot():
    b = ready(QUICK)
    r = qemu.boot(b, small(b, {"a": shell("echo @up; exit 1", "restart=on-failure 20ms 3/1m\ngiveup=reboot\n")}))
    assert r.ended and len(said(r, "up")) == 3 and "husk: a: reboot\n" in r.text and "husk: going down" in r.text, r


def test_board_conf():
    """Host name, mounts and knobs of the machine; what is wrong there is said and no more."""
    b = ready(QUICK)
    conf = "hostname=gate-1\nmount=none:/data:tmpfs,size=64k\nsysctl.kernel.panic=7\nsysctl.vm.no_such=1\nsysctl.kernel.core_pattern=\n"
    text = "echo @is $(hostname) $(cat /proc/sys/kernel/panic) $(grep -c ' /data tmpfs' /proc/mounts) $(wc -c </proc/sys/kernel/core_pattern); husk poweroff"
    r = qemu.boot(b, small(b, {"a": shell(text)}, conf=conf))
    assert r.ended and said(r, "is") == ["gate-1 7 1 1"], r
    assert "sysctl.vm.no_such" in r.text, r
    r = qemu.boot(b, small(b, {"a": shell("husk wait --ready; echo @up $?; husk poweroff")}, conf="hostnmae=x\n"))
    assert r.ended and said(r, "up") == ["1"] and "husk: wait: board.conf\n" in r.text and "hostnmae: no such key" in r.text, r
    assert "husk: rescue: board.conf is not as it should be" in r.text, r


CONSOLES = """hostnmae=x
board.console=tty1 /bin/sh /console %t
board.console=ttyNO9 /bin/sh
board.console=ttyAMA0:ask /bin/sh -c "echo @asked $TERM; kill -USR2 1"
"""


CONSOLE_SH = "echo @console $1 $(tty) $(cut -d' ' -f1,6,7 /proc/$$/stat) >/dev/ttyAMA0; echo >>/tmp/runs; [ $(wc -l </tmp/runs) -lt 3 ] || sleep 1000\n"


def test_consoles_and_rescue():
    """A shell before all else where that is asked for, and all is read again when it ends; then programs on
    terminals, each with its own session, started again, and not before Enter where that is wished."""
    b = ready(QUICK)
    a = shell("echo @up; while [ $(wc -l </tmp/runs) -lt 3 ]; do sleep 0.2; done; echo @enough")
    r = qemu.boot(b, small(b, {"a": a}, conf=CONSOLES) | {"console": qemu.file(CONSOLE_SH)}, "emergency", timeout=240, typed=[
        ("# ", "sed -i /hostnmae/d /etc/husk/board.conf; echo @shell $(tty) $(ls /run/husk | wc -l); exit\n"),
        ("@enough", "\n")])
    assert r.ended, r
    shells = said(r, "shell")
    assert shells == ["/dev/ttyAMA0 0"] and said(r, "up") == [""] and said(r, "enough") == [""], r		# no box before the shell's end
    assert said(r, "asked") == ["vt102"], r
    runs = [l.split() for l in said(r, "console")]
    assert len(runs) == 3, r
    for word, tty, pid, session, number in runs:
        assert word == "tty1" and tty == "/dev/tty1" and pid == session, r
    assert all(int(l[4]) for l in runs), r
    assert r.text.count("husk: board.console: ttyNO9: No such file or directory\n") == 1, r


def test_no_dev_and_no_box():
    """Neither /dev nor anything to start: a shell is there for who presses Enter."""
    b = ready(QUICK)
    f = small(b, {})
    del f["dev"], f["dev/console"]
    r = qemu.boot(b, f, typed=[("Press Enter", "\n"), ("# ", "echo @devices $(ls -d /dev/null /dev/pts /dev/fd/0 | wc -l); husk poweroff\n")])
    assert r.ended and said(r, "devices") == ["3"] and "husk: rescue: there is no box to start" in r.text, r


LATE = {"a": "exec=/bin/sleep 1000\nroot=/srv/root\n", "h": "use=host\nready=exit\n", "l": "listen=127.0.0.1:8000\n", "z": "use=host\nafter=h l\n"}
LATE_SH = {
    "h": "echo @lo $(ifconfig lo | grep -c 127.0.0.1) @bpf $(grep -c ' /sys/fs/bpf bpf' /proc/mounts)",
    "l": "echo @listens; exec sleep 1000",
    "z": "for f in /proc/1/exe /proc/1/map_files/*; do busybox chmod 700 $f; done 2>&1 | sed 's/.*: /@file /'; echo @mode $(stat -c %a /husk); husk poweroff",
}


def test_what_comes_last():
    """lo and bpf are there for who sees them, though a box that does not is begun before; and PID 1 is read-only, with all that it runs."""
    b = ready(QUICK)
    boxes = {n: t + ("log=inherit\n" + shell(LATE_SH[n]) if n in LATE_SH else "") for n, t in LATE.items()}
    r = qemu.boot(b, qemu.with_husk(b, boxes))
    assert r.ended and said(r, "lo") == ["1 @bpf 1"] and said(r, "listens") == [""], r
    assert said(r, "file") == ["Read-only file system"] * 3 and said(r, "mode") == ["755"], r


def test_kernel_command_line():
    """husk.KEY= lies above board.conf, husk.skip= leaves boxes out; a wrong word is said, and no more."""
    b = ready(QUICK)
    boxes = {"a": shell("echo @up $(hostname) $(cat /proc/sys/kernel/panic); sleep 1; husk poweroff"), "b": shell("echo @up b"), "c": shell("echo @up c")}
    append = 'husk.skip=b,c husk.hostname=other husk.sysctl.kernel.panic="9" husk.hostnmae=x husk.single.x=1 -- husk.skp=a no.husk.word'
    r = qemu.boot(b, small(b, boxes, conf="hostname=one\nboard.stop.timeout=1m\n"), append)
    assert r.ended and said(r, "up") == ["other 9"], r
    wrong = re.findall(r"^husk: kernel command line: (\S+): (.*)$", r.text, re.M)
    assert wrong == [("husk.hostnmae", "no such word; hostname?"), ("husk.single.x", "no such word; single?"), ("husk.skp", "no such word; skip?")], r
    r = qemu.boot(b, small(b, boxes) | {"etc/other/d.conf": qemu.file("use=host\nlog=inherit\n" + shell("echo @up d; husk poweroff"))}, "husk.conf=/etc/other husk.debug")
    assert r.ended and said(r, "up") == ["d"] and "husk: plan: d /etc/other/d.conf" in r.text, r


def test_images_and_copies(tmp_path):
    """A squashfs is mounted for the board and for a box; the copies of etc= follow the board's, of which PID 1 is the keeper."""
    b = ready(QUICK)
    if not shutil.which("mksquashfs"):
        pytest.skip("no mksquashfs")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/f").write_text("of the image")
    subprocess.run(["mksquashfs", tmp_path / "tree", tmp_path / "image", "-quiet", "-no-progress"], check=True, stdout=subprocess.DEVNULL)
    inside = "root=/srv/root\nnet=host\nmount=/image:/mnt:squashfs\nlog=inherit\n" + \
        shell("echo @box $(cat /mnt/f), $(cat /etc/hosts); while ! grep -q new /etc/hosts; do sleep 0.1; done; echo @fresh $(cat /etc/hosts); ls /run")
    f = small(b, {"out": shell("echo @board $(cat /data/f); sleep 2; echo new >/etc/h; mv /etc/h /etc/hosts; sleep 1; ls -A /run/husk; husk poweroff",
                               "after=in\n")}, conf="mount=/image:/data\n")
    f |= {m + ".ko": qemu.file(qemu.module(b, m)) for m in ("loop", "squashfs")}
    f |= {"image": qemu.file((tmp_path / "image").read_bytes()), "etc/husk/in.conf": qemu.file(inside), "srv/root/etc/hosts": qemu.file("the root's"),
          "init": qemu.program("#!/bin/sh\ninsmod /loop.ko; insmod /squashfs.ko; exec /husk\n")}
    r = qemu.boot(b, f, init="/init")
    assert r.ended and said(r, "board") == ["of the image"], r
    assert said(r, "box") == ["of the image, 127.0.0.1 localhost"] and said(r, "fresh") == ["new"], r


USER_SH = """
cd /sys/fs/cgroup; echo +memory +pids >cgroup.subtree_control; mkdir -p deleg/shell /run/user
for f in . cgroup.procs cgroup.subtree_control cgroup.threads shell shell/cgroup.procs; do busybox chown user deleg/$f; done
busybox chown user /run/user; echo $$ >deleg/shell/cgroup.procs
cat >/user-2.sh <<'EOF'
export XDG_RUNTIME_DIR=/run/user
husk run /once.conf $1 -- /bin/sh /inside.sh &
n=0; while [ $n -lt 50 ] && ! ps | grep -q '[s]leep 1$'; do sleep 0.2; n=$((n+1)); done
for f in memory.max memory.swap.max pids.max; do echo "@limit $f $(cat /sys/fs/cgroup/deleg/husk/once/$f)"; done
kill $!; wait $!; echo "@status $?"
husk run /once.conf $1 name=oom memory.max=4M -- /bin/sh -c 'x=x; while :; do x=$x$x; done'; echo "@oom $?"
husk run /once.conf $1 name=bomb pids.max=8 -- /bin/sh -c 'for i in 1 2 3 4 5 6 7 8 9; do sleep 9 & done; sleep 1'; echo "@bomb $?"
husk run /once.conf name=own -- /bin/true; echo "@own $?"
echo "@left $(find deleg -type d | wc -l) $(ls -A /run/user/husk)"
EOF
busybox su user -c 'sh /user-2.sh cgroup=deleg'
husk poweroff
"""


def test_a_user_with_a_delegated_cgroup():
    """Nobody's rights but those over a part of the tree: the limits hold, and nothing stays."""
    b = ready(QUICK)
    f = full(b)
    del f["etc/husk/inside.conf"]
    f["etc/husk/outside.conf"] = qemu.file("use=host\nexec=/bin/sh /outside.sh\nlog=inherit\n")
    f["outside.sh"] = qemu.file(USER_SH)
    f["once.conf"] = qemu.file("root=/srv/root\nns.user=new\nmemory.max=32M\nmemory.swap.max=0\npids.max=20\nlog=inherit\n")
    r = qemu.boot(b, f)
    assert r.ended, r
    assert said(r, "in-init")[0].startswith("husk of "), r
    assert said(r, "in-id")[0].startswith("1000:1000 groups 1000") and said(r, "in-net") == ["lo"], r
    status = dict(s.split() for s in said(r, "in-status"))
    assert {int(v, 16) for k, v in status.items() if k.startswith("Cap")} == {0} and status["Seccomp"] == "2", r
    assert said(r, "limit") == ["memory.max 33554432", "memory.swap.max 0", "pids.max 20"], r
    assert said(r, "in-term") == [""] and said(r, "status") == ["0"], r
    assert said(r, "oom") == ["137"] and "can't fork" in r.text, r
    assert said(r, "own") == ["0"], r		# beside the shell's: that one has processes
    assert said(r, "left") == ["2 "], r


PROFILE = """profile husk-test flags=(attach_disconnected,mediate_deleted) {
  file,
  signal,
  deny /etc/group r,
}
"""
# The smallest policy that a kernel takes: what it does not name is allowed.
POLICY = """(handleunknown allow)
(policycap nnp_nosuid_transition)
(class process (transition dyntransition)) (classorder (process))
(sid kernel) (sid security) (sid unlabeled) (sidorder (kernel security unlabeled))
(user u) (role r) (type board_t) (type box_t) (type file_t)
(category c0) (categoryorder (c0)) (sensitivity s0) (sensitivityorder (s0)) (sensitivitycategory s0 (c0))
(allow board_t box_t (process (transition)))
(roletype r board_t) (roletype r box_t) (roletype r file_t)
(userrole u r) (userlevel u (s0)) (userrange u ((s0)(s0 (c0))))
(sidcontext kernel (u r board_t ((s0)(s0)))) (sidcontext security (u r board_t ((s0)(s0)))) (sidcontext unlabeled (u r file_t ((s0)(s0))))
"""
LABEL_SH = """
busybox mount -t securityfs none /sys/kernel/security; dd if=/policy of=/sys/kernel/security/apparmor/.load bs=1M
busybox mount -t selinuxfs none /sys/fs/selinux && dd if=/policy of=/sys/fs/selinux/load bs=1M && echo 1 >/sys/fs/selinux/enforce
for w in user=1000 user=root "no_new_privs=no syscalls=@all"; do
	husk run /once.conf $w -- /bin/sh -c 'echo @label $(cat /proc/self/attr/current); cat /etc/passwd >/dev/null && cat /etc/group >/dev/null'; echo "@status $?"
done
husk run /once.conf ABSENT -- /bin/true; echo "@absent $?"
husk run /once.conf REFUSED -- /bin/true; echo "@refused $?"
husk poweroff
"""


def labelled(label, absent, refused, policy, append):
    """Boots with this policy; starts boxes with each of these labels."""
    b = ready(QUICK)
    if policy.returncode:
        pytest.skip(f"{policy.args[0]}: {policy.stderr}")
    f = full(b)
    del f["etc/husk/inside.conf"]
    f["policy"], f["outside.sh"] = qemu.file(policy.stdout), qemu.file(LABEL_SH.replace("ABSENT", absent).replace("REFUSED", refused))
    f["etc/husk/outside.conf"] = qemu.file("use=host\nexec=/bin/sh /outside.sh\nlog=inherit\n")
    f["once.conf"] = qemu.file(f"root=/srv/root\nlog=inherit\n{label}\n")
    r = qemu.boot(b, f, append)
    assert r.ended and said(r, "absent") == ["125"] and f"caps.label: {absent}" in r.text, r
    return r


def test_apparmor(tmp_path):
    """The program is under the profile from its first instruction, and the profile holds."""
    parser = qemu.tool("apparmor") / "sbin/apparmor_parser"
    (tmp_path / "profile").write_text(PROFILE)
    words = [parser, "-qKQS", "-M", parser.parents[1] / "etc/apparmor.d/abi/kernel-5.4-vanilla", "--config-file", "/dev/null", tmp_path / "profile"]
    r = labelled("apparmor=husk-test", "apparmor=absent", "apparmor=absent", subprocess.run(words, capture_output=True, check=False), "apparmor=1 security=apparmor")
    assert said(r, "label") == ["husk-test (enforce)"] * 3 and said(r, "status") == ["1"] * 3, r
    assert r.text.count("can't open '/etc/group': Permission denied") == 3, r


def test_selinux(tmp_path):
    """The same, where every mount is nosuid and the program has no_new_privs."""
    (tmp_path / "policy").write_text(POLICY)
    words = [qemu.tool("secilc") / "usr/bin/secilc", "-c", "33", "-M", "false", "-o", "/dev/stdout", "-f", "/dev/null", tmp_path / "policy"]
    r = labelled("selinux=u:r:box_t", "selinux=u:r:absent_t", "selinux=u:r:file_t", subprocess.run(words, capture_output=True, check=False), "security=selinux")
    assert said(r, "label") == ["u:r:box_t"] * 3 and said(r, "status") == ["0"] * 3, r
    assert said(r, "refused") == ["126"] and "init.exec: /bin/true: Permission denied" in r.text, r


# As busybox has them, and the kernel for Ctrl-Alt-Del and a UPS; from 34, SIGRTMIN, on as systemd-nspawn and LXC send them
DOWN = {"kill -INT 1": "Restarting system", "kill -39 1": "Restarting system", "kill -PWR 1": "System halted"}
OTHERS = {"kill -TERM 1": "Restarting system", "kill -40 1": "Restarting system", "kill -USR1 1": "System halted", "kill -37 1": "System halted",
          "kill -USR2 1": "Power down", "kill -38 1": "Power down", "kill -SEGV 1": "PID 1: signal 11: reboot", "kill -BUS 1": "PID 1: signal 7: reboot"}		# make test-boards


def down(how, end):
    b, ends = ready(QUICK), end != "System halted"
    r = qemu.boot(b, small(b, {"a": shell(f"sleep 1; {how}")}), until=None if ends else end)
    assert r.ended == ends and end in r.text, r
    assert "Kernel panic" not in r.text and ("going down" in r.text) == ("signal" not in end), r


@pytest.mark.parametrize("how", DOWN)
def test_down(how):
    down(how, DOWN[how])


def crashes(b, how, script):
    """Files of a guest: that script of a box with use=host, and then PID 1 has a fault of its own; check_crash() has what comes of it.
    Boots of other tests, on each machine, end so. What the script says does not go through PID 1, which has no time for it any more."""
    return {"crash": qemu.program(qemu.compiled(b, "crash.c")), "script": qemu.file(f"exec >/dev/console 2>&1\n{script}/crash {how}; husk poweroff\n")}


def check_crash(r):
    """On its other stack, because its own may be what is wrong, it says so, and the machine is reset in order; no panic of a kernel whose process 1 is gone."""
    assert r.ended and "husk: PID 1: signal 11: reboot\n" in r.text and "Restarting system" in r.text, r
    assert "Kernel panic" not in r.text and "going down" not in r.text, r


def test_down_in_order():
    """The last one first, each within its own time; who does not hear is killed; what was written is on the disk."""
    b = ready(QUICK)
    trap = "trap 'echo @down {0}; exit' TERM; while :; do sleep 1; done"
    f = small(b, {
        "a": shell(trap.format("a")), "b": shell(trap.format("b"), "after=a\n"),
        "c": shell("trap '' TERM; while :; do sleep 1; done", "after=b\nstop.timeout=1s\n"),
        "d": shell("sleep 3; husk poweroff", "after=c\n")})
    r = qemu.boot(b, f)
    assert r.ended and said(r, "down") == ["b", "a"], r
    assert "husk: c: did not stop in 1000 ms: killed" in r.text, r


def test_storm():
    """A box with limits forks and signals as it can; PID 1 still hears who asks it to end."""
    b = ready(QUICK)
    f = full(b)
    f["srv/root/inside.sh"] = qemu.file("exec 2>/dev/null; f() { f | f & }; f; while :; do kill -TERM 1; done\n")
    f["outside.sh"] = qemu.file("sleep 3; echo @asked; husk poweroff\n")
    r = qemu.boot(b, f)
    assert r.ended and said(r, "asked") == [""] and "Power down" in r.text, r
