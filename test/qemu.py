#!/usr/bin/python3
"""Boards in QEMU: Debian's kernel, an initramfs with husk and busybox, the console as text.

    qemu.py BOARD            boots out/BOARD/husk as PID 1, on this terminal
    qemu.py fetch BOARD ...  kernels and busyboxes only
"""
import contextlib
import fcntl
import fnmatch
import gzip
import os
import pathlib
import re
import select
import stat
import subprocess
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parent.parent
KERNELS = TOP / "out" / "kernels"
BOARDS = "qemu-x86_64 qemu-i386 qemu-armv7 qemu-arm64".split()
# the guest's; board by board the same
APPLETS = ("sh ash cat cut date dd df dmesg echo env false free grep head hostname id ifconfig insmod kill ln ls mkdir mknod "
           "mount mv nc nproc ps pwd readlink rm rmdir sed seq setsid sleep sort stat sync tail test touch tr true "
           "umount uname unshare usleep wc wget yes poweroff reboot halt switch_root losetup").split()


def board(name):
    """What boards/NAME.mk says."""
    text = (TOP / "boards" / f"{name}.mk").read_text()
    return {"NAME": name, **dict(re.findall(r"^([A-Z]+)[ \t]*= *(.*)$", text, re.M))}


# ------------------------------------------------------------ what Debian gives

def apt(command, *args, check=True, **more):
    """All four architectures, whether dpkg knows them here or not. Nothing foreign is ever installed."""
    native = subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True, check=True).stdout.strip()
    archs = [native] + [a for a in ("amd64", "armhf", "arm64", "i386") if a != native]
    options = [x for a in archs for x in ("-o", f"APT::Architectures::={a}")] + ["-o", "APT::Sandbox::User=root"]
    return subprocess.run([command, "-q", *options, *args], capture_output=True, text=True, check=check, **more)


@contextlib.contextmanager
def locked():
    """One at a time, of all test processes."""
    KERNELS.mkdir(parents=True, exist_ok=True)
    with open(KERNELS / "lock", "w", encoding="ascii") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        yield


def newest(pattern):
    """Packages of that pattern, whose * is a number, the newest first."""
    names = [n for n in apt("apt-cache", "pkgnames", pattern.split("*")[0]).stdout.split()
             if fnmatch.fnmatchcase(n, pattern) and n[len(pattern.split("*")[0]):].split("-")[0].isdigit()
             and n.count("-") == pattern.count("-")]
    return sorted(names, key=lambda n: int(n[len(pattern.split("*")[0]):].split("-")[0]), reverse=True)


def unpack(package, arch, to):
    """Into the directory `to`, or None if there is no such package for the architecture."""
    done = apt("apt-get", "download", f"{package}:{arch}", check=False, cwd=KERNELS)
    debs = list(KERNELS.glob(f"{package}_*_{arch}.deb"))
    if done.returncode or not debs:
        return None
    subprocess.run(["dpkg", "-x", debs[0], to], check=True)
    for d in debs:
        d.unlink()
    return to


def get(what):
    """The first that comes; with the lists read anew if none does."""
    for fresh in (False, True):
        if fresh:
            apt("apt-get", "update", check=False)
        for one in what():
            if one:
                return one
    raise RuntimeError("no package: is there a mirror? apt-get update")


def kernel(b):
    """The directory of the unpacked kernel package; QEMU_KERNEL names another one."""
    if os.environ.get("QEMU_KERNEL"):
        return pathlib.Path(os.environ["QEMU_KERNEL"])

    def have():
        return [d for d in KERNELS.glob("x-" + b["KERNEL"]) if list(d.glob("boot/vmlinuz*"))]
    with locked():
        if have():
            return sorted(have())[-1]
        return get(lambda: (unpack(n, b["DEBARCH"], KERNELS / ("x-" + n)) for n in newest(b["KERNEL"])))


def busybox(b):
    """Debian's static busybox of the board's architecture."""
    to = KERNELS / ("busybox-" + b["DEBARCH"])
    with locked():
        if not (to / "bin/busybox").exists():
            get(lambda: [unpack("busybox-static", b["DEBARCH"], to)])
    return (to / "bin/busybox").read_bytes()


def tool(package):
    """A package for this machine, unpacked and not installed."""
    native = subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True, check=True).stdout.strip()
    to = KERNELS / f"{package}-{native}"
    with locked():
        return to if to.exists() else get(lambda: [unpack(package, native, to)])


def vmlinuz(b):
    return next(kernel(b).glob("boot/vmlinuz*"))


def module(b, name):
    """A module of the board's kernel, for insmod."""
    return next(kernel(b).rglob(name + ".ko")).read_bytes()


