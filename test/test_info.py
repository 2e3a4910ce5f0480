"""husk info: against what the kernel says of itself, and, in guests, with the reason for what is missing."""
import json
import os
import re

import pytest

import husk
import qemu
from test_stats import on_terminal

V2 = (husk.CGROUPS / "cgroup.controllers").exists()


@pytest.fixture(scope="module")
def facts():
    r = husk.husk("info")
    assert r.status == 0 and not r.err, r
    return dict(l.split("=", 1) for l in r.out.splitlines())


def test_this_machine(facts):
    assert (facts["kernel"], facts["machine"]) == (os.uname().release, os.uname().machine)
    assert facts["pid1"].startswith(re.match(r"[\w.-]*", husk.read("/proc/1/comm"))[0])
    for ns in husk.NAMESPACES:
        assert facts["namespaces." + ns] == ("yes" if os.path.exists("/proc/self/ns/" + ns) else f"no - CONFIG_{ns.upper()}_NS")


def test_lists_end(facts):
    """Also those of a program for 32 bits."""
    names = lambda facts, group: [k.split(".", 1)[1] for k in facts if k.startswith(group + ".")]
    other = husk.command(husk.OUT / "qemu-i386" / "husk", "info", "-k") if (husk.OUT / "qemu-i386" / "husk").exists() else None
    for said in [facts] + ([dict(l.split("=", 1) for l in other.out.splitlines())] if other and not other.status else []):
        assert names(said, "filter") == ["errno", "kill_process", "log", "user_notif", "32-bit"]
        assert names(said, "namespaces") == "user pid net ipc uts mnt cgroup time".split()
        assert len(names(said, "calls")) == 10 and names(said, "lsm") == ["apparmor", "selinux", "landlock"]
        assert set(said) - {k for k in said if "." in k} == {"version", "parts", "arch", "kernel", "machine", "pid1"}


def test_file_systems(facts):
    have = [l.split()[-1] for l in husk.read("/proc/filesystems").splitlines()]
    names = [k.split(".")[1] for k in facts if k.startswith("rootfs.") and k != "rootfs.loop"]
    assert len(names) >= 5
    for n in names:
        assert (facts["rootfs." + n] == "yes") == (n in have), n
        assert facts["rootfs." + n] == "yes" or facts["rootfs." + n].startswith("no - CONFIG_")


def test_controllers(facts):
    """One is there if a hierarchy that is mounted has it; if not, there is a reason."""
    mounted = {}
    for line in husk.read("/proc/mounts").splitlines():
        _, where, kind, options = line.split()[:4]
        if kind == "cgroup":
            mounted |= {c: where for c in options.split(",")}
        elif kind == "cgroup2":
            mounted |= {c: where for c in husk.read(where + "/cgroup.controllers").split()}
    known = {l.split()[0]: l.split()[3] for l in husk.read("/proc/cgroups").splitlines() if l[0] != "#"}
    for key, said in facts.items():
        name = key.removeprefix("cgroup.")
        if name == key or name in ("layout", "devices", "freezer"):
            continue
        v1 = "blkio" if name == "io" else name
        where = mounted.get(name) or mounted.get(v1)
        if where and os.access(where + "/cgroup.procs", os.W_OK):
            assert said.split()[1] == where, (key, said)
        elif known.get(v1) is None and not where:
            assert re.fullmatch(r"no - CONFIG_[A-Z_]+", said), (key, said)
        else:
            assert re.match("no - [^C]", said), (key, said)
    kinds = {l.split()[2] for l in husk.read("/proc/mounts").splitlines()} & {"cgroup", "cgroup2"}
    assert facts["cgroup.layout"] == ("hybrid" if len(kinds) == 2 else {"cgroup": "v1", "cgroup2": "v2"}[kinds.pop()] if kinds else "none")


