"""husk boot as PID 1 of a namespace that is not the machine's; and how words of a kernel command line are cut."""
import concurrent.futures
import re
import signal
import socket
import struct
import subprocess

import pytest

import husk
import qemu

OWN = "mount --make-rprivate / && mount -t tmpfs run /run && exec %s boot husk.conf=%s %s"


def boot(where, boxes, words="", conf=None, timeout=60, env=None):
    """A board of its own in a namespace: board.conf, boxes, and what husk boot is told."""
    where.mkdir(exist_ok=True)
    if conf is not None:
        (where / "board.conf").write_text(conf)
    for name, text in boxes.items():
        (where / f"{name}.conf").write_text("use=host\nlog=inherit\n" + text)
    r = subprocess.run(["unshare", "-pfm", "--mount-proc", "--kill-child", "sh", "-c", OWN % (husk.HUSK, where, words)],
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout, check=False, env=env)
    return r.returncode, r.stdout.decode(errors="replace")


@pytest.fixture
def where():
    """A short path: husk.conf= is one."""
    path = husk.pathlib.Path(subprocess.run(["mktemp", "-d", "/tmp/husk-in.XXXXXX"], capture_output=True, text=True, check=True).stdout.strip())
    yield path
    subprocess.run(["rm", "-rf", path], check=True)


def own(path):
    return husk.pathlib.Path(path).read_text()


def end(how):
    return f'exec=/bin/sh -c "echo @up last; kill -{how} 1; sleep 100"\nafter=*\n'


@pytest.mark.parametrize("how, status", [("USR2", signal.SIGINT), ("37", signal.SIGINT), ("38", signal.SIGINT), ("39", signal.SIGHUP), ("TERM", signal.SIGHUP)])
def test_the_end(where, how, status):
    """The namespace ends, the machine does not; who waits outside sees whether it is to start again."""
    code, text = boot(where, {"z": end(how)})
    assert "@up last" in text and "husk: going down" in text, text
    assert code in (128 + status, -status), (code, text)


def test_the_options_of_busybox(where):
    """-w is no end, -i none of its own, -d waits first; and a number that is none is no end either."""
    words = "-w", "-nw", "-d x", "-d", "-d1x", "-dd", "x", "-x", "-iwd 0"
    (where / "z.sh").write_text("".join(f"{husk.HUSK} poweroff {w}; echo @{w} is $?\n" for w in words) + f"date +@%s%N; {husk.HUSK} poweroff -wd1; date +@%s%N; {husk.HUSK} poweroff -nid 0\nsleep 100\n")
    code, text = boot(where, {"z": f"exec=/bin/sh {where}/z.sh\n"})
    assert re.findall(r"^@(.*) is (\d)$", text, re.M) == [(w, "0" if "w" in w else "2") for w in words], text
    first, second = map(int, re.findall(r"^@(\d+)$", text, re.M))
    assert second - first >= 1e9 and code in OFF and text.count("husk: poweroff: -") == 5, text


def test_what_the_last_one_left(where):
    """A box that has ended stays to be looked at; the next boot in that run directory starts it."""
    for name in "ab":
        (where / f"{name}.conf").write_text('exec=/bin/sh -c "echo @here %s%s"\n' % (name, "; kill -USR1 1; sleep 9" * (name == "b")) + "use=host\nlog=inherit\nafter=*\n"[:28 if name == "b" else -9])
    once = f"unshare -pf --mount-proc --kill-child {husk.HUSK} boot husk.conf={where}; "
    r = husk.command("unshare", "-m", "sh", "-c", "mount -t tmpfs run /run; " + once * 2)
    assert r.out.count("@here a") + r.err.count("@here a") == 2, r


def test_another_run_directory(where):
    """All that husk boot keeps lies where HUSK_RUN says, and nothing where the machine's own has it."""
    env = dict(husk.os.environ, HUSK_RUN=f"{where}/run")
    (where / "run").mkdir()
    assert husk.husk("boot", "-t", env=env).err == f"husk: boot: run directory {where}/run: no board was booted here: No such file or directory\n"
    _, text = boot(where, {"z": 'exec=/bin/sh -c "echo @run $(ls -A /run | wc -l); kill -USR1 1; sleep 9"\n'}, env=env)
    assert "@run 0\n" in text and (where / "run/.boot").exists(), text
    assert "z.up=" in husk.husk("boot", "-k", env=env).out


