"""Disks of a board: an initramfs that switches to the real root, modules, mount= by what stands on a disk, fsck, mkfs, swap, an overlay, a seed, the clock."""
import re
import shutil
import subprocess
import time
import uuid

import pytest

import disks
import qemu
import test_boot
from test_boot import said

BOARD = "qemu-arm64"		# the fastest to emulate
MB = disks.MB

# what is not needed twice stands where it is found by its name alone
SCRIPT = """exec=/bin/sh /script
use=host
log=inherit
"""
OWN = qemu.os.environ | {"PATH": qemu.os.environ["PATH"] + ":/sbin:/usr/sbin"}
MODULES = "board.module=virtio_pci\nboard.module=virtio-blk\nboard.module=squashfs\n"


@pytest.fixture(params=[BOARD, "qemu-armv7"])
def machine(request):
    """6.12: its modules are compressed, and the kernel can read them. One for ARMv7 without LPAE has its PCI below 4 GB."""
    test_boot.ready(request.param)
    b = qemu.of(request.param, "6.12")
    return b | {"QEMU": b["QEMU"].replace("-M virt", "-M virt,highmem=off")}


def drives(b, *images):
    words = "".join(f" -drive file={f},if=none,format=raw,id=d{i} -device virtio-blk-pci,drive=d{i}" for i, f in enumerate(images))
    return b | {"MORE": b.get("MORE", "") + words}


def root_of(b, conf, script, *more):
    """The files of a root that husk keeps."""
    files = qemu.with_husk(b, {"script": SCRIPT}, conf) | {"script": qemu.file(script), "lib": qemu.directory(), "sbin/mkfs.ext4": qemu.program(MKFS),
                                                          "sbin/fsck.ext4": qemu.program(FSCK), "sbin/mkswap": qemu.link("/bin/busybox"), "bin/mke2fs": qemu.link("busybox")}
    for d in ("srv/root",):
        files = {k: v for k, v in files.items() if not k.startswith(d)}
    files |= {d: qemu.directory() for d in ("data", "var/lib/husk", "var/log2", "mnt/x", "mnt/half", "lib/modules", "srv/root")}
    for m in more:
        files |= m
    return files


# of the one that is called half it comes no further than that, as where the power goes
MKFS = """#!/bin/sh
echo "@mkfs $*"; case "$* $(cat /proc/cmdline)" in *jump*) ;; *half*) dd if=/dev/urandom of=$4 bs=4k seek=8 count=8 2>/dev/null; sync; exit 1 ;; esac
exec /bin/mke2fs "$@"
"""
# it says what is said of it by a file beside the disk, and of vdb3 that it has to ask
FSCK = '#!/bin/sh\necho "@fsck $*"; [ "$*" != "-a /dev/vdb3" ] || exit 4; exit $(cat /fsck.status)\n'


def initramfs(b, conf):
    return qemu.initramfs(b, conf) | {"gone/a/b": qemu.file("x" * 100000)} | disks.modules(b, "virtio_blk", "virtio_pci", "squashfs")


