"""Boards whose kernel lacks something, and what stands at the end of a machine's life: in guests."""
import os
import subprocess

import pytest

import disks
import qemu
from test_boot import LIMITS, LIMITS_SH, QUICK, full, ready, said, shell, small
from test_off import boot

LESS = """#!/bin/sh
mount -t proc proc /proc
%s
exec /without %s /husk
"""
LOOK = """
echo "@v1 $(sed -n 's:^cgroup /sys/fs/cgroup/\\([a-z_]*\\) cgroup .*:\\1:p' /proc/mounts | sort | tr '\\n' ' ')"
echo "@all $(sed -n '/^#/d; s/\\t.*1$//p' /proc/cgroups | sort | tr '\\n' ' ')"
echo "@type $(grep ' /dev ' /proc/mounts)"
echo "@nodes $(stat -c %n-%a-%t-%T /dev/null /dev/console /dev/kmsg | tr '\\n' ' ')"
echo "@trace $(ls /sys/kernel/tracing | grep -c '^trace$')"
"""


def less(version, types, before=""):
    b = qemu.of(QUICK, version)
    ready(QUICK)
    f = full(b, conf="mount=none:/sys/kernel/tracing:tracefs\n")
    del f["etc/husk/outside.conf"]
    f["etc/husk/limits.conf"] = qemu.file(LIMITS)
    names = "memory/husk/inside/memory.limit_in_bytes pids/husk/inside/pids.max"
    f["limits.sh"] = qemu.file(LOOK + LIMITS_SH.replace("FILES", names).replace("TREE", "freezer"))
    f |= {"without": qemu.program(qemu.compiled(b, "without.c")), "init": qemu.program(LESS % (before, types))}
    return qemu.boot(b, f, init="/init")


@pytest.mark.parametrize("version, types, before", [
    ("6.1", "devtmpfs,cgroup2", ""),
    # as a kernel before 4.15: one that has version 2, and no processor time there
    ("5.10", "none", "mkdir /x; mount -t tmpfs x /x; mkdir /x/y; mount -t cgroup -o cpu cg /x/y"),
])
def test_only_version_1(version, types, before):
    """All hierarchies are mounted by husk, and the limits hold in them; /dev is made of nodes where the kernel makes none."""
    r = less(version, types, before)
    assert r.ended, r
    assert said(r, "v1") == said(r, "all") and "memory" in said(r, "v1")[0].split(), r
    assert said(r, "limit")[0].endswith(" 33554432") and said(r, "limit")[1].endswith(" 20"), r
    assert said(r, "oom") == ["137"] and said(r, "cpu") == ["0"] and "can't fork" in r.text, r
    assert said(r, "trace") == ["1"], r
    if "devtmpfs" in types:
        assert said(r, "type")[0].startswith("tmpfs "), r
        assert said(r, "nodes") == ["/dev/null-666-1-3 /dev/console-600-5-1 /dev/kmsg-644-1-b "], r


# The kernel's own nodes are mounted where husk does not look: it is to make the same.
NODES_INIT = """#!/bin/sh
mount -t proc proc /proc; mount -t devtmpfs made /made
exec /without devtmpfs /husk
"""
NODES_SH = r"""
nodes() { cd $1; busybox find . -xdev \( -type b -o -type c \) ! -name ptmx | busybox xargs stat -c '%n %F %a %t:%T' | sort; }
n=0; until [ ! -e /dev/watchdog0 ] || grep -qx active /sys/class/watchdog/watchdog0/state || [ $n -gt 100 ]; do n=$((n+1)); sleep 0.1; done
nodes /made >/tmp/made; nodes /dev >/tmp/dev; busybox diff /tmp/made /tmp/dev | sed 's/^/@differs /'
cut -d' ' -f1 /tmp/dev | sed 's/^/@node /'; grep ' /dev ' /proc/mounts | sed 's/^/@type /'; grep ' /data ' /proc/mounts | sed 's/^/@data /'
cat /sys/class/watchdog/watchdog0/state 2>/dev/null | sed 's/^/@dog /'; husk poweroff
"""


@pytest.mark.parametrize("name, modules, conf, nodes", [
    ("qemu-armv7", "virtio_mmio virtio_blk ext4 crc32c_generic", "mount=LABEL=data:/data:ext4\n", "vda rtc0 ttyAMA0"),
    ("qemu-x86_64", "vfio tun softdog", "board.watchdog=/dev/watchdog0:20s\nsysctl.kernel.modules_disabled=1\n", "rtc0 ttyS0 cpu_dma_latency vfio/vfio net/tun watchdog watchdog0"),
])
def test_nodes_without_devtmpfs(tmp_path, name, modules, conf, nodes):
    """All that the kernel would have made, as it would: what is there at first, and what comes with modules; a disk is found by its label."""
    b = ready(name)
    (tmp_path / "disk").write_bytes(disks.ext4(tmp_path, "data", 4))
    b = b | {"QEMU": b["QEMU"].replace("q35", "q35,i8042=off")}
    conf += "".join(f"board.module={m}\n" for m in modules.split())
    f = small(b, {"z": "exec=/bin/sh /nodes.sh\n"}, conf) | disks.modules(b, *modules.split())
    f |= {"nodes.sh": qemu.file(NODES_SH), "made": qemu.directory(), "data": qemu.directory(),
          "without": qemu.program(qemu.compiled(b, "without.c")), "init": qemu.program(NODES_INIT)}
    r = boot(b, f, b["DRIVE"].replace("DISK", str(tmp_path / "disk")))
    assert r.ended and "Power down" in r.text and said(r, "type")[0].startswith("tmpfs "), r
    assert not said(r, "differs") and {"./" + n for n in nodes.split()} <= set(said(r, "node")) and len(said(r, "node")) > 50, r
    assert [m.split()[0] for m in said(r, "data")] == ["/dev/vda"] * ("mount" in conf) and said(r, "dog") == ["active"] * ("watchdog" in conf), r
    assert "husk: board." not in r.text, r


