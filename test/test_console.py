"""The console of a board: it stands still, is missing, is somebody else's. In guests whose clock counts instructions: who waits there costs nothing."""
import concurrent.futures
import contextlib
import os
import pty
import re
import tty

import pytest

import qemu
from test_boot import QUICK, ready, said, shell, small
from test_off import FOREVER, boot

HVC = "virtio virtio_ring virtio_mmio virtio_console".split()

# The kernel itself says what is to be known: its lines do not wait for the terminal.
STANDS_SH = """
tell() { echo "<1>@$*" >/dev/kmsg; }
until_() { n=0; until eval "$1"; do n=$((n+1)); [ $n -lt 200 ] || { tell never "$1"; return; }; sleep 0.1; done; }
until_ '[ -e /run/good ] || grep -q hostnmae /etc/husk/board.conf && [ $(husk list 2>&1 | grep -c state=running) = 5 ]'
[ -e /run/good ]; tell good $?
husk list 2>&1 | sed -n 's/^\\(name\\|state\\)=//p' | while read name && read state; do tell is $name $state; done
husk start bad 2>/said; tell start $? $(cat /said)
tell lost $(dmesg | grep -c 'husk: plain: cg.limits: memory.max: no memory controller') $(dmesg | grep -c 'board.conf:[0-9]*: hostnmae: no such key')
husk poweroff
"""


CONSOLE = 'board.console=%s /bin/sh -c "while :; do echo console; done"'


def stands_still(b, who, lacks="", more="", said_there=None):
    """Each box is started, with what there is to be said of it; who prints waits alone, as does the shell for who presses Enter; and it goes down."""
    f = small(b, {"good": shell(FOREVER), "flood": shell("while :; do echo flood; done"), "z": "exec=/bin/sh /z.sh\n", "after": shell(FOREVER, "after=flood\n")},
              conf=f'board.good=/bin/sh -c "echo good; : >/run/good"\n{who}\n')
    plain = f'root=/srv/root\nexec=/bin/sh -c "{FOREVER}"\nhook.prestart=/bin/%s hook\nlog=inherit\n'
    f |= {"etc/husk/plain.conf": qemu.file(plain % "echo"), "etc/husk/bad.conf": qemu.file(plain % "false" + "boot=no\n"),
          "z.sh": qemu.file(STANDS_SH), "lacks": qemu.program(qemu.compiled(b, "lacks.c")),
          "init": qemu.program(f"#!/bin/sh\nmount -t devtmpfs dev /dev\nexec {lacks} /husk\n")}
    r = boot(b, f, more, timeout=150, append="cgroup_disable=memory")
    r.text = said_there() if said_there else r.text
    assert r.ended and "reboot: Power down" in r.text, r.text[-3000:]
    tells = re.findall(r"^\[ *[\d.]+\] @(.*)$", r.text, re.M)
    assert tells[0] == f"good {int('hostnmae' in who)}", r		# what board.conf has wrong keeps the board from being good
    assert sorted(tells[1:-2]) == ["is after running", "is bad stopped", "is flood running", "is good running", "is plain running", "is z running"], r
    assert tells[-2].startswith("start 125 husk: bad: cg.limits: ") and tells[-2].endswith(" husk: bad: init.prestart: /bin/false: ended with 1"), r
    assert tells[-1] == f"lost 1 {int('hostnmae' in who)}" or said_there, r		# where it is not full at first, its buffer has some lines
    return r


def came_through(text, what):
    return re.findall(what, re.sub(r"^\[.*", "", text, flags=re.M), re.M)


@pytest.mark.parametrize("who", [CONSOLE % "ttyAMA0", "hostnmae=x"])
def test_stands_still(who):
    """Ctrl-S before the first line, and it is full."""
    r = stands_still(ready(QUICK), who, "/lacks console")
    assert not came_through(r.text, "husk: "), r


