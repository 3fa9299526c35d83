"""
Which file system is on a disk, and its label, from the first bytes.

Labels do not need udev then, which may not run yet and is absent in tests.
"""

from enum import Enum
from struct import unpack_from
from typing import Final

from attrs import frozen

HEAD: Final = 34 * 1024
"""How many of the first bytes tell it all."""

_DESCRIPTOR: Final = 32 * 1024
"""Where ISO 9660 has its first volume descriptor, ECMA-119 section 7.1."""

_FAT_FIELDS: Final = ((54, 43), (82, 71))
"""Where FAT12 and FAT16, and then FAT32, have the name of the type, and the label."""


class Format(Enum):
    """
    The file systems that are understood.

    A disc with UDF has ISO 9660 too if a cloud made it, and counts as that.
    """

    ISO9660 = "iso9660"
    VFAT = "vfat"


@frozen(kw_only=True)
class Superblock:
    """
    What a disk says about itself.

    :ivar label: the label without padding; empty if there is none.
    """

    format: Format
    label: str


def identify(head: bytes) -> Superblock | None:
    """
    Return what file system begins with these bytes, nothing if it is no known one.
    """
    # A disc that also boots as a disk has a boot sector before its descriptor.
    return _identify_iso9660(head) or _identify_vfat(head)


def _identify_iso9660(head: bytes) -> Superblock | None:
    if head[_DESCRIPTOR : _DESCRIPTOR + 6] != b"\x01CD001":
        return None
    label = head[_DESCRIPTOR + 40 : _DESCRIPTOR + 72]
    return Superblock(format=Format.ISO9660, label=_text(label))


def _identify_vfat(head: bytes) -> Superblock | None:
    # A partition table ends with the same two bytes, so the type has to be there too.
    if head[510:512] != b"\x55\xaa":
        return None
    (sector_size,) = unpack_from("<H", head, 11)
    if sector_size not in {512, 1024, 2048, 4096}:
        return None
    for place, label in _FAT_FIELDS:
        if head[place : place + 3] == b"FAT":
            text = _text(head[label : label + 11])
            # What mkfs writes if it is given no label.
            name = "" if text == "NO NAME" else text
            return Superblock(format=Format.VFAT, label=name)
    return None


def _text(padded: bytes) -> str:
    return padded.split(b"\0")[0].decode("ascii", "replace").strip()
