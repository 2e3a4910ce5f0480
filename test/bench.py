#!/usr/bin/python3
"""make bench: what a start costs, beside bubblewrap, crun and runc.

    bench.py [-c] [-t] [-n N]

Time is measured in a QEMU guest whose clock counts instructions, so that a
busy machine changes nothing; memory in the same guest on squashfs and on
ext4; system calls by strace here and in the guest. -c: no peers, and the
bars of what was promised are checked; a line for each that is broken, exit 1.
-t: where the time of one start of husk goes, call by call. -n: starts timed.

The row floor is test/floor.c: the same namespaces, mounts, masks, limits, rights
and filters, PID 1 and clean-up in constants, which -c compares from inside. It
reads no configuration, keeps no state by which others clean up, and looks at
nothing that it has done. So no start with these promises takes less in this
guest, and the goal of 2900 us is not to be had: in instructions counted one by
one, clone3 takes 1,070 us, of which the network namespace is 880; mount(2) 900, of
which what fills /proc and /sys with masks is 450; both filters 360; lo 140; to
make and remove the cgroup 210; the ends of all processes 290. Of these, 670 us
are the walk of the percpu allocator through a unit of 2 MB, as only an x86 of
one processor has it: with percpu_alloc=page floor and husk take 620 us less, bare
140. What husk takes more, 1,310 us, is 330 of its own instructions (half of
them to read the defaults and build the filter), 310 of reading mountinfo, limits
and rights back, 150 to open that and its state, and the rest page faults, the
state file, the words between the three processes, and the end of more pages.
"""
import argparse
import collections
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
import qemu  # noqa: E402

TOP = pathlib.Path(__file__).resolve().parent.parent
OUT = TOP / "out/bench"
QEMU = ("qemu-system-x86_64 -M q35 -m 768 -icount shift=0,sleep=off -smp 1 -cpu qemu64,+rdrand "
        "-rtc base=2026-01-01,clock=vm -seed 1")
TURNS = 5
ROWS = [l.split() for l in (TOP / "test/bars.txt").read_text().splitlines() if not l.startswith("#")]
GOALS, BARS = {r[0]: int(r[1]) for r in ROWS}, {r[0]: int(r[2]) for r in ROWS}

BOX = "/srv/box"
BWRAP = ["bwrap", "--unshare-all", "--ro-bind", BOX, "/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--"]
HUSK = ["husk", "run", "name=bench", f"root={BOX}", "memory.max=32M", "pids.max=20", "--"]
# what is started, without the program: OCI runtimes have it in their bundle
STARTS = {
    "bare": ["bare", BOX],
    "husk": HUSK,
    "floor": ["floor", BOX],
    "husk+seccomp": ["husk", "run", "/etc/husk/profile.conf"] + HUSK[2:],
    "husk-seccomp": HUSK[:-1] + ["syscalls=@all", "--"],
    "bubblewrap": BWRAP,
    "crun": ["crun", "run", "-b", "/srv/oci", "bench"],
    "crun+seccomp": ["crun", "run", "-b", "/srv/oci-seccomp", "bench"],
    "runc": ["runc", "run", "-b", "/srv/oci", "bench"],
    "runc+seccomp": ["runc", "run", "-b", "/srv/oci-seccomp", "bench"],
}
STARTS["tini-static"] = ["tini-static", "--"]
PACKAGES = {"bwrap": "bubblewrap", "crun": "crun", "runc": "runc", "tini-static": "tini", "strace": "strace"}
PROFILE = TOP / "out/profiles/containers.json"
BOUND = "audit_write,kill,net_bind_service"		# what a bundle of runc spec has
COSTS = {n: words for n, words in STARTS.items() if "runc" not in n and n not in ("floor", "bubblewrap", "tini-static")}
COSTS["husk-args"] = HUSK[:-1] + ["syscalls=@all -reboot", "--"]


