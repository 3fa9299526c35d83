"""
A file gets new contents all at once, or keeps the old: also if the power fails.
"""

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import ENOTSUP
from pathlib import Path
from typing import BinaryIO, Final

MAX_FILE_SIZE: Final = 16 * 1024 * 1024
"""The most bytes of a file that is read or replaced; contexts have some thousand."""

_OF_THE_CONTENTS: Final = {"security.ima", "security.evm"}
"""Extended attributes that are sums of the contents, and wrong for others."""


def read_file(path: Path) -> bytes:
    """
    Return the contents of a regular file.

    :raises OSError: if there is none, it is something else, or it is larger than
        ``MAX_FILE_SIZE``.
    """
    with _opened(path) as descriptor:
        return _contents(descriptor)


def replace_file(path: Path, data: bytes) -> bool:
    """
    Give a regular file new contents, and return whether they are others.

    Mode, owner, group and extended attributes, such as the SELinux context, stay;
    if that cannot be, so do the contents. An equal file is not touched.

    :raises OSError: if it fails; then the old file is there as it was.
    """
    with _opened(path) as old:
        if _contents(old) == data:
            return False
        with _temporary(path) as new:
            _write(new, data)
            _dress(new, old)
    return True


def create_file(path: Path, data: bytes) -> None:
    """
    Write a file that only its owner may read, instead of any that is there.

    :raises OSError: if it fails; then what was there is there as it was.
    """
    with _temporary(path) as new:
        _write(new, data)


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """
    Yield a file to be written little by little; otherwise like :func:`create_file`.
    """
    with _temporary(path) as new:
        with os.fdopen(new, "w+b", closefd=False) as file:
            yield file
        os.fsync(new)


def sync_directory(path: Path) -> None:
    """
    Make the entries of a directory durable.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    # Not to block is for named pipes, which are refused once they are open.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(path, flags)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError("not a regular file")
        yield descriptor
    finally:
        os.close(descriptor)


def _contents(descriptor: int) -> bytes:
    with os.fdopen(descriptor, "rb", closefd=False) as file:
        data = file.read(MAX_FILE_SIZE + 1)
    if len(data) > MAX_FILE_SIZE:
        raise OSError(f"larger than {MAX_FILE_SIZE} bytes")
    return data


@contextmanager
def _temporary(path: Path) -> Iterator[int]:
    """
    Yield a new file in the same directory, which takes the place of ``path`` at the
    end unless something failed.
    """
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".cvmpair-")
    try:
        yield descriptor
        Path(name).replace(path)
    except BaseException as failed:
        with suppress(OSError):
            Path(name).unlink()
        if isinstance(failed, OSError) and failed.errno and not failed.filename:
            failed.filename = str(path)
        raise
    finally:
        os.close(descriptor)
    sync_directory(path.parent)


def _write(descriptor: int, data: bytes) -> None:
    with os.fdopen(descriptor, "wb", closefd=False) as file:
        file.write(data)
    os.fsync(descriptor)


def _dress(new: int, old: int) -> None:
    """
    Give a file the mode, owner, group and extended attributes of another.

    It is done last: what a power failure leaves of a script must not be executable,
    as cloud-init runs whatever is in its ``scripts`` and is.
    """
    wanted, is_now = os.fstat(old), os.fstat(new)
    if (wanted.st_uid, wanted.st_gid) != (is_now.st_uid, is_now.st_gid):
        os.fchown(new, wanted.st_uid, wanted.st_gid)
    attributes, inherited = _attributes(old), _attributes(new)
    for name in inherited.keys() - attributes.keys():
        os.removexattr(new, name)
    os.fchmod(new, stat.S_IMODE(wanted.st_mode))
    for name, value in attributes.items():
        if inherited.get(name) != value:
            os.setxattr(new, name, value)


def _attributes(descriptor: int) -> dict[str, bytes]:
    try:
        names = os.listxattr(descriptor)
    except OSError as error:
        if error.errno == ENOTSUP:
            return {}
        raise
    return {
        name: os.getxattr(descriptor, name)
        for name in names
        if name not in _OF_THE_CONTENTS
    }
