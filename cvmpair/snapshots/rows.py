"""
Changed clusters, as rows of the state file.

One statement writes many rows: for each statement SQLite lets go of Python's lock,
and to get it back from a busy reactor takes longer than to write a row.
"""

import sqlite3
from collections.abc import Mapping
from itertools import chain, islice
from typing import Final

from attrs import frozen

from cvmpair.core.codec import checksum
from cvmpair.core.packing import Packed

ROWS: Final = 64
"""As many go into one statement."""

_PAGE: Final = 4096

Row = tuple[str, str, int]


@frozen
class Difference:
    """
    What a batch makes of the file.

    :ivar clusters: how many clusters more it has.
    :ivar checksum: how much more their checksums add up to.
    :ivar pages: about how many pages of the file were written.
    """

    clusters: int
    checksum: int
    pages: int


def write_clusters(
    connection: sqlite3.Connection, clusters: Mapping[str, Packed | None]
) -> Difference:
    """
    Write each cluster as it is now, ``None`` where it is gone.
    """
    count = total = pages = 0
    # In the order of the file: neighbours share a page.
    changes = iter(sorted(clusters.items()))
    while some := dict(islice(changes, ROWS)):
        old_count, old_total = _summed(connection, list(some))
        rows: list[Row] = [
            (pin, record, checksum(pin, record))
            for pin, record in some.items()
            if record is not None
        ]
        gone = [pin for pin, record in some.items() if record is None]
        if gone:
            marks = _marks("?", len(gone))
            # Only question marks are put into these statements.
            connection.execute(f"DELETE FROM clusters WHERE pin IN ({marks})", gone)  # noqa: S608
        if rows:
            marks = _marks("(?, ?, ?)", len(rows))
            connection.execute(
                f"REPLACE INTO clusters VALUES {marks}",  # noqa: S608
                list(chain.from_iterable(rows)),
            )
        count += len(rows) - old_count
        total += sum(value for _, _, value in rows) - old_total
        pages += len(some) + sum(len(record) // _PAGE for _, record, _ in rows)
    return Difference(count, total, pages)


def _summed(connection: sqlite3.Connection, pins: list[str]) -> tuple[int, int]:
    found: tuple[int, int] = connection.execute(
        "SELECT count(*), ifnull(sum(checksum), 0) FROM clusters"  # noqa: S608
        f" WHERE pin IN ({_marks('?', len(pins))})",
        pins,
    ).fetchone()
    return found


def _marks(one: str, count: int) -> str:
    return ", ".join([one] * count)
