"""
The book against a plain model, whatever is done with both.
"""

from collections.abc import Callable
from functools import partial
from unittest.mock import patch

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from cvmpair.core.book import ClusterBook
from cvmpair.core.codec import decode_record
from cvmpair.core.errors import ClusterGone, ClusterNotFound, PairingError
from cvmpair.core.model import Cluster, Condition, Key, Limits
from cvmpair.core.packing import ending_of, find_key, is_tombstone, unpack, version_of
from cvmpair.core.tombstones import KEPT
from tests.core.book_model import ModelBook

PINS = [letter * 12 for letter in "abcdef"]
LIMITS = Limits(clusters=3, keys_per_cluster=2, tombstones=2)

A_NUMBER = st.integers(0, 100)
A_NAME = st.sampled_from(["sesame_1", "sesame_2", "sesame_3"])
# Some look like the text around them in a record.
A_VALUE = st.sampled_from(["one", "\\", ',["sesame_1","x",7]', '["', '",', "\n]"])
A_KEY = st.tuples(A_NAME, A_VALUE)
A_CONDITION = st.sampled_from(
    ["any", "right", "wrong", "right but", "not wrong", "none"]
)


class BookMachine(RuleBasedStateMachine):
    """
    :ivar disk: what a restart would find, as records by PIN.
    :ivar owners: which cluster each version was given to, in every run.
    :ivar seen: what had that version.
    """

    steps = 0

    @initialize()
    def begin(self) -> None:
        self.now = 1000.0
        self.draws: list[str] = []
        self.disk: dict[str, str] = {}
        self.disk_version = 0
        self.owners: dict[int, str] = {}
        self.seen: dict[tuple[int, type], Cluster | Key] = {}
        self.model = ModelBook(LIMITS)
        self.start()
        # Hypothesis leaves some rules out of each of its runs, create too.
        for number in range(2):
            self.create([], 200.0)
            self.post(number, [("sesame_1", "one"), ("sesame_2", "two")], "any")

    def draw_pin(self) -> str:
        """
        Draw a PIN; soon one that is taken.
        """
        if not self.draws:
            self.draws += PINS
        return self.draws.pop()

    def both(
        self, in_model: Callable[[], object], in_book: Callable[[], object]
    ) -> None:
        """
        Do the same in both, with the same success or refusal.
        """
        try:
            in_model()
        except PairingError as refusal:
            with pytest.raises(type(refusal)):
                in_book()
        else:
            in_book()

    def a_pin(self, number: int) -> str:
        """
        Choose a cluster, mostly one that is there.
        """
        choice = [*self.model.clusters, PINS[number % len(PINS)]]
        return choice[number % len(choice)]

    def a_key(self, number: int) -> tuple[str, str]:
        """
        Choose a key, mostly one that is there.
        """
        choice = [
            *((pin, key) for pin, it in self.model.clusters.items() for key in it.keys),
            *((pin, "sesame_4") for pin in self.model.clusters),
            (PINS[number % len(PINS)], "sesame_1"),
        ]
        return choice[number % len(choice)]

    def condition(self, kind: str, pin: str, name: str | None = None) -> Condition:
        """
        Return a condition that does, or does not, hold for what is there.
        """
        version = 1
        if pin in self.model.clusters:
            cluster = self.model.clusters[pin]
            version = cluster.version
            if name is not None:
                version = cluster.keys.get(name, ("", 1))[1]
        other = version + 1
        return {
            "any": Condition(),
            "right": Condition(match={version, other}),
            "wrong": Condition(match={other}),
            "right but": Condition(match={version}, none_match={version}),
            "not wrong": Condition(none_match={other}),
            "none": Condition(none_match=None),
        }[kind]

    @rule(
        draws=st.lists(st.sampled_from(PINS), max_size=6), lifetime=st.floats(10, 500)
    )
    def create(self, draws: list[str], lifetime: float) -> None:
        self.draws = draws
        made: list[Cluster] = []
        self.both(
            self.model.room, lambda: made.append(self.book.create(self.now, lifetime))
        )
        for cluster in made:
            self.model.create(cluster.pin, self.now + lifetime)

    @rule(
        number=A_NUMBER, keys=st.lists(A_KEY, min_size=1, max_size=3), kind=A_CONDITION
    )
    def post(self, number: int, keys: list[tuple[str, str]], kind: str) -> None:
        pin = self.a_pin(number)
        for name, value in keys:
            condition = self.condition(kind, pin)
            self.both(
                partial(self.model.add_key, pin, name, value, condition),
                partial(self.book.add_key, pin, name, value, condition),
            )

    @rule(
        number=A_NUMBER,
        new_name=st.none() | A_NAME,
        value=st.none() | A_VALUE,
        kind=A_CONDITION,
    )
    def put_or_patch(
        self, number: int, new_name: str | None, value: str | None, kind: str
    ) -> None:
        pin, name = self.a_key(number)
        condition = self.condition(kind, pin, name)
        self.both(
            lambda: self.model.change_key(pin, name, new_name, value, condition),
            lambda: self.book.change_key(
                pin, name, new_name=new_name, value=value, condition=condition
            ),
        )

    @rule(number=A_NUMBER, kind=A_CONDITION)
    def delete_key(self, number: int, kind: str) -> None:
        pin, name = self.a_key(number)
        condition = self.condition(kind, pin, name)
        self.both(
            lambda: self.model.delete_key(pin, name, condition),
            lambda: self.book.delete_key(pin, name, condition),
        )

    @rule(number=A_NUMBER, kind=A_CONDITION)
    def delete(self, number: int, kind: str) -> None:
        pin = self.a_pin(number)
        condition = self.condition(kind, pin)
        self.both(
            lambda: self.model.delete(pin, self.now, condition),
            lambda: self.book.delete(pin, self.now, condition),
        )

    @rule(
        seconds=st.floats(0, 50) | st.sampled_from([KEPT / 2, KEPT]),
        at_most=st.integers(1, 4),
    )
    def expire(self, seconds: float, at_most: int) -> None:
        self.now += seconds
        due = [second for second in self.model.seconds() if second <= self.now]
        expired = self.book.expire(self.now, at_most)
        gone = self.model.clusters.keys() - self.pins_in_book()
        assert sorted(expired) == sorted(gone)
        # In the order in which the book ended them.
        removed = [self.model.expire(pin) for pin in expired]
        assert removed == due[:at_most], "not those that were due first"
        self.model.over(self.now, at_most)

    @rule()
    def write(self) -> None:
        batch = self.book.take_changes()
        assert batch.version == self.model.version
        left = dict(self.model.journal.items() - batch.journal.items())
        assert {**batch.journal, **left} == self.model.journal
        patient = self.model.patient
        assert left.keys() <= patient, "more was left than who expired or is forgotten"
        assert not left or batch.journal.keys() & patient
        self.model.patient = patient & left.keys()
        assert batch.clusters.keys() == batch.journal.keys()
        for pin, cluster in batch.clusters.items():
            if cluster is None:
                assert pin not in self.model.clusters
                assert pin not in self.model.ended
                self.disk.pop(pin, None)
                continue
            if is_tombstone(cluster):
                assert pin in self.model.ended
            else:
                assert unpack(pin, cluster) == self.book.cluster(pin)
            self.disk[pin] = cluster
        self.disk_version = batch.version
        self.model.journal = left

    @rule(orderly=st.booleans())
    def restart(self, *, orderly: bool) -> None:
        if orderly:
            while self.book.journal:
                self.write()
            before = [self.book.cluster(pin) for pin in self.model.clusters]
            ended = self.model.ended
        self.start()
        if orderly:
            after = [self.book.cluster(cluster.pin) for cluster in before]
            assert after == before, "what was written is not what was there"
            assert self.model.ended == ended

    def start(self) -> None:
        """
        Go on with what is on the disk, as the daemon does.
        """
        self.book = ClusterBook(LIMITS, self.draw_pin)
        packed = [(pin, decode_record(record)) for pin, record in self.disk.items()]
        clusters = [unpack(*one) for one in packed if not is_tombstone(one[1])]
        endings = {pin: ending_of(one) for pin, one in packed if is_tombstone(one)}
        ended = {pin: (one.reason, one.ended) for pin, one in endings.items()}
        deletions = {
            pin: version_of(one)
            for pin, one in packed
            if pin in ended and ended[pin][0] == "deleted"
        }
        self.book.load(packed)
        self.book.begin_run(self.disk_version)
        assert self.book.version > self.model.version, "a version could come back"
        self.model.load(clusters, ended, deletions, self.book.version)
        self.write()

    def pins_in_book(self) -> set[str]:
        found, ended = set(), {}
        for pin in PINS:
            try:
                found.add(self.book.cluster(pin).pin)
            except ClusterNotFound:
                continue
            except ClusterGone as gone:
                ended[pin] = gone.reason, gone.ended
        assert len(found) + len(ended) == len(self.book) + self.book.tombstones
        self.ended_in_book = ended
        return found

    @invariant()
    def holds_what_the_model_holds(self) -> None:
        BookMachine.steps += 1
        assert self.pins_in_book() == self.model.clusters.keys()
        assert len(self.book) == len(self.model.clusters)
        # A crash brings back what had expired, until its time is looked at again.
        alive = [one for one in self.model.clusters.values() if one.deadline > self.now]
        assert len(alive) <= LIMITS.clusters
        assert self.ended_in_book == self.model.ended
        there = (len(one.keys) for one in self.model.clusters.values())
        assert self.book.keys == sum(there)
        assert self.book.tombstones == len(self.model.ended) <= LIMITS.tombstones
        for pin, expected in self.model.clusters.items():
            cluster = self.book.cluster(pin)
            assert cluster.version == expected.version
            keys = [(key.name, (key.value, key.version)) for key in cluster.keys]
            assert keys == list(expected.keys.items())
            assert len(keys) <= LIMITS.keys_per_cluster
            for key in cluster.keys:
                assert find_key(self.book.packed(pin) or "", key.name) == key

    @invariant()
    def no_version_stands_for_two_things(self) -> None:
        assert self.book.version == self.model.version
        for pin in self.model.clusters:
            cluster = self.book.cluster(pin)
            for thing in (cluster, *cluster.keys):
                seen = self.seen.setdefault((thing.version, type(thing)), thing)
                assert seen == thing
                assert self.owners.setdefault(thing.version, pin) == pin

    @invariant()
    def knows_the_next_deadline(self) -> None:
        assert self.book.next_deadline() == self.model.next_deadline()

    @invariant()
    def knows_what_has_changed(self) -> None:
        assert bool(self.book.journal) == bool(self.model.journal)
        for pin in PINS:
            assert self.book.journal.pending(pin) == self.model.journal.get(pin)


class TestBook(BookMachine.TestCase):
    settings = settings(max_examples=250, stateful_step_count=50)

    def runTest(self) -> None:
        with patch("cvmpair.core.journal.EXPIRED_AT_ONCE", 1):
            super().runTest()
        assert BookMachine.steps >= 10_000
