"""Which disk is meant: boards/find.c reads what the programs of each file system write, as blkid does."""
import os
import shutil
import subprocess

import pytest

import husk

MB = 1 << 20
OWN = os.environ | {"PATH": os.environ["PATH"] + ":/sbin:/usr/sbin"}
UUID = "8a1f0b6e-3c2d-4e5f-9a0b-1c2d3e4f5061"
# type, megabytes, whether LABEL= and UUID= are told from it, and who makes it: the words, and then the file; @ stands for that, + for a directory
KINDS = {
    "ext4": ("ext4", 16, "LU", f"mke2fs -q -F -t ext4 -L data.1 -U {UUID}"),
    "ext4-1k": ("ext4", 4, "LU", f"mke2fs -q -F -t ext4 -b 1024 -L sixteen.letters. -U {UUID}"),
    "ext2": ("ext4", 4, "LU", f"mke2fs -q -F -t ext2 -L data.1 -U {UUID}"),
    "fat12": ("vfat", 4, "LU", "mkfs.vfat -F 12 -n DATA1 -i 1234abcd"),
    "fat16": ("vfat", 32, "LU", "mkfs.vfat -F 16 -n ELEVEN-LETT -i 1234abcd"),
    "fat32": ("vfat", 64, "LU", "mkfs.vfat -F 32 -n DATA1 -i 1234abcd"),
    "f2fs": ("f2fs", 64, "LU", f"mkfs.f2fs -q -l data.1 -U {UUID}"),
    "xfs": ("xfs", 320, "LU", f"mkfs.xfs -q -L data.1 -m uuid={UUID}"),
    "btrfs": ("btrfs", 128, "LU", f"mkfs.btrfs -q -L data.1 -U {UUID}"),
    "swap": ("swap", 4, "LU", f"mkswap -q -L data.1 -U {UUID}"),
    "erofs": ("erofs", 0, "U", f"mkfs.erofs -U {UUID} @ +"),
    "squashfs": ("squashfs", 0, "", "mksquashfs + @ -quiet -noappend -no-progress"),
    "exfat": ("exfat", 16, "U", "mkfs.exfat -L data1"),
    "iso9660": ("iso9660", 0, "L", "genisoimage -quiet -V data.1 -o @ +"),
    "zeros": ("-", 4, "", "true"),
    "nothing": ("-", 0, "", "true"),
    "text": ("-", 4, "", "dd if=/proc/cpuinfo conv=notrunc status=none of=@"),
}


@pytest.fixture(scope="module")
def supers(tmp_path_factory):
    to = tmp_path_factory.mktemp("supers") / "supers"
    subprocess.run(["gcc", "-std=gnu11", "-O1", "-g", "-D_GNU_SOURCE", '-DRUNDIR="/run/husk"', '-DTEXT=""', "-Iinit", "-Iout", "-fsanitize=address,undefined",
                    "-fno-sanitize-recover", "-o", to, "test/supers.c", "init/util.c", "init/fail.c"], cwd=husk.TOP, check=True)
    return to


def other(text):
    """The same with another last letter."""
    return text[:-1] + ("0" if text[-1] != "0" else "1")


@pytest.mark.parametrize("kind", KINDS)
def test_super_block(kind, supers, tmp_path):
    what, megabytes, has, words = KINDS[kind]
    at, tree = tmp_path / "image", tmp_path / "tree"
    if not shutil.which(words.split()[0], path=OWN["PATH"]):
        pytest.skip("no " + words.split()[0])
    tree.mkdir()
    (tree / "file").write_text("x" * 10000)
    at.write_bytes(b"")
    os.truncate(at, megabytes * MB)
    words = words.split() if "@" in words else words.split() + ["@"]
    subprocess.run([{"@": at, "+": tree}.get(w, w.replace("of=@", f"of={at}")) for w in words], check=True, capture_output=True, env=OWN)
    said = subprocess.run(["blkid", "-p", "-o", "export", at], capture_output=True, text=True, check=False, env=OWN).stdout
    real = dict(line.split("=", 1) for line in said.splitlines())
    label, uuid = real.get("LABEL", "data.1").replace("\\", ""), real.get("UUID", UUID)
    asked = [f"LABEL={label}", f"LABEL={label[:-1]}", f"LABEL={label}x", f"LABEL={other(label)}",
             f"UUID={uuid}", f"UUID={uuid.swapcase()}", f"UUID={uuid[:-2]}", f"UUID={uuid}00", f"UUID={other(uuid)}"]
    r = subprocess.run([supers, at, *asked], capture_output=True, text=True, check=False)
    assert r.returncode == 0, r.stderr
    l, u = int("L" in has), int("U" in has)
    assert r.stdout.split() == [what, *map(str, [l, 0, 0, 0, u, u, 0, 0, 0])], (said, asked)
    assert real.get("TYPE", "-").replace("ext2", "ext4") == what or what == "-", said
