"""The way down of a board, its watchdog, and whether it is good: in guests whose clock counts instructions, so that who waits costs nothing."""
import re
import stat
import subprocess

import pytest

import qemu
from test_boot import QUICK, ready, said, shell, small

FOREVER = "while :; do sleep 1; done"
HEARS = "trap 'echo @down {0}; exit' TERM; " + FOREVER
DISK = "virtio virtio_ring virtio_mmio virtio_blk loop overlay".split()


def boot(b, files, more="", until=None, timeout=240, icount=4, append="", typed=()):
    """INIT of files runs first, where there is one."""
    b = b | {"MORE": f"-icount shift={icount},sleep=off {more}"}
    return qemu.boot(b, files, init="/init" if "init" in files else "/husk", append=append, timeout=timeout, until=until, typed=typed)


def with_modules(b, names, then=""):
    """Behind the name of one may stand its parameters."""
    return {n.split()[0] + ".ko": qemu.file(qemu.module(b, n.split()[0])) for n in names} | \
        {"init": qemu.program("#!/bin/sh\n" + "".join(f"insmod /{' '.join([n.split()[0] + '.ko'] + n.split()[1:])}\n" for n in names) + f"{then}\nexec /husk\n")}


def mkfs(path, size, *more):
    subprocess.run(["mke2fs", "-q", "-t", "ext4", *more, path, size], check=True, stdin=subprocess.DEVNULL)


def disk(tmp_path):
    """A disk with a file system that holds an image of another one."""
    (tmp_path / "tree").mkdir()
    mkfs(tmp_path / "tree/image", "4M", "-O", "^has_journal")
    mkfs(tmp_path / "disk", "24M", "-d", tmp_path / "tree")
    return tmp_path / "disk"


def check_clean(image, tmp_path):
    """As fsck finds it, without a journal to be replayed: that file system and the one in its image."""
    subprocess.run(["debugfs", "-R", f"dump /image {tmp_path}/inner", image], check=True, capture_output=True)
    for one in (image, tmp_path / "inner"):
        head = subprocess.run(["dumpe2fs", "-h", one], check=True, capture_output=True, text=True).stdout
        assert re.search(r"^Filesystem state: +clean$", head, re.M) and "needs_recovery" not in head, head
        subprocess.run(["e2fsck", "-fn", one], check=True, capture_output=True)


MOUNTED = """
mkdir -p /data /in /over; mount -t ext4 /dev/vda /data
losetup /dev/loop0 /data/image; mount -t ext4 /dev/loop0 /in; echo inner >/in/file
mkdir /data/up /data/work; mount -t overlay -o lowerdir=/srv,upperdir=/data/up,workdir=/data/work none /over; echo upper >/over/file
mkdir /data/bound; mount -o bind /in /data/bound
dd if=/dev/zero of=/data/swap bs=1M count=4 2>/dev/null; busybox mkswap /data/swap >/dev/null; busybox swapon /data/swap
"""
STUBBORN = """
trap '' TERM HUP
exec 3>>/data/held
while :; do echo held >&3; sleep 1; done
"""


def test_order_and_file_systems(tmp_path):
    """Those that do not need each other at once, what others need last; then nothing on the disk is left to be mended: a bind,
    a loop that somebody has made, an overlay and a swap file on it, and a file that a program of no box writes to its end."""
    b, image = ready(QUICK), disk(tmp_path)
    f = small(b, {
        "a": shell(HEARS.format("a")), "b": shell(HEARS.format("b"), "after=a\n"), "c": shell(HEARS.format("c"), "needs=a\n"),
        # its time is longer than that of all, and counts
        "d": shell("trap 'sleep 6; echo @down d; exit' TERM; " + FOREVER, "before=b\nafter=a\nstop.timeout=20s\n"),
        "e": shell("trap '' TERM; " + FOREVER, "after=*\nstop.timeout=1s\n"),
        "z": shell("sh /mounted.sh; setsid sh /stubborn.sh & sleep 3; echo @swaps $(grep -c data /proc/swaps); husk poweroff; " + FOREVER, "after=a\n"),
    }, conf="board.stop.timeout=4s\n")
    f |= {"mounted.sh": qemu.file(MOUNTED), "stubborn.sh": qemu.file(STUBBORN)} | with_modules(b, DISK)
    r = boot(b, f, f"-drive if=none,id=d,format=raw,file={image} -device virtio-blk-device,drive=d")
    assert r.ended and "reboot: Power down" in r.text and said(r, "swaps") == ["1"], r
    down = said(r, "down")
    assert sorted(down) == ["a", "b", "c", "d"] and down[-1] == "a" and down.index("b") < down.index("d"), r
    assert "husk: e: did not stop in 1000 ms: killed" in r.text and "husk: d:" not in r.text.split("going down")[1], r
    assert "read-only" not in r.text and "off:" not in r.text and "Emergency" not in r.text, r
    check_clean(image, tmp_path)


