"""
What polling may spend, and what it says when there is no answer.
"""

from typing import Final

from attrs import field, frozen
from attrs.validators import ge, optional

TRIES: Final = 50
"""How often the original boot agents asked (``08-cluster-pairing``, line 21)."""

DELAY: Final = 25.0
"""The seconds that they waited at least before the next try."""

JITTER: Final = 9.0
"""The seconds that chance could add to it."""


class NotYet(Exception):
    """
    There is no answer yet, but asking again makes sense.

    :ivar reason: what is still missing, as is shown to people.
    :ivar retry_after: the seconds that the other side wants to be left alone.
    :ivar pause: the seconds after which to ask again in place of the usual delay,
        where the other side has done the waiting.
    """

    def __init__(
        self,
        reason: str,
        retry_after: float | None = None,
        *,
        pause: float | None = None,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after
        self.pause = pause


class GaveUp(Exception):
    """
    The budget is spent.

    :ivar tries: how often it was asked.
    :ivar seconds: for how long.
    :ivar last: what came instead of an answer to the last try that was heard of, or
        ``None`` if there was none.
    """

    def __init__(self, tries: int, seconds: float, last: NotYet | None) -> None:
        reason = "no answer" if last is None else last.reason
        super().__init__(f"gave up after {tries} tries in {seconds:.0f} s: {reason}")
        self.tries = tries
        self.seconds = seconds
        self.last = last


@frozen(kw_only=True)
class Budget:
    """
    How much may be spent; ``None`` for no bound.

    :ivar tries: how often to ask.
    :ivar seconds: when to have an answer, counted from the start.
    """

    tries: int | None = field(default=None, validator=optional(ge(1)))
    seconds: float | None = field(default=None, validator=optional(ge(0)))
