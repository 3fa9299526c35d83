"""
What happens when a flush fails, until the backing has everything again.
"""

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from cvmpair.core.errors import StoreUnavailable
from cvmpair.services.snapshotting import LONGEST_DELAY, RETRY_AFTER
from tests.conftest import LogEvents
from tests.services.scene import Scene

BROKEN = OSError("disk I/O error")


@pytest.fixture
def scene(clock: Clock) -> Scene:
    return Scene(clock)


@pytest.fixture
def periodic(clock: Clock) -> Scene:
    return Scene(clock, interval=10.0)


def take(logged: LogEvents, words: str) -> list[str]:
    return logged.take(lambda text: words in text)


def break_down(scene: Scene, error: Exception = BROKEN) -> str:
    """
    Have a flush fail, and the try to recover that follows at once.
    """
    pin = scene.change()
    scene.clock.advance(scene.interval or 0)
    scene.backing.broken = error
    scene.backing.flush()
    return pin


def recover(scene: Scene) -> None:
    scene.backing.broken = None
    scene.clock.advance(LONGEST_DELAY)
    scene.backing.flush()
    scene.snapshotting.check_writable()


def takes_changes(scene: Scene) -> bool:
    try:
        scene.snapshotting.check_writable()
    except StoreUnavailable:
        return False
    return True


def test_after_a_failed_write_nothing_is_acknowledged(
    scene: Scene, logged: LogEvents
) -> None:
    safe = scene.durable_pin()
    lost = scene.change()
    held = scene.ask(lost)
    scene.clock.advance(0)
    waiting = scene.change()
    held_too = scene.ask(waiting)
    scene.backing.broken = OSError("disk I/O error")
    scene.backing.go_on()
    for ended in (held, held_too, scene.ask(lost), scene.ask(waiting)):
        (error,) = ended
        assert isinstance(error, StoreUnavailable)
        assert error.retry_after == RETRY_AFTER
    with pytest.raises(StoreUnavailable):
        scene.snapshotting.check_writable()
    assert scene.ask(safe) == ["durable"]
    (line,) = take(logged, "flush failed")
    assert "error=OSError reason='disk I/O error'" in line
    recover(scene)


def test_all_that_was_not_saved_is_written_before_changes_are_taken(
    scene: Scene, logged: LogEvents
) -> None:
    deleted, expired = scene.durable_pin(), scene.durable_pin()
    scene.clock.advance(30)
    scene.book.delete(deleted, 0.0)
    scene.book.add_key(expired, "sesame", "open")
    first = break_down(scene)
    # Expiry goes on while nothing else does.
    assert len(scene.book.expire(60, 10)) == 1
    scene.snapshotting.changed()
    scene.backing.broken = None
    scene.clock.advance(LONGEST_DELAY)
    assert scene.backing.durable.keys() == {deleted, expired}
    scene.backing.go_on()
    assert not takes_changes(scene)
    assert isinstance(scene.ask(first)[0], StoreUnavailable)
    assert isinstance(scene.ask(deleted)[0], StoreUnavailable)
    scene.backing.go_on()
    assert takes_changes(scene)
    assert scene.ask(first) == scene.ask(deleted) == ["durable"]
    assert scene.backing.durable.keys() == {first}
    assert scene.snapshotting.unsaved() == set()
    take(logged, "flush failed")
    assert len(take(logged, "recovered")) == 1


def test_watchers_wait_until_all_is_saved(scene: Scene, logged: LogEvents) -> None:
    expired = scene.durable_pin()
    scene.clock.advance(10)
    pin = break_down(scene)
    told = len(scene.told)
    scene.clock.advance(1)
    scene.backing.flush()
    assert scene.told[told:] == []
    assert not scene.snapshotting.is_settled(pin)
    # That somebody's time is over can be told all the same.
    scene.snapshotting.expired(scene.book.expire(61, 1))
    assert scene.told[told:] == [{expired: '["expired",60.0,1]'}]
    recover(scene)
    (saved,) = scene.told[told + 1 :]
    assert saved == {expired: '["expired",60.0,1]', pin: scene.book.packed(pin)}
    take(logged, "flush failed")
    take(logged, "recovered")


def test_what_expires_while_all_is_written_comes_after(
    scene: Scene, logged: LogEvents
) -> None:
    pin = break_down(scene)
    scene.backing.broken = None
    scene.clock.advance(LONGEST_DELAY)
    scene.backing.go_on()
    assert len(scene.book.expire(61, 10)) == 1
    scene.snapshotting.changed()
    scene.backing.go_on()
    assert scene.backing.durable.keys() == {pin}
    scene.clock.advance(0)
    scene.backing.flush()
    assert scene.backing.durable == {}
    take(logged, "flush failed")


def test_it_goes_on_as_before(scene: Scene, logged: LogEvents) -> None:
    break_down(scene)
    recover(scene)
    answer = scene.ask(scene.change())
    scene.clock.advance(0)
    assert answer == []
    scene.backing.flush()
    assert answer == ["durable"]
    break_down(scene)
    recover(scene)
    assert len(scene.backing.durable) == 3
    assert len(take(logged, "flush failed")) == 2
    assert len(take(logged, "recovered")) == 2


