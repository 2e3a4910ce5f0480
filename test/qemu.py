#!/usr/bin/python3
"""Boards in QEMU: Debian's kernel, an initramfs with husk and busybox, the console as text.

    qemu.py BOARD            makes the image of BOARD, and boots it on this terminal
    qemu.py image BOARD      makes it, in out/BOARD: kernel, initrd, dtb of a real board, disk, and append, the words
    qemu.py fetch BOARD ...  all kernels and the busyboxes, and nothing else
"""
import contextlib
import ctypes
import fcntl
import gzip
import lzma
import os
import pathlib
import re
import select
import stat
import struct
import subprocess
import sys
import tempfile
import time
import uuid

TOP = pathlib.Path(__file__).resolve().parent.parent
KERNELS = TOP / "out" / "kernels"
os.environ["QEMU_AUDIO_DRV"] = "none"		# a board may have a sound card; nobody listens
BOARDS = "qemu-x86_64 qemu-i386 qemu-armv7 qemu-arm64".split()
SUITES = {"5.10": "bullseye", "6.1": "bookworm", "6.12": "trixie bookworm-backports"}	# of Debian, by their kernels: the first that has it
# the guest's; board by board the same
APPLETS = ("sh ash cat cut date dd df dmesg echo env false free grep head hostname id ifconfig insmod kill ln ls mkdir mknod "
           "mount mv nc nproc ps pwd readlink rm rmdir sed seq setsid sleep sort stat sync tail test touch tr true "
           "umount uname unshare usleep wc wget yes poweroff reboot halt switch_root losetup").split()


def board(name):
    """What boards/NAME.mk says, and those that it includes."""
    def lines(at):
        text = (TOP / at).read_text()
        return re.sub(r"^include (boards/[\w-]+\.mk)$", lambda m: lines(m[1]), text, flags=re.M)
    return {"NAME": name, **dict(re.findall(r"^([A-Z]+)[ \t]*= *(.*)$", lines(f"boards/{name}.mk"), re.M))}


# ------------------------------------------------------------ what Debian gives

def os_release(key):
    return re.search(rf"^{key}=(.*)$", pathlib.Path("/etc/os-release").read_text(), re.M)[1].strip('"')


def sources(suite):
    """What this machine's own lists say of its suite, said of another one."""
    own, found = os_release("VERSION_CODENAME"), []
    for f in [pathlib.Path("/etc/apt/sources.list"), *sorted(pathlib.Path("/etc/apt/sources.list.d").glob("*"))]:
        text = f.read_text() if f.suffix in (".list", ".sources") and f.exists() else ""
        if f.suffix == ".list":
            found += [m.group(1) for m in re.finditer(rf"^deb\s(?:.*\s)?(\S+://\S+)\s+{own}\s.*\bmain\b", text, re.M)]
            continue
        for entry in re.split(r"\n\s*\n", text):
            field = {k.lower(): v.split() for k, v in re.findall(r"^([A-Za-z-]+):(.*)$", entry, re.M)}
            if own in field.get("suites", []) and "deb" in field.get("types", []) and "main" in field.get("components", []):
                found += field.get("uris", [])
    if not found:
        raise RuntimeError(f"no mirror of {own} in this machine's lists: none for {suite}")
    return f"deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] {found[0]} {suite} main\n"


def apart(suite, arch):
    """Options of apt: lists of another suite, in a directory of ours; the machine's are not touched. Each architecture has its
    own: for hours after a point release a mirror may have those of one and not of another, and apt takes all or none."""
    at = TOP / "out" / "apt" / f"{suite}-{arch}"
    if not (at / "sources.list").exists():
        for d in ("lists/partial", "cache/archives/partial", "etc"):
            (at / d).mkdir(parents=True, exist_ok=True)
        (at / "sources.list").write_text(sources(suite))
    words = {"State::lists": at / "lists", "Etc::sourcelist": at / "sources.list", "Etc::sourceparts": "/dev/null", "Etc::preferencesparts": "/dev/null",
             "Cache": at / "cache"}
    return [x for k, v in words.items() for x in ("-o", f"Dir::{k}={v}")] + ["-o", "Acquire::Languages=none", "-o", f"APT::Architecture={arch}"]


