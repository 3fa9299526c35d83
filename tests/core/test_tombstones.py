"""
What is remembered of clusters that have ended: how much, how long, and by a restart.
"""

import pytest

from cvmpair.core.book import ClusterBook
from cvmpair.core.errors import ClusterGone, ClusterNotFound
from cvmpair.core.model import Limits
from cvmpair.core.packing import Packed
from cvmpair.core.tombstones import KEPT


def book_with_room(tombstones: int) -> ClusterBook:
    return ClusterBook(Limits(tombstones=tombstones))


def create(book: ClusterBook, lifetime: float = 60.0) -> str:
    return book.create(now=0.0, lifetime=lifetime).pin


def told(book: ClusterBook, pin: str) -> str:
    """
    Return what is said of a PIN.
    """
    try:
        book.cluster(pin)
    except ClusterGone as gone:
        return gone.reason
    except ClusterNotFound:
        return "unknown"
    return "live"


def restarted(records: dict[str, Packed], tombstones: int = 100) -> ClusterBook:
    book = book_with_room(tombstones)
    book.load(records.items())
    book.begin_run(7)
    return book


def test_no_more_are_kept_than_there_is_room_for() -> None:
    book = book_with_room(2)
    pins = [create(book) for _ in range(4)]
    for second, pin in enumerate(pins):
        book.delete(pin, float(second))
        assert book.tombstones == min(second + 1, 2)
    assert [told(book, pin) for pin in pins] == ["unknown"] * 2 + ["deleted"] * 2
    clusters = book.take_changes().clusters
    assert [clusters[pin] is None for pin in pins] == [True, True, False, False]


def test_those_that_expire_have_no_more_room_either() -> None:
    book = book_with_room(2)
    pins = [create(book, lifetime) for lifetime in (3.0, 1.0, 2.0)]
    book.expire(10.0, at_most=10)
    assert [told(book, pin) for pin in pins] == ["expired", "unknown", "expired"]


def test_none_are_kept_if_there_is_no_room() -> None:
    book = book_with_room(0)
    deleted, expired = create(book), create(book)
    book.take_changes()
    book.delete(deleted, 1.0)
    # Nobody may learn of it before it is durable.
    assert book.journal.pending(deleted) == book.version
    book.expire(100.0, at_most=10)
    assert told(book, deleted) == told(book, expired) == "unknown"
    assert book.take_changes().clusters == {deleted: None, expired: None}
    assert book.next_deadline() is None


def test_what_is_forgotten_before_it_is_durable() -> None:
    book = book_with_room(1)
    first, second = create(book), create(book)
    book.take_changes()
    book.delete(first, 1.0)
    version = book.version
    book.delete(second, 2.0)
    assert told(book, first) == "unknown"
    # Or a crash would bring it back to life, after it was said to be unknown.
    assert book.journal.pending(first) == version


def test_what_is_forgotten_while_it_is_written() -> None:
    book = book_with_room(1)
    deleted, expired, last = create(book), create(book, 5.0), create(book)
    book.take_changes()
    book.delete(deleted, 1.0)
    version = book.version
    # From here on it is on its way, and not durable yet.
    book.take_changes()
    book.expire(5.0, at_most=10)
    assert (told(book, deleted), book.journal.pending(deleted)) == ("unknown", version)
    book.delete(last, 6.0)
    # That one follows from the time alone.
    assert (told(book, expired), book.journal.pending(expired)) == ("unknown", 0)


def test_seven_days() -> None:
    book = book_with_room(10)
    pins = [create(book) for _ in range(3)]
    for second, pin in enumerate(pins):
        book.delete(pin, float(second))
    book.take_changes()
    assert book.next_deadline() == 7 * 86400
    assert book.expire(KEPT - 0.1, at_most=10) == []
    assert [told(book, pin) for pin in pins] == ["deleted"] * 3
    # They are no clusters, so none has expired.
    assert book.expire(KEPT + 1, at_most=10) == []
    assert [told(book, pin) for pin in pins] == ["unknown"] * 2 + ["deleted"]
    assert book.next_deadline() == KEPT + 2
    batch = book.take_changes()
    assert batch.clusters == {pins[0]: None, pins[1]: None}
    # The versions of their deletions, which may still be written.
    assert batch.journal == {pins[0]: 4, pins[1]: 5}


def test_portions() -> None:
    book = book_with_room(10)
    for _ in range(5):
        book.delete(create(book), 1.0)
    for left in (3, 1, 0):
        book.expire(2 * KEPT, at_most=2)
        assert book.tombstones == left
    assert book.next_deadline() is None


def test_a_restart_remembers() -> None:
    book = book_with_room(10)
    deleted, expired, live = create(book), create(book, 5.0), create(book, 500.0)
    book.delete(deleted, 1.5)
    book.expire(10.0, at_most=10)
    again = restarted({**book.take_changes().clusters})  # type: ignore[dict-item]
    assert (len(again), again.tombstones) == (1, 2)
    for pin, words in (deleted, "deleted"), (expired, "expired"), (live, "live"):
        again.add_key(live, "sesame", "open") if pin == live else None
        assert told(again, pin) == words
    assert again.next_deadline() == 500
    with pytest.raises(ClusterGone) as refusal:
        again.cluster(deleted)
    assert refusal.value.ended == 1.5


def test_a_restart_with_less_room() -> None:
    """
    The oldest are forgotten, wherever the backing has them.
    """
    ends = {f"{letter}" * 12: float(time) for letter, time in ("a1", "b3", "c2", "d0")}
    records = {pin: f'["deleted",{ended},7]' for pin, ended in ends.items()}
    book = restarted(records, tombstones=2)
    assert {pin for pin in ends if told(book, pin) == "deleted"} == {"b" * 12, "c" * 12}
    batch = book.take_changes()
    assert batch.clusters == {"a" * 12: None, "d" * 12: None}
    assert set(batch.journal.values()) == {0}
    assert book.next_deadline() == KEPT + 2


def test_what_was_over_while_nothing_ran() -> None:
    pins = [letter * 12 for letter in "abcd"]
    records = [
        '["deleted",8.0,7]',
        '["expired",5.0,7]',
        "[0.0,9.0,7]",
        "[0.0,60.0,7]",
    ]
    book = restarted(dict(zip(pins, records, strict=True)))
    assert sorted(book.expire(KEPT + 10, at_most=10)) == pins[2:]
    assert [told(book, pin) for pin in pins] == [
        *("unknown", "unknown", "unknown", "expired")
    ]
    with pytest.raises(ClusterGone) as refusal:
        book.cluster(pins[3])
    # Not when that was noticed.
    assert refusal.value.ended == 60.0


def test_a_new_pin_is_none_that_is_remembered() -> None:
    draws = ["a" * 12, "b" * 12, "a" * 12]
    book = ClusterBook(Limits(), draws.pop)
    first = create(book)
    book.delete(first, 1.0)
    draws.append(first)
    assert create(book) == "b" * 12
    assert told(book, first) == "deleted"
