"""
A number that grows, and those who wait for it.
"""

from collections.abc import Callable

from twisted.internet.defer import Deferred

from cvmpair.core.errors import StoreUnavailable

Tell = Callable[[StoreUnavailable | None], None]
"""What is called once something is durable, or with an error if it will not be."""


class Progress:
    """
    How far something has come.

    :ivar reached: the last number.
    """

    def __init__(self) -> None:
        self.reached = 0
        self._waiting: list[tuple[int, Tell]] = []

    @property
    def awaited(self) -> bool:
        """
        Whether anybody waits.
        """
        return bool(self._waiting)

    def when(self, number: int, tell: Tell) -> None:
        """
        Call back when a number is reached that is not yet.
        """
        self._waiting.append((number, tell))

    def wait(self, number: int) -> Deferred[None]:
        """
        Return what fires when a number is reached that is not yet, or with
        :class:`~cvmpair.core.errors.StoreUnavailable` if it will not be.
        """
        over: Deferred[None] = Deferred()
        self.when(
            number,
            lambda error: over.errback(error) if error else over.callback(None),
        )
        return over

    def advance(self, number: int) -> None:
        """
        Reach a number, and tell who waited for it or for one before.
        """
        self.reached = number
        waiting, self._waiting = self._waiting, []
        for awaited, tell in waiting:
            if awaited <= number:
                tell(None)
            else:
                self._waiting.append((awaited, tell))

    def fail(self, error: StoreUnavailable) -> None:
        """
        Tell all who wait that they wait in vain.
        """
        waiting, self._waiting = self._waiting, []
        for _, tell in waiting:
            tell(error)
