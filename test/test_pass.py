"""fd=: files of outside that the program gets as descriptors."""
import os
import re

import pytest

import husk


def fds(*args, box):
    out = husk.run(*args, "--", "/bin/inside", "fds", box=box).out
    return {int(n): what for n, what in re.findall(r"^fd (\d+) (.*)$", out, re.M)}


@pytest.fixture
def file(tmp_path):
    f = tmp_path / "file"
    f.write_text("one\n")
    return f


@pytest.mark.parametrize("numbers", ([3], [3, 4], [4, 3], [9, 3, 255], list(range(3, 11)), list(range(10, 2, -1))))
def test_those_numbers_and_no_others(name, tmp_path, numbers):
    """Whatever number they, and ours, have at that moment: each is the file that was said."""
    for n in numbers:
        (tmp_path / str(n)).write_text(str(n))
    got = fds(*(f"fd={n}:{tmp_path}/{n}" for n in numbers), "ready=fd:77", box=name)
    assert sorted(got) == sorted([0, 1, 2, 77, *numbers]), got
    script = "; ".join(f"read x <&{n}; echo $x" for n in numbers)
    r = husk.husk("run", f"name={name}", *(f"fd={n}:{tmp_path}/{n}" for n in numbers), "--", "/bin/bash", "-c", script)
    assert r.out.split() == [str(n) for n in numbers], r


def test_read_write_append(name, file):
    script = "(echo x >&3) 2>/dev/null && echo wrote; cat <&3; echo two >&4; echo three >&5"
    r = husk.husk("run", f"name={name}", f"fd=3:{file}", f"fd=4:{file}:rw", f"fd=5:{file}:append", "--", "/bin/sh", "-c", script)
    assert r.status == 0 and r.out == "one\n" and file.read_text() == "two\nthree\n", (r, file.read_text())


def test_what_cannot_be_opened(name, tmp_path):
    r = husk.run(f"fd=3:{tmp_path}/none", "--", "/bin/true", box=name)
    assert r.status == 125 and f"init.fd: {tmp_path}/none: No such file or directory" in r.err, r
    r = husk.run(f"fd=3:{tmp_path}", "--", "/bin/true", box=name)
    assert r.status == 125 and "a directory would lead out of the box - bind=" in r.err, r
    r = husk.run(f"?fd=3:{tmp_path}/none", "--", "/bin/inside", "fds", box=name)
    assert r.status == 0 and "not passed on" in r.err and "fd 3 " not in r.out, r
    os.mkfifo(tmp_path / "fifo")
    r = husk.run(f"fd=3:{tmp_path}/fifo", "--", "/bin/true", box=name)		# nobody writes there
    assert r.status == 0, r


def test_above_the_limit(name, file):
    r = husk.run(f"fd=99:{file}", "rlimit.nofile=64", "--", "/bin/true", box=name)
    assert r.status == 125 and "init.pass: " in r.err and "rlimit.nofile" in r.err, r


def test_again_at_each_start(name, file):
    """Of what stands there then."""
    r = husk.husk("run", f"name={name}", f"fd=3:{file}", "restart=on-failure 10ms 3/1m", "--", "/bin/sh", "-c", f"read x <&3; echo $x; exit 1")
    assert r.out == "one\n" * 3, r


def test_exec_has_none(name, file):
    with husk.box(f"fd=3:{file}", "--", "/bin/inside", "sleep", box=name) as p:
        assert husk.wait_for(lambda: (husk.RUNDIR / name / "ctl").exists())
        out = husk.husk("exec", name, "--", "/bin/inside", "fds").out
        p.terminate()
        assert husk.status_of(p) == 143
    assert re.findall(r"^fd (\d+) ", out, re.M) == ["0", "1", "2"], out
