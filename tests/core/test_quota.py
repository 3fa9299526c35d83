"""
How much one client may do: against a plain model, and within bounds.
"""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvmpair.core.errors import TooManyRequests
from cvmpair.core.quota import WINDOW, Quota, Tally

Step = tuple[str, int, float]

STEPS = st.lists(
    st.tuples(
        st.sampled_from("abcd"),
        st.integers(0, 6),
        st.sampled_from([0.0, 0.0, 1.0, 7.0, 30.0, 59.0, 60.0]),
    ),
    max_size=60,
)


def tried(quota: Quota, client: str, mark: int, now: float) -> float | None:
    """
    Try, and return after how long to try again, or ``None`` if it was let be.
    """
    try:
        quota.check(client, mark, now)
    except TooManyRequests as error:
        return error.retry_after
    quota.count(client, mark, now)
    return None


def recent(done: list[tuple[str, int, float]], client: str, now: float) -> set[int]:
    return {mark for who, mark, when in done if who == client and when > now - WINDOW}


@given(steps=STEPS, limit=st.integers(1, 4))
def test_it_lets_be_what_a_plain_model_does(steps: list[Step], limit: int) -> None:
    refusals: Counter[str] = Counter()
    quota = Quota(
        name="guesses", limit=limit, refused=lambda n, _: refusals.update([n])
    )
    now, done, refused = 0.0, list[Step](), 0
    for client, mark, pause in steps:
        now += pause
        before = recent(done, client, now)
        retry_after = tried(quota, client, mark, now)
        if mark in before or len(before) < limit:
            assert retry_after is None
            done.append((client, mark, now))
        else:
            assert retry_after is not None
            refused += 1
            # A place is free then, and no sooner.
            assert len(recent(done, client, now + retry_after)) < limit
            assert len(recent(done, client, now + retry_after - 0.001)) == limit
        assert len(recent(done, client, now)) <= limit
    assert refusals.total() == refused
    active = {who for who, _, when in done if when > now - WINDOW}
    assert quota.size(now) == len(active)
    assert quota.exhausted <= active
    assert quota.size(now + WINDOW) == 0
    assert not quota.exhausted


@given(steps=STEPS, clients=st.integers(1, 3))
def test_it_remembers_no_more_clients_than_it_may(
    steps: list[Step], clients: int
) -> None:
    quota = Quota(name="guesses", limit=2, clients=clients)
    now, done = 0.0, list[Step]()
    for client, mark, pause in steps:
        now += pause
        before = recent(done, client, now)
        if tried(quota, client, mark, now) is None:
            done.append((client, mark, now))
        else:
            # To forget a client never makes it worse for one.
            assert len(before) >= 2
        # Not size(), which forgets.
        assert len(quota._windows) <= clients
        assert len(quota.exhausted) <= clients


@given(others=STEPS, limit=st.integers(1, 4))
def test_no_client_makes_a_difference_to_another(
    others: list[Step], limit: int
) -> None:
    alone, among = (Quota(name="guesses", limit=limit) for _ in range(2))
    now = 0.0
    for number, (client, mark, pause) in enumerate(others):
        now += pause
        tried(among, client, mark, now)
        outcomes = {tried(quota, "sesame", number, now) for quota in (alone, among)}
        assert len(outcomes) == 1


def test_the_client_that_was_idle_longest_is_forgotten() -> None:
    quota = Quota(name="guesses", limit=1, clients=2)
    for client, mark in [("a", 1), ("b", 1), ("a", 1), ("c", 1)]:
        assert tried(quota, client, mark, 0.0) is None
    assert tried(quota, "a", 2, 0.0) is not None
    assert tried(quota, "b", 2, 0.0) is None


def test_what_was_let_be_before_is_not_kept_beyond_the_limit() -> None:
    quota = Quota(name="guesses", limit=2)
    for mark in range(5):
        quota.count("a", mark, 0.0)
    assert len(quota._windows["a"]) == 2


def test_what_has_no_limit() -> None:
    for quota, client in [
        (Quota(name="guesses", limit=0), "a"),
        (Quota(name="guesses", limit=1), None),
    ]:
        for mark in range(100):
            quota.check(client, mark, 0.0)
            quota.count(client, mark, 0.0)
        assert quota.size(0.0) == 0


@given(
    steps=st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=40),
    limit=st.integers(1, 3),
)
def test_a_tally_is_a_plain_count(steps: list[tuple[str, bool]], limit: int) -> None:
    tally = Tally(name="waiters", limit=limit)
    counts: Counter[str] = Counter()
    for client, entering in steps:
        if entering and counts[client] == limit:
            with pytest.raises(TooManyRequests, match="Prefer: wait"):
                tally.enter(client)
        elif entering:
            tally.enter(client)
            counts[client] += 1
        elif counts[client]:
            tally.leave(client)
            counts[client] -= 1
        assert len(tally) == len(+counts)


def test_a_tally_without_a_limit() -> None:
    for tally, client in [
        (Tally(name="waiters", limit=0), "a"),
        (Tally(name="waiters", limit=1), None),
    ]:
        for _ in range(3):
            tally.enter(client)
        tally.leave(client)
        assert len(tally) == 0
