"""husk stats: its figures against the files of the kernel, and against what a program did; on whatever layout this machine has."""
import contextlib
import json
import os
import re
import select
import signal
import subprocess
import tempfile
import termios
import time

import pytest

import husk

V2 = (husk.CGROUPS / "cgroup.controllers").exists()
# runc's events --stats: types/events.go
RUNC = {
    "cpu": {"usage": {"total", "percpu", "kernel", "user"}, "throttling": {"periods", "throttledPeriods", "throttledTime"}, "psi": {"some", "full"}},
    "memory": {"cache": None, "usage": {"limit", "usage", "max", "failcnt"}, "swap": {"limit", "usage", "max", "failcnt"},
               "kernel": {"limit", "usage", "max", "failcnt"}, "kernelTCP": {"limit", "usage", "max", "failcnt"}, "raw": None, "psi": {"some", "full"}},
    "pids": {"current": None, "limit": None},
    "blkio": {"ioServiceBytesRecursive": None, "ioServicedRecursive": None, "psi": {"some", "full"}},
    "hugetlb": None, "network_interfaces": None,
}
OWN = {"memory": {"events"}, "pids": {"peak"}}		# what runc has no name for, under the kernel's
INTERFACE = {"Name", "RxBytes", "RxPackets", "RxErrors", "RxDropped", "TxBytes", "TxPackets", "TxErrors", "TxDropped"}


@contextlib.contextmanager
def running(name, *words, script="echo up; exec sleep 100"):
    with husk.box(*words, "--", "/bin/sh", "-c", script, box=name) as p:
        assert husk.line(p, 20) == "up"
        try:
            yield p
        finally:
            p.terminate()
            husk.status_of(p)


def stats(*words):
    r = husk.husk("stats", *words)
    assert r.status == 0 and not r.err, r
    return r.out


def keys(name):
    return dict(l.split("=", 1) for l in stats(name).splitlines())


def data(name):
    whole = json.loads(stats("-j", name))
    assert (whole["type"], whole["id"]) == ("stats", name) and set(whole) <= {"type", "id", "data"}
    return whole["data"]


def leaf(name, file):
    """That file in whichever leaf has it, as a number; or None."""
    for d in husk.cgroup_dirs(name):
        text = husk.read(os.path.join(d, file)).strip()
        if text:
            return int(text) if text.isdigit() else text
    return None


def test_limits_and_counts_are_those_of_the_files(name):
    with running(name, "memory.max=48M", "pids.max=77") as p:
        k, d = keys(name), data(name)
        if leaf(name, "memory.max") or leaf(name, "memory.limit_in_bytes"):
            assert k["memory.max"] == str(48 << 20) and d["memory"]["usage"]["limit"] == 48 << 20
            assert 0 < int(k["memory.current"]) <= int(k.get("memory.peak", 48 << 20)) <= 48 << 20
            lines = dict(l.split() for l in (leaf(name, "memory.stat") or "").splitlines())
            assert {"memory.stat." + n for n in lines} <= set(k) and set(d["memory"]["raw"]) == set(lines)
        if leaf(name, "pids.max"):
            assert (k["pids.max"], k["pids.current"]) == ("77", str(leaf(name, "pids.current")))
            assert d["pids"]["limit"] == 77 and d["pids"]["current"] == leaf(name, "pids.current")
        assert k["name"] == name
        assert husk.alive(husk.init_of(p.pid))


def test_nothing_is_shown_that_nobody_counts(name):
    with running(name, "memory.max=max", "pids.max=max"):
        k, d = keys(name), data(name)
        for controller in ("memory", "pids"):
            if leaf(name, f"{controller}.current") is None and leaf(name, f"{controller}.usage_in_bytes") is None:
                assert not [x for x in k if x.startswith(controller + ".") and "pressure" not in x], k
                assert controller not in d or set(d[controller]) == {"psi"}


def only_known(d, names, own, path=""):
    for key, value in d.items():
        assert key in names or key in own, f"{path}/{key} is no name of runc's"
        if isinstance(value, dict) and names.get(key):
            assert set(value) <= names[key], (path, key, value)