def test_no_link_leads_to_a_mount_point(where):
    """What lies below a disk may be of a box's making."""
    (where / "target").mkdir(parents=True)
    (where / "link").symlink_to(where / "target")
    code, text = boot(where, {"z": f'exec=/bin/sh -c "echo @mounts $(grep -c {where} /proc/mounts); kill -USR1 1; sleep 9"\n'}, conf=f"tmpfs={where}/link\ntmpfs={where}/made:1M\n")
    assert f"husk: board.mount: {where}/link: Not a directory" in text and "@mounts 1\n" in text, text


OFF = (-signal.SIGINT, 128 + signal.SIGINT)		# as reboot(2) ends a namespace


def test_the_machine_is_left_alone(where):
    """Boxes in their order; no host name, no knob, no word of the kernel's own line; what is wrong is said."""
    knobs = [k for k in ("hostname", "panic", "sysrq", "kptr_restrict", "ctrl-alt-del") if husk.pathlib.Path("/proc/sys/kernel", k).exists()]
    before = [own("/proc/sys/kernel/" + k) for k in knobs]
    code, text = boot(where, {
        "a": 'exec=/bin/sh -c "sleep 0.3; echo @up a"\nbefore=b\nready=exit\n',
        "b": 'exec=/bin/sh -c "echo @up b"\n',
        "c": 'exec=/bin/sh -c "echo @up c"\n',
        "z": end("USR1"),
    }, "single husk.skip=x,c husk.skpi=b", conf="hostname=not-this\nsysctl.kernel.panic=77\nmemory.max=3M\n"
        f"mount={where}/swap:none:swap\nmount=LABEL=no-such:{where}/x:ext4,mkfs\nmount=/dev/no-such:{where}/x:ext4,fsck\n")
    assert code in OFF and re.findall(r"@up (\w+)", text) == ["a", "b", "last"], text
    assert f"{where}/board.conf:3: memory.max: a box's, not the board's" in text and "husk.skpi: no such word; skip?" in text, text
    assert "board.mount" not in text, text		# neither a disk nor swap is even looked for
    assert before == [own("/proc/sys/kernel/" + k) for k in knobs]


def test_in_parallel(where):
    """One that does not get ready holds up who is after it by its start.timeout, and nobody else."""
    code, text = boot(where, {
        "slow": 'exec=/bin/sh -c "echo @up slow; sleep 100"\nready=/run/never\nstart.timeout=2s\nstop.timeout=1s\n',
        "after": 'exec=/bin/sh -c "echo @up after; kill -USR2 1; sleep 100"\nafter=slow\n',
        **{f"n{i}": f'exec=/bin/sh -c "echo @up n{i}; sleep 100"\n' for i in range(9)},
    })
    up = re.findall(r"@up (\w+)", text)
    assert code in OFF and sorted(up) == sorted(["slow", "after", *(f"n{i}" for i in range(9))]), text
    assert up[-1] == "after" and "not ready in time" in text, text


# a word of the command line, and what the reader of board.conf is told
WORDS = [
    ("husk.tmpfs=ab", "ab"),
    ('husk.tmpfs="a b"', "a b"),
    ('"husk.tmpfs=c d"', "c d"),
    ('husk.tmpfs=a"b c"d', 'a"b c"d'),
    ('husk.tmpfs="a=b"', "a=b"),
    ('husk.tmpfs=a="b c"', 'a="b c"'),
    ('husk.tmpfs="', None),
    ("husk.tmpfs==x", "=x"),
]


def test_words_are_cut_as_the_kernel_cuts_them(where):
    words = " ".join(w for w, _ in WORDS if w != 'husk.tmpfs="') + " =x -- husk.tmpfs=zz  husk.skip husk.conf= husk. x=husk.y husk.board.console=:"
    code, text = boot(where, {"z": end("USR2")}, "'" + words.replace("'", "") + "'")
    assert code in OFF, text
    told = re.findall(r'^command line: tmpfs: "(.*)" is not BOX', text, re.M)
    assert told == [w for _, w in WORDS if w is not None] + ["zz"], text
    own_words = re.findall(r"^husk: kernel command line: husk\.(\S*): (.*)$", text, re.M)
    assert [w for w, _ in own_words] == ["skip", "conf", ""], text
    assert re.search(r"^command line: board.console: ", text, re.M), text


