"""
The state directory: private to its user, and for one daemon at a time.
"""

import fcntl
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from cvmpair.snapshots.errors import (
    StateDamaged,
    StateExposed,
    StateLocked,
    StateMissing,
    StateUnusable,
)

FILE_NAME: Final = "cvmpair.db"
"""The name of the state file."""

LOCK_NAME: Final = "lock"


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
        _check_entries(path)
    except OSError as error:
        raise StateUnusable.of(path, error) from None


def check_directory(path: Path) -> None:
    """
    See whether there is a state in a directory, and nobody else may read it.

    :raises StateMissing: if there is none.
    :raises StateDamaged: if only what belongs to it is there.
    :raises StateExposed: if it is open to others.
    :raises StateUnusable: if anything else is wrong with it.
    """
    try:
        _check_entries(path)
        (path / FILE_NAME).stat()
    except FileNotFoundError as error:
        # A file of the daemon's may go at any moment, but not these.
        if not path.exists() or not (path / FILE_NAME).exists():
            check_not_lost(path / FILE_NAME)
            raise StateMissing(path) from None
        raise StateUnusable.of(path, error) from None
    except OSError as error:
        raise StateUnusable.of(path, error) from None


def check_not_lost(file: Path) -> None:
    """
    See whether nothing is left of a state file that is not there.

    :raises StateDamaged: if something is.
    """
    for suffix in ("-wal", "-note"):
        if file.with_name(f"{file.name}{suffix}").exists():
            reason = f"it is missing while its {suffix} file is there"
            raise StateDamaged(file, reason)


def give_to_owner(descriptor: int, directory: Path) -> None:
    """
    Give a file that root has made in a state directory to the owner of that, if it may,
    as SQLite does with its own.
    """
    if os.geteuid() == 0:
        owner = directory.stat()
        with suppress(PermissionError):
            os.fchown(descriptor, owner.st_uid, owner.st_gid)


def lock_holder(directory: Path) -> int | None:
    """
    Return the process that has the lock of a state directory, without asking for it:
    a daemon that starts at that moment would be refused.

    :return: ``None`` if it is free, or if it cannot be found out.
    """
    try:
        place = (directory / LOCK_NAME).stat()
        locks = Path("/proc/locks").read_text()
        noted = (directory / LOCK_NAME).read_bytes().strip()
    except OSError:
        return None
    device = f"{os.major(place.st_dev):02x}:{os.minor(place.st_dev):02x}"
    for line in locks.splitlines():
        words = line.split()
        if words[1] != "FLOCK" or not words[5].endswith(f":{place.st_ino}"):
            continue
        # Some file systems (btrfs, overlayfs) have another device here than there.
        if words[5].startswith(f"{device}:") or words[4].encode() == noted:
            return int(words[4])
    return None


def _check_entries(path: Path) -> None:
    _check_private(path, 0o700)
    for entry in sorted(path.iterdir()):
        # What SQLite has beside the file may go meanwhile.
        with suppress(FileNotFoundError):
            if entry.is_file():
                _check_private(entry, 0o600)


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
                directory / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
            )
            give_to_owner(self._descriptor, directory)
        except OSError as error:
            raise StateUnusable.of(directory, error) from None
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.read(self._descriptor, 20).decode("ascii", "replace").strip()
            os.close(self._descriptor)
            raise StateLocked(directory, owner) from None
        except OSError as error:
            raise StateUnusable.of(directory, error) from None
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
