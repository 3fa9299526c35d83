"""
One timer, to the next deadline of all.
"""

from collections.abc import Iterator, Sequence

import pytest
from attrs import define, field
from twisted.internet.task import Clock

from cvmpair.core.book import ClusterBook
from cvmpair.core.errors import ClusterGone, ClusterNotFound
from cvmpair.core.model import Limits
from cvmpair.core.timeline import ClockMark, Timeline
from cvmpair.services.expiry import SLICE, Expiry
from tests.conftest import LogEvents


@define
class Scene:
    """
    A book whose clusters expire.
    """

    clock: Clock
    book: ClusterBook = field(factory=lambda: ClusterBook(Limits()))
    told: int = 0
    flushes: int = 0
    timeline: Timeline = field(init=False)
    expiry: Expiry = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.timeline = Timeline(self.clock.seconds, self.clock.seconds)
        self.expiry = Expiry(
            book=self.book,
            timeline=self.timeline,
            clock=self.clock,
            expired=self.expired,
        )

    def expired(self, pins: Sequence[str]) -> None:
        self.told += bool(pins)
        self.flushes += 1
        self.book.take_changes()

    def create(self, lifetime: float) -> str:
        pin = self.book.create(self.timeline.now(), lifetime).pin
        self.expiry.changed()
        return pin

    def is_there(self, pin: str) -> bool:
        try:
            self.book.cluster(pin)
        except ClusterGone:
            return False
        return True


@pytest.fixture
def scene(clock: Clock) -> Iterator[Scene]:
    scene = Scene(clock)
    yield scene
    # What has ended is remembered for days.
    scene.expiry.stop()


def test_a_cluster_goes_at_its_deadline_and_not_before(scene: Scene) -> None:
    pin = scene.create(60)
    scene.clock.advance(59.9)
    assert scene.is_there(pin)
    scene.clock.advance(0.1)
    assert not scene.is_there(pin)
    assert scene.told == 1


def test_one_timer_serves_all(scene: Scene) -> None:
    pins = [scene.create(60 + number) for number in range(100)]
    assert len(scene.clock.getDelayedCalls()) == 1
    scene.clock.advance(60)
    assert [scene.is_there(pin) for pin in pins] == [False] + [True] * 99
    assert len(scene.clock.getDelayedCalls()) == 1
    scene.clock.pump([1] * 99)
    assert not any(scene.is_there(pin) for pin in pins)


def test_an_earlier_deadline_moves_the_timer(scene: Scene) -> None:
    late, early = scene.create(60), scene.create(5)
    scene.clock.advance(5)
    assert (scene.is_there(late), scene.is_there(early)) == (True, False)
    scene.clock.advance(55)
    assert not scene.is_there(late)


def test_what_was_deleted_is_remembered_for_seven_days(scene: Scene) -> None:
    pins = [scene.create(60), scene.create(60)]
    scene.book.delete(pins[0], 0.0)
    scene.clock.advance(60)
    (call,) = scene.clock.getDelayedCalls()
    assert call.getTime() == 7 * 86400
    scene.clock.advance(7 * 86400 - 60.1)
    assert scene.book.tombstones == 2
    scene.clock.advance(0.1)
    assert scene.book.tombstones == 1
    with pytest.raises(ClusterNotFound):
        scene.book.cluster(pins[0])
    with pytest.raises(ClusterGone):
        scene.book.cluster(pins[1])
    scene.clock.advance(60)
    assert scene.book.tombstones == 0
    assert not scene.clock.getDelayedCalls()
    # Nobody has to be told, but each time the backing is to forget it too.
    assert scene.told == 1
    assert scene.flushes == 3


def test_nothing_is_left_to_do_where_nothing_is_remembered(scene: Scene) -> None:
    scene.book = scene.expiry.book = ClusterBook(Limits(tombstones=0))
    scene.book.delete(scene.create(60), 0.0)
    scene.expiry.changed()
    assert not scene.clock.getDelayedCalls()


def test_many_at_once_go_in_slices(scene: Scene, logged: LogEvents) -> None:
    for _ in range(2 * SLICE + 1):
        scene.create(60)
    (call,) = scene.clock.getDelayedCalls()
    scene.clock.rightNow = call.getTime()
    assert len(scene.book) == 2 * SLICE + 1
    call.func(*call.args)
    assert len(scene.book) == SLICE + 1
    call.cancel()
    scene.clock.advance(0)
    scene.clock.advance(0)
    assert len(scene.book) == 0
    assert logged.take(lambda text: "expired" in text) == [
        f"expired clusters={2 * SLICE + 1}"
    ]


def test_what_expired_while_down_goes_at_the_start(
    scene: Scene, logged: LogEvents
) -> None:
    old = scene.create(60)
    young = scene.create(600)
    scene.expiry.stop()
    scene.timeline.resume(ClockMark(book=61, wall=0))
    assert scene.expiry.expire_now() == 1
    assert (scene.is_there(old), scene.is_there(young)) == (False, True)
    assert "expired clusters=1 (while down)" in logged.texts()


def test_a_step_of_the_wall_clock_moves_no_deadline(clock: Clock) -> None:
    wall = [1.7e9]
    scene = Scene(clock)
    scene.timeline = Timeline(clock.seconds, lambda: wall[0])
    scene.expiry.timeline = scene.timeline
    pins = [scene.create(60), scene.create(120)]
    wall[0] += 86400
    assert scene.timeline.observe()
    clock.advance(59)
    assert all(map(scene.is_there, pins))
    wall[0] -= 30 * 86400
    assert scene.timeline.observe()
    clock.advance(2)
    assert list(map(scene.is_there, pins)) == [False, True]
    clock.advance(60)
    assert not any(map(scene.is_there, pins))
    scene.expiry.stop()


def test_what_was_over_while_down_is_forgotten_at_the_start(scene: Scene) -> None:
    scene.book.load([("a" * 12, '["deleted",0.0,7]')])
    scene.timeline.resume(ClockMark(book=7 * 86400, wall=0))
    assert scene.expiry.expire_now() == 0
    assert (scene.book.tombstones, scene.flushes) == (0, 1)