def apt(command, *args, check=True, lists=None, **more):
    """All four architectures, whether dpkg knows them here or not; or those of lists, (suite, architecture). Nothing foreign is ever installed.
    What it has read of its lists it keeps, where a machine may be told not to: to read them takes two seconds each time."""
    native = subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True, check=True).stdout.strip()
    archs = [native] + [a for a in ("amd64", "armhf", "arm64", "i386") if a != native]
    other = lists and lists[0] != os_release("VERSION_CODENAME")
    at = TOP / "out/apt" / ("-".join(lists) if other else "own")
    at.mkdir(parents=True, exist_ok=True)
    options = [x for a in (lists[1:] if other else archs) for x in ("-o", f"APT::Architectures::={a}")] + ["-o", "APT::Sandbox::User=root"]
    options += [x for kind in ("pkgcache", "srcpkgcache") for x in ("-o", f"Dir::Cache::{kind}={at / kind}.bin")]
    if other:
        options += apart(*lists)
    return subprocess.run([command, "-q", *options, *args], capture_output=True, text=True, check=check, **more)


@contextlib.contextmanager
def locked():
    """One at a time, of all test processes."""
    KERNELS.mkdir(parents=True, exist_ok=True)
    with open(KERNELS / "lock", "w", encoding="ascii") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        yield


def numbered(pattern):
    """That pattern, whose * is a number."""
    return re.compile(r"\d+(?:\.\d+)*(?:\+\w+)?".join(map(re.escape, pattern.split("*"))))


def newest(pattern, lists=None):
    """Packages of that pattern, the newest first."""
    names = [n for n in apt("apt-cache", "pkgnames", pattern.split("*")[0], lists=lists).stdout.split() if numbered(pattern).fullmatch(n)]
    return sorted(names, key=lambda n: list(map(int, re.findall(r"\d+", n))), reverse=True)


def unpack(package, arch, to, lists=None):
    """Into the directory `to`, or None if there is no such package for the architecture."""
    done = apt("apt-get", "download", f"{package}:{arch}", check=False, lists=lists, cwd=KERNELS)
    debs = list(KERNELS.glob(f"{package}_*_{arch}.deb"))
    if done.returncode or not debs:
        return None
    subprocess.run(["dpkg", "-x", debs[0], to], check=True)
    for d in debs:
        d.unlink()
    return to


def get(what, suites=(None,)):
    """The first that comes of what(suite); with the lists read anew if none does."""
    for lists in suites:
        for fresh in (False, True):
            if fresh:
                said = apt("apt-get", "update", check=False, lists=lists).stderr
            for one in what(lists):
                if one:
                    return one
    raise RuntimeError(f"no package of {suites}: is there a mirror? apt-get update: {said[-300:]}")


def of(name, version):
    """The board with another of Debian's kernels: 5.10, 6.1 or 6.12."""
    b = board(name)
    return b | {"KERNEL": b["KERNEL"].replace("-6.1.0-*-", {"5.10": "-5.10.0-*-", "6.1": "-6.1.0-*-", "6.12": "-6.12.*-"}[version]), "SUITE": SUITES[version]}


def kernel(b):
    """The directory of the unpacked kernel package; QEMU_KERNEL names another one."""
    if os.environ.get("QEMU_KERNEL") and "SUITE" not in b:
        return pathlib.Path(os.environ["QEMU_KERNEL"])

    def have():
        return [d for d in KERNELS.glob("x-*") if numbered(b["KERNEL"]).fullmatch(d.name[2:]) and list(d.glob("boot/vmlinuz*"))]
    with locked():
        if have():
            return sorted(have())[-1]
        suites = [(s, b["DEBARCH"]) for s in b["SUITE"].split()] if "SUITE" in b else [None]
        return get(lambda lists: (unpack(n, b["DEBARCH"], KERNELS / ("x-" + n), lists) for n in newest(b["KERNEL"], lists)), suites)


def busybox(b):
    """Debian's static busybox of the board's architecture."""
    to = KERNELS / ("busybox-" + b["DEBARCH"])
    with locked():
        if not (to / "bin/busybox").exists():
            get(lambda _: [unpack("busybox-static", b["DEBARCH"], to)])
    return (to / "bin/busybox").read_bytes()


def tool(package, arch=None):
    """A package for this machine, or for a guest's architecture, unpacked and not installed."""
    arch = arch or subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True, check=True).stdout.strip()
    to = KERNELS / f"{package}-{arch}"
    with locked():
        return to if to.exists() else get(lambda _: [unpack(package, arch, to)])


