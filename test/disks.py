"""Disks for guests: partitions with names, file systems, modules with the list of what each needs."""
import binascii
import lzma
import re
import shutil
import struct
import subprocess
import uuid

import qemu

SECTOR = 512
MB = 1 << 20


def gpt(path, *parts):
    """A disk with these partitions: (name, data); each begins at a whole megabyte. Their places come back, and their numbers."""
    size = sum(len(d) for _, d in parts) + 2 * MB
    sectors, at, entries, where = size // SECTOR, MB // SECTOR, b"", []
    ids = [uuid.uuid5(uuid.NAMESPACE_DNS, name) for name, _ in parts]
    for (name, data), own in zip(parts, ids):
        n = len(data) // SECTOR
        entries += struct.pack("<16s16sQQQ72s", uuid.UUID("0fc63daf-8483-4772-8e79-3d69d8477de4").bytes_le, own.bytes_le, at, at + n - 1, 0, name.encode("utf-16le"))
        where.append(at * SECTOR)
        at += n
    entries = entries.ljust(128 * 128, b"\0")

    def header(own, other, table):
        h = lambda crc: struct.pack("<8sIIIIQQQQ16sQIII", b"EFI PART", 0x10000, 92, crc, 0, own, other, 34, sectors - 34, uuid.uuid5(uuid.NAMESPACE_DNS, "disk").bytes_le,
                                    table, 128, 128, binascii.crc32(entries))
        return h(binascii.crc32(h(0))).ljust(SECTOR, b"\0")
    with open(path, "wb") as f:
        f.truncate(size)
        f.write(b"\0" * 446 + struct.pack("<B3sB3sII", 0, b"\0\2\0", 0xee, b"\xff" * 3, 1, sectors - 1).ljust(64, b"\0") + b"\x55\xaa")
        f.write(header(1, sectors - 1, 2) + entries)
        for (_, data), to in zip(parts, where):
            f.seek(to)
            f.write(data)
        f.seek((sectors - 33) * SECTOR)
        f.write(entries + header(sectors - 1, 1, sectors - 33))
    return where, ids


def ext4(tmp, label, megabytes, files=None, more=()):
    """The bytes of a file system."""
    at = tmp / (label + ".ext4")
    with open(at, "wb") as f:
        f.truncate(megabytes * MB)
    args = []
    if files:
        unpack(tmp / (label + ".d"), files)
        args = ["-d", tmp / (label + ".d")]
    subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", "-L", label, *args, *more, at], check=True)
    return at.read_bytes()


def clean(tmp, data):
    """Whether fsck has nothing to say of a file system, not even of a journal that is left."""
    at = tmp / "checked"
    at.write_bytes(data)
    r = subprocess.run(["e2fsck", "-fn", at], capture_output=True, text=True, check=False)
    state = subprocess.run(["dumpe2fs", "-h", at], capture_output=True, text=True, check=True).stdout
    return r.returncode == 0 and "needs_recovery" not in state and re.search(r"^Filesystem state: +clean$", state, re.M), r.stdout + state


def unpack(to, files):
    """As the cpio of qemu.py, but into a directory."""
    shutil.rmtree(to, ignore_errors=True)
    to.mkdir()
    subprocess.run(["cpio", "-idu", "--quiet"], input=qemu.archive(files), cwd=to, check=True)


def squashfs(tmp, files):
    to = tmp / "root.d"
    unpack(to, files)
    out = tmp / "root.squashfs"
    subprocess.run(["mksquashfs", to, out, "-quiet", "-noappend", "-comp", "gzip", "-no-progress"], check=True, capture_output=True)
    return out


def modules(b, *names):
    """Files of /lib/modules of the board's kernel, as depmod would list them: path -> file."""
    top = next(qemu.kernel(b).glob("**/lib/modules/*"))
    have = {p.name.split(".ko")[0].replace("-", "_"): p for p in top.rglob("*.ko*")}
    lines = {}

    def needs(name):
        data = have[name].read_bytes()
        data = lzma.decompress(data) if have[name].suffix == ".xz" else data
        found = re.search(rb"\0depends=([^\0]*)", data)[1].decode()
        return [n.replace("-", "_") for n in found.split(",") if n]

    def add(name):
        if name in lines or name not in have:
            return
        direct, every = needs(name), []
        for n in direct:
            add(n)
            every += [n, *(m for m in lines[n] if m not in every)]
        lines[name] = list(dict.fromkeys(every))
        lines[name].sort(key=lambda n: -len(lines[n]))		# who needs nobody is last
    for n in names:
        add(n)
    path = lambda n: str(have[n].relative_to(top))
    at = f"lib/modules/{top.name}/"
    files = {at + path(n): qemu.file(have[n].read_bytes()) for n in lines}
    dep = "".join(f"{path(n)}:{''.join(' ' + path(m) for m in lines[n])}\n" for n in lines)
    return files | {at + "modules.dep": qemu.file(dep), at + "modules.builtin": qemu.file((top / "modules.builtin").read_bytes())}
