"""
Marks are written when the wall clock was stepped, and each minute.
"""

from attrs import define, field
from twisted.internet.task import Clock

from cvmpair.core.timeline import Timeline
from cvmpair.services.timekeeping import LOOK_EVERY, MARK_EVERY, Timekeeping
from tests.conftest import LogEvents


@define
class Scene:
    """
    Two clocks; the wall clock may be stepped.
    """

    clock: Clock
    step: float = 0.0
    needed: bool = True
    marks: int = 0
    timeline: Timeline = field(init=False)
    timekeeping: Timekeeping = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.timeline = Timeline(self.clock.seconds, self.wall)
        self.timekeeping = Timekeeping(
            timeline=self.timeline,
            clock=self.clock,
            want_mark=self.want_mark,
            needed=lambda: self.needed,
        )
        self.timekeeping.start()

    def wall(self) -> float:
        return 1.7e9 + self.clock.seconds() + self.step

    def want_mark(self) -> None:
        self.marks += 1
        self.timeline.mark()

    def pass_by(self, seconds: float) -> None:
        self.clock.pump([LOOK_EVERY] * int(seconds / LOOK_EVERY))


def test_a_step_is_marked_and_said_once(clock: Clock, logged: LogEvents) -> None:
    scene = Scene(clock)
    scene.pass_by(5)
    assert scene.marks == 0
    scene.step = -3600
    scene.pass_by(5)
    assert scene.marks == 1
    assert sum("clock stepped" in text for text in logged.texts()) == 1
    scene.timekeeping.stop()


def test_a_step_that_was_written_and_undone_at_once(clock: Clock) -> None:
    scene = Scene(clock)
    scene.step = -3600
    # With some change of the book.
    scene.timeline.mark()
    scene.step = 0
    scene.pass_by(5)
    assert scene.marks == 1
    assert not scene.timeline.is_mark_off()
    scene.timekeeping.stop()


def test_a_mark_each_minute_while_there_are_deadlines(clock: Clock) -> None:
    scene = Scene(clock)
    scene.pass_by(MARK_EVERY * 3)
    assert scene.marks == 3
    scene.needed = False
    scene.pass_by(MARK_EVERY * 3)
    assert scene.marks == 3
    scene.timekeeping.stop()


def test_no_more_looks_after_the_end(clock: Clock) -> None:
    scene = Scene(clock)
    scene.timekeeping.stop()
    scene.step = 3600
    scene.pass_by(5)
    assert scene.marks == 0
