"""Boards on which something has failed: rescue, what is read again, and machines that lack what they should have. In guests
whose clock counts instructions: who waits there costs nothing."""
import re

import pytest

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
    assert said(r, "up") == [""] * 4 and said(r, "shell") == ["/dev/ttyAMA0 0"] * 2, r
    assert "husk: rescue: a has failed; all is read again" in r.text and "husk: board: not good in 20 s: b\n" in r.text, r
    assert "husk: rescue: board has failed; all" in r.text and said(r, "good") == [""] and len(said(r, "console")) == 3 and not said(r, "read"), r
    assert r.ended and "reboot: Power down" in r.text, r


RELOAD_SH = """
until_() { n=0; until eval "$1"; do n=$((n+1)); [ $n -lt 100 ] || { echo "@never $1"; return; }; sleep 0.1; done; }
is() { echo "@is $1 $(husk state $2 state) $3"; }
until_ '[ "$(husk state failed state)" = failed ]'
pid=$(husk state same pid); cd /etc/husk
rm gone.conf; mv new-box new.conf; echo memroy.max=1 >>wrong.conf; echo nice=1 >>changed.conf; sed -i s/hostname=one/hostname=two/ board.conf; echo mount=none:/other:tmpfs >>board.conf
husk reload >/said 2>&1; echo "@refused $? $(tr '\\n' ';' </said)"
is nothing gone; kill -HUP 1
until_ 'husk state new >/dev/null'; until_ '! husk state gone >/dev/null'
(cat /gone-box; echo boot=no) >gone.conf; cp new.conf more.conf; kill -HUP 1; until_ 'husk state more >/dev/null'; is nothing gone
is wrong wrong; is changed changed; [ $(husk state same pid) = $pid ] && is same same; echo "@board $(hostname) $(grep -c ' /data ' /proc/mounts) $(grep -c ' /other ' /proc/mounts)"
is over over; rm over.conf; sed -i /memroy/d wrong.conf; echo env=NOW=yes >>failed.conf; mv /gone-box gone.conf
husk reload >/said 2>&1; echo "@reloaded $? $(tr '\\n' ';' </said)"
until_ '[ "$(husk state failed state)" = running ]'; until_ '[ "$(husk state gone state)" = running ]'; is again failed
until_ '! husk state over >/dev/null'; husk list | grep -c over.conf | sed 's/^/@listed /'
until_ '[ $(ps | grep -c "console-[t]wo") = 1 ]'; ps | grep -c "console-[o]ne" | sed 's/^/@old /'
echo hostnmae=x >>board.conf; kill -HUP 1; kill -QUIT 1; sleep 2; is broken same
shell() { ps | grep "console-[t]wo" | awk '{ print $1 }'; }
was=$(shell); rm board.conf; husk reload >/said 2>&1; echo "@without $? $(tr '\\n' ';' </said)"
(cat changed.conf; echo boot=yes) >later.conf; kill -HUP 1; until_ 'husk state later >/dev/null'; [ "$(shell)" = "$was" ] && [ "$was" ] && echo @stays
husk poweroff
"""


def test_reload():
    """What is new is started, what is gone is stopped, who has changed is named and goes on; a wrong file ends nobody, and nothing is mounted twice."""
    b = ready(QUICK)
    f = small(b, {"same": shell(FOREVER), "gone": shell(FOREVER), "wrong": shell(FOREVER), "changed": shell(FOREVER), "over": shell("exit 1"), "failed": shell("[ $NOW ] || exit 1; " + FOREVER),
                  "z": "exec=/bin/sh /z.sh\n"},
              conf='hostname=one\nmount=none:/data:tmpfs\nboard.console=ttyAMA0 /bin/sh -c "sleep 1000; echo console-one"\n')
    f |= {"z.sh": qemu.file(RELOAD_SH.replace("rm gone.conf", "mv gone.conf /gone-box; sed -i s/console-one/console-two/ board.conf")), "etc/husk/new-box": f["etc/husk/same.conf"]}
    f |= {f"etc/husk/{n}.conf": qemu.file("exec=/bin/true\nboot=no\n") for n in range(70)}		# more than there can be boxes
    r = boot(b, f, timeout=300)
    assert not said(r, "never") and r.ended and "reboot: Power down" in r.text, r
    wrong = "/etc/husk/wrong.conf:4: memroy.max: no such key; memory.max?;"
    changed = "husk: changed: changed on disk: husk restart changed;"
    refused = said(r, "refused")[0]
    assert refused.startswith("2 ") and wrong in refused and "husk: reload: nothing done - " in refused and 'changed' not in refused, r
    assert said(r, "is") == ["nothing running ", "nothing stopped ", "wrong running ", "changed running ", "same running ", "over failed ", "again running ", "broken running "], r
    assert said(r, "board") == ["two 1 1"] and said(r, "old") == ["0"], r
    assert sorted(said(r, "reloaded")[0][2:].split(";")) == sorted(["husk: wrong: changed on disk: husk restart wrong", changed[:-1], ""]), r
    assert said(r, "reloaded")[0].startswith("0 "), r
    gone = "husk: /etc/husk/board.conf: No such file or directory: consoles and watchdog stay"
    assert said(r, "without")[0].startswith(f"0 {gone};") and r.text.count("\n" + gone) == 2 and said(r, "stays") == [""], r
    assert r.text.count("husk: over: /etc/husk/over.conf is gone") == 1 and said(r, "listed") == ["0"], r
    assert r.text.count("husk: gone: /etc/husk/gone.conf is gone: stopped") == 1 and "husk: QUIT: " in r.text and "rescue" not in r.text and "more than" not in r.text, r


