"""
Files of VFAT, by pyfatfs.

Only its low level is used: the other half needs PyFilesystem, which imports
pkg_resources, and that is no longer in setuptools.
"""

import warnings
from pathlib import PurePosixPath
from typing import Any, Final

from pyfatfs.PyFat import PyFat

from cvmpair_agent.disks.errors import VolumeUnreadable
from cvmpair_agent.disks.image import Image

BUDGET: Final = 5 * 1024 * 1024
"""
Enough for the two tables of a partition of 1 GiB with clusters of 4 KiB, and a file.

pyfatfs reads the tables whole; those of an ordinary big disk would take seconds.
"""


def read_file(image: Image, path: PurePosixPath, limit: int) -> bytes | None:
    """
    Return what a file holds, nothing if there is no such file.

    :param path: relative to the root of the file system, in any case.
    :param limit: the most bytes that it may have.
    :raises VolumeUnreadable: if the file is too large or its end is missing.
    :raises Exception: of any kind, if the file system is damaged.
    """
    # It warns of the smallest flaws, such as one disk that was not unmounted.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fat = PyFat()
        fat.set_fp(image)
    entry = _find(fat, path)
    return None if entry is None else _read(fat, entry, limit)


def _find(fat: Any, path: PurePosixPath) -> Any:
    entry = fat.root_dir
    for part in path.parts:
        if not entry.is_directory():
            return None
        directories, files, _ = entry.get_entries()
        entry = next(
            (
                child
                for child in (*directories, *files)
                if part.casefold() in _names(child)
            ),
            None,
        )
        if entry is None:
            return None
    return None if entry.is_directory() else entry


def _names(entry: Any) -> set[str]:
    names = {entry.get_short_name()}
    if entry.lfn_entry is not None:
        names.add(entry.get_long_name())
    return {name.casefold() for name in names}


def _read(fat: Any, entry: Any, limit: int) -> bytes:
    size = entry.filesize
    if size > limit:
        raise VolumeUnreadable(f"the file has {size} bytes, more than {limit}")
    data = bytearray()
    seen = set()
    # The chain of an empty file does not even begin.
    for cluster in fat.get_cluster_chain(entry.get_cluster()) if size else ():
        if cluster in seen:
            raise VolumeUnreadable("the chain of its clusters is a circle")
        seen.add(cluster)
        data += fat.read_cluster_contents(cluster)
        if len(data) >= size:
            break
    if len(data) < size:
        raise VolumeUnreadable("the end of the file is missing")
    return bytes(data[:size])