def which(name):
    """A program of this machine, or of what bench.sh has unpacked."""
    return shutil.which(name, path=f"{OUT}/deb/usr/bin:{os.environ['PATH']}:/usr/sbin:/sbin")


def sh(*args, **more):
    return subprocess.run([str(a) for a in args], check=True, stdout=subprocess.PIPE, text=True, **more).stdout


# ---------------------------------------------------------------- the guest's tree

def program(tree, path, dst):
    """A program of this machine with the libraries that it needs."""
    target = tree / dst
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(os.path.realpath(path), target)
    ldd = subprocess.run(["ldd", path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    for lib in re.findall(r"(/\S+) \(0x", ldd.stdout):
        at = tree / lib.lstrip("/")
        at.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(os.path.realpath(lib), at)


def seccomp(caps):
    """The profile of Debian's containers-common, in the words of OCI, for x86_64 and these capabilities."""
    p = json.loads(PROFILE.read_text())
    def wanted(rule):
        inc, exc = rule.get("includes") or {}, rule.get("excludes") or {}
        return ("amd64" in inc.get("arches", ["amd64"]) and set(inc.get("caps", [])) <= caps
                and "amd64" not in exc.get("arches", []) and not set(exc.get("caps", [])) & caps)
    keep = ("names", "action", "errnoRet", "args")
    return {"defaultAction": p["defaultAction"], "defaultErrnoRet": p.get("defaultErrnoRet", 1),
            "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
            "syscalls": [{k: r[k] for k in keep if r.get(k)} for r in p["syscalls"] if wanted(r)]}


def bundle(tree, name, args, profile):
    d = tree / "srv" / name
    d.mkdir(parents=True)
    sh("runc", "spec", cwd=d)
    c = json.loads((d / "config.json").read_text())
    c["process"].update(terminal=False, args=args)
    c["root"] = {"path": BOX, "readonly": True}
    c["linux"]["resources"].update(memory={"limit": 32 << 20}, pids={"limit": 20})
    if profile:
        c["linux"]["seccomp"] = seccomp(set(c["process"]["capabilities"]["bounding"]))
    (d / "config.json").write_text(json.dumps(c))


def compile_own():
    small = ["-nostdlib", "-static", "-s", "-Wl,--build-id=none,-N,--no-warn-rwx-segments"]
    sh("gcc", *small, "-o", OUT / "true", TOP / "test/true.c")
    for f in ("bench", "bare", "cost"):
        sh("musl-gcc", "-static", "-O2", "-Wall", "-Wextra", "-s", "-o", OUT / f, TOP / "test" / (f + ".c"))


def compile_floor(husk, tree):
    """What husk does, in constants. Its filters are those that husk loads; where it loads none here there is no such row."""
    log = OUT / "strace.filters"
    said = subprocess.run(["strace", "-f", "-v", "-e", "trace=seccomp", "-o", log] + run_here(husk, tree), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    found = re.findall(r"filter=\[(.*)\]\}", log.read_text()) if said.returncode == 0 else []
    if len(found) != 2:
        return
    (OUT / "filters.h").write_text("".join(f"static struct sock_filter {n}[] = {{ {f} }};\n" for n, f in zip(("pid1", "prog"), found)))
    compile_floor_as(tree / "bin/floor")


def compile_floor_as(path, *flags):
    sh("musl-gcc", "-static", "-O2", "-Wall", "-Wextra", "-s", *flags, "-isystem", TOP / "out/include", "-I", OUT, "-o", path, TOP / "test/floor.c")


def make_tree(husk, peers):
    tree = OUT / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    for d in "proc sys dev run tmp bin sbin usr/bin etc srv root".split():
        (tree / d).mkdir(parents=True)
    for d in "proc sys dev run tmp bin etc root".split():
        (tree / "srv/box" / d).mkdir(parents=True)
    compile_own()
    for f in ("true", "cost"):
        shutil.copy2(OUT / f, tree / "srv/box/bin" / f)
    for t in (tree, tree / "srv/box"):
        (t / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
        (t / "etc/group").write_text("root:x:0:\n")
    program(tree, which("busybox"), "bin/busybox")
    for applet in ("cat", "ls"):
        program(tree, which("busybox"), f"srv/box/bin/{applet}")
    for applet in sh("busybox", "--list").split():
        if applet != "busybox" and not (tree / "bin" / applet).exists():
            (tree / "bin" / applet).symlink_to("busybox")
    for f in ("bench", "bare", "true"):
        (tree / "bin" / f).unlink(missing_ok=True)
        shutil.copy2(OUT / f, tree / "bin" / f)
    if husk.exists():
        shutil.copy2(husk, tree / "sbin/husk")
        if "strace" in peers:
            compile_floor(husk, tree)
    if PROFILE.exists():
        (tree / "etc/husk").mkdir()
        (tree / "etc/husk/profile.conf").write_text(sh("python3", "-B", TOP / "filter/import-oci", "--arch=x86_64", f"--caps={BOUND}", PROFILE))
    for p in peers:
        program(tree, which(p), f"usr/bin/{p}")
    if {"crun", "runc"} & set(peers):
        profile = PROFILE.exists()
        for name, with_profile in [("oci", False), ("oci-seccomp", True)][:1 + profile]:
            bundle(tree, name, ["/bin/true"], with_profile)
            bundle(tree, name + "-cost", ["/bin/cost", "100"], with_profile)
        bundle(tree, "oci-wait", ["/bin/true", "wait"], False)
    shutil.copy2(TOP / "test/benchrc.sh", tree / "sbin/rc")
    (tree / "sbin/rc").chmod(0o755)
    return tree


def image(tree, fs):
    """The tree as a file system image."""
    at = OUT / ("root." + fs)
    at.unlink(missing_ok=True)
    if fs == "squashfs":
        sh("mksquashfs", tree, at, "-noappend", "-quiet", "-no-progress", "-all-root", "-all-time", "0", "-mkfs-time", "0")
    else:
        kb = int(sh("du", "-sk", tree).split()[0])
        sh("mkfs.ext4", "-q", "-O", "^has_journal", "-U", "01234567-0123-0123-0123-0123456789ab", "-E",
           "hash_seed=01234567-0123-0123-0123-0123456789ab,root_owner=0:0", "-d", tree, at, f"{kb * 5 // 4 + 4096}k")
    return at


INIT = """#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mount -t proc proc /proc
/bin/busybox insmod /loop.ko
/bin/busybox insmod /squashfs.ko
/bin/busybox losetup /dev/loop0 /image
/bin/busybox mount -t $fs /dev/loop0 /new || exec /bin/busybox sh
/bin/busybox umount /proc
/bin/busybox umount /dev
exec /bin/busybox switch_root /new /sbin/rc
"""


def boot(tree, fs):
    """Boots the tree on that file system; the guest's lines that begin with @."""
    b = qemu.board("qemu-x86_64") | {"QEMU": QEMU, "MEASURED": ""}
    files = {"dev": qemu.directory(), "proc": qemu.directory(), "new": qemu.directory(), "init": qemu.program(INIT.encode()),
             "bin/busybox": qemu.program(qemu.busybox(b)), "image": qemu.file(image(tree, fs).read_bytes())}
    files |= {m + ".ko": qemu.file(qemu.module(b, m)) for m in ("loop", "squashfs")}
    said = qemu.boot(b, files, f"nokaslr norandmaps fs={fs}", "/init", 600)
    (OUT / ("log." + fs)).write_text(said.text)
    lines = [l[1:] for l in said.text.split("\n") if l.startswith("@")]
    if "end" not in lines:
        sys.exit(f"bench: the guest on {fs} did not come to its end:\n{said}")
    return lines


# ------------------------------------------------------------- what it is to do

def quoted(words):
    return " ".join("'" + w + "'" for w in words)


def full(name, *program):
    """The words of a start; an OCI runtime has the program in its bundle."""
    if name.startswith(("crun", "runc")):
        return STARTS[name]
    return STARTS[name] + list(program)


def costs(name):
    """The same with a program that measures calls."""
    if name.startswith("crun"):
        return [w + "-cost" if w.startswith("/srv/") else w for w in COSTS[name]]
    return COSTS[name] + ["/bin/cost", "100"]


def idle(name):
    """The same with a program that waits."""
    if name == "crun":
        return ["crun", "run", "-b", "/srv/oci-wait", "wait"]
    return full(name, "/bin/true", "wait")


def tasks(tree, names, count, with_trace):
    """What the guests do. The times are taken in turns: the kernel's allocators remember what was before, and
    a block of starts can be some percent faster than the next."""
    start = {n: quoted(full(n, "/bin/true")) for n in names}
    first = [f"works {n} {start[n]}" for n in names if n != "tini-static"]
    first += [f"timed {n} {max(1, count // TURNS)} {start[n]}" for n in names if n != "tini-static"] * TURNS
    first += [f"cost {n} {quoted(costs(n))}" for n in COSTS if n in names or (n not in STARTS and "husk" in names)]
    first += [f"load {n} {start[n]}" for n in names if n == "husk" or n.endswith("+seccomp")]
    if "husk" in names:
        first.append("works 512K " + start["husk"].replace("=32M", "=512K"))
    first += [f"calls {n} {start[n]}" for n in names if n not in ("bare", "tini-static")]
    first += [f"shows {n} {quoted(full(n, '/bin/cat'))} /proc/self/mountinfo /proc/self/status" for n in names if n in ("floor", "husk")]
    first += [f"spaces {n} {quoted(words)} -l /proc/self/ns" for n, words in [("host", ["ls"])] + [(n, full(n, "/bin/ls")) for n in names if n in ("floor", "husk")]]
    if with_trace and "husk" in names:
        first.append(f"trace husk {start['husk']}")
    memory = [f"pss {n} {quoted(idle(n))}" for n in names if n in ("husk", "tini-static", "bubblewrap", "crun")]
    (tree / "etc/tasks.squashfs").write_text("\n".join(first + memory) + "\n")
    (tree / "etc/tasks.ext4").write_text("\n".join(memory) + "\n")


# ----------------------------------------------------------------- what came back

def strace(lines):
    """[(process, call, its text)] of a strace -f -o file, as calls ended; processes are numbered as they appear."""
    out, began, order = [], {}, {}
    for l in lines:
        m = re.match(r"(\d+) +(<\.\.\. )?(\w+)( resumed>|\()(.*)", l)
        if not m:
            continue
        who, text = order.setdefault(m[1], len(order)), m[5]
        if text.endswith("<unfinished ...>"):
            began[who] = text[:-len("<unfinished ...>")]
        else:
            out.append((who, m[3], began.pop(who, "") + text if m[2] else text))
    return out


def calls(lines):
    """A Counter of system calls for each process, as strace -c counts: those that return. What the program
    does after its own execve is not counted."""
    count, own = [], set()
    for who, call, text in strace(lines):
        while len(count) <= who:
            count.append(collections.Counter())
        result = text.rpartition(" = ")[2]
        if who not in own and not result.startswith("?"):
            count[who][call] += 1
        if call.startswith("execve") and '/bin/true"' in text.split("[")[0] and result == "0":
            own.add(who)
    return count


def spent(lines):
    """[[process, call or "user", us]] of an ftrace of system calls and switches, from the first execve on. There
    is one processor: the time between two events belongs to whoever runs, to the call that he is in."""
    text = pathlib.Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h").read_text()
    nr = {n: name for name, n in re.findall(r"__NR_(\w+) (\d+)", text)}
    out, doing, order, now, last = [], {}, {}, None, 0
    for l in lines:
        m = re.match(r"\s*(.+)-(\d+)\s+\[\d+\] \S+\s+([\d.]+): (\w+): (.*)", l)
        if not m:
            continue
        pid, at, event, rest = m[2], float(m[3]), m[4], m[5]
        if now in order:
            if doing.get(now) is None:
                doing[now] = [order[now], "user", 0]
                out.append(doing[now])
            doing[now][2] += (at - last) * 1e6
        last, now = at, pid
        call = nr.get(rest.split()[1], rest) if event.startswith("sys_") else None
        if event == "sys_enter" and (order or call == "execve"):
            doing[pid] = [order.setdefault(pid, len(order)), call, 0]
            out.append(doing[pid])
        elif event == "sys_exit":
            if call == "execve" and rest.split()[-1] != "0":
                order.clear()		# the shell looks for it along PATH
                out.clear()
            doing[pid] = None
        elif event == "sched_switch":
            now = re.search(r"next_pid=(\d+)", rest)[1]
    return out


def by_kind(lines):
    kinds = collections.defaultdict(list)
    for l in lines:
        kind, _, rest = l.partition(" ")
        kinds[kind].append(rest.split(" ", 1))
    return kinds


def promised(line):
    """What is to be the same inside of floor.c: the mounts but for their numbers, and the rights."""
    if re.match(r"(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp)", line):
        return line
    return " ".join(line.split()[3:]) if line[0].isdigit() else ""


NEW = set("cgroup ipc mnt net pid pid_for_children uts".split())		# namespaces of a full default start; time and user are the host's


def unlike(spaces, name):
    """Those that differ from the guest's own, by their inodes; of others nothing is known."""
    own = spaces["host"]
    return {ns for ns in own if spaces[name].get(ns, own[ns]) != own[ns]} if spaces[name].keys() == own.keys() else set()


class Guest:
    """What the two boots said."""
    def __init__(self, tree):
        self.us, self.pss, self.works, self.calls, self.cost, self.load = {}, {}, {}, {}, {}, {}
        self.strace, self.trace, self.shows = collections.defaultdict(list), [], collections.defaultdict(set)
        self.spaces = collections.defaultdict(dict)
        for fs in ("squashfs", "ext4"):
            k = by_kind(boot(tree, fs))
            for name, text in k["works"]:
                self.works[name] = text
            turns = collections.defaultdict(list)
            for name, text in k["time"]:
                turns[name].append(int(text.split()[0]) / 1000 if text[0].isdigit() else 1e9)
            self.us |= {name: sorted(t)[len(t) // 2] for name, t in turns.items() if max(t) < 1e9}
            for name, text in k["pss"]:
                comm, kb = text.rsplit(" ", 1)
                if comm != "true":
                    self.pss.setdefault((name, fs), []).append(int(kb))
            for name, text in k["cost"]:
                call, ns = text.split()
                self.cost[name, call] = int(ns)
            for name, text in k["load"]:
                self.load.setdefault(name, []).append(text)
            for name, text in k["strace"]:
                self.strace[name].append(text)
            self.trace += [l for _, l in k["trace"]]
            for name, text in k["shows"]:
                self.shows[name].add(promised(text))
            for name, text in k["spaces"]:
                self.spaces[name] |= dict(re.findall(r" (\w+) -> \w+:\[(\d+)\]", text))
        for name, lines in self.strace.items():
            self.calls[name] = calls(lines)


def total(counters):
    return sum(sum(c.values()) for c in counters)


def run_here(husk, tree):
    return [husk] + [w.replace(BOX, str(tree) + BOX).replace("=bench", f"=bench-{os.getpid()}") for w in full("husk", "/bin/true")][1:]


def here(husk, tree):
    """The same start on this machine's kernel, under strace."""
    log = OUT / "strace.here"
    r = subprocess.run(["strace", "-f", "-qq", "-s", "0", "-o", log] + run_here(husk, tree), stdin=subprocess.DEVNULL,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return calls(log.read_text().splitlines()) if r.returncode == 0 else r.stdout


def sizes():
    return {b: (TOP / f"out/qemu-{b}/husk").stat().st_size for b in ("x86_64", "i386", "armv7", "arm64")
            if (TOP / f"out/qemu-{b}/husk").exists()}


# --------------------------------------------------------------------- the answer

def cell(value, form="{}"):
    return "-" if value is None else form.format(value)


def table(names, g):
    base = g.us.get("bubblewrap")
    print(f"{'':14}{'us':>9}{'bwrap=1':>9}{'calls':>7}{'kB PSS squashfs':>17}{'ext4':>7}")
    for n in names:
        us, at = g.us.get(n), [g.pss.get((n, fs)) for fs in ("squashfs", "ext4")]
        print(f"{n:14}{cell(us, '{:.0f}'):>9}{cell(us / base if us and base else None, '{:.2f}'):>9}"
              f"{cell(total(g.calls[n]) if n in g.calls else None):>7}"
              f"{cell(at[0] and sum(at[0])):>17}{cell(at[1] and sum(at[1])):>7}"
              + ("" if g.works.get(n, "0").startswith("0") else f"  failed: {g.works[n]}"))


def filters(g):
    """What a filter costs: a call that it allows by number, one whose argument it asks for; to load it, and all of it."""
    print(f"\n{'':14}{'getppid':>9}{'personality':>13}{'us to load':>12}{'in all':>8}")
    for n in COSTS:
        at = [g.cost.get((n, c)) for c in ("getppid", "personality")]
        if at[0]:
            print(f"{n:14}{at[0]:>9}{cell(at[1]):>13}{cell(loading(g, n), '{:.0f}'):>12}{cell(making(g, n), '{:.0f}'):>8}")


def loading(g, name):
    """us in seccomp(2) that took a filter: the longest call."""
    began, took = {}, []
    for l in g.load.get(name, []):
        m = re.match(r"\s*.+-(\d+)\s+\[\d+\] \S+\s+([\d.]+): sys_(\w+):", l)
        if m and m[3] == "enter":
            began[m[1]] = float(m[2])
        elif m and m[1] in began:
            took.append((float(m[2]) - began[m[1]]) * 1e6)
    return max(took, default=None)


def making(g, name):
    """us that a start with a profile takes longer than one without a filter."""
    without = {"husk+seccomp": "husk-seccomp", "husk": "husk-seccomp"}.get(name, name.split("+")[0])
    return g.us[name] - g.us[without] if name != without and name in g.us and without in g.us else None


SIDES = "keeper INIT PROG".split()


def side(who):
    return SIDES[who] if who < len(SIDES) else "other"


def sides(counters):
    return f"{total(counters)} = " + " + ".join(f"{side(i)} {total([c])}" for i, c in enumerate(counters))


def costly(g):
    """Where the time of one traced start goes: by call here, one by one with their arguments in out/bench/trace."""
    rows, sums = [r for r in spent(g.trace) if r[0] < len(SIDES)], collections.Counter()
    text = collections.defaultdict(list)
    for who, call, args in strace(g.strace["husk"]):
        text[who].append((call, args))
    with open(OUT / "trace", "w", encoding="ascii", errors="replace") as f:
        for who, what, us in rows:
            sums[who, what] += us
            near, args = [c for c, _ in text[who][:4]], ""
            if what in near:
                args = text[who][near.index(what)][1][:150]
                del text[who][:near.index(what) + 1]
            if what != "user" or us >= 3:
                f.write(f"{us:6.0f}  {'        ' * who}{side(who)} {what}{'(' if args else ''}{args}\n")
    print(f"\none start, traced (out/bench/trace has it call by call): {sum(sums.values()):.0f} us")
    for (who, what), us in sums.most_common(30):
        print(f"{side(who):>8} {us:7.0f}  {what}")


def broken(g, local, size):
    """A line for each bar that is not kept."""
    us, lines = g.us.get("husk"), []
    def bar(what, value, name):
        if value is None or value > BARS[name]:
            lines.append(f"{what}: {value}, and {BARS[name]} is the most")
        elif value > GOALS[name]:
            print(f"bench: goal: {what}: {value}, the goal is {GOALS[name]}")
    bar("us of a start", us, "us")
    bar("system calls in the guest", total(g.calls["husk"]) if "husk" in g.calls else None, "calls")
    bar("system calls here", None if isinstance(local, str) else total(local), "calls")
    bar("ns of a call whose argument a profile asks for", g.cost.get(("husk+seccomp", "personality")), "call")
    bar("us to load a profile", loading(g, "husk+seccomp"), "load")
    bar("us that a profile takes of a start", making(g, "husk+seccomp"), "profile")
    if g.cost.get(("husk+seccomp", "getppid")) != g.cost.get(("husk-args", "getppid")):
        lines.append(f"a call that is allowed by its number is not free of tests of others: {g.cost}")
    for fs in ("squashfs", "ext4"):
        bar(f"kB PSS on {fs}", sum(g.pss.get(("husk", fs), [BARS["pss"] + 1])), "pss")
    if "armv7" in size:
        bar("bytes of out/qemu-armv7/husk", size["armv7"], "size")
    if "floor" not in g.us:
        lines.append("floor.c was not built, or does not run: is strace there, and two filters in what it says?")
    elif g.shows["floor"] != g.shows["husk"] or not g.shows["husk"]:
        lines.append(f"floor.c does not do what husk does: {g.shows['floor'] ^ g.shows['husk']}")
    for name in ("floor", "husk"):
        if unlike(g.spaces, name) != NEW:
            lines.append(f"namespaces of {name}: {sorted(unlike(g.spaces, name))} are new, and not {sorted(NEW)}: {dict(g.spaces)}")
    if not g.works.get("512K", "").startswith("0"):
        lines.append(f"memory.max=512K: {g.works.get('512K')}")
    return lines


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("-c", action="store_true", help="no peers; check the bars")
    p.add_argument("-t", action="store_true", help="where the time of one start goes")
    p.add_argument("-n", type=int, help="starts timed: 100, with -c or -t 25")
    a = p.parse_args()
    quick = a.c or a.t
    husk = pathlib.Path(os.environ.get("HUSK", TOP / "out/husk"))
    if os.uname().machine != "x86_64":
        sys.exit("bench: the guest is an x86_64 one, with this machine's programs inside: an x86_64 Debian is needed")
    OUT.mkdir(parents=True, exist_ok=True)
    peers = [x for x in PACKAGES if which(x) and (x == "strace" or not quick)]
    for x in set(PACKAGES) - set(peers) if not quick else ():
        print(f"bench: without {x}: apt-get install {PACKAGES[x]}")
    tree = make_tree(husk, peers)
    own = {w for w in ("bare", "floor", "husk") if (tree / "bin" / w).exists() or (tree / "sbin" / w).exists()}
    names = [n for n in STARTS if STARTS[n][0] in own | set(peers) and ("+" not in n or PROFILE.exists())]
    tasks(tree, names, a.n or (25 if quick else 100), a.t)
    g, size = Guest(tree), sizes()
    local = here(tree / "sbin/husk", tree) if husk.exists() else "no husk"
    table(names, g)
    filters(g)
    if "husk" in g.calls:
        print("\nhusk's system calls in the guest:", sides(g.calls["husk"]))
    print("husk's system calls here:", local if isinstance(local, str) else sides(local))
    print("memory.max=512K:", g.works.get("512K"))
    print("bytes:", ", ".join(f"{b} {n}" for b, n in size.items()))
    if a.t:
        costly(g)
    if a.c:
        lines = broken(g, local, size)
        for l in lines:
            print("bench: over:", l)
        sys.exit(bool(lines))


if __name__ == "__main__":
    main()
