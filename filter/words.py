"""What import-oci and import-minijail have in common: a policy of others as words of syscalls=.

A policy is a default answer, and for some calls a Call: rules in the order in
which they are asked, of which the first that holds answers, and the answer
if none does. All that can be said is said exactly; what cannot is an error.

What husk does with a policy by itself, whoever wrote it, never allows more:

- Another ABI than the box's (x32, int 0x80) is killed; abi= opens one.
- Numbers that no call of ours has are not there (ENOSYS), whatever is the default.
- clone3 and io_uring_setup answer ENOSYS where the policy only has its default for
  them: C libraries then take the older call.
- An argument that the kernel reads as 32 or 16 bits is compared as such. What others
  compare as 64 bits can be walked around by a bit in the high word.
- Of a 64-bit argument, == that refuses and != that allows look at the low word too.
"""
import os
import re
import sys
import textwrap

HERE = os.path.dirname(os.path.abspath(__file__))
BITS = {"x86_64": 64, "i386": 32, "armv7": 32, "arm64": 64}
MACHINES = {"i686": "i386", "i586": "i386", "armv7l": "armv7", "armv6l": "armv7", "armv8l": "armv7", "aarch64": "arm64"}
PASSES = ("ALLOW", "LOG")
MOST = 160					# MAXWORD of init/husk.h
UNSEEN = ("clone3", "io_uring_setup")		# refused, they are not there


class Bad(Exception):
    """What is wrong, and in which line of which file."""
    def __init__(self, where, what):
        super().__init__(f"{where}: {what}")


def lines(name):
    with open(os.path.join(HERE, name), encoding="ascii") as f:
        return [l.rstrip("\n") for l in f]


def constants():
    """Those that may stand in syscalls=, errors among them: {name: None, or its values on all architectures}."""
    rows = [l.split() for l in lines("all.constants")]
    out = {w: None for r in rows if r and r[0][0].isupper() for w in r}
    return out | {r[1]: dict(zip(BITS, (int(v, 0) for v in r[2:]))) for r in rows if r and r[0] == "!"}


def unlike():
    """Those that are not the same everywhere, and stand in no table."""
    return {w for l in lines("all.constants") if l[:1] == "~" for w in l[1:].split()}


class Names:
    """The calls that husk knows: widths of arguments, twins, groups."""
    def __init__(self):
        rows = [l.split() for l in lines("all.names") if l and l[0] != "#"]
        self.widths = {r[0]: r[1] for r in rows if r[1] != "x"}
        self.numbers = {a: {r[0]: r[2 + i] for r in rows if r[2 + i] != "-"} for i, a in enumerate(BITS)}
        stems, self.differ = {}, set()
        for l in lines("all.twins"):
            if l[:1] in ("!", "="):
                words = l[1:].split()
                stems.update((w, words[0]) for w in words)
                if l[0] == "!":
                    self.differ.add(words[0])
        self.stem = {}
        for n in self.widths:
            short = n[:-7] if n.endswith("_time64") else re.sub("(64|32)$", "", n)
            self.stem[n] = stems.get(n) or stems.get(short, short)
        self.twins = {}
        for n, s in self.stem.items():
            self.twins.setdefault(s, []).append(n)
        self.groups = self.read_groups()
        self.limited = {g: set() for g in self.groups}
        for call, group in re.findall(r"\{ N_(\w+), C_(\w+), \w+ \}", "\n".join(lines("groups.c"))):
            self.limited["@" + group].add(call)
        if not self.limited["@net"]:
            raise Bad("groups.c", "no calls are found that a group allows for some arguments only")

    def read_groups(self):
        """The groups that are no union of others: name and calls."""
        groups, head, into = {}, None, None
        for l in lines("all.groups"):
            if not l or l[0] == "#" or " = " in l.split("\t")[0]:
                continue
            if l[0] in "@.=":
                head = l.split()[0] if l[0] == "@" else head if l[0] == "." else None
                into = groups.setdefault(head, []) if head else None
            elif into is not None:
                into += l.split()
        return {g: [n for n in calls if n in self.widths] for g, calls in groups.items()}

    def bits(self, name, arg, arch):
        """How many bits of an argument the kernel reads; None: not known."""
        widths = self.widths[name]
        if widths == "?":
            return None
        c = widths[arg] if arg < len(widths) else "."
        if c == "h" or (c == "u" and name + "32" in self.widths and BITS[arch] == 32):
            return 16
        return 32 if c in "wu" else BITS[arch]