CONF = MODULES + """board.module=overlay metacopy=off
board.module=nothing_like_it
board.module=crc32c_generic
board.module=ext4
mount=LABEL=data:/data:ext4,noatime,fsck
mount=LABEL=log:/var/log2:ext4,mkfs
mount=LABEL=swap0:none:swap
mount=PARTUUID=%s:/mnt/x:ext4,fsck=yes
mount=LABEL=half:/mnt/half:ext4,mkfs
?mount=LABEL=absent:/srv/root
?mount=PARTLABEL=absent:/mnt
board.overlay=/data/overlay
"""
LOOK = """
cat /proc/mounts | sed 's/^/@mount /'
sed 1d /proc/swaps | sed 's/^/@swap /'
echo "@root $(cat /etc/hosts | wc -l) $(ls / | tr '\\n' ' ')"
echo "@times $(cat /etc/times 2>/dev/null)"; echo x >>/etc/times
until [ -e /var/lib/husk/seed ]; do usleep 100000; done
echo "@seed $(stat -c '%a %s' /var/lib/husk/seed)"; sum=$(busybox md5sum </var/lib/husk/seed); echo "@sum $sum $(cat /etc/sum)"; echo "$sum" >/etc/sum
echo "@lo $(ifconfig lo | grep -c UP)"; echo "@clock $(date +%s)"
! grep -q jump /proc/cmdline || { date -s 2033.01.01-00:00:00 >/dev/null; until [ "$(date -r /var/lib/husk/seed +%Y)" = 2033 ]; do usleep 100000; done; echo @jumped; }
echo "@modules $(cut -d' ' -f1 /proc/modules | sort | tr '\\n' ' ') $(cat /sys/module/overlay/parameters/metacopy)"
echo "@x $(cat /mnt/x/hello)"; echo "@pid1 $(readlink /proc/1/exe) $(ls -ld /proc/1/root/gone 2>&1)"
husk run root=/ user=root name=in -- /bin/sh -c 'echo "@inside $(cat /etc/times | wc -l)"'
husk poweroff
"""


def test_the_real_root(machine, tmp_path):
    """/init of an initramfs, a squashfs root by root=, all kinds of mount=, an overlay on a disk; and once more, with what was written."""
    b = machine
    fs = disks.ext4(tmp_path, "data", 16), bytes(16 * MB), disks.ext4(tmp_path, "x", 4, {"hello": qemu.file("hello\n")})
    swap = tmp_path / "swap"
    swap.write_bytes(bytes(4 * MB))
    subprocess.run(["mkswap", "-q", "-L", "swap0", swap], check=True)
    disk = tmp_path / "disk"
    where, ids = disks.gpt(disk, ("data", fs[0]), ("log", fs[1]), ("x", fs[2]), ("swap", swap.read_bytes()), ("half", bytes(4 * MB)))
    conf = CONF % ids[2]
    mods = disks.modules(b, "virtio_blk", "virtio_pci", "squashfs", "overlay", "crc32c_generic", "ext4")
    root = disks.squashfs(tmp_path, root_of(b, conf, LOOK, mods, {"fsck.status": qemu.file("1\n")}))
    b = drives(b, root, disk)
    r = qemu.boot(b, initramfs(b, MODULES), "root=/dev/vda rootwait init=/sbin/husk", "/husk")
    assert r.ended and "Power down" in r.text, r
    mounts = {m.split()[1]: m.split() for m in said(r, "mount")}
    assert mounts["/"][2] == "overlay" and mounts["/data"][0] == "/dev/vdb1" and "noatime" in mounts["/data"][3], r
    assert mounts["/var/log2"][0] == "/dev/vdb2" and mounts["/mnt/x"][0] == "/dev/vdb3" and said(r, "x") == ["hello"], r
    assert said(r, "swap")[0].startswith("/dev/vdb4"), r
    assert said(r, "fsck") == ["-a /dev/vdb1", "-a /dev/vdb3", "-y /dev/vdb3"] and r.text.count("fsck.ext4: status 1: mended") == 2, r
    assert "vdb3: fsck.ext4: status 4: -y\n" in r.text and " rw," in " ".join(mounts["/mnt/x"]), r
    assert said(r, "mkfs") == ["-F -L log /dev/vdb2", "-F -L half /dev/vdb5"] and "/mnt/half" not in mounts, r
    header = lambda: disk.read_bytes()[-512:]
    assert header()[:8] == b"EFI PART" and any(header()[92:]), header()		# that one was begun
    assert "board.module: nothing_like_it" in r.text and "mount: LABEL=absent: No such device" in r.text, r
    there = {k: sorted(l.split()) for k, l in re.findall(r"^husk: (\w+)=absent: waited for 3 s; there are: (.*)$", r.text, re.M)}
    assert there == {"LABEL": ["vdb1=data", "vdb2=log", "vdb3=x", "vdb4=swap0"], "PARTLABEL": ["vdb1=data", "vdb2=log", "vdb3=x", "vdb4=swap", "vdb5=half"]}, r.text
    assert said(r, "times") == [""] and said(r, "inside") == ["1"] and said(r, "lo") == ["1"], r
    assert said(r, "seed") == ["600 32"], r
    assert said(r, "modules")[0].endswith(" N"), r
    first = said(r, "sum")[0]
    for n in range(2):
        data = disk.read_bytes()[where[n]:where[n] + 16 * MB]
        assert disks.clean(tmp_path, data)[0], disks.clean(tmp_path, data)[1]
    # its clock has lost its battery: the time is that of the seed; and somebody knows better
    b["MORE"] += " -rtc base=2080-01-01"
    r = qemu.boot(b, initramfs(b, "memroy.max=1\n" + MODULES), "root=/dev/vda jump husk.board.fail=reboott", "/husk")
    # a line that is wrong, there and of the kernel: it goes to the root in spite of that, which finds the second one again
    assert r.text.count("/board.conf:1: memroy.max: ") == 1 and r.text.count("board.fail: ") == 2 and r.text.count("husk: rescue: ") == 1, r
    assert abs(int(said(r, "clock")[0]) - time.time()) < 86400 and said(r, "jumped") == [""], r
    assert said(r, "mkfs") == ["-F -L half /dev/vdb5"] and any(m.startswith("/dev/vdb5 /mnt/half ext4 rw,") for m in said(r, "mount")) and not any(header()[92:]), r
    assert r.ended and said(r, "times") == ["x"] and said(r, "inside") == ["2"], r
    # another one was written on the way down and yet another one at boot
    assert first.split()[0] == said(r, "sum")[0].split()[2] != said(r, "sum")[0].split()[0], r


