"""The fault loop: which calls a start makes, which errors each could give, and what must be true after each.

A point is (role, number of the call in this process, mode, errno). Roles are 0 the keeper (HOST), 1 INIT,
2 PROG up to its execve. The injector (inject.c) hits exactly one point in one run."""
import atexit
import collections
import errno
import fcntl
import functools
import os
import re
import shutil
import signal
import sys

import husk

ROLES = ("HOST", "INIT", "PROG", "WAIT", "HOOK")		# WAIT: of -d, who waits until the keeper says that the box is up; HOOK: the first one before its execve
CALLS = husk.TOP / "test/fallbacks.txt"
COUNT, USED = husk.OUT / "fault.count", husk.OUT / "fault.used"		# of all tests of a run together
TIME = 20			# seconds: a start that takes longer hangs, however busy the machine is

# n: "NR.K", see inject.c; row: of the stage table, or "" before it and behind; later: the rows of this and of all further calls of that name
Call = collections.namedtuple("Call", "role n name result text released row later")


@functools.lru_cache(None)
def numbers():
    """Names of the system calls of this machine, from the kernel's header."""
    text = husk.read("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")
    return {int(n): name for name, n in re.findall(r"#define __NR_(\w+)\s+(\d+)", text)}


def number(name):
    return next((n for n, k in numbers().items() if k == name), -1)


FILE = "EACCES EPERM ENOENT ENOTDIR EMFILE ENFILE ENOMEM EIO"
ERRNOS = {k: v for names, v in {
    "openat open openat2": FILE + " ELOOP",
    "read pread64 readv getdents64": "EIO EINTR ENOMEM EACCES",
    "write pwrite64 writev": "EIO ENOSPC EINTR EPERM EINVAL EBUSY ENOMEM",
    "mount": "EPERM EACCES EINVAL EBUSY ENOENT ENOTDIR ENOMEM ENODEV ENOSPC",
    "umount2 pivot_root": "EPERM EINVAL EBUSY ENOTDIR ENOMEM",
    "mkdirat mkdir symlinkat symlink mknodat mknod": "EPERM EACCES ENOSPC EDQUOT ENOMEM EROFS EEXIST",
    "unlinkat unlink rmdir renameat": "EBUSY EROFS EPERM EACCES EIO ENOMEM",
    "fstat newfstatat statx fstatfs statfs stat lstat": "EACCES ENOENT ENOMEM EIO",
    "readlinkat readlink": "EACCES EIO EINVAL",
    "clone clone3 fork vfork": "EAGAIN ENOMEM EPERM ENOSPC EUSERS",
    "unshare setns": "EPERM ENOMEM ENOSPC EINVAL EUSERS",
    "open_tree move_mount mount_setattr fsopen fsconfig fsmount": "EPERM EINVAL ENOMEM ENOSYS EBUSY ENOTDIR",
    "close_range pidfd_open": "EPERM EINVAL ENOSYS EMFILE",
    "pidfd_send_signal kill tgkill": "EPERM ESRCH",
    "socket socketpair pipe2 pipe eventfd2 signalfd4 epoll_create1 memfd_create timerfd_create": "EMFILE ENFILE ENOMEM",
    "epoll_ctl poll ppoll epoll_wait epoll_pwait": "EINTR ENOMEM",
    "sendto sendmsg recvfrom recvmsg": "EPIPE ENOBUFS EINTR EIO",
    "bind connect ioctl": "EPERM EINVAL ENOBUFS",
    "wait4 waitid rt_sigtimedwait": "EINTR",
    "prctl seccomp": "EPERM EACCES EINVAL EFAULT ENOMEM ENOSYS",
    "capset capget setgroups setresuid setresgid setuid setgid": "EPERM EAGAIN EINVAL ENOMEM ENOSYS",
    "prlimit64 setrlimit setpriority sched_setscheduler sched_setaffinity sched_setattr ioprio_set": "EPERM EINVAL EACCES",
    "keyctl setsid sethostname setdomainname personality": "EPERM EINVAL ENOMEM",
    "execve execveat": "ENOENT EACCES ENOEXEC E2BIG ENOMEM EIO EPERM",
    "chdir fchdir getcwd": "EACCES ENOENT EIO",
    "flock": "EINTR ENOLCK EIO",
    "fcntl dup dup2 dup3": "EMFILE EINVAL EBADF",
    "close": "EIO EINTR",
    "fchmod fchown fchmodat fchownat": "EPERM EROFS EIO",
    "mprotect munmap mmap madvise brk": "ENOMEM EACCES",
}.items() for k in names.split()}
WAITS = ("poll", "ppoll", "read", "waitid", "rt_sigtimedwait", "signalfd4")
# of no use to fail: they have no way to fail, or libc does not look
NEVER_FAIL = set("getpid getppid gettid getuid geteuid getgid getegid exit exit_group rt_sigreturn set_tid_address "
                 "arch_prctl set_robust_list rt_sigprocmask rt_sigaction umask sigaltstack clock_gettime getrandom rseq".split())


