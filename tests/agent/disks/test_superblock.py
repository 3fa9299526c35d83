"""
Which file system it is, and its label, by the first bytes.
"""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvmpair_agent.disks.superblock import HEAD, Format, Superblock, identify
from tests.agent.images import make_iso, make_vfat


def head(image: Path) -> bytes:
    with image.open("rb") as file:
        return file.read(HEAD)


@pytest.mark.parametrize("label", ["config-2", "CDROM", "_STRATUSLAB", ""])
@pytest.mark.parametrize("options", [["-J", "-R"], [], ["-udf"]])
def test_iso9660(tmp_path: Path, options: list[str], label: str) -> None:
    image = make_iso(tmp_path / "sr0", {"file": b"1"}, *options, label=label)
    assert identify(head(image)) == Superblock(format=Format.ISO9660, label=label)


@pytest.mark.parametrize("label", ["CIDATA", "config-2", ""])
@pytest.mark.parametrize("bits", [12, 16, 32])
def test_vfat(tmp_path: Path, bits: int, label: str) -> None:
    kib = {12: 1024, 16: 16384, 32: 40960}[bits]
    image = make_vfat(tmp_path / "vda", {}, bits=bits, label=label, kib=kib)
    assert identify(head(image)) == Superblock(format=Format.VFAT, label=label)


def test_a_disc_that_boots_as_a_disk_is_a_disc(tmp_path: Path) -> None:
    data = bytearray(head(make_iso(tmp_path / "sr0", {}, label="CDROM")))
    data[510:512] = b"\x55\xaa"
    assert identify(bytes(data)) == Superblock(format=Format.ISO9660, label="CDROM")


def test_a_partition_table_is_no_file_system() -> None:
    assert identify(bytes(510) + b"\x55\xaa" + bytes(HEAD)) is None


@given(st.binary(max_size=600))
def test_other_bytes_are_none(data: bytes) -> None:
    assert identify(data) is None
    assert identify(data[:510].ljust(510, b"\0") + b"\x55\xaa") is None