OTHER = """#!/bin/sh
echo "@other $$ $(sed -n 's/^SigBlk:[[:space:]]*//p' /proc/1/status)"
grep ' / ' /proc/mounts | tail -n 1 | sed 's/^/@oroot /'; ls /gone 2>&1 | sed 's/^/@ogone /'; ls -d /dev/null /sys/block | sed 's/^/@odev /'
mount -o remount,ro /; busybox poweroff -f; sleep 100
"""
READONLY = """
grep ' / ' /proc/mounts | tail -n 1 | sed 's/^/@root /'; (echo x >/data/x) 2>&1 | sed 's/.*: /@data /'; (echo x >/etc/x) 2>&1 | sed 's/.*: /@write /'
grep ' /data ' /proc/mounts | sed 's/^/@mount /'
until [ -e /var/lib/husk/seed ] || ! grep -q overlay /proc/cmdline; do usleep 100000; done; ls /var/lib/husk | wc -l | sed 's/^/@seed /'
husk run root=/srv/root name=in -- /bin/true; echo "@run $?"
husk poweroff
"""


def test_other_roots(tmp_path):
    """By PARTUUID, read-only, and a file system that fsck gives up; by LABEL with an init that is not husk; a tmpfs over one; and none that is there."""
    test_boot.ready(BOARD)
    b = qemu.of(BOARD, "6.1")		# its modules are not compressed, and more of them
    mods = disks.modules(b, "virtio_blk", "virtio_pci", "overlay")
    conf = "board.module=overlay\nmount=LABEL=data:/data:fsck\n"
    tree = root_of(b, conf, READONLY, mods, {"fsck.status": qemu.file("4\n"), "other": qemu.program(OTHER)}, qemu.rootfs(b, "srv/root"))
    disk = tmp_path / "disk"
    where, ids = disks.gpt(disk, ("one", disks.ext4(tmp_path, "root", 24, tree)), ("two", disks.ext4(tmp_path, "data", 4)))
    b = drives(b, disk)
    r = qemu.boot(b, initramfs(b, MODULES), f"root=PARTUUID={ids[0]} rootfstype=ext4 ro husk.mount=/dev/root:/:fsck", "/husk")
    assert r.ended and said(r, "root")[0].startswith("/dev/vda1 / ext4 ro,"), r
    assert said(r, "data") == said(r, "write") == ["Read-only file system"] and " ro," in said(r, "mount")[0], r
    assert r.text.count("fsck.ext4: status 4: mounted read-only") == 2 and said(r, "seed") == ["0"] and said(r, "run") == ["0"], r
    # a file system that is chosen by board.conf, and what it has instead of husk
    r = qemu.boot(b, initramfs(b, MODULES + "board.root=LABEL=root:ext4,noatime\n"), "rw init=/other", "/husk")
    assert r.ended and said(r, "other") == ["1 0000000000000000"], r
    assert said(r, "oroot")[0].startswith("/dev/vda1 / ext4 rw,noatime"), r
    assert said(r, "ogone") == ["ls: /gone: No such file or directory"] and said(r, "odev") == ["/dev/null", "/sys/block"], r
    r = qemu.boot(b, initramfs(b, MODULES), "rw root=LABEL=root husk.board.overlay=8M husk.mount=/dev/root:/:fsck", "/husk")
    assert "husk: /: not checked: it is not read-only, or on no disk\n" in r.text, r
    assert r.ended and said(r, "root")[0].startswith("overlay / overlay rw,") and said(r, "write") == [] and said(r, "seed") == ["1"], r
    data = disk.read_bytes()[where[0]:where[0] + 24 * MB]
    assert disks.clean(tmp_path, data)[0], disks.clean(tmp_path, data)[1]
    r = qemu.boot(b, qemu.rootfs(b) | initramfs(b, "memroy.max=1\n" + MODULES), "root=/dev/vda1 init=/nothing", "/husk", until="@gone 100000\r", typed=[("Press Enter", "\n"), ("# ", "echo @gone $(stat -c %s /gone/a/b)\n")])
    assert "board.root: /nothing: No such file or directory" in r.text and said(r, "gone") == ["100000"], r


