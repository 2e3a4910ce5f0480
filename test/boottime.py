#!/usr/bin/python3
"""What a board costs: guest time from the exec of its init to the first instruction of its first service in a full
box, and the memory of process 1 with ten boxes; beside busybox init, whose service is in no box.

    boottime.py [-v]        -v: all that the guests said
"""
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
import bench  # noqa: E402
import qemu  # noqa: E402

BOX = "root=/srv/root\nmemory.max=32M\npids.max=20\n"
SH = """cat /stamped; husk boot -k | sed 's/^/@mark /'; until [ $(husk list | grep -c running) -ge 11 ]; do sleep 0.5; done
sed -n 's/^\\(Pss[A-Za-z_]*\\|Rss\\|Private_Dirty\\): */@kb \\1 /p' /proc/1/smaps_rollup; sed 's/^/@map /' /proc/1/smaps | grep -E '^@map (([0-9a-f]+-)|Pss:|Private_Dirty)'
busybox poweroff -f
"""
INITTAB = "::sysinit:/bin/sh /etc/rc\n::respawn:/stamp\n::once:/bin/sh /sh\n"
RC = """mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev; mkdir -p /dev/pts /dev/shm
mount -t devpts dev /dev/pts; mount -t tmpfs shm /dev/shm; mount -t tmpfs run /run; mount -t tmpfs tmp /tmp; mount -t cgroup2 cg /sys/fs/cgroup
"""


def guest(files, init, boxes):
    b = qemu.board("qemu-x86_64") | {"QEMU": bench.QEMU}
    stamp = qemu.program(qemu.compiled(b, "stamp.c"))
    tree = qemu.with_husk(b, boxes) | {"stamp": stamp, "srv/root/stamp": stamp, "sh": qemu.file(SH), "init": qemu.program(f"#!/stamp {init}\n")} | files
    return qemu.boot(b, tree, "nokaslr norandmaps loglevel=1", "/init", 100)


def us(r, tag):
    return int(re.search(rf"^@{tag} (\d+)$", r.text, re.M)[1]) / 1000


def main():
    boxes = {"a": "exec=/stamp\nlog=inherit\n" + BOX, "sh": "use=host\nlog=inherit\nexec=/bin/sh /sh\nafter=*\n"}
    boxes |= {f"b{i}": "exec=/bin/sleep 1000000\nafter=a\n" + BOX for i in range(9)}
    r = guest({}, "/husk", boxes)
    if "-v" in sys.argv:
        print(r.text)
    began, first = us(r, "exec"), us(r, "first")
    print(f"husk: exec of init to the first instruction of a service in a full box: {first - began:.0f} us")
    for name, at in re.findall(r"^@mark ([\w.]+)=([\d.]+)$", r.text, re.M):
        if float(at) * 1e6 <= first + 3000:
            print(f"    {float(at) * 1e6 - began:8.0f}  {name}")
    print("husk: kB of process 1 with ten boxes:", " ".join(f"{k} {n}" for k, n in re.findall(r"^@kb (\w+) (\d+)", r.text, re.M)))
    r = guest({"sbin/init": qemu.link("/bin/busybox"), "etc/inittab": qemu.file(INITTAB), "etc/rc": qemu.file(RC), "sh": qemu.file(SH.replace("until", "false && until"))},
              "/sbin/init", {})
    if "-v" in sys.argv:
        print(r.text)
    print(f"busybox init: with its mounts, no box: {us(r, 'first') - us(r, 'exec'):.0f} us; kB of process 1:",
          " ".join(f"{k} {n}" for k, n in re.findall(r"^@kb (\w+) (\d+)", r.text, re.M)))


sys.stdout.reconfigure(line_buffering=True)
if __name__ == "__main__":
    main()