MEMORY_SH = """
about() { sed -n 's/ kB$//; s/^\\(VmLck\\|VmRSS\\|Pss\\|Threads\\):[^0-9]*//p' /proc/1/status | tr '\\n' ' '; grep -c -e heap -e '/husk$' /proc/1/maps; }
echo "@score $(cat /proc/self/oom_score_adj)"; about | sed 's/^/@about /'
touch /run/go; n=0
while [ "$(husk state eats state)" != failed ] && [ $n -lt 1000 ]; do husk list >/tmp/list && n=$((n+1)); done
echo "@eats $(husk state eats state) $(husk state same state)"; dmesg | sed -n 's/.*Killed process [0-9]* (\\([a-z0-9]*\\)).*/@killed \\1/p'
husk exec same -- /bin/true; echo "@exec $?"; husk upgrade; echo "@up $?"; about | sed 's/^/@about /'; husk poweroff
"""


def test_memory_is_short():
    """A box without a limit takes all there is: it is ended, PID 1 answers meanwhile, has not grown, and takes the board down. What of PID 1 is in memory is locked there."""
    b = ready(QUICK)
    b = b | {"QEMU": b["QEMU"].replace("-m 256", "-m 160")}
    f = small(b, {"same": shell(FOREVER), "eats": "exec=/bin/lives eat 256\n" + ("needs=/run/go\nmemory.max=max\npids.max=max\n"), "z": "exec=/bin/sh /z.sh\n"}) | {"z.sh": qemu.file(MEMORY_SH), "bin/lives": qemu.program(qemu.compiled(b, "lives.c"))}
    r = boot(b, f)
    assert r.ended and "Power down" in r.text and "panic" not in r.text, r
    assert said(r, "eats") == ["failed running"] and said(r, "exec") == said(r, "up") == ["0"] and said(r, "score") == ["0"], r
    assert said(r, "killed") == ["lives"] and "husk: eats: failed: signal 9" in r.text, r
    about = [l.split() for l in said(r, "about")]
    assert len(about) == 2 and all(int(a[0]) > 100 and int(a[1]) < 1500 and a[2:] == ["1", "0"] for a in about), r


