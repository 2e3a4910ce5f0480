"""husk as the init of containers that others make: systemd-nspawn and LXC, in a guest with Debian's own of them."""
import pathlib
import platform
import re
import subprocess

import pytest

import qemu
from test_boot import ready, said

LIB = "usr/lib/x86_64-linux-gnu"


def with_libraries(packages, programs):
    """These programs of packages that are not installed, and all that they need, of this machine."""
    trees = [qemu.tool(p) for p in packages]
    where = {p: t / p for p in programs for t in trees if (t / p).exists()}
    path = ":".join(f"{t}/{LIB}:{t}/{LIB}/systemd" for t in trees)
    r = subprocess.run(["ldd", *where.values()], env={"LD_LIBRARY_PATH": path, "PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=True)
    if "not found" in r.stdout:
        pytest.skip("libraries: " + " ".join(re.findall(r"(\S+) => not found", r.stdout)))
    files = {p: qemu.program(f.read_bytes()) for p, f in where.items()}
    for lib in set(re.findall(r"(?:=> )?(/\S+\.so\S*) \(0x", r.stdout)):
        files["lib64/" + lib.rsplit("/", 1)[1] if "/ld-linux" in lib else f"{LIB}/{lib.rsplit('/', 1)[1]}"] = qemu.program(pathlib.Path(lib).read_bytes())
    return files


BOX = """use=host
exec=/bin/sh -c "echo @up $(hostname) $(cat /proc/1/comm) $container; trap 'echo @down; exit' TERM; while :; do sleep 1; done"
env=container
log=inherit
after=in
"""
IN = """exec=/bin/sh -c "echo @in $(id -u) $(cat /proc/1/comm) $(grep -c : /proc/net/dev)"
log=inherit
ready=exit
"""
LXC = """lxc.rootfs.path = dir:/c
lxc.uts.name = lxc
lxc.init.cmd = /sbin/init
lxc.net.0.type = empty
lxc.apparmor.profile = unconfined
lxc.mount.auto = proc:mixed sys:mixed cgroup:rw
lxc.tty.max = 0
lxc.console.logfile = /l.log
"""
SCRIPT = r"""
export PATH=/usr/bin:/bin:/sbin
exec 2>&1
mkdir -p /c/usr /run/lxc /var/lib/lxc/lxc /var/cache/lxc /usr/lib/x86_64-linux-gnu/lxc/rootfs; ln -sf /proc/self/mounts /etc/mtab; hostname machine
until_said() { n=0; until grep -q "^$1" $2 2>/dev/null || [ $n = 900 ]; do usleep 100000; n=$((n+1)); done; }
cp /husk /c/sbin/husk; for n in init reboot; do ln -s husk /c/sbin/$n; done
mkdir /sys/fs/cgroup/n; echo 0 >/sys/fs/cgroup/n/cgroup.procs
systemd-nspawn -q -b -D /c -M nspawn --register=no --keep-unit --private-network --system-call-filter=@keyring --console=pipe </dev/null >/n.log 2>&1 & p=$!
until_said @in /n.log; kill -TERM $p; wait $p; echo "@nspawn-is $?"; sed 's/^/nspawn: /' /n.log
echo 0 >/sys/fs/cgroup/cgroup.procs
cp /lxc.conf /var/lib/lxc/lxc/config
lxc-start -n lxc -F -o /lxc.err -l INFO </dev/null >/l.out 2>&1 & p=$!
until_said @up /l.log; lxc-stop -n lxc -t 30; echo "@stop $?"; wait $p; echo "@lxc-is $?"; sed 's/^/lxc: /' /l.log
echo "@alive $(hostname)"
"""


def test_real_containers():
    """Both send what husk takes for the end, and see it; where the cgroups are not its own a box has no limits, and that is said."""
    b = ready("qemu-x86_64")
    if platform.machine() != "x86_64":
        pytest.skip("the libraries are this machine's")
    files = with_libraries(["systemd-container", "libsystemd-shared", "lxc", "liblxc1"], [f"usr/bin/{p}" for p in ("systemd-nspawn", "lxc-start", "lxc-stop")])
    files |= {"c/" + k: v for k, v in qemu.rootfs(b).items()} | {"c/etc/husk/in.conf": qemu.file(IN), "c/etc/husk/z.conf": qemu.file(BOX),
              "c/etc/os-release": qemu.file("ID=husk\n"), "lxc.conf": qemu.file(LXC), "etc/machine-id": qemu.file("0123456789abcdef" * 2 + "\n"), "usr/lib/os-release": qemu.file("ID=machine\n"), "c/sbin/husk": qemu.program(b"")}
    for n in "halt poweroff reboot".split():
        del files["c/bin/" + n]
    r = qemu.guest("qemu-x86_64", SCRIPT, files=files, memory=768, timeout=240)
    assert r.ended and said(r, "alive") == ["machine"] and "Kernel panic" not in r.text, r
    assert said(r, "nspawn-is") == ["0"] and "nspawn: husk: going down" in r.text and re.search(r"^nspawn: @in \d+ husk 1$", r.text, re.M), r
    assert said(r, "stop") == said(r, "lxc-is") == ["0"] and re.search(r"^lxc: @in \d+ husk 1$", r.text, re.M), r
    assert "lxc: @up lxc husk lxc\n" in r.text and r.text.index("lxc: husk: going down") < r.text.index("lxc: @down"), r