def test_json_has_the_names_of_runc(name):
    with running(name, "memory.max=48M", "pids.max=77", "cpu.max=50%"):
        d = data(name)
    assert set(d) <= set(RUNC), d
    for group, names in RUNC.items():
        if names and group in d:
            only_known(d[group], names, OWN.get(group, set()), group)
    for device in d.get("blkio", {}).get("ioServiceBytesRecursive", []):
        assert set(device) == {"major", "minor", "op", "value"}
    assert [set(i) for i in d["network_interfaces"]] == [INTERFACE]
    assert "total" in d["cpu"]["usage"]


def test_units_are_those_of_runc(name):
    """Nanoseconds in JSON, the kernel's microseconds in the lines."""
    with running(name, "cpu.max=50%"):
        k, d = keys(name), data(name)
    assert abs(int(k["cpu.stat.usage_usec"]) * 1000 - d["cpu"]["usage"]["total"]) < 50_000_000
    assert d["memory"]["swap"]["usage"] >= d["memory"]["usage"]["usage"] - (1 << 20) if "swap" in d.get("memory", {}) else True


def test_what_a_program_has_used(name):
    """20M of memory, some processor time, processes, a packet on lo."""
    script = "x=$(head -c 20971520 /dev/zero | tr '\\0' x); i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done; sleep 100 & sleep 100 & ping -c 1 -W 1 127.0.0.1 >/dev/null 2>&1; cat /proc/$$/stat >&2; echo up; wait"
    with running(name, "memory.max=256M", "caps=net_raw", "user=root", script=script) as p:
        k, d = keys(name), data(name)
        fields = husk.errors(p).rpartition(")")[2].split()
    ticks = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    used = int(k["cpu.stat.usage_usec"]) / 1e6
    assert used >= ticks * 0.8 - 0.02 and used < ticks * 2 + 2, (used, ticks)
    assert abs(int(k["cpu.stat.user_usec"]) + int(k["cpu.stat.system_usec"]) - int(k["cpu.stat.usage_usec"])) < 60_000
    if "memory.current" in k:
        assert int(k.get("memory.peak", k["memory.current"])) > 20 << 20
    if "pids.current" in k:
        assert k["pids.current"] == "4"
    assert int(k["net.lo.rx_packets"]) == int(k["net.lo.tx_packets"]) == d["network_interfaces"][0]["RxPackets"]
    assert d["network_interfaces"][0]["Name"] == "lo"


def test_time_without_a_counter(name, tmp_path):
    """No leaf has cpu.stat or cpuacct.usage: its processes are asked, and those that they have waited for."""
    script = "(i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done); cat /proc/$$/stat >&2; echo up; exec sleep 100"
    with running(name, script=script) as p:
        waited = sum(map(int, husk.errors(p).rpartition(")")[2].split()[13:15]))
        if not waited:
            pytest.skip("too fast to tell")
        log = tmp_path / "log"
        hide = [w for d in husk.cgroup_dirs(name) for f in ("cpu.stat", "cpuacct.usage") for w in ("-P", os.path.join(d, f))]
        r = husk.command("strace", "-qq", "-o", log, *hide, "-e", "inject=read:error=EIO", husk.HUSK, "stats", "-j", name)
        assert r.status == 0 and "EIO" in log.read_text(), r
        usage = json.loads(r.out)["data"]["cpu"]["usage"]
    hz = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
    assert usage["total"] == usage["user"] + usage["kernel"] >= waited * hz
    assert usage["total"] % hz == 0


def test_throttled(name):
    with running(name, "cpu.max=10%", script="echo up; while :; do :; done"):
        k = husk.wait_for(lambda: (lambda k: int(k.get("cpu.stat.nr_throttled", "0")) > 1 and k)(keys(name)), 5)
        if not k:
            assert leaf(name, "cpu.cfs_quota_us") is None and leaf(name, "cpu.max") is None
            pytest.skip("no cpu controller")
        d = data(name)
    assert 0 < int(k["cpu.stat.nr_throttled"]) <= int(k["cpu.stat.nr_periods"])
    assert d["cpu"]["throttling"]["throttledTime"] >= int(k["cpu.stat.throttled_usec"]) * 1000 > 10_000_000