def test_storm():
    """In a guest's own time. A box that is never ready holds up the next one by its start.timeout, and no more. Then a box forks what it may, another one
    sends PID 1 signals in a loop, a third one fills the socket of sd_notify, with descriptors; and PID 1 answers each of 100 who ask, and holds no more than before."""
    b = ready(QUICK)
    f = small(b, {"first": "exec=/bin/lives now first\n", "never": shell(FOREVER, "ready=notify\nstart.timeout=2s\nafter=first\n"), "next": "exec=/bin/lives now next\nafter=never\n",
                  "rain": "exec=/bin/lives rain 1\nafter=bomb\n", "z": "exec=/bin/sh /z.sh\nafter=rain\n"})
    f["z.sh"] = qemu.file("sleep 1; echo @nice $(cut -d' ' -f19 /proc/1/stat) $(cut -d' ' -f19 /proc/self/stat)\n"
                          "fds() { echo @fds $(ls /proc/1/fd | wc -l); }; lives ask 5 >/dev/null; fds; lives ask 100; fds; husk poweroff\n")
    f["etc/husk/note.conf"] = qemu.file("exec=/bin/lives note 200\nroot=/srv/root\nwatchdog=1h\nlog=inherit\nafter=bomb\n")
    f["etc/husk/bomb.conf"] = qemu.file("exec=/bin/lives bomb 19\nroot=/srv/root\npids.max=20\nlog=inherit\nafter=next\n")
    f["bin/lives"] = f["srv/root/bin/lives"] = qemu.program(qemu.compiled(b, "lives.c"))
    r = boot(b, f)
    assert r.ended and "reboot: Power down" in r.text, r
    now = dict(n.split() for n in said(r, "now"))
    assert 2000000 <= int(now["next"]) - int(now["first"]) < 2200000, r
    n, most = map(int, re.findall(r"\d+", said(r, "ask")[0].rpartition(" ")[0]))
    assert said(r, "bomb") == ["19"] and said(r, "nice") == ["-20 0"] and n == 100 and most <= 100000, r
    assert said(r, "note") == ["50"] and len(said(r, "fds")) == 2 and len(set(said(r, "fds"))) == 1, r


# Said by the kernel: two programs that print at once print into each other's lines.
HOST_SH = """
n=0; until grep -q '^state=failed' /run/husk/plain/state 2>/dev/null; do n=$((n+1)); [ $n -lt 100 ] || break; sleep 0.1; done
tell() { echo "<1>@$*" >/dev/kmsg; }
tell plain $(husk state plain state); tell host $(husk state host state)
husk poweroff
"""


def lacking(what, init, typed):
    """A box of its own and one of the host's on a machine that lacks that; no console is asked for."""
    b = ready(QUICK)
    f = small(b, {"host": "exec=/bin/sh /host.sh\n", "open": shell("echo @open")}, conf="board.local=/site\n")
    f |= {"host.sh": qemu.file(HOST_SH), "etc/husk/plain.conf": qemu.file(f'root=/srv/root\nlog=inherit\nexec=/bin/sh -c "{FOREVER}"\n'),
          "site/open.conf": qemu.file("boot=yes\n", 0o666),
          "lacks": qemu.program(qemu.compiled(b, "lacks.c")), "init": qemu.program(f"#!/bin/sh\n{init}\nexec /lacks {what} /husk\n")}
    r = boot(b, f, timeout=150, append="cgroup_no_v1=all", typed=typed)
    assert r.ended and "reboot: Power down" in r.text, r
    assert "/site/open.conf: others than its owner may write it" in r.text and not said(r, "open"), r
    return r


def test_without_seccomp_and_cgroups():
    """No box at all: each says what is missing, and a shell is there once, for who presses Enter."""
    r = lacking("seccomp", "mount -t sysfs sys /sys; mount -t tmpfs -o ro none /sys/fs/cgroup", [
        ("Press Enter", "\n"), ("# ", "echo @shell $(tty) $(ps | grep -c '[h]ost.sh'); husk poweroff\n")])
    assert said(r, "shell") == ["/dev/ttyAMA0 0"], r
    assert "husk: plain: init.filter: the filter of PID 1: Function not implemented - CONFIG_SECCOMP_FILTER\n" in r.text, r
    assert "husk: host: init.filter: the filter of PID 1: Function not implemented - CONFIG_SECCOMP_FILTER\n" in r.text, r
    assert len(re.findall("^husk: (?:host|plain): failed: start: ", r.text, re.M)) == 2 and r.text.count("husk: rescue: ") == 1, r


# Two that hear no TERM; one of them is nobody's child, in a session of its own.
STAYS = 'exec=/bin/sh -c "trap \'\' TERM; (setsid sleep 54321 &); exec sleep 54321"\nstop.timeout=100ms\n'
NO_CGROUPS_SH = """
n() { ps | grep -c '[s]leep 54321'; }; until [ $(n) = 2 ]; do usleep 10000; done
husk wait --ready plain; echo "@plain $(husk state plain state) $(husk exec plain -- /bin/sh -c 'set -- /proc/[0-9]*; echo $#')"
husk wait limited 2>/dev/null; echo "@limited $(husk state limited state)"; husk pause plain; echo "@pause $?"
husk stop stays; echo "@stop $? $(n)"; husk stop plain; echo "@ended $?"; husk poweroff
"""