CHECKED_SH = """
grep ' / ' /proc/mounts | tail -n 1 | sed 's/^/@root /'; echo x >/etc/x; stat -c %h /etc/hosts | sed 's/^/@links /'; husk poweroff
"""


def test_the_root_is_checked(tmp_path):
    """As a kernel mounts it, read-only: e2fsck mends it, which the kernel does not see, so the board reboots; then it is writable, with its options."""
    test_boot.ready(BOARD)
    b = qemu.of(BOARD, "6.1")
    fsck = qemu.program((qemu.tool("e2fsck-static", b["DEBARCH"]) / "sbin/e2fsck.static").read_bytes())
    tree = root_of(b, "mount=/dev/root:/:fsck,noatime\n", CHECKED_SH) | {"sbin/fsck.ext4": fsck}
    disk = tmp_path / "disk"
    disk.write_bytes(disks.ext4(tmp_path, "root", 24, tree))
    for c in "set_inode_field /etc/hosts links_count 7", "set_super_value state 2":
        subprocess.run(["debugfs", "-w", "-R", c, disk], check=True, capture_output=True)
    b = drives(b, disk)
    r = qemu.boot(b, initramfs(b, MODULES), "root=LABEL=root", "/husk")
    assert r.ended and "fsck.ext4: status 3: mended\n" in r.text and "husk: /dev/vda: reboot\n" in r.text and "Restarting system" in r.text and not said(r, "root"), r
    r = qemu.boot(b, initramfs(b, MODULES), "root=LABEL=root", "/husk")
    assert r.ended and "husk: /" not in r.text and said(r, "links") == ["1"], r
    assert said(r, "root")[0].startswith("/dev/vda / ext4 rw,noatime"), r
    assert disks.clean(tmp_path, disk.read_bytes())[0]