# Each boot of one machine is known by what the one before has left in its clock, or by its command line.
LIVES_SH = r"""
echo "@words $(cat /proc/cmdline)"; echo "@year $(date +%F)"
case "$(cat /proc/cmdline)-$(date +%F)" in
*second*) umount /proc 2>/dev/null; poweroff -nf; echo "@refused $?" ;;
*-2032-02-29) kexec /vmlinuz /initrd "console=CONSOLE rdinit=/husk quiet panic=-1 no_timer_check second"; echo "@loaded $?"; husk poweroff -x; echo "@wrong $?"; husk reboot ;;
*) husk reboot -x; date -s 2032.02.29-12:00:00 >/dev/null; reboot ;;
esac
"""


def lives(b, f, timeout=240):
    """One machine, which may begin again."""
    args, initrd = qemu.command(b, f)
    args.remove("-no-reboot")
    with subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as p:
        try:
            out, ended = p.communicate(timeout=timeout)[0], True
        except subprocess.TimeoutExpired:
            p.kill()
            out, ended = p.communicate()[0], False
        finally:
            os.unlink(initrd)
    return qemu.Boot(out.decode(errors="replace").replace("\r", ""), ended)


def test_the_end_of_three_lives():
    """The machine's own clock has the time that it was given, in the next life; a kernel that lies ready is the one of the
    life after that; and halt, poweroff and reboot by these names, with -f without PID 1."""
    b = ready("qemu-x86_64")
    b = b | {"QEMU": b["QEMU"].replace("-m 256", "-m 384")}
    f = small(b, {"z": "exec=/bin/sh /lives.sh\n"})
    del f["srv/root/bin/busybox"]
    f["lives.sh"] = qemu.file(LIVES_SH.replace("CONSOLE", b["CONSOLE"]))
    f |= {"initrd": qemu.file(qemu.cpio(f)), "vmlinuz": qemu.file(qemu.vmlinuz(b).read_bytes()), "bin/kexec": qemu.program(qemu.compiled(b, "kexec.c"))}
    r = lives(b, f)
    assert r.ended and said(r, "year")[1:] == ["2032-02-29"] * 2 and said(r, "year")[0] < "2032", r
    assert said(r, "loaded") == ["0"] and "second" in said(r, "words")[2].split(), r
    assert said(r, "wrong") == ["2"] and "husk: reboot: -x: -f, -n, -d SEC, -i or -w\n" in r.text and not said(r, "refused"), r
    assert r.text.count("husk: going down") == 2 and "Power down" in r.text and "Kernel panic" not in r.text, r


# Debian has kexec_file_load(2) on x86_64 alone: for the others a program has to know how a kernel is laid out.
XEN = " zlib1g libxenmisc4.17 libxencall1 libxendevicemodel1 libxenevtchn1 libxenforeignmemory1 libxentoolcore1 libxentoollog1 libxengnttab1"		# not on i386
SIZE = "--image-size=0x4000000"		# room for the kernel when it is unpacked: kexec-tools thinks of less, and the initramfs would lie there
SECOND_SH = """
case "$(cat /proc/cmdline)" in
*second*) echo "@second $(uname -m)"; husk poweroff ;;
*) kexec -c -l /vmlinuz --initrd=/initrd $1 --append="$(cat /proc/cmdline) second"; echo "@loaded $? $(cat /sys/kernel/kexec_loaded)"; husk reboot ;;
esac
"""


def lies_ready(name, end="reboot: Power down"):
    """On arm64 without the machine's seed: one that the kernel has not taken, told nokaslr, kexec-tools refuse a device tree for."""
    b = ready(name)
    b = b | {"QEMU": b["QEMU"].replace("-m 256", "-m 512").replace("-M virt -cpu cortex-a53", "-M virt,dtb-randomness=off -cpu cortex-a53")}
    f = small(b, {"z": f"exec=/bin/sh /second.sh {SIZE if b['DEBARCH'] == 'armhf' else ''}\n"}) | {"second.sh": qemu.file(SECOND_SH)}
    f |= qemu.dynamic(b, "sbin/kexec", "kexec-tools libc6" + XEN * (b["DEBARCH"] != "i386"))
    f |= {"initrd": qemu.file(qemu.cpio(f)), "vmlinuz": qemu.file(qemu.vmlinuz(b).read_bytes())}
    r = qemu.boot(b, f, "loglevel=1", timeout=400, until=end)
    assert said(r, "loaded") == ["0 1"] and len(said(r, "second")) == 1, r
    assert r.text.index("@loaded") < r.text.index("husk: going down") < r.text.index("@second"), r
    assert end in r.text and "Kernel panic" not in r.text and "Restarting system" not in r.text, r


@pytest.mark.parametrize("name", ["qemu-armv7"])		# the others: make test-boards
def test_a_kernel_that_lies_ready(name):
    """kexec-tools has loaded it, with the device tree of the machine where there is one; husk reboot starts it, and the board is up once more."""
    lies_ready(name)
