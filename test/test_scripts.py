"""boards/init: husk under the inits of others, as far as they can be had here: busybox's for real, in a guest."""
import re
import shutil

import pytest

import husk
import qemu

AT = husk.TOP / "boards" / "init"
INSIDE = """trap 'echo asked to stop; exit 0' TERM; trap 'echo asked to reload' HUP; echo up; while :; do sleep 100 & wait; done"""
WEB = f"""exec=/bin/sh -c "{INSIDE}"
root=/srv/root
user=1000
log=inherit
"""
# of buildroot's own
RCS = """#!/bin/sh
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev; mount -t tmpfs tmp /tmp; mount -t tmpfs run /run
mount -t cgroup2 -o nsdelegate cg /sys/fs/cgroup
for i in /etc/init.d/S??*; do [ -x $i ] && $i start; done
"""
RCK = """#!/bin/sh
for i in $(ls -r /etc/init.d/S??*); do $i stop; done
"""


# another process 1 than that one, and the program has got as far as to wait
WAIT = """
wait_up() { while [ "$(husk state web pid 2>&1)" = "$was" ] || ! husk ps web 2>&1 | grep -q "sleep 100"; do usleep 100000; done; }
"""


def machine(inittab, script, files=None, timeout=180):
    """busybox's init as process 1. SCRIPT runs when sysinit is over, and ends the machine."""
    b = qemu.of("qemu-x86_64", "6.1")
    tree = qemu.with_husk(b, {"web": WEB}) | {
        "sbin/init": qemu.link("/bin/busybox"), "etc/inittab": qemu.file(inittab + "::once:/script\n"), "etc/init.d/rcS": qemu.program(RCS), "etc/init.d/rcK": qemu.program(RCK),
        "script": qemu.program("#!/bin/sh\nexec </dev/console >/dev/console 2>&1\n" + WAIT + script + "\nbusybox poweroff\nsleep 60\n")}
    boot = qemu.boot(b, tree | (files or {}), "", "/sbin/init", timeout)
    assert boot.ended, boot
    return boot.text


def test_buildroots_script():
    """Each word twice, and all that LSB says of the status."""
    script = """
p() { husk state web pid; }
was=none; wait_up
/etc/init.d/S50web status; echo "running: $?"; first=$(p)
/etc/init.d/S50web start; echo "start again: $?"; [ "$(p)" = "$first" ] && echo the same
/etc/init.d/S50web reload; echo "reload: $?"
/etc/init.d/S50web restart; echo "restart: $?"; was=$first; wait_up; [ "$(p)" != "$first" ] && echo another
/etc/init.d/S50web stop; echo "stop: $?"
/etc/init.d/S50web stop; echo "stop again: $?"
/etc/init.d/S50web status; echo "stopped: $?"
/etc/init.d/S60nosuch status; echo "no such: $?"
/etc/init.d/S50web; echo "no word: $?"
/etc/init.d/S50web start; echo "start: $?"; was=none; wait_up
"""
    s50 = qemu.program((AT / "S50web").read_text())
    text = machine("::sysinit:/etc/init.d/rcS\n::shutdown:/etc/init.d/rcK\n", script, {"etc/init.d/S50web": s50, "etc/init.d/S60nosuch": qemu.link("S50web")})
    for what, status in ("running", 0), ("start again", 0), ("reload", 0), ("restart", 0), ("stop", 0), ("stop again", 0), ("stopped", 3), ("no such", 4), ("no word", 2), ("start", 0):
        assert f"\n{what}: {status}\n" in text, (what, text)
    assert "\nthe same\n" in text and "\nanother\n" in text
    assert text.splitlines().count("up") == 3 and text.count("asked to reload\n") == 1 and text.count("asked to stop\n") == 3, text
    assert text.rindex("asked to stop\n") < text.rindex("going down"), text


def test_lines_of_an_inittab():
    """Started again whenever it ends, whoever ended it; asked to stop on the way down."""
    script = """
was=none; wait_up; was=$(husk state web pid); [ "$was" ] && echo "first"
kill -9 $(husk state web keeper); wait_up; was=$(husk state web pid); [ "$was" ] && echo "second"
kill -9 $was; wait_up; was=$(husk state web pid); [ "$was" ] && echo "third"
"""
    text = machine("::sysinit:/etc/init.d/rcS\n" + (AT / "inittab").read_text(), script)
    for word in "first", "second", "third":
        assert f"\n{word}\n" in text, (word, text)
    assert text.splitlines().count("up") == 3 and text.count("asked to stop\n") == 1, text
    assert text.rindex("asked to stop\n") < text.rindex("going down"), text


def test_systemds_unit(tmp_path):
    """Checked by systemd's own reader; it is not run here."""
    if not shutil.which("systemd-analyze"):
        pytest.skip("no systemd-analyze")
    unit = tmp_path / "web.service"
    unit.write_text((AT / "web.service").read_text().replace("/sbin/husk", husk.HUSK))
    r = husk.command("systemd-analyze", "verify", unit, timeout=30)
    assert r.status == 0 and not [l for l in r.err.splitlines() if "web" in l], r


PROCD = """
procd_open_instance() { :; }
procd_close_instance() { :; }
procd_set_param() { echo "$*"; }
. "$1"
start_service
reload_service
"""


def test_procds_service(tmp_path):
    """Its shell, with words of ours for procd's: procd is not run here. What it would keep is a box that stops by TERM."""
    service = tmp_path / "web"
    service.write_text((AT / "web.procd").read_text().replace("/sbin/husk reload", "echo husk reload"))
    r = husk.command("sh", "-eu", "-c", PROCD, "sh", service)
    said = dict(l.split(" ", 1) for l in r.out.splitlines())
    assert r.status == 0 and said["command"] == "/sbin/husk run web" and said["husk"] == "reload web", r
    verbs = set(re.findall(r"/sbin/husk (\w+)", "".join(f.read_text() for f in AT.iterdir())))
    known = set(re.findall(r"^husk (\w+)", husk.husk("help").out + husk.husk("help", "all").out, re.M))
    assert verbs <= known, verbs - known


@pytest.mark.parametrize("script", ["S50web", "web.procd"])
def test_shells_of_them(script):
    if not shutil.which("shellcheck"):
        pytest.skip("no shellcheck")
    r = husk.command("shellcheck", "-s", "sh", "-e", "SC2034", AT / script, timeout=60)	# variables that rc.common reads
    assert r.status == 0, r
