"""make test-boards: the boards that are not in make test, each with the boxes of test_boot.py, and those of its image; and what takes long."""
import re

import pytest

import qemu
import test_boot
import test_disks
import test_hardware
import test_image
import test_off
import test_upgrade

OTHERS = sorted(f.stem for f in (qemu.TOP / "boards").glob("*.mk") if f.stem not in (*qemu.BOARDS, "cross", "native", "small", "small-armv7"))


@pytest.mark.parametrize("name", OTHERS)
def test_a_full_boot(name):
    b = test_boot.ready(name)
    # drivers that complain while programs speak would break their lines
    r = qemu.boot(b, test_boot.full(b), "loglevel=1", timeout=300, until="reboot: System halted" if "HALTS" in b else None)
    r.text = re.sub(r"^X+(?=@)", "", r.text, flags=re.M)		# the small line of a Raspberry Pi 3 says so when it is set up
    test_boot.check_full(r, name, halts="HALTS" in b)


@pytest.mark.parametrize("name", OTHERS)
def test_three_boxes(name, tmp_path):
    test_image.three_boxes(name, tmp_path, "loglevel=1")


# Soft-RoCE is in Debian's full kernel alone, which the Raspberry Pi 3 boots.
RDMA = "crc32_generic udp_tunnel ip6_udp_tunnel ib_core ib_uverbs rdma_rxe".split()
LIMITED = """
for m in %s; do insmod /$m.ko; done
ifconfig lo up; /rdma lo
echo +rdma >/sys/fs/cgroup/cgroup.subtree_control
husk run -d name=x root=/srv/root %s -- /bin/sleep 100; echo "@status $?"
sed 's/^/@max /' /sys/fs/cgroup/husk/x/rdma.max; husk stop x
husk run name=x root=/srv/root rdma.max=rxe9:hca_handle=2 -- /bin/true; echo "@other $?"
husk run name=x root=/srv/root rdma.max=rxe0:hca_handle=-2 -- /bin/true; echo "@bad $?"
"""


def test_rdma():
    b = test_boot.ready("qemu-arm64") | {"KERNEL": qemu.board("raspi3b")["KERNEL"]}
    files = {m + ".ko": qemu.file(qemu.module(b, m)) for m in RDMA} | {"rdma": qemu.program(qemu.compiled(b, "rdma.c"))}
    files |= {"script": qemu.file(LIMITED % (" ".join(RDMA), "rdma.max=rxe0:hca_handle=2,hca_object=100")), "init": qemu.program(qemu.GUEST % qemu.MOUNTS["v2"])}
    r = qemu.boot(b, qemu.with_husk(b) | files, "", "/init", 120)
    assert test_boot.said(r, "rdma") == ["No error information"], r		# of musl
    assert test_boot.said(r, "max") == ["rxe0 hca_handle=2 hca_object=100 "] and test_boot.said(r, "status") == ["0"], r
    assert test_boot.said(r, "other") == ["125"] and test_boot.said(r, "bad") == ["2"], r


@pytest.mark.parametrize("board", ["qemu-i386", "qemu-arm64"])
def test_an_upgrade_of_pid_1(board):
    test_upgrade.three_boxes(board)


@pytest.mark.parametrize("board", ["qemu-x86_64", "qemu-i386", "qemu-armv7"])
def test_halted_after_an_upgrade(board):
    test_upgrade.halted(board)


def test_let_go_by_the_watchdog():
    test_off.watchdog("husk poweroff")


def test_the_watchdog_of_the_sabre_lite():
    """Fed for longer than it waits; then PID 1 is halted, and the machine is reset. Its model stops when a time is written while it
    runs: the driver is given it before. (That of the Raspberry Pi has no clock, and QEMU 7.2 has none of the other boards.)"""
    b = test_boot.ready("sabrelite")
    f = test_boot.small(b, {"a": test_boot.shell("sleep 12; cat /sys/class/watchdog/watchdog0/identity | sed 's/^/@dog /'; /halted")}, "board.watchdog=/dev/watchdog0:4s\n")
    f |= {"halted": qemu.program(qemu.compiled(b, "halted.c"))} | test_off.with_modules(b, ["imx2_wdt"])
    f["init"] = qemu.program(f["init"][1].decode().replace("imx2_wdt.ko", "imx2_wdt.ko timeout=4"))
    r = test_off.boot(b, f, timeout=120)
    assert r.ended and test_boot.said(r, "dog") == ["imx2+ watchdog"] and test_boot.said(r, "halted") == [""] and "going down" not in r.text, r


@pytest.mark.parametrize("how", test_boot.OTHERS)
def test_down(how):
    test_boot.down(how, test_boot.OTHERS[how])


# Not raspi2b, whose other processors nobody can take down: "kexec_load failed: Invalid argument".
@pytest.mark.parametrize("name", ["qemu-i386", "qemu-arm64", "orangepi-pc", "vexpress-a9", "cubieboard"])
def test_a_kernel_that_lies_ready(name):
    test_hardware.lies_ready(name, *["reboot: System halted"] * ("HALTS" in qemu.board(name)))


@pytest.mark.parametrize("name, kernel", [("qemu-i386", None), ("qemu-arm64", "linux-image-6.1.0-*-arm64")])
def test_flash(name, kernel, tmp_path):
    test_disks.flash(name, tmp_path, kernel)
