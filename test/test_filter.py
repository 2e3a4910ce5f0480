"""husk filter: the program in words, and the answer to a call with the line that gives it."""
import errno
import functools
import random
import re
import shutil
import socket

import pytest

import husk
import qemu
import test_boot

ALLOW, LOG, KILL, TRAP = 0x7fff0000, 0x7ffc0000, 0x80000000, 0x00030000
OFFSETS = {"nr": 0, "arch": 4} | {f"arg{i}": 16 + 8 * i for i in range(6)} | {f"arg{i}>>32": 20 + 8 * i for i in range(6)}
# AUDIT_ARCH_*, bits, a compiler that has the headers
ARCHES = {"x86_64": (0xc000003e, 64, "gcc"), "i386": (0x40000003, 32, "i686-linux-gnu-gcc"),
          "armv7": (0x40000028, 32, "arm-linux-gnueabihf-gcc"), "arm64": (0xc00000b7, 64, "aarch64-linux-gnu-gcc")}
HERE = "x86_64"


@functools.cache
def headers(arch):
    """Names to numbers, from the distribution's headers."""
    r = husk.command(ARCHES[arch][2], "-E", "-dM", "-include", "asm/unistd.h", "-x", "c", "/dev/null")
    said = dict(re.findall(r"^#define (\w+) (.+)$", r.out, re.M))

    def value(text):
        text = re.sub(r"\b[A-Za-z_]\w*", lambda m: str(value(said[m[0]])), text)
        assert re.fullmatch(r"[0-9a-fA-Fx+ ()]+", text), text
        return eval(text)
    found = {m[2]: value(said[m[0]]) for m in (re.fullmatch(r"__(NR|ARM_NR)_([a-z_]\w*)", k) for k in said) if m}
    assert len(found) > 280
    return {k: v for k, v in found.items() if k not in ("syscalls", "arch_specific_syscall")}


def action(name):
    return {"ALLOW": ALLOW, "LOG": LOG, "KILL": KILL, "TRAP": TRAP, "EHWPOISON": 0x50085}.get(name) or 0x50000 | getattr(errno, name)


# --------------------------------------------------------- lines back to a program

def parse(text):
    """One tuple for each instruction: (what, ...), and its line."""
    program = []
    for line in text.splitlines():
        if line.startswith("#"):
            assert not program, line
            continue
        m = re.fullmatch(r"(\d+): (?:load (\S+)|and (0x[0-9a-f]+)|goto (\d+)|return (\w+)|"
                         r"if (\S+) (==|>=|>) (\w+)((?: \w+)?) goto (\d+) else (\d+))", line)
        assert m and int(m[1]) == len(program), line
        if m[2]:
            program.append(("load", OFFSETS[m[2]], line))
        elif m[3]:
            program.append(("and", int(m[3], 16), line))
        elif m[4]:
            program.append(("goto", int(m[4]), line))
        elif m[5]:
            program.append(("return", action(m[5]), line))
        else:
            program.append((m[7], int(m[8], 0), int(m[10]), int(m[11]), m[6], m[9].strip(), line))
    for i, (what, *rest) in enumerate(program):
        for to in rest[:1] if what == "goto" else rest[1:3] if what in ("==", ">=", ">") else []:
            assert i < to < len(program), rest[-1]
    return program


def evaluate(program, arch, nr, args):
    """The answer, and what was in the accumulator of each comparison must be what its line says."""
    data = {0: nr & 0xffffffff, 4: ARCHES[arch][0]}
    for i in range(6):
        v = (args[i] if i < len(args) else 0) % 2**ARCHES[arch][1]
        data[16 + 8 * i], data[20 + 8 * i] = v & 0xffffffff, v >> 32
    at, a, held = 0, 0, ""
    while True:
        what, *rest = program[at]
        at += 1
        if what == "return":
            return rest[0]
        if what == "load":
            a, held = data[rest[0]], next(k for k, v in OFFSETS.items() if v == rest[0])
        elif what == "and":
            a, held = a & rest[0], f"{held}&{rest[0]:#x}"
        elif what == "goto":
            at = rest[0]
        else:
            assert rest[3] == held, rest[-1]
            yes = a == rest[0] if what == "==" else a >= rest[0] if what == ">=" else a > rest[0]
            at = rest[1] if yes else rest[2]