def dynamic(b, path, packages):
    """A program of Debian's for the board, of the first of those packages; its loader and libraries are in all of them: files of a guest."""
    at = [tool(p, b["DEBARCH"]) for p in packages.split()]
    libs = {f.name: f for d in at for f in d.rglob("*.so*") if f.is_file()}
    files, todo = {}, [(path, at[0] / path)]
    while todo:
        to, f = todo.pop()
        files[to] = program(f.read_bytes())
        said = subprocess.run(["readelf", "-dlW", f], capture_output=True, text=True, check=True, env=os.environ | {"LC_ALL": "C"}).stdout
        need = re.findall(r"program interpreter: /(.*)\]", said) + ["lib/" + n for n in re.findall(r"\(NEEDED\).*\[(.*)\]", said) if not n.startswith("ld-")]
        todo += [(n, libs[pathlib.PurePath(n).name]) for n in need if n not in files]
    return files


def vmlinuz(b):
    return next(kernel(b).glob("boot/vmlinuz*"))


def unpacked(data, size):
    """What was packed for a kernel to unpack: its xz, zstd, or lz4 of the old form."""
    if data.startswith(b"\xfd7zXZ"):
        return lzma.LZMADecompressor().decompress(data)
    out, at, done = ctypes.create_string_buffer(size), 4, 0
    if data.startswith(b"\x28\xb5\x2f\xfd"):
        ctypes.CDLL("libzstd.so.1").ZSTD_decompress(out, ctypes.c_size_t(size), data, ctypes.c_size_t(len(data)))
        return out.raw
    while done < size:
        n, = struct.unpack_from("<I", data, at)
        done += ctypes.CDLL("liblz4.so.1").LZ4_decompress_safe(data[at + 4:at + 4 + n], ctypes.byref(out, done), n, size - done)
        at += 4 + n
    return out.raw


def plain(data):
    """A kernel as its own first code would have laid it out, in the form in which QEMU starts that; None: it is not packed. To
    unpack it takes an emulated machine some seconds."""
    if struct.unpack_from("<I", data, 0x24) == (0x016f2818,):		# ARM's zImage; its table says where the packed one ends, and where it belongs
        table, = struct.unpack_from("<I", data, 0x38)
        end, _, offset = struct.unpack_from("<III", data, table + 8)
        image = unpacked(data[data.rindex(b"\xfd7zXZ\0\0\1", 0, end):end], struct.unpack_from("<I", data, end)[0])
        at = 0x40000000 + offset		# of -M virt
        head = struct.pack(">7I4B32s", 0x27051956, 0, 0, len(image), at, at, 0, 5, 2, 2, 0, b"")		# U-Boot's: Linux, for ARM, a kernel, not packed
        return head + image
    if data[0x202:0x206] != b"HdrS":
        return None
    setup, (at, n) = (data[0x1f1] + 1) * 512, struct.unpack_from("<II", data, 0x248)
    elf = unpacked(data[setup + at:setup + at + n - 4], struct.unpack_from("<I", data, setup + at + n - 4)[0])
    if elf[4] == 2:
        return elf		# with an entry for virtual machines
    # the same first code, whose second one only goes on: to the kernel, 15 MB behind it
    entry, first = struct.unpack_from("<II", elf, 0x18)
    memory = bytearray(b"\xb8" + struct.pack("<I", entry) + b"\xff\xe0")		# mov $entry, %eax; jmp *%eax
    for i in range(struct.unpack_from("<H", elf, 0x2c)[0]):
        kind, at, _, where, n = struct.unpack_from("<5I", elf, first + i * 32)
        if kind == 1:
            memory = memory.ljust(where - 0x100000, b"\0") + elf[at:at + n]
    return data[:setup] + memory


def direct(b):
    """The kernel as it starts soonest, made once. A real board has its own way, and what is measured goes all of it."""
    packed = vmlinuz(b)
    at, new = packed.with_name("direct"), packed.with_name("new")
    if "DTB" in b or "MEASURED" in b or KERNELS not in packed.parents:
        return packed
    with locked():
        if not at.exists():
            image = plain(packed.read_bytes())
            new.write_bytes(image) if image else new.symlink_to(packed.name)
            new.rename(at)
    return at


