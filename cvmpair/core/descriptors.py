"""
How many connections there may be in all: as many as there are file descriptors for.

Whoever cannot be served is told so, which takes a descriptor too; some are set aside
for that, beside those that the daemon needs for files of its own.
"""

import sys
from collections.abc import Callable
from typing import Final

from attrs import define, field

LIMIT: Final = "descriptors"

OWN_FILES: Final = 32
"""
Descriptors that are for no connection: the state and its lock, what listens, the log,
and what the reactor needs. These are about 15, and some more while it recovers.
"""

SHARE: Final = 8
"""Of so many descriptors for connections, one is for a client that is sent away."""

MOST_SPARE: Final = 256
"""How many of these there are at most."""


@define(eq=False)
class Descriptors:
    """
    The descriptors that connections take.

    :ivar open_files: how many files the process may have open; ``None`` if there is no
        limit.
    :ivar refused: is called with the name of the limit for each refusal.
    :ivar served: how many connections are served at the same time.
    :ivar spare: how many more there may be, to be told that they are too many.
    """

    open_files: int | None = None
    refused: Callable[[str], None] = lambda _: None
    served: int = field(init=False)
    spare: int = field(init=False)
    _admitted: int = field(init=False, default=0)
    _sent_away: int = field(init=False, default=0)

    def __attrs_post_init__(self) -> None:
        most = sys.maxsize if self.open_files is None else self.open_files
        room = max(most - OWN_FILES, 2)
        self.spare = max(min(room // SHARE, MOST_SPARE), 1)
        self.served = room - self.spare

    def enter(self, *, privileged: bool) -> bool:
        """
        Count a new connection, and say whether it is to be served.

        :param privileged: whether a spare descriptor will do for that.
        """
        if privileged:
            admitted = self.taken < self.served + self.spare
        else:
            admitted = self._admitted < self.served
        if admitted:
            self._admitted += 1
        else:
            self._sent_away += 1
            self.refused(LIMIT)
        return admitted

    @property
    def taken(self) -> int:
        """
        How many connections there are.
        """
        return self._admitted + self._sent_away

    @property
    def are_exhausted(self) -> bool:
        """
        Whether there are more connections by now than may even be told anything.
        """
        return self.taken > self.served + self.spare

    def leave(self, *, admitted: bool) -> None:
        """
        Take notice of the end of a connection, with what was said at its beginning.
        """
        if admitted:
            self._admitted -= 1
        else:
            self._sent_away -= 1
