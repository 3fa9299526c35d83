"""
Waiting, whatever happens: against a model that looks at each waiter at each change.
"""

from typing import Any

from attrs import define, field
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
)
from twisted.internet.task import Clock

from cvmpair.core import watchers as module
from cvmpair.core.errors import TooManyWaiters
from cvmpair.core.model import Cluster, Key
from cvmpair.core.packing import Packed, find_key, pack, version_of
from cvmpair.core.watchers import Place, Question, Watchers
from cvmpair.core.wheel import TICK

LIMIT = 12
PINS = ["enico1qq0oey", "enico1qq0oez"]
NAMES = [None, "sesame", "other"]


def expected(question: Question, packed: Packed | None) -> bool:
    """
    Say whether this ends the waiting, by the words of the contract.
    """
    if packed is None:
        return True
    if question.name is None:
        version: int | None = version_of(packed)
    else:
        key = find_key(packed, question.name)
        version = key.version if key else None
    if question.known is None:
        return version is None
    if version is None:
        return bool(question.known)
    return version not in question.known


@define(eq=False)
class Somebody:
    """
    One who waits, what he is to hear, and what he has heard.

    :ivar due: what the model says that he is to be told; nothing yet if empty.
    """

    question: Question
    until: float
    place: Place | None = None
    due: list[Any] = field(factory=list)
    heard: list[Any] = field(factory=list)
    left: bool = False

    def told(self, packed: Packed | None) -> None:
        self.heard.append(packed)

    def timed_out(self) -> None:
        self.heard.append("timed out")

    def sent_away(self) -> None:
        self.heard.append("sent away")

    @property
    def waits(self) -> bool:
        return not self.left and not self.heard


class Waiting(RuleBasedStateMachine):
    """
    Two clusters that change, and those who wait for that.
    """

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.clock.rightNow = 1000.03
        self.watchers = Watchers(clock=self.clock, limit=LIMIT)
        self.version = 0
        self.states: dict[str, Packed | None] = {
            pin: pack(Cluster(pin=pin, created=0.0, lifetime=1.0, version=0))
            for pin in PINS
        }
        self.people: list[Somebody] = []
        self.stopped = False

    @invariant()
    def those_who_wait_are_counted(self) -> None:
        waiting = sum(one.waits for one in self.people)
        assert len(self.watchers) == waiting <= LIMIT

    @invariant()
    def nobody_is_told_twice_or_what_is_not_so(self) -> None:
        for one in self.people:
            assert len(one.heard) <= 1
            if one.left:
                assert one.heard == []
            elif one.heard:
                assert one.heard == one.due
                assert one.heard[0] is one.due[0]

    @invariant()
    def nothing_is_left_of_those_who_are_gone(self) -> None:
        if not len(self.watchers):
            assert self.watchers._groups == {}
            assert self.watchers._wheel._items == {}
            assert self.watchers._wheel._timer is None

    @invariant()
    def there_are_two_timers_at_most(self) -> None:
        assert len(self.clock.getDelayedCalls()) <= 2

    @precondition(lambda self: not self.stopped)
    @rule(
        pin=st.sampled_from(PINS),
        name=st.sampled_from(NAMES),
        known=st.sampled_from(["nothing", "everything", "the last", "an old one"]),
        seconds=st.sampled_from([0.0, 0.05, 1.0, 1.0, 30.0]),
    )
    def wait(self, pin: str, name: str | None, known: str, seconds: float) -> None:
        versions = {
            "nothing": frozenset(),
            "everything": None,
            "the last": frozenset({self.version}),
            "an old one": frozenset({max(0, self.version - 2)}),
        }[known]
        question = Question(pin=pin, name=name, known=versions)
        news = expected(question, self.states[pin])
        assert question.is_news(self.states[pin]) == news
        if news:
            return
        one = Somebody(question, self.clock.seconds() + seconds)
        full = sum(one.waits for one in self.people) >= LIMIT
        try:
            one.place = self.watchers.wait(question, seconds, one)
        except TooManyWaiters:
            assert full
        else:
            assert not full
            self.people.append(one)

    @precondition(lambda self: self.people)
    @rule(number=st.integers(0, 1000))
    def leave(self, number: int) -> None:
        one = self.people[number % len(self.people)]
        self.watchers.leave(one.place)
        one.left = one.left or not one.heard

    @rule(
        changes=st.dictionaries(
            st.sampled_from(PINS),
            st.sampled_from(["gone", "sesame", "other", "without sesame"]),
            max_size=2,
        )
    )
    def change(self, changes: dict[str, str]) -> None:
        told = {}
        for pin, what in changes.items():
            self.version += 1
            told[pin] = self.states[pin] = self.changed(pin, what)
        self.watchers.tell(told)
        for one in self.people:
            pin = one.question.pin
            if not one.due and pin in told and expected(one.question, told[pin]):
                one.due.append(told[pin])

    def changed(self, pin: str, what: str) -> Packed | None:
        if what == "gone":
            return None
        before, keys = self.states[pin], []
        for name in ("sesame", "other"):
            key = find_key(before, name) if before else None
            if name == what:
                key = Key(name=name, value="open", version=self.version)
            if key is not None and what != f"without {name}":
                keys.append(key)
        return pack(
            Cluster(
                pin=pin,
                created=0.0,
                lifetime=1.0,
                version=self.version,
                keys=tuple(keys),
            )
        )

    @rule(seconds=st.sampled_from([0.0, 0.1, 1.0, 40.0]))
    def time_goes_on(self, seconds: float) -> None:
        # Never to the very moment of a tick, so there is no doubt what is over.
        now = self.clock.seconds() + seconds
        for one in self.people:
            over = one.place.tick * TICK
            assert one.until <= over < one.until + 1.01 * TICK
            if not one.due and over < now:
                one.due.append("timed out")
        self.clock.advance(seconds)
        self.clock.advance(0)

    @precondition(lambda self: len(self.people) > 6)
    @rule()
    def stop(self) -> None:
        self.watchers.stop()
        self.stopped = True
        for one in self.people:
            if not one.due:
                one.due.append("sent away")

    def teardown(self) -> None:
        self.time_goes_on(100.0)
        self.time_goes_on(1.0)
        for one in self.people:
            assert one.left or one.heard == one.due != []
        assert len(self.watchers) == 0
        self.nothing_is_left_of_those_who_are_gone()
        assert self.clock.getDelayedCalls() == []


class SmallSlices(Waiting):
    """
    The same, with those who are told in several turns.
    """

    def __init__(self) -> None:
        super().__init__()
        self.slice, module.SLICE = module.SLICE, 2

    def teardown(self) -> None:
        try:
            super().teardown()
        finally:
            module.SLICE = self.slice


for machine in (Waiting, SmallSlices):
    machine.TestCase.settings = settings(max_examples=200, stateful_step_count=40)
TestWaiting = Waiting.TestCase
TestSmallSlices = SmallSlices.TestCase