# A disk in memory that takes 640 kB a second, with 12 MB to be written; then one that takes nothing any more
SLOW = """
mkdir -p /data /in /slow /cfg; mount -t configfs none /cfg; mkdir /cfg/nullb/nullb0
for w in 1:memory_backed 24:size 1:hw_queue_depth 2:irqmode 50000000:completion_nsec 1:power; do echo ${w%:*} >/cfg/nullb/nullb0/${w#*:}; done
echo 64000000 >/proc/sys/vm/dirty_background_bytes; echo 96000000 >/proc/sys/vm/dirty_bytes
cd /sys/block/nullb0; echo 32 >queue/max_sectors_kb; echo 90 >bdi/min_ratio; cd /; busybox mke2fs -b 4096 -i 65536 /dev/nullb0 >/dev/null; mount -t ext4 /dev/nullb0 /slow
mount -t ext4 /dev/vda /data; losetup /dev/loop0 /data/image; mount -t ext4 /dev/loop0 /in
"""
FROZEN = """
until [ "$(husk state l state)" = running ] && grep -q ' 5$' /data/l.log; do sleep 1; done; echo "@log $(ls /data | grep -c l.log)"
echo lost >/in/file; busybox fsfreeze --freeze /data; echo @frozen
(trap '' TERM; echo x >/data/x) &
sleep 1; grep '^State' /proc/$!/status | sed 's/^/@/'; touch /run/frozen
until [ -e /run/next ]; do sleep 1; done
dd if=/dev/zero of=/slow/file bs=1M count=12 2>/dev/null; dmesg -n 7; husk reboot
"""
HANGS = {
    "m": "exec=/bin/sh /slow.sh\nready=exit\nlog=inherit\n",
    "z": "exec=/bin/sh /frozen.sh\nafter=m\nready=/run/frozen\nstart.timeout=5m\nstop.timeout=1s\nlog=inherit\n",
    # its starter opens the file, and does not come back; the others go on when its time is over, and consoles all the while
    "h": "exec=/bin/true\nlog=/data/new\nafter=z\nready=exit\nstart.timeout=2s\n",
    # who writes its log waits for the disk, and is not PID 1
    "l": 'exec=/bin/sh -c "i=0; while :; do echo $((i=i+1)); usleep 50000; done"\nlog=/data/l.log:16K\nafter=m\nstop.timeout=1s\n',
    "n": 'exec=/bin/sh -c "echo @next; touch /run/next"\nlog=inherit\nafter=h\n',
}


def test_what_hangs(tmp_path):
    """A program that not even KILL ends, a start as well, and a disk that does not answer any more: the board comes up nevertheless, and the machine
    goes down in its time. One that is only slow has the time that it takes."""
    b, image = ready(QUICK), disk(tmp_path)
    f = small(b, {}, conf='board.console=ttyAMA0 /bin/sh -c "echo @console; usleep 5500000"\n') | {f"etc/husk/{n}.conf": qemu.file("use=host\n" + t) for n, t in HANGS.items()}
    f |= {"slow.sh": qemu.file(SLOW), "frozen.sh": qemu.file(FROZEN)} | with_modules(b, [*DISK, "configfs", "null_blk nr_devices=0"])
    r = boot(b, f, f"-drive if=none,id=d,format=raw,file={image} -device virtio-blk-device,drive=d", timeout=90)
    assert said(r, "log") == ["1"] and said(r, "frozen") == [""] and said(r, "State:") == ["\tD (disk sleep)"], r
    assert "husk: h: not ready in time: its start is ended\n" in r.text and re.search(r"^husk: h: unkillable: process \d+ is still there$", r.text, re.M), r
    assert said(r, "next") == [""] and "@console" in r.text.split("@State")[1].split("@next")[0], r
    assert r.ended and "Restarting system" in r.text and "Kernel panic" not in r.text, r
    assert "could not be removed: Resource busy" in r.text and "EXT4-fs (nullb0): unmounting" in r.text.split("Emergency Remount")[0], r
    assert "Emergency Remount" in r.text, r


