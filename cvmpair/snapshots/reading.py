"""
Reading a state file, and finding out whether it is as it was written.

SQLite's own checks do not see a changed byte inside a value, so each row and
the file as a whole carry checksums. Reading is done through a read-only
connection, which leaves a damaged file just as it was found.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final, NoReturn

from attrs import define, field, fields

from cvmpair.core.codec import FORMAT, checksums, decode_record
from cvmpair.core.packing import Packed
from cvmpair.core.timeline import FARTHEST
from cvmpair.snapshots.errors import (
    StateDamaged,
    StateForeign,
    StateOutdated,
    StateUnusable,
)
from cvmpair.snapshots.note import VersionNote
from cvmpair.snapshots.summary import LAST_VERSION, MODULUS, Summary
from cvmpair.snapshots.wal import check_log

APPLICATION_ID: Final = 0x63766D70
"""``cvmp``, in the header of the file."""

ROWS: Final = 256
"""As many are read and checked together."""

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


IMMUTABLE: Final = "ro&immutable=1"
"""The mode in which SQLite makes no files beside that of a database, and needs none."""


def connect(path: Path, mode: str) -> sqlite3.Connection:
    """
    Connect to a file, in one of SQLite's modes: ``ro``, ``rw`` or :data:`IMMUTABLE`.
    """
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


@define(eq=False, kw_only=True)
class StateReader:
    """
    Reads one state file once.

    :ivar note: the version that the file must have at least, and
    :ivar at_least: another one.
    :ivar in_use: whether a daemon has the file open. Then it writes to the log, whose
        end only SQLite's index knows, and has checked it when it started.
    :ivar touch_nothing: whether no file may be made beside it, unless its log has
        something in it. If somebody writes meanwhile, it looks damaged.
    :ivar summary: is there at the end of :meth:`read`.
    """

    path: Path
    note: VersionNote
    at_least: int = 0
    in_use: bool = False
    touch_nothing: bool = False
    summary: Summary = field(init=False)

    def read(self) -> Iterator[tuple[str, Packed]]:
        """
        Check the file and yield every cluster in it; see
        :meth:`~cvmpair.snapshots.sqlite.StateFile.read`.
        """
        try:
            # What is noted is in the file. Of a daemon that writes, what is in the file
            # need not be noted yet.
            at_least = max(self.note.read(), self.at_least)
            self._check_files()
            with closing(connect(self.path, self._mode())) as connection:
                # All of it is read as it is at one moment.
                connection.execute("BEGIN")
                self._check_format(connection)
                self.summary = self._read_summary(connection)
                if self.summary.version < at_least:
                    raise StateOutdated(self.path, self.note.path)
                yield from self._read_clusters(connection)
                for (problem,) in connection.execute("PRAGMA quick_check(1)"):
                    if problem != "ok":
                        self._refuse("its structure is broken")
        except OSError as error:
            raise StateUnusable.of(self.path.parent, error) from None
        except sqlite3.Error as error:
            # Python's own errors quote what they could not decode.
            code = getattr(error, "sqlite_errorcode", None)
            if code is not None and code & 0xFF in _UNUSABLE:
                reason = f"{self.path.name}: {error}"
                raise StateUnusable(self.path.parent, reason) from None
            self._refuse("its text is broken" if code is None else str(error))
        except (TypeError, ValueError):
            self._refuse("it holds something of the wrong type")
        except MemoryError:
            # A length that is wrong, or there is no memory: it cannot be used as it is.
            self._refuse("it asks for more memory than there is")

    def _refuse(self, reason: str) -> NoReturn:
        raise StateDamaged(self.path, reason) from None

    def _check_files(self) -> None:
        if self.path.stat().st_size == 0:
            # SQLite would take it for a new file and remove its log.
            self._refuse("it is empty")
        if self.in_use:
            return
        try:
            log = check_log(self._log)
        except ValueError as error:
            self._refuse(str(error))
        if log.lost > 1:
            self._refuse(f"{log.lost} writes in its log cannot be read")

    def _mode(self) -> str:
        try:
            empty = self._log.stat().st_size == 0
        except FileNotFoundError:
            empty = True
        return IMMUTABLE if self.touch_nothing and empty else "ro"

    @property
    def _log(self) -> Path:
        return self.path.with_name(f"{self.path.name}-wal")

    def _check_format(self, connection: sqlite3.Connection) -> None:
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if application != APPLICATION_ID:
            raise StateForeign(
                f"the file {self.path} is not a state file of cvmpair",
                "name another directory with --state-dir",
            )
        if not 1 <= version <= FORMAT:
            raise StateForeign(
                f"the state file {self.path} has format {version}, and this release "
                f"knows no later one than format {FORMAT}",
                "use the release that wrote it, or a later one",
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
        if not (summary.version <= LAST_VERSION and abs(summary.wall_time) <= FARTHEST):
            self._refuse("its summary says what cannot be")
        return summary

    def _read_clusters(
        self, connection: sqlite3.Connection
    ) -> Iterator[tuple[str, Packed]]:
        count = total = 0
        cursor = connection.execute("SELECT pin, record, checksum FROM clusters")
        while rows := cursor.fetchmany(ROWS):
            pins, records, expected = zip(*rows, strict=True)
            if checksums(pins, records) != list(expected):
                self._refuse("a cluster does not fit its checksum")
            yield from zip(pins, map(decode_record, records), strict=True)
            count, total = count + len(rows), total + sum(expected)
        if (count, total % MODULUS) != (self.summary.clusters, self.summary.checksum):
            self._refuse(f"it holds {count} of {self.summary.clusters} clusters")