def test_limits(name):
    """A leaf's own files, as soon as there was one."""
    with husk.box("memory.max=48M", "pids.max=20", "cpu.max=50%", "--", "/bin/sh", "-c", "echo up; exec sleep 100", box=name) as p:
        assert husk.line(p) == "up"
        said = {l[7:].split("=")[0]: l.split("=", 1)[1] for l in husk.husk("info").out.splitlines() if l.startswith("limits.")}
        files = {f for d in husk.cgroup_dirs(name) for f in os.listdir(d)}
        p.terminate()
        husk.status_of(p)
    v1 = {"memory.max": "memory.limit_in_bytes", "memory.swap.max": "memory.memsw.limit_in_bytes", "cpu.max": "cpu.cfs_quota_us", "cpu.weight": "cpu.shares"}
    for limit in ("memory.max", "memory.swap.max", "memory.high", "pids.max", "cpu.max", "cpu.weight"):
        if said.get("memory.max") == "yes":
            assert (said[limit] == "yes") == (limit in files or v1.get(limit) in files), (limit, said)
    assert all(v == "yes" or v.startswith("no - ") for v in said.values())


def test_json_says_the_same():
    facts = dict(l.split("=", 1) for l in husk.husk("info", "-k").out.splitlines())
    whole = json.loads(husk.husk("info", "-j").out)
    flat = {f"{k}.{n}": v for k, d in whole.items() if isinstance(d, dict) for n, v in d.items()} | \
        {k: v for k, v in whole.items() if not isinstance(v, dict)}
    assert flat == facts


def test_table(facts):
    text = on_terminal(verb="info")
    assert all(len(l.rstrip("\r")) <= 80 or "no - " in l for l in text.split("\n")), text
    for key, said in facts.items():
        if key.startswith("cgroup.") and said.startswith("no - "):
            assert f"{key[7:]}: {said}" in text
    assert re.search(rf"^cgroup +{facts['cgroup.layout']}: ", text, re.M), text


def test_a_call_that_is_missing():
    r = husk.command(husk.INJECT, "-o", "/dev/null", "openat2=ENOSYS", "--", husk.HUSK, "info")
    if r.status == 0 and "calls.openat2" in r.out:
        assert "calls.openat2=no - " in r.out, r


def test_words():
    assert husk.husk("info", "web").status == 2
    assert husk.husk("info", "-x").status == 2


INFO = "/husk info | sed 's/^/@/'\n"
STATS = INFO + """/husk run name=web root=/srv/root memory.max=24M pids.max=20 cpu.max=50% -- /bin/sh -c 'x=$(head -c 6000000 /dev/zero | tr "\\0" x); i=0; while [ $i -lt 3000 ]; do i=$((i+1)); done; echo up; sleep 1000; :' >/tmp/log &
until grep -q up /tmp/log; do usleep 100000; done
/husk stats web | sed 's/^/#/'
/husk stats -j web | sed 's/^/%/'
/husk stats nobody; echo "status $?"
""" + INFO


def guest(script, version, layout, append=""):
    if not (qemu.TOP / "out/qemu-x86_64/husk").exists():
        pytest.skip("make BOARD=qemu-x86_64")
    b = qemu.guest("qemu-x86_64", script, version, layout, append=append, timeout=100)
    assert b.ended, b
    lines = lambda mark: [l[1:] for l in b.text.splitlines() if l.startswith(mark)]
    whole = json.loads(lines("%")[0])["data"] if lines("%") else {}
    return dict(l.split("=", 1) for l in lines("@")), dict(l.split("=", 1) for l in lines("#")), whole, b


def test_guest_v2():
    said, k, d, b = guest(STATS, "6.12", "v2")
    assert said["cgroup.layout"] == "v2" and said["cgroup.memory"] == said["cgroup.devices"] == "v2 /sys/fs/cgroup", b
    assert said["cgroup.net_cls"].startswith("no - ")
    assert said["limits.memory.max"] == said["limits.memory.high"] == said["limits.cpu.max"] == "yes" and "limits.io.max" not in said, b
    assert said["limits.cpu.rt_runtime_us"] == "no - CONFIG_RT_GROUP_SCHED, and cgroup v1"
    assert (k["memory.max"], k["pids.max"]) == (str(24 << 20), "20") and int(k["memory.peak"]) > 6 << 20, b
    assert int(k["memory.stat.kernel"]) > 0 and int(k["memory.stat.anon"]) > 5 << 20
    assert int(k["cpu.stat.nr_periods"]) > 0 and int(k["cpu.stat.usage_usec"]) > 10_000
    assert d["memory"]["swap"]["usage"] >= d["memory"]["usage"]["usage"] > 6 << 20
    assert d["memory"]["usage"]["limit"] == 24 << 20 and d["memory"]["cache"] == d["memory"]["raw"]["file"]
    assert d["cpu"]["usage"]["total"] % 1000 == 0 and d["network_interfaces"][0]["Name"] == "lo"
    assert "nobody: no such box, and no file /etc/husk/nobody.conf" in b.text and "status 3" in b.text


