import pytest
from attrs import define
from hypothesis import given
from hypothesis import strategies as st

from cvmpair.core.timeline import STEP, ClockMark, Timeline


@define
class Clocks:
    """
    The two clocks of a machine.
    """

    monotonic: float = 500.0
    wall: float = 1_000_000.0

    def advance(self, seconds: float) -> None:
        self.monotonic += seconds
        self.wall += seconds

    def timeline(self) -> Timeline:
        return Timeline(lambda: self.monotonic, lambda: self.wall)


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


def test_begins_with_the_wall_clock(clocks: Clocks) -> None:
    timeline = clocks.timeline()
    assert timeline.now() == 1_000_000.0
    assert timeline.mark() == ClockMark(book=1_000_000.0, wall=1_000_000.0)
    assert not timeline.observe()


@pytest.mark.parametrize("step", [-90_000.0, -STEP, STEP, 90_000.0])
def test_a_step_moves_no_book_time(clocks: Clocks, step: float) -> None:
    timeline = clocks.timeline()
    clocks.advance(10)
    clocks.wall += step
    assert timeline.observe()
    assert not timeline.observe()
    assert timeline.now() == 1_000_010.0
    assert timeline.to_wall(timeline.now()) == clocks.wall
    assert timeline.mark() == ClockMark(book=1_000_010.0, wall=clocks.wall)


def test_a_step_that_is_undone_leaves_nothing(clocks: Clocks) -> None:
    timeline = clocks.timeline()
    clocks.wall += 3600
    assert timeline.observe()
    # NTP sets it right but for a little.
    clocks.wall -= 3600.3
    assert timeline.observe()
    assert timeline.to_wall(1_000_000.0) == 1_000_000.0


def test_what_is_less_than_a_step_is_left_alone(clocks: Clocks) -> None:
    timeline = clocks.timeline()
    clocks.wall += STEP * 0.9
    assert not timeline.observe()
    assert timeline.to_wall(1_000_000.0) == 1_000_000.0


def test_small_differences_add_up_to_a_step(clocks: Clocks) -> None:
    timeline = clocks.timeline()
    seen = []
    for _ in range(4):
        clocks.wall += STEP * 0.4
        seen.append(timeline.observe())
    assert seen == [False, False, True, False]


def test_a_restart_counts_the_time_between(clocks: Clocks) -> None:
    before = clocks.timeline()
    clocks.advance(100)
    mark = before.mark()
    after_boot = Clocks(monotonic=3.0, wall=clocks.wall + 50)
    timeline = after_boot.timeline()
    timeline.resume(mark)
    assert timeline.now() == 1_000_150.0
    assert timeline.to_wall(timeline.now()) == after_boot.wall


def test_a_wall_clock_set_back_while_down_counts_as_no_time(clocks: Clocks) -> None:
    mark = clocks.timeline().mark()
    after_boot = Clocks(monotonic=3.0, wall=clocks.wall - 3600)
    timeline = after_boot.timeline()
    timeline.resume(mark)
    assert timeline.now() == mark.book
    assert timeline.to_wall(mark.book) == after_boot.wall
    assert not timeline.observe()


def test_a_step_before_the_restart_stays_known(clocks: Clocks) -> None:
    before = clocks.timeline()
    clocks.wall += 7200
    before.observe()
    mark = before.mark()
    clocks.advance(10)
    timeline = clocks.timeline()
    timeline.resume(mark)
    assert timeline.now() == 1_000_010.0
    assert timeline.to_wall(1_000_010.0) == clocks.wall


EVENTS = st.lists(
    st.tuples(st.just("advance"), st.integers(0, 10_000))
    | st.tuples(st.just("step"), st.integers(-100_000, 100_000))
    | st.tuples(st.just("restart"), st.integers(0, 10_000)),
    max_size=30,
)


@given(EVENTS)
def test_book_time_is_time_that_passed(events) -> None:
    """
    Whatever the wall clock does while a process runs, book time counts what the
    monotonic clock counts; while none runs it counts what the wall clock does.
    """
    clocks = Clocks()
    timeline = clocks.timeline()
    expected = clocks.wall
    for what, seconds in events:
        if what == "advance":
            clocks.advance(seconds)
            expected += seconds
        elif what == "step":
            clocks.wall += seconds
            assert timeline.observe() == (abs(seconds) >= STEP)
        else:
            mark = timeline.mark()
            clocks = Clocks(monotonic=1.0, wall=clocks.wall + seconds)
            timeline = clocks.timeline()
            timeline.resume(mark)
            expected += seconds
        assert timeline.now() == pytest.approx(expected)
        assert timeline.to_wall(timeline.now()) == pytest.approx(clocks.wall)
