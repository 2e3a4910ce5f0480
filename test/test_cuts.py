"""The power goes: while a board starts, while it runs, while it goes down. The next boot starts everything."""
import os
import random
import re

import disks
import qemu
import test_boot

BOARD = "qemu-arm64"		# the fastest to emulate
MB = disks.MB

INITRAMFS = """board.module=virtio_mmio
board.module=virtio_blk
board.root=LABEL=root:ext4,rw,fsck
"""
# /data is not checked: there the kernel reads the journal
CONF = """mount=LABEL=data:/data:ext4
board.good=/bin/sh /good
"""
GOOD = "n=$(cat /data/good); echo $((n+1)) >/data/good.new; mv /data/good.new /data/good; sync\n"
HOST = "use=host\n"
BOXES = {
    "tick": HOST + 'exec=/bin/sh -c "while :; do echo @t; usleep 50000; done"\nbefore=*\nlog=inherit\nlog.rate=max\n',		# how far it has come
    "web": qemu.BOXES["web"] + "log=/data/log.web:4K,keep=2\n",
    # what a disk has to bear: a file that is replaced all the time, and one that grows and is begun anew
    "writer": HOST + 'exec=/bin/sh /writer\nrestart=always\nlog=/data/log.writer:4K,keep=3\nlog.rate=max\n',
    "crash": qemu.BOXES["crash"].replace("after=shell\n", ""),
    "look": HOST + "exec=/bin/sh /look\nlog=inherit\nafter=*\n",
}
WRITER = """n=$(cat /data/n); echo "@had $n $(cat /data/good)" >/dev/console
trap 'end=20' TERM		# it writes on, for a while
while [ "$end" != 0 ]; do
	[ -z "$end" ] || end=$((end-1))
	n=$((n+1)); echo $n >/data/n.new; mv /data/n.new /data/n; echo "this is line $n" >/proc/self/fd/1; [ $((n%8)) != 0 ] || sync; usleep 20000
done
"""
LOOK = """husk wait --ready web
until [ $(husk list | grep -cE '^state=(running|ready)') -ge 4 ] && husk state crash restarts | grep -q '^[1-9]'; do usleep 200000; done
until [ "$(cat /data/good)" -gt 0 ] && husk logs writer | grep -q "this is line"; do usleep 200000; done
until [ -e /var/lib/husk/seed ]; do usleep 100000; done
echo "@seed $(stat -c '%a %s' /var/lib/husk/seed)"; echo "@all $(wget -qO- http://127.0.0.1:8080/)"
grep -q cut=down /proc/cmdline && husk poweroff
"""
RUN, ROOT, DATA = "Run /husk as init process", r"EXT4-fs \(vda1\): mounted", r"EXT4-fs \(vda2\): mounted"
PLAN, TICK, ALL, DOWN, OFF = "husk: plan: ", r"^@t\n", r"^@all .*\n", "husk: going down", r"EXT4-fs \(vda2\): unmounting"
# Where the console says that, and so many ticks on; the next that comes to ALL has found what the one before left.
MOMENTS = [(ALL, 0), (ROOT, 0), (DOWN, 0), (PLAN, 0), (ALL, 9), (TICK, 3), (DOWN, 3), (DATA, 0), (OFF, 0), (TICK, 8)]
START = [RUN, ROOT, DATA, PLAN, TICK]


def some(n):
    """That many moments, other ones with another CUTS_SEED=."""
    r = random.Random(os.environ.get("CUTS_SEED", "husk"))
    return [(what, r.randrange(20) if what not in (RUN, ROOT, DATA, PLAN, OFF) else 0)
            for what in (r.choice([*START, TICK, ALL, ALL, DOWN, DOWN, OFF]) for _ in range(n))]


def drive(b, tmp):
    """A root that is written to, and a partition for data."""
    files = qemu.with_husk(b, BOXES, CONF) | {"good": qemu.file(GOOD), "writer": qemu.file(WRITER), "look": qemu.file(LOOK), "srv/root/www": qemu.directory()}
    disks.gpt(tmp / "disk", ("root", disks.ext4(tmp, "root", 24, files)),
              ("data", disks.ext4(tmp, "data", 8, {"www/index.html": qemu.file("hello from the disk\n"), "n": qemu.file("0\n"), "good": qemu.file("0\n")})))
    fsck = (qemu.tool("e2fsck-static", b["DEBARCH"]) / "sbin/e2fsck.static").read_bytes()
    initrd = qemu.initramfs(b, INITRAMFS) | {"sbin/fsck.ext4": qemu.program(fsck), "etc/mtab": qemu.link("/proc/mounts")} | qemu.modules(b)
    (tmp / "initrd").write_bytes(qemu.archive(initrd))
    (tmp / "kernel").write_bytes(qemu.vmlinuz(b).read_bytes())
    (tmp / "append").write_text(qemu.words(b, "/husk", qemu.soon(b)) + "\n")


def cut(b, tmp, what, ticks, had):
    """One boot, to that moment; to its end where there is none. What it has said comes back."""
    down = what in (DOWN, OFF, None)
    with qemu.Console(qemu.machine(b, tmp, "loglevel=7 husk.debug" + " cut=down" * down), 300) as c:
        if down or what == ALL:
            assert c.until(ALL), c
            assert re.search("^@all hello from the disk$", c.text, re.M) and re.search("^@seed 600 32$", c.text, re.M), c
            n, good = re.search(r"^@had (\d+) (\d+)$", c.text, re.M).groups()		# whole, and none older than it was
            assert int(n) >= had[0] and int(good) >= had[1], (had, c)
            had[:] = int(n), int(good) + 1
        at = 0
        for pattern in [what] * bool(what) + [TICK] * ticks:
            m = c.until(pattern, at)
            assert m or (down and "Power down" in c.text), c		# there are only so many ticks on the way down
            at += m.end() if m else 0
        if not what:
            assert not c.until("^never$") and c.p.wait() == 0 and "Power down" in c.text and "did not stop" not in c.text, c
        return c.text


def cuts(moments, tmp):
    b, had = test_boot.ready(BOARD), [0, 0]
    drive(b, tmp)
    said = "".join([cut(b, tmp, what, ticks, had) for what, ticks in [*moments, (None, 0)]])
    assert "root: recovering journal" in said and "EXT4-fs (vda2): recovery complete" in said, said[-6000:]		# by fsck; by the kernel
    data = (tmp / "disk").read_bytes()
    for at, size in ((1, 24), (25, 8)):
        assert disks.clean(tmp, data[at * MB:(at + size) * MB])[0], disks.clean(tmp, data[at * MB:(at + size) * MB])[1]


def test_power_cut(tmp_path):
    n = int(os.environ.get("CUTS", "0"))
    cuts(some(n) if n else MOMENTS, tmp_path)
