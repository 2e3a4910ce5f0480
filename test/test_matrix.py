"""Every limit on Debian's kernels 5.10, 6.1 and 6.12, on three architectures, in every layout: each is written, is read
back by cat, and does what it says to who is inside; or it is refused with the kernel's option. One boot for each kernel."""
import re
import shutil

import pytest

import husk
import qemu

BOARDS = "qemu-x86_64 qemu-armv7 qemu-arm64".split()
LAYOUTS = "v1 hybrid v2".split()		# in this order: v1 gets its controllers before any v2 child
HYBRID = "memory cpuacct devices freezer hugetlb rdma misc net_cls net_prio".split()	# are v1 there, the others v2
V1_ALONE = "cpuacct devices freezer net_cls net_prio".split()
BARE = "root=/srv/root log=inherit "

NOTHING = "cgroup v1 has nothing like it"
V1 = {"io": "blkio"}


class Place:
    """A kernel with its cgroups mounted in one way."""
    def __init__(self, b, version, layout):
        self.b, self.version, self.layout = b, tuple(map(int, version.split("."))), layout

    def built(self, ctl):
        option = {"memory": "MEMCG", "pids": "CGROUP_PIDS", "cpu": "CGROUP_SCHED", "cpuset": "CPUSETS", "io": "BLK_CGROUP", "hugetlb": "CGROUP_HUGETLB",
                  "rdma": "CGROUP_RDMA", "misc": "CGROUP_MISC", "net_cls": "CGROUP_NET_CLASSID", "net_prio": "CGROUP_NET_PRIO"}[ctl]
        return None if qemu.configured(self.b, option) else f"CONFIG_{option}"

    def v1(self, ctl):
        """Is that controller a v1 hierarchy here?"""
        if self.built(ctl) or self.layout == "v2" or (self.layout == "hybrid" and V1.get(ctl, ctl) not in HYBRID):
            return False
        return self.version < (6, 12) or ctl not in ("memory", "cpuset")		# MEMCG_V1 and CPUSETS_V1 are options then, and off

    def v2(self, ctl):
        return not self.built(ctl) and self.layout != "v1" and ctl not in V1_ALONE and not self.v1(ctl)

    def path(self, ctl, file, box):
        top = f"/{V1.get(ctl, ctl)}" if self.v1(ctl) else "/unified" if self.layout == "hybrid" else ""
        return f"/sys/fs/cgroup{top}/husk/{box}/{file}"


def since(*version):
    return lambda p: None if p.version >= version else f"Linux {version[0]}.{version[1]}"


def option(name):
    return lambda p: None if qemu.configured(p.b, name) else f"CONFIG_{name}"


def only_v1(option_):
    return lambda p: None if p.layout != "v2" else option_


def always(why):
    return lambda p: why