ETC = "mount --make-rprivate / && mount -t tmpfs etc /etc && cp -r %s /etc/husk && mount -t tmpfs run /run && exec %s boot %s"


def board(where, files, words="", timeout=60):
    """A board whose files lie in /etc/husk, where list and state look for them."""
    for name, text in files.items():
        (where / f"{name}.conf").write_text(text)
    r = subprocess.run(["unshare", "-pfm", "--mount-proc", "--kill-child", "sh", "-c", ETC % (where, husk.HUSK, words)],
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout, check=False)
    return r.stdout.decode(errors="replace")


def script(where, text):
    """A box whose program is that; the board ends with it."""
    (where / "z.sh").write_text(f'husk() {{ {husk.HUSK} "$@"; }}\n{text}\nkill -USR2 1; sleep 100\n')
    return f"exec=/bin/sh {where}/z.sh\n" + HOST


HOST = "use=host\nlog=inherit\n"


def test_a_wrong_file_is_a_box_that_is_missing(where):
    """board.good= is not run, and who waits for all is told; when it is mended and read again, it is."""
    text = board(where, {
        "board": "board.good=/bin/sh -c 'echo @good; touch /run/good'\n".replace("'", '"'),
        "ok": 'exec=/bin/sh -c "sleep 100"\n' + HOST,
        "bad": "exec=/bin/true\nmemroy.max=3M\n" + HOST,
        "z": "after=ok\n" + script(where, "husk wait --ready; echo @wait $?; sed -i /memroy/d /etc/husk/bad.conf; kill -HUP 1;"
                           "until husk wait bad 2>/dev/null; do sleep .1; done; husk wait --ready; echo @mended $?; until [ -e /run/good ]; do sleep .1; done")})
    assert text.count("/etc/husk/bad.conf:2: memroy.max: no such key") == 2, text		# the board, and who waits
    assert "@wait 1\n" in text and text.index("@wait 1") < text.index("@good"), text
    assert "@mended 0\n" in text, text


def test_two_files_of_one_name(where):
    """The first in order is the box; the other one is named, by check, at boot and at a reload, and is a box that is missing."""
    text = board(where, {
        "a": 'exec=/bin/sh -c "echo @a is it; touch /run/said; sleep 100"\nready=/run/said\n' + HOST,
        "n2": 'name=a\nexec=/bin/sh -c "echo @n2 is it; sleep 100"\n' + HOST,
        "z": "after=a\n" + script(where, "husk wait --ready; echo @wait $?; husk check /etc/husk/n2.conf /etc/husk/a.conf; echo @check $?; husk reload; echo @reload $?")})
    assert "@a is it\n" in text and "@n2 is it" not in text, text
    assert text.count("/etc/husk/n2.conf: name: a is that of /etc/husk/a.conf\n") == 4, text		# the board, and three who ask
    assert "@wait 1\n" in text and "@check 2\n" in text and "@reload 2\n" in text and "changed on disk" not in text, text


