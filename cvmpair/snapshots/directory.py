"""
The state directory: private to its user, and for one daemon at a time.
"""

import fcntl
import os
import stat
from contextlib import suppress
from pathlib import Path

from cvmpair.snapshots.errors import StateExposed, StateLocked, StateUnusable


def sync_directory(path: Path) -> None:
    """
    Make the entries of a directory durable.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def prepare_directory(path: Path) -> None:
    """
    Create the directory, for its owner only, unless it exists and is such.

    :raises StateExposed: if it, or a file in it, is open to others.
    :raises StateUnusable: if anything else is wrong with it.
    """
    try:
        missing = [place for place in (path, *path.parents) if not place.exists()]
        if not path.is_dir():
            path.mkdir(mode=0o700, parents=True)
        for place in missing:
            sync_directory(place.parent)
        _check_private(path, 0o700)
        for entry in sorted(path.iterdir()):
            if entry.is_file():
                _check_private(entry, 0o600)
    except OSError as error:
        raise StateUnusable(path, error.strerror or str(error)) from None


def _check_private(path: Path, right: int) -> None:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise StateExposed(path, mode, right)


class DirectoryLock:
    """
    The right to use a state directory, held until released or until the
    process ends.
    """

    def __init__(self, directory: Path) -> None:
        """
        :raises StateLocked: if another process holds it.
        :raises StateUnusable: if the lock file cannot be opened.
        """
        try:
            self._descriptor = os.open(
                directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
            )
        except OSError as error:
            raise StateUnusable(directory, error.strerror or str(error)) from None
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.read(self._descriptor, 20).decode("ascii", "replace").strip()
            os.close(self._descriptor)
            raise StateLocked(directory, owner) from None
        except OSError as error:
            raise StateUnusable(directory, error.strerror or str(error)) from None
        # For the message of a second daemon only; the lock itself is the flock, so it
        # does not matter if this fails.
        with suppress(OSError):
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """
        Let others use the directory.
        """
        os.close(self._descriptor)
