"""
How much one client may do, so that one cannot take all, or try all.

A client is what :mod:`cvmpair.core.clients` makes of an address; one without is not
limited, and a limit of 0 is none. What is remembered of clients is bounded, whatever
they do.
"""

from array import array
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from attrs import define, field

from cvmpair.core.clients import Client
from cvmpair.core.errors import TooManyRequests

WINDOW: Final = 60.0
"""The seconds for which something that a client did counts."""

MAX_CLIENTS: Final = 100_000
"""How many clients are remembered at the same time."""

Refused = Callable[[str, Client], None]
"""Takes the name of a limit and the client that has reached it."""

RETRY_AFTER: Final = 30.0
"""The seconds after which to ask again, where no time can be told."""


def ignore(_name: str, _client: Client) -> None:
    """
    Tell nobody of a refusal.
    """


@define(eq=False)
class _Window:
    """
    The marks of what one client did in the last :data:`WINDOW` seconds, oldest first;
    in arrays, because each takes a tenth of what it would in a dictionary.
    """

    marks: "array[int]" = field(factory=lambda: array("Q"))
    times: "array[float]" = field(factory=lambda: array("d"))

    def __len__(self) -> int:
        return len(self.marks)

    def is_over(self, now: float) -> bool:
        return not self.times or self.times[-1] <= now - WINDOW

    def forget(self, now: float) -> None:
        over = bisect_right(self.times, now - WINDOW)
        del self.marks[:over], self.times[:over]

    def add(self, mark: int, now: float) -> None:
        self.marks.append(mark)
        self.times.append(now)

    def remove(self, mark: int) -> None:
        place = self.marks.index(mark)
        del self.marks[place], self.times[place]


@define(eq=False, kw_only=True)
class Quota:
    """
    How many different things each client may do in any 60 seconds.

    Things are told apart by marks, numbers of 64 bits. To do the same thing again
    makes it the newest, and is not counted twice.

    :ivar name: of the limit.
    :ivar limit: how many.
    :ivar refused: is called for each refusal.
    :ivar clients: how many clients are remembered; of more, the one that did nothing
        for the longest time is forgotten.
    :ivar exhausted: those that had done all they may when last looked at. Nearly always
        there are none, so it is the first thing to ask.
    """

    name: str
    limit: int
    refused: Refused = ignore
    clients: int = MAX_CLIENTS
    exhausted: set[Client] = field(init=False, factory=set)
    # In the order in which they last did something. In a plain dictionary the way to
    # the first would lead past all that were removed before it.
    _windows: OrderedDict[Client, _Window] = field(init=False, factory=OrderedDict)

    def size(self, now: float) -> int:
        """
        Return how many clients are remembered.
        """
        self._forget(now)
        return len(self._windows)

    def check(self, client: Client | None, mark: int, now: float) -> None:
        """
        Let a client do something, or do it again.

        :raises TooManyRequests: if that would be one thing more than it may do.
        """
        if client is None or self.allows(client, mark, now):
            return
        self.refused(self.name, client)
        oldest = self._windows[client].times[0]
        raise TooManyRequests(self.name, oldest + WINDOW - now)

    def allows(self, client: Client, mark: int, now: float) -> bool:
        """
        Say whether a client may do something, or do it again.
        """
        if client not in self.exhausted:
            return True
        window = self._windows[client]
        window.forget(now)
        if len(window) >= self.limit:
            return mark in window.marks
        self.exhausted.discard(client)
        return True

    def count(self, client: Client | None, mark: int, now: float) -> None:
        """
        Take notice that a client did something that it was let do.
        """
        if client is None or not self.limit:
            return
        window = self._windows.setdefault(client, _Window())
        self._windows.move_to_end(client)
        window.forget(now)
        if mark in window.marks:
            window.remove(mark)
        # Of what was let be done before there was too much of it, no more is kept.
        if len(window) < self.limit:
            window.add(mark, now)
        if len(window) >= self.limit:
            self.exhausted.add(client)
        self._forget(now)

    def _forget(self, now: float) -> None:
        while self._windows:
            client, window = next(iter(self._windows.items()))
            if len(self._windows) <= self.clients and not window.is_over(now):
                return
            del self._windows[client]
            self.exhausted.discard(client)


@define(eq=False, kw_only=True)
class Tally:
    """
    How many of something each client may have at the same time.

    :ivar name: of the limit.
    :ivar limit: how many.
    :ivar refused: is called for each refusal.
    """

    name: str
    limit: int
    refused: Refused = ignore
    _counts: dict[Client, int] = field(init=False, factory=dict)

    def __len__(self) -> int:
        return len(self._counts)

    def enter(self, client: Client | None) -> None:
        """
        Count one more of a client's.

        :raises TooManyRequests: if it has as many as it may.
        """
        if client is None or not self.limit:
            return
        count = self._counts.get(client, 0)
        if count >= self.limit:
            self.refused(self.name, client)
            raise TooManyRequests(self.name, RETRY_AFTER)
        self._counts[client] = count + 1

    def leave(self, client: Client | None) -> None:
        """
        Count one less, of those that were counted.
        """
        if client is None or not self.limit:
            return
        self._counts[client] -= 1
        if not self._counts[client]:
            del self._counts[client]
