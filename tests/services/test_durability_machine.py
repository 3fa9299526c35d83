"""
No answer ever reveals a state that is not durable: random changes, reads, waiters,
expiry and failures, with a backing that writes when it likes.
"""

from collections.abc import Coroutine, Iterable, Mapping
from typing import Any

from attrs import define, field
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from cvmpair.core.errors import (
    ClusterGone,
    ClusterNotFound,
    KeyExists,
    KeyNotFound,
    StoreUnavailable,
)
from cvmpair.core.model import Cluster, Limits
from cvmpair.core.packing import Packed, is_tombstone, unpack
from cvmpair.core.tombstones import KEPT
from cvmpair.core.watchers import Question, Watchers
from cvmpair.services.snapshotting import LONGEST_DELAY
from cvmpair.stores.memory import MemoryStore
from tests.conftest import LogEvents
from tests.services.slow_backing import SlowBacking, make_book, make_snapshotting
from tests.stores.reading import cluster_of, key_of

LIFETIME = 50.0


@define(eq=False)
class Waiter:
    """
    One who waits for a key or a cluster, and when he was told of it.
    """

    question: Question
    heard: list[Packed | None] = field(factory=list)

    def told(self, packed: Packed | None) -> None:
        self.heard.append(packed)

    def timed_out(self) -> None:
        raise AssertionError("nobody waits for so long")

    def sent_away(self) -> None:
        raise AssertionError("nothing stops")


