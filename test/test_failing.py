"""Boards on which something has failed: rescue, what is read again, and machines that lack what they should have. In guests
whose clock counts instructions: who waits there costs nothing."""
import re

import qemu
from test_boot import QUICK, ready, said, shell, small
from test_off import FOREVER, boot

RESCUED = """board.console=ttyAMA0 /bin/sh -c "echo @console; read x; echo @read $x"
board.good=/bin/sh -c "echo @good; kill -USR2 1"
board.timeout=20s
board.fail=rescue
"""


def test_rescue():
    """A box that gives up, and one that is never ready: a shell each, that has the terminal alone. When it ends what has failed is
    started again. Root has a password, and that is asked for."""
    b = ready(QUICK)
    f = small(b, {
        "a": shell("echo @up; [ -e /run/mended ] || exit 1; " + FOREVER, "restart=on-failure 20ms 3/1m\ngiveup=rescue\n"),
        "b": shell("[ -e /run/mended-b ] && echo >&5; " + FOREVER, "ready=fd:5\nstart.timeout=15s\n"),
    }, conf=RESCUED)
    f["etc/shadow"] = qemu.file("daemon:*:19000:0:99999:7:::\nroot:$1$x$Iwei4RhmKg0RS6u.9hhrN.:19000:0:99999:7:::\n")		# of the word known
    f["sbin/sulogin"] = qemu.link("../bin/busybox")
    end = "echo @shell $(tty) $(ps | grep -c 'read [x]'); exit\n"
    r = boot(b, f, timeout=300, typed=[
        ("Press Enter", "\n"), ("normal startup", "known\n"), ("# ", f"touch /run/mended; {end}"),
        ("Press Enter", "\n"), ("normal startup", "known\n"), ("# ", f"touch /run/mended-b; {end}")])
    assert said(r, "up") == [""] * 4 and said(r, "shell") == ["/dev/console 0"] * 2, r
    assert "husk: rescue: a has failed; all is read again" in r.text and "husk: board: not good in 20 s: b\n" in r.text, r
    assert "husk: rescue: board has failed; all" in r.text and said(r, "good") == [""] and len(said(r, "console")) == 3 and not said(r, "read"), r
    assert r.ended and "reboot: Power down" in r.text, r
