"""
Book time: a clock that no step of the wall clock can move.

Deadlines must survive a restart, for which only the wall clock is there, and
must not be moved by a step of it (NTP steps the clock of a machine that boots),
for which the monotonic clock is there. Book time runs with the monotonic clock
and was set by the wall clock once, when the state began. Each write to the
backing carries a :class:`ClockMark`; from it and from the wall clock a restart
knows how much time passed meanwhile.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from attrs import frozen

STEP: Final = 1.0
"""A difference of the clocks above this many seconds is a step of the wall clock."""

FARTHEST: Final = 3e10
"""
How far from the epoch, in seconds, a time from elsewhere may be: from the year 1019 to
2920. The sum of two such times and of a step between two others is a date still.
"""


@frozen(kw_only=True)
class ClockMark:
    """
    What book time and the wall clock showed at the same moment, in seconds.
    """

    book: float
    wall: float


def rfc3339(seconds: float, precision: str = "microseconds") -> str:
    """
    Return a time as RFC 3339 has it, in UTC.

    :param seconds: since the epoch.
    :param precision: the unit of its last digit.
    """
    time = datetime.fromtimestamp(seconds, UTC)
    return time.isoformat(timespec=precision).replace("+00:00", "Z")


class Timeline:
    """
    Tells book time, and what the wall clock shows at a book time.
    """

    def __init__(
        self, monotonic: Callable[[], float], wall: Callable[[], float]
    ) -> None:
        """
        :param monotonic: seconds since any moment, never stepped.
        :param wall: seconds since the epoch.
        """
        self._monotonic = monotonic
        self._wall = wall
        self._offset = wall() - monotonic()
        self._skew = 0.0
        self._marked = 0.0

    def resume(self, mark: ClockMark) -> None:
        """
        Go on from where the process before was.

        A wall clock that was set back while no process ran is no reason to count
        time backwards.
        """
        wall = self._wall()
        away = max(0.0, wall - mark.wall)
        self._offset = mark.book + away - self._monotonic()
        self.observe()

    def now(self) -> float:
        """
        Return the book time.
        """
        return self._monotonic() + self._offset

    def mark(self) -> ClockMark:
        """
        Return both clocks' present readings.
        """
        mark = ClockMark(book=self.now(), wall=self._wall())
        self._marked = mark.wall - mark.book
        return mark

    def is_mark_off(self) -> bool:
        """
        Say whether a restart would misjudge the clocks by the last mark: the wall clock
        may have been set after it, or before it and back again.
        """
        return abs(self._wall() - self.now() - self._marked) >= STEP

    def observe(self) -> bool:
        """
        Compare the clocks, and say whether the wall clock was stepped since the
        last time.
        """
        skew = self._wall() - self.now()
        if abs(skew - self._skew) < STEP:
            return False
        # Below a step it is left alone, so that the same moment is always shown as
        # the same time.
        self._skew = 0.0 if abs(skew) < STEP else skew
        return True

    def to_wall(self, book: float) -> float:
        """
        Return what the wall clock showed, or will show, at a book time.
        """
        return book + self._skew
