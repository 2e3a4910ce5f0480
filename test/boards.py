"""make test-boards: the boards that are not in make test, each with the boxes of test_boot.py."""
import re

import pytest

import qemu
import test_boot

OTHERS = sorted(f.stem for f in (qemu.TOP / "boards").glob("*.mk") if f.stem not in (*qemu.BOARDS, "cross", "native"))
POWERS_OFF = ("orangepi-pc", "vexpress-a9")		# the models of the others have nothing for it


@pytest.mark.parametrize("name", OTHERS)
def test_a_full_boot(name):
    b, halts = test_boot.ready(name), name not in POWERS_OFF
    # drivers that complain while programs speak would break their lines
    r = qemu.boot(b, test_boot.full(b), "loglevel=1", timeout=300, until="reboot: System halted" if halts else None)
    r.text = re.sub(r"^X+(?=@)", "", r.text, flags=re.M)		# the small line of a Raspberry Pi 3 says so when it is set up
    test_boot.check_full(r, name, halts=halts)
