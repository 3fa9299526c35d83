"""
Who is told, when, and how little is left afterwards.
"""

import pytest
from attrs import define, field
from twisted.internet.task import Clock

from cvmpair.core.errors import Stopping, TooManyWaiters
from cvmpair.core.model import Cluster, Key, Token
from cvmpair.core.packing import Packed, pack
from cvmpair.core.tokens import issue
from cvmpair.core.watchers import ALL_WAITERS, SLICE, Question, Watchers

PIN = "enico1qq0oey"
OTHER = "enico1qq0oez"


def state(version: int, tokens: tuple[Token, ...] | None = None, **keys: int) -> Packed:
    """
    Return a cluster of that version, with keys of these versions.
    """
    return pack(
        Cluster(
            pin=PIN,
            created=0.0,
            lifetime=60.0,
            version=version,
            keys=tuple(
                Key(name=name, value="open", version=v) for name, v in keys.items()
            ),
            tokens=tokens,
        )
    )


TOKEN = issue("read", now=0.0, draw=lambda _: 1)[0]
PROTECTED = state(7, (TOKEN,), sesame=7)


@define(eq=False)
class Told:
    """
    A waiter who notes what he is told.
    """

    heard: list[object] = field(factory=list)

    def told(self, packed: Packed | None) -> None:
        self.heard.append(packed)

    def timed_out(self) -> None:
        self.heard.append("timed out")

    def sent_away(self) -> None:
        self.heard.append("sent away")


def turn(clock: Clock) -> None:
    """
    Make the calls that are due, but not yet those that they ask for.
    """
    for call in clock.getDelayedCalls():
        if call.getTime() <= clock.seconds() and call.active():
            clock.calls.remove(call)
            call.called = 1
            call.func(*call.args, **call.kw)


@pytest.fixture
def watchers(clock: Clock) -> Watchers:
    return Watchers(clock=clock, limit=3 * SLICE)


KEY = Question(pin=PIN, name="sesame")
CLUSTER = Question(pin=PIN, known=frozenset({7}))


@pytest.mark.parametrize(
    ("name", "known", "packed", "news"),
    [
        ("sesame", (), None, True),
        ("sesame", (), state(7), False),
        ("sesame", (), state(7, other=7), False),
        ("sesame", (), state(7, sesame=7), True),
        ("sesame", (7,), state(7, sesame=7), False),
        ("sesame", (7,), state(8, sesame=7), False),
        ("sesame", (7,), state(8, sesame=8), True),
        ("sesame", (7, 8), state(8, sesame=8), False),
        # A crash may have lost what somebody knows.
        ("sesame", (7,), state(6, sesame=6), True),
        ("sesame", (7,), state(8), True),
        ("sesame", None, state(7, sesame=7), False),
        ("sesame", None, state(8), True),
        ("sesame", None, None, True),
        (None, (), state(7), True),
        (None, (7,), state(7), False),
        (None, (7,), state(8, sesame=8), True),
        (None, (7,), None, True),
        (None, None, state(7), False),
        (None, None, None, True),
    ],
)
def test_what_is_news(
    name: str | None,
    known: tuple[int, ...] | None,
    packed: Packed | None,
    *,
    news: bool,
) -> None:
    versions = None if known is None else frozenset(known)
    question = Question(pin=PIN, name=name, known=versions)
    assert question.is_news(packed) is news


@pytest.mark.parametrize(
    ("token", "news"), [(None, False), (TOKEN.id, False), ("aaaaaaaa", True)]
)
@pytest.mark.parametrize("name", ["sesame", None])
def test_that_a_token_is_gone_is_news(
    name: str | None, token: str | None, *, news: bool
) -> None:
    question = Question(pin=PIN, name=name, known=frozenset({7}), token=token)
    assert question.is_news(PROTECTED) is news


def test_news_come_in_a_later_turn(watchers: Watchers, clock: Clock) -> None:
    told = Told()
    watchers.wait(KEY, 60, told)
    news = state(8, sesame=8)
    watchers.tell({PIN: news})
    assert told.heard == []
    clock.advance(0)
    assert told.heard == [news]
    assert told.heard[0] is news
    assert len(watchers) == 0
    assert clock.getDelayedCalls() == []


def test_what_is_no_news_is_not_told(watchers: Watchers, clock: Clock) -> None:
    told = Told()
    place = watchers.wait(KEY, 60, told)
    watchers.tell({PIN: state(8, other=8), OTHER: state(9, sesame=9)})
    clock.advance(1)
    assert told.heard == []
    watchers.leave(place)
    assert clock.getDelayedCalls() == []


def test_the_first_news_count(watchers: Watchers, clock: Clock) -> None:
    told = Told()
    watchers.wait(KEY, 60, told)
    watchers.tell({PIN: state(8, sesame=8)})
    watchers.tell({PIN: state(9, sesame=9)})
    clock.advance(0)
    assert told.heard == [state(8, sesame=8)]