class Durability(RuleBasedStateMachine):
    """
    A synced store whose backing is slow, and may break and be mended.
    """

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.book = make_book(Limits(tombstones=1))
        self.backing = SlowBacking()
        self.watchers = Watchers(clock=self.clock, limit=1000)
        self.snapshotting = make_snapshotting(
            self.book, self.backing, self.clock, tell=self.tell
        )
        self.store = MemoryStore(
            book=self.book,
            durability=self.snapshotting,
            timeline=self.snapshotting.timeline,
            lifetime=LIFETIME,
            changed=self.snapshotting.changed,
        )
        self.pins: list[str] = []
        self.last_change: dict[str, int] = {}
        self.expired: set[str] = set()
        self.waiters: list[Waiter] = []
        self.open_questions = 0
        self.answers = 0
        self.wrong: list[Failure] = []

    @invariant()
    def nothing_was_wrong(self) -> None:
        for failure in self.wrong:
            failure.raiseException()

    numbers = st.integers(0, 3)
    names = st.sampled_from(["sesame-a", "sesame-b"])

    def pin(self, number: int) -> str:
        return self.pins[number % len(self.pins)]

    def ask(self, pin: str, question: Coroutine[Deferred[Any], Any, Any]) -> None:
        """
        Ask, and see that the answer comes when all that it may show is durable:
        the last change of the cluster up to now, this one included.
        """
        before = self.book.version
        self.open_questions += 1
        asked = Deferred.fromCoroutine(question)
        if self.book.version > before:
            self.last_change[pin] = self.book.version
        shown = self.last_change.get(pin, 0)
        asked.addCallbacks(
            lambda answer: self.check_answer(shown, answer),
            lambda failure: self.check_refusal(shown, failure),
        ).addErrback(self.wrong.append)

    def check_durable(self, version: int) -> None:
        self.open_questions -= 1
        self.answers += 1
        assert version <= self.backing.version

    def check_answer(self, shown: int, answer: Any) -> None:
        self.check_durable(shown)
        if isinstance(answer, Cluster) and answer.pin not in self.last_change:
            # A new one.
            self.last_change[answer.pin] = answer.version
            self.pins.append(answer.pin)

    def check_refusal(self, shown: int, failure: Failure) -> None:
        if failure.check(StoreUnavailable):
            self.open_questions -= 1
            assert self.backing.failed
        else:
            assert failure.check(ClusterGone, ClusterNotFound, KeyExists, KeyNotFound)
            self.check_durable(shown)

    def tell(self, clusters: Mapping[str, Packed | None]) -> None:
        """
        See that the watchers are told exactly what a restart would find.
        """
        try:
            for pin, packed in clusters.items():
                self.check_told(pin, packed)
        except Exception:
            # An error here would count as one of the backing.
            self.wrong.append(Failure())
        self.watchers.tell(clusters)

    def check_told(self, pin: str, packed: Packed | None) -> None:
        if packed is None:
            assert pin in self.expired or pin not in self.backing.durable
        elif is_tombstone(packed):
            assert pin in self.expired or self.backing.ended[pin] == packed
        else:
            assert self.backing.durable[pin] == unpack(pin, packed)

    @invariant()
    def what_was_told_was_news(self) -> None:
        for waiter in self.waiters:
            assert len(waiter.heard) <= 1
            assert all(map(waiter.question.is_news, waiter.heard))

    def versions_told(self) -> Iterable[int]:
        """
        Return what somebody may know: nothing that has not been told yet.
        """
        return range(1, self.backing.version + 1)

    @precondition(lambda self: self.pins)
    @rule(number=numbers, name=st.none() | names, knows=st.booleans())
    def wait(self, number: int, name: str | None, *, knows: bool) -> None:
        pin = self.pin(number)
        known = self.versions_told() if knows else ()
        waiter = Waiter(Question(pin=pin, name=name, known=frozenset(known)))
        packed = self.store.packed(pin)
        if not self.store.is_settled(pin) or not waiter.question.is_news(packed):
            self.watchers.wait(waiter.question, 1e9, waiter)
            self.waiters.append(waiter)
        elif packed is not None:
            self.check_told(pin, packed)

    @rule()
    def create(self) -> None:
        self.ask("new", self.store.create())

    @precondition(lambda self: self.pins)
    @rule(number=numbers, name=names)
    def add(self, number: int, name: str) -> None:
        pin = self.pin(number)
        self.ask(pin, self.store.add_key(pin, name, "open"))

    @precondition(lambda self: self.pins)
    @rule(number=numbers, name=names, value=st.sampled_from(["1", "2"]))
    def change(self, number: int, name: str, value: str) -> None:
        pin = self.pin(number)
        self.ask(pin, self.store.change_key(pin, name, value=value))

    @precondition(lambda self: self.pins)
    @rule(number=numbers, name=names)
    def delete_key(self, number: int, name: str) -> None:
        pin = self.pin(number)
        self.ask(pin, self.store.delete_key(pin, name))

    @precondition(lambda self: self.pins)
    @rule(number=numbers)
    def delete(self, number: int) -> None:
        pin = self.pin(number)
        self.ask(pin, self.store.delete(pin))

    @precondition(lambda self: self.pins)
    @rule(number=numbers)
    def read(self, number: int) -> None:
        pin = self.pin(number)
        self.ask(pin, cluster_of(self.store, pin))

    @precondition(lambda self: self.pins)
    @rule(number=numbers, name=names)
    def read_key(self, number: int, name: str) -> None:
        pin = self.pin(number)
        self.ask(pin, key_of(self.store, pin, name))

    @rule(seconds=st.sampled_from([0.0, 0.0, 1.0, 20.0, KEPT]))
    def time_goes_on(self, seconds: float) -> None:
        self.clock.advance(seconds)
        if expired := self.book.expire(self.clock.seconds(), 100):
            self.expired.update(expired)
            self.snapshotting.expired(expired)
            for pin in self.expired.intersection(self.pins):
                # That it expired follows from the time alone.
                self.last_change[pin] = 0

    @precondition(lambda self: self.backing.busy)
    @rule()
    def backing_goes_on(self) -> None:
        self.backing.go_on()

    @precondition(lambda self: self.answers > 3)
    @rule(how=st.sampled_from(["not", "not", "half", "all"]))
    def backing_breaks(self, how: str) -> None:
        if how != "not":
            self.backing.broken = OSError("disk I/O error")
            self.backing.half_broken = how == "half"

    @precondition(lambda self: self.backing.broken)
    @rule()
    def backing_is_mended(self) -> None:
        self.backing.broken = None

    def let_all_happen(self) -> None:
        self.clock.advance(0)
        while self.backing.busy:
            self.backing.go_on()
            self.clock.advance(0)

    def teardown(self) -> None:
        self.let_all_happen()
        assert self.open_questions == 0
        self.backing.broken = None
        self.clock.advance(LONGEST_DELAY)
        self.let_all_happen()
        assert not self.backing.failed
        assert self.snapshotting.unsaved() == set()
        for pin, cluster in self.backing.durable.items():
            assert self.book.cluster(pin) == cluster
        assert len(self.backing.durable) == len(self.book)
        for pin, tombstone in self.backing.ended.items():
            assert self.book.packed(pin) == tombstone
        assert len(self.backing.ended) == self.book.tombstones
        self.clock.advance(0)
        for waiter in self.waiters:
            news = waiter.question.is_news(self.book.packed(waiter.question.pin))
            assert waiter.heard or not news, "forgotten"
        self.nothing_was_wrong()


def test_no_answer_reveals_what_is_not_durable(logged: LogEvents) -> None:
    run_state_machine_as_test(
        Durability, settings=settings(max_examples=300, stateful_step_count=40)
    )
    # The failures are planted.
    logged.take(lambda text: "flush failed" in text)
