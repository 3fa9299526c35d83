"""
What the book promises, case by case; ``test_book_machine.py`` tries the cases that
nobody thought of.
"""

from collections.abc import Callable
from math import ceil

import pytest

from cvmpair.core.batch import Batch
from cvmpair.core.book import RUN_LENGTH, ClusterBook
from cvmpair.core.errors import (
    ClusterGone,
    ClusterNotFound,
    ConditionFailed,
    KeyExists,
    KeyNotFound,
    PairingError,
    TooManyClusters,
    TooManyKeys,
)
from cvmpair.core.journal import EXPIRED_AT_ONCE
from cvmpair.core.model import Cluster, Condition, Key, Limits
from cvmpair.core.names import is_pin
from cvmpair.core.packing import is_tombstone, pack
from cvmpair.core.tombstones import KEPT

UNKNOWN = "000000000000"
NO_STATE = Condition(match=frozenset())


@pytest.fixture
def book() -> ClusterBook:
    return ClusterBook(Limits(clusters=3, keys_per_cluster=3))


@pytest.fixture
def pin(book: ClusterBook) -> str:
    """
    The PIN of a cluster with the keys ``sesame_1`` and ``sesame_2``.
    """
    pin = book.create(now=100.0, lifetime=60.0).pin
    book.add_key(pin, "sesame_1", "one")
    book.add_key(pin, "sesame_2", "two")
    book.take_changes()
    return pin


def contents(book: ClusterBook, pin: str) -> list[tuple[str, str]]:
    return [(key.name, key.value) for key in book.cluster(pin).keys]


def test_create(book: ClusterBook) -> None:
    cluster = book.create(now=100.0, lifetime=60.0)
    assert is_pin(cluster.pin)
    assert cluster == Cluster(
        pin=cluster.pin, created=100.0, lifetime=60.0, version=1, keys=()
    )
    assert book.cluster(cluster.pin) == cluster
    assert len(book) == 1
    assert book.next_deadline() == 160


def test_a_pin_that_is_taken_is_drawn_again() -> None:
    draws = iter(["aaaaaaaaaaaa"] * 4 + ["bbbbbbbbbbbb"])
    book = ClusterBook(Limits(), lambda: next(draws))
    first = book.create(0.0, 1.0)
    book.add_key(first.pin, "sesame", "one")
    second = book.create(0.0, 1.0)
    assert (first.pin, second.pin) == ("aaaaaaaaaaaa", "bbbbbbbbbbbb")
    assert contents(book, first.pin) == [("sesame", "one")]


def test_a_full_book_says_when_there_is_room(book: ClusterBook) -> None:
    for lifetime in (60.0, 30.0, 90.0):
        book.create(now=100.0, lifetime=lifetime)
    with pytest.raises(TooManyClusters) as caught:
        book.create(now=120.0, lifetime=60.0)
    assert (caught.value.limit, caught.value.retry_after) == (3, 10.0)
    with pytest.raises(TooManyClusters) as caught:
        book.create(now=500.0, lifetime=60.0)
    assert caught.value.retry_after == 1.0
    book.expire(130.0, at_most=10)
    book.create(now=130.0, lifetime=60.0)


def test_keys_keep_the_order_of_their_creation(book: ClusterBook, pin: str) -> None:
    book.add_key(pin, "sesame_0", "three")
    book.change_key(pin, "sesame_1", value="changed")
    book.change_key(pin, "sesame_2", new_name="sesame_9")
    expected = [("sesame_1", "changed"), ("sesame_9", "two"), ("sesame_0", "three")]
    assert contents(book, pin) == expected


def test_the_first_master_wins(book: ClusterBook, pin: str) -> None:
    with pytest.raises(KeyExists):
        book.add_key(pin, "sesame_1", "another")
    assert contents(book, pin)[0] == ("sesame_1", "one")


def test_a_full_cluster(book: ClusterBook, pin: str) -> None:
    book.add_key(pin, "sesame_3", "three")
    with pytest.raises(TooManyKeys) as caught:
        book.add_key(pin, "sesame_4", "four")
    assert caught.value.limit == 3
    with pytest.raises(KeyExists):
        book.add_key(pin, "sesame_3", "four")
    book.delete_key(pin, "sesame_1")
    book.add_key(pin, "sesame_4", "four")