def test_circles(where):
    """Nobody waits for ever: an order is given up by one, and boxes that need each other have failed; at boot, and when all is read again."""
    sleeps = 'exec=/bin/sh -c "sleep 100"\n' + HOST
    files = {"a": "needs=b\n", "b": "boot=yes\nneeds=c\nrestart=always\n", "c": "needs=a\n", "d": "after=c\n", "e": "needs=f\n", "f": "after=e\n", "x": "after=y\n", "y": "after=x\n"}
    text = board(where, {**{n: sleeps + t for n, t in files.items()}, "z": script(where,
        "for n in d e f x y; do until husk wait --ready $n 2>/dev/null; do sleep .1; done; done; until [ $(husk list -k | grep -c state=failed) = 3 ]; do sleep .1; done; husk list -k; cd /etc/husk;"
        "for n in 1 2 3 4; do sed s/needs=f/after=g$((n%4+1))/ e.conf >g$n.conf; done; husk reload; echo @reload $?; kill -HUP 1; for n in 1 2 3 4; do"
        " until [ $(husk state g$n state) = running ]; do sleep .1; done; done; echo @again")})
    said = {n: (state, why) for n, state, why in re.findall(r"^name=(.*)\nstate=(.*)\n(?:why=(.*)\n)?", text, re.M)}
    circle = re.search(r"^/etc/husk/([abc]).conf:[45]: needs: a circle: ([abc] [abc] [abc])$", text, re.M)
    assert circle and circle[2] in ("a b c", "b c a", "c a b") and circle[2][0] == circle[1], text
    assert said == {**dict.fromkeys("abc", ("failed", f"start: init.wait: needs: a circle: {circle[2]}")), **dict.fromkeys("defxyz", ("running", ""))}, text
    assert re.search("^/etc/husk/f.conf:4: after: a circle: (e f|f e)$", text, re.M), text
    assert re.search("^/etc/husk/(x.conf:4: after: a circle: x y|y.conf:4: after: a circle: y x)$", text, re.M), text
    assert "@reload 2\n" in text and "husk: reload: nothing done" in text and text.endswith("@again\nhusk: going down\n"), text
    assert len(re.findall(r"^/etc/husk/g\d.conf:4: after: a circle:(?: g\d){4}$", text, re.M)) == 2, text		# reload, and the board


def test_the_order_that_is_sent(where):
    """* is not who says so himself; but who is needed by name comes first, whatever he says."""
    sleeps = 'exec=/bin/sh -c "sleep 100"\n'
    files = {"a": "needs=c\nafter=*\n", "b": "after=*\n", "c": "after=*,e\n", "d": "", "e": "needs=f\n", "f": "before=*\n", "g": "after=d\n"}
    text = boot(where, {**{n: sleeps + l for n, l in files.items()}, "z": end("USR2") + "needs=a,b\n"}, "husk.debug")[1]
    order = re.findall(r"^husk: plan: (\w) ", text, re.M)
    assert "a circle" not in text and "@up last" in text, text
    assert order == ["f", "d", "e", "g", "b", "c", "a", "z"], order


def test_the_name_of_a_file(where):
    """A verb that is given a file goes by the name= in it, also by the file's own where there is no box of that; list has one line for both."""
    sleeps = 'exec=/bin/sh -c "sleep 100"\n' + HOST
    c = "cd /etc/husk; v() { husk $* ./m.conf >/run/out; echo \"@$* $? $(cat /run/out)\"; };"
    text = board(where, {
        "n": "name=other\nboot=no\n" + sleeps, "m": "name=up\n" + sleeps.replace("inherit", "ring"), "w": "name=w2\nmemroy.max=1\n" + sleeps, "plain": "boot=no\n" + sleeps, "z": "after=up\n" + script(where, c +
            "husk list -k; husk state n; echo @n $?; husk state m pid >/dev/null; echo @m $?; v wait --ready; v pause; v resume; v logs; v ps | grep -c inside=;"
            "husk stats ./m.conf -k | grep name=; husk exec m -- /bin/echo @in m; husk update ./m.conf pids.max=9; echo @update $?; v restart; v restart; v kill;"
            "until [ $(husk state up state) = failed ]; do sleep .1; done; v wait; v delete; husk state up; husk start ./m.conf m; v stop; v state -k; husk start n; husk stop n; echo @stop $?;"
            "husk state other; echo @other $?; husk check other && husk start other && husk state other state; husk stop other; husk stop other; echo @stopped $?; husk state othe; husk list -k")})
    rows = re.findall(r"^name=([^z\n]+)\nstate=(.*)$", text, re.M)
    first = [("up", "running"), ("other", "stopped"), ("plain", "stopped"), ("w", "failed")]
    assert sorted(rows[:4]) == sorted(first), text
    assert rows[4:5] == [("other", "stopped")] and "file=/etc/husk/n.conf\n@n 3\n@m 0\n" in text, text
    for line in ("@wait --ready 0 ", "@pause 0 ", "@resume 0 ", "@logs 0 ", "name=up", "@in m", "@update 0", "@restart 0 ", "@kill 0 ", "@wait 143 ", "@delete 0 ", "@stop 0 ", "@stop 0"):
        assert f"{line}\n" in text, (line, text)
    assert "@delete 0 \nname=up\nstate=stopped\nfile=/etc/husk/m.conf\n" in text and "@state -k 3 name=up\nstate=stopped\nfile=./m.conf\n" in text, text
    assert "file=/etc/husk/n.conf\n@other 3\n" in text and "running\n@stopped 0\nhusk: othe: no such box, and no file /etc/husk/othe.conf\n" in text, text
    assert sorted(rows[-4:]) == sorted([("up", "stopped"), *first[1:]]), text