DOG_SH = """
dog() { cd /sys/class/watchdog/watchdog0; echo "@dog $(cat timeout pretimeout nowayout state | tr '\\n' ' ')"; }
sleep 9; dog
echo "board.watchdog=/dev/watchdog0:1d:2s" >/etc/husk/board.conf; husk reload; usleep 100000; dog
echo "board.watchdog=/dev/watchdog0:20s:8s" >/etc/husk/board.conf; husk reload; usleep 100000; dog
"""


# As of a boot loader, or of an initramfs: it runs, for 30 s, and nobody feeds it.
LEFT = "mount -t devtmpfs dev /dev; : >/dev/watchdog0; umount /dev"


def watchdog(end):
    b, down = ready("qemu-i386"), end.startswith("husk")
    f = small(b, {"a": shell(f"sh /dog.sh; {end}", "stop.timeout=12s\n" if down else "")},
              conf="board.watchdog=/dev/watchdog0:4s:1s\nboard.watchdog.stop=30s\n")
    f |= {"halted": qemu.program(qemu.compiled(b, "halted.c")), "dog.sh": qemu.file(DOG_SH)} | with_modules(b, ("watchdog", "pretimeout_noop", "i6300esb"), LEFT)
    kept = "nowayout=1" if "halt" == end[-4:] else ""
    f["init"] = qemu.program(f["init"][1].decode().replace("i6300esb.ko", f"i6300esb.ko {kept}"))
    r = boot(b, f, "-device i6300esb", timeout=200)
    n = len(kept) > 0
    assert "watchdog0: watchdog did not stop!" in r.text, r
    assert r.ended and said(r, "dog") == [f"4 1 {n:d} active ", f"4 2 {n:d} active ", f"20 8 {n:d} active "], r
    assert "husk: board.watchdog: 4 s, the driver does not take 86400\n" in r.text, r
    assert ("reboot: Power down" in r.text) == (end == "husk poweroff") and ("reboot: System halted" in r.text) == (end == "husk halt"), r
    assert ("going down" in r.text) == down and (said(r, "halted") == [""]) != down and ("pretimeout event" in r.text) != down, r
    assert re.findall(r"^husk: board.watchdog: (?!4 s)(.*)$", r.text, re.M) == ["resets a machine that halts: /dev/watchdog0: Resource busy"] * n, r


@pytest.mark.parametrize("end", ["husk halt", "/halted"])		# a power off: make test-boards, and test_upgrade.py
def test_watchdog(end):
    """It runs already. PID 1 feeds it for longer than it waits, takes other times, and a machine that goes down as it should is let go, if the
    driver lets it be; else one that is halted starts anew, and a line says so. When PID 1 is halted it is reset, and the driver speaks before."""
    watchdog(end)


LATE_SH = """
sleep 4; insmod /watchdog.ko; insmod /softdog.ko; sleep 3; touch /run/there
trap 'cat /sys/class/watchdog/watchdog0/timeout | sed s/^/@dog./; /halted' TERM
while :; do sleep 1; done
"""


def test_what_hangs_on_the_way_down():
    """A box that does not call in takes the machine down; its watchdog, whose driver comes late, has another time then, and PID 1 does not get to the end."""
    b = ready(QUICK)
    f = small(b, {"a": shell("sh /late.sh", "stop.timeout=1m\n"), "w": shell(FOREVER, "watchdog=1s\nrestart=on-failure 50ms 3/1m\ngiveup=reboot\nneeds=/run/there\n")},
              conf="board.watchdog=/dev/watchdog0:5s\nboard.watchdog.stop=9s\n")
    f |= {n + ".ko": qemu.file(qemu.module(b, n)) for n in ("watchdog", "softdog")} | {"halted": qemu.program(qemu.compiled(b, "halted.c")), "late.sh": qemu.file(LATE_SH)}
    r = boot(b, f)
    assert "husk: w: reboot\n" in r.text and "husk: going down\n" in r.text and "@dog.9\n" in r.text and said(r, "halted") == [""], r
    assert r.ended and "husk: board.watchdog" not in r.text and r.text.index("@halted") < r.text.index("softdog: Initiating system reboot"), r


