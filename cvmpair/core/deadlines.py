"""
Which PIN is due when: an index by whole seconds.

A heap of a million (deadline, PIN) pairs would cost 90 MB; PINs one behind the other
in an array of bytes for each second cost about 15, and the garbage collector does not
look into them. Rounding up means that nothing is ever due early, and at most one second
late.
"""

from heapq import heapify, heappop, heappush
from math import ceil
from typing import Final

from cvmpair.core.names import PIN_LENGTH

_SLACK: Final = 64


class Deadlines:
    """
    PINs in the order of their deadlines.
    """

    def __init__(self) -> None:
        self._seconds: list[int] = []
        self._pins: dict[int, bytearray] = {}

    def add(self, pin: str, deadline: float) -> None:
        """
        Remember that ``pin`` is due at ``deadline`` (in seconds of book time).
        """
        second = ceil(deadline)
        pins = self._pins.get(second)
        if pins is None:
            heappush(self._seconds, second)
            self._pins[second] = bytearray(pin.encode())
        else:
            pins += pin.encode()

    def discard(self, pin: str, deadline: float) -> None:
        """
        Forget a PIN that was added with that deadline.
        """
        second = ceil(deadline)
        pins = self._pins[second]
        wanted = pin.encode()
        place = pins.index(wanted)
        while place % PIN_LENGTH:  # the end of one and the beginning of the next
            place = pins.index(wanted, place + 1)
        # The order within a second means nothing, so the hole is filled from the end.
        pins[place : place + PIN_LENGTH] = pins[-PIN_LENGTH:]
        del pins[-PIN_LENGTH:]
        if not pins:
            del self._pins[second]
            self._compact()

    def _compact(self) -> None:
        # Seconds whose last PIN was deleted would pile up until their time comes.
        if len(self._seconds) > 2 * len(self._pins) + _SLACK:
            self._seconds = list(self._pins)
            heapify(self._seconds)

    def next(self) -> int | None:
        """
        Return the next second at which something is due.
        """
        # A second may have emptied since, and have been added again.
        while self._seconds and self._seconds[0] not in self._pins:
            heappop(self._seconds)
        return self._seconds[0] if self._seconds else None

    def pop_due(self, now: float, at_most: int) -> list[str]:
        """
        Remove and return PINs that are due, the earliest first.

        :param at_most: how many at most; call again for the rest.
        """
        due: list[str] = []
        while len(due) < at_most:
            second = self.next()
            if second is None or second > now:
                break
            pins = self._pins[second]
            room = PIN_LENGTH * (at_most - len(due))
            some = pins[-room:].decode()
            del pins[-room:]
            due += (
                some[at : at + PIN_LENGTH] for at in range(0, len(some), PIN_LENGTH)
            )
            if not pins:
                del self._pins[second]
        return due
