"""
A backing that takes its time, which the test gives it.
"""

from collections.abc import Callable, Mapping

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from cvmpair.core.batch import Batch
from cvmpair.core.book import ClusterBook
from cvmpair.core.model import Cluster, Limits
from cvmpair.core.packing import Packed, is_tombstone, unpack
from cvmpair.core.timeline import ClockMark, Timeline
from cvmpair.services.snapshotting import Snapshotting


@define
class SlowBacking:
    """
    Keeps batches, each when the test lets it.

    :ivar durable: what a restart would find,
    :ivar ended: and the tombstones beside it.
    :ivar broken: what its calls raise.
    :ivar half_broken: whether a write that fails is found by a restart all the same.
    :ivar failed: whether a call failed and none has written since.
    :ivar reopened: how often that was tried.
    """

    durable: dict[str, Cluster] = field(factory=dict)
    ended: dict[str, Packed] = field(factory=dict)
    batches: list[Batch] = field(factory=list)
    marks: list[ClockMark] = field(factory=list)
    untidy: bool = True
    tidied: int = 0
    broken: Exception | None = None
    half_broken: bool = False
    failed: bool = False
    reopened: int = 0
    _begun: list[tuple[Callable[[], None], Deferred[None]]] = field(factory=list)

    def in_thread(self, call: Callable[[], None]) -> Deferred[None]:
        done: Deferred[None] = Deferred()
        self._begun.append((call, done))
        return done

    @property
    def version(self) -> int:
        """
        The last version that a restart would find.
        """
        return self.batches[-1].version if self.batches else 0

    @property
    def busy(self) -> bool:
        """
        Whether a call is under way.
        """
        return bool(self._begun)

    def go_on(self) -> None:
        """
        Let the call that is under way come to its end.
        """
        ((call, done),) = self._begun
        self._begun.clear()
        try:
            call()
        except Exception as error:
            self.failed = True
            done.errback(error)
        else:
            done.callback(None)

    def flush(self) -> None:
        """
        Let all calls come to their end.
        """
        while self.busy:
            self.go_on()

    def write(self, batch: Batch, mark: ClockMark) -> None:
        assert not self.failed or self.reopened, "it was not opened anew"
        if self.broken is not None:
            if self.half_broken:
                self._keep(batch)
            raise self.broken
        self.batches.append(batch)
        self.marks.append(mark)
        self._keep(batch)
        self.failed = False
        self.reopened = 0

    def _keep(self, batch: Batch) -> None:
        for pin, packed in batch.clusters.items():
            self.durable.pop(pin, None)
            self.ended.pop(pin, None)
            if packed is None:
                continue
            if is_tombstone(packed):
                self.ended[pin] = packed
            else:
                self.durable[pin] = unpack(pin, packed)

    def is_untidy(self) -> bool:
        return self.untidy

    def tidy(self) -> None:
        self.tidied += 1

    def reopen(self) -> None:
        self.reopened += 1
        if self.broken is not None:
            raise self.broken


def make_book(limits: Limits | None = None) -> ClusterBook:
    return ClusterBook(limits or Limits())


def make_snapshotting(
    book: ClusterBook,
    backing: SlowBacking,
    clock: Clock,
    interval: float | None = None,
    tell: Callable[[Mapping[str, Packed | None]], None] = lambda _: None,
) -> Snapshotting:
    return Snapshotting(
        book=book,
        backing=backing,
        timeline=Timeline(clock.seconds, clock.seconds),
        clock=clock,
        in_thread=backing.in_thread,
        interval=interval,
        tell=tell,
    )