def test_half_a_first_start(where):
    """Its starter dies: what it has made goes at once, and not when the name is used again; and the box has failed."""
    end = "i=0; until [ \"$(husk state n why)\" = 'the start was ended' ] || [ $i = 100 ]; do i=$((i+1)); sleep .05; done; husk state n state; sed 's/^/@/' /run/husk/n/state"
    text = board(where, {"n": 'exec=/bin/sleep 4321\nhook.prestart=/bin/sh -c "kill -9 $PPID"\n' + HOST, "z": script(where, end)})
    assert "husk: n: failed: the start was ended\n" in text and "\nfailed\n" in text, text
    assert "@keeper=" in text and not re.search("^@(cgroup|init|uid)=", text, re.M), text


def test_what_runs_by_another_hand(where):
    """Somebody has started a box of that name himself: it is not the board's to start, nor to end."""
    (where / "a.sh").write_text(f"{husk.HUSK} run -d name=n use=host -- /bin/sleep 4321; touch /run/a.ready; sleep 100\n")
    text = board(where, {
        "a": f"exec=/bin/sh {where}/a.sh\nready=/run/a.ready\n" + HOST,
        "n": "after=a\nexec=/bin/false\n" + HOST,
        "z": "after=n\n" + script(where, "husk list -k")})
    assert "husk: n: init.state: n is running already" in text and "\nname=n\nstate=running\n" in text, text


def test_who_is_left_out_says_why(where):
    """husk.skip= is why a box is not there, and of no other is it."""
    files = {n: f"exec=/bin/sleep 100\n{t}" + HOST for n, t in {"a": "", "b": "boot=no\n", "c": "name=d\n", "e": "memroy.max=1\n", "f": ""}.items()}
    text = board(where, {**files, "z": "after=f\n" + script(where, "husk list -k; husk state a; husk start a; husk stop a; husk state a why")}, "husk.skip=a,b,d,e,n")
    why = "husk.skip= of the kernel's command line left it out"
    said = {n: (s, w) for n, s, w in re.findall(r"^name=(.*)\nstate=(.*)\n(?:why=(.*)\n)?", text, re.M)}
    wrong = "/etc/husk/e.conf:2: memroy.max: no such key; memory.max?"
    assert said == {"a": ("stopped", why), "b": ("stopped", ""), "d": ("stopped", why), "e": ("failed", wrong), "f": ("running", ""), "z": ("running", "")}, text
    assert text.count(why) == 4, text		# a and d in the list, twice of a alone


def heard(s, timeout=None):
    """The next word at that socket, and which process of which namespaces has said it; None: nothing is there."""
    s.settimeout(timeout)
    try:
        text, more, _, _ = s.recvmsg(99, socket.CMSG_SPACE(12))
    except BlockingIOError:
        return None
    pid = struct.unpack("iii", more[0][2])[0]
    return text.decode(), re.search(r"^NSpid:.*?(\d+)$", own(f"/proc/{pid}/status"), re.M)[1]


def listener(name):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.bind(name.replace("@", "\0"))
    s.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    return s


SLOW = 'exec=/bin/sh -c "touch %s/waits; until [ -e %s/go ]; do usleep 10000; done; echo >&5; until [ -e %s/end ]; do usleep 10000; done; kill -USR2 1; sleep 100"\nready=fd:5\n'


def at_last(path):
    husk.wait_for(path.exists)