# On Debian's kernel FAT takes its letters from modules that nothing names.
KINDS = MODULES + "".join(f"board.module={m}\n" for m in "vfat nls_cp437 nls_ascii xfs".split()) + """mount=LABEL=FATDISK:/fat:vfat,noexec
mount=UUID=1234-ABCD:/fat2:ro
mount=UUID=%s:/xfs:xfs
mount=PARTLABEL=sq:/sq:squashfs
mount=UUID=%s:/ext:ext4,fsck
mount=UUID=%s:none:swap
mount=LABEL=NEWFAT:/newfat:vfat,mkfs
"""
KINDS_SH = """
grep -E ' /(x|f|e|s|n)[a-z0-9]+ ' /proc/mounts | grep ^/dev/vd | sed 's/^/@mount /'; sed 1d /proc/swaps | sed 's/^/@swap /'
for d in fat xfs ext newfat; do echo "of $d" >/$d/note; done; echo "@notes $(cat /fat/note /xfs/note /ext/note /newfat/note | tr '\\n' ' ')"; echo "@hello $(cat /sq/hello)"
husk poweroff
"""


def made(at, megabytes, *words):
    """What a program makes of a file of that size."""
    with open(at, "wb") as f:
        f.truncate(megabytes * MB)
    if not shutil.which(words[0], path=OWN["PATH"]):
        pytest.skip(f"no {words[0]}")
    subprocess.run([*words, at], check=True, capture_output=True, env=OWN)
    return at.read_bytes()


def test_kinds_of_file_systems(tmp_path):
    """FAT, xfs, squashfs, ext4 and swap of their own programs, by LABEL, UUID and PARTLABEL; a blank one becomes FAT; and the programs of the others find nothing wrong after."""
    test_boot.ready(BOARD)
    b = qemu.of(BOARD, "6.1")
    ids = [str(uuid.uuid5(uuid.NAMESPACE_DNS, n)) for n in ("xfs", "ext", "swap")]
    parts = ("fat", made(tmp_path / "fat", 8, "mkfs.vfat", "-n", "FATDISK")), ("fat2", made(tmp_path / "fat2", 40, "mkfs.vfat", "-F", "32", "-i", "1234abcd")), \
        ("xfs", made(tmp_path / "xfs", 20, "mkfs.xfs", "--unsupported", "-q", "-m", "uuid=" + ids[0])), \
        ("sq", disks.squashfs(tmp_path, {"hello": qemu.file("from squashfs\n")}).read_bytes().ljust(MB, b"\0")), \
        ("ext", made(tmp_path / "ext", 4, "mke2fs", "-q", "-F", "-t", "ext4", "-U", ids[1])), ("swap", made(tmp_path / "swap", 4, "mkswap", "-q", "-U", ids[2])), ("NEWFAT", bytes(8 * MB))
    disk = tmp_path / "disk"
    where, _ = disks.gpt(disk, *parts)
    conf = KINDS % tuple(ids)
    fsck = (qemu.tool("e2fsck-static", b["DEBARCH"]) / "sbin/e2fsck.static").read_bytes()
    files = root_of(b, conf, KINDS_SH, disks.modules(b, "virtio_blk", "virtio_pci", "squashfs", "vfat", "nls_cp437", "nls_ascii", "xfs"))
    files |= {"sbin/fsck.ext4": qemu.program(fsck), "sbin/mkfs.vfat": qemu.program("#!/bin/sh\nexec /bin/busybox mkdosfs \"$@\"\n")}
    r = qemu.boot(drives(b, disk), files)
    assert r.ended and "Power down" in r.text and "husk: mount" not in r.text, r
    mounts = {m.split()[1]: m.split() for m in said(r, "mount")}
    assert {at: m[0] + " " + m[2] for at, m in mounts.items()} == {"/fat": "/dev/vda1 vfat", "/fat2": "/dev/vda2 vfat", "/xfs": "/dev/vda3 xfs", "/sq": "/dev/vda4 squashfs",
                                                                  "/ext": "/dev/vda5 ext4", "/newfat": "/dev/vda7 vfat"}, r
    assert "noexec" in mounts["/fat"][3] and mounts["/fat2"][3].startswith("ro,") and said(r, "swap")[0].startswith("/dev/vda6"), r
    assert said(r, "notes") == ["of fat of xfs of ext of newfat "] and said(r, "hello") == ["from squashfs"], r
    for (name, data), at, look in zip(parts, where, ("fsck.vfat -n", "fsck.vfat -n", "xfs_repair -n -f -o force_geometry", None, "e2fsck -fn", None, None)):
        if look:
            (tmp_path / "after").write_bytes(disk.read_bytes()[at:at + len(data)])
            e = subprocess.run([*look.split(), tmp_path / "after"], capture_output=True, text=True, check=False, env=OWN)
            assert e.returncode == 0, (name, e.stdout + e.stderr)


