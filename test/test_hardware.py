"""Boards whose kernel lacks something, and what stands at the end of a machine's life: in guests."""
import pytest

import qemu
from test_boot import LIMITS, LIMITS_SH, QUICK, full, ready, said, shell, small

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
        assert said(r, "nodes") == ["/dev/null-666-1-3 /dev/console-600-5-1 /dev/kmsg-600-1-b "], r
