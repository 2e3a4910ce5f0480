"""make image: what a board boots, with a disk of its own and three boxes, by its serial line."""
import re
import subprocess
import xml.etree.ElementTree

import pytest

import disks
import qemu
import test_boot


def three_boxes(name, tmp, append="", timeout=300):
    b = test_boot.ready(name)
    halts, disk, begin = "HALTS" in b, b.get("DISK"), 1 + qemu.ROOT if b.get("ROOT") else 0
    part = lambda n: f"{disk}{'p' * disk[-1].isdigit()}{n}" if begin else disk
    with qemu.Console(qemu.machine(b, qemu.image(b, where=tmp), qemu.soon(b) + append), timeout) as c:
        assert c.until("# "), c
        assert c.ask("export NO_COLOR=1; until husk wait --ready web; do sleep 0.1; done")[1] == 0, c
        assert f"hello from {'the disk' if disk else 'a box'}\n" in c.ask("wget -qO- http://127.0.0.1:8080/")[0], c	# husk speaks, too
        # it has crashed, and is there again
        assert c.ask("until husk state crash restarts | grep -q '^[1-9]'; do sleep 0.2; done")[1] == 0, c
        boxes, status = c.ask("husk list")
        states = dict(re.findall(r"^(web|shell|crash) +(\w+)", boxes, re.M))
        assert status == 0 and states["web"] == "ready" and states["shell"] == "running" and states["crash"] in ("running", "backoff", "starting"), c
        assert "signal 11" in c.ask("husk state crash")[0], c
        chart = c.ask("husk boot -t; husk boot -k")[0]
        assert re.search(r"^web +\d+\.\d{3} .* \d+\.\d +\d+\.\d", chart, re.M) and re.search(r"^crash\.up=\d+\.\d{6}$", chart, re.M), c
        mounts = {m.split()[1]: m.split() for m in c.ask("cat /proc/mounts")[0].splitlines()}
        assert not disk or (mounts["/data"][0], mounts["/data"][2]) == (part(2), "ext4"), c
        assert not begin or ((mounts["/"][0], mounts["/"][2]) == (part(1), "squashfs") and "Read-only file system" in c.ask("echo >/etc/x")[0]), c
        assert c.ask("echo written >/data/note")[1] == 0, c
        c.ask("husk halt" if halts else "husk poweroff")
        assert c.until("reboot: System halted") if halts else not c.until("^never$") and c.p.wait() == 0 and "Power down" in c.text, c
        assert "did not stop" not in c.text and "Kernel panic" not in c.text, c
    svg = subprocess.run(["busybox", "awk", "-f", qemu.TOP / "boards/chart.awk"], input="".join(re.findall(r"^[\w.]+=\d+\.\d{6}\n", chart, re.M)), capture_output=True, text=True, check=True).stdout
    assert {t.text for t in xml.etree.ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")} > {"init", "mounts", "web", "shell", "crash"}, svg
    if disk:
        good, said = disks.clean(tmp, (tmp / "disk").read_bytes()[begin * disks.MB:][:qemu.DATA * disks.MB])
        assert good, said
        assert subprocess.run(["/sbin/debugfs", "-R", "cat note", tmp / "checked"], capture_output=True, text=True, check=True).stdout == "written\n"


def test_wrong_board(tmp_path, monkeypatch, capfd):
    """What make image and make boot look at first."""
    names = [f.stem for f in qemu.TOP.glob("boards/*.conf")]
    assert len(names) > 7 and not any(map(qemu.wrong, names)), capfd.readouterr()
    assert qemu.wrong("none") and "boards/none.conf: no such file: make BOARD=NAME, NAME of " in capfd.readouterr().err
    (tmp_path / "boards").mkdir()
    (tmp_path / "boards/own.conf").write_text("hostname=own\nexec=/bin/sh\n")
    (tmp_path / "out").symlink_to(qemu.TOP / "out")
    monkeypatch.setattr(qemu, "TOP", tmp_path)
    with pytest.raises(SystemExit, match="^no mkfs.none: sh test/setup.sh test$"):
        qemu.made("mkfs.none")
    assert qemu.wrong("own") and capfd.readouterr().err == "boards/own.conf:2: exec: a box's, not the board's\n"


@pytest.mark.parametrize("name", qemu.BOARDS)
def test_three_boxes(name, tmp_path):
    three_boxes(name, tmp_path)