# What is asked; its v2 file and line, its v1 file and line (None: there is none there); of a kernel that
# lacks it, part of the reason. Of two boxes, because who has a weight has no nice value.
KNOBS = [
    [("memory.max=32M", "memory.max", "33554432", "memory.limit_in_bytes", "33554432", None),
     ("memory.high=24M", "memory.high", "25165824", None, None, None),
     ("memory.low=4M", "memory.low", "4194304", None, None, None),
     ("memory.min=1M", "memory.min", "1048576", None, None, None),
     ("memory.swap.max=8M", "memory.swap.max", "8388608", "memory.memsw.limit_in_bytes", "41943040", None),
     ("memory.oom.group=1", "memory.oom.group", "1", None, None, None),
     ("memory.swappiness=10", None, None, "memory.swappiness", "10", None),
     ("pids.max=20", "pids.max", "20", "pids.max", "20", None),
     ("cpu.max=30000 100000", "cpu.max", "30000 100000", "cpu.cfs_quota_us", "30000", None),
     ("cpu.max.burst=10000", "cpu.max.burst", "10000", "cpu.cfs_burst_us", "10000", since(5, 14)),
     ("cpu.weight=200", "cpu.weight", "200", "cpu.shares", "2048", None),
     ("cpu.rt_runtime_us=1000", "cpu.rt_runtime_us", "1000", "cpu.rt_runtime_us", "1000", option("RT_GROUP_SCHED")),
     ("cpuset.cpus=0", "cpuset.cpus", "0", "cpuset.cpus", "0", None),
     ("cpuset.mems=0", "cpuset.mems", "0", "cpuset.mems", "0", None),
     ("cpuset.cpus.partition=root", None, None, None, None, None),
     ("io.max=/dev/ram0:wbps=1M", "io.max", "1:0 rbps=max wbps=1048576 riops=max wiops=max", "blkio.throttle.write_bps_device", "1:0 1048576", None),
     ("io.weight=300", "io.weight", "default 300", "blkio.bfq.weight", "300", lambda p: p.v1("io") and "CONFIG_BFQ_GROUP_IOSCHED"),
     ("io.latency=/dev/ram0:target=75ms", "io.latency", "1:0 target=75000", None, None, option("BLK_CGROUP_IOLATENCY")),
     ("hugetlb.2MB.max=4M", "hugetlb.2MB.max", "4194304", "hugetlb.2MB.limit_in_bytes", "4194304", None),
     ("rdma.max=mlx4_0:hca_handle=2", None, None, None, None, always("rdma.max")),		# no such device in a guest
     ("misc.max=sev:1", None, None, None, None, always("misc.max")),
     ("net_cls.classid=0x10001", None, None, "net_cls.classid", "65537", None),
     ("net_prio.ifpriomap=lo:5", None, None, "net_prio.ifpriomap", "lo 5", None)],
    [("cpu.weight.nice=-5", "cpu.weight.nice", "-5", "cpu.shares", "3121", None),
     ("memory.max=10%", "memory.max", "TENTH", "memory.limit_in_bytes", "TENTH", None)],
    [("cpu.idle=1", "cpu.idle", "1", "cpu.idle", "1", since(5, 15))],
]

WITH = {"cpu.max.burst=10000": "cpu.max=30%"}		# what another needs


def expected(p, knob):
    """(path's controller, file, line), or the reason for which it is refused."""
    key = knob[0].split("=")[0]
    ctl = key.split(".")[0]
    if p.built(ctl):
        return p.built(ctl)
    if not p.v1(ctl) and not p.v2(ctl):
        return f"no {ctl} controller"
    if knob[5] and knob[5](p):
        return NOTHING if p.v1(ctl) and not knob[3] and knob[1] else knob[5](p)
    file, line = knob[3:5] if p.v1(ctl) else knob[1:3]
    if file is None:
        return NOTHING if p.v1(ctl) and knob[1] else key
    return ctl, file, line


# ------------------------------------------------------------------ the guest's script

