"""
What is true of a state file as a whole.
"""

from typing import Final
from zlib import crc32

from attrs import frozen

from cvmpair.core.timeline import ClockMark

MODULUS: Final = 2**62
"""The sum of the clusters' checksums is kept modulo this."""

LAST_VERSION: Final = 2**62
"""No state has a later one. SQLite knows twice as many, and a run takes 10^9."""


@frozen(kw_only=True)
class Summary:
    """
    The one row of the table ``state``; see ``schema/0001.sql``.

    :ivar clusters: how many records there are, also of clusters that have ended.
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


@frozen(kw_only=True)
class Contents:
    """
    What was found in a state by whoever has read all of it.

    :ivar ended: how many of its records are those of clusters that have ended.
    """

    summary: Summary
    ended: int

    def __str__(self) -> str:
        return (
            f"{self.summary.clusters - self.ended} clusters, {self.ended} ended, "
            f"last version {self.summary.version}"
        )