def test_nobody_raises_cts():
    """Flow control by wires at which there is nobody. QEMU's PL011 sends nevertheless; a PC's line obeys its wires: here those of a terminal of ours, which has none."""
    b, (ours, its) = ready("qemu-i386") | {"CONSOLE": "ttyS0,115200n8r"}, pty.openpty()		# the kernel itself waits for no wire
    tty.setraw(its)

    def read():
        with contextlib.suppress(OSError):		# the last one has closed it
            while data := os.read(ours, 4096):
                yield data

    def there():
        os.close(its)
        return text.result().decode(errors="replace").replace("\r", "")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        text = pool.submit(lambda: b"".join(read()))
        r = stands_still(b, CONSOLE % "ttyS0", more=f"-serial {os.ttyname(its)}", said_there=there)
    os.close(ours)
    assert not came_through(r.text, "husk: |flood|^good|^console"), r.text[-3000:]


def test_no_old_reader():
    """Whoever of a login is left on the terminal reads nothing of the next one, by whatever name that one has it."""
    b = ready(QUICK)
    f = small(b, {"a": shell(FOREVER)}, conf="board.console=console /bin/sh\n")
    f["left"] = qemu.file("trap '' HUP; while :; do { : >/run/$1; if [ $2 ]; then exec 3<$2; fi; while read x; do echo $x >>/run/stolen; done <&3; } 2>/dev/null; echo $1 >>/run/over; usleep 100000; done\n")
    f["login"] = qemu.file("chown 1000 $(tty); cd /run; : >stolen; chmod 666 stolen; chmod 777 .; exec 3<&0; setsid sh /left held &\n"
                           "setsid busybox su user -c \"while :; do sh /left own $(tty); usleep 100000; done\" & until [ -e held -a -e own ]; do usleep 9999; done; usleep 99999; exit\n")
    r = boot(b, f, timeout=60, typed=[("# ", ". /login\n")] + [("# ", f"echo @mine {i}\n") for i in range(5)] +
             [("# ", "echo @over $(sort -u /run/over); echo @stolen $(cat /run/stolen); husk poweroff\n")])
    assert r.ended and said(r, "mine") == list("01234") and said(r, "stolen") == [""] and said(r, "over") == ["held own"], r


def test_set_and_stopped_by_who_had_it():
    """He clears what lets Ctrl-Q through: who wants the rescue shell has it all the same, with keys that are shown and edited."""
    b = ready(QUICK)
    f = small(b, {"a": shell("until [ -e /run/set ]; do usleep 9999; done; exit 1", "ready=exit\nrestart=on-failure 20ms 1/1m\ngiveup=rescue\n")},
              conf='board.console=ttyAMA0 /lacks terminal /bin/sh -c "touch /run/set; exec sleep 1000"\n')
    f["lacks"] = qemu.program(qemu.compiled(b, "lacks.c"))
    r = boot(b, f, timeout=60, typed=[("Press Enter", "\n"), ("# ", "echo @now $(stty -a | tr ' ' '\\n' | grep -x -e '-*icanon' -e '-*echo' -e '-*ixon' -e '-*opost'); husk poweroff\n")])
    assert r.ended and sorted(said(r, "now")[0].split()) == ["echo", "icanon", "ixon", "opost"], r


def test_missing():
    """A terminal that is not there, comes, and goes: it is said, there is a shell for who presses Enter on the console, and it is tried again."""
    b = ready(QUICK)
    f = small(b, {"a": shell(FOREVER)}, conf='board.console=ttyNO9 /bin/sh -c "rm /dev/ttyNO9; sleep 6"\n')
    r = boot(b, f, timeout=150, typed=[("Press Enter", "\n"), ("# ", "mknod /dev/ttyNO9 c 4 1; exit\n"), ("Press Enter", "\n"), ("# ", "echo @a $(husk state a state); husk poweroff\n")])
    assert r.ended and said(r, "a") == ["running"], r
    assert r.text.count("husk: board.console: ttyNO9: No such file or directory\n") == r.text.count("husk: rescue: board.console has failed; all is read again when this shell ends\n") == 2, r