HEAD = """dmesg -n 1; insmod /brd.ko rd_nr=2 rd_size=65536; busybox mkswap /dev/ram1 >/dev/null; busybox swapon /dev/ram1
echo 8 >/proc/sys/vm/nr_hugepages 2>/dev/null; mkdir -m 777 /tmp/share
row() { id=$1; shift; "$@" >/tmp/o 2>&1 </dev/null; echo "status $?" >>/tmp/o; sed "s/^/@$L $id /" /tmp/o; }
up() { husk run -d -p /tmp/pid.$1 name="$@"; }
down() { kill $(cat /tmp/pid.$1) 2>/dev/null; n=0; while [ -d /run/husk/$1 ] && [ $n -lt 200 ]; do usleep 20000; n=$((n+1)); done; }
away() {
	rm -f /tmp/spun /tmp/ate /tmp/w* /tmp/share/n		# their pages hold the cgroup of who wrote them
	for d in /sys/fs/cgroup/*/husk /sys/fs/cgroup/husk; do rmdir $d; done 2>/dev/null
	busybox swapoff /dev/ram1; busybox swapon /dev/ram1; n=0	# so does a slot of swap that waits to be given back
	while sed 1d /proc/cgroups | cut -f3 | grep -qv "^1$" && [ $n -lt 100 ]; do echo 3 >/proc/sys/vm/drop_caches; usleep 50000; n=$((n+1)); done
	umount /sys/fs/cgroup/*/ 2>/dev/null; umount /sys/fs/cgroup
	sed 1d /proc/cgroups | cut -f1-3 | grep -v "0.1$"
}
"""
# On v2 a 32-bit kernel dies of io.max in its first five minutes: refused then
EARLY = f"""L=early
{qemu.MOUNTS["v2"]}
row io.max husk run {BARE} name=e io.max=/dev/ram0:wbps=1M -- /bin/true
row up husk run {BARE} name=e '?io.max=/dev/ram0:wbps=1M' -- /bin/true
away
"""
LATER = "sleep $((305 - $(cut -d. -f1 /proc/uptime)))\n"
# every effect: its words, and what the answer is searched for; a function of the place says which
B = BARE + "name=e "
SPIN = f"husk run {B} cpu.max=20% -- /bin/effect spin 10000 >/tmp/spun & sleep 6; grep nr_throttled CPU; wait; cat /tmp/spun"
RATIO = f"""t=$(($(cut -d. -f1 /proc/uptime)+6)); for w in 100 300; do
	husk run {BARE} name=w$w cpu.weight=$w -- /bin/effect spin 2000 $t >/tmp/w$w &
done; wait; cat /tmp/w100 /tmp/w300"""
FROZEN = f"""up e {BARE} bind=/tmp/share:/mnt:rw user=root -- /bin/effect count /mnt/n; usleep 100000; husk pause e; a=$(cat /tmp/share/n); sleep 1; b=$(cat /tmp/share/n)
husk resume e; usleep 300000; c=$(cat /tmp/share/n); down e; echo frozen $a $b thawed $c"""
EFFECTS = {
    "oom": f"husk run {B} memory.max=8M memory.swap.max=0 -- /bin/effect eat 40",
    "room": f"husk run {B} memory.max=8M memory.swap.max=0 -- /bin/effect eat 4",
    "swap": f"husk run {B} memory.max=8M memory.swap.max=32M -- /bin/effect eat 24",
    "noswap": f"husk run {B} memory.max=8M memory.swap.max=4M -- /bin/effect eat 24",
    "high": f"husk run {B} memory.high=8M memory.max=64M -- /bin/effect eat 24 1000 >/tmp/ate & sleep 5; grep high MEMORY; wait; cat /tmp/ate",
    "bomb": f"husk run {B} pids.max=20 -- /bin/effect bomb 60; echo alive",
    "spin": SPIN,
    "ratio": RATIO,
    "io": f"husk run {B} user=root io.max=/dev/ram0:wbps=1M device=/dev/ram0 -- /bin/effect write /dev/ram0 4194304 65536",
    "io-free": f"husk run {B} user=root device=/dev/ram0 -- /bin/effect write /dev/ram0 4194304 65536",
    "huge": f"husk run {B} hugetlb.2MB.max=4M -- /bin/effect huge 6 2097152",
    "node": f"husk run {B} user=root caps=mknod -- /bin/effect node b 1 0",
    "node-listed": f"husk run {B} user=root caps=mknod device=/dev/ram0:rwm -- /bin/effect node b 1 0",
    "bound": f"husk run {B} user=root caps=mknod bind=/dev:/mnt:dev,rw -- /bin/effect open /mnt/ram0 rw",
    "bound-listed": f"husk run {B} user=root caps=mknod bind=/dev:/mnt:dev,rw device=/dev/ram0 -- /bin/effect open /mnt/ram0 rw",
    "frozen": FROZEN,
}