def compiled(b, source):
    """A static C program of test/ for the board, with its musl."""
    cc = b.get("TRIPLE", "") + "-gcc" if "TRIPLE" in b else "gcc"
    musl = (TOP / "out/musl/usr" if "TRIPLE" in b else pathlib.Path("/usr"))
    lib, to = musl / "lib" / b["MUSL"], TOP / "out" / b["NAME"] / source.removesuffix(".c")
    ask = lambda what: subprocess.run([cc, what], capture_output=True, text=True, check=True).stdout.strip()
    subprocess.run([cc, *b["CCFLAGS"].split(), "-O1", "-Wall", "-Wextra", "-Werror", "-static", "-fno-pie", "-no-pie", "-nostdlib", "-nostdinc",
                    "-isystem", musl / "include" / b["MUSL"], "-isystem", ask("-print-file-name=include"), "-o", to, lib / "crt1.o", lib / "crti.o",
                    TOP / "test" / source, "-Wl,--start-group", lib / "libc.a", ask("-print-libgcc-file-name"), "-Wl,--end-group", lib / "crtn.o"], check=True)
    return to.read_bytes()


# ------------------------------------------------------------------ the initramfs

def cpio(files):
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
    return gzip.compress(bytes(out), 1)


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
    files[at + "etc/group"] = file("root:x:0:\nuser:x:1000:\n")
    files[at + "etc/hosts"] = file("127.0.0.1 localhost\n")
    return files


def with_husk(b, boxes=None, conf=None):
    """As rootfs, with husk, board.conf and the boxes: name -> text of its file; a busybox root in /srv/root."""
    files = rootfs(b) | rootfs(b, "srv/root")
    files["husk"] = program((TOP / "out" / b["NAME"] / "husk").read_bytes())
    files |= {f"sbin/{n}": link("/husk") for n in "husk halt poweroff reboot".split()}
    for n in "halt poweroff reboot".split():
        del files["bin/" + n]
    files["dev/console"] = stat.S_IFCHR | 0o600, (5, 1)
    files["etc/husk/board.conf"] = file(conf if conf is not None else (TOP / "boards" / f"{b['NAME']}.conf").read_text())
    files |= {f"etc/husk/{n}.conf": file(t) for n, t in (boxes or {}).items()}
    return files


# ------------------------------------------------------------------------- the boot

def command(b, files, append="", init="/husk", serial="stdio"):
    where = TOP / "out" / b["NAME"]
    where.mkdir(parents=True, exist_ok=True)
    fd, initrd = tempfile.mkstemp(prefix="initrd-", dir=where)
    with open(fd, "wb") as f:
        f.write(cpio(files))
    words = f"console={b['CONSOLE']} rdinit={init} quiet panic=-1 {append}"
    return [*b["QEMU"].split(), "-accel", "tcg", "-nodefaults", "-display", "none", "-no-reboot", "-serial", serial,
            "-kernel", str(vmlinuz(b)), "-initrd", initrd, "-append", words], initrd


class Boot(str):
    """What the console said, and whether the machine ended by itself."""
    def __new__(cls, text, ended):
        self = super().__new__(cls, f"{'ended by itself' if ended else 'had to be killed'}:\n{text[-6000:]}")
        self.text, self.ended = text, ended
        return self


def boot(b, files, append="", init="/husk", timeout=120, until=None):
    """To the end of the machine, of the time, or until the console has said that text."""
    args, initrd = command(b, files, append, init)
    out, more, end = b"", b" ", time.monotonic() + timeout
    with subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as p:
        try:
            while select.select([p.stdout], [], [], max(0, end - time.monotonic()))[0]:
                more = os.read(p.stdout.fileno(), 65536)
                out += more
                if not more or (until and until.encode() in out):
                    break
            ended = not more and p.wait(10) == 0
        finally:
            p.kill()
            os.unlink(initrd)
    return Boot(out.decode(errors="replace").replace("\r", ""), ended)


DEMO = """exec=/bin/sh -c "echo; echo hello from a box on $(uname -m); grep -E '^(Cap|NoNewPrivs|Seccomp)' /proc/self/status; id; exec sleep 1000000"
root=/srv/root
user=1000
memory.max=32M
pids.max=20
"""


def main(args):
    if args and args[0] == "fetch":
        for name in args[1:] or BOARDS:
            print(vmlinuz(board(name)), len(busybox(board(name))))
        return 0
    if len(args) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    b = board(args[0])
    words, initrd = command(b, with_husk(b, {"hello": DEMO}), serial="mon:stdio")
    print("(Ctrl-a x ends it)")
    try:
        return subprocess.run(words, check=False).returncode
    finally:
        os.unlink(initrd)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