def test_without_cgroups():
    """And nothing else: ordinary boxes run, and say that they have no limits; whoever asks for one does not. One of the host's goes with all that it has left behind."""
    b = ready(QUICK)
    f = small(b, {"stays": STAYS, "z": "exec=/bin/sh /z.sh\nafter=plain\n"})
    box = 'root=/srv/root\nlog=inherit\nexec=/bin/sleep 1000\n'
    f |= {"etc/husk/plain.conf": qemu.file(box), "etc/husk/limited.conf": qemu.file(box + "pids.max=9\n"), "z.sh": qemu.file(NO_CGROUPS_SH),
          "without": qemu.program(qemu.compiled(b, "without.c")), "init": qemu.program("#!/bin/sh\nexec /without cgroup,cgroup2 /husk\n")}
    r = boot(b, f)
    assert r.ended and "reboot: Power down" in r.text and "rescue" not in r.text, r
    for name in "plain", "stays":
        assert f"husk: {name}: cg.make: no cgroup here is ours to write: no limits, and no device policy of its own\n" in r.text, r
    assert "husk: limited: cg.limits: pids.max: no pids controller" in r.text and said(r, "limited") == ["failed"], r
    assert said(r, "plain") == ["running 3"] and said(r, "pause") == ["1"] and "it has no cgroup that freezes" in r.text, r
    assert said(r, "stop") == ["0 0"] and said(r, "ended") == ["0"], r


def test_full_run_and_without_namespaces():
    """No state can be written: a shell, and all that failed is started when it ends. Then one box lacks its namespaces, the other needs none."""
    r = lacking("namespaces", "mount -t tmpfs -o size=4k none /run; cat /husk >/run/full 2>/dev/null", [
        ("Press Enter", "\n"), ("# ", "rm /run/full; mount -o remount,size=1m /run; echo @shell; exit\n")])
    assert said(r, "shell") == [""], r
    full, mended = r.text.split("@shell\n")
    assert re.search("^husk: plain: init.state: .*No space left on device", full, re.M) and re.search("^husk: host: init.state: .*No space left on device", full, re.M), r
    assert "husk: plain: ns.clone: clone: Invalid argument - not in this kernel: CONFIG_PID_NS" in mended and "rescue" not in mended, r
    assert re.search("@plain failed$", mended, re.M) and re.search("@host running$", mended, re.M), r


def cannot_begin(name, what, typed):
    b = ready(name)
    f = small(b, {"a": shell("echo @up; husk poweroff")})
    f |= {"lacks": qemu.program(qemu.compiled(b, "lacks.c")), "init": qemu.program(f"#!/bin/sh\nexec /lacks {what} /husk\n")}
    r = boot(b, f, timeout=150, typed=typed)
    assert r.ended and "reboot: Power down" in r.text and "Kernel panic" not in r.text, r
    return r


DEAF = "board.boot: CONFIG_SIGNALFD: Function not implemented", "process 1 cannot begin"
RESCUE = "husk: rescue: %s; all is read again when this shell ends\n"


@pytest.mark.parametrize("name, what, why", [
    ("qemu-armv7", "signalfd", DEAF), ("qemu-x86_64", "signalfd", DEAF),
    (QUICK, "pipe", ("board.boot: /etc/husk: No file descriptors available", "there is no box to start"))])
def test_process_1_cannot_begin(name, what, why):
    """The reason and a shell for who presses Enter; when it ends it is tried again; and from the next one the machine goes down."""
    r = cannot_begin(name, what, [("Press Enter", "\n"), ("# ", "readlink /proc/self/fd/0; exit\n"), ("Press Enter", "\n"), ("# ", "readlink /proc/self/fd/0; husk poweroff\n")])
    assert r.text.count(f"\n/dev/{qemu.board(name)['CONSOLE']}\n") == 2 and not said(r, "up"), r
    assert r.text.count(f"husk: {why[0]}\n") == r.text.count(RESCUE % why[1]) == 2 and "husk: going down\n" in r.text, r


def test_process_1_begins_at_last():
    """It could not be sealed; who sits at the shell makes that the file cannot be written, and the board is up."""
    r = cannot_begin(QUICK, "seal", [("Press Enter", "\n"), ("# ", "mount -o remount,ro /; exit\n")])
    assert said(r, "up") == [""] and "husk: init.seal: Function not implemented - a read-only mount for husk" in r.text and r.text.count(RESCUE % DEAF[1]) == 1, r
