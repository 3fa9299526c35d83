"""
A book with a slow backing, and questions to what flushes it.
"""

from collections.abc import Callable, Mapping

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from cvmpair.core.book import ClusterBook
from cvmpair.core.packing import Packed
from cvmpair.services.snapshotting import Snapshotting
from tests.services.slow_backing import SlowBacking, make_book, make_snapshotting


@define
class Scene:
    """
    A book, its backing, and what flushes it.

    :ivar told: the states that could be shown, in their order.
    """

    clock: Clock
    interval: float | None = None
    book: ClusterBook = field(factory=make_book)
    backing: SlowBacking = field(factory=SlowBacking)
    told: list[Mapping[str, Packed | None]] = field(factory=list)
    snapshotting: Snapshotting = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.snapshotting = make_snapshotting(
            self.book, self.backing, self.clock, self.interval, self.told.append
        )

    def change(self, change: Callable[[], object] | None = None) -> str:
        """
        Make a change, a creation unless it is said which, and return the new PIN.
        """
        done = self.book.create(self.clock.seconds(), 60) if not change else change()
        pin = getattr(done, "pin", "")
        self.snapshotting.changed(pin)
        return pin

    def durable_pin(self) -> str:
        pin = self.change()
        self.clock.advance(0)
        self.backing.flush()
        return pin

    def ask(self, pin: str) -> list[object]:
        """
        Ask whether all about a cluster is durable; the list has the end of it.
        """
        ended: list[object] = []
        asked = Deferred.fromCoroutine(self.snapshotting.settled(pin))
        asked.addCallbacks(
            lambda _: ended.append("durable"),
            lambda failure: ended.append(failure.value),
        )
        return ended

    def finish(self) -> list[object]:
        ended: list[object] = []
        Deferred.fromCoroutine(self.snapshotting.finish()).addBoth(ended.append)
        return ended