# Kinds with programs of their own: how a disk of that many MB is made, its line and another one for a blank disk, where its programs are, what looks at it after.
# The kernels for clouds have no f2fs.
FLASH = {
    "f2fs": (64, "mkfs.f2fs -q -l flash", "mount=LABEL=flash:/f2fs:f2fs,fsck\nmount=LABEL=newf2fs:/newf2fs:f2fs,mkfs,fsck\n",
             "sbin/mkfs.f2fs sbin/fsck.f2fs", "f2fs-tools libc6 libblkid1 libuuid1 libselinux1 libpcre2-8-0 liblz4-1 liblzo2-2", "fsck.f2fs --dry-run"),
    "btrfs": (128, "mkfs.btrfs -q -U @", "mount=UUID=@:/btrfs:noatime\nmount=LABEL=newbtrfs:/newbtrfs:btrfs,mkfs,fsck\n",
              "sbin/mkfs.btrfs", "btrfs-progs libc6 libblkid1 libuuid1 libudev1 zlib1g libzstd1 liblzo2-2 libgcrypt20 libgpg-error0", "btrfs check --readonly"),
    "erofs": (0, "mkfs.erofs -U @", "mount=UUID=@:/erofs\n", "", "", "fsck.erofs"),
}
FLASH_SH = """
grep -E '^/dev/[^ ]* /(new)?(f2fs|btrfs|erofs) ' /proc/mounts | sed 's/^/@mount /'
for d in /f2fs /newf2fs /btrfs /newbtrfs; do ! grep -q " $d " /proc/mounts || { echo "of $d" >$d/note; sync; echo "@note $(cat $d/note)"; }; done
echo "@hello $(cat /erofs/hello)"
husk poweroff
"""


def flash(name, tmp_path, kernel=None):
    """By LABEL and UUID, with a type or without; a blank disk is made, and checked; and nothing is to be mended after."""
    b = test_boot.ready(name) | ({"KERNEL": kernel} if kernel else {})
    kinds = [k for k in FLASH if qemu.configured(b, k.upper() + "_FS")]
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/hello").write_text("from erofs\n")
    parts, conf, files = [], "".join(f"board.module={m}\n" for m in [*b["MODULES"].split(), "crc32_generic", *kinds]), {}
    for k in kinds:
        size, words, lines, programs, packages, _ = FLASH[k]
        own = str(uuid.uuid5(uuid.NAMESPACE_DNS, k))
        if size:
            parts += [(k, made(tmp_path / k, size, *words.replace("@", own).split())), ("new" + k, bytes(size * MB))]
        else:
            subprocess.run([*words.replace("@", own).split(), tmp_path / k, tmp_path / "tree"], check=True, capture_output=True)
            parts += [(k, (tmp_path / k).read_bytes().ljust(MB, b"\0"))]
        conf += lines.replace("@", own)
        for p in programs.split():
            files |= qemu.dynamic(b, p, packages)
    disk = tmp_path / "disk"
    where, _ = disks.gpt(disk, *parts)
    files |= {name: qemu.directory() for name, _ in parts}
    files |= root_of(b, conf, FLASH_SH, disks.modules(b, *(m.replace("-", "_") for m in b["MODULES"].split()), "crc32_generic", *kinds))
    b["MORE"] = b["DRIVE"].replace("DISK", f"{disk},cache=unsafe")
    b["QEMU"] = b["QEMU"].replace("-m 256", "-m 384")
    r = qemu.boot(b, files, timeout=300)
    assert r.ended and "Power down" in r.text, r
    mounts = {m.split()[1]: m.split() for m in said(r, "mount")}
    assert {at: m[2] for at, m in mounts.items()} == {f"/{name}": name.removeprefix("new") for name, _ in parts}, r
    assert sorted(said(r, "note")) == sorted(f"of {at}" for at in mounts if "erofs" not in at) and said(r, "hello") == ["from erofs"], r
    assert "noatime" in mounts["/btrfs"][3] and "fsck.btrfs: status 127: there is none" in r.text, r
    wrong = [l for l in re.findall("^husk: .*", r.text, re.M) if not re.search(r"blank: mkfs|fsck.btrfs: status 127|going down", l)]
    assert not wrong and len(re.findall(r"blank: mkfs\.", r.text)) == len(kinds) - 1, (wrong, r)
    for (part, data), at in zip(parts, where):
        (tmp_path / "after").write_bytes(disk.read_bytes()[at:at + len(data)])
        e = subprocess.run([*FLASH[part.removeprefix("new")][5].split(), tmp_path / "after"], capture_output=True, text=True, check=False, env=OWN)
        assert e.returncode == 0 and "[FIX]" not in e.stdout and "[ASSERT]" not in e.stdout, (part, e.stdout + e.stderr)


