"""
The state file: SQLite with a write-ahead log, synchronised at every commit.
"""

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from importlib.resources import files
from itertools import islice
from pathlib import Path
from typing import Final

from attrs import define, evolve, field

from cvmpair.core.batch import Batch
from cvmpair.core.codec import FORMAT
from cvmpair.core.packing import Packed
from cvmpair.core.pseudonym import new_pseudonym_key
from cvmpair.core.timeline import ClockMark
from cvmpair.snapshots.directory import (
    check_not_lost,
    give_to_owner,
    sync_directory,
)
from cvmpair.snapshots.errors import StateDamaged, StateUnusable, WriteFailed
from cvmpair.snapshots.note import VersionNote
from cvmpair.snapshots.reading import APPLICATION_ID, StateReader, connect
from cvmpair.snapshots.rows import write_clusters
from cvmpair.snapshots.summary import MODULUS, Summary

CHECKPOINT_PAGES: Final = 1000
"""After about so many pages the log is merged into the file, as SQLite would."""

DRAFT: Final = ".new"
"""What the name of a file ends with that is not whole yet."""

Clusters = Iterable[tuple[str, Packed]]
"""Each PIN with its record."""


def _fill(connection: sqlite3.Connection, summary: Summary, clusters: Clusters) -> None:
    _begin_upgrade(connection, 0)
    connection.execute(
        "INSERT INTO state VALUES (1, ?, ?, ?, ?, ?, ?, ?)", summary.row()
    )
    rest = iter(clusters)
    while some := dict(islice(rest, CHECKPOINT_PAGES)):
        write_clusters(connection, some)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute("COMMIT")
    connection.execute("PRAGMA journal_mode = WAL")


def _begin_upgrade(connection: sqlite3.Connection, version: int) -> None:
    """
    Begin a transaction that brings a file of an older format to the present one.

    :param version: its format, 0 if the file is new.
    """
    schemas = files(__package__).joinpath("schema")
    steps = [
        schemas.joinpath(f"{later:04}.sql").read_text()
        for later in range(version + 1, FORMAT + 1)
    ]
    # All in one script, because each script begins with a COMMIT of Python's.
    script = ["BEGIN IMMEDIATE;", *steps, f"PRAGMA user_version = {FORMAT};"]
    connection.executescript("\n".join(script))


