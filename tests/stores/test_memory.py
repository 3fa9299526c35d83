"""
The store in memory keeps the contract, and what its backing demands.
"""

from collections.abc import Callable
from typing import Any

import pytest
from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from cvmpair.core.book import ClusterBook
from cvmpair.core.errors import ClusterNotFound, StoreUnavailable
from cvmpair.core.model import Limits
from cvmpair.core.timeline import Timeline
from cvmpair.stores.memory import MemoryStore
from cvmpair.stores.protocol import ClusterStore
from tests.stores.contract import UNKNOWN, StoreContract, result_of
from tests.stores.protection import ProtectionContract
from tests.stores.reading import cluster_of, key_of


@define
class Backing:
    """
    A durability that the test sets; it notes in which order it is asked.
    """

    writable: bool = True
    held: Deferred[None] | None = None
    asked: list[str] = field(factory=list)

    def check_writable(self) -> None:
        if not self.writable:
            raise StoreUnavailable(60)

    def is_settled(self, _pin: str) -> bool:
        return self.held is None

    def when_settled(
        self, pin: str, tell: Callable[[StoreUnavailable | None], None]
    ) -> None:
        self.asked.append(f"settled {pin}")
        if self.held is None:
            tell(None)
        else:
            self.held.addCallback(tell)

    async def settled(self, pin: str) -> None:
        self.asked.append(f"settled {pin}")
        if self.held is not None:
            await self.held

    def changed(self, pin: str) -> None:
        self.asked.append(f"changed {pin}")


def make_store(backing: Backing, clock: Clock) -> MemoryStore:
    return MemoryStore(
        book=ClusterBook(Limits(clusters=3, keys_per_cluster=3)),
        durability=backing,
        timeline=Timeline(clock.seconds, lambda: clock.seconds() + 1.7e9),
        lifetime=StoreContract.LIFETIME,
        changed=backing.changed,
    )


class TestMemoryStore(StoreContract, ProtectionContract):
    """
    The contract, on a backing that has everything at once.
    """

    @pytest.fixture
    def store(self, clock: Clock) -> ClusterStore:
        return make_store(Backing(), clock)


@pytest.fixture
def backing() -> Backing:
    return Backing()


@pytest.fixture
def store(backing: Backing, clock: Clock) -> MemoryStore:
    return make_store(backing, clock)


def questions(store: MemoryStore, pin: str) -> dict[str, Any]:
    return {
        "read": cluster_of(store, pin),
        "read a key": key_of(store, pin, "sesame"),
        "refused": store.add_key(pin, "sesame", "2"),
        "not there": key_of(store, pin, "sesame-b"),
        "add": store.add_key(pin, "sesame-c", "1"),
        "change": store.change_key(pin, "sesame-c", value="2"),
        "delete a key": store.delete_key(pin, "sesame-c"),
        "delete": store.delete(pin),
        "gone": cluster_of(store, pin),
    }


def test_every_answer_waits_until_it_is_durable(
    store: MemoryStore, backing: Backing
) -> None:
    pin = result_of(store.create()).pin
    result_of(store.add_key(pin, "sesame", "1"))
    for what, question in questions(store, pin).items():
        backing.held = Deferred()
        ended: list[object] = []
        Deferred.fromCoroutine(question).addBoth(ended.append)
        assert not ended, what
        backing.held.callback(None)
        assert ended, what


def test_a_creation_waits_until_it_is_durable(
    store: MemoryStore, backing: Backing
) -> None:
    backing.held = Deferred()
    ended: list[object] = []
    Deferred.fromCoroutine(store.create()).addBoth(ended.append)
    assert not ended
    backing.held.callback(None)
    assert ended


def test_a_change_is_told_before_it_is_waited_for(
    store: MemoryStore, backing: Backing
) -> None:
    pin = result_of(store.create()).pin
    assert backing.asked == [f"changed {pin}", f"settled {pin}"]
    backing.asked.clear()
    result_of(store.add_key(pin, "sesame", "1"))
    assert backing.asked == [f"changed {pin}", f"settled {pin}"]


def test_what_cannot_be_saved_is_not_changed(
    store: MemoryStore, backing: Backing
) -> None:
    pin = result_of(store.create()).pin
    key = result_of(store.add_key(pin, "sesame", "1"))
    backing.writable = False
    before = result_of(cluster_of(store, pin))
    for question in (
        store.create(),
        store.add_key(pin, "sesame-b", "1"),
        store.change_key(pin, "sesame", value="2"),
        store.delete_key(pin, "sesame"),
        store.delete(pin),
    ):
        with pytest.raises(StoreUnavailable):
            result_of(question)
    assert result_of(cluster_of(store, pin)) == before
    assert result_of(key_of(store, pin, "sesame")) == key
    with pytest.raises(ClusterNotFound):
        result_of(cluster_of(store, UNKNOWN))


def test_wall_time(store: MemoryStore, clock: Clock) -> None:
    clock.advance(5)
    cluster = result_of(store.create())
    assert store.wall_time(cluster.created) == pytest.approx(1.7e9 + 5)
    assert store.wall_time(cluster.deadline) == pytest.approx(1.7e9 + 65)
