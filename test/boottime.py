#!/usr/bin/python3
"""What a board costs: guest time from the exec of its init to the first instruction of its first service, and the
memory of process 1 with ten boxes; beside other inits, whose service is in no box.

    boottime.py [-c] [-v]      -c: no others, and the bars are checked: a line for each that is broken, exit 1
                               -v: all that the guests said

Of the 2,050 us until the first of twelve boxes is begun some 1,500 are the kernel's: opening files 310, of which the twelve
knobs of /proc/sys are 120, page faults 280, nine mounts 215, reading 110, the execve of init itself 108, mapping the clone
over the program 96, two forks 87, looking at mount points 52. Ours are 560, most of it twelve files at 30 each.

floor.c with -DBOARD is the least that a board and a full box can take: the same mounts, knobs and box from constants, no
file read, no socket, nobody supervised. 4,300 us, of which 860 are the board's.
"""
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
import bench  # noqa: E402
import qemu  # noqa: E402

DEB = bench.OUT / "deb"
BOX = "root=/srv/root\nmemory.max=32M\npids.max=20\n"
SH = """cat /stamped; husk boot -k | sed 's/^/@mark /'; until [ $(husk list | grep -c running) -ge 11 ]; do sleep 0.5; done
sed -n 's/^\\(Pss[A-Za-z_]*\\|Rss\\|Private_Dirty\\): */@kb \\1 /p' /proc/1/smaps_rollup; sed 's/^/@map /' /proc/1/smaps | grep -E '^@map (([0-9a-f]+-)|Pss:|Private_Dirty)'
busybox poweroff -f
"""
END = "#!/bin/sh\nsleep 1; cat /stamped; busybox poweroff -f\n"
# but devtmpfs, which such a board has from its kernel
MOUNTS = [("proc", "/proc"), ("sysfs", "/sys"), ("devpts", "/dev/pts"), ("tmpfs", "/dev/shm"), ("tmpfs", "/run"), ("tmpfs", "/tmp"),
          ("cgroup2", "/sys/fs/cgroup")]
SERVICE = "::once:/stamp\n::once:/bin/sh /end\n"
MOUNTED = "::sysinit:/bin/mkdir -p /dev/pts /dev/shm\n::sysinit:/bin/mount -a\n"
LINES = "::sysinit:/bin/mkdir -p /dev/pts /dev/shm\n" + "".join(f"::sysinit:/bin/mount -t {t} {t} {at}\n" for t, at in MOUNTS)


def guest(files, init, boxes, loader="/init", words="nokaslr norandmaps loglevel=1"):
    b = qemu.board("qemu-x86_64") | {"QEMU": bench.QEMU, "MEASURED": ""}
    stamp = qemu.program(qemu.compiled(b, "stamp.c"))
    tree = qemu.with_husk(b, boxes) | {"stamp": stamp, "srv/root/stamp": stamp, "sh": qemu.file(SH), "end": qemu.program(END),
                                       "init": qemu.program(f"#!/stamp {init}\n")} | files
    r = qemu.boot(b, tree, words, loader, 250)
    if "-v" in sys.argv:
        print(r.text)
    return r


def us(r, tag):
    return int(re.search(rf"^@{tag} (\d+)$", r.text, re.M)[1]) / 1000


def spent(r):
    return us(r, "first") - us(r, "exec")


def busybox(tab):
    fstab = "".join(f"{t} {at} {t} defaults 0 0\n" for t, at in MOUNTS)
    return spent(guest({"sbin/init": qemu.link("/bin/busybox"), "etc/inittab": qemu.file(tab + SERVICE), "etc/fstab": qemu.file(fstab)}, "/sbin/init", {}))


def with_libraries(path):
    """A program of the peers' packages, and what it needs."""
    ldd = subprocess.run(["ldd", path], stdout=subprocess.PIPE, text=True, check=True, env=os.environ | {"LD_LIBRARY_PATH": f"{DEB}/usr/lib/x86_64-linux-gnu:{DEB}/lib/x86_64-linux-gnu"})
    return {at.removeprefix(str(DEB)).lstrip("/"): qemu.program(open(at, "rb").read()) for at in [str(path)] + re.findall(r"(/\S+) \(0x", ldd.stdout)}


