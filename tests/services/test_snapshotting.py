"""
Group commit, and answers that are held back.
"""

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from cvmpair.core.journal import EXPIRED_AT_ONCE
from cvmpair.core.model import Limits
from tests.services.scene import Scene
from tests.services.slow_backing import make_book


@pytest.fixture
def scene(clock: Clock) -> Scene:
    return Scene(clock)


@pytest.fixture
def periodic(clock: Clock) -> Scene:
    return Scene(clock, interval=10.0)


def test_an_answer_is_held_until_its_change_is_durable(scene: Scene) -> None:
    pin = scene.change()
    answer = scene.ask(pin)
    scene.clock.advance(0)
    assert answer == []
    scene.backing.go_on()
    assert answer == ["durable"]
    assert scene.backing.durable.keys() == {pin}
    scene.backing.flush()


def test_tidying_delays_no_answer(scene: Scene) -> None:
    answer = scene.ask(scene.change())
    scene.clock.advance(0)
    scene.backing.go_on()
    assert answer == ["durable"]
    assert scene.backing.tidied == 0
    scene.backing.go_on()
    assert scene.backing.tidied == 1
    assert not scene.backing.busy


def test_what_is_tidy_is_left_alone(scene: Scene) -> None:
    scene.backing.untidy = False
    scene.ask(scene.change())
    scene.clock.advance(0)
    scene.backing.go_on()
    assert not scene.backing.busy
    assert scene.backing.tidied == 0


def test_changes_of_one_turn_share_a_flush(scene: Scene) -> None:
    answers = [scene.ask(scene.change()) for _ in range(5)]
    scene.clock.advance(0)
    scene.backing.flush()
    assert answers == [["durable"]] * 5
    assert len(scene.backing.batches) == 1


def test_what_changes_during_a_flush_shares_the_next(scene: Scene) -> None:
    first = scene.ask(scene.change())
    scene.clock.advance(0)
    others = [scene.ask(scene.change()) for _ in range(5)]
    scene.backing.go_on()
    assert first == ["durable"]
    assert others == [[]] * 5
    scene.backing.flush()
    assert others == [["durable"]] * 5
    assert [len(batch.clusters) for batch in scene.backing.batches] == [1, 5]


def test_a_change_on_top_of_one_in_flight_is_held_for_its_own_flush(
    scene: Scene,
) -> None:
    pin = scene.change()
    scene.clock.advance(0)
    before = scene.ask(pin)
    scene.change(lambda: scene.book.add_key(pin, "sesame", "open"))
    after = scene.ask(pin)
    scene.backing.go_on()
    assert before == ["durable"]
    assert after == []
    scene.backing.flush()
    assert after == ["durable"]


def test_reads_of_others_are_not_held(scene: Scene) -> None:
    other = scene.durable_pin()
    scene.change()
    assert scene.ask(other) == ["durable"]
    assert scene.ask("unknown pin") == ["durable"]
    scene.clock.advance(0)
    assert scene.ask(other) == ["durable"]
    scene.backing.flush()


def test_that_a_cluster_is_gone_is_held_as_well(scene: Scene) -> None:
    pin = scene.durable_pin()
    scene.change(lambda: scene.book.delete(pin, 0.0))
    gone = scene.ask(pin)
    scene.clock.advance(0)
    assert gone == []
    scene.backing.go_on()
    assert gone == ["durable"]
    assert scene.backing.durable == {}
    scene.backing.flush()


def test_that_a_cluster_expired_is_not_held(scene: Scene) -> None:
    pin = scene.durable_pin()
    assert len(scene.book.expire(61, 10)) == 1
    scene.snapshotting.changed()
    scene.clock.advance(0)
    assert scene.ask(pin) == ["durable"]
    scene.backing.flush()
    assert scene.backing.durable == {}


def test_what_expires_while_it_is_written_was_there_first(scene: Scene) -> None:
    pin = scene.change()
    scene.clock.advance(0)
    assert len(scene.book.expire(61, 10)) == 1
    expired = scene.ask(pin)
    assert expired == []
    scene.backing.go_on()
    assert expired == ["durable"]
    scene.snapshotting.changed()
    scene.backing.flush()
    assert scene.backing.ended.keys() == {pin}