def errnos_of(name):
    return [] if name in NEVER_FAIL else ERRNOS.get(name, "EPERM EINVAL ENOMEM").split()


# -------------------------------------------------------------- the recorded start

VARIANTS = {		# further starts, of which those calls are points that the first one does not make
    "once": ["exec.once=yes"],
    "user": ["ns.user=new"],
    "root": ["user=root", "caps=net_raw,kill"],
    "tty": ["tty=yes"],
    "abi": ["abi=both", "personality=linux32"],
    "background": ["-d", "log=inherit"],
    "terminal": ["-d", "log=inherit", "tty=yes"],
    "lines": ["log=OUTPUT:1M"],
    "hooks": [f"hook.{s}=/bin/true" for s in ("prestart", "createcontainer", "startcontainer", "poststart", "poststop")],
    "log": ["syscalls.log=yes", "syscalls=-sched_getaffinity"],		# which the program makes
    "learn": [],
    "listen": ["listen=127.0.0.1:PORT", "listen=[::1]:PORT", "listen=SOCKET:user=www-data"],
    "ready": ["ready=fd:9", "watchdog=1m", "fd=5:/dev/null", "fd=6:/dev/zero:rw"],
    "limits": ["cpu.max=50%", "cpu.max.burst=1000", "cpu.weight.nice=1", "cpu.rt_runtime_us=1001", "cpuset.cpus=0", "io.max=DISK:rbps=1G,wiops=10000",
               "io.weight=200", "memory.swappiness=10"],
    "full": ["net=host", "etc=group", "mount=IMAGE:/data:squashfs", "user=user", "groups=44", "caps=net_raw,kill", "bind=/usr/share:/mnt:rec", "bind=MADE:/mnt/locale:rw,create=750", "tmpfs=/srv:1M", "readonly=/srv",
             "bind=/proc/sys/net", "device=/dev/full:/dev/sub/full:r", "hostname=x", "domainname=y", "nice=3", "affinity=0", "umask=027", "oom_score_adj=9",
             "rlimit.nofile=64", "cwd=/tmp", "keyring=yes", "ns.time=new", "clock.boottime=60s", "cpu.weight=50"],
}


@functools.lru_cache(None)
def image():
    """A file system in a file, or "" where it cannot be made."""
    path = husk.OUT / f"fault.{os.getpid()}.squashfs"
    atexit.register(path.unlink, missing_ok=True)
    made = shutil.which("mksquashfs") and os.path.exists("/dev/loop-control") and \
        husk.command("mksquashfs", husk.TOP / "caps", path, "-quiet", "-no-progress").status == 0
    return str(path) if made else ""


@functools.lru_cache(None)
def disk():
    """MAJOR:MINOR of a whole disk, or ""."""
    dirs = [d for d in sorted(husk.pathlib.Path("/sys/class/block").glob("*")) if not (d / "partition").exists() and not d.name.startswith("zram")]
    return next(((d / "dev").read_text().strip() for d in dirs), "")


@functools.lru_cache(None)
def made_dir():
    atexit.register(lambda: made() and made_dir().rmdir())
    return husk.OUT / f"fault.{os.getpid()}.made"


def made():
    """The directory of create: who owns it and how it may be used, or None."""
    try:
        s = made_dir().stat()
        return s.st_uid, s.st_gid, s.st_mode & 0o7777
    except FileNotFoundError:
        return None