class Test:
    """argN [& mask] OP value. text: the value as it is to be written."""
    def __init__(self, arg, op, value, mask=None, text=None, masktext=None):
        self.arg, self.op, self.value, self.mask = arg, op, value, mask
        self.text, self.masktext = text or number(value), masktext or (mask is not None and "&" + number(mask)) or ""

    def __str__(self):
        return f"arg{self.arg}{self.masktext}{self.op}{self.text}"

    def key(self):
        return self.arg, self.op, self.text if self.value is None else self.value, self.masktext if self.mask is None else self.mask

    def __eq__(self, other):
        return isinstance(other, Test) and self.key() == other.key()


class Call:
    """rules: [(action, [Test])] as they are asked; then base."""
    def __init__(self, base):
        self.base, self.rules = base, []

    def key(self):
        return self.base, [(a, [t.key() for t in tests]) for a, tests in self.rules]


def number(n):
    return str(n) if n < 10 else hex(n)


def excludes(a, b):
    """No arguments satisfy both of these lists of tests, as far as one look at each pair says."""
    for s in a:
        for t in b:
            if s.arg != t.arg or "<" in s.op + t.op or ">" in s.op + t.op:
                continue
            if s.op == t.op == "==":
                both = (~0 if s.mask is None else s.mask) & (~0 if t.mask is None else t.mask)
                if s.value & both != t.value & both:
                    return True
            elif s.op != t.op and (s.value, s.mask) == (t.value, t.mask):
                return True
    return False


def fits(names, arch, name, tests, where):
    """Refuses what husk would not take, or would read in another way."""
    for t in tests:
        bits = names.bits(name, t.arg, arch)
        if bits is None:
            raise Bad(where, f"{name}: the widths of its arguments are not known: no tests")
        full = (1 << bits) - 1
        for v in (t.value, t.mask):
            if v is not None and v > full and v | full != (1 << 64) - 1:
                raise Bad(where, f"{name}: {number(v)} does not fit argument {t.arg}, of which the kernel on {arch} reads {bits} bits")


# ------------------------------------------------------------------ as words

def joined(tests_list):
    """Alternatives that ask one argument for one value each are one test with a list."""
    out = []
    for tests in tests_list:
        t = tests[0]
        last = out[-1][0] if out and len(out[-1]) == 1 else None
        if len(tests) == 1 and t.op == "==" and last and (last.op, last.arg, last.mask) == ("==", t.arg, t.mask):
            out[-1] = [Test(t.arg, "==", t.value, t.mask, f"{last.text}|{t.text}", t.masktext)]
        else:
            out.append(tests)
    return out


def tested(word, call, refusal, start):
    """The words of a call with rules: those that come later are asked first."""
    words, alike = [], []
    if call.base != refusal or word in UNSEEN:
        words.append(word if call.base == "ALLOW" else f"{word}:{call.base}")
    elif start or [a for a, _ in call.rules if a != "ALLOW"]:
        words.append("-" + word)
    keeps = bool(words) and call.base in PASSES		# NAME(TESTS) alone refuses what passed before it
    for action, tests in call.rules:
        if alike and alike[-1][0] == action:
            alike[-1][1].append(tests)
        else:
            alike.append((action, [tests]))
    for action, several in reversed(alike):
        for tests in joined(several):
            text = f"{word}({', '.join(map(str, tests))})"
            words.append(text if action == "ALLOW" and not keeps else f"{text}:{action}")
    return words