def test_killed_for_memory_is_counted(name):
    script = "echo up; sh -c 'x=x; while :; do x=$x$x; done'; echo again; exec sleep 100"
    with running(name, "memory.max=16M", "memory.swap.max=0", script=script) as p:
        assert husk.line(p, 20) == "again"
        k = keys(name)
        if leaf(name, "memory.oom_control") is None and leaf(name, "memory.events") is None:
            pytest.skip("no memory controller")
        hits = leaf(name, "memory.failcnt")
    assert int(k["memory.events.oom_kill"]) >= 1
    assert int(k["memory.events.max"]) == hits if hits is not None else int(k["memory.events.max"]) >= 1



def test_interface_with_a_hostile_name(name):
    """Its name is one line, one key, and a string of JSON, whatever it holds."""
    script = "ip link set lo down; ip link set lo name \"$0\" && echo up; exec sleep 100"
    evil = 'a"=\\\x01\xc3;$('
    with husk.box("user=root", "caps=net_admin", "--", "/bin/sh", "-c", script, os.fsdecode(evil.encode("latin-1")), box=name) as p:
        if husk.line(p) != "up":
            pytest.skip("lo cannot be renamed")
        lines = [l for l in stats(name).splitlines() if l.startswith("net.")]
        names = [i["Name"] for i in data(name)["network_interfaces"]]
        table = on_terminal(name)
        p.terminate()
        husk.status_of(p)
    assert names == [evil]
    assert len(lines) == 8 and all(re.fullmatch(r"net\.a\\x22\\x3d\\x5c\\x01\\xc3;\$\(\.[rt]x_[a-z]+=\d+", l) for l in lines), lines
    assert "\x01" not in table and "\\x01" in table


def test_directories_that_a_box_made_are_no_figures(name):
    """A box that may write in its leaf makes directories with names of files."""
    with running(name, "pids.max=77"):
        before = keys(name)
        made = [os.path.join(d, n) for d in husk.cgroup_dirs(name) for n in
                ("hugetlb.evil.current", "hugetlb.evil.usage_in_bytes", "memory.peak", "cpuacct.usage")]
        made = [d for d in made if not os.path.exists(d) and not os.mkdir(d)]
        try:
            after = keys(name)
            whole = data(name)
        finally:
            for d in made:
                os.rmdir(d)
    assert made and set(after) == set(before) and "evil" not in json.dumps(whole)


def test_interfaces_of_the_host_are_not_those_of_a_box(name):
    with running(name, "net=host"):
        assert not [k for k in keys(name) if k.startswith("net.")] and "network_interfaces" not in data(name)


def test_who_does_not_run(name):
    for word, status in ((name, 3), ("../x", 2)):
        r = husk.husk("stats", word)
        assert r.status == status and len(r.err.splitlines()) == 1 and not r.out, r
    r = husk.husk("stats", "a", "b")
    assert r.status == 2 and "one box" in r.err, r


def test_all_that_run(name):
    with running(name + "-b"), running(name + "-a"):
        names = [l[5:] for l in stats().splitlines() if l.startswith("name=") and name in l]
        records = [json.loads(l) for l in stats("-j").splitlines()]
    assert names == [name + "-a", name + "-b"]
    assert [r["id"] for r in records if name in r["id"]] == names
    assert name not in stats()


def test_nothing_to_write_to(name):
    with running(name):
        with open("/dev/full", "w") as full:
            p = subprocess.run([husk.HUSK, "stats", name], stdout=full, stderr=subprocess.PIPE, timeout=10)
    assert p.returncode == 1 and b"standard output" in p.stderr


# ------------------------------------------------------------------- on a terminal

def terminal(*words, verb="stats", rows=40, columns=80):
    return husk.terminal(verb, *words, size=(rows, columns))