def output():
    """Where log=FILE writes to."""
    return husk.OUT / f"fault.{os.getpid()}.log"


def printed():
    """What the program has said there, and nothing of it is left."""
    text = husk.read(output())
    output().unlink(missing_ok=True)
    return "".join(re.findall(r"^\S+Z (.*\n)", text, re.M))


def words(box, *program, variant=""):
    """The start under test: a full default box with two limits, and a program that says what it sees and feels (by thousands
    of calls: not where each is learned)."""
    more = [w.replace("OUTPUT", str(output())).replace("MADE", str(made_dir())).replace("IMAGE", image()).replace("DISK", disk()).replace("PORT", str(20000 + os.getpid() % 10000)).replace("SOCKET", str(output()) + ".sock") for w in VARIANTS.get(variant, []) if ("IMAGE" not in w or image()) and ("DISK" not in w or disk())]
    return [husk.HUSK, "learn" if variant == "learn" else "run", *[w for w in more if w[0] == "-"], f"name={box}", f"root={husk.ROOT}", "memory.max=8M", "memory.swap.max=0", "pids.max=16",
            "stop.timeout=1s", *[w for w in more if w[0] != "-"], "--", *(program or ("/bin/inside", "rights", "7", "felt")[:3 if variant == "learn" else 4])]


SAID = r"husk: [^\n]*\n"


def inject(log, *mode, box, timeout=TIME, before=(), variant=""):
    back = ["-b"] if variant in ("background", "terminal") else ["-r", "014929999"] if variant == "hooks" else []
    if made():
        made_dir().rmdir()
    r = husk.command(*before, husk.INJECT, "-o", log, *back, *mode, "--", *words(box, variant=variant), timeout=timeout)
    if variant == "lines":
        r.out += printed()
    if variant == "learn":		# the program's own output is on standard error, and what was learned must be the same, too
        text = re.sub(SAID, "", r.err)
        r.out, r.err = text + (r.out if text or r.status == 125 else ""), "".join(re.findall(SAID, r.err))
    return r


def forget(box):
    """How a box of the background has ended stays until it is asked for."""
    assert husk.wait_for(lambda: husk.husk("delete", box).status == 0)


def record(box, log, variant=""):
    """Every call of a start, and whether it comes after the release."""
    r = inject(log, "list", box=box, variant=variant)
    forget(box)
    assert r.status == 7, r
    raw, rows, at = [], [], {}
    for l in log.read_text(errors="replace").splitlines():
        f = l.split(" ", 4)
        if f[0] == "row":
            at[int(f[1])] = table()[int(f[2])] if int(f[2]) < len(table()) else ""
        if f[0] == "call" and f[1] != "9":
            nr = f[2].partition(".")[0]
            raw.append((int(f[1]), f[2], numbers().get(int(nr), nr), int(f[3]), f[4] if len(f) > 4 else ""))
            rows.append(at.get(int(f[1]), ""))
    forked = {role: max(i for i, c in enumerate(raw) if c[0] == role and c[2] in ("clone", "clone3", "fork", "vfork"))
              for role in {c[0] for c in raw} & {1, 3}}
    release = [i for i, c in enumerate(raw) if c[0] == 0 and c[2] == "sendto"][2 if variant == "hooks" else 1]		# ns.go, again where a hook comes first, init.release
    # INIT does not know of the release: from its fork on it goes at its own pace
    late = lambda i, c: i > forked.get(c[0], release)
    later = [frozenset(row for row, d in zip(rows[i:], raw[i:]) if d[0] == c[0] and d[2] == c[2]) for i, c in enumerate(raw)]
    return [Call(*c, late(i, c), rows[i], later[i]) for i, c in enumerate(raw)], normal(r.out)


def alike(text):
    """Of each start the same"""
    return re.sub(r"\d+", "N", re.sub(r"t[a-z]*-\d+-\d+", "BOX", text))


def differing(calls, known):
    """Those calls that the known start does not make, or less often."""
    def key(c):
        return c.role % 3 if c.role < 4 else 4, c.name, alike(c.text)
    have = collections.Counter(map(key, known))
    new = []
    for c in calls:
        have[key(c)] -= 1
        if have[key(c)] < 0 and not (c.role == 0 and c.released and c.name in WAITS + ("write",) and c.text[:2] != "# "):
            new.append(c)			# what the keeper does with a terminal is never twice the same
    return new