def test_change_key_changes_what_it_is_told(book: ClusterBook, pin: str) -> None:
    version = book.version
    changed = book.change_key(pin, "sesame_1", value="uno")
    assert changed == Key(name="sesame_1", value="uno", version=version + 1)
    renamed = book.change_key(pin, "sesame_1", new_name="sesame_x")
    assert renamed == Key(name="sesame_x", value="uno", version=version + 2)
    both = book.change_key(pin, "sesame_x", new_name="sesame_1", value="one")
    assert both == Key(name="sesame_1", value="one", version=version + 3)
    assert book.cluster(pin).version == version + 3


@pytest.mark.parametrize(
    "changes", [{}, {"value": "one"}, {"new_name": "sesame_1", "value": "one"}]
)
def test_a_change_of_nothing_is_none(
    book: ClusterBook, pin: str, changes: dict[str, str]
) -> None:
    before = book.cluster(pin)
    assert book.change_key(pin, "sesame_1", **changes) == before.keys[0]
    assert book.cluster(pin) == before
    assert not book.journal


def test_no_rename_onto_another_key(book: ClusterBook, pin: str) -> None:
    for changes in ({}, {"value": "two"}, {"value": "new"}):
        with pytest.raises(KeyExists):
            book.change_key(pin, "sesame_1", new_name="sesame_2", **changes)
    assert contents(book, pin) == [("sesame_1", "one"), ("sesame_2", "two")]


def test_delete_key(book: ClusterBook, pin: str) -> None:
    version = book.version
    book.delete_key(pin, "sesame_1")
    assert contents(book, pin) == [("sesame_2", "two")]
    assert book.cluster(pin).version == version + 1


def test_delete(book: ClusterBook, pin: str) -> None:
    book.delete(pin, 130.5)
    with pytest.raises(ClusterGone) as refusal:
        book.cluster(pin)
    assert (refusal.value.reason, refusal.value.ended) == ("deleted", 130.5)
    assert len(book) == 0
    assert book.tombstones == 1
    assert book.next_deadline() == ceil(130.5 + KEPT)


