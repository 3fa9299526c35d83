"""
The disks of a machine: which there are, and the files on them.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cvmpair_agent.disks.errors import VolumeUnreadable
from cvmpair_agent.disks.image import Image, TooMuch, open_image
from cvmpair_agent.disks.superblock import Format
from cvmpair_agent.disks.volumes import MAX_FILE, Volume, Volumes
from cvmpair_agent.files.root import Root
from tests.agent.images import bend_chains, make_iso, make_vfat

DEEP = "openstack/latest/user_data"
FILES = {DEEP: b"sesame\n", "user-data": b"top\n", "empty": b"", "d/other": b"x"}
LONG = "a long name with blanks and \u00e9.text"


def the_only(root: Path) -> Volume:
    (volume,) = Volumes(Root(root)).find()
    return volume


@pytest.mark.parametrize(
    "options",
    [["-J", "-R"], ["-R"], ["-J"], ["-udf"], ["-J", "-R", "-udf"], ["-l"]],
    ids=" ".join,
)
def test_a_disc(tmp_path: Path, options: list[str]) -> None:
    make_iso(tmp_path / "dev/sr0", FILES, *options, label="config-2")
    volume = the_only(tmp_path)
    assert (volume.label, volume.format) == ("config-2", Format.ISO9660)
    assert volume.read(DEEP) == b"sesame\n"
    assert volume.read("/OpenStack/LATEST/User_Data") == b"sesame\n"
    assert volume.read("empty") == b""
    assert volume.read("openstack/latest") is None
    assert volume.read("openstack/earliest/user_data") is None
    assert volume.read("user-data/below") is None


@pytest.mark.parametrize("options", [["-J"], ["-R"], ["-udf"]])
def test_a_disc_with_long_names(tmp_path: Path, options: list[str]) -> None:
    name = LONG.replace("\u00e9", "e")
    make_iso(tmp_path / "dev/sr0", {name: b"1"}, *options)
    assert the_only(tmp_path).read(name) == b"1"


def test_a_plain_disc_has_the_names_that_linux_shows(tmp_path: Path) -> None:
    make_iso(tmp_path / "dev/sr0", FILES)
    assert the_only(tmp_path).read("user_dat") == b"top\n"
    assert the_only(tmp_path).read("user-data") is None


def test_a_link_on_a_disc_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "dev/sr0.tree").mkdir(parents=True)
    (tmp_path / "dev/sr0.tree/link").symlink_to("user-data")
    make_iso(tmp_path / "dev/sr0", FILES, "-R")
    assert the_only(tmp_path).read("link") is None


@pytest.mark.parametrize("bits", [12, 16, 32])
def test_vfat(tmp_path: Path, bits: int) -> None:
    files = {**FILES, LONG: b"long", "big": bytes(range(256)) * 400}
    kib = {12: 1024, 16: 16384, 32: 40960}[bits]
    make_vfat(tmp_path / "dev/vdb", files, bits=bits, label="CONFIG-2", kib=kib)
    volume = the_only(tmp_path)
    assert (volume.label, volume.format) == ("CONFIG-2", Format.VFAT)
    for name, data in files.items():
        assert volume.read(name) == data
        assert volume.read(name.upper()) == data
    assert volume.read("openstack/latest") is None
    assert volume.read("user-data/below") is None
    assert volume.read("nothing") is None


def test_the_order(tmp_path: Path) -> None:
    dev = tmp_path / "dev"
    for name, label in (("sr1", "x"), ("vda", "y"), ("nvme0n1p1", "CIDATA")):
        make_iso(dev / name, {}, label=label)
    make_vfat(dev / "xvdb2", {}, label="CONFIG-2")
    (dev / "disk/by-label").mkdir(parents=True)
    (dev / "disk/by-label/y").symlink_to("../../vda")
    (dev / "disk/by-label/z").symlink_to(dev / "nothing")
    (dev / "disk/by-label/circle").symlink_to("circle")

    def names(*labels: str) -> list[str]:
        return [volume.path.name for volume in Volumes(Root(tmp_path)).find(*labels)]

    assert names() == ["vda", "sr1", "xvdb2", "nvme0n1p1"]
    assert names("config-2") == ["xvdb2", "vda", "sr1", "nvme0n1p1"]
    assert names("cidata", "Config-2") == ["nvme0n1p1", "xvdb2", "vda", "sr1"]


def test_a_device_is_the_one_of_its_root(tmp_path: Path) -> None:
    make_iso(tmp_path / "root/dev/vdc", {"file": b"1"})
    (tmp_path / "root/dev/disk/by-label").mkdir(parents=True)
    (tmp_path / "root/dev/disk/by-label/CONTEXT").symlink_to("/dev/vdc")
    assert the_only(tmp_path / "root").read("file") == b"1"


def test_what_is_no_disk(tmp_path: Path) -> None:
    dev = tmp_path / "dev"
    dev.mkdir()
    make_iso(dev / "loop0", {})
    (dev / "sr0").write_bytes(b"")
    (dev / "vda").write_bytes(bytes(100_000))
    (dev / "sda").mkdir()
    os.mkfifo(dev / "sdb")
    (dev / "sdc").symlink_to("/dev/nothing")
    assert Volumes(Root(tmp_path)).find() == []


def test_no_devices(tmp_path: Path) -> None:
    assert Volumes(Root(tmp_path)).find() == []


@pytest.mark.parametrize("kind", ["iso", "udf", "vfat"])
def test_a_huge_file(tmp_path: Path, kind: str) -> None:
    files = {"most": bytes(MAX_FILE), "more": bytes(MAX_FILE + 1)}
    if kind == "vfat":
        make_vfat(tmp_path / "dev/vdb", files)
    else:
        make_iso(tmp_path / "dev/vdb", files, "-R" if kind == "iso" else "-udf")
    assert the_only(tmp_path).read("most") == bytes(MAX_FILE)
    with pytest.raises(VolumeUnreadable, match=r"vdb: more: .* 1048577 bytes, more"):
        the_only(tmp_path).read("more")


def test_a_huge_disk_is_not_read(tmp_path: Path) -> None:
    image = make_vfat(tmp_path / "dev/vdb", {"a": b"1"}, bits=32, kib=4 * 1024 * 1024)
    with pytest.raises(VolumeUnreadable, match="too much on it"):
        the_only(tmp_path).read("a")
    image.unlink()


@pytest.mark.parametrize("options", [["-J", "-R"], ["-udf"], []])
def test_a_truncated_disc(tmp_path: Path, options: list[str]) -> None:
    files = {"user_data": b"sesame" * 10_000}
    image = make_iso(tmp_path / "dev/sr0", files, "-no-pad", *options)
    data = image.read_bytes()
    for end in range(34_816, len(data), 2048):
        image.write_bytes(data[:end])
        with pytest.raises(VolumeUnreadable) as raised:
            the_only(tmp_path).read("user_data")
        assert "sesame" not in str(raised.value)


def test_a_truncated_vfat(tmp_path: Path) -> None:
    files = {"user-data": bytes(60_000)}
    image = make_vfat(tmp_path / "dev/vdb", files, bits=12, kib=256)
    data = image.read_bytes()
    for end in (600, 2048, 9000, 40_000):
        image.write_bytes(data[:end])
        with pytest.raises(VolumeUnreadable):
            the_only(tmp_path).read("user-data")


@pytest.mark.parametrize("bits", [16, 32])
def test_circles_end(tmp_path: Path, bits: int) -> None:
    files = {"d/e/file": b"1", "file": b"2" * 5000}
    kib = {16: 16384, 32: 40960}[bits]
    bend_chains(make_vfat(tmp_path / "dev/vdb", files, bits=bits, kib=kib))
    for name in files:
        with pytest.raises(VolumeUnreadable, match="circle"):
            the_only(tmp_path).read(name)


@pytest.mark.filterwarnings("error")
def test_small_flaws_are_not_spoken_of(tmp_path: Path) -> None:
    image = make_vfat(tmp_path / "dev/vdb", {"d/user-data": b"1", f"d/{LONG}": b"2"})
    data = bytearray(image.read_bytes())
    # The mark of a disk in use, and a long name that belongs to no short one.
    data[37] |= 1
    data[data.index(b"ALONGN") - 32 + 13] ^= 1
    image.write_bytes(data)
    assert the_only(tmp_path).read("d/user-data") == b"1"
    assert the_only(tmp_path).read(f"d/{LONG}") is None


def test_a_disc_with_a_directory_that_holds_itself(tmp_path: Path) -> None:
    image = make_iso(tmp_path / "dev/sr0", {"d/e/f/file": b"1"})
    data = bytearray(image.read_bytes())
    root = int.from_bytes(data[32768 + 158 : 32768 + 162], "little")
    for sector in range(17, len(data) // 2048):
        # The records of directories are as long as the name demands; D, E and F
        # have 34 bytes. Each comes to be where the root is.
        for name in b"DEF":
            place = data.find(bytes([1, name]), sector * 2048, sector * 2048 + 2048)
            if place > 0 and data[place - 32] == 34:
                data[place - 30 : place - 26] = root.to_bytes(4, "little")
                data[place - 26 : place - 22] = root.to_bytes(4, "big")
    image.write_bytes(data)
    with pytest.raises(VolumeUnreadable, match="damaged"):
        the_only(tmp_path).read("d/e/f/file")


def test_an_image_is_read_up_to_its_budget(tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(bytes(100))
    with open_image(path, 10) as image:
        assert image.read(6) == bytes(6)
        assert image.tell() == 6
        with pytest.raises(TooMuch):
            image.read(5)
        assert image.read(4) == bytes(4)
        with pytest.raises(TooMuch):
            image.read()
        image.reads = 1
        assert image.read(0) == b""
        with pytest.raises(TooMuch):
            image.read(0)
        file = image.file
    assert file.closed
    assert not Image(file, 1).writable()


def test_nothing_is_left_open_or_written(tmp_path: Path) -> None:
    iso = make_iso(tmp_path / "dev/sr0", FILES, "-R")
    fat = make_vfat(tmp_path / "dev/vdb", FILES)
    before = [path.read_bytes() for path in (iso, fat)]
    for path in (iso, fat):
        path.chmod(0o400)
    opened = len(list(Path("/proc/self/fd").iterdir()))
    for volume in Volumes(Root(tmp_path)).find():
        assert volume.read(DEEP) == b"sesame\n"
    assert len(list(Path("/proc/self/fd").iterdir())) == opened
    assert [path.read_bytes() for path in (iso, fat)] == before


def test_only_the_libraries_that_are_needed_are_loaded(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path;"
        "from cvmpair_agent.files.root import Root;"
        "from cvmpair_agent.disks.volumes import Volumes;"
        "[v.read('user-data') for v in Volumes(Root(Path(sys.argv[1]))).find()];"
        "names = {name.partition('.')[0] for name in sys.modules};"
        "print(sorted(names & {'pycdlib', 'pyfatfs', 'fs', 'twisted'}))"
    )

    def loaded() -> str:
        command = [sys.executable, "-W", "error", "-c", code, str(tmp_path)]
        return subprocess.run(
            command, check=True, capture_output=True, text=True
        ).stdout.strip()

    assert loaded() == "[]"
    make_vfat(tmp_path / "dev/vdb", FILES)
    assert loaded() == "['pyfatfs']"
    make_iso(tmp_path / "dev/sr0", FILES)
    assert loaded() == "['pycdlib', 'pyfatfs']"
