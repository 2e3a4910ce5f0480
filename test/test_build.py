"""What a build takes from where: on each of the four machines its own compiler, musl and headers, and a line where one is missing."""
import os
import re

import pytest

import husk

# Debian's name of a machine's compiler: its multiarch directory, its board, the directory of its musl
MACHINES = {
    "x86_64-linux-gnu": ("x86_64-linux-gnu", "qemu-x86_64", "x86_64-linux-musl"),
    "i686-linux-gnu": ("i386-linux-gnu", "qemu-i386", "i386-linux-musl"),
    "arm-linux-gnueabihf": ("arm-linux-gnueabihf", "qemu-armv7", "arm-linux-musleabihf"),
    "aarch64-linux-gnu": ("aarch64-linux-gnu", "qemu-arm64", "aarch64-linux-musl"),
}


def make(*words, usr=None, timeout=60):
    """make, where directories of usr lie over those of /usr."""
    args = ["make", "-C", husk.TOP, *words]
    if usr:
        args = ["unshare", "-m", "sh", "-c", f'mount -t overlay -o lowerdir={usr}:/usr none /usr || exit 77; exec "$@"', "sh", *args]
    return husk.command(*args, timeout=timeout, env={"PATH": os.environ["PATH"]})


@pytest.fixture(params=MACHINES)
def machine(request, tmp_path):
    """A /usr that has what gcc, musl-dev and linux-libc-dev of that machine put there."""
    triple = request.param
    multi, board, musl = MACHINES[triple]
    if triple != "x86_64-linux-gnu":
        for to, of in ((f"lib/{musl}", husk.OUT / "musl/usr/lib" / musl), (f"include/{musl}", husk.OUT / "musl/usr/include" / musl),
                       (f"include/{multi}/asm", f"/usr/{triple}/include/asm")):
            (tmp_path / to).parent.mkdir(parents=True, exist_ok=True)
            assert husk.command("cp", "-R", of, tmp_path / to).status == 0
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/gcc").write_text(f'#!/bin/sh\nexec {triple}-gcc "$@"\n')
    (tmp_path / "bin/gcc").chmod(0o755)
    return tmp_path, triple, multi, board, musl


def test_native_is_the_board_with_files_of_its_own(machine):
    """The tables of a native build, by its own compiler and headers, are those that the cross compiler makes."""
    usr, triple, multi, board, musl = machine
    out = husk.OUT / f"native.{os.getpid()}"
    try:
        r = make(f"OUT={out}", f"{out}/nr.h", f"{out}/cap.h", usr=usr)
        if r.status == 77:
            pytest.skip("no overlay here")
        assert r.status == 0, r
        assert {f: os.readlink(out / "include" / f) for f in ("linux", "asm", "asm-generic")} == {
            "linux": "/usr/include/linux", "asm": f"/usr/include/{multi}/asm", "asm-generic": "/usr/include/asm-generic"}
        assert make(f"BOARD={board}", f"out/{board}/nr.h", f"out/{board}/cap.h").status == 0
        for f in ("nr.h", "cap.h"):
            assert (out / f).read_text() == (husk.OUT / board / f).read_text(), f
        said = [make("-n", "-B", f"BOARD={b}", f"OUT={out}", usr=usr).out for b in ("native", board)]
        link, cross = [re.search(r"^REAL_AS=.*\\?\n?.*", s, re.M)[0] for s in said]
        assert f" /usr/lib/{musl}/libc.a " in link and f"-isystem /usr/include/{musl} " in link and "out/musl" not in link
        assert link.replace(f"{triple}-gcc", "gcc") == cross.replace(f"{triple}-gcc", "gcc"), "nor has its board, on the machine itself, anything of another's"
    finally:
        husk.command("rm", "-rf", out)


# ------------------------------------------------------------------- what is missing

def need(board):
    """The words of test/need.sh for that board."""
    line = re.search(r'^sh test/need.sh (\w+) "([^"]*)" (.*)$', make("-n", "-B", f"BOARD={board}").out, re.M)
    return line[1], line[2], re.findall(r'"([^"]*)"', line[3].replace("`gcc -print-multiarch 2>/dev/null`", "x86_64-linux-gnu"))


@pytest.mark.parametrize("board", ["native", "qemu-x86_64", "qemu-i386", "qemu-armv7", "qemu-arm64", "raspi3b"])
def test_what_is_missing_is_one_line(board, tmp_path):
    word, cc, files = need(board)
    assert word == ("build" if cc == "gcc" else "cross") and len(files) == 3

    def says(*args):
        r = husk.command("/bin/sh", husk.TOP / "test/need.sh", word, *args)
        return (r.status, r.out, r.err)
    assert says(cc, *files) == (0, "", "")
    assert says("no-" + cc, *files) == (1, "", f"husk: no compiler no-{cc}: sh test/setup.sh {word}\n")
    for i, f in enumerate(files):
        what = "musl's static files (musl-dev)" if i == 0 else "the kernel's headers (linux-libc-dev)"
        gone = str(tmp_path / f.lstrip("/"))
        assert says(cc, *[gone if f == g else g for g in files]) == (1, "", f"husk: no {gone}: {what} are missing: sh test/setup.sh {word}\n")


@pytest.mark.parametrize("arch, own", [("amd64", None), ("arm64", "aarch64-linux-gnu"), ("armhf", "arm-linux-gnueabihf"), ("i386", "i686-linux-gnu")])
def test_the_line_names_what_helps(arch, own, tmp_path):
    """setup.sh on a machine that has nothing installs the compiler, musl and headers that need.sh asks for."""
    stubs = {"dpkg": f"echo {arch}", "dpkg-query": "exit 1", "id": "echo 0", "dpkg-deb": "", "apt-get": f'echo "$@" >>{tmp_path}/asked'}
    for name, text in stubs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "test").mkdir()
    (tmp_path / "test/setup.sh").write_text((husk.TOP / "test/setup.sh").read_text())
    for lib in ("arm-linux-musleabihf", "aarch64-linux-musl", "i386-linux-musl"):
        (tmp_path / "out/musl/usr/lib" / lib).mkdir(parents=True)
        (tmp_path / "out/musl/usr/lib" / lib / "libc.a").touch()
    asked = {}
    for word in ("build", "cross"):
        (tmp_path / "asked").unlink(missing_ok=True)
        r = husk.command("sh", tmp_path / "test/setup.sh", word, env={"PATH": f"{tmp_path}:{os.environ['PATH']}"})
        assert r.status == 0, r
        asked[word] = set(re.search(r" install (.*)", husk.read(tmp_path / "asked"))[1].split())
    assert {"gcc", "musl-tools", "linux-libc-dev"} <= asked["build"] <= asked["cross"]
    cross = {"arm-linux-gnueabihf": "armhf", "aarch64-linux-gnu": "arm64", "i686-linux-gnu": "i386"}
    for triple, a in cross.items():
        for package in (f"gcc-{triple}", f"linux-libc-dev-{a}-cross"):
            assert (package in asked["cross"]) == (triple != own), package
