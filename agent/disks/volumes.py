"""
The disks of the machine, read without mounting any.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from attrs import frozen

from cvmpair_agent.disks.errors import VolumeUnreadable
from cvmpair_agent.disks.image import Image, open_image
from cvmpair_agent.disks.superblock import HEAD, Format, identify
from cvmpair_agent.files.root import Root

MAX_FILE: Final = 1024 * 1024
"""The most bytes that a file may have; no cloud allows user data of that size."""

_DEVICES: Final = tuple(
    re.compile(pattern)
    for pattern in (
        r"sr\d+",
        r"(xv|v|h|s)d[a-z]+\d*",
        r"nvme\d+n\d+(p\d+)?",
    )
)
"""Names below ``/dev``: discs before partitions and whole disks."""


@frozen(kw_only=True)
class Volume:
    """
    A file system on a disk.

    :ivar path: the device, as it is shown to people.
    :ivar label: its label; empty if it has none.
    """

    path: Path
    label: str
    format: Format

    def has_label(self, label: str) -> bool:
        """
        Say whether that is its label, in any case.
        """
        return self.label.casefold() == label.casefold()

    def place(self, name: str) -> str:
        """
        Return where a file is, as it is shown to people.
        """
        return f"{self.path}: {name}"

    def read(self, name: str) -> bytes | None:
        """
        Return what a file holds, nothing if there is no such file.

        :param name: the path from the root of the file system, in any case: neither
            VFAT nor plain ISO 9660 tells ``USER-DATA`` from ``user-data``.
        :raises VolumeUnreadable: if the file system is damaged, or the file has more
            than :data:`MAX_FILE` bytes.
        """
        budget, read_file = _library(self.format)
        path = PurePosixPath(name.lstrip("/"))
        try:
            with open_image(self.path, budget) as image:
                return read_file(image, path, MAX_FILE)
        except (OSError, VolumeUnreadable) as error:
            raise VolumeUnreadable(f"{self.place(name)}: {error}") from error
        except Exception as error:
            # Where a disk is damaged the libraries fail in whatever way they happen
            # to, IndexError and RecursionError among them.
            damage = f"the {self.format.value} file system is damaged"
            raise VolumeUnreadable(f"{self.path}: {damage}") from error


@frozen
class Volumes:
    """
    All file systems of the machine that can be read.
    """

    root: Root

    def find(self, *labels: str) -> list[Volume]:
        """
        Return them: first those with one of the labels, in their order.

        What cannot be opened, such as a drive without a disc, is left out.

        :param labels: in any case, as not every file system tells it.
        """
        order = [label.casefold() for label in labels]

        def rank(volume: Volume) -> int:
            label = volume.label.casefold()
            return order.index(label) if label in order else len(order)

        found = (_recognise(path) for path in self._devices())
        return sorted((volume for volume in found if volume), key=rank)

    def _devices(self) -> list[Path]:
        """
        Return each device once, those that udev knows a label of first.
        """
        labelled = self._directory("/dev/disk/by-label")
        names = self._directory("/dev")
        devices = [
            name
            for pattern in _DEVICES
            for name in names
            if pattern.fullmatch(PurePosixPath(name).name)
        ]
        return list(dict.fromkeys(self._locate([*labelled, *devices])))

    def _directory(self, name: str) -> list[str]:
        try:
            children = sorted(self.root.locate(name).iterdir())
        except OSError:
            return []
        return [f"{name}/{child.name}" for child in children]

    def _locate(self, names: list[str]) -> Iterator[Path]:
        for name in names:
            try:
                yield self.root.locate(name)
            except OSError:
                # A circle of links.
                continue


def _library(
    format_: Format,
) -> tuple[int, Callable[[Image, PurePosixPath, int], bytes | None]]:
    """
    Return how much of such a disk may be read, and what reads a file of it.
    """
    # The libraries below these modules are loaded only if there is a disk for them.
    if format_ is Format.VFAT:
        from cvmpair_agent.disks import vfat  # noqa: PLC0415

        return vfat.BUDGET, vfat.read_file
    from cvmpair_agent.disks import iso9660  # noqa: PLC0415

    return iso9660.BUDGET, iso9660.read_file


def _recognise(path: Path) -> Volume | None:
    try:
        with open_image(path, HEAD) as image:
            superblock = identify(image.read(HEAD))
    except OSError:
        return None
    if superblock is None:
        return None
    return Volume(path=path, label=superblock.label, format=superblock.format)