def test_an_idle_book_is_not_written(scene: Scene) -> None:
    scene.snapshotting.changed()
    scene.clock.advance(0)
    assert not scene.backing.busy


def test_a_mark_is_written_without_a_change(scene: Scene) -> None:
    scene.clock.advance(5)
    scene.snapshotting.want_mark()
    scene.clock.advance(0)
    scene.backing.flush()
    (mark,) = scene.backing.marks
    assert mark.book == 5


def test_whoever_goes_away_holds_nobody_up(scene: Scene) -> None:
    pin = scene.change()
    impatient = Deferred.fromCoroutine(scene.snapshotting.settled(pin))
    ended: list[object] = []
    impatient.addErrback(lambda failure: ended.append(failure.check(CancelledError)))
    patient = scene.ask(pin)
    impatient.cancel()
    assert ended == [CancelledError]
    scene.clock.advance(0)
    scene.backing.flush()
    assert patient == ["durable"]


def test_the_end_waits_for_what_is_under_way_and_flushes_the_rest(
    scene: Scene,
) -> None:
    first = scene.ask(scene.change())
    scene.clock.advance(0)
    second = scene.ask(scene.change())
    ended = scene.finish()
    assert ended == []
    scene.backing.flush()
    assert (first, second, ended) == (["durable"], ["durable"], [None])
    assert len(scene.backing.durable) == 2


def expire_many(scene: Scene) -> None:
    """
    Have as many clusters expire as go into three batches.
    """
    for _ in range(2 * EXPIRED_AT_ONCE + 1):
        scene.book.create(scene.clock.seconds(), 60)
    scene.change()
    scene.clock.advance(scene.interval or 0)
    scene.backing.flush()
    scene.book.expire(scene.clock.seconds() + 60, at_most=10**6)
    scene.snapshotting.changed()
    scene.clock.advance(scene.interval or 0)


def test_a_change_waits_for_a_portion_of_those_that_expired(scene: Scene) -> None:
    expire_many(scene)
    ended = scene.ask(scene.change())
    for _ in range(4):  # two writes, each with its tidying
        scene.backing.go_on()
    assert ended == ["durable"]
    assert scene.backing.busy
    scene.backing.flush()
    assert len(scene.backing.durable) == 1


def test_the_end_does_not_wait_for_those_that_expired(scene: Scene) -> None:
    expire_many(scene)
    pin = scene.change()
    ended = scene.finish()
    scene.backing.flush()
    assert ended == [None]
    assert pin in scene.backing.durable
    assert len(scene.backing.durable) > EXPIRED_AT_ONCE
    assert not scene.snapshotting.unsaved()


def test_the_end_writes_a_mark(scene: Scene) -> None:
    scene.clock.advance(7)
    ended = scene.finish()
    scene.backing.flush()
    assert ended == [None]
    assert [mark.book for mark in scene.backing.marks] == [7]


def test_periodic_holds_nothing_and_flushes_at_the_interval(periodic: Scene) -> None:
    answers = [periodic.ask(periodic.change()) for _ in range(3)]
    assert answers == [["durable"]] * 3
    periodic.clock.advance(9.9)
    assert not periodic.backing.busy
    periodic.clock.advance(0.1)
    periodic.backing.flush()
    assert [len(batch.clusters) for batch in periodic.backing.batches] == [3]


def test_periodic_waits_an_interval_after_a_flush_too(periodic: Scene) -> None:
    periodic.change()
    periodic.clock.advance(10)
    periodic.change()
    periodic.backing.flush()
    assert len(periodic.backing.batches) == 1
    periodic.clock.advance(9.9)
    assert not periodic.backing.busy
    periodic.clock.advance(0.1)
    periodic.backing.flush()
    assert len(periodic.backing.durable) == 2


def test_periodic_writes_a_mark_that_was_wanted_during_a_flush(
    periodic: Scene,
) -> None:
    periodic.change()
    periodic.clock.advance(10)
    periodic.snapshotting.want_mark()
    periodic.backing.flush()
    periodic.clock.advance(10)
    periodic.backing.flush()
    assert [mark.book for mark in periodic.backing.marks] == [10, 20]