def test_guest_v1_with_memory_switched_off():
    said, _, _, b = guest(INFO + "/husk run name=web root=/srv/root memory.max=24M -- /bin/true\n", "5.10", "v1", "cgroup_disable=memory")
    assert said["cgroup.layout"] == "v1" and said["cgroup.pids"] == "v1 /sys/fs/cgroup/pids", b
    assert said["cgroup.memory"] == "no - cgroup_disable=memory is on the kernel's command line", b
    assert "memory controller - cgroup_disable=memory is on the kernel's command line" in b.text


def test_guest_v1():
    """No v2 tree, and no leaf with cpuacct.usage: the time is that of the processes."""
    said, k, d, b = guest(STATS, "6.1", "v1")
    assert said["cgroup.memory"] == "v1 /sys/fs/cgroup/memory" and said["cgroup.freezer"] == "v1 /sys/fs/cgroup/freezer", b
    assert int(k["cpu.stat.usage_usec"]) > 0 and int(k["cpu.stat.usage_usec"]) % 10_000 == 0, b
    config = next(qemu.kernel(qemu.of("qemu-x86_64", "6.1")).glob("boot/config*")).read_text()
    for limit, option in (("io.max", "BLK_DEV_THROTTLING"), ("cpu.max", "CFS_BANDWIDTH"), ("cpu.rt_runtime_us", "RT_GROUP_SCHED")):
        assert (said.get(f"limits.{limit}") == "yes") == (f"CONFIG_{option}=y" in config), (limit, b)
    assert said["limits.memory.high"] == "no - cgroup v1 has nothing like it"
    assert int(k["memory.peak"]) > 6 << 20 and k["pids.max"] == "20"
    assert int(k["cpu.stat.nr_periods"]) > 0


def test_guest_without_cgroups():
    said, _, _, b = guest(INFO, "6.1", "none")
    assert said["cgroup.layout"] == "none" and said["cgroup.memory"].startswith("no - its hierarchy is not mounted"), b


JOINED = """mount -t tmpfs cg /sys/fs/cgroup
for c in memory pids cpu,cpuacct freezer; do mkdir /sys/fs/cgroup/$c; mount -t cgroup -o $c cg /sys/fs/cgroup/$c; done
"""


def test_guest_v1_joined():
    """Processor time by CPU, where the leaf of cpu.max has cpuacct, too."""
    said, k, d, b = guest(JOINED + STATS, "5.10", "none")
    assert said["cgroup.layout"] == "v1" and said["cgroup.cpu"] == "v1 /sys/fs/cgroup/cpu,cpuacct", b
    cpus, total = d["cpu"]["usage"]["percpu"], d["cpu"]["usage"]["total"]
    assert cpus and abs(sum(cpus) - total) < 50_000_000 and total > 10_000_000, b
    assert int(k["cpuacct.usage_percpu.0"]) > 0 and int(k["cpu.stat.usage_usec"]) > 10_000
    assert d["cpu"]["usage"]["user"] + d["cpu"]["usage"]["kernel"] > 0		# by the tick: 5.10 does not scale it


def test_help_knows_verbs_and_keys():
    """boot is both; update is a verb alone."""
    assert husk.husk("help", "update").out.startswith("husk update NAME key=value ..\n") and "husk run" not in husk.husk("help", "update").out
    assert husk.husk("help", "boot").out.startswith("husk boot [-tk]\n") and "boot=no|yes" in husk.husk("help", "boot").out
    assert husk.husk("help", "nice").out.startswith("nice=") and (husk.husk("help").out + husk.husk("help", "all").out).count("\nhusk ") > 20
    r = husk.husk("help", "updat")
    assert r.status == 2 and "no such verb or key" in r.err, r
