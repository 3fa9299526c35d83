"""
Many deadlines, one timer.

A timer each would cost the reactor more than what they are for. Deadlines are
rounded up to a tick instead, and all of a tick come together.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from math import ceil
from typing import Final, Generic, TypeVar

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall, IReactorTime

TICK: Final = 0.1
"""In seconds: nothing is due early, and nothing later than this."""

T = TypeVar("T")


@define(eq=False, kw_only=True)
class Wheel(Generic[T]):
    """
    What is due when.

    :ivar due: is called with all that is due at a tick, in the order in which it
        was added.
    """

    clock: IReactorTime
    due: Callable[[list[T]], None]
    _ticks: list[int] = field(init=False, factory=list)
    _items: dict[int, dict[T, None]] = field(init=False, factory=dict)
    _count: int = field(init=False, default=0)
    _timer: IDelayedCall | None = field(init=False, default=None)

    def add(self, item: T, seconds: float) -> int:
        """
        Have an item due, and return its tick, by which it can be discarded.
        """
        tick = ceil((self.clock.seconds() + seconds) / TICK)
        items = self._items.get(tick)
        if items is None:
            items = self._items[tick] = {}
            heappush(self._ticks, tick)
            if self._ticks[0] == tick:
                self._time()
        items[item] = None
        self._count += 1
        return tick

    def discard(self, item: T, tick: int) -> None:
        """
        Forget an item, unless it has been due already.
        """
        items = self._items.get(tick, {})
        if item in items:
            del items[item]
            self._count -= 1
            if not self._count:
                # Ticks without items stay until their time or until this.
                self._items.clear()
                self._ticks.clear()
                self._time()

    def _time(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._ticks:
            tick = self._ticks[0]
            delay = max(0.0, tick * TICK - self.clock.seconds())
            self._timer = self.clock.callLater(delay, self._run, tick)

    def _run(self, until: int) -> None:
        self._timer = None
        due: list[T] = []
        while self._ticks and self._ticks[0] <= until:
            due += self._items.pop(heappop(self._ticks))
        self._count -= len(due)
        if not self._count:
            self._items.clear()
            self._ticks.clear()
        self._time()
        if due:
            self.due(due)
