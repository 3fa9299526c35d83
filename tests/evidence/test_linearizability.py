"""
The checker of histories knows good from bad.
"""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.evidence.linearizability import Kind, Operation, Outcome, linearizable

ADD, CHANGE, DELETE, READ = Kind
DONE, MISSING, EXISTS, OTHER, UNKNOWN = Outcome


def operation(
    kind: Kind,
    value: str | None,
    outcome: Outcome,
    begun: float,
    ended: float = float("inf"),
    expected: str | None = None,
) -> Operation:
    return Operation(
        kind=kind,
        value=value,
        outcome=outcome,
        begun=begun,
        ended=ended,
        expected=expected,
    )


ADDED = operation(ADD, "1", DONE, 0, 1)
GOOD = {
    "nothing": [],
    "one after the other": [
        operation(READ, None, MISSING, 0, 1),
        operation(ADD, "1", DONE, 2, 3),
        operation(ADD, "2", EXISTS, 4, 5),
        operation(READ, "1", DONE, 6, 7),
        operation(CHANGE, "3", DONE, 8, 9, expected="1"),
        operation(CHANGE, "4", OTHER, 10, 11, expected="1"),
        operation(DELETE, None, DONE, 12, 13),
        operation(DELETE, None, MISSING, 14, 15),
    ],
    "a read at the same time sees either": [
        ADDED,
        operation(CHANGE, "2", DONE, 2, 9),
        operation(READ, "1", DONE, 3, 4),
        operation(READ, "2", DONE, 5, 6),
    ],
    "what is unknown is done late": [
        ADDED,
        operation(CHANGE, "2", UNKNOWN, 2),
        operation(READ, "1", DONE, 3, 4),
        operation(READ, "2", DONE, 5, 6),
    ],
    "what is unknown is never done": [
        ADDED,
        operation(DELETE, None, UNKNOWN, 2),
        operation(READ, "1", DONE, 3, 4),
    ],
    "one of two compares and sets": [
        ADDED,
        operation(CHANGE, "2", DONE, 2, 5, expected="1"),
        operation(CHANGE, "3", OTHER, 2, 5, expected="1"),
    ],
}
BAD = {
    "a value that nobody wrote": [operation(READ, "1", DONE, 0, 1)],
    "a stale read": [
        ADDED,
        operation(CHANGE, "2", DONE, 2, 3),
        operation(READ, "1", DONE, 4, 5),
    ],
    "a write that is lost": [ADDED, operation(READ, None, MISSING, 2, 3)],
    "a deletion that is undone": [
        ADDED,
        operation(DELETE, None, DONE, 2, 3),
        operation(READ, "1", DONE, 4, 5),
    ],
    "both of two compare and set": [
        ADDED,
        operation(CHANGE, "2", DONE, 2, 5, expected="1"),
        operation(CHANGE, "3", DONE, 2, 5, expected="1"),
    ],
    "a read goes back behind another": [
        ADDED,
        operation(CHANGE, "2", UNKNOWN, 2),
        operation(READ, "2", DONE, 3, 4),
        operation(READ, "1", DONE, 5, 6),
    ],
    "two are added": [ADDED, operation(ADD, "2", DONE, 0, 1)],
    "what is unknown is done twice": [
        ADDED,
        operation(CHANGE, "2", UNKNOWN, 2),
        operation(READ, "2", DONE, 3, 4),
        operation(CHANGE, "3", DONE, 5, 6),
        operation(READ, "2", DONE, 7, 8),
    ],
    "done before it was asked": [
        ADDED,
        operation(READ, "2", DONE, 2, 3),
        operation(CHANGE, "2", DONE, 4, 5),
    ],
}


@pytest.mark.parametrize("name", GOOD)
def test_good(name: str) -> None:
    assert linearizable(GOOD[name])


@pytest.mark.parametrize("name", BAD)
def test_bad(name: str) -> None:
    assert not linearizable(BAD[name])


values = st.sampled_from(["1", "2"])
moments = st.integers(0, 6)


@st.composite
def operations(draw: st.DrawFn) -> Operation:
    kind = draw(st.sampled_from(Kind))
    outcome = draw(st.sampled_from(Outcome))
    begun = draw(moments)
    return operation(
        kind,
        None if kind is DELETE else draw(values),
        outcome,
        begun,
        float("inf") if outcome is UNKNOWN else begun + draw(moments),
        draw(st.none() | values) if kind in (CHANGE, DELETE) else None,
    )


def in_some_order(history: list[Operation]) -> bool:
    """
    Say the same by trying all orders of all choices of what is unknown.
    """
    known = [one for one in history if one.outcome is not UNKNOWN]
    for length in range(len(known), len(history) + 1):
        for order in permutations(history, length):
            if all(one in order for one in known) and _fits(order):
                return True
    return False


def _fits(order: tuple[Operation, ...]) -> bool:
    now = None
    for place, one in enumerate(order):
        if any(later.ended < one.begun for later in order[place:]):
            return False
        fits, now = one.fits(now)
        if not fits:
            return False
    return True


@given(st.lists(operations(), max_size=5, unique=True))
def test_it_says_what_trying_everything_says(history: list[Operation]) -> None:
    assert linearizable(history) is in_some_order(history)
