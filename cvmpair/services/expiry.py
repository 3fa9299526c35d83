"""
Expiry: one timer, to the next deadline of all.
"""

import sys
from collections.abc import Callable, Sequence
from typing import Final

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from cvmpair.core.book import ClusterBook
from cvmpair.core.timeline import Timeline

SLICE: Final = 1000
"""How many clusters go in one turn of the reactor, so that others get theirs."""


@define(eq=False, kw_only=True)
class Expiry:
    """
    Removes clusters from the book when their time is over.

    :ivar expired: is called after some were removed, or are remembered no longer, with
        the PINs of those that were removed.
    """

    _log = Logger()

    book: ClusterBook
    timeline: Timeline
    clock: IReactorTime
    expired: Callable[[Sequence[str]], None]
    _due: IDelayedCall | None = field(init=False, default=None)
    _deadline: float | None = field(init=False, default=None)

    def changed(self) -> None:
        """
        Take notice that the book has changed.
        """
        deadline = self.book.next_deadline()
        if deadline == self._deadline:
            return
        self.stop()
        if deadline is not None:
            self._deadline = deadline
            delay = max(0.0, deadline - self.timeline.now())
            self._due = self.clock.callLater(delay, self._run, 0)

    def stop(self) -> None:
        """
        Let nothing expire any more.
        """
        if self._due is not None:
            self._due.cancel()
        self._due = self._deadline = None

    def expire_now(self) -> int:
        """
        Remove all that is due, at once, and return how many; for the start, when
        nobody waits yet.
        """
        pins = self.book.expire(self.timeline.now(), at_most=sys.maxsize)
        if pins:
            self._log.info("expired clusters={count} (while down)", count=len(pins))
        self._tell(pins)
        return len(pins)

    def _tell(self, pins: Sequence[str]) -> None:
        # Those that are forgotten are to go from the backing too.
        if pins or self.book.journal.has_ends():
            self.expired(pins)

    def _run(self, before: int) -> None:
        self._due = None
        pins = self.book.expire(self.timeline.now(), SLICE)
        count = len(pins)
        self._tell(pins)
        if count == SLICE:
            self._due = self.clock.callLater(0, self._run, before + count)
            return
        if before + count:
            self._log.info("expired clusters={count}", count=before + count)
        self._deadline = None
        self.changed()