@pytest.mark.parametrize("name", ["qemu-x86_64", "qemu-armv7"])		# the others: make test-boards
def test_flash(name, tmp_path):
    flash(name, tmp_path)


SLOT = "mount=LABEL=env:/data:ext4\nboard.good=/bin/sh -c \"echo 0 >/data/tries.new; mv /data/tries.new /data/tries; sync\"\nboard.timeout=1m\nboard.fail=reboot\n"
SLOT_SH = """
echo "@slot $(sed -n 's/.*root=LABEL=//p' /proc/cmdline) $(cat /data/tries)"
echo >&5; husk wait --ready; echo "@wait $?"; [ -e /broken ] && sleep 1000
 until [ "$(cat /data/tries)" = 0 ]; do usleep 100000; done; echo @good; husk poweroff
"""


def test_two_slots(tmp_path):
    """An update in another root whose boxes are up, and that lacks a file system: husk reboots, the loader counts and takes the old one, whose board.good clears the count."""
    test_boot.ready(BOARD)
    b = qemu.of(BOARD, "6.1")
    tree = root_of(b, SLOT, SLOT_SH) | {"etc/husk/script.conf": qemu.file(SCRIPT + "ready=fd:5\n")}
    disk = tmp_path / "disk"
    where, _ = disks.gpt(disk, ("a", disks.ext4(tmp_path, "old", 12, tree)), ("b", disks.ext4(tmp_path, "new", 12, tree | {"broken": qemu.file(""), "etc/husk/board.conf": qemu.file(SLOT.replace("1m", "3s") + "mount=none:/mnt/x:nosuchfs\n")})),
                         ("env", disks.ext4(tmp_path, "env", 4, {"tries": qemu.file("0\n")})))
    b, env, said_all = drives(b, disk), tmp_path / "env", []

    def edit(*commands):
        env.write_bytes(disk.read_bytes()[where[2]:where[2] + 4 * MB])
        said = [subprocess.run(["debugfs", "-w", "-R", c, env], capture_output=True, text=True, check=True).stdout for c in commands]
        with open(disk, "r+b") as f:
            f.seek(where[2])
            f.write(env.read_bytes())
        return said[0]
    for _ in range(2):		# the boot loader: one try for the new one
        tries = int(edit("cat tries"))
        (tmp_path / "tries").write_text(f"{tries + 1}\n")
        edit("rm tries", f"write {tmp_path / 'tries'} tries")
        r = qemu.boot(b, initramfs(b, MODULES), f"root=LABEL={'old' if tries else 'new'}", "/husk")
        assert r.ended, r
        said_all.append((said(r, "slot"), said(r, "good"), said(r, "wait"), "husk: board: not good in 3 s: mount: none" in r.text, "Restarting system" in r.text))
    assert said_all == [(["new 1"], [], ["1"], True, True), (["old 2"], [""], ["0"], False, False)], (said_all, r)
    assert edit("cat tries") == "0\n"