def test_not_built_in():
    """A line that can be opened, and of which everything else is an error, as all that a PC has not got: nobody could be at it, and the rescue shell is
    there for who is at the console. It is said once, and tried ever more seldom."""
    b = ready("qemu-i386")
    f = small(b, {"a": shell(FOREVER)}, conf="board.console=ttyS2 /bin/sh\n")
    r = boot(b, f, timeout=150, typed=[("Press Enter", "\n"), ("# ", "echo @a $(husk state a state) $(ps | grep -c 'ttyS[2]'); husk poweroff\n")])
    assert r.ended and said(r, "a") == ["running 0"], r
    assert r.text.count("husk: board.console: ttyS2: I/O error\n") == 1, r
    assert r.text.count("husk: rescue: board.console has failed; all is read again when this shell ends\n") == 1, r


def test_of_virtio():
    """hvc0, whose driver comes as a module: shells, boxes, and the way down."""
    b = ready(QUICK)
    b = b | {"CONSOLE": "hvc0", "SERIAL": "null"}
    f = small(b, {"a": shell(FOREVER)}, conf="board.console=hvc0:ask\n") | {m + ".ko": qemu.file(qemu.module(b, m)) for m in HVC}
    f["init"] = qemu.program("#!/bin/sh\n" + "".join(f"insmod /{m}.ko\n" for m in HVC) + "exec /husk\n")
    r = boot(b, f, "-chardev stdio,id=c -device virtio-serial-device -device virtconsole,chardev=c", typed=[
        ("Press Enter", "\n"), ("# ", "echo @tty $(tty) $(cat /sys/class/tty/console/active); husk list; husk poweroff\n")])
    assert r.ended and said(r, "tty") == ["/dev/hvc0 hvc0"] and "reboot: Power down" in r.text, r
    assert re.search(r"^a +running", r.text, re.M) and "husk: going down" in r.text, r


def test_hung_up_in_the_middle_of_a_write():
    """A box writes without end, a megabyte at a time; who would log in ends and is started anew, and PID 1, which has a line to say each 50 ms, answers meanwhile."""
    b = ready(QUICK)
    f = small(b, {"short": "exec=/bin/true\nrestart=always 50ms..50ms\n", "z": "exec=/bin/sh /z.sh\n"},
              conf='board.console=ttyAMA0 /bin/sh -c "echo login >>/run/logins"\n')
    f |= {"etc/husk/rain.conf": qemu.file("root=/srv/root\nlog=inherit\nexec=/bin/lives pour 1000\n"),
          "z.sh": qemu.file('sleep 1; lives ask 300 >/run/said; echo "<1>$(cat /run/said) logins=$(wc -l </run/logins)" >/dev/kmsg; husk poweroff\n')}
    f["bin/lives"] = f["srv/root/bin/lives"] = qemu.program(qemu.compiled(b, "lives.c"))
    r = boot(b, f)
    n, most, _, logins = map(int, re.findall(r"=(\d+)", re.search(r"@ask (.*)", r.text)[1]))
    assert r.ended and n == 300 and most <= 100000 and logins > 1, (n, most, logins)


def test_what_a_box_prints():
    """More than log.rate= waits, and nothing of it is lost; the box has no terminal, and nothing that one takes for a command comes through."""
    b = ready(QUICK)
    f = small(b, {"n": "exec=/bin/sh /n.sh\nlog.rate=300/s\n", "z": shell("husk wait n; husk poweroff")})
    f["n.sh"] = qemu.file("i=0; while [ $i -lt 900 ]; do echo @n $i; i=$((i+1)); done; [ -t 1 ] || echo -e '\\033[31m@none'\n")
    r = boot(b, f)
    assert r.ended and said(r, "n") == [str(i) for i in range(900)] and "\n?[31m@none\n" in r.text, r.text[-2000:]
