"""
The machine on which a modelled daemon runs: its clocks, and its disk as a restart finds
it.
"""

from contextlib import suppress

from attrs import define, field
from twisted.internet.task import Clock

from cvmpair.core.batch import Batch
from cvmpair.core.timeline import ClockMark, Timeline
from tests.services.slow_backing import SlowBacking


@define
class Disk(SlowBacking):
    """
    A backing that also knows what a restart would find of the clocks.
    """

    version_found: int = 0
    mark_found: ClockMark | None = None

    def write(self, batch: Batch, mark: ClockMark) -> None:
        if self.broken is None or self.half_broken:
            self.version_found, self.mark_found = batch.version, mark
        super().write(batch, mark)

    def crash(self, *, written: bool) -> None:
        """
        End in the midst of a call, which may have come to its end.
        """
        for call, _ in self._begun:
            if written:
                with suppress(OSError):
                    call()
        self._begun.clear()
        self.broken, self.failed, self.reopened = None, False, 0


@define(eq=False)
class Clocks:
    """
    The clocks of a machine, and what neither of them shows: the true time.

    :ivar skew: by how much the wall clock differs from it.
    :ivar run: the monotonic clock, which begins anew with the machine.
    :ivar skews: the skew at each mark that was made.
    """

    skew: float = 1.7e9
    before: float = 0.0
    run: Clock = field(factory=Clock)
    skews: dict[ClockMark, float] = field(factory=dict)

    def true(self) -> float:
        return self.before + self.run.seconds()

    def wall(self) -> float:
        return self.true() + self.skew

    def boot(self, down: float) -> None:
        self.before, self.run = self.true() + down, Clock()


class NotedTimeline(Timeline):
    """
    A timeline that tells the clocks of its marks.
    """

    def __init__(self, clocks: Clocks) -> None:
        super().__init__(clocks.run.seconds, clocks.wall)
        self.clocks = clocks

    def mark(self) -> ClockMark:
        mark = super().mark()
        self.clocks.skews = {
            **dict(list(self.clocks.skews.items())[-20:]),
            mark: self.clocks.skew,
        }
        return mark
