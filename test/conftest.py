"""Makes the root directory and the helpers once; checks around every test that the host is as it was."""
import fcntl
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))
import husk  # noqa: E402

sys.dont_write_bytecode = True


def build():
    husk.OUT.mkdir(exist_ok=True)
    here = husk.TOP / "test"
    with open(husk.OUT / ".test.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not husk.INSIDE.exists() or husk.INSIDE.stat().st_mtime < (here / "inside.c").stat().st_mtime:
            husk.musl("inside.c", husk.INSIDE)
        if not husk.INJECT.exists() or husk.INJECT.stat().st_mtime < (here / "inject.c").stat().st_mtime:
            r = husk.command("gcc", "-O2", "-Wall", "-Wextra", f"-I{husk.TOP}/init", "-o", husk.INJECT, here / "inject.c", timeout=60)
            assert r.status == 0 or os.uname().machine != "x86_64", r
        stamp = husk.ROOT / "bin/inside"
        if not stamp.exists() or stamp.stat().st_mtime < husk.INSIDE.stat().st_mtime:
            husk.make_root(husk.ROOT)


def pytest_configure(config):
    if not hasattr(config, "workerinput"):
        build()


# Whose tests are long, the longest first: each is handed out by itself. Every other file goes whole to one
# worker (what it has made once serves all its tests), also in this order where it is named here: what is
# short comes last, so that all workers end at about the same time.
EACH = "matrix disks cuts hardware image fault style".split()
WHOLE = "boot control layouts upgrade console exec bench rows filter failing events off devices parts log import pid1".split()


def place(path):
    file = os.path.basename(path).removeprefix("test_").removesuffix(".py")
    return (EACH + WHOLE).index(file) if file in EACH + WHOLE else len(EACH + WHOLE)


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: place(item.path))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            path = nodeid.partition("::")[0]
            return nodeid if place(path) < len(EACH) else path

    return Scheduling(config, log)


@pytest.fixture
def name(request):
    """A fresh name; after the test nothing of this box is left."""
    n = husk.name(request.node.name.split("[")[0].replace("test_", "").replace("_", "-")[:30])
    yield n
    try:
        husk.nothing_left(n)
    finally:
        for p in husk.tagged(n):
            husk.send(p, 9)
        if husk.left(n):
            husk.run("--", "/bin/true", box=n)


@pytest.fixture(autouse=True)
def host_unchanged():
    before = husk.host()
    yield
    husk.same_host(before)


@pytest.fixture
def root(tmp_path):
    """A root directory of one's own, to spoil."""
    return husk.make_root(tmp_path / "root")


def pytest_terminal_summary(terminalreporter):
    points = husk.OUT / "fault.count"
    if points.exists():
        total, kinds = 0, {}
        for l in points.read_text().splitlines():
            kind, n = l.split()
            kinds[kind] = kinds.get(kind, 0) + int(n)
            total += int(n)
        terminalreporter.write_line(f"fault points: {total} (" + ", ".join(f"{k} {v}" for k, v in sorted(kinds.items())) + ")")