@define(eq=False)
class StateFile:
    """
    The file of one state directory, whose lock the caller holds.
    """

    path: Path
    summary: Summary = field(init=False)
    _note: VersionNote = field(init=False)
    _connection: sqlite3.Connection | None = field(init=False, default=None)
    _pages: int = field(init=False, default=0)
    _durable: Summary | None = field(init=False, default=None)
    _attempted: Summary | None = field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        self._note = VersionNote(self._beside("-note"))

    def create(self, mark: ClockMark) -> None:
        """
        Create the file, whole or not at all, unless it exists.

        :raises StateDamaged: if only what belongs to it is there.
        :raises StateUnusable: if the file cannot be written.
        """
        if self.path.exists():
            return
        check_not_lost(self.path)
        summary = Summary(
            version=0,
            clusters=0,
            checksum=0,
            book_time=mark.book,
            wall_time=mark.wall,
            pseudonym_key=new_pseudonym_key(),
        )
        self.fill(summary, ())

    def fill(self, summary: Summary, clusters: Clusters) -> None:
        """
        Create the file with this in it, whole or not at all.

        :raises StateUnusable: if the file cannot be written.
        """
        draft = self._beside(DRAFT)
        try:
            self._remove_drafts()
            descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            try:
                give_to_owner(descriptor, draft.parent)
            finally:
                os.close(descriptor)
            with closing(connect(draft, "rw")) as connection:
                _fill(connection, summary, clusters)
            draft.rename(self.path)
            sync_directory(self.path.parent)
        except OSError as error:
            raise StateUnusable.of(self.path.parent, error) from None
        except sqlite3.Error as error:
            raise StateUnusable(self.path.parent, f"{draft.name}: {error}") from None
        finally:
            with suppress(OSError):
                self._remove_drafts()

    def _remove_drafts(self) -> None:
        for leftover in self.path.parent.glob(f"{self.path.name}{DRAFT}*"):
            leftover.unlink()

    def read(self) -> Iterator[tuple[str, Packed]]:
        """
        Check the file and yield every record in it: clusters and tombstones.

        The caller may use none of them before the iterator has come to its end,
        because only then the whole file is known to be good.

        :raises StateDamaged: if anything in it is not as it was written.
        :raises StateOutdated: if it is older than what was saved.
        :raises StateForeign: if it is no state file, or one of a later release.
        :raises StateUnusable: if it cannot be read.
        """
        at_least = 0 if self._durable is None else self._durable.version
        reader = StateReader(path=self.path, note=self._note, at_least=at_least)
        yield from reader.read()
        self.summary = reader.summary

    def open(self) -> None:
        """
        Open the file for writing, after it was read.

        :raises StateUnusable: if that fails.
        """
        try:
            self._connection = connect(self.path, "rw")
            self._connection.execute("PRAGMA synchronous = FULL")
            # Checkpoints are made by tidy(): SQLite's own would delay an answer and
            # keep their failure to themselves.
            self._connection.execute("PRAGMA wal_autocheckpoint = 0")
            self._connection.execute("PRAGMA journal_size_limit = 16777216")
            # What a crash has torn must not stay behind what comes next: it would
            # look like a write that was lost.
            self._checkpoint("TRUNCATE")
            (version,) = self._execute("PRAGMA user_version").fetchone()
            if version < FORMAT:
                _begin_upgrade(self._connection, version)
                self._execute("COMMIT")
        except (sqlite3.Error, WriteFailed, ValueError) as error:
            reason = f"{self.path.name}: {error}"
            raise StateUnusable(self.path.parent, reason) from None
        self._durable, self._attempted = self.summary, None

    def reopen(self) -> None:
        """
        Open the file anew after a failure, and check it as at the start.

        It must be as the last write left it that came to its end, or the one that
        failed: whether that is in the file is unknown.

        :raises StateError: for the reasons of :meth:`read` and :meth:`open`. It may
            be tried again.
        """
        self._note.close()
        if self._connection is not None:
            # SQLite merges what is durable into the file, if it can, and drops the
            # log with what of it may not be: a page that could not be synchronised
            # can be read back, but would not be written again.
            self._connection.close()
            self._connection = None
        for _ in self.read():
            pass
        if self.summary not in {self._durable, self._attempted}:
            raise StateDamaged(self.path, "it is not the one that was written last")
        self.open()

    def write(self, batch: Batch, mark: ClockMark) -> None:
        """
        Make a batch durable, in one transaction.

        :raises WriteFailed: if it may not be. The file must not be written again
            before it has been opened anew.
        """
        assert self._connection is not None, "open() comes first"
        try:
            self._execute("BEGIN IMMEDIATE")
            more = write_clusters(self._connection, batch.clusters)
            summary = self._attempted = evolve(
                self.summary,
                version=batch.version,
                clusters=self.summary.clusters + more.clusters,
                checksum=(self.summary.checksum + more.checksum) % MODULUS,
                book_time=mark.book,
                wall_time=mark.wall,
            )
            self._execute(
                "UPDATE state SET version = ?, clusters = ?, checksum = ?,"
                " book_time = ?, wall_time = ?, pseudonym_key = ?, seal = ?",
                summary.row(),
            )
            self._execute("COMMIT")
            self._note.write(batch.version)
        except OSError as error:
            raise WriteFailed(error.strerror or str(error)) from None
        except (sqlite3.Error, ValueError) as error:
            raise WriteFailed(str(error)) from None
        self.summary = self._durable = summary
        self._pages += 2 + more.pages

    def is_untidy(self) -> bool:
        """
        Say whether the log has grown so much that it should be merged.
        """
        return self._pages >= CHECKPOINT_PAGES

    def tidy(self) -> None:
        """
        Merge the log into the file, once it has grown.

        :raises WriteFailed: as for :meth:`write`, although what was written stays
            durable: the log has it.
        """
        if self.is_untidy():
            self._checkpoint("PASSIVE")

    def close(self) -> None:
        """
        Merge the log into the file and close both.

        :raises WriteFailed: if the log could not be merged; it has it all.
        """
        if self._connection is None:
            return
        try:
            if self._checkpoint("TRUNCATE"):
                self._note.remove()
        except OSError as error:
            raise WriteFailed(error.strerror or str(error)) from None
        finally:
            self._note.close()
            self._connection.close()
            self._connection = None

    def _execute(
        self, statement: str, values: tuple[object, ...] = ()
    ) -> sqlite3.Cursor:
        assert self._connection is not None, "open() comes first"
        return self._connection.execute(statement, values)

    def _checkpoint(self, kind: str) -> bool:
        try:
            busy, _, _ = self._execute(f"PRAGMA wal_checkpoint({kind})").fetchone()
        except sqlite3.Error as error:
            raise WriteFailed(str(error)) from None
        self._pages = 0
        # Somebody else who reads the file may keep a part of the log in use.
        return not busy

    def _beside(self, suffix: str) -> Path:
        return self.path.with_name(f"{self.path.name}{suffix}")