def script(b, version):
    """(text, of each layout the place)"""
    text, places = HEAD + EARLY * early(b, version) + LATER * (b["NAME"] == "qemu-armv7"), {}
    for layout in LAYOUTS:
        p = places[layout] = Place(b, version, layout)
        text += f"L={layout}\n{qemu.MOUNTS[layout]}\n"
        for i, box in enumerate(KNOBS):
            good = [k for k in box if isinstance(expected(p, k), tuple)]
            for k in box:
                if isinstance(expected(p, k), str):
                    text += f"row {i}.{k[0].split('=')[0]} husk run {B} {WITH.get(k[0], '')} '{k[0]}' -- /bin/true\n"
            text += f"row up{i} up k {BARE} {' '.join(repr(k[0]) for k in good)} -- /bin/busybox sleep 1000\n"
            for k in good:
                text += f"row {i}.{k[0].split('=')[0]} cat {p.path(expected(p, k)[0], expected(p, k)[1], 'k')}\n"
            text += "down k\n"
        for name, words in effects(p).items():
            text += f"f() {{ {words}\n}}\nrow {name} f\n"
        text += "row left ls -d /sys/fs/cgroup/*/husk/* /sys/fs/cgroup/husk/*/ /run/husk/*/\nrow away away\n"
    return text + "echo @end\n", places


def early(b, version):
    """Not on 5.10, whose v1 would not get back what v2 has had."""
    return b["NAME"] == "qemu-armv7" and version != "5.10"


def effects(p):
    """Those whose controllers are there."""
    has = lambda ctl: p.v1(ctl) or p.v2(ctl)
    lacks = {"bomb": "pids", "oom": "memory", "room": "memory", "swap": "memory", "noswap": "memory", "spin": "cpu", "ratio": "cpu", "io": "io", "huge": "hugetlb"}
    files = {"CPU": p.path("cpu", "cpu.stat", "e"), "MEMORY": p.path("memory", "memory.events", "e")}
    out = {n: w for n, w in EFFECTS.items() if (n not in lacks or has(lacks[n])) and (n != "high" or p.v2("memory"))}
    return {n: re.sub("CPU|MEMORY", lambda m: files[m[0]], w) for n, w in out.items()}


# ------------------------------------------------------------------ what it must have said

def number(pattern, text):
    found = re.search(pattern, text)
    return [int(g) for g in found.groups()] if found else [0] * re.compile(pattern).groups


def wrong_effect(p, name, text):
    """What an effect must have shown; false is right."""
    if name == "spin":
        got, of, throttled = number(r"spun (\d+) of (\d+)", text) + number(r"nr_throttled (\d+)", text)
        return not 9_900_000 < of < 12_000_000 or not 0.15 * of < got <= 0.2 * 1.05 * of or throttled < 20
    if name == "ratio":
        a, b = number(r"spun (\d+) of \d+\nspun (\d+)", text)
        return not a or not 2.5 < b / a < 3.5
    if name == "io":
        n, us = number(r"wrote (\d+) in (\d+)", text)
        return n != 4194304 or n / us > 1.048576 * 1.1 or us > 8_000_000
    if name == "io-free":
        n, us = number(r"wrote (\d+) in (\d+)", text)
        return n != 4194304 or us > 1_500_000
    if name == "frozen":
        a, b, c = number(r"frozen (\d+) (\d+) thawed (\d+)", text)
        return not 0 < a == b < c
    if name == "high":
        return not number(r"high (\d+)", text)[0] or "ate 24" not in text
    must = {"oom": ("status 137", "killed: out of memory (memory.max=8M"), "room": ("ate 4", "status 0"), "swap": ("ate 24", "status 0"), "noswap": ("status 137",),
            "bomb": ("forked 18: Resource temporarily unavailable", "alive"), "huge": ("huge 2", "status 0"),
            "node": ("mknod: Operation not permitted",), "node-listed": ("open: ok",), "bound": ("open: Operation not permitted",), "bound-listed": ("open: ok",)}[name]
    return [m for m in must if m not in text]


def wrong_knob(p, knob, text):
    want = expected(p, knob)
    if isinstance(want, str):
        return "status 125" not in text or want not in text or "cg." not in text
    line = want[2]
    if line == "TENTH":
        return not 20_000_000 < number(r"(\d+)", text)[0] < 28_000_000
    return line not in text.splitlines()