def dtb(b):
    """The device tree of a real board, from its kernel's package."""
    return ["-dtb", str(next(kernel(b).glob("usr/lib/linux-image-*")) / b["DTB"])] if "DTB" in b else []


def module(b, name):
    """A module of the board's kernel, for insmod."""
    found = next(kernel(b).rglob(name + ".ko*"))
    return lzma.decompress(found.read_bytes()) if found.suffix == ".xz" else found.read_bytes()


def configured(b, option):
    """Whether the board's kernel was built with CONFIG_ that."""
    return re.search(rf"^CONFIG_{option}=[ym]$", next(kernel(b).glob("boot/config*")).read_text(), re.M) is not None


def compiled(b, source, done={}):
    """A static C program of test/ for the board, with its musl; each once in a process."""
    if (key := (b["NAME"], source)) in done:
        return done[key]
    cc = b.get("TRIPLE", "") + "-gcc" if "TRIPLE" in b else "gcc"
    musl = (TOP / "out/musl/usr" if "TRIPLE" in b else pathlib.Path("/usr"))
    lib = musl / "lib" / b["MUSL"]
    ask = lambda what: subprocess.run([cc, what], capture_output=True, text=True, check=True).stdout.strip()
    with tempfile.NamedTemporaryFile() as to:
        subprocess.run([cc, *b["CCFLAGS"].split(), "-O1", "-Wall", "-Wextra", "-Werror", "-static", "-fno-pie", "-no-pie", "-nostdlib", "-nostdinc",
                        "-isystem", musl / "include" / b["MUSL"], "-isystem", ask("-print-file-name=include"), "-isystem", TOP / "out" / b["NAME"] / "include", "-o", to.name, lib / "crt1.o", lib / "crti.o",
                        TOP / "test" / source, "-Wl,--start-group", lib / "libc.a", ask("-print-libgcc-file-name"), "-Wl,--end-group", lib / "crtn.o"], check=True)
        done[key] = pathlib.Path(to.name).read_bytes()
    return done[key]


# ------------------------------------------------------------------ the initramfs

def archive(files):
    """A newc archive of path: (mode, data or device); parents are made."""
    tree = {}
    for path in sorted(files):
        for parent in reversed(pathlib.PurePosixPath(path).parents):
            if str(parent) != ".":
                tree.setdefault(str(parent), (stat.S_IFDIR | 0o755, b""))
        tree[path] = files[path]
    out = bytearray()
    for ino, (path, (mode, data)) in enumerate([*tree.items(), ("TRAILER!!!", (0, b""))], 1):
        major, minor = data if isinstance(data, tuple) else (0, 0)
        data = b"" if isinstance(data, tuple) else data
        name = path.encode() + b"\0"
        out += b"070701" + b"".join(b"%08X" % n for n in (
            ino, mode, 0, 0, 1, 0, len(data), 0, 0, major, minor, len(name), 0)) + name
        out += b"\0" * (-len(out) % 4) + data
        out += b"\0" * (-len(out) % 4)
    return bytes(out)


def cpio(files):
    return gzip.compress(archive(files), 1)


def file(data, mode=0o644):
    return stat.S_IFREG | mode, data.encode() if isinstance(data, str) else data


def program(data):
    return file(data, 0o755)


def directory(mode=0o755):
    return stat.S_IFDIR | mode, b""


def link(to):
    return stat.S_IFLNK | 0o777, to.encode()


def rootfs(b, at=""):
    """A small root of busybox."""
    at = at.strip("/") + "/" if at else ""
    files = {at + "bin/busybox": program(busybox(b))}
    files |= {f"{at}bin/{a}": link("busybox") for a in APPLETS}
    for d in "dev proc sys run tmp root mnt data srv home var".split():
        files[at + d] = directory()
    files[at + "etc/passwd"] = file("root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home:/bin/sh\n")
    files[at + "etc/shadow"] = file("root::19000:0:99999:7:::\n", 0o600)
    files[at + "etc/group"] = file("root:x:0:\nuser:x:1000:\n")
    files[at + "etc/hosts"] = file("127.0.0.1 localhost\n")
    return files