class Policy:
    """A default, calls by name, and notes for those who read the result."""
    def __init__(self, default, names):
        self.default, self.names, self.calls, self.notes, self.limits = default, names, {}, [], set()

    def answer(self, name):
        return self.calls.get(name) or Call(self.default)

    def sets(self):
        """[(word, its call)]: twins in one word where they have one answer."""
        for stem, members in self.names.twins.items():
            answers = [self.answer(m) for m in members]
            same = all(a.key() == answers[0].key() for a in answers)
            if same and not (answers[0].rules and (stem in self.names.differ or len(members) > 1)):
                yield members[0], answers[0], members
            else:
                for m, a in zip(members, answers):
                    yield "=" + m if len(members) > 1 else m, a, [m]

    def words(self):
        """(syscalls.default, plain words, tested words)"""
        refusal = self.default if self.default in ("EPERM", "KILL", "LOG") else "EPERM"
        start = [] if self.default == refusal else ["@all" if self.default == "ALLOW" else f"@all:{self.default}"]
        sets = list(self.sets())
        plain = {w: (c.base, m) for w, c, m in sets if not c.rules}
        opened, groups = self.groups(plain)
        self.limits = set().union(*(self.names.limited[g] for g in groups))
        words = []
        for w, (base, members) in plain.items():
            now = "ALLOW" if set(members) <= opened else self.default
            if set(members) & opened and (set(members) - opened or set(members) & self.limits):
                now = None
            if base != now:
                words.append(w if base == "ALLOW" else "-" + w if base == refusal and w not in UNSEEN else f"{w}:{base}")
        args = [x for w, c, _ in sets if c.rules for x in tested(w, c, refusal, start)]
        return refusal, start + groups + words, args

    def groups(self, plain):
        """Those groups that save words, and what they open."""
        if self.default == "ALLOW":
            return set(self.names.widths), []
        opened, used = set(), []
        for g, calls in self.names.groups.items():
            inside = [(base, m) for w, (base, m) in plain.items() if set(m) & set(calls)]
            yes = sum(base == "ALLOW" for base, _ in inside)
            ruled = sum(bool(self.answer(n).rules) for n in calls)
            if 1 + len(inside) - yes + ruled < yes:
                used.append(g)
                opened |= set(calls) | self.names.limited[g]
        return opened, used

    def alike(self, arch):
        """Two names of one number are one call: who is named speaks for both."""
        first = {}
        for name, nr in self.names.numbers[arch].items():
            other = first.setdefault(nr, name)
            if name in self.calls and other in self.calls and self.calls[name].key() != self.calls[other].key():
                raise Bad(name, f"{other} is the same call on {arch}, and has another answer")
            if name in self.calls or other in self.calls:
                self.calls[name] = self.calls[other] = self.calls.get(name) or self.calls[other]

    def text(self, head, arch):
        """The lines of a file."""
        self.alike(arch)
        if any(self.answer(n).base not in PASSES and not any(a in PASSES for a, _ in self.answer(n).rules) for n in ("execve", "exit_group")):
            raise Bad(head, "execve and exit_group are not allowed, and under husk no program starts or ends without them")
        refusal, plain, args = self.words()
        if len(plain + args) > MOST:
            raise Bad(head, f"{len(plain + args)} words, and {MOST} fit into syscalls=: fewer names, or fewer tests")
        out = [f"# {n}" for n in [head] + self.notes]
        if refusal != "EPERM":
            out.append(f"syscalls.default={refusal}")
        out += ["syscalls=" + l for l in textwrap.wrap(" ".join(plain), 100, break_long_words=False, break_on_hyphens=False)]
        return "\n".join(out + ["syscalls=" + a for a in args]) + "\n"


def main(convert, argv):
    """A file to lines on standard output; or what is wrong, and 1."""
    try:
        sys.stdout.write(convert(argv))
    except Bad as e:
        print(f"{os.path.basename(sys.argv[0])}: {e}", file=sys.stderr)
        return 1
    except OSError as e:
        print(f"{os.path.basename(sys.argv[0])}: {e.filename}: {e.strerror}", file=sys.stderr)
        return 1
    return 0


def this_machine():
    m = os.uname().machine
    return MACHINES.get(m, m)