def sysvinit():
    tab = "id:2:initdefault:\n1:2:once:/stamp\n2:2:once:/end\n"
    return spent(guest(with_libraries(DEB / "sbin/init") | {"etc/inittab": qemu.file(tab)}, "/sbin/init", {}))


def s6():
    b = qemu.board("qemu-x86_64")
    files = {"service/stamp/run": qemu.program(qemu.compiled(b, "stamp.c")), "service/zend/run": qemu.program(END)}
    for p in ("s6-svscan", "s6-supervise"):
        files |= with_libraries(DEB / "usr/bin" / p)
    return spent(guest(files, "", {}, "/stamp", "norandmaps loglevel=1 -- /usr/bin/s6-svscan /service"))	# the other word would be the first


PEERS = {"busybox init": lambda: busybox(""), "busybox init, mount -a": lambda: busybox(MOUNTED), "busybox init, 7 x mount": lambda: busybox(LINES)}
if (DEB / "sbin/init").exists():
    PEERS["sysvinit"] = sysvinit
if (DEB / "usr/bin/s6-svscan").exists():
    PEERS["s6-svscan"] = s6


def floor():
    """What a board and a full box take from constants: us until the first service, until its box was begun; None where
    bench.py has not seen the filters that it needs."""
    if not (bench.OUT / "filters.h").exists():
        return None
    bench.compile_floor_as(bench.OUT / "floorboard", "-DBOARD")
    r = guest({"floor": qemu.program((bench.OUT / "floorboard").read_bytes())}, "/floor", {})
    return spent(r), us(r, "a.start") - us(r, "exec")


def board():
    """Of husk: us until the first service, until the first box was begun; kB of process 1; what began when."""
    boxes = {"a": "exec=/stamp\nlog=inherit\n" + BOX, "sh": "use=host\nlog=inherit\nexec=/bin/sh /sh\nafter=*\n"}
    boxes |= {f"b{i}": "exec=/bin/sleep 1000000\nafter=a\n" + BOX for i in range(9)}
    r = guest({}, "/husk", boxes)
    marks = {name: float(at) * 1e6 - us(r, "exec") for name, at in re.findall(r"^@mark ([\w.]+)=([\d.]+)$", r.text, re.M)}
    return spent(r), marks["a.start"], int(re.search(r"^@kb Pss (\d+)", r.text, re.M)[1]), marks


def broken(first, own, pss):
    """A line for each bar that is not kept."""
    lines = []
    for what, value, name in (("us to the first service of a board", first, "first"), ("us of that until its box is begun", own, "own"), ("kB PSS of PID 1 with ten boxes", pss, "pid1")):
        if value > bench.BARS[name]:
            lines.append(f"{what}: {value:.0f}, and {bench.BARS[name]} is the most")
        elif value > bench.GOALS[name]:
            print(f"bench: goal: {what}: {value:.0f}, the goal is {bench.GOALS[name]}")
    return lines


def main():
    first, own, pss, marks = board()
    check = "-c" in sys.argv
    print(f"{'exec of init to the first service':34}{'us':>9}{'husk=1':>9}")
    print(f"{'husk, in a full box':34}{first:9.0f}{1:9.2f}\n{'    until that box is begun':34}{own:9.0f}{own / first:9.2f}")
    for name, at in marks.items() if "-v" in sys.argv else ():
        print(f"    {at:8.0f}  {name}")
    least = None if check else floor()
    if least:
        print(f"{'the same from constants (floor.c)':34}{least[0]:9.0f}{least[0] / first:9.2f}\n{'    until that box is begun':34}{least[1]:9.0f}{least[1] / first:9.2f}")
    for name, peer in ({} if check else PEERS).items():
        t = peer()
        print(f"{name:34}{t:9.0f}{t / first:9.2f}")
    print(f"kB PSS of husk as process 1 with ten boxes: {pss}")
    lines = broken(first, own, pss) if check else []
    for line in lines:
        print("bench: over:", line)
    sys.exit(bool(lines))


sys.stdout.reconfigure(line_buffering=True)
if __name__ == "__main__":
    main()
