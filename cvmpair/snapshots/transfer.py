"""
A state out of a directory, whether a daemon uses it or not, and into a new one.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from secrets import randbelow
from typing import BinaryIO, Final, TypeVar

from attrs import define, evolve, field

from cvmpair.core.book import RUN_LENGTH
from cvmpair.core.packing import Packed, is_tombstone
from cvmpair.snapshots.directory import (
    FILE_NAME,
    LOCK_NAME,
    DirectoryLock,
    check_directory,
    lock_holder,
    prepare_directory,
)
from cvmpair.snapshots.errors import (
    ExportDamaged,
    StateDamaged,
    StateOutdated,
    StateTaken,
    StateUnusable,
)
from cvmpair.snapshots.export import ExportReader, Reader, export_lines
from cvmpair.snapshots.note import VersionNote
from cvmpair.snapshots.reading import StateReader
from cvmpair.snapshots.sqlite import DRAFT, StateFile
from cvmpair.snapshots.summary import LAST_VERSION, Contents, Summary

T = TypeVar("T")

TRIES: Final = 5
"""How often a state is read while daemons that come and go may be in the way."""

MOST_RUNS: Final = 2**20
"""An import leaves out up to so many runs of versions; there are far more."""


@define(eq=False)
class _Counting:
    """
    Counts what another reader reads.
    """

    reader: Reader
    ended: int = field(init=False, default=0)

    @property
    def summary(self) -> Summary:
        return self.reader.summary

    @property
    def contents(self) -> Contents:
        return Contents(summary=self.summary, ended=self.ended)

    def read(self) -> Iterator[tuple[str, Packed]]:
        for pin, packed in self.reader.read():
            self.ended += is_tombstone(packed)
            yield pin, packed


def verify(reader: Reader) -> Contents:
    """
    Read a state to its end, and return what is in it.

    :raises StateError: if it is not as it was written.
    """
    counting = _Counting(reader)
    for _ in counting.read():
        pass
    return counting.contents


def export_state(directory: Path, file: BinaryIO) -> Contents:
    """
    Write a state to a file as lines of JSON, as it is at one moment.

    :param file: is at its beginning, and can be begun anew.
    :raises StateError: if the state is not as it was written; the file has a part of
        it then.
    """

    def write(reader: Reader) -> Contents:
        file.seek(0)
        file.truncate()
        counting = _Counting(reader)
        file.writelines(export_lines(counting))
        return counting.contents

    return read_state(directory, write)


def read_state(directory: Path, use: Callable[[Reader], T]) -> T:
    """
    Have a state read by ``use``, which may be called again.

    The lock is left alone, and a state that no daemon uses is left as it is, so that it
    may be on a read-only file system. A daemon that starts or stops meanwhile may make
    a sound state look damaged, which it does not the next time.

    :raises StateError: if it cannot be read, or is not as it was written.
    """
    check_directory(directory)
    for _ in range(TRIES - 1):
        holder, written = lock_holder(directory), _written(directory)
        try:
            return use(_reader(directory, in_use=holder is not None))
        except (StateDamaged, StateOutdated):
            now = lock_holder(directory), _written(directory)
            if holder is None and now == (holder, written):
                raise
    return use(_reader(directory, in_use=lock_holder(directory) is not None))


def _reader(directory: Path, *, in_use: bool) -> StateReader:
    path = directory / FILE_NAME
    note = VersionNote(path.with_name(f"{path.name}-note"))
    return StateReader(path=path, note=note, in_use=in_use, touch_nothing=not in_use)


def _written(directory: Path) -> int | None:
    # A daemon may have come and gone.
    try:
        return (directory / FILE_NAME).stat().st_mtime_ns
    except OSError:
        return None


def import_state(directory: Path, name: str, file: BinaryIO) -> Contents:
    """
    Make a state of an export, in a directory that is empty or missing, and return what
    is in the state.

    The export is read twice: nothing is made before all of it is known to be good.

    :param name: what to call the export.
    :param file: can be read again from its beginning.
    :raises StateError: if that cannot be; no state has been made then.
    """
    _check_vacant(directory)
    contents = verify(ExportReader(name, file))
    summary = _in_another_run(contents.summary)
    if summary.version > LAST_VERSION:
        raise ExportDamaged(name, 1, "its version leaves none for later changes")
    prepare_directory(directory)
    lock = DirectoryLock(directory)
    try:
        _check_vacant(directory)
        file.seek(0)
        records = ExportReader(name, file).read()
        StateFile(directory / FILE_NAME).fill(summary, records)
    finally:
        lock.release()
    return evolve(contents, summary=summary)


def _in_another_run(summary: Summary) -> Summary:
    # The daemon goes on in the run after this version's. What the one that was exported
    # gave out since, perhaps after a restart, must not mean something else here.
    runs = 2 + randbelow(MOST_RUNS)
    return evolve(summary, version=summary.version + runs * RUN_LENGTH)


def _check_vacant(directory: Path) -> None:
    # An import that was ended leaves these, and the next one removes them.
    draft = f"{FILE_NAME}{DRAFT}"
    try:
        for entry in sorted(directory.iterdir()):
            if entry.name != LOCK_NAME and not entry.name.startswith(draft):
                raise StateTaken(directory, entry.name)
    except FileNotFoundError:
        return
    except OSError as error:
        raise StateUnusable.of(directory, error) from None