def few(calls):
    """Of what is called by the thousand the first and the last ones."""
    alike = collections.defaultdict(list)
    for c in calls:
        alike[c.role, c.name, c.text].append(c)
    return [c for c in calls if len(g := alike[c.role, c.name, c.text]) < 100 or c in g[:6] + g[-4:]]


def normal(text):
    """What the program saw, without numbers that differ from start to start."""
    text = re.sub(r"^(ns \w+:)\[\d+\]", r"\1", text, flags=re.M)
    text = re.sub(r"^\d+ \d+ \d+:\d+ ", "", text, flags=re.M)
    text = re.sub(r"^(fd \d+) .*", r"\1", text, flags=re.M)
    text = re.sub(r"/proc/self/fd/\d+", "LOOP", text)
    text = re.sub(r"^(pid|NSpid:).*\n", "", text, flags=re.M)
    text = re.sub(r"t[a-z]*-\d+-\d+", "BOX", text)
    text = re.sub(r"\b6[1-5]\d{3}\b", "UID", text)
    text = re.sub(r"\b\d{9}\b", "MAPPED", text)
    text = re.sub(r"^( *\w+:)( +\d+){16}$", r"\1", text, flags=re.M)		# what interfaces have counted
    return re.sub(r"mode=\d+,|size=\d+k?,|nr_inodes=\d+,", "", text)


def points(calls, mode):
    """(call, errno) of this mode; kills have no errno."""
    for c in calls:
        if mode in ("before", "after"):
            if mode == "before" or c.role < 2 or c.name != "execve":		# behind that the tracer has let go
                yield c, 0
            continue
        for e in errnos_of(c.name):
            if mode == "ever" and (e == "EINTR" or c.name in WAITS and c.released):
                continue		# nothing is interrupted for ever, and who cannot wait at all cannot supervise
            yield c, getattr(errno, e)


# ---------------------------------------------------------------- the reviewed list

@functools.lru_cache(None)
def fallbacks():
    rows = []
    for l in CALLS.read_text().splitlines():
        if l.strip() and not l.startswith("#"):
            role, call, errs, outcome, reason = l.split(None, 4)
            rows.append((role, call, frozenset(errs.split(",")), frozenset(outcome.split(",")), reason))
    return rows


def rows_for(call, err, mode, variant=""):
    """Those of the reviewed list that this point is one of."""
    for row in fallbacks():
        name, _, text = row[1].partition(":")
        role, _, of = row[0].partition("/")
        if role not in ("*", ROLES[call.role]) or of not in ("", variant) or name not in ("*", call.name):
            continue
        if text and not re.search(text, call.text):
            continue
        if row[2] == {"*"} or errno.errorcode.get(err, "-") in row[2] or mode in row[2]:
            yield row


def allowed(call, err, mode, variant=""):
    """The outcomes that the reviewed list names for this point, beside the ordinary ones."""
    return set().union(*(row[3] for row in rows_for(call, err, mode, variant)))


used = set()		# rows of the list without which a verdict would have been another one


# ------------------------------------------------------------------------ the oracle

STAGE = re.compile(r"^husk: (?:([^:\n]+): )?([a-z0-9]+\.[a-z0-9]+): .+$", re.M)
BEFORE = {"init.stdio", "init.seal", "init.signals"}	# what main does before there is a name


@functools.lru_cache(None)
def table():
    """Its rows, in their order."""
    return [re.sub("_", ".", m, count=1) for m in re.findall(r"ROW\((\w+),", (husk.TOP / "init/stages.c").read_text())]


def stages():
    return BEFORE | set(table())


def outcome(r):
    """One word for what happened, and whether the program ran."""
    ran = r.out != ""
    if r.status == 7 and ran:
        return "own"
    m = STAGE.search(r.err)
    if r.status == 125 and not ran and m:
        return "refused" if m[2] in stages() else "unknown-stage"
    if r.status in (126, 127) and not ran:
        return "exec"
    if r.status == 137:
        return "137-ran" if ran else "137"
    return f"{r.status}{'-ran' if ran else ''}"


