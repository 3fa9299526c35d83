"""
Whether what clients were told about one key could come from a single copy of it that
does one thing after the other, each at some moment between question and answer.

This is the search of Wing and Gong (Testing and verifying concurrent objects, 1993)
with Lowe's memoisation (Testing for linearizability, 2017): what was once tried in
vain, the same operations done with the same value left, is not tried again.
"""

from collections.abc import Sequence
from enum import Enum
from math import inf

from attrs import frozen


class Kind(Enum):
    """
    What is done with the key.
    """

    ADD = "add"
    CHANGE = "change"
    DELETE = "delete"
    READ = "read"


class Outcome(Enum):
    """
    What the client was told.
    """

    DONE = "done"
    MISSING = "missing"
    EXISTS = "exists"
    OTHER = "other"
    """It has another value than the one that was expected."""

    UNKNOWN = "unknown"


@frozen(kw_only=True)
class Operation:
    """
    One question and its answer.

    :ivar value: what was to be written, or what was read.
    :ivar expected: the value that the key must have for it to be done; ``None`` if
        any will do.
    :ivar begun: when it was asked, and
    :ivar ended: when it was answered; never, if the outcome is unknown.
    """

    kind: Kind
    outcome: Outcome
    value: str | None = None
    expected: str | None = None
    begun: float
    ended: float = inf

    def applied(self, now: str | None) -> tuple[Outcome, str | None]:
        """
        Return what has to be answered when the key has a value, or ``None``, and what
        it has afterwards.
        """
        if self.kind is Kind.ADD:
            return (Outcome.DONE, self.value) if now is None else (Outcome.EXISTS, now)
        if now is None:
            return Outcome.MISSING, None
        if self.expected not in (None, now):
            return Outcome.OTHER, now
        if self.kind is Kind.READ:
            return Outcome.DONE, now
        return Outcome.DONE, self.value if self.kind is Kind.CHANGE else None

    def fits(self, now: str | None) -> tuple[bool, str | None]:
        """
        Say whether that is what was answered, and what the key has afterwards.
        """
        outcome, after = self.applied(now)
        if self.outcome is Outcome.UNKNOWN:
            return True, after
        read = self.kind is Kind.READ and outcome is Outcome.DONE
        return outcome is self.outcome and (not read or now == self.value), after


def linearizable(history: Sequence[Operation]) -> bool:
    """
    Say whether there is an order in which all fits, beginning without the key.

    What has an unknown outcome may have been done at any time since, or never.
    """
    known = sum(
        1 << number
        for number, operation in enumerate(history)
        if operation.outcome is not Outcome.UNKNOWN
    )
    tried: set[tuple[int, str | None]] = set()
    left: list[tuple[int, str | None]] = [(0, None)]
    while left:
        done, now = left.pop()
        if done & known == known:
            return True
        if (done, now) in tried:
            continue
        tried.add((done, now))
        waiting = [
            (number, operation)
            for number, operation in enumerate(history)
            if not done >> number & 1
        ]
        # What began after another had its answer cannot come before it.
        first_end = min(operation.ended for _, operation in waiting)
        next_ones = []
        for number, operation in waiting:
            fits, after = operation.fits(now)
            if operation.begun > first_end or not fits:
                continue
            if after != now:
                next_ones.append((done | 1 << number, after))
            elif known >> number & 1:
                # It changes nothing, so to have it now is as good as at any time.
                next_ones = [(done | 1 << number, now)]
                break
        left += next_ones
    return False