@pytest.mark.parametrize("name, status", [("path", 1), ("@husk-test", None), ("path", 0)])
def test_who_waits_outside_hears_when_it_is_up(where, name, status):
    """NOTIFY_SOCKET, as systemd-nspawn and podman name it: READY=1 when board.good= has been run, by PID 1 itself, and STOPPING=1."""
    name = name if name[0] == "@" else f"{where}/{name}"
    conf = None if status is None else f'board.good=/bin/sh -c "touch {where}/asked; exit {status}"\n'
    with listener(name) as s, concurrent.futures.ThreadPoolExecutor() as pool:
        r = pool.submit(boot, where, {"a": SLOW.replace("%s", str(where))}, conf=conf, env=husk.os.environ | {"NOTIFY_SOCKET": name})
        at_last(where / "waits")
        assert heard(s, 0) is None
        (where / "go").touch()
        if status is not None:
            at_last(where / "asked")
        if not status:
            assert heard(s, 60) == ("READY=1", "1")
        (where / "end").touch()
        s.settimeout(60)
        assert s.recv(99) == b"STOPPING=1"
        code, text = r.result()
    assert code in OFF and "board.good: /" not in text, text


# What docker leaves to root, without --privileged: no mount, no reboot; the cgroups and much of /proc cannot be written.
DOCKER_CAPS = "chown,dac_override,fsetid,fowner,mknod,net_raw,setgid,setuid,setfcap,setpcap,net_bind_service,sys_chroot,kill,audit_write"
DOCKER = """mount --make-rprivate / && mount -t tmpfs run /run && mount -t cgroup2 -o ro cg /sys/fs/cgroup || exit 9
for d in sys irq bus fs; do mount --bind /proc/$d /proc/$d && mount -o remount,bind,ro /proc/$d; done
for f in kcore keys timer_list; do [ ! -e /proc/$f ] || mount --bind /dev/null /proc/$f; done
exec setpriv --inh-caps=-all --bounding-set=-all,+%s %s boot husk.conf=%s
"""
# Four that hear no TERM, each in a session of its own; three of them are nobody's children soon, or at once.
STAYS = """trap '' TERM
setsid sh -c 'while :; do sleep 54321 & wait; done' &
(setsid sh -c 'setsid sleep 54321 & exec sleep 54321' &)
exec sleep 54321
"""
DOCKER_SH = """n() { grep -l '[5]4321' /proc/[0-9]*/cmdline 2>/dev/null | wc -l; }
all() { i=0; until [ $(n) = $1 ] || [ $i = 600 ]; do i=$((i+1)); sleep .05; done; }
all 5; husk stop stays-9; echo "@stop $? $(n)"
husk start %s/stays-9.conf; all 5; husk kill stays-9 KILL; echo "@kill $? $(n)"; all 0; husk delete stays-9
husk run %s/stays-9.conf & all 5; kill -9 $(sed -n s/^keeper=//p /run/husk/stays-9/state); all 0; echo "@keeper $(n)"
husk run use=host keyring=no name=leaves-9 -- /bin/sh -c 'sh %s/stays & i=0; until [ $(grep -l "[5]4321" /proc/[0-9]*/cmdline 2>/dev/null | wc -l) = 5 ]; do sleep .05; done; exit 7'; echo "@leaves $? $(n)"
husk run root=/ name=plain-9 -- /bin/true; echo "@plain $?"
husk run root=/ name=plain-9 ns.user=new -- /bin/true; echo "@user $?"
husk run use=host name=keys-9 -- /bin/true; echo "@keys $?"
husk poweroff; sleep 100
"""