def on_terminal(*words, **more):
    with terminal(*words, **more) as t:
        t.until(lambda text: t.p.poll() is not None)
        assert t.p.returncode == 0
        t.until(lambda text: not select.select([t.master], [], [], 0)[0])
        return t.text


def test_table_fits_80_columns(name):
    with running(name, "memory.max=48M", "cpu.max=50%"):
        one, everybody = on_terminal(name), on_terminal()
    for text in (one, everybody):
        assert all(len(l.rstrip("\r")) <= 80 for l in text.split("\n")), text
        assert re.search(r"^NAME +MEMORY +CPU +CPU% +PIDS +READ +WRITE +RX +TX\r$", text, re.M), text
    assert all(len(l.rstrip("\r")) <= 80 for l in one.split("\n")[2:]), one
    assert re.search(rf"^{name}\r\n +\S*/48M", everybody, re.M) or "memory.max" not in keys(name), everybody
    assert re.search(r"^net\.lo +rx_bytes \d+ +rx_packets", one, re.M), one


FRAME = "\33[H"


@pytest.mark.parametrize("how", ["q", "\x03", "TERM", "HUP", "INT"])
def test_live_until_told(name, how):
    """A frame a second, within the window; then the terminal is as it was."""
    with running(name), terminal("-w", name, rows=12, columns=50) as t:
        began = time.monotonic()
        t.until(lambda text: text.count(FRAME) >= 3)
        assert time.monotonic() - began > 0.5
        assert termios.tcgetattr(t.slave) != t.was
        if len(how) == 1:
            os.write(t.master, how.encode())
        else:
            t.p.send_signal(getattr(signal, "SIG" + how))
        assert t.p.wait(5) == {"TERM": 143, "HUP": 129}.get(how, 0)
        assert termios.tcgetattr(t.slave) == t.was
    for frame in t.text.split(FRAME)[1:]:
        lines = re.sub(r"\x1b\[[A-Z]", "", frame).split("\r\n")
        assert len(lines) <= 12 and all(len(l) <= 50 for l in lines), lines


def test_live_draws_anew_when_the_window_changes(name):
    with running(name), terminal("-w", name) as t:
        t.until(lambda text: "net.lo" in text)
        n = t.text.count(FRAME)
        t.size(20, 70)
        began = time.monotonic()
        t.p.send_signal(signal.SIGWINCH)
        t.until(lambda text: text.count(FRAME) > n)
        assert time.monotonic() - began < 5
        os.write(t.master, b"q")
        assert t.p.wait(5) == 0


def test_live_ends_with_its_box(name):
    with running(name) as p, terminal("-w", name) as t:
        t.until(lambda text: "net.lo" in text)
        p.terminate()
        assert t.p.wait(5) == 0
        assert termios.tcgetattr(t.slave) == t.was


def test_live_shows_a_share_of_the_processor(name):
    with running(name, script="echo up; while :; do :; done"), terminal("-w") as t:
        t.until(lambda text: re.search(rf"{name}\x1b\[K\r\n +\S+ +\d\S+ +[1-9]\d* ", text), 8)


@pytest.mark.parametrize("option", ["-k", "-j"])
def test_live_as_records(name, option):
    with running(name):
        with subprocess.Popen([husk.HUSK, "stats", "-w", option, name], stdout=subprocess.PIPE) as p:
            text = b""
            mark = b"name=" if option == "-k" else b'"id"'
            end = time.monotonic() + 8
            while text.count(mark) < 2 and time.monotonic() < end:
                text += os.read(p.stdout.fileno(), 65536)
            p.terminate()
    assert text.count(mark) >= 2
    if option == "-j":
        assert all(json.loads(l)["id"] == name for l in text.decode().splitlines() if l.endswith("}"))
    else:
        assert b"\n\nname=" in text


# ------------------------------------------------------------ what takes preparation

@pytest.fixture
def disk(tmp_path):
    """A loop device of 8M, or none."""
    image = tmp_path / "disk"
    image.write_bytes(b"\0" * (8 << 20))
    r = husk.command("losetup", "-f", "--show", image)
    if r.status:
        pytest.skip("no loop device is to be had")
    yield r.out.strip()
    assert husk.command("losetup", "-d", r.out.strip()).status == 0


