"""
User data in files: what is common to disks and to the machine's own directories.
"""

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final, Protocol

from attrs import frozen

from cvmpair_agent.disks.errors import VolumeUnreadable
from cvmpair_agent.disks.volumes import MAX_FILE
from cvmpair_agent.files.root import Root
from cvmpair_agent.userdata.source import DataUnreadable, SourceUnusable, UserData

_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
"""Neither a pipe nor a terminal may keep the agent waiting."""


class Tree(Protocol):
    """
    Files by name: a disk, or a directory.
    """

    def read(self, name: str) -> bytes | None:
        """
        Return what a file holds, nothing if there is no such file.

        :raises VolumeUnreadable: if it is on a disk and cannot be read.
        :raises SourceUnusable: likewise, in a directory.
        """

    def place(self, name: str) -> str:
        """
        Return where a file is, as it is shown to people.
        """


Extract = Callable[[str, bytes], Iterable[tuple[str, bytes]]]
"""
From the place and the bytes of a file to the user data in it, each with its place.

It raises :class:`SourceUnusable` if the file is not as it should be.
"""


def whole(place: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    """
    Take the file as it is.
    """
    yield place, data


@frozen
class Entry:
    """
    A file that may hold user data.

    :ivar name: its path in the tree.
    """

    name: str
    extract: Extract = whole


def gather(
    source: str, trees: Iterable[Tree], entries: Iterable[Entry]
) -> list[UserData]:
    """
    Return the user data of all files in all trees, in the order of the trees.

    Empty files do not count, and a damaged disk does not hide what is on another.

    :raises DataUnreadable: if there is none and some file could not be read.
    :raises SourceUnusable: if it was only a disk that could not.
    """
    found: list[UserData] = []
    complaints: dict[str, None] = {}
    kind: type[SourceUnusable] = SourceUnusable
    entries = list(entries)
    for tree in trees:
        for entry in entries:
            try:
                data = tree.read(entry.name)
                for place, piece in _pieces(tree, entry, data):
                    found.append(UserData(source=source, place=place, data=piece))
            except (VolumeUnreadable, SourceUnusable) as error:
                complaints[str(error)] = None
                if isinstance(error, SourceUnusable):
                    kind = DataUnreadable
    if complaints and not found:
        raise kind("; ".join(complaints))
    return found


def _pieces(
    tree: Tree, entry: Entry, data: bytes | None
) -> Iterator[tuple[str, bytes]]:
    if data:
        for place, piece in entry.extract(tree.place(entry.name), data):
            if piece:
                yield place, piece


def read_regular(path: Path, *, guarded: bool) -> bytes | None:
    """
    Return what a regular file holds, nothing if there is none.

    :param guarded: refuse what others than root and this user may have written.
    :raises SourceUnusable: if it is not a file, refused, cannot be read or has more
        than :data:`~cvmpair_agent.disks.volumes.MAX_FILE` bytes.
    """
    try:
        refusal, data = _read(path, guarded=guarded)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        # ValueError: a name with a NUL.
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise SourceUnusable(f"{path}: {why}") from error
    if len(data) > MAX_FILE:
        refusal = f"it has more than {MAX_FILE} bytes"
    if refusal:
        raise SourceUnusable(f"{path}: {refusal}")
    return data


def _read(path: Path, *, guarded: bool) -> tuple[str | None, bytes]:
    descriptor = os.open(path, _FLAGS)
    try:
        refusal = _refusal(os.fstat(descriptor), guarded=guarded)
        if refusal:
            return refusal, b""
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return None, file.read(MAX_FILE + 1)
    finally:
        os.close(descriptor)


def _refusal(status: os.stat_result, *, guarded: bool) -> str | None:
    if not stat.S_ISREG(status.st_mode):
        return "it is not a regular file"
    if guarded and status.st_uid not in {0, os.geteuid()}:
        return f"it belongs to user {status.st_uid}, not to root"
    if guarded and status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return "others than its owner may write it; chmod go-w"
    return None


@frozen
class Directory:
    """
    A directory of the machine; nobody but root or this user may write its files.

    :ivar path: its path on the machine, below the root.
    """

    root: Root
    path: str = "/"

    def read(self, name: str) -> bytes | None:
        try:
            path = self.root.locate(f"{self.path}/{name}")
        except (OSError, ValueError) as error:
            raise SourceUnusable(f"{self.place(name)}: {error}") from error
        return read_regular(path, guarded=True)

    def place(self, name: str) -> str:
        return str(self.root.path / self.path.lstrip("/") / name.lstrip("/"))
