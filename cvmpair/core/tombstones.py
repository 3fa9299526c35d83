"""
What is kept of clusters that have ended: for a week, and of so many at most.

It is in memory what it is in the backing, see :mod:`cvmpair.core.packing`. With the
place in the queue one takes about 300 bytes, and nothing that the garbage collector
would look into.
"""

from collections import deque
from collections.abc import Iterable
from math import ceil
from typing import Final

from cvmpair.core.errors import ClusterGone
from cvmpair.core.packing import Packed, ending_of

KEPT: Final = 7 * 86400.0
"""The seconds for which it is told what happened to a cluster."""


def gone(tombstone: Packed) -> ClusterGone:
    """
    Return the error that a tombstone stands for, with book time in it.
    """
    ending = ending_of(tombstone)
    return ClusterGone(ending.reason, ending.ended)


class Tombstones:
    """
    Tombstones by PIN, and which of them is to be forgotten first.
    """

    def __init__(self, limit: int) -> None:
        """
        :param limit: how many are kept at most.
        """
        self._limit = limit
        self._packed: dict[str, Packed] = {}
        # In the order of their endings, but for the second by which a cluster may
        # expire late.
        self._queue: deque[str] = deque()
        self._next: int | None = None

    def __len__(self) -> int:
        return len(self._queue)

    def get(self, pin: str) -> Packed | None:
        """
        Return the tombstone of a PIN, if there is one.
        """
        return self._packed.get(pin)

    def load(
        self, tombstones: Iterable[tuple[str, Packed]]
    ) -> list[tuple[str, Packed]]:
        """
        Take over what the backing holds, in any order, as :meth:`add` does.
        """
        ordered = sorted(tombstones, key=lambda one: ending_of(one[1]).ended)
        return [gone for one in ordered for gone in self.add(*one)]

    def add(self, pin: str, packed: Packed) -> list[tuple[str, Packed]]:
        """
        Keep one more, and return those that are forgotten for it, each with its PIN.
        """
        self._packed[pin] = packed
        self._queue.append(pin)
        gone = [self._forget()] if len(self._queue) > self._limit else []
        if gone or len(self._queue) == 1:
            self._look()
        return gone

    def next(self) -> int | None:
        """
        Return the next second of book time at which one is over.
        """
        return self._next

    def pop_over(self, now: float, at_most: int) -> list[tuple[str, Packed]]:
        """
        Forget those whose time is over, and return them, each with its PIN.

        :param at_most: how many at most; call again for the rest.
        """
        gone: list[tuple[str, Packed]] = []
        while self._next is not None and self._next <= now and len(gone) < at_most:
            gone.append(self._forget())
            self._look()
        return gone

    def _forget(self) -> tuple[str, Packed]:
        pin = self._queue.popleft()
        return pin, self._packed.pop(pin)

    def _look(self) -> None:
        self._next = None
        if self._queue:
            self._next = ceil(ending_of(self._packed[self._queue[0]]).ended + KEPT)
