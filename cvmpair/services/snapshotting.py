"""
From the book to the backing, and back to whoever waits for it.

One flush at a time; what changes meanwhile goes into the next one, so many
writers share one synchronisation of the disk. There are two policies for one
mechanism: ``synced`` flushes at once and holds back every answer that depends on
it, ``periodic`` flushes at an interval and holds back nothing.

When a flush fails nothing more is changed until the backing has been opened anew,
checked, and has everything that it lacked. Whether the changes in the flush that
failed are in it then was unknown before, and their answers said so; they come
back with the others.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from typing import Final, Protocol

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from cvmpair.core.backoff import exponential
from cvmpair.core.batch import Batch
from cvmpair.core.book import ClusterBook
from cvmpair.core.errors import StoreUnavailable
from cvmpair.core.packing import Packed
from cvmpair.core.polling import Budget, NotYet, poll
from cvmpair.core.timeline import ClockMark, Timeline
from cvmpair.services.progress import Progress, Tell

RETRY_AFTER: Final = 10.0
"""The seconds that a client is told to wait while nothing can be saved."""

FIRST_DELAY: Final = 1.0
LONGEST_DELAY: Final = 4.0
"""The seconds between two tries to save again: twice as many each time, up to this."""


class Backing(Protocol):
    """
    Where the book is kept. Each call blocks, and may be made from any thread,
    but there is one at a time.
    """

    def write(self, batch: Batch, mark: ClockMark) -> None:
        """
        Make a batch durable, or raise any error.
        """

    def is_untidy(self) -> bool:
        """
        Say whether there is anything to tidy, which does not block.
        """

    def tidy(self) -> None:
        """
        Do what need not be done before an answer goes out.
        """

    def reopen(self) -> None:
        """
        Begin anew after an error of the others, or raise any error.

        It is one if what was durable is not there any more.
        """


@define(eq=False, kw_only=True)
class Snapshotting:
    """
    Flushes the book, and tells when a change is durable.

    :ivar interval: the seconds between two flushes, or ``None`` to flush at once.
    :ivar in_thread: runs a blocking call without blocking the reactor.
    :ivar tell: is called with each state that may be shown, in their order: what is
        kept under each PIN of which something changed, ``None`` where nothing is.
    :ivar measured: is called after each flush, with the seconds that it took and how
        many clusters were in it.
    """

    _log = Logger()

    book: ClusterBook
    backing: Backing
    timeline: Timeline
    clock: IReactorTime
    in_thread: Callable[[Callable[[], None]], Deferred[None]]
    interval: float | None
    tell: Callable[[Mapping[str, Packed | None]], None]
    measured: Callable[[float, int], None] = lambda *_: None
    _durable: Progress = field(init=False, factory=Progress)
    _flushes: Progress = field(init=False, factory=Progress)
    _begun: int = field(init=False, default=0)
    _in_flight: Batch | None = field(init=False, default=None)
    _flushing: bool = field(init=False, default=False)
    _failure: str = field(init=False, default="")
    _recovery: Deferred[None] | None = field(init=False, default=None)
    _ending: bool = field(init=False, default=False)
    _mark_wanted: bool = field(init=False, default=False)
    _due: IDelayedCall | None = field(init=False, default=None)
    _idle: list[Deferred[None]] = field(init=False, factory=list)

    def is_read_only(self) -> bool:
        """
        Say whether nothing can be saved at the moment.
        """
        return bool(self._failure)

    async def probe(self) -> None:
        """
        Show that a change could be saved: write the clocks' readings over those that
        are there, at once, and wait until that is durable.

        It leaves nothing behind, so there is nothing to delete. All that ask while a
        flush is under way share the next.

        :raises StoreUnavailable: if it is not.
        """
        self.check_writable()
        self._mark_wanted = True
        if self._due is not None:
            self._due.reset(0)
        flushed = self._flushes.wait(self._begun + 1)
        self._flush_soon()
        await flushed

    @property
    def failure(self) -> str:
        """
        Why nothing can be saved at the moment; empty if all is well.
        """
        return self._failure

    def check_writable(self) -> None:
        """
        Let a change begin, or not.

        :raises StoreUnavailable: if it could not be saved.
        """
        if self._failure:
            raise StoreUnavailable(RETRY_AFTER)

    def changed(self, *pins: str) -> None:
        """
        Take notice that the book has changed.

        :param pins: of the clusters that did.
        """
        if self.interval is not None:
            self.tell({pin: self.book.packed(pin) for pin in pins})
        self._flush_soon()

    def expired(self, pins: Iterable[str]) -> None:
        """
        Take notice that clusters have expired.

        That may be told before it is durable: it follows from the time alone.
        """
        self.tell({pin: self.book.packed(pin) for pin in pins})
        self._flush_soon()

    def _flush_soon(self) -> None:
        if self._due is None and not self._flushing and not self._failure:
            delay = 0.0 if self._flushes.awaited else self.interval or 0.0
            self._due = self.clock.callLater(delay, self._begin)

    def want_mark(self) -> None:
        """
        Write the clocks' readings, even if nothing else has changed.
        """
        self._mark_wanted = True
        self._flush_soon()

    def is_settled(self, pin: str) -> bool:
        """
        Say whether all that may be said about a cluster now is durable, or need not
        be.
        """
        return self._awaited(pin) is None

    def when_settled(self, pin: str, tell: Tell) -> None:
        """
        Call back once that is so, which may be at once.
        """
        version = self._awaited(pin)
        if version is None:
            tell(None)
        elif self._failure:
            tell(StoreUnavailable(RETRY_AFTER))
        else:
            self._durable.when(version, tell)

    async def settled(self, pin: str) -> None:
        """
        Wait until that is so.

        :raises StoreUnavailable: if it will not be.
        """
        version = self._awaited(pin)
        if version is not None:
            self.check_writable()
            await self._durable.wait(version)

    def _awaited(self, pin: str) -> int | None:
        if self.interval is not None:
            return None
        version = self.book.journal.pending(pin)
        # That it has expired or is forgotten need not be durable, but what is being
        # written of it must be first.
        if not version and self._in_flight is not None:
            version = self._in_flight.journal.get(pin, version)
        return None if version is None or version <= self._durable.reached else version

    async def finish(self) -> None:
        """
        Flush what is left; after a failure, try to for a last time.
        """
        self._ending = True
        # There may be many, and nobody should have to wait for them now.
        self.book.journal.drop_ends()
        if self._recovery is not None:
            self._recovery.cancel()
        if self._flushing:
            idle: Deferred[None] = Deferred()
            self._idle.append(idle)
            await idle
        if self._due is not None:
            self._due.cancel()
            self._due = None
        if self._failure:
            with suppress(NotYet):
                await self._recover()
        else:
            self._mark_wanted = True
            await self._flush()

    def unsaved(self) -> set[str]:
        """
        Return the PINs of the clusters whose last changes the backing may not have.
        """
        unsaved = self.book.journal.changed_pins()
        if self._in_flight is not None:
            unsaved |= self._in_flight.clusters.keys()
        return unsaved

    def _begin(self) -> None:
        self._due = None
        Deferred.fromCoroutine(self._flush())

    async def _flush(self) -> None:
        self._flushing = True
        while (self.book.journal or self._mark_wanted) and not self._failure:
            try:
                await self._write(self.book.take_changes())
                # To go to the thread and back takes as long as to write some rows.
                if self.backing.is_untidy():
                    await self.in_thread(self.backing.tidy)
            except Exception as error:
                self._fail(error)
            if self.interval is not None and not self.book.journal.has_ends():
                break
        self._rest()
        if self._failure and not self._ending:
            self._begin_recovery()

    async def _write(self, batch: Batch) -> None:
        self._in_flight = batch
        self._mark_wanted = False
        self._begun += 1
        write = partial(self.backing.write, batch, self.timeline.mark())
        began = self.clock.seconds()
        await self.in_thread(write)
        self.measured(self.clock.seconds() - began, len(batch.clusters))
        self._in_flight = None
        if self.interval is None:
            # First: who is answered next may ask again at once, and is not to be told
            # of the past then.
            self.tell(batch.clusters)
        self._durable.advance(batch.version)
        self._flushes.advance(self._begun)

    def _rest(self) -> None:
        self._flushing = False
        idle, self._idle = self._idle, []
        for deferred in idle:
            deferred.callback(None)
        if self.book.journal or self._mark_wanted:
            self._flush_soon()

    def _fail(self, error: Exception) -> None:
        self._log.critical(
            "flush failed error={error_type} reason={reason!r} (read-only until it "
            "can be saved, which is tried again and again; mend what is wrong with the "
            "disk)",
            error_type=type(error).__name__,
            reason=str(error),
        )
        self._failure = str(error) or type(error).__name__
        for progress in (self._durable, self._flushes):
            progress.fail(StoreUnavailable(RETRY_AFTER))

    def _begin_recovery(self) -> None:
        self._recovery = poll(
            self._recover_whole,
            delays=exponential(FIRST_DELAY, LONGEST_DELAY),
            clock=self.clock,
            budget=Budget(),
        )
        Deferred.fromCoroutine(self._end_recovery(self._recovery))

    async def _end_recovery(self, recovery: Deferred[None]) -> None:
        with suppress(CancelledError):
            await recovery
        self._recovery = None

    def _recover_whole(self) -> Deferred[None]:
        # Who cancels this does not cancel what goes on in the thread.
        done: Deferred[None] = Deferred()
        trying = Deferred.fromCoroutine(self._recover())
        trying.addCallbacks(done.callback, done.errback)
        return done

    async def _recover(self) -> None:
        self._flushing = True
        try:
            await self.in_thread(self.backing.reopen)
            batch = self.book.take_changes()
            if self._in_flight is not None:
                batch = self._in_flight.followed_by(batch)
            await self._write(batch)
        except Exception as error:
            self._fail_again(error)
            raise NotYet(self._failure) from None
        else:
            self._failure = ""
            self._log.info("recovered (all is saved, changes are taken again)")
        finally:
            self._rest()

    def _fail_again(self, error: Exception) -> None:
        reason = str(error) or type(error).__name__
        # Not each try is worth a line, but what an operator has to do may be another
        # thing by now.
        if reason != self._failure:
            self._failure = reason
            self._log.error(
                "still read-only error={error_type} reason={reason!r} (it is tried "
                "again and again; stop the daemon before you replace its state file)",
                error_type=type(error).__name__,
                reason=reason,
            )
