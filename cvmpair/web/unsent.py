"""
Answers that wait for clients to read them, of all connections.

However many clients ask for large answers and do not read them, there is a bound on
what is kept for them. Who reads nothing for a while is cut, and the sooner the more of
the room is taken.
"""

from collections.abc import Callable, Iterator
from typing import Final, Protocol

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall, IReactorTime

LIMIT: Final = "unsent"

MOST_UNSENT: Final = 64 * 1024 * 1024
"""The bytes of answers for which there is room."""

LOOK: Final = 1.0
"""The seconds between two looks at what clients have read."""

PATIENCE: Final = 6.0
"""The seconds without any progress after which a client is cut."""

HURRY: Final = 2.0
"""The same while more than half of the room is taken."""


AT_ONCE: Final = 50
"""
How many are cut in one turn of the reactor: thousands that came together would take it
for most of a second.
"""


class Sender(Protocol):
    """
    A connection that has something to send, or to end.
    """

    def unsent(self) -> int:
        """
        Return how many bytes of answers the kernel has not taken yet.
        """

    def cut(self) -> None:
        """
        End it, whatever is unsent.
        """


@define
class _Rest:
    """
    What a connection had unsent when last looked at, and since when it is the same.
    """

    size: int
    since: float


@define(eq=False, kw_only=True)
class UnsentAnswers:
    """
    The connections whose clients have to read, or to go, before anything else happens.

    :ivar room: how many bytes there may be of answers.
    :ivar refused: is called with the name of the limit for each refusal.
    :ivar size: how many bytes there were when each was last looked at.
    """

    clock: IReactorTime
    room: int = MOST_UNSENT
    refused: Callable[[str], None] = lambda _: None
    size: int = field(init=False, default=0)
    _rests: dict[Sender, _Rest] = field(init=False, factory=dict)
    _look: IDelayedCall | None = field(init=False, default=None)

    def has_room(self, size: int) -> bool:
        """
        Say whether there is room for one more answer.
        """
        if self.size + size <= self.room:
            return True
        self.refused(LIMIT)
        return False

    def watch(self, sender: Sender) -> None:
        """
        Look after a connection from now on, and count what it has unsent.
        """
        size = sender.unsent()
        rest = self._rests.get(sender)
        if rest is None:
            rest = self._rests[sender] = _Rest(0, self.clock.seconds())
        self.size += size - rest.size
        rest.size = size
        if self._look is None:
            self._look = self.clock.callLater(LOOK, self._look_at_all)

    def forget(self, sender: Sender) -> None:
        """
        Look after a connection no more.
        """
        rest = self._rests.pop(sender, None)
        if rest is None:
            return
        self.size -= rest.size
        if not self._rests and self._look is not None:
            self._look.cancel()
            self._look = None

    def _look_at_all(self) -> None:
        self._look_at_some(iter(list(self._rests.items())))

    def _look_at_some(self, some: Iterator[tuple[Sender, _Rest]]) -> None:
        self._look, now = None, self.clock.seconds()
        patience = HURRY if self.size > self.room // 2 else PATIENCE
        cut = 0
        for sender, rest in some:
            if sender not in self._rests:
                continue  # it went since the turn before
            size = sender.unsent()
            if size != rest.size:
                self.size += size - rest.size
                rest.size, rest.since = size, now
            elif now - rest.since >= patience:
                sender.cut()
                self.forget(sender)
                cut += 1
                if cut == AT_ONCE:
                    break
        if not self._rests:
            return
        if cut == AT_ONCE:
            self._look = self.clock.callLater(0, self._look_at_some, some)
        else:
            self._look = self.clock.callLater(LOOK, self._look_at_all)