def test_a_driver_that_hangs():
    """Its module is a pipe that nobody writes to: the watchdog is opened, consoles are there after a while, and board.timeout counts."""
    b = ready(QUICK)
    at = "lib/modules/" + next(qemu.kernel(b).glob("lib/modules/*")).name
    f = small(b, {"a": shell("echo @never")}, conf="board.module=hang\nboard.console=ttyAMA0 /bin/sh -c \"echo @console $(cat /sys/class/watchdog/watchdog0/state); sleep 1000\"\n"
              "board.watchdog=/dev/watchdog0:30s\nboard.timeout=20s\nboard.fail=reboot\n")
    f |= {f"{at}/modules.dep": qemu.file("hang.ko:\n"), f"{at}/hang.ko": (stat.S_IFIFO | 0o600, b"")} | with_modules(b, ("watchdog", "softdog"))
    r = boot(b, f, timeout=60)
    assert r.ended and "husk: board: not good in 20 s: not all are started\n" in r.text and "Restarting system" in r.text, r
    assert said(r, "console") == ["active"] and "husk: boot: a module, or the real root, is not there yet\n" in r.text and "board.watchdog" not in r.text, r


def test_a_watchdog_that_does_not_come():
    """Its driver may come late; a line says that it has not, of one that may be missing at once."""
    b = ready(QUICK)
    for mark, seconds in ("", 13), ("?", 2):
        r = boot(b, small(b, {"a": shell(f"sleep {seconds}; husk poweroff")}, conf=f"{mark}board.watchdog=/dev/none:30s\n"))
        assert r.ended and r.text.count("husk: board.watchdog: /dev/none: No such file or directory\n") == 1, r


def test_good():
    """board.good= is run when all are ready that are to be, once, and later than the last; board.timeout= is over by then and says for whom.
    A file of board.local= lies over that of a box."""
    b = ready(QUICK)
    f = small(b, {
        "a": shell("sleep 8; echo >&5; " + FOREVER, "ready=fd:5\n"), "b": shell("sleep 1", "ready=exit\n"), "c": shell(FOREVER), "s": shell(FOREVER, "if=/no/such\n"),
        "hand": shell("echo @hand $SITE $(husk state hand local); " + FOREVER, "boot=no\n"), "out": shell("echo @out"),
        "z": shell("while ! [ -e /run/is-good ]; do sleep 1; done; sleep 2; husk poweroff"),
    }, conf='board.good=/bin/sh -c "echo @good $(grep -h ^state= /run/husk/[abcs]/state | cut -d\' \' -f1 | grep -v starting | sort -u | tr \'\\\\n\' \' \'); touch /run/is-good"\nboard.timeout=4s\nboard.local=/site\n')
    f |= {"site/hand.conf": qemu.file("boot=yes\nenv=SITE=here\n"), "site/out.conf": qemu.file("boot=no\n")}
    r = boot(b, f)
    assert said(r, "hand") == ["here /site/hand.conf"] and not said(r, "out"), r
    assert r.ended and "husk: board: not good in 4 s: a\n" in r.text, r
    assert said(r, "good") == ["state=done state=ready state=running state=skipped"], r


def test_not_good():
    """A box that is never ready, and board.fail=reboot; what a good program says with its status counts."""
    b = ready(QUICK)
    r = boot(b, small(b, {"a": shell(FOREVER)}, conf="board.good=/bin/false\nboard.timeout=5s\nboard.fail=reboot\n"))
    assert r.ended and "husk: board.good: ended with 1\n" in r.text and "husk: board: not good in 5 s: board.good\n" in r.text, r
    assert "husk: going down" in r.text and "Restarting system" in r.text, r
