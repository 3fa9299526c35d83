"""
The state file: SQLite with a write-ahead log, synchronised at every commit.

SQLite's own checks do not see a changed byte inside a value, so each row and
the file as a whole carry checksums. Reading is done through a read-only
connection, which leaves a damaged file just as it was found.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from importlib.resources import files
from pathlib import Path
from typing import Final, NoReturn
from zlib import crc32

from attrs import define, evolve, field, fields, frozen

from cvmpair.core.book import Batch
from cvmpair.core.codec import FORMAT, checksum, decode_cluster
from cvmpair.core.model import Cluster
from cvmpair.core.pseudonym import new_pseudonym_key
from cvmpair.core.timeline import ClockMark
from cvmpair.snapshots.directory import sync_directory
from cvmpair.snapshots.errors import (
    StateDamaged,
    StateForeign,
    StateOutdated,
    StateUnusable,
    WriteFailed,
)
from cvmpair.snapshots.note import VersionNote
from cvmpair.snapshots.rows import write_clusters
from cvmpair.snapshots.wal import check_log

APPLICATION_ID: Final = 0x63766D70
"""``cvmp``, in the header of the file."""

CHECKPOINT_PAGES: Final = 1000
"""After about so many pages the log is merged into the file, as SQLite would."""

_UNUSABLE: Final = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_READONLY,
    }
)
"""The errors of SQLite that are about the system and not about the file."""

_MODULUS: Final = 2**62


@frozen(kw_only=True)
class Summary:
    """
    The one row of the table ``state``; see ``schema/0001.sql``.
    """

    version: int
    clusters: int
    checksum: int
    book_time: float
    wall_time: float
    pseudonym_key: bytes

    @property
    def mark(self) -> ClockMark:
        """
        What the clocks showed at the last write.
        """
        return ClockMark(book=self.book_time, wall=self.wall_time)

    def row(self) -> tuple[int, int, int, float, float, bytes, int]:
        """
        Return the columns, the seal last.
        """
        columns = (
            self.version,
            self.clusters,
            self.checksum,
            # SQLite keeps no -0.0, and would return another row than was sealed.
            self.book_time + 0.0,
            self.wall_time + 0.0,
            self.pseudonym_key,
        )
        return (*columns, crc32(repr(columns).encode()))


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    # The daemon uses the connection from one thread at a time, but not always from
    # the same.
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        # One for each number of rows, see rows.py.
        cached_statements=256,
    )


def _fill(connection: sqlite3.Connection, summary: Summary) -> None:
    schema = files(__package__).joinpath("schema", f"{FORMAT:04}.sql")
    connection.executescript(f"BEGIN; {schema.read_text()}")
    connection.execute(
        "INSERT INTO state VALUES (1, ?, ?, ?, ?, ?, ?, ?)", summary.row()
    )
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {FORMAT}")
    connection.execute("COMMIT")
    connection.execute("PRAGMA journal_mode = WAL")


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
        for suffix in ("-wal", "-note"):
            if self._beside(suffix).exists():
                self._refuse(f"it is missing while its {suffix} file is there")
        draft = self._beside(".new")
        summary = Summary(
            version=0,
            clusters=0,
            checksum=0,
            book_time=mark.book,
            wall_time=mark.wall,
            pseudonym_key=new_pseudonym_key(),
        )
        try:
            for leftover in self.path.parent.glob(f"{draft.name}*"):
                leftover.unlink()
            os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            with closing(_connect(draft, "rw")) as connection:
                _fill(connection, summary)
            draft.rename(self.path)
            sync_directory(self.path.parent)
        except (OSError, sqlite3.Error) as error:
            raise StateUnusable(self.path.parent, str(error)) from None

    def read(self) -> Iterator[Cluster]:
        """
        Check the file and yield every cluster in it.

        The caller may use none of them before the iterator has come to its end,
        because only then the whole file is known to be good.

        :raises StateDamaged: if anything in it is not as it was written.
        :raises StateOutdated: if it is older than what was saved.
        :raises StateForeign: if it is no state file, or one of a later release.
        :raises StateUnusable: if it cannot be read.
        """
        try:
            self._check_files()
            with closing(_connect(self.path, "ro")) as connection:
                self._check_format(connection)
                self.summary = self._read_summary(connection)
                if self.summary.version < self._note.read():
                    raise StateOutdated(self.path, self._note.path)
                yield from self._read_clusters(connection)
                for (problem,) in connection.execute("PRAGMA quick_check(1)"):
                    if problem != "ok":
                        self._refuse("its structure is broken")
        except OSError as error:
            raise StateUnusable(self.path.parent, error.strerror or "") from None
        except sqlite3.Error as error:
            # Python's own errors quote what they could not decode.
            code = getattr(error, "sqlite_errorcode", None)
            if code is not None and code & 0xFF in _UNUSABLE:
                raise StateUnusable(self.path.parent, str(error)) from None
            self._refuse("its text is broken" if code is None else str(error))
        except (TypeError, ValueError):
            self._refuse("it holds something of the wrong type")

    def open(self) -> None:
        """
        Open the file for writing, after it was read.

        :raises StateUnusable: if that fails.
        """
        try:
            self._connection = _connect(self.path, "rw")
            self._connection.execute("PRAGMA synchronous = FULL")
            # Checkpoints are made by tidy(): SQLite's own would delay an answer and
            # keep their failure to themselves.
            self._connection.execute("PRAGMA wal_autocheckpoint = 0")
            self._connection.execute("PRAGMA journal_size_limit = 16777216")
            # What a crash has torn must not stay behind what comes next: it would
            # look like a write that was lost.
            self._checkpoint("TRUNCATE")
        except (sqlite3.Error, WriteFailed, ValueError) as error:
            raise StateUnusable(self.path.parent, str(error)) from None

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
            summary = evolve(
                self.summary,
                version=batch.version,
                clusters=self.summary.clusters + more.clusters,
                checksum=(self.summary.checksum + more.checksum) % _MODULUS,
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
        self.summary = summary
        self._pages += 2 + more.pages

    def tidy(self) -> None:
        """
        Merge the log into the file, once it has grown.

        :raises WriteFailed: as for :meth:`write`, although what was written stays
            durable: the log has it.
        """
        if self._pages >= CHECKPOINT_PAGES:
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

    def _refuse(self, reason: str) -> NoReturn:
        raise StateDamaged(self.path, reason) from None

    def _check_files(self) -> None:
        if self.path.stat().st_size == 0:
            # SQLite would take it for a new file and remove its log.
            self._refuse("it is empty")
        try:
            log = check_log(self._beside("-wal"))
        except ValueError as error:
            self._refuse(str(error))
        if log.lost > 1:
            self._refuse(f"{log.lost} writes in its log cannot be read")

    def _check_format(self, connection: sqlite3.Connection) -> None:
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if application != APPLICATION_ID:
            raise StateForeign(
                f"the file {self.path} is not a state file of cvmpair; "
                "name another directory with --state-dir"
            )
        if version != FORMAT:
            raise StateForeign(
                f"the state file {self.path} has format {version}, and this release "
                f"knows format {FORMAT}; use the release that wrote it, or a later one"
            )

    def _read_summary(self, connection: sqlite3.Connection) -> Summary:
        names = [attribute.name for attribute in fields(Summary)]
        rows = connection.execute(
            f"SELECT {', '.join(names)}, seal FROM state"  # noqa: S608
        ).fetchall()
        if len(rows) != 1:
            self._refuse("its summary is missing")
        summary = Summary(**dict(zip(names, rows[0][:-1], strict=True)))
        if summary.row() != rows[0]:
            self._refuse("its summary does not fit its checksum")
        return summary

    def _read_clusters(self, connection: sqlite3.Connection) -> Iterator[Cluster]:
        count = total = 0
        for pin, record, expected in connection.execute(
            "SELECT pin, record, checksum FROM clusters"
        ):
            if checksum(pin, record) != expected:
                self._refuse("a cluster does not fit its checksum")
            yield decode_cluster(pin, record)
            count, total = count + 1, total + expected
        if (count, total % _MODULUS) != (self.summary.clusters, self.summary.checksum):
            self._refuse(f"it holds {count} of {self.summary.clusters} clusters")