@pytest.mark.parametrize("version", qemu.SUITES)
@pytest.mark.parametrize("name", BOARDS)
def test_kernel(name, version):
    if not shutil.which(qemu.board(name)["QEMU"].split()[0]) or not (qemu.TOP / "out" / name / "husk").exists():
        pytest.skip(f"no QEMU, or make BOARD={name}")
    b = qemu.of(name, version)
    text, places = script(b, version)
    r = qemu.guest(name, text, version, "none", {"brd.ko": qemu.file(qemu.module(b, "brd"))}, icount=6, timeout=400)
    said = {}
    for layout, row, line in re.findall(r"^@(\w+) (\S+) (.*)$", r.text, re.M):
        said[layout, row] = said.get((layout, row), "") + line + "\n"
    wrong = []
    if early(b, version) and ("first five minutes\nstatus 125" not in said.get(("early", "io.max"), "") or "not limited\nstatus 0" not in said.get(("early", "up"), "")):
        wrong.append(("early", said.get(("early", "io.max")), said.get(("early", "up"))))
    for layout, p in places.items():
        for i, box in enumerate(KNOBS):
            if "status 0" not in said.get((layout, f"up{i}"), ""):
                wrong.append((layout, f"up{i}", said.get((layout, f"up{i}"))))
            for k in box:
                row = f"{i}." + k[0].split("=")[0]
                if wrong_knob(p, k, said.get((layout, row), "nothing")):
                    wrong.append((layout, k[0], expected(p, k), said.get((layout, row))))
        wrong += [(layout, e, said.get((layout, e))) for e in effects(p) if wrong_effect(p, e, said.get((layout, e), "nothing"))]
        if re.search(r"husk/(?!uid)", said.get((layout, "left"), "husk/").replace("No such file", "")) and "status 0" in said.get((layout, "left"), "status 0"):
            wrong.append((layout, "left", said.get((layout, "left"))))
    if wrong:
        (husk.OUT / f"matrix-{name}-{version}.log").write_text(r.text)
    assert not wrong and r.ended and "@end" in r.text, "\n".join(map(str, wrong)) or r


MANY = """mkdir /tmp/p; cp /srv/root/bin/effect /tmp; PATH=$PATH:/ /tmp/effect boxes %d /tmp/p
cat /proc/uptime; echo "@alive $(ls /sys/fs/cgroup/husk | grep -c '^b') $(cat /sys/fs/cgroup/cgroup.stat | tr '\\n' ' ') free $(free | grep Mem)"
kill $(cat /tmp/p/*); n=0; while set -- /run/husk/b* && [ -e "$1" ] && [ $n -lt 600 ]; do usleep 50000; n=$((n+1)); done
cat /proc/uptime; echo "@left $(ls -A /run/husk | wc -l) $(ls /sys/fs/cgroup/husk | grep -c '^b')"
n=0; while ! grep -q 'dying_descendants 0' /sys/fs/cgroup/cgroup.stat && [ $n -lt 200 ]; do usleep 50000; n=$((n+1)); done
echo "@dying $(grep dying /sys/fs/cgroup/cgroup.stat) after $n"; free
"""


def test_five_hundred(n=500):
    """As many boxes alive at once: the last start takes as long as the first, and the cgroups go with them."""
    name = "qemu-arm64"
    if not shutil.which(qemu.board(name)["QEMU"].split()[0]) or not (qemu.TOP / "out" / name / "husk").exists():
        pytest.skip(f"no QEMU, or make BOARD={name}")
    r = qemu.guest(name, MANY % n, icount=1, memory=1024, timeout=600)
    first, last = number(r"@median (\d+) (\d+)", r.text)
    assert 0 < last <= 1.2 * first, (first, last, r)
    assert number(r"@alive (\d+)", r.text) == [n] and "@left 0 0" in r.text and "@dying nr_dying_descendants 0" in r.text, r
