"""What a start was promised to cost: time in a guest that counts instructions, memory, system calls, bytes."""
import os
import shutil

import pytest

import husk


def test_bars():
    if os.uname().machine != "x86_64":
        pytest.skip("the guest is an x86_64 one")
    lacks = [t for t in ("qemu-system-x86_64", "mksquashfs", "mkfs.ext4", "strace") if not shutil.which(t)]
    if lacks:
        pytest.skip("no " + ", ".join(lacks))
    r = husk.command("/usr/bin/python3", "-B", husk.TOP / "test/bench.py", "-c", timeout=300)
    assert r.status == 0, "\n".join(l for l in r.out.splitlines() if l.startswith("bench: over")) or r


def test_board():
    """From the exec of init to the first instruction of a service in a full box, in a guest that counts instructions."""
    if not shutil.which("qemu-system-x86_64") or not (husk.TOP / "out/qemu-x86_64/husk").exists():
        pytest.skip("no qemu-system-x86_64, or nothing built for it")
    r = husk.command("/usr/bin/python3", "-B", husk.TOP / "test/boottime.py", "-c", timeout=300)
    assert r.status == 0, "\n".join(l for l in r.out.splitlines() if l.startswith("bench: over")) or r
