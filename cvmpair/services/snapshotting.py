"""
From the book to the backing, and back to whoever waits for it.

One flush at a time; what changes meanwhile goes into the next one, so many
writers share one synchronisation of the disk. There are two policies for one
mechanism: ``synced`` flushes at once and holds back every answer that depends on
it, ``periodic`` flushes at an interval and holds back nothing.
"""

from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from cvmpair.core.book import Batch, ClusterBook
from cvmpair.core.errors import StoreUnavailable
from cvmpair.core.timeline import ClockMark, Timeline

RETRY_AFTER: Final = 60.0
"""The seconds that a client is told to wait while nothing can be saved."""


class Backing(Protocol):
    """
    Where the book is kept. Each call blocks, and may be made from any thread,
    but there is one at a time.
    """

    def write(self, batch: Batch, mark: ClockMark) -> None:
        """
        Make a batch durable, or raise any error.
        """

    def tidy(self) -> None:
        """
        Do what need not be done before an answer goes out.
        """


@define(eq=False, kw_only=True)
class Snapshotting:
    """
    Flushes the book, and tells when a change is durable.

    :ivar interval: the seconds between two flushes, or ``None`` to flush at once.
    :ivar in_thread: runs a blocking call without blocking the reactor.
    """

    _log = Logger()

    book: ClusterBook
    backing: Backing
    timeline: Timeline
    clock: IReactorTime
    in_thread: Callable[[Callable[[], None]], Deferred[None]]
    interval: float | None
    _durable: int = field(init=False, default=0)
    _in_flight: Batch | None = field(init=False, default=None)
    _flushing: bool = field(init=False, default=False)
    _failed: bool = field(init=False, default=False)
    _mark_wanted: bool = field(init=False, default=False)
    _due: IDelayedCall | None = field(init=False, default=None)
    _waiting: list[tuple[int, Deferred[None]]] = field(init=False, factory=list)
    _idle: list[Deferred[None]] = field(init=False, factory=list)

    def check_writable(self) -> None:
        """
        Let a change begin, or not.

        :raises StoreUnavailable: if it could not be saved.
        """
        if self._failed:
            raise StoreUnavailable(RETRY_AFTER)

    def changed(self) -> None:
        """
        Take notice that the book has changed.
        """
        if self._due is None and not self._flushing and not self._failed:
            self._due = self.clock.callLater(self.interval or 0.0, self._begin)

    def want_mark(self) -> None:
        """
        Write the clocks' readings, even if nothing else has changed.
        """
        self._mark_wanted = True
        self.changed()

    async def settled(self, pin: str) -> None:
        """
        Wait until all that may be said about a cluster now is durable.

        :raises StoreUnavailable: if it will not be.
        """
        if self.interval is not None:
            return
        version = self.book.pending(pin)
        if version is None and self._in_flight is not None:
            version = self._in_flight.journal.get(pin)
        if version is None or version <= self._durable:
            return
        self.check_writable()
        durable: Deferred[None] = Deferred()
        self._waiting.append((version, durable))
        await durable

    async def finish(self) -> None:
        """
        Flush what is left.
        """
        if self._flushing:
            idle: Deferred[None] = Deferred()
            self._idle.append(idle)
            await idle
        if self._due is not None:
            self._due.cancel()
            self._due = None
        if not self._failed:
            self._mark_wanted = True
            await self._flush()

    def unsaved(self) -> set[str]:
        """
        Return the PINs of the clusters whose last changes the backing may not have.
        """
        unsaved = self.book.changed_pins()
        if self._in_flight is not None:
            unsaved |= self._in_flight.clusters.keys()
        return unsaved

    def _begin(self) -> None:
        self._due = None
        Deferred.fromCoroutine(self._flush())

    async def _flush(self) -> None:
        self._flushing = True
        while (self.book.has_changes() or self._mark_wanted) and not self._failed:
            self._mark_wanted = False
            batch = self._in_flight = self.book.take_changes()
            write = partial(self.backing.write, batch, self.timeline.mark())
            try:
                await self.in_thread(write)
                self._durable = batch.version
                self._in_flight = None
                self._release()
                await self.in_thread(self.backing.tidy)
            except Exception as error:
                self._fail(error)
            if self.interval is not None:
                break
        self._flushing = False
        idle, self._idle = self._idle, []
        for deferred in idle:
            deferred.callback(None)
        if self.book.has_changes() or self._mark_wanted:
            self.changed()

    def _release(self) -> None:
        waiting, self._waiting = self._waiting, []
        for version, durable in waiting:
            if version <= self._durable:
                durable.callback(None)
            else:
                self._waiting.append((version, durable))

    def _fail(self, error: Exception) -> None:
        self._failed = True
        self._log.critical(
            "flush failed error={error_type} reason={reason!r} (read-only from now on; "
            "mend what is wrong with the disk and start the daemon again)",
            error_type=type(error).__name__,
            reason=str(error),
        )
        waiting, self._waiting = self._waiting, []
        for _, durable in waiting:
            durable.errback(StoreUnavailable(RETRY_AFTER))
