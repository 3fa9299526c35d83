"""
Keeps the backing's idea of the time right.
"""

from collections.abc import Callable
from typing import Final

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from cvmpair.core.timeline import Timeline

LOOK_EVERY: Final = 1.0
"""The seconds between two looks at the clocks."""

MARK_EVERY: Final = 60.0
"""
The seconds between two marks in the backing.

After a crash and with a clock that shows nonsense no cluster outlives its
deadline by more than this.
"""


@define(eq=False, kw_only=True)
class Timekeeping:
    """
    Notices steps of the wall clock, and has marks written.

    :ivar want_mark: is called to have both clocks' readings written.
    :ivar needed: whether there is any deadline to be kept.
    """

    _log = Logger()

    timeline: Timeline
    clock: IReactorTime
    want_mark: Callable[[], None]
    needed: Callable[[], bool]
    _due: IDelayedCall | None = field(init=False, default=None)
    _last_mark: float = field(init=False, default=0.0)

    def start(self) -> None:
        """
        Begin to look at the clocks.
        """
        self._last_mark = self.clock.seconds()
        self._due = self.clock.callLater(LOOK_EVERY, self._look)

    def stop(self) -> None:
        """
        End it.
        """
        if self._due is not None:
            self._due.cancel()
            self._due = None

    def _look(self) -> None:
        self._due = self.clock.callLater(LOOK_EVERY, self._look)
        if self.timeline.observe():
            self._log.warn(
                "clock stepped (the wall clock was set; no deadline has moved)"
            )
        now = self.clock.seconds()
        due = now - self._last_mark >= MARK_EVERY and self.needed()
        if due or self.timeline.is_mark_off():
            self._last_mark = now
            self.want_mark()