def with_husk(b, boxes=None, conf=None):
    """As rootfs, with husk, board.conf and the boxes: name -> text of its file; a busybox root in /srv/root."""
    files = rootfs(b) | rootfs(b, "srv/root")
    files["husk"] = program((TOP / "out" / b["NAME"] / "husk").read_bytes())
    files |= {f"sbin/{n}": link("/husk" if n == "husk" else "husk") for n in "husk halt poweroff reboot".split()}
    for n in "halt poweroff reboot".split():
        del files["bin/" + n]
    files["dev/console"] = stat.S_IFCHR | 0o600, (5, 1)
    files["etc/husk/board.conf"] = file(conf if conf is not None else (TOP / "boards" / f"{b['NAME']}.conf").read_text())
    files |= {f"etc/husk/{n}.conf": file(t) for n, t in (boxes or {}).items()}
    return files


def initramfs(b, conf):
    """The one that finds the real root: husk and its board.conf."""
    return {"husk": program((TOP / "out" / b["NAME"] / "husk").read_bytes()), "etc/husk/board.conf": file(conf), "dev/console": (stat.S_IFCHR | 0o600, (5, 1))}


# ------------------------------------------------------------------------- the boot

def words(b, init="/husk", append=""):
    """The kernel's command line"""
    return f"console={b['CONSOLE']} rdinit={init} quiet panic=-1 {b.get('APPEND', '')} {append}"


def soon(b):
    """Words that leave out some of a kernel's own time: tests of its ciphers, what hides it from programs at each call, and a bus of
    old; and each program lies where it lay before, or QEMU, which knows code by its address, translates it anew for each process.
    Only who knows a word is given it: others would hand it on to their init."""
    return "mitigations=off cryptomgr.notests norandmaps " + {"arm64": "nokaslr ", "i386": "noisapnp "}.get(b["DEBARCH"], "")


def command(b, files, append="", init="/husk"):
    append = append if "MEASURED" in b else soon(b) + append
    where = TOP / "out" / b["NAME"]
    where.mkdir(parents=True, exist_ok=True)
    fd, initrd = tempfile.mkstemp(prefix="initrd-", dir=where)
    with open(fd, "wb") as f:
        f.write(cpio(files) if "MEASURED" in b else archive(files))
    return [*b["QEMU"].split(), *b.get("MORE", "").split(), "-accel", "tcg", "-nodefaults", "-display", "none", "-no-reboot", "-serial", b.get("SERIAL", "stdio"),
            "-kernel", str(direct(b)), "-initrd", initrd, "-append", words(b, init, append), *dtb(b)], initrd


class Boot(str):
    """What the console said, and whether the machine ended by itself."""
    def __new__(cls, text, ended):
        self = super().__new__(cls, f"{'ended by itself' if ended else 'had to be killed'}:\n{text[-6000:]}")
        self.text, self.ended = text, ended
        return self


