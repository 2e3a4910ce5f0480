"""Disks for guests: partitions with names, file systems, modules with the list of what each needs."""
import lzma
import re
import subprocess

import qemu

MB = 1 << 20


def gpt(path, *parts):
    """A disk with these partitions: (name, data), of whole megabytes. Their places come back, and their numbers."""
    where = []
    with open(path, "wb") as f:
        f.seek(MB)
        for _, data in parts:
            where.append(f.tell())
            f.write(data)
    return where, qemu.partitions(path, *((name, len(data) // MB) for name, data in parts))


def ext4(tmp, label, megabytes, files=None):
    """The bytes of a file system."""
    at = tmp / (label + ".ext4")
    qemu.ext4(files or {}, at, megabytes, label)
    return at.read_bytes()


def clean(tmp, data):
    """Whether fsck has nothing to say of a file system, not even of a journal that is left."""
    at = tmp / "checked"
    at.write_bytes(data)
    r = subprocess.run(["e2fsck", "-fn", at], capture_output=True, text=True, check=False)
    state = subprocess.run(["dumpe2fs", "-h", at], capture_output=True, text=True, check=True).stdout
    return r.returncode == 0 and "needs_recovery" not in state and re.search(r"^Filesystem state: +clean$", state, re.M), r.stdout + state


def squashfs(tmp, files):
    return qemu.squashfs(files, tmp / "root.squashfs")


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
