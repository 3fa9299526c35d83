import gc
from itertools import chain
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvmpair.core.deadlines import Deadlines

PIN = "abcdefghijkl"
EARLY, LATE = "earlyearly00", "latelatelate"

TIMES = st.floats(min_value=-10, max_value=10) | st.floats(1e9, 1e9 + 10)
OPERATIONS = st.lists(
    st.tuples(st.just("add"), TIMES)
    | st.tuples(st.just("discard"), st.integers(0, 100))
    | st.tuples(st.just("pop"), st.tuples(TIMES, st.integers(0, 5))),
    max_size=60,
)


@pytest.fixture
def deadlines() -> Deadlines:
    return Deadlines()


def test_nothing_is_due_without_deadlines(deadlines: Deadlines) -> None:
    assert deadlines.next() is None
    assert deadlines.pop_due(1e12, at_most=10) == []


def test_never_early_and_at_most_a_second_late(deadlines: Deadlines) -> None:
    deadlines.add(PIN, 10.25)
    assert deadlines.next() == 11
    assert deadlines.pop_due(10.999, at_most=10) == []
    assert deadlines.pop_due(11.0, at_most=10) == [PIN]


def test_a_whole_second_is_not_rounded(deadlines: Deadlines) -> None:
    deadlines.add(PIN, 10.0)
    assert deadlines.pop_due(10.0, at_most=1) == [PIN]


def test_the_earliest_come_first_in_portions(deadlines: Deadlines) -> None:
    for pin, deadline in [("c", 3), ("a", 1), ("d", 4), ("b", 2)]:
        deadlines.add(12 * pin, deadline)
    assert deadlines.pop_due(3, at_most=2) == [12 * "a", 12 * "b"]
    assert deadlines.pop_due(3, at_most=2) == [12 * "c"]
    assert deadlines.next() == 4


def test_a_portion_may_end_within_a_second(deadlines: Deadlines) -> None:
    for letter in "abc":
        deadlines.add(12 * letter, 1)
    portions = [deadlines.pop_due(1, at_most=2) for _ in range(3)]
    assert [len(portion) for portion in portions] == [2, 1, 0]
    assert sorted(chain(*portions)) == [12 * letter for letter in "abc"]


def test_what_was_discarded_is_never_due(deadlines: Deadlines) -> None:
    deadlines.add(EARLY, 1)
    deadlines.add(LATE, 2)
    deadlines.discard(EARLY, 1)
    assert deadlines.next() == 2
    assert deadlines.pop_due(5, at_most=5) == [LATE]


def test_an_emptied_second_can_be_used_again(deadlines: Deadlines) -> None:
    deadlines.add(EARLY, 1.5)
    deadlines.discard(EARLY, 1.5)
    deadlines.add(LATE, 1.5)
    assert deadlines.next() == 2
    assert deadlines.pop_due(2, at_most=5) == [LATE]
    assert deadlines.next() is None


def test_discarding_what_is_not_there_is_a_defect(deadlines: Deadlines) -> None:
    deadlines.add(EARLY, 1)
    with pytest.raises(ValueError, match="not found"):
        deadlines.discard(PIN, 1)


@given(OPERATIONS)
def test_like_a_plain_dictionary(operations) -> None:
    deadlines = Deadlines()
    model: dict[str, float] = {}
    for number, (what, argument) in enumerate(operations):
        if what == "add":
            pin = f"{number:012}"
            deadlines.add(pin, argument)
            model[pin] = argument
        elif what == "discard" and model:
            pin = sorted(model)[argument % len(model)]
            deadlines.discard(pin, model.pop(pin))
        elif what == "pop":
            now, at_most = argument
            due = deadlines.pop_due(now, at_most)
            seconds = [ceil(model.pop(pin)) for pin in due]
            rest = sorted(ceil(deadline) for deadline in model.values())
            assert seconds == sorted(seconds)
            assert all(second <= now for second in seconds)
            if len(due) < at_most:
                assert all(second > now for second in rest)
            elif due and rest:
                assert seconds[-1] <= rest[0]
        expected = min((ceil(deadline) for deadline in model.values()), default=None)
        assert deadlines.next() == expected


def test_what_comes_and_goes_leaves_nothing(deadlines: Deadlines) -> None:
    deadlines.add(EARLY, 1e9)
    for second in range(10_000):
        deadlines.add(LATE, second)
        deadlines.discard(LATE, second)
    assert len(deadlines._seconds) < 200
    assert len(deadlines._pins) == 1
    assert deadlines.next() == 1e9


def test_a_pin_is_not_mistaken_for_what_lies_across_two(deadlines: Deadlines) -> None:
    across, *others = pins = [6 * "ab", 6 * "ba", 6 * "ba"]
    assert across in "".join(others)
    for pin in [*others, across]:
        deadlines.add(pin, 1)
    deadlines.discard(across, 1)
    assert deadlines.pop_due(1, at_most=5) == pins[1:]
    deadlines.add(others[0], 2)
    deadlines.add(others[0], 2)
    with pytest.raises(ValueError, match="not found"):
        deadlines.discard(across, 2)


def test_the_garbage_collector_takes_no_interest(deadlines: Deadlines) -> None:
    for number in range(100):
        deadlines.add(f"{number:012}", number % 10)
    gc.collect()
    assert not any(map(gc.is_tracked, deadlines._pins.values()))