def show(*words):
    r = husk.husk("filter", *words)
    assert r.status == 0 and not r.err, r
    return r.out


def ask(*words):
    """(answer, why)"""
    r = husk.husk("filter", *words)
    m = re.fullmatch(r"\S+\(.*\): (\w+) - (.*)\n", r.out)
    assert m and not r.err and r.status == (m[1] not in ("ALLOW", "LOG")), r
    return m[1], m[2]


POLICIES = [l for l in husk.read(husk.TOP / "test/policies").splitlines() if l and l[0] != "#"]
CAPS = {int(k): v.lower() for v, k in re.findall(r"#define CAP_(\w+)\s+(\d+)$", husk.read("/usr/include/linux/capability.h"), re.M)}
FAMILIES = {getattr(socket, a): a[3:].lower() for a in re.findall(r"AF_\w+", husk.read(husk.TOP / "filter/all.constants")) if hasattr(socket, a)}


def keys(policy):
    """The words of filter_test as keys of a file."""
    words = re.findall(r"(?:[^ (]|\([^)]*\))+", policy)
    found = [f"syscalls={' '.join(w for w in words if not re.match('(caps|default|sockets):', w))}"]
    for what, value in (w.split(":", 1) for w in words if re.match("(caps|default|sockets):", w)):
        if what == "default":
            found.append(f"syscalls.default={value}")
            continue
        bits = int(value, 16)
        if what == "caps":
            found.append("caps=" + ",".join(n for b, n in CAPS.items() if bits >> b & 1))
        else:
            found.append("sockets=" + ",".join(["all"] + [f"-{n}" for b, n in FAMILIES.items() if not bits >> b & 1] if bits >> 63 else
                                               ["none"] + [n for b, n in FAMILIES.items() if bits >> b & 1]))
    return found


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("arch", ARCHES)
def test_the_lines_are_the_program(arch, policy):
    """An interpreter of the printed lines, and the answers of husk, which runs the program itself."""
    words, bits, numbers = ["-a", arch, *keys(policy)], ARCHES[arch][1], headers(arch)
    if bits == 32 and "that fits" in (r := husk.husk("filter", *words)).err:
        assert r.status == 2 and re.search(r"0x\w{9}", policy), r
        return
    text = show(*words)
    if "no filter" in text:
        return
    program = parse(text)
    assert text.splitlines()[0].endswith(f": {arch}: {len(program)} instructions, {8 * len(program)} bytes")
    looked = [l for l in text.splitlines() if l.startswith("# by arguments:")][0].split()[3:]
    values = {0, 1, 2, 2**31, 2**32, 2**63, 2**64 - 1}
    for what, *rest in program:
        if what in ("==", ">=", ">") and rest[3] == "nr":
            assert numbers.get(rest[4], rest[0]) == rest[0] and (rest[4] or rest[0] not in numbers.values()), rest[-1]
        elif what in ("==", ">=", ">") and rest[3] == "arch":
            assert rest[0] == ARCHES[arch][0] and rest[4] == arch
        elif what in ("==", ">=", ">"):
            high = 32 * (">>" in rest[3])
            values |= {(rest[0] + d << high) % 2**64 for d in (-1, 0, 1)} | {rest[0] << high | 2**32, rest[0] << high | 1}
    dice = random.Random(policy)
    values = sorted(v for v in values if v < 2**bits)
    several = 1 if arch == HERE else 3
    calls = [(n, []) for n in (dice.choice([-1, 0x40000001, 999]), *dice.sample(sorted(numbers.values()), 6 // several))]
    calls += [(numbers[dice.choice(looked)], [dice.choice(values) for _ in range(4)]) for _ in range(12 // several) if looked]
    for nr, args in calls:
        answer, why = ask(*words, nr, *args)
        assert action(answer) == evaluate(program, arch, nr, args), (nr, args, why)


@pytest.mark.parametrize("policy", ["@service", "@basic @io", "-munmap(arg1>7) +socket(arg0==AF_CAN) clone:KILL", "@all -mount -mprotect(arg2==~0)", "@service @mount:ENOSYS -@wx"])
@pytest.mark.parametrize("arch, other", [("x86_64", "i386"), ("arm64", "armv7")])
def test_both(arch, other, policy):
    """One program, in which each ABI has what it has alone."""
    words = ["abi=both", f"syscalls={policy}"]
    program = parse(show("-a", arch, *words))
    alone = {a: parse(show("-a", a, words[1])) for a in (arch, other)}
    part = [i for i, p in enumerate(program) if p[:2] == ("load", 0)]
    assert len(part) == 2
    for at, (what, *rest) in enumerate(program):
        if what in ("==", ">=") and rest[3] == "nr" and rest[4]:
            assert headers(other if at > part[1] else arch).get(rest[4], rest[0]) == rest[0], rest
    for a in (arch, other):
        for n in [*sorted(headers(a).values()), 999, -1]:
            for args in ([], [3, 8, 1 << 31, 7], [2**ARCHES[a][1] - 1] * 5):
                assert evaluate(program, a, n, args) == evaluate(alone[a], a, n, args), (a, n, args)
    assert ask("-a", arch, *words, "mount")[0] == ask("-a", other, *words, "mount")[0] != "ALLOW"


@pytest.mark.parametrize("board, emulator", [("i386", []), ("armv7", ["qemu-arm-static"]), ("arm64", ["qemu-aarch64-static"])])
def test_every_husk_says_the_same(board, emulator):
    """A 32-bit husk of a 64-bit machine, and the other way round."""
    other = [*emulator, husk.OUT / f"qemu-{board}/husk"]
    if not other[-1].exists() or (emulator and not shutil.which(emulator[0])):
        pytest.skip(f"no {other}")
    policy = ["syscalls=-munmap(arg1>7) +socket(arg0==AF_CAN) -clone(arg0&CLONE_THREAD==0) -mprotect(arg2==~0)"]
    for arch in ARCHES:
        assert husk.command(*other, "filter", "-a", arch, *policy).out == show("-a", arch, *policy)
        for call in ("munmap 0 0x80000000", "munmap 0 7", "socket AF_ALG", "mprotect 0 0 -1", "clone CLONE_THREAD|CLONE_VM"):
            assert husk.command(*other, "filter", "-a", arch, *policy, *call.split()).out == husk.husk("filter", "-a", arch, *policy, *call.split()).out


def test_what_the_kernel_keeps():
    """Calls of the header's last line are those that are allowed and do not look at an argument."""
    text = show("-a", HERE, "syscalls=@service")
    program = parse(text)
    kept = re.search(r"^# (\d+) of (\d+) calls", text, re.M)
    looked = re.search(r"^# by arguments: (.*)$", text, re.M)[1].split()
    assert set(looked) == {"ioctl", "socket", "socketpair", "clone", "mknod", "personality", "mknodat"}
    allowed = [n for k, n in headers(HERE).items() if k not in looked and evaluate(program, HERE, n, []) == ALLOW]
    assert abs(int(kept[1]) - len(allowed)) < 8, kept[0]         # the two may know calls of different years


def test_no_filter():
    assert re.fullmatch(r"# \S+: \w+: no filter, all is allowed\n", show("syscalls=@all"))
    assert ask("syscalls=@all", "ptrace") == ("ALLOW", "command line: syscalls: @all")


# ------------------------------------------------------------------- who said it

@pytest.fixture
def conf(tmp_path):
    (tmp_path / "net.inc").write_text("# sockets\n\nsyscalls=+socket(arg0==AF_CAN) +bpf\n")
    (tmp_path / "web.conf").write_text("exec=/bin/true\ninclude=net.inc\n\ncaps=sys_time,sys_chroot\n"
                                       "syscalls=-@ipc clock_settime\nsyscalls=-munmap(arg1>0x100000000) -umount2 clock_gettime:EACCES\n")
    return tmp_path / "web.conf"


@pytest.mark.parametrize("call, answer, why", [
    ("read", "ALLOW", "default: syscalls: @service"),
    ("socket AF_CAN", "ALLOW", "DIR/net.inc:3: syscalls: +socket(arg0==AF_CAN)"),
    ("socket AF_UNIX SOCK_STREAM|SOCK_CLOEXEC", "ALLOW", "default: syscalls: @service"),
    ("socket AF_ALG", "EPERM", "default: syscalls: @service; to allow it: syscalls=+socket(arg0==0x26)"),
    ("bpf", "ALLOW", "DIR/net.inc:3: syscalls: +bpf"),
    ("clock_settime", "ALLOW", "DIR/web.conf:5: syscalls: clock_settime"),
    ("settimeofday", "ALLOW", "DIR/web.conf:4: caps: sys_time"),
    ("chroot", "ALLOW", "DIR/web.conf:4: caps: sys_chroot"),
    ("shmget", "EPERM", "DIR/web.conf:5: syscalls: -@ipc; to allow it: syscalls=+shmget"),
    ("munmap 0 0x100000000", "ALLOW", "default: syscalls: @service"),
    ("munmap 0 0x100000001", "EPERM", "DIR/web.conf:6: syscalls: -munmap(arg1>0x100000000); to allow it: syscalls=+munmap"),
    ("munmap 0 -1", "EPERM", "DIR/web.conf:6: syscalls: -munmap(arg1>0x100000000); to allow it: syscalls=+munmap"),
    ("umount2", "EPERM", "DIR/web.conf:6: syscalls: -umount2; to allow it: syscalls=+umount2"),
    ("clock_gettime", "EACCES", "DIR/web.conf:6: syscalls: clock_gettime:EACCES; to allow it: syscalls=+clock_gettime"),
    ("mount", "EPERM", "default: syscalls.default: EPERM; to allow it: caps=sys_admin or syscalls=+mount"),
    ("clone CLONE_NEWUSER+17", "EPERM", "default: syscalls: @service; to allow it: caps=sys_admin or syscalls=+clone"),
    ("clone3", "ENOSYS", "what it does no filter sees; to allow it: caps=sys_admin or syscalls=+clone3"),
    ("0x40000027", "KILL", "foreign ABI"),
    ("-1", "ENOSYS", "no such call on ARCH"),
    ("4000", "ENOSYS", "no such call on ARCH"),
    ("41 3", "EPERM", "default: syscalls: @service; to allow it: syscalls=+socket(arg0==0x3)"),
    ("syscalls=-read read", "EPERM", "command line: syscalls: -read; to allow it: syscalls=+read"),
    ("syscalls.default=KILL mount", "KILL", "command line: syscalls.default: KILL; to allow it: caps=sys_admin or syscalls=+mount"),
    ("syscalls.default=LOG mount", "LOG", "command line: syscalls.default: LOG"),
], ids=lambda v: v[:30])
def test_the_line_that_gives_it(conf, call, answer, why):
    got = ask(conf, *call.split())
    arch = show(conf).splitlines()[0].split()[2].rstrip(":")
    assert got == (answer, why.replace("DIR", str(conf.parent)).replace("ARCH", arch))


@pytest.mark.parametrize("words, why", [
    ("use=host mount", "use=host: syscalls: @all"),
    ("use=host syscalls=-reboot reboot", "command line: syscalls: -reboot; to allow it: syscalls=+reboot"),
    ("syscalls=@basic mount", "default: syscalls.default: EPERM; to allow it: syscalls=+mount"),
    ("syscalls=@basic caps=sys_admin mount", "default: syscalls.default: EPERM; to allow it: syscalls=+mount"),
    ("syscalls=read+execve", None),
    ("syscalls=execve syscalls=+exit_group syscalls=+read(arg0==1) read 2",
     "command line: syscalls: +read(arg0==1); to allow it: syscalls=+read"),
    ("syscalls=+mount syscalls=-mount(arg3&1==0) mount 0 0 0 1", "command line: syscalls: +mount"),
    ("syscalls=+mount syscalls=-mount(arg3&1==0) mount", "command line: syscalls: -mount(arg3&1==0); to allow it: syscalls=+mount"),
    ("syscalls=-@net syscalls=+socket(arg0==AF_UNIX) socket AF_INET", "command line: syscalls: -@net; to allow it: syscalls=+socket(arg0==0x2)"),
    ("syscalls=-@net syscalls=@net socket AF_INET", "command line: syscalls: @net"),
    ("syscalls=-@net syscalls=@net socket AF_ALG", "command line: syscalls: -@net; to allow it: syscalls=+socket(arg0==0x26)"),
    ("caps=sys_time caps=chown clock_settime", "command line: caps: sys_time"),
    ("use=oci caps=sys_time chroot", "use=oci: caps: sys_chroot"),
    ("exec.once=yes execve 4096", "command line: exec.once: yes"), ("exec.once=yes execve", "default: syscalls: @service"),
    ("sockets=can sockets=alg socket AF_CAN", "command line: sockets: can"), ("sockets=can sockets=alg,tipc socket AF_TIPC", "command line: sockets: alg,tipc"),
    ("sockets=none,unix,inet,inet6,netlink syscalls=@all socket AF_ALG", "command line: sockets: none,unix,inet,inet6,netlink; to allow it: sockets=alg"),
    ("sockets=none,unix socket AF_INET", "command line: sockets: none,unix; to allow it: sockets=inet"),
    ("sockets=can sockets=alg socketpair AF_XDP", "command line: sockets: can; to allow it: sockets=xdp"),
    ("sockets=none,unix syscalls=+socket(arg0==AF_ALG) socket AF_ALG", "command line: syscalls: +socket(arg0==AF_ALG)"),
    ("sockets=none,unix syscalls=-socket(arg0==AF_UNIX) socket AF_UNIX", "command line: syscalls: -socket(arg0==AF_UNIX); to allow it: syscalls=+socket(arg0==0x1)"),
    ("exec.once=yes execveat", "command line: exec.once: yes"),
    ("caps=bpf bpf", "command line: caps: bpf"),
    ("caps=sys_admin bpf", "command line: caps: sys_admin"),
    ("caps=sys_admin syscalls=-bpf bpf", "command line: syscalls: -bpf; to allow it: syscalls=+bpf"),
], ids=lambda v: v and v[:40])
def test_words_of_the_command_line(words, why):
    if why:
        assert ask(*words.split())[1] == why
    else:
        assert husk.husk("filter", *words.split()).status == 2


CALLS = ["read", "write", "kill", "prctl", "sendto", "socket", "ioctl", "mount", "clone3", "ptrace"]


def any_word(dice):
    call = dice.choice(CALLS)
    tests = f"({', '.join(f'arg{dice.randrange(2)}' + dice.choice(['==', '!=', '<', '&3==', '>=']) + str(dice.randrange(4)) for _ in range(dice.choice([1, 1, 2])))})"
    return dice.choice([dice.choice("+-") + call, call, f"{call}:EACCES", "+" + call + tests, "-" + call + tests, call + tests, f"{call}{tests}:EROFS",
                        dice.choice(["-", "+", ""]) + dice.choice(["@io", "@net", "@signal", "@process", "@namespace", "@mount"])])


@pytest.mark.parametrize("seed", range(40))
def test_words_behind_the_one_that_decides_say_nothing(seed):
    """Taken away they leave the answer and whose it is; what would allow a refused call does."""
    dice = random.Random(seed)
    words = [dice.choice(["@service", "execve exit_group @io"])] + [any_word(dice) for _ in range(dice.randrange(2, 9))]
    line = lambda w: ["syscalls=" + " ".join(w)]
    for _ in range(5):
        call = [dice.choice(CALLS), dice.randrange(4), dice.randrange(4)]
        answer, why = ask(*line(words), *call)
        by, _, cure = why.partition("; to allow it: ")
        word = by.removeprefix("command line: syscalls: ")
        if word in words:
            last = max(i for i, w in enumerate(words) if w == word) + 1
            assert ask(*line(words[:last]), *call)[0] == answer, (words, call, why)
        if answer not in ("ALLOW", "LOG"):
            assert ask(*line(words), cure.split(" or ")[-1], *call)[0] == "ALLOW", (words, call, cure)


def test_what_would_allow_it_does():
    """Each half of the advice, taken, ends in ALLOW; nothing is said of a call that is allowed."""
    tried = 0
    for base in (["syscalls=@service"], ["syscalls=@basic"], ["syscalls=-@net", "syscalls=-@file"], ["syscalls.default=KILL"]):
        for call in ("mount", "clock_settime", "bpf", "mknod 0 020000", "ioctl 1 TIOCSTI", "socket AF_VSOCK", "socketpair 45", "clone CLONE_NEWPID",
                     "openat", "clone3", "io_uring_setup", "personality 5", "getpid", "swapon", "kexec_load", "ptrace", "open_by_handle_at"):
            answer, why = ask(*base, *call.split())
            assert ("; to allow it: " in why) == (answer not in ("ALLOW", "LOG")), why
            for cure in why.split("; to allow it: ")[1:]:
                for key in cure.split(" or "):
                    assert ask(*base, key, *call.split())[0] == "ALLOW", (base, call, key)
                    tried += 1
    assert tried > 60


def test_what_the_manual_shows(tmp_path):
    said = re.search(r"^\$ husk filter web (.*)\n(.*)$", (husk.TOP / "init/husk.8").read_text(), re.M)
    (tmp_path / "web.conf").write_text("exec=/sbin/httpd\n")
    assert husk.husk("filter", tmp_path / "web.conf", *said[1].split()).out == said[2] + "\n"


# --------------------------------------------------------------- what is wrong

@pytest.mark.parametrize("words, said", [
    ("opne", '"opne" is not a system call; open?'), ("AF_UNIX", '"AF_UNIX" is not a system call'), ("@net", '"@net" is not a system call'),
    ("read x", '"x" is no constant that is known, and no number that fits'), ("read 0x1ffffffffffffffff", "no number that fits"),
    ("read 1+", "no number that fits"), ("read 1 2 3 4 5 6 7", "six arguments"), ("0x1ffffffff", "is not a system call"), ("read 0 open", '"open" is no constant'),
    ("socket AF_UNXI", "no number that fits; AF_UNIX?"), ("-a armv7 read", "options stand first"),
])
def test_what_is_wrong_with_a_call(words, said):
    r = husk.husk("filter", "syscalls=@service", *words.split())
    assert r.status == 2 and said in r.err and not r.out, r


@pytest.mark.parametrize("name, arch", [("x86_64", "x86_64"), ("i686", "i386"), ("x86", "i386"), ("arm", "armv7"), ("armv7l", "armv7"), ("aarch64", "arm64")])
def test_names_of_architectures(name, arch):
    assert f": {arch}: " in show("-a", name, "syscalls=@service").splitlines()[0]


def test_check_for_another_architecture(tmp_path):
    """What is wrong on a board of 32 bits alone is found where its image is built, in each file, and with what is wrong anyway."""
    for i in "ab":
        (tmp_path / f"{i}.conf").write_text("exec=/bin/true\nsyscalls=@service +lseek(,0x100000000)\n")
    files = [tmp_path / "a.conf", tmp_path / "b.conf"]
    wrong = "".join(f"{f}:2: syscalls: lseek: its twins take other arguments: write =NAME(...) for each\n" for f in files)
    for arch, (_, bits, _) in ARCHES.items():
        for words in (["-a", arch], ["-r", "/", "-a", arch], ["-a", arch, "-r", "/"]):
            r = husk.husk("check", *words, *files)
            assert (r.status, r.out, r.err) == ((0, "", "") if bits == 64 else (2, "", wrong)), r
    assert husk.husk("check", "-a", "mips", *files).err.startswith('husk: check: "mips" is not one of x86_64|i386|armv7|arm64')
    assert husk.husk("check", "-a").err == husk.husk("check", "-r").err == "husk: check: a word is missing behind the last option - husk help check\n"
    for f in files:
        f.write_text("exec=/no/such\nabi=both\nsyscalls=@service +lseek(,0x100000000)\n")
    said = [husk.husk("check", "-a", a, files[0]).err.replace(str(tmp_path), "") for a in ("arm64", "armv7", "x86_64")]
    assert said == ["/a.conf:3: syscalls: lseek: its twins take other arguments: write =NAME(...) for each (of 32-bit programs)\n"] * 3


@pytest.mark.parametrize("arch, call, said", [
    ("armv7", "set_tls", "ALLOW"), ("arm64", "open", "ENOSYS"), ("x86_64", "set_tls", "ENOSYS"), ("armv7", "0xf0005", "ALLOW"), ("i386", "socketcall 1", "EPERM"),
    ("arm64", "openat", "ALLOW"), ("i386", "clock_gettime64", "ALLOW"), ("armv7", "clock_settime64", "EPERM"), ("i386", "munmap 0 -1", "ALLOW"),
])
def test_another_machine(arch, call, said):
    words = ["-a", arch, "syscalls=@service", *call.split()]
    answer, why = ask(*words)
    assert answer == said and (said == "ENOSYS") == (why == f"no such call on {arch}")


ROWS = [[p.strip() for p in l.split(" | ")] for l in (husk.TOP / "test/filter.tbl").read_text().splitlines() if l and l[0] != "#" and "arch=" not in l]
@pytest.mark.parametrize("arch", ARCHES)
def test_the_table(arch):
    """filter.tbl, whose rows filter_test asks of the compiler: by the command, and the policy agrees."""
    asked = 0
    for first, call, said in ROWS:
        arches, words = first.split(" ", 1)
        if call in ("error", "none") or (arches != "*" and arch not in arches.split(",")) or (arches == "*" and (asked := asked + 1) % 3 and arch != HERE):
            continue
        name, *args = call.replace("#", "").split()
        args = [hex(int(a, 8)) if re.fullmatch("0[0-7]+", a) else a for a in args]
        assert ask("-a", arch, *keys(words), name, *args)[0] == said, (first, call)


def test_twins_have_one_line():
    for arch, calls in (("armv7", "clock_gettime clock_gettime64"), ("i386", "setuid setuid32"), ("armv7", "stat64 stat"), ("arm64", "newfstatat")):
        for c in calls.split():
            assert ask("-a", arch, "syscalls=-clock_gettime -setuid -stat -fstatat64", c) == (
                "EPERM", f"command line: syscalls: -{c.replace('64', '').replace('32', '').replace('newfstatat', 'fstatat64')}; to allow it: syscalls=+{c}")


@pytest.mark.parametrize("words", [[], ["-a"], ["-a", "mips", "syscalls=@service"], ["-x", "syscalls=@service"], ["/nonexistent.conf"], ["syscalls=opne"]])
def test_what_is_wrong_with_the_words(words):
    r = husk.husk("filter", *words)
    assert r.status == 2 and r.err and not r.out, r
    assert "mips" not in words or all(a in r.err for a in ARCHES), r


# ---------------------------------------------------------------- on a real kernel

def test_a_box_answers_the_same(name):
    """What husk filter says a box hears. The errno is one that these calls do not give of themselves."""
    words = ["user=root", "caps=sys_chroot", "syscalls=-@ipc socket:EROFS socket(arg0==AF_UNIX|AF_NETLINK)",
             "syscalls=munmap(arg1>0x100000000):EROFS lseek(arg0==99, arg1==-5):EROFS getpgid(arg0==7):EROFS"]
    nr = headers(HERE)
    calls = [f"{nr[c[0]]},{','.join(str(a) for a in c[1:])}" for c in (
        ("socket", 1, 1), ("socket", 2, 1), ("socket", 38, 5), ("socket", 2**32 + 38, 5), ("socket", 2**32 + 1, 1), ("socket", 16, 3),
        ("munmap", 0, 2**32), ("munmap", 0, 2**32 + 1), ("munmap", 0, 2**63), ("munmap", 0, 2**64 - 1), ("lseek", 99, -5 % 2**64), ("lseek", 99, -5 % 2**32),
        ("lseek", 2**32 + 99, -5 % 2**64), ("getpgid", 7), ("getpgid", 2**40 + 7), ("getpgid", 8), ("shmget", 0, 0), ("mount", 0, 0), ("clone3", 0, 0),
        ("io_uring_setup", 1, 0))] + ["4000,0", "400,0", f"{0x40000000 + nr['getpid']},0"]
    heard = dict(l.split(" ", 1) for l in husk.run(*words, "--", "/bin/inside", "ask", *calls, box=name).out.splitlines())
    assert len(heard) == len(calls), heard
    for c in calls:
        n, *args = c.split(",")
        answer, why = ask(*words, n, *args)
        if answer == "ALLOW":
            assert heard[c] not in (str(errno.EROFS), "signal 31"), (c, heard[c], why)
        else:
            assert heard[c] == ("signal 31" if answer == "KILL" else str(getattr(errno, answer))), (c, heard[c], answer, why)


# The default answer is KILL, so that no errno of the kernel passes for one of the filter's.
KEYS = ["syscalls.default=KILL", "syscalls=@service socket:EROFS socket(arg0==AF_UNIX|AF_NETLINK) getpgid(arg0==7):EROFS -mprotect(arg2==7)",
        "syscalls=munmap(arg1>0x70000000):EROFS clock_gettime:EACCES -ioctl(arg1==TIOCSTI|TIOCLINUX) -personality(arg0!=0|0xffffffff)"]


def questions(arch):
    """All numbers that are refused, and these calls with arguments around those of the tests."""
    numbers, bits, program = headers(arch), ARCHES[arch][1], parse(show("-a", arch, *KEYS))
    high = [2**32, 2**63] if bits == 64 else []
    for n in [*range(max(v for v in numbers.values() if v < 4096) + 20), 1000, 0x10000, 0xefffff, 0xf0000, 0xf0003, 0xf0007, 0x40000000 + numbers["getpid"]]:
        if evaluate(program, arch, n, []) != ALLOW:
            yield [n]
    for name in ("getpid", "getuid", "gettid", "sched_yield", "umask", "getsid"):
        yield [numbers[name]]
    for name, at, values in (("socket", 0, [1, 2, 3, 16, 38, 2**31]), ("getpgid", 0, [6, 7, 8]), ("mprotect", 2, [0, 5, 6, 7, 8, 15]), ("personality", 0, [0, 1, 2**32 - 1]),
                             ("munmap", 1, [0x70000000, 0x70000001, 2**31, 2**32 - 1]), ("ioctl", 1, [0x5411, 0x5412, 0x541c, 0x541d])):
        for v in values + [v + h for v in values for h in high]:
            yield [numbers[name], *[1 << 20] * at, v, *[1] * (2 - at)]


@pytest.mark.parametrize("arch", ARCHES)
def test_every_kernel_hears_the_same(arch):
    """A program in a box of a board makes the calls, and husk filter -a says here what it hears there."""
    b = qemu.board(f"qemu-{arch}")
    if not shutil.which(b["QEMU"].split()[0]) or not (husk.OUT / b["NAME"] / "husk").exists():
        pytest.skip("no QEMU, or not built")
    calls = [" ".join(map(hex, q)) for q in questions(arch)]
    text = "exec=/asks /calls\nroot=/srv/root\nuser=1000\npids.max=20\n" + "\n".join(KEYS) + "\n"
    files = qemu.with_husk(b, {"out": "use=host\nlog=inherit\nexec=/bin/sh /script\n"}) | test_boot.crashes(b, "jump", "husk run /once.conf\n")
    files |= {"once.conf": qemu.file(text), "srv/root/asks": qemu.program(qemu.compiled(b, "asks.c")), "srv/root/calls": qemu.file("\n".join(calls) + "\n")}
    r = qemu.boot(b, files)
    test_boot.check_crash(r)		# it went on where nothing is
    heard = dict(re.findall(r"^@ask (.*): (.*)$", r.text, re.M))
    assert list(heard) == calls and len(calls) > 120, r
    for c in calls:
        answer, why = ask("-a", arch, *KEYS, *c.split())
        if answer == "ALLOW":
            assert heard[c] not in (str(errno.EROFS), str(errno.EACCES), "signal 31"), (c, heard[c], why)
        else:
            assert heard[c] == ("signal 31" if answer == "KILL" else str(getattr(errno, answer))), (c, heard[c], answer, why)