@pytest.mark.parametrize("seconds", [1, 59.97, 60, 300])
def test_a_waiter_times_out(watchers: Watchers, clock: Clock, seconds: float) -> None:
    clock.advance(0.25)
    told = Told()
    watchers.wait(KEY, seconds, told)
    clock.advance(seconds - 0.01)
    clock.advance(0)
    assert told.heard == []
    clock.advance(0.11)
    clock.advance(0)
    assert told.heard == ["timed out"]
    assert len(watchers) == 0
    assert clock.getDelayedCalls() == []


def test_who_was_woken_in_time_does_not_time_out(
    watchers: Watchers, clock: Clock
) -> None:
    waiters = [Told() for _ in range(SLICE + 1)]
    for waiter in waiters:
        watchers.wait(KEY, 10, waiter)
    watchers.tell({PIN: None})
    turn(clock)
    assert waiters[-1].heard == []
    clock.rightNow = 11.0
    turn(clock)
    turn(clock)
    assert waiters[-1].heard == [None]
    assert clock.getDelayedCalls() == []


def test_there_is_one_timer(watchers: Watchers, clock: Clock) -> None:
    places = [watchers.wait(KEY, 1 + number, Told()) for number in range(100, 0, -1)]
    (timer,) = clock.getDelayedCalls()
    assert timer.getTime() == pytest.approx(2)
    for place in places:
        watchers.leave(place)
    assert clock.getDelayedCalls() == []
    assert len(watchers) == 0


def test_who_left_is_not_told(watchers: Watchers, clock: Clock) -> None:
    early, late, stays = Told(), Told(), Told()
    watchers.leave(watchers.wait(KEY, 60, early))
    place = watchers.wait(KEY, 60, late)
    watchers.wait(KEY, 60, stays)
    watchers.tell({PIN: None})
    watchers.leave(place)
    clock.advance(0)
    watchers.leave(place)
    assert (early.heard, late.heard, stays.heard) == ([], [], [None])
    assert len(watchers) == 0


def test_they_are_told_in_slices(watchers: Watchers, clock: Clock) -> None:
    waiters = [Told() for _ in range(2 * SLICE + 1)]
    for waiter in waiters:
        watchers.wait(KEY, 60, waiter)
    watchers.tell({PIN: None})
    counts = []
    for _ in range(3):
        turn(clock)
        counts.append(sum(bool(waiter.heard) for waiter in waiters))
    assert counts == [SLICE, 2 * SLICE, 2 * SLICE + 1]
    assert [waiter.heard for waiter in waiters] == [[None]] * len(waiters)


def test_one_too_many_is_refused_until_there_is_room(
    watchers: Watchers, clock: Clock
) -> None:
    counted: list[str] = []
    watchers.refused = counted.append
    places = [watchers.wait(KEY, 60, Told()) for _ in range(watchers.limit)]
    with pytest.raises(TooManyWaiters) as refused:
        watchers.wait(CLUSTER, 60, Told())
    assert refused.value.limit == watchers.limit
    assert counted == [ALL_WAITERS]
    watchers.leave(places[0])
    watchers.wait(CLUSTER, 60, Told())
    watchers.stop()
    clock.pump([0] * 10)
    assert len(watchers) == 0


def test_all_are_sent_away(watchers: Watchers, clock: Clock) -> None:
    waiters = [Told(), Told()]
    watchers.wait(KEY, 60, waiters[0])
    watchers.wait(CLUSTER, 60, waiters[1])
    watchers.stop()
    with pytest.raises(Stopping):
        watchers.wait(KEY, 60, Told())
    clock.advance(0)
    assert [waiter.heard for waiter in waiters] == [["sent away"], ["sent away"]]
    assert clock.getDelayedCalls() == []


def test_an_error_of_one_is_no_harm_to_others(watchers: Watchers, clock: Clock) -> None:
    class Broken(Told):
        def told(self, _packed: Packed | None) -> None:
            raise RuntimeError("planted")

    told = Told()
    watchers.wait(KEY, 60, Broken())
    watchers.wait(KEY, 60, told)
    watchers.tell({PIN: None})
    with pytest.raises(RuntimeError, match="planted"):
        clock.advance(0)
    clock.advance(0)
    assert told.heard == [None]


def test_who_comes_while_others_are_told_waits_for_the_next(
    watchers: Watchers, clock: Clock
) -> None:
    first, second = Told(), Told()
    watchers.wait(CLUSTER, 60, first)
    watchers.tell({PIN: state(8)})
    watchers.wait(Question(pin=PIN, known=frozenset({8})), 60, second)
    clock.advance(0)
    assert (first.heard, second.heard) == ([state(8)], [])
    watchers.tell({PIN: state(9)})
    clock.advance(0)
    assert second.heard == [state(9)]
