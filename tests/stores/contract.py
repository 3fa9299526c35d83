"""
What every :class:`~cvmpair.stores.protocol.ClusterStore` keeps.

A store's test module derives a class from :class:`StoreContract` that says how
such a store is made.
"""

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import pytest
from twisted.internet.defer import Deferred

from cvmpair.core.errors import (
    ClusterGone,
    ClusterNotFound,
    ConditionFailed,
    KeyExists,
    KeyNotFound,
    TooManyClusters,
    TooManyKeys,
)
from cvmpair.core.model import Condition
from cvmpair.core.names import is_pin
from cvmpair.stores.protocol import ClusterStore
from tests.stores.reading import cluster_of, key_of

T = TypeVar("T")
Change = Callable[[ClusterStore, str, Condition], Coroutine[Deferred[Any], Any, object]]
Made = Callable[[int], Condition]

UNKNOWN = "aaaaaaaaaaaa"


def result_of(question: Coroutine[Deferred[Any], Any, T]) -> T:
    """
    Return or raise what a store says without waiting for anything.
    """
    results: list[T] = []
    failures: list[Any] = []
    asked = Deferred.fromCoroutine(question)
    asked.addCallbacks(results.append, failures.append)
    if failures:
        raise failures[0].value
    assert results, "still waiting"
    return results[0]


CHANGES: dict[str, Change] = {
    "delete": lambda store, pin, asked: store.delete(pin, asked),
    "add": lambda store, pin, asked: store.add_key(pin, "sesame-b", "2", asked),
    "change": lambda store, pin, asked: store.change_key(
        pin, "sesame", value="2", condition=asked
    ),
    "rename": lambda store, pin, asked: store.change_key(
        pin, "sesame", new_name="sesame-b", condition=asked
    ),
    "delete a key": lambda store, pin, asked: store.delete_key(pin, "sesame", asked),
}
"""Every change of an existing cluster, some of them of its key ``sesame``."""

OF_A_KEY = {CHANGES[name] for name in ("change", "rename", "delete a key")}

HOLDING: list[Made] = [
    lambda version: Condition(match={version, version + 1}),
    lambda version: Condition(none_match={version + 1}),
    lambda version: Condition(match={version}, none_match={version + 1}),
]
FAILING: list[Made] = [
    lambda _: Condition(match=frozenset()),
    lambda version: Condition(match={version + 1}),
    lambda version: Condition(none_match={version}),
    lambda version: Condition(match={version}, none_match={version}),
    lambda _: Condition(none_match=None),
]
"""Both for what has the version that they are made with."""


def versions(store: ClusterStore, pin: str) -> dict[Change, int]:
    """
    Add the key ``sesame``, and say which version each change is about.
    """
    key = result_of(store.add_key(pin, "sesame", "1"))
    result_of(store.add_key(pin, "sesame-a", "1"))
    cluster = result_of(cluster_of(store, pin))
    assert cluster.version != key.version
    return {
        change: key.version if change in OF_A_KEY else cluster.version
        for change in CHANGES.values()
    }


