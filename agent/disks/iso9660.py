"""
Files of ISO 9660 with Rock Ridge, Joliet, UDF or none of them, by pycdlib.
"""

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any, BinaryIO, Final, cast

from pycdlib import PyCdlib

from cvmpair_agent.disks.errors import VolumeUnreadable
from cvmpair_agent.disks.image import Image

BUDGET: Final = 16 * 1024 * 1024
"""
Enough for the directories of a disc with a few thousand files, each said four times.

pycdlib reads all of them; those of an installation medium would take seconds.
"""


def read_file(image: Image, path: PurePosixPath, limit: int) -> bytes | None:
    """
    Return what a file holds, nothing if there is no such file.

    :param path: relative to the root of the file system, in any case.
    :param limit: the most bytes that it may have.
    :raises VolumeUnreadable: if the file is too large or its end is missing.
    :raises Exception: of any kind, if the file system is damaged.
    """
    iso = PyCdlib()
    iso.open_fp(cast("BinaryIO", image))
    for tree in _trees(iso):
        place = _find(iso, tree, path)
        if place is not None:
            return _read(iso, {tree: place}, limit)
    return None


def _trees(iso: PyCdlib) -> Iterator[str]:
    """
    Yield pycdlib's words for the trees of names on the disc, as Linux prefers them.
    """
    if iso.has_rock_ridge():
        yield "rr_path"
    if iso.has_joliet():
        yield "joliet_path"
    if iso.has_udf():
        yield "udf_path"
    yield "iso_path"


def _find(iso: PyCdlib, tree: str, path: PurePosixPath) -> str | None:
    place = ""
    record = None
    for part in path.parts:
        if record is not None and not record.is_dir():
            return None
        for child in iso.list_children(**{tree: place or "/"}):
            # An empty UDF entry is none at all.
            name = "" if child is None else _name(child, tree)
            if _plain(name, tree).casefold() == part.casefold():
                place += f"/{name}"
                record = child
                break
        else:
            return None
    return place if record is not None and _is_file(record) else None


def _is_file(record: Any) -> bool:
    # A symbolic link would say that it is a file, too.
    return record.is_file() and not record.is_symlink()


def _name(record: Any, tree: str) -> str:
    if tree == "rr_path":
        # The entries for the directory itself and its parent have none.
        name = b"" if record.rock_ridge is None else record.rock_ridge.name()
    else:
        name = record.file_identifier()
    encoding = "utf-16-be" if tree == "joliet_path" else "utf-8"
    return cast("bytes", name).decode(encoding, "replace")


def _plain(name: str, tree: str) -> str:
    """
    Return a name as Linux shows it: ``USER_DAT.;1`` is ``USER_DAT``.
    """
    return name.partition(";")[0].rstrip(".") if tree == "iso_path" else name


def _read(iso: PyCdlib, where: dict[str, str], limit: int) -> bytes:
    size = iso.get_record(**where).get_data_length()
    if size > limit:
        raise VolumeUnreadable(f"the file has {size} bytes, more than {limit}")
    if size == 0:
        return b""
    with iso.open_file_from_iso(**where) as file:
        data: bytes = file.read(size)
    if len(data) < size:
        raise VolumeUnreadable("the end of the file is missing")
    return data