@pytest.mark.parametrize("filtered", [False, True])
def test_as_docker_makes_them(where, name, filtered):
    """Boxes with use=host run, and of none does anything stay when it ends, though there is no cgroup; all others say why not. Nobody may
    call reboot(2): the end is that of process 1. Once as root with docker's capabilities, once under its own filter, too."""
    moby = qemu.TOP / "out/profiles/moby.json"
    files = {"stays-9": f"exec=/bin/sh {where}/stays\nstop.timeout=100ms\n", "z-9": f"exec=/bin/sh {where}/z.sh\n"}
    for n, text in files.items():
        (where / f"{n}.conf").write_text(text + "use=host\nlog=inherit\nkeyring=no\n")
    (where / "stays").write_text(STAYS)
    (where / "z.sh").write_text(f"husk() {{ {husk.HUSK} \"$@\"; }}\n" + DOCKER_SH.replace("%s", str(where)))
    words = ["unshare", "-pfmC", "--mount-proc", "--kill-child", "sh", "-c", DOCKER % (DOCKER_CAPS.replace(",", ",+"), husk.HUSK, where)]
    if filtered:
        if not moby.exists():
            pytest.skip("sh test/setup.sh test")
        lines = subprocess.run([qemu.TOP / "filter/import-oci", moby], capture_output=True, text=True, check=True).stdout
        (where / "docker").write_text(f"exec={husk.HUSK} boot husk.conf={where}\nname={name}\nroot=/\nuser=root\npid1=program\ncaps={DOCKER_CAPS}\ntmpfs=/run\nbind={where}\nbind={husk.HUSK}\nlog=inherit\n{lines}")
        words = [husk.HUSK, "run", where / "docker"]
    r = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120, check=False)
    text = r.stdout.decode(errors="replace")
    said = dict(re.findall(r"^@(\w+) (.*)$", text, re.M))
    assert said == {"stop": "0 0", "kill": said["kill"], "keeper": "0", "leaves": "7 0", "plain": "125", "user": "125", "keys": "125" if filtered else "0"}, text
    assert said["kill"].startswith("0 ") and r.returncode == 0 and "husk: going down" in text, (r.returncode, text)
    assert "plain-9: ns.clone: clone: Operation not permitted - no CAP_SYS_ADMIN: ns.user=new, in a container use=host; " in text, text
    assert ("keys-9: caps.keyring: a session keyring: Operation not permitted - a filter above refuses it: keyring=no\n" in text) == filtered, text


def test_nobody_listens(where):
    code, text = boot(where, {"z": end("USR2")}, env=husk.os.environ | {"NOTIFY_SOCKET": f"{where}/no"})
    assert code in OFF and f"husk: board.good: {where}/no: No such file or directory\n" in text, text


NSPAWN = "mount --make-rprivate / && mount -t tmpfs run /run && exec %s/usr/bin/systemd-nspawn --quiet -D %s --register=no --keep-unit --notify-ready=yes --kill-signal=37 /sbin/husk boot"


def test_systemd_nspawn(where):
    """The real one tells whoever has started it that it is ready when it has heard so itself."""
    at, libs = qemu.tool("systemd-container"), qemu.tool("libsystemd-shared")
    env = husk.os.environ | {"LD_LIBRARY_PATH": str(next(libs.rglob("libsystemd-shared*.so")).parent), "NOTIFY_SOCKET": f"{where}/up"}
    if subprocess.run([at / "usr/bin/systemd-nspawn", "--version"], env=env, capture_output=True, check=False).returncode:
        pytest.skip("systemd-nspawn lacks a library")
    root = where / "root"
    husk.make_root(root)
    for d in ("sbin", "etc/husk", "run", "usr"):
        (root / d).mkdir(parents=True, exist_ok=True)
    husk.shutil.copy(husk.HUSK, root / "sbin/husk")
    (root / "etc/os-release").write_text("ID=test\n")
    # nspawn leaves no cgroup to write to, refuses keys, and the network is that of outside
    (root / "etc/husk/a.conf").write_text("exec=/bin/sleep 1000\nready=/go\nnet=host\nkeyring=no\n")
    with listener(f"{where}/up") as s, subprocess.Popen(["unshare", "-m", "sh", "-c", NSPAWN % (at, root)], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as p:
        try:
            while "Container running" not in (first := heard(s, 60)[0]):
                pass
            assert "READY=1" not in first, first
            (root / "go").touch()
            assert heard(s, 60)[0].split() == ["READY=1"]
            p.terminate()		# it asks for a halt, in its own way
            text = p.communicate(timeout=60)[0].decode()
        finally:
            p.kill()
    assert p.returncode == 0 and "husk: going down" in text, text