def test_what_a_program_reads_and_writes(name, disk):
    """Past the cache: 3M written, 1M read; v1 counts where a limit has made a leaf."""
    number = "{}:{}".format(os.major(os.stat(disk).st_rdev), os.minor(os.stat(disk).st_rdev))
    script = f"dd if=/dev/zero of={disk} bs=65536 count=48 oflag=direct && dd if={disk} of=/dev/null bs=65536 count=16 iflag=direct && echo up; exec sleep 100"
    with husk.box(f"io.max={disk}:wbps=500M", f"device={disk}:rw", "user=root", "--", "/bin/sh", "-c", script, box=name) as p:
        try:
            first = husk.line(p, 20)
        except AssertionError as e:
            pytest.skip(f"no io.max here: {e}")
        assert first == "up"
        k, d = keys(name), data(name)
        p.terminate()
        husk.status_of(p)
    assert int(k[f"io.stat.{number}.wbytes"]) >= 3 << 20 and int(k[f"io.stat.{number}.rbytes"]) >= 1 << 20, k
    assert int(k[f"io.stat.{number}.wios"]) >= 48 and int(k[f"io.stat.{number}.rios"]) >= 16
    entries = {(e["major"], e["minor"], e["op"]): e["value"] for e in d["blkio"]["ioServiceBytesRecursive"]}
    major, minor = map(int, number.split(":"))
    assert entries[major, minor, "Write"] == int(k[f"io.stat.{number}.wbytes"])
    assert entries[major, minor, "Read"] == int(k[f"io.stat.{number}.rbytes"])


def test_32_bits_say_the_same(name):
    """The same box, by a program for 32 bits: values have 64 everywhere."""
    other = husk.OUT / "qemu-i386" / "husk"
    if not other.exists() or husk.command(other, "version").status:
        pytest.skip("no 32-bit program of ours runs here")
    with running(name, "memory.max=5G", "cpu.max=50%"):
        said = [husk.command(h, "stats", "-k", name).out for h in (husk.HUSK, other)]
        whole = json.loads(husk.command(other, "stats", "-j", name).out)["data"]
    assert [l.split("=")[0] for l in said[0].splitlines()] == [l.split("=")[0] for l in said[1].splitlines()]
    assert "memory.max" not in said[0] or ("memory.max=5368709120\n" in said[1] and whole["memory"]["usage"]["limit"] == 5 << 30)


@pytest.fixture
def anybodys():
    """A directory that others may enter."""
    with tempfile.TemporaryDirectory() as d:
        os.chmod(d, 0o755)
        yield husk.pathlib.Path(d)


def test_who_started_it_may_look(name, anybodys):
    """Without root, by the run directory of his own."""
    run = anybodys / "run"
    run.mkdir(mode=0o700)
    os.chown(run, 1000, 1000)
    program = anybodys / "husk"
    program.write_bytes(open(husk.HUSK, "rb").read())
    program.chmod(0o755)
    env = {"HUSK_RUN": str(run), "PATH": os.environ["PATH"]}
    who = {"user": 1000, "group": 1000, "extra_groups": []}
    p = subprocess.Popen([program, "run", f"name={name}", "root=/", "ns.user=new", "--", "/bin/sh", "-c", "echo up; exec sleep 100"],
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, **who)
    try:
        try:
            assert husk.line(p, 10) == "up"
        except AssertionError as e:
            pytest.skip(f"no box without root here: {e}")
        r = subprocess.run([program, "stats", "-k", name], env=env, capture_output=True, text=True, timeout=10, **who)
        all_of_his = subprocess.run([program, "stats", "-k"], env=env, capture_output=True, text=True, timeout=10, **who)
    finally:
        p.terminate()
        p.wait()
        p.stdout.close()
        p.stderr.close()
    assert r.returncode == 0 and r.stdout.startswith(f"name={name}\n") and "net.lo.rx_bytes=" in r.stdout, r
    assert all_of_his.stdout.count("name=") == 1