HEARS = {"ns.clone", "init.prestart", "init.ready", "init.release", "init.up"}	# where HOST looks for the others, and misses who has died without a word


def named_by(call, mode, r):
    """Does the message name the row in which the call lies, as the undisturbed start has it? Of one that fails for ever that may be
    each further one of that name."""
    named, rows = STAGE.search(r.err)[2], call.later if mode == "ever" else {call.row}
    if mode in ("before", "after") or mode == "ever" and call.role and call.name == "write":		# nor could it say anything
        return named in HEARS
    if call.row == "init.report" and named == "init.release":
        return True		# it had said that it is ready, and is not there any more when it is let go
    return named in rows or "" in rows and not call.released and named in BEFORE


def expected(call, mode, err):
    """What may happen at this point. own: the program ran to its own end, with all its rights."""
    if call.role == 4:
        return {"refused"}
    if call.role == 3:
        return {"own"} if call.released else {"137", "own"} if mode in ("before", "after") else {"refused", "125"}
    if mode in ("before", "after"):
        if call.role == 0:
            let_go = call.row == "init.release" and call.name == "sendto" and mode == "after"		# by whom nothing more is asked of HOST
            return {"137", "137-ran"} if call.released or let_go else {"137"}
        if call.role == 1:
            return {"137", "137-ran", "own", "refused"} if call.released else {"refused"}
        if call.released or call.name.startswith("exec"):
            return {"137", "refused", "own"}
        return {"137", "refused"} if call.text.startswith("R") else {"refused"}		# it has said that it is ready
    if mode == "ever" and call.name in ("write", "writev") and call.role == 0:
        return {"own"} if call.released else {"refused", "125"}		# nor could it say anything
    if call.role == 2:
        return {"refused", "exec"} if call.name.startswith("exec") else {"refused"}
    if call.released:
        return {"own", "refused"} if call.role == 1 else {"own"}
    if call.row == "init.up" and call.name == "recvmsg":		# it is let go: what HOST waits to hear is that it runs
        return {"refused", "125-ran"}
    return {"refused"}


class Wrong(AssertionError):
    pass


def is_it(call, said):
    """Was it this call? Who waits a moment for a name that somebody looks at opens it once more, and then the next ones have other numbers."""
    at = re.search(r"^at (.*)$", said, re.M)
    return bool(at) and (call.name in ("write", "pwrite64") or not call.text or alike(at[1]) == alike(call.text))


def check(call, mode, err, box, baseline, log, variant=""):
    """One point, once: its outcome. Raises Wrong with everything that is wrong."""
    args = (mode, call.role, call.n) + ((err,) if mode in ("fail", "ever") else ())
    what = f"{variant} {ROLES[call.role]} call {call.n} {call.name}({call.text}) {mode} {errno.errorcode.get(err, '')}"
    wrong = []
    try:
        r = inject(log, *args, box=box, variant=variant)
    except AssertionError as e:
        for p in husk.tagged(box):
            husk.send(p, signal.SIGKILL)
        husk.run("--", "/bin/true", box=box)
        raise Wrong(f"{what}: hangs: {str(e)[:60]}") from None
    said = log.read_text(errors="replace")
    if "hit " not in said:
        return "not-reached"
    got = outcome(r)
    ordinary = expected(call, mode, err)
    may = ordinary | allowed(call, err, mode, variant)
    if got == "refused" and not named_by(call, mode, r):
        got = "refused@" + STAGE.search(r.err)[2]
    if got == "own" and sorted(normal(r.out).splitlines()) != sorted(baseline.splitlines()):
        got = "other" if "other" in may else "less"
    if got not in may and not is_it(call, said):
        return "not-reached"		# what may come of the one that was hit says its own point
    if got not in may:
        wrong.append(f"outcome {got}, not one of {sorted(may)}" + (": " + difference(baseline, normal(r.out)) if got == "less" else ""))
    if got not in ordinary:
        used.update(row for row in rows_for(call, err, mode, variant) if got in row[3])
    mute = mode == "ever" and call.name in ("write", "writev")
    if got == "less" and "husk: " not in r.err and not mute:
        wrong.append("something is missing in the box, and no line says so")
    waited = re.search(r"^waiter (\d+)$", said, re.M)
    if waited and call.role != 3 and not call.released and (got == "own") != (waited[1] == "0"):
        wrong.append(f"who waited says {waited[1]}")
    if "alive " in said:
        wrong.append("outlives the keeper: " + said[said.index("alive "):].strip())
    wrong += leftovers(box, got, mode, r)
    if variant == "full":
        wrong += half_made(box, got)
    again = husk.command(*words(box, "/bin/inside", "exit", "7"), timeout=TIME)
    if again.status != 7:
        wrong.append(f"the next start does not work: {again}")
    (output().parent / (output().name + ".sock")).unlink(missing_ok=True)		# what a failing start could not remove would be in the way of the next point
    if variant and not husk.wait_for(lambda: not husk.loops(image() or "-")):
        wrong.append("a loop device is left")
    if husk.left(box):
        wrong.append(f"left after the next start: {husk.left(box)}")
    if wrong:
        raise Wrong(f"{what}: {'; '.join(wrong)}\n  status {r.status} err {r.err.strip()!r}")
    return got