def boot(b, files, append="", init="/husk", timeout=120, until=None, typed=()):
    """To the end of the machine, of the time, or until the console has said that text. TYPED: what is
    said there, and what is typed then, one after the other."""
    args, initrd = command(b, files, append, init)
    out, more, end, seen = b"", b" ", time.monotonic() + timeout, 0
    typed = list(typed)
    with subprocess.Popen(args, stdin=subprocess.PIPE if typed else subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as p:
        try:
            while select.select([p.stdout], [], [], max(0, end - time.monotonic()))[0]:
                more = os.read(p.stdout.fileno(), 65536)
                out += more
                if typed and (at := out.find(typed[0][0].encode(), seen)) >= 0:
                    seen = at + len(typed[0][0])
                    os.write(p.stdin.fileno(), typed.pop(0)[1].encode())
                if not more or (until and until.encode() in out):
                    break
            ended = not more and p.wait(10) == 0
        finally:
            p.kill()
            os.unlink(initrd)
    return Boot(out.decode(errors="replace").replace("\r", ""), ended)


MOUNTS = {	# below /sys/fs/cgroup, by a shell; what is not there is not mounted
    "none": "",
    "v2": "mount -t cgroup2 -o nsdelegate cg /sys/fs/cgroup",
    "v1": """mount -t tmpfs cg /sys/fs/cgroup
for c in memory pids cpu cpuacct cpuset devices freezer blkio hugetlb rdma misc net_cls net_prio; do
	mkdir /sys/fs/cgroup/$c; mount -t cgroup -o $c cg /sys/fs/cgroup/$c || rmdir /sys/fs/cgroup/$c
done 2>/dev/null""",
}
MOUNTS["hybrid"] = MOUNTS["v1"].replace("pids cpu ", "").replace("cpuset devices freezer blkio", "devices freezer") + \
    "\nmkdir /sys/fs/cgroup/unified; mount -t cgroup2 cg /sys/fs/cgroup/unified"
GUEST = """#!/bin/sh
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev; mkdir -p /dev/pts /dev/shm; ln -s /proc/self/fd /dev/fd
mount -t devpts dev /dev/pts; mount -t tmpfs tmp /tmp; mount -t tmpfs run /run
exec </dev/console >/dev/console 2>&1
%s
. /script
busybox poweroff -f
"""
# With QEMU 7.2's own x86_64 every fourth boot of 6.12
# ends in a panic before there is a process 1; why is not known. With this one none did.
ICOUNT = {"qemu-x86_64": " -cpu Nehalem-v1,+rdrand,-cx16"}


def guest(name, script, version="6.1", layout="v2", files=None, append="", icount=None, memory=None, timeout=120, more=""):
    """Runs a shell script as root in a guest: board NAME, Debian's kernel VERSION, cgroups mounted as LAYOUT (MOUNTS).
    husk is the board's; a busybox root for boxes is in /srv/root, with /bin/effect of test/effect.c. FILES: path -> file(text), program(bytes), ... The Boot that comes back has .text.
    MORE: words for QEMU. ICOUNT: the clock counts instructions, each 2**ICOUNT ns of the guest's time: a guest that sleeps costs nothing."""
    b = of(name, version)
    if memory:
        b["QEMU"] = b["QEMU"].replace("-m 256", f"-m {memory}")
    if icount is not None:
        b["MORE"] = f"-icount shift={icount},sleep=off" + ICOUNT.get(name, "")
    elif version == "6.12":
        b["MORE"] = ICOUNT.get(name, "")
    b["MORE"] = f"{b.get('MORE', '')} {more}"
    tree = with_husk(b) | {"script": file(script), "init": program(GUEST % MOUNTS[layout]), "srv/root/bin/effect": program(compiled(b, "effect.c"))}
    return boot(b, tree | (files or {}), append, "/init", timeout)


# ------------------------------------------------------------------------ the image

# What an image shows: a server that anybody may ask, a shell for who attaches to it, and one that crashes.
BOXES = {
    "web": """exec=/bin/busybox httpd -f -p 0.0.0.0:8080 -h /www
root=/srv/root
bind=/data/www:/www
net=host
ready=port:8080
memory.max=32M
pids.max=20
restart=always 1s..30s
""",
    "shell": """exec=/bin/sh -i
root=/srv/root
tty=yes
stop.signal=HUP
restart=always 1s..30s
after=web
""",
    "crash": """exec=/bin/sh -c "sleep 1; kill -SEGV $$"
root=/srv/root
restart=always 300ms..10s
after=shell
""",
}


def wanted(b):
    """The modules of the disk, and of the root that is on it"""
    return f"{b.get('MODULES', '')} {b.get('ROOT', '')}".split()


def modules(b):
    """Those that the board wants, and what those need, with the list of it that busybox's depmod makes."""
    at, known, todo, files = kernel(b), {}, [m.replace("-", "_") for m in wanted(b)], {}
    for f in sorted(at.glob("lib/modules/**/*.ko*")):
        known.setdefault(f.name.split(".")[0].replace("-", "_"), f)
    if todo:
        there = set(known) | {pathlib.PurePath(l).stem.replace("-", "_") for f in at.glob("**/modules.builtin") for l in f.read_text().split()}
        if wrong := [m for m in wanted(b) if m.replace("-", "_") not in there]:
            raise SystemExit(f"boards/{b['NAME']}.mk: MODULES: {' '.join(wrong)}: not in this kernel, {b['KERNEL']}")
    if not set(todo) & set(known):
        return {}
    with tempfile.TemporaryDirectory() as to:
        while todo:
            f = known.get(todo.pop())
            path = f and f"{f.relative_to(at)}".removesuffix(".xz")
            if not f or path in files:
                continue		# it is in this kernel, or has been found
            data = module(b, f.name.split(".")[0])
            files[path] = file(data)
            todo += re.search(rb"\0depends=([^\0]*)\0", data)[1].decode().replace("-", "_").replace(",", " ").split()
            (pathlib.Path(to) / path).parent.mkdir(parents=True, exist_ok=True)
            (pathlib.Path(to) / path).write_bytes(data)
        version = path.split("/")[2]
        subprocess.run(["busybox", "depmod", "-b", to, version], check=True)
        return files | {f"lib/modules/{version}/modules.dep": file((pathlib.Path(to) / f"lib/modules/{version}/modules.dep").read_bytes())}


def run(*words, **more):
    """A program of this machine."""
    try:
        return subprocess.run(words, check=False, env=os.environ | {"PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}, **more)
    except FileNotFoundError:
        raise SystemExit(f"no {words[0]}: sh test/setup.sh test") from None


def made(*words, **more):
    """By one that says nothing where it works"""
    if (r := run(*words, capture_output=True, text=True, **more)).returncode:
        raise SystemExit(f"{words[0]}: {r.stderr}")


def tree(files, at):
    """Files of the guest as files of a directory; no devices."""
    at.chmod(0o755)
    for path, (mode, data) in sorted(files.items()):
        p = at / path
        p.parent.mkdir(parents=True, exist_ok=True)
        if stat.S_ISDIR(mode):
            p.mkdir(exist_ok=True)
        elif stat.S_ISLNK(mode):
            p.symlink_to(data.decode())
        elif stat.S_ISREG(mode):
            p.write_bytes(data)
            p.chmod(mode & 0o777)
    return at


def ext4(files, at, megabytes, label="data", begin=0):
    """A file system of these files from that megabyte of a file on, without a mount."""
    with tempfile.TemporaryDirectory() as to:
        made("mke2fs", "-q", "-F", "-t", "ext4", "-L", label, "-E", f"root_owner=0:0,offset={begin << 20}", "-d", tree(files, pathlib.Path(to)), at, f"{megabytes}M")


def squashfs(files, at, begin=0):
    with tempfile.TemporaryDirectory() as to:
        made("mksquashfs", tree(files, pathlib.Path(to)), at, "-quiet", "-no-progress", "-noappend", "-all-root", "-offset", f"{begin}M")
    return at


def partitions(at, *parts):
    """That file becomes a disk with these: (name, megabytes), one behind the other from the first megabyte on, and one is left behind the last. Their numbers come back."""
    ids = [uuid.uuid5(uuid.NAMESPACE_DNS, name) for name, _ in parts]
    os.truncate(at, sum(size for _, size in parts) + 2 << 20)
    made("sfdisk", "-q", "-W", "never", at, input="label: gpt\n" + "".join(f"size={size}MiB, name={name}, uuid={own}\n" for (name, size), own in zip(parts, ids)))
    return ids


ROOT, DATA = 30, 32		# megabytes; with what is around them 64: the size of an SD card is a power of two


def image(b, where=None):
    """All that the board boots, in out/NAME. With ROOT = squashfs that is a disk with such a root and a partition for data, and an
    initramfs that goes there; else an initramfs that stays, and a disk for data."""
    where = where or TOP / "out" / b["NAME"]
    mods = modules(b)
    load = "".join(f"board.module={m}\n" for m in wanted(b) if m.replace("-", "_") in {pathlib.PurePath(f).stem.replace("-", "_") for f in mods})	# the others are in the kernel
    conf = (TOP / "boards" / f"{b['NAME']}.conf").read_text() + "mount=LABEL=data:/data:ext4\n" * bool(b.get("DISK"))
    if "board.console=" not in conf:
        conf += "board.console=console /bin/sh -l\n"		# the rescue shell takes its place: two who read would share the keys
    boxes = dict(BOXES)
    if b["DEBARCH"] == "i386":		# whose C library makes sockets by one call for all, which no filter sees into
        boxes["web"] += "syscalls=+socketcall\n"
    files = with_husk(b, boxes, conf) | {"data/www/index.html": file("hello from a box\n"), "srv/root/www": directory()}
    data = {"www/index.html": file("hello from the disk\n")}
    disk = where / "disk"
    disk.unlink(missing_ok=True)
    if b.get("ROOT"):
        files["sbin/husk"] = files.pop("husk")
        if squashfs(files, disk, begin=1).stat().st_size > 1 + ROOT << 20:
            raise SystemExit(f"{disk}: its root is larger than {ROOT} megabytes: ROOT in test/qemu.py")
        partitions(disk, ("root", ROOT), ("data", DATA))
        ext4(data, disk, DATA, begin=1 + ROOT)
        files = initramfs(b, load)
    elif b.get("DISK"):
        ext4(data, disk, DATA)
        files["etc/husk/board.conf"] = file(load + conf)
    (where / "initrd").write_bytes(cpio(files | mods))
    (where / "kernel").write_bytes(vmlinuz(b).read_bytes())
    if "DTB" in b:
        (where / "dtb").write_bytes(pathlib.Path(dtb(b)[1]).read_bytes())
    (where / "append").write_text(words(b, append="root=PARTLABEL=root rootwait" * bool(b.get("ROOT"))) + "\n")
    return where


def machine(b, where, append="", serial="stdio"):
    """QEMU's words for an image. Nobody cuts the power of this machine: its disk need not wait for ours."""
    drive = b["DRIVE"].replace("DISK", f"{where / 'disk'},cache=unsafe").split() if b.get("DRIVE") else []
    return [*b["QEMU"].split(), *b.get("MORE", "").split(), "-accel", "tcg", "-nodefaults", "-display", "none", "-no-reboot", "-serial", serial,
            *drive, "-kernel", str(where / "kernel"), "-initrd", str(where / "initrd"), "-append", (where / "append").read_text().strip() + " " + append,
            *(["-dtb", str(where / "dtb")] if "DTB" in b else [])]


class Console:
    """A machine at whose serial line somebody types."""
    def __init__(self, args, timeout):
        self.text, self.end = "", time.monotonic() + timeout
        self.p = subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def __enter__(self):
        return self

    def __exit__(self, *why):
        self.p.kill()
        self.p.wait()
        self.p.stdin.close()
        self.p.stdout.close()

    def __repr__(self):
        return self.text[-6000:]

    def more(self):
        """Reads on; False at the end of the machine, or of the time."""
        got = select.select([self.p.stdout], [], [], max(0, self.end - time.monotonic()))[0] and os.read(self.p.stdout.fileno(), 65536)
        self.text += (got or b"").decode(errors="replace").replace("\r", "")
        return bool(got)

    def until(self, pattern, since=0):
        """What it says comes to a match of the pattern, or to its end: the match or None."""
        while not (m := re.search(pattern, self.text[since:], re.M)) and self.more():
            pass
        return m or re.search(pattern, self.text[since:], re.M)

    def ask(self, command, n=[0]):
        """What that command of a shell says, and its status; None if it never ended."""
        n[0] += 1
        since = len(self.text)
        os.write(self.p.stdin.fileno(), f"{command}; echo '@'{n[0]} $?\n".encode())
        m = self.until(rf"^@{n[0]} (\d+)$", since)
        return m and (self.text[since:since + m.start()].rsplit(f"'@'{n[0]} $?\n")[-1], int(m[1]))


def wrong(name):
    """Is there no such board for an image? What this machine's own husk says of its board.conf goes to the terminal."""
    conf = TOP / "boards" / f"{name}.conf"
    if not conf.exists():
        print(f"boards/{name}.conf: no such file: make BOARD=NAME, NAME of {' '.join(sorted(f.stem for f in conf.parent.glob('*.conf')))}", file=sys.stderr)
        return True
    with tempfile.TemporaryDirectory() as to:
        (pathlib.Path(to) / "board.conf").write_text(conf.read_text())
        if not (TOP / "out/husk").exists():
            return False
        r = subprocess.run([TOP / "out/husk", "check", "./board.conf"], cwd=to, check=False, capture_output=True, text=True)
        print(r.stderr.replace("./board.conf", f"boards/{name}.conf"), end="", file=sys.stderr)
        return r.returncode != 0


def main(args):
    if args and args[0] == "fetch":
        for name in args[1:] or BOARDS:
            versions = ["6.1"] if board(name)["DEBARCH"] == "i386" else SUITES		# no later ones are made for it, and no test wants an older one
            print(*(vmlinuz(of(name, v)) for v in versions), len(busybox(board(name))))
        return 0
    if len(args) in (1, 2) and wrong(args[-1]):
        return 2
    if len(args) == 2 and args[0] == "image":
        where = image(board(args[1]))
        print(*(f"{f.stat().st_size:10} {f.relative_to(TOP)}" for f in (where / n for n in "kernel initrd dtb disk append".split()) if f.exists()), sep="\n")
        return 0
    if len(args) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    b = board(args[0])
    print("(Ctrl-a x ends it)")
    return run(*machine(b, image(b), serial="mon:stdio")).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