CHANGES: dict[str, Callable[..., object]] = {
    "delete": lambda book, pin, _, **rest: book.delete(pin, 130.5, **rest),
    "add": lambda book, pin, _, **rest: book.add_key(pin, "new", "v", **rest),
    "change": lambda book, pin, name, **rest: book.change_key(
        pin, name, value="new", **rest
    ),
    "delete key": lambda book, pin, name, **rest: book.delete_key(pin, name, **rest),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize(
    ("place", "error", "extra"),
    [
        ((UNKNOWN, "sesame_1"), ClusterNotFound, {}),
        ((UNKNOWN, "sesame_1"), ClusterNotFound, {"condition": NO_STATE}),
        ((None, "sesame_1"), ConditionFailed, {"condition": NO_STATE}),
        (
            (None, "sesame_1"),
            ConditionFailed,
            {"condition": Condition(none_match=None)},
        ),
    ],
)
def test_a_refusal_changes_nothing(
    book: ClusterBook,
    pin: str,
    change: Callable[..., object],
    place: tuple[str | None, str],
    error: type[PairingError],
    extra: dict[str, Condition],
) -> None:
    before = book.cluster(pin), book.version, book.next_deadline()
    with pytest.raises(error):
        change(book, place[0] or pin, place[1], **extra)
    assert (book.cluster(pin), book.version, book.next_deadline()) == before
    assert not book.journal


@pytest.mark.parametrize("change", ["change", "delete key"])
def test_an_unknown_key(book: ClusterBook, pin: str, change: str) -> None:
    with pytest.raises(KeyNotFound):
        CHANGES[change](book, pin, "absent")
    assert not book.journal


def test_what_a_condition_is_about(book: ClusterBook, pin: str) -> None:
    """
    The key itself where there is one, and the cluster otherwise.
    """
    cluster = book.cluster(pin)
    key = cluster.keys[0]
    assert cluster.version != key.version
    of_cluster, of_key = (
        Condition(match={cluster.version}),
        Condition(match={key.version}),
    )
    for change in ("change", "delete key"):
        with pytest.raises(ConditionFailed):
            CHANGES[change](book, pin, "sesame_1", condition=of_cluster)
    for change in ("add", "delete"):
        with pytest.raises(ConditionFailed):
            CHANGES[change](book, pin, "", condition=of_key)
    CHANGES["change"](book, pin, "sesame_1", condition=of_key)
    CHANGES["add"](book, pin, "", condition=Condition(match={book.version}))
    CHANGES["delete"](book, pin, "", condition=Condition(match={book.version}))


def test_the_journal(book: ClusterBook, pin: str) -> None:
    assert book.journal.pending(pin) is None
    other = book.create(now=100.0, lifetime=10.0).pin
    book.change_key(pin, "sesame_1", value="new")
    assert (book.journal.pending(other), book.journal.pending(pin)) == (4, 5)
    assert book.take_changes() == Batch(
        version=5,
        clusters={other: pack(book.cluster(other)), pin: pack(book.cluster(pin))},
        journal={other: 4, pin: 5},
    )
    assert book.journal.pending(other) is None
    assert not book.journal
    book.delete(pin, 130.5)
    book.expire(1000.0, at_most=10)
    assert book.journal
    # A deletion must be durable before it may be told, an expiry need not.
    assert book.take_changes() == Batch(
        version=6,
        clusters={pin: '["deleted",130.5,6]', other: '["expired",110.0,4]'},
        journal={pin: 6, other: 0},
    )


def test_expire(book: ClusterBook) -> None:
    pins = [book.create(now=0.0, lifetime=life).pin for life in (10.0, 5.0, 10.0)]
    assert len(book.expire(4.9, at_most=10)) == 0
    assert len(book.expire(10.0, at_most=2)) == 2
    with pytest.raises(ClusterGone) as refusal:
        book.cluster(pins[1])
    assert (refusal.value.reason, refusal.value.ended) == ("expired", 5.0)
    assert len(book) == 1
    assert book.next_deadline() == 10
    assert len(book.expire(10.0, at_most=2)) == 1
    assert book.next_deadline() == 5.0 + KEPT


def test_those_that_expired_are_written_in_portions() -> None:
    book = ClusterBook(Limits())
    count = EXPIRED_AT_ONCE + 2
    pins = {book.create(now=0.0, lifetime=1.0).pin for _ in range(count)}
    book.take_changes()
    assert len(book.expire(1.0, at_most=2 * count)) == count
    assert all(book.journal.pending(pin) == 0 for pin in pins)
    assert book.journal.changed_pins() == set()
    other = book.create(now=1.0, lifetime=1.0)
    first = book.take_changes()
    assert len(first.journal) == EXPIRED_AT_ONCE + 1
    assert first.journal[other.pin] == first.version == other.version
    assert book.journal
    assert book.journal.has_ends()
    second = book.take_changes()
    assert not book.journal
    assert first.journal.keys() | second.journal.keys() == {*pins, other.pin}
    assert all(
        is_tombstone(first.clusters[pin] or "") for pin in pins - second.journal.keys()
    )


def test_a_pin_may_come_back_once_it_is_forgotten() -> None:
    pin = UNKNOWN
    again = ClusterBook(Limits(tombstones=0), lambda: pin)
    again.create(0.0, 1.0)
    again.take_changes()
    again.expire(1.0, at_most=1)
    with pytest.raises(ClusterNotFound):
        again.cluster(pin)
    version = again.create(2.0, 1.0).version
    assert again.journal.pending(pin) == version
    batch = again.take_changes()
    assert batch.clusters == {pin: pack(again.cluster(pin))}
    assert batch.journal == {pin: version}
    assert not again.journal


def test_what_expires_before_it_was_written_is_not_left(book: ClusterBook) -> None:
    pin = book.create(now=0.0, lifetime=1.0).pin
    book.expire(1.0, at_most=1)
    book.journal.drop_ends()
    assert book.take_changes().clusters == {pin: '["expired",1.0,1]'}


def test_versions_go_on_in_the_next_run(book: ClusterBook, pin: str) -> None:
    clusters = [(pin, pack(book.cluster(pin)))]
    for known in (0, 1, RUN_LENGTH - 1, RUN_LENGTH, 5 * RUN_LENGTH + 7):
        run = ClusterBook(Limits())
        run.load(clusters)
        run.begin_run(known)
        assert run.version > known
        assert run.version % RUN_LENGTH == 0
        assert run.version - known <= RUN_LENGTH
        assert run.create(0.0, 1.0).version == run.version > known


def test_load(book: ClusterBook, pin: str) -> None:
    run = ClusterBook(Limits(clusters=1, keys_per_cluster=1))
    run.load([(pin, pack(book.cluster(pin)))])
    run.begin_run(book.version)
    assert run.cluster(pin) == book.cluster(pin)
    assert run.next_deadline() == 160
    assert not run.journal
    # What is there stays there, even if the limits are lower now.
    with pytest.raises(TooManyKeys):
        run.add_key(pin, "sesame_3", "three")
    with pytest.raises(TooManyClusters):
        run.create(0.0, 1.0)