class StoreContract:
    """
    The tests; the store holds 3 clusters of 3 keys at most, for 60 seconds each.
    """

    LIFETIME = 60.0

    @pytest.fixture
    def store(self) -> ClusterStore:
        raise NotImplementedError

    @pytest.fixture
    def pin(self, store: ClusterStore) -> str:
        return result_of(store.create()).pin

    def test_new_clusters_are_empty_and_different(self, store: ClusterStore) -> None:
        first, second = result_of(store.create()), result_of(store.create())
        assert is_pin(first.pin)
        assert is_pin(second.pin)
        assert first.pin != second.pin
        assert first.keys == ()
        assert first.lifetime == self.LIFETIME
        assert result_of(cluster_of(store, first.pin)) == first

    def test_the_number_of_clusters_is_limited(self, store: ClusterStore) -> None:
        pins = [result_of(store.create()).pin for _ in range(3)]
        with pytest.raises(TooManyClusters) as caught:
            result_of(store.create())
        assert caught.value.limit == 3
        assert 0 < caught.value.retry_after <= self.LIFETIME + 1
        result_of(store.delete(pins[0]))
        result_of(store.create())

    def test_a_deleted_cluster_is_gone_with_its_keys(
        self, store: ClusterStore, pin: str
    ) -> None:
        result_of(store.add_key(pin, "sesame", "open", Condition()))
        result_of(store.delete(pin))
        for question in (
            cluster_of(store, pin),
            key_of(store, pin, "sesame"),
            store.delete(pin),
            store.add_key(pin, "sesame", "open"),
            store.change_key(pin, "sesame", value="1"),
            store.delete_key(pin, "sesame"),
        ):
            with pytest.raises(ClusterGone) as refusal:
                result_of(question)
            assert refusal.value.reason == "deleted"
        told: list[object] = []
        store.add_key_and_tell(pin, "sesame", "open", told.append)
        with pytest.raises(ClusterGone) as read:
            store.live(result_of(store.read(pin)))
        # They all say when, and the same.
        assert [type(one) for one in told] == [ClusterGone]
        assert {str(refusal.value), str(read.value), str(told[0])} == {str(told[0])}

    def test_keys_are_kept_in_the_order_of_their_creation(
        self, store: ClusterStore, pin: str
    ) -> None:
        for name in ("sesame-b", "sesame-a", "sesame-c"):
            result_of(store.add_key(pin, name, f"value of {name}"))
        result_of(store.change_key(pin, "sesame-a", new_name="sesame-d"))
        keys = result_of(cluster_of(store, pin)).keys
        assert [(key.name, key.value) for key in keys] == [
            ("sesame-b", "value of sesame-b"),
            ("sesame-d", "value of sesame-a"),
            ("sesame-c", "value of sesame-c"),
        ]

    def test_the_first_master_wins(self, store: ClusterStore, pin: str) -> None:
        result_of(store.add_key(pin, "master_ip", "10.1.1.1"))
        with pytest.raises(KeyExists):
            result_of(store.add_key(pin, "master_ip", "10.1.1.2"))
        assert result_of(key_of(store, pin, "master_ip")).value == "10.1.1.1"

    def test_the_number_of_keys_is_limited(self, store: ClusterStore, pin: str) -> None:
        for number in range(3):
            result_of(store.add_key(pin, f"sesame-{number}", "open"))
        with pytest.raises(TooManyKeys) as caught:
            result_of(store.add_key(pin, "sesame-3", "open"))
        assert caught.value.limit == 3
        result_of(store.delete_key(pin, "sesame-0"))
        result_of(store.add_key(pin, "sesame-3", "open"))

    def test_a_key_changes_its_name_its_value_or_both(
        self, store: ClusterStore, pin: str
    ) -> None:
        result_of(store.add_key(pin, "sesame", "1"))
        changes = [
            ({"value": "2"}, ("sesame", "2")),
            ({"new_name": "sesame-b"}, ("sesame-b", "2")),
            ({"new_name": "sesame-c", "value": "3"}, ("sesame-c", "3")),
        ]
        name = "sesame"
        for change, expected in changes:
            key = result_of(store.change_key(pin, name, **change))
            assert (key.name, key.value) == expected
            assert result_of(key_of(store, pin, key.name)) == key
            name = key.name
        with pytest.raises(KeyNotFound):
            result_of(key_of(store, pin, "sesame"))

    def test_no_key_takes_the_name_of_another(
        self, store: ClusterStore, pin: str
    ) -> None:
        result_of(store.add_key(pin, "sesame-a", "1"))
        result_of(store.add_key(pin, "sesame-b", "2"))
        with pytest.raises(KeyExists):
            result_of(store.change_key(pin, "sesame-a", new_name="sesame-b", value="3"))
        assert result_of(key_of(store, pin, "sesame-a")).value == "1"
        assert result_of(key_of(store, pin, "sesame-b")).value == "2"

    def test_what_is_not_there(self, store: ClusterStore, pin: str) -> None:
        for question in (
            key_of(store, pin, "sesame"),
            store.change_key(pin, "sesame", value="1"),
            store.delete_key(pin, "sesame"),
        ):
            with pytest.raises(KeyNotFound):
                result_of(question)
        for question in (
            cluster_of(store, UNKNOWN),
            store.delete(UNKNOWN),
            key_of(store, UNKNOWN, "sesame"),
            store.add_key(UNKNOWN, "sesame", "1"),
            store.change_key(UNKNOWN, "sesame", value="1"),
            store.delete_key(UNKNOWN, "sesame"),
        ):
            with pytest.raises(ClusterNotFound):
                result_of(question)

    def test_every_change_has_a_new_version(
        self, store: ClusterStore, pin: str
    ) -> None:
        def version() -> int:
            return result_of(cluster_of(store, pin)).version

        seen = [version()]
        key = result_of(store.add_key(pin, "sesame", "1"))
        assert key.version == version()
        seen.append(version())
        result_of(store.change_key(pin, "sesame", value="2"))
        seen.append(version())
        result_of(store.delete_key(pin, "sesame"))
        seen.append(version())
        assert seen == sorted(set(seen))

    def test_what_changes_nothing_has_no_new_version(
        self, store: ClusterStore, pin: str
    ) -> None:
        key = result_of(store.add_key(pin, "sesame", "1"))
        same = result_of(store.change_key(pin, "sesame", new_name="sesame", value="1"))
        assert same == key
        assert result_of(cluster_of(store, pin)).version == key.version

    @pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
    @pytest.mark.parametrize("condition", HOLDING)
    def test_conditions_that_hold(
        self, store: ClusterStore, pin: str, change: Change, condition: Made
    ) -> None:
        result_of(change(store, pin, condition(versions(store, pin)[change])))

    @pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
    @pytest.mark.parametrize("condition", FAILING)
    def test_conditions_that_fail(
        self, store: ClusterStore, pin: str, change: Change, condition: Made
    ) -> None:
        asked = condition(versions(store, pin)[change])
        before = result_of(cluster_of(store, pin))
        with pytest.raises(ConditionFailed):
            result_of(change(store, pin, asked))
        assert result_of(cluster_of(store, pin)) == before

    @pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
    def test_what_is_missing_is_told_before_a_condition(
        self, store: ClusterStore, pin: str, change: Change
    ) -> None:
        never = Condition(match=frozenset())
        with pytest.raises(ClusterNotFound):
            result_of(change(store, UNKNOWN, never))
        if change in OF_A_KEY:
            with pytest.raises(KeyNotFound):
                result_of(change(store, pin, never))

    def test_of_two_who_compare_and_set_one_wins(
        self, store: ClusterStore, pin: str
    ) -> None:
        key = result_of(store.add_key(pin, "sesame", "1"))
        seen = Condition(match={key.version})
        result_of(store.change_key(pin, "sesame", value="mine", condition=seen))
        with pytest.raises(ConditionFailed):
            result_of(store.change_key(pin, "sesame", value="his", condition=seen))
        assert result_of(key_of(store, pin, "sesame")).value == "mine"