def half_made(box, got):
    """What create makes stays, as the data in it would: it is the user's, or the next start of that box makes it so."""
    right = (1000, 1000, 0o750)
    wrong = ["the directory of create is not there"] if got == "own" and not made() else []
    if made() and made() != right and husk.command(*words(box, "/bin/inside", "exit", "7", variant="full"), timeout=TIME) and made() != right:
        wrong.append(f"create made {made()}")
    return wrong


def leftovers(box, got, mode, r):
    """Nothing of the box may be there; what a killed keeper or a failed undo leaves must be in the state file."""
    things = husk.left(box)
    if not things:
        return []
    husk.wait_for(lambda: not husk.tagged(box))
    things = husk.left(box)
    wrong = [t for t in things if t.startswith("process")]
    state = husk.read(husk.RUNDIR / box / "state")
    if re.search(r"^state=failed ", state, re.M):
        things = [t for t in things if not t.startswith("state")]		# of the background: stays until it is asked for
    if not got.startswith("137") and not (r.err.strip() and mode in ("fail", "ever")):
        wrong += [t for t in things if not t.startswith("process")]
    for t in things:
        if t.startswith("cgroup") and not listed(t.split(None, 1)[1], state):
            wrong.append(f"{t} is not in the state file {state!r}")
    return wrong


def listed(path, state):
    tail = path[len(str(husk.CGROUPS)) + 1:]
    return path in state or tail in state or tail.split("/", 1)[-1] in state


def difference(a, b):
    a, b = set(a.splitlines()), set(b.splitlines())
    return f"missing {sorted(a - b)[:5]}, new {sorted(b - a)[:5]}"


# ------------------------------------------------------------------ all points together

FLOOR = {"fail": 3500, "ever": 1500, "before": 700, "after": 700}


def note(kind, n):
    """So many points more of that kind, and which rows of the list they have needed."""
    for path, text in (COUNT, f"{kind} {n}\n"), (USED, "".join(f"{row[0]} {row[1]} {row[4]}\n" for row in used)):
        with open(path, "a") as f:
            fcntl.flock(f, fcntl.LOCK_EX)
            f.write(text)


def main():
    """After all tests: were there enough points, and did each row of the reviewed list change a verdict?"""
    total = collections.Counter()
    for l in husk.read(COUNT).splitlines():
        total[l.split()[0]] += int(l.split()[1])
    wrong = [f"fault: {total[k]} points of {k}, and {n} are the fewest" for k, n in FLOOR.items() if total[k] < n]
    have = set(husk.read(USED).splitlines())
    wrong += [f"fallbacks.txt: changed no verdict: {row[0]} {row[1]} {row[4]}" for row in fallbacks()
              if f"{row[0]} {row[1]} {row[4]}" not in have and not row[4].startswith("now and then")]
    print("\n".join(wrong), end="\n" if wrong else "")
    return bool(wrong) and os.uname().machine == "x86_64"		# as the injector


if __name__ == "__main__":
    sys.exit(main())
