"""
Delays: what they are, with chance passed in.
"""

from collections.abc import Iterator
from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from cvmpair.core.backoff import exponential, steady

seconds = st.floats(0.001, 10_000)
chances = st.lists(st.floats(0, 1), min_size=10, max_size=10)


def first_ten(delays: Iterator[float]) -> list[float]:
    return list(islice(delays, 10))


def test_steady_adds_a_part_of_the_jitter() -> None:
    random = iter([0.0, 0.5, 1.0]).__next__
    assert list(islice(steady(25, 9, random), 3)) == [25, 29.5, 34]


def test_exponential_doubles_up_to_the_ceiling() -> None:
    expected = [1, 2, 4, 8, 16, 32, 60, 60, 60, 60]
    assert first_ten(exponential(1, 60)) == expected


def test_exponential_never_overflows() -> None:
    delays = exponential(1, 60)
    assert [delay for delay in islice(delays, 5000) if delay > 60] == []


def test_a_first_delay_above_the_ceiling() -> None:
    assert first_ten(exponential(90, 60)) == [60] * 10


def test_exponential_with_chance_halves_at_most() -> None:
    random = iter([0.0, 0.5, 1.0]).__next__
    assert list(islice(exponential(8, 60, random), 3)) == [8, 12, 16]


@given(delay=seconds, jitter=seconds, chances=chances)
def test_steady_stays_in_its_bounds(delay, jitter, chances) -> None:
    for one in first_ten(steady(delay, jitter, iter(chances).__next__)):
        assert delay <= one <= delay + jitter


@given(first=seconds, ceiling=seconds, chances=chances)
def test_exponential_stays_in_its_bounds(first, ceiling, chances) -> None:
    whole = first_ten(exponential(first, ceiling))
    parts = first_ten(exponential(first, ceiling, iter(chances).__next__))
    for one, part in zip(whole, parts, strict=True):
        assert min(first, ceiling) <= one <= ceiling
        assert one / 2 <= part <= one