def test_periodic_does_not_leave_those_that_expired_for_later(
    periodic: Scene,
) -> None:
    expire_many(periodic)
    periodic.backing.flush()
    assert not periodic.backing.durable


def test_periodic_flushes_all_at_the_end(periodic: Scene) -> None:
    periodic.change()
    periodic.clock.advance(10)
    periodic.change()
    ended = periodic.finish()
    periodic.backing.flush()
    assert ended == [None]
    assert len(periodic.backing.durable) == 2


def test_watchers_are_told_what_is_durable_and_nothing_else(scene: Scene) -> None:
    pin = scene.change()
    scene.clock.advance(0)
    created = scene.book.packed(pin)
    scene.change(lambda: scene.book.add_key(pin, "sesame", "open"))
    assert scene.told == []
    assert not scene.snapshotting.is_settled(pin)
    scene.backing.go_on()
    assert scene.told == [{pin: created}]
    assert not scene.snapshotting.is_settled(pin)
    scene.backing.flush()
    assert scene.told[1:] == [{pin: scene.book.packed(pin)}]
    assert scene.snapshotting.is_settled(pin)


def test_watchers_are_told_of_a_deletion(scene: Scene) -> None:
    pin = scene.durable_pin()
    scene.change(lambda: scene.book.delete(pin, 0.0))
    scene.clock.advance(0)
    scene.backing.flush()
    assert scene.told[1:] == [{pin: '["deleted",0.0,2]'}]


def test_watchers_are_told_of_expiry_before_it_is_durable(scene: Scene) -> None:
    pin = scene.durable_pin()
    scene.snapshotting.expired(scene.book.expire(61, 10))
    assert scene.told[1:] == [{pin: '["expired",60.0,1]'}]
    assert scene.snapshotting.is_settled(pin)
    scene.clock.advance(0)
    scene.backing.flush()
    assert scene.backing.durable == {}


def test_what_is_forgotten_while_its_end_is_written(clock: Clock) -> None:
    scene = Scene(clock, book=make_book(Limits(tombstones=1)))
    first, second = scene.durable_pin(), scene.durable_pin()
    scene.change(lambda: scene.book.delete(first, 0.0))
    scene.clock.advance(0)
    # That one is under way, and its tombstone makes room for this one.
    scene.change(lambda: scene.book.delete(second, 0.0))
    assert scene.book.packed(first) is None
    unknown = scene.ask(first)
    assert unknown == []
    scene.backing.go_on()
    assert unknown == ["durable"]
    scene.backing.flush()
    assert scene.backing.ended.keys() == {second}


def test_watchers_of_a_periodic_store_are_told_at_once(periodic: Scene) -> None:
    pin = periodic.change()
    created = periodic.book.packed(pin)
    periodic.clock.advance(10)
    periodic.book.add_key(pin, "sesame", "open")
    periodic.snapshotting.changed(pin)
    changed = periodic.book.packed(pin)
    assert periodic.told == [{pin: created}, {pin: changed}]
    # The flush under way has an older state, which is not told any more.
    periodic.backing.flush()
    assert periodic.told == [{pin: created}, {pin: changed}]
    periodic.clock.advance(10)
    periodic.backing.flush()


@pytest.mark.parametrize("interval", [None, 10.0])
def test_a_probe_is_a_write_at_once_that_leaves_nothing(
    clock: Clock, interval: float | None
) -> None:
    scene = Scene(clock, interval=interval)
    probes = [Deferred.fromCoroutine(scene.snapshotting.probe()) for _ in range(3)]
    clock.advance(0)
    assert not any(probe.called for probe in probes)
    scene.backing.flush()
    assert all(probe.called for probe in probes)
    assert [len(batch.clusters) for batch in scene.backing.batches] == [0]
    assert scene.backing.durable == {}


def test_a_probe_during_a_flush_waits_for_the_next(scene: Scene) -> None:
    scene.change()
    scene.clock.advance(0)
    probe = Deferred.fromCoroutine(scene.snapshotting.probe())
    scene.backing.go_on()
    assert not probe.called
    scene.backing.flush()
    assert probe.called
    assert len(scene.backing.batches) == 2