def test_it_is_tried_at_growing_intervals(scene: Scene, logged: LogEvents) -> None:
    break_down(scene)
    tries = []
    for second in range(1, 300):
        scene.clock.advance(1)
        if scene.backing.busy:
            tries.append(second)
        scene.backing.flush()
    assert tries == [1, 3, *range(7, 300, 4)]
    # The reason has been said once.
    assert len(take(logged, "flush failed")) == 1
    assert take(logged, "read-only") == []
    recover(scene)


def test_another_reason_is_said_once(scene: Scene, logged: LogEvents) -> None:
    break_down(scene)
    scene.backing.broken = ValueError("the file is damaged")
    for _ in range(5):
        scene.clock.advance(LONGEST_DELAY)
        scene.backing.flush()
        assert not takes_changes(scene)
    (line,) = take(logged, "still read-only")
    assert "error=ValueError reason='the file is damaged'" in line
    take(logged, "flush failed")
    recover(scene)


def test_a_write_that_fails_again_loses_nothing(
    scene: Scene, logged: LogEvents
) -> None:
    pin = break_down(scene)
    for _ in range(3):
        scene.backing.broken = None
        scene.clock.advance(LONGEST_DELAY)
        scene.backing.go_on()
        scene.backing.broken = BROKEN
        scene.backing.go_on()
        assert not takes_changes(scene)
        assert scene.snapshotting.unsaved() == {pin}
    recover(scene)
    assert scene.backing.durable.keys() == {pin}
    take(logged, "flush failed")


def test_failing_to_tidy_ends_it_but_what_was_written_is_durable(
    scene: Scene, logged: LogEvents
) -> None:
    pin = scene.change()
    scene.clock.advance(0)
    scene.backing.go_on()

    def fail() -> None:
        raise BROKEN

    ((_, done),) = scene.backing._begun
    scene.backing._begun[:] = [(fail, done)]
    scene.backing.go_on()
    assert scene.ask(pin) == ["durable"]
    assert not takes_changes(scene)
    scene.backing.flush()
    # There was nothing left to write, but that it can be was tried.
    assert takes_changes(scene)
    assert len(scene.backing.batches) == 2
    assert take(logged, "flush failed")


def test_the_end_makes_a_last_try(scene: Scene, logged: LogEvents) -> None:
    pin = break_down(scene)
    scene.backing.broken = None
    ended = scene.finish()
    scene.backing.flush()
    assert ended == [None]
    assert scene.backing.durable.keys() == {pin}
    assert scene.snapshotting.unsaved() == set()
    take(logged, "flush failed")


def test_the_end_comes_even_if_all_stays_broken(
    scene: Scene, logged: LogEvents
) -> None:
    pin = break_down(scene)
    for _ in range(2):
        ended = scene.finish()
        scene.backing.flush()
        assert ended == [None]
    assert scene.snapshotting.unsaved() == {pin}
    take(logged, "flush failed")


def test_the_end_waits_for_a_try_that_is_under_way(
    scene: Scene, logged: LogEvents
) -> None:
    pin = break_down(scene)
    scene.backing.broken = None
    scene.clock.advance(LONGEST_DELAY)
    ended = scene.finish()
    scene.backing.go_on()
    assert ended == []
    scene.backing.flush()
    assert ended == [None]
    assert scene.backing.durable.keys() == {pin}
    take(logged, "flush failed")


def test_a_failure_at_the_end_begins_no_recovery(
    scene: Scene, logged: LogEvents
) -> None:
    scene.change()
    scene.backing.broken = BROKEN
    ended = scene.finish()
    scene.backing.flush()
    assert ended == [None]
    assert scene.clock.getDelayedCalls() == []
    assert take(logged, "flush failed")


def test_periodic_recovers_too(periodic: Scene, logged: LogEvents) -> None:
    pin = break_down(periodic)
    assert not takes_changes(periodic)
    assert periodic.ask(pin) == ["durable"]
    recover(periodic)
    assert periodic.backing.durable.keys() == {pin}
    other = periodic.change()
    periodic.clock.advance(9.9)
    assert not periodic.backing.busy
    periodic.clock.advance(0.1)
    periodic.backing.flush()
    assert periodic.backing.durable.keys() == {pin, other}
    take(logged, "flush failed")


def test_a_probe_tells_that_nothing_can_be_saved(
    scene: Scene, logged: LogEvents
) -> None:
    told: list[object] = []

    def probe() -> None:
        probing = Deferred.fromCoroutine(scene.snapshotting.probe())
        probing.addCallbacks(told.append, lambda failure: told.append(failure.type))

    probe()
    scene.clock.advance(0)
    probe()  # while the flush is under way
    scene.backing.broken = BROKEN
    scene.backing.flush()
    probe()
    assert told == [StoreUnavailable] * 3
    assert scene.snapshotting.is_read_only()
    recover(scene)
    assert not scene.snapshotting.is_read_only()
    probe()
    scene.clock.advance(0)
    scene.backing.flush()
    assert told[3:] == [None]
    take(logged, "flush failed")
