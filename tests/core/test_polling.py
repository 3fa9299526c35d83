"""
Polling: the answer, the pauses, the budget and the end, step by step.
"""

import subprocess
import sys
from collections.abc import Awaitable, Callable
from itertools import count, repeat
from typing import Any

import pytest
from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.task import Clock

from cvmpair.core.polling import Budget, GaveUp, NotYet, poll


@define(slots=False)
class Scene:
    """
    Somebody who is asked, and who answers when the test says so.
    """

    clock: Clock
    questions: list[Deferred[Any]] = field(factory=list)
    cancelled: int = 0
    shown: list[tuple[str, float, int]] = field(factory=list)
    ended: list[Any] = field(factory=list)
    polling: Deferred[Any] = field(init=False)

    def begin(
        self,
        ask: Callable[[], Awaitable[Any]] | None = None,
        delay: float = 10.0,
        **budget: Any,
    ) -> None:
        self.polling = poll(
            ask or self.ask,
            delays=repeat(delay),
            clock=self.clock,
            budget=Budget(**budget),
            on_wait=self.show,
        )
        self.polling.addCallbacks(
            self.ended.append, lambda failure: self.ended.append(failure.value)
        )

    def ask(self) -> Deferred[Any]:
        self.questions.append(Deferred(self.cancel))
        return self.questions[-1]

    def cancel(self, _: object) -> None:
        self.cancelled += 1

    def show(self, not_yet: NotYet, seconds: float, tries: int) -> None:
        self.shown.append((not_yet.reason, seconds, tries))

    def not_yet(self, retry_after: float | None = None) -> None:
        self.questions[-1].errback(NotYet("no master", retry_after))

    def gave_up(self) -> GaveUp:
        assert self.clock.getDelayedCalls() == []
        (error,) = self.ended
        assert isinstance(error, GaveUp)
        return error


@pytest.fixture
def scene(clock: Clock) -> Scene:
    return Scene(clock)


def test_the_first_answer_ends_it(scene: Scene) -> None:
    scene.begin(tries=3, seconds=100)
    scene.questions[0].callback("10.1.2.3")
    assert scene.ended == ["10.1.2.3"]


def test_an_answer_that_is_there_at_once(scene: Scene) -> None:
    scene.begin(lambda: succeed("10.1.2.3"), tries=3, seconds=100)
    assert scene.ended == ["10.1.2.3"]


def test_it_asks_again_after_the_delay(scene: Scene) -> None:
    scene.begin()
    scene.not_yet()
    scene.clock.advance(9.9)
    assert len(scene.questions) == 1
    scene.clock.advance(0.1)
    assert len(scene.questions) == 2
    scene.questions[1].callback("there")
    assert scene.ended == ["there"]
    assert scene.shown == [("no master", 10.0, 1)]


def test_it_asks_again_although_all_is_answered_at_once(scene: Scene) -> None:
    numbers = count(1)

    async def ask() -> int:
        if (number := next(numbers)) < 4:
            raise NotYet("no master")
        return number

    scene.begin(ask, tries=4)
    scene.clock.pump([10, 10, 10])
    assert scene.ended == [4]


@pytest.mark.parametrize(
    ("retry_after", "pause"), [(None, 10.0), (3.0, 10.0), (30.0, 30.0)]
)
def test_the_longer_of_delay_and_retry_after_wins(
    scene: Scene, retry_after: float | None, pause: float
) -> None:
    scene.begin(tries=2)
    scene.not_yet(retry_after)
    assert scene.shown == [("no master", pause, 1)]
    scene.clock.advance(pause)
    scene.not_yet()
    assert scene.gave_up().tries == 2


def test_who_has_waited_already_pauses_as_it_was_told(scene: Scene) -> None:
    scene.begin(tries=3)
    for _ in range(2):
        scene.questions[-1].errback(NotYet("no master", 30.0, pause=3.0))
        asked = len(scene.questions)
        scene.clock.advance(2.9)
        assert len(scene.questions) == asked
        scene.clock.advance(0.1)
        assert len(scene.questions) == asked + 1
    scene.questions[-1].errback(NotYet("no master", pause=3.0))
    assert scene.gave_up().tries == 3


def test_another_error_ends_it_at_once(scene: Scene) -> None:
    scene.begin(seconds=100)
    error = ValueError("gone")
    scene.questions[0].errback(error)
    assert scene.ended == [error]


def test_an_error_instead_of_a_question(scene: Scene) -> None:
    error = ValueError("gone")

    def ask() -> Awaitable[Any]:
        raise error

    scene.begin(ask, seconds=100)
    assert scene.ended == [error]


def test_no_pause_after_the_last_try(scene: Scene) -> None:
    scene.begin(tries=3)
    for _ in range(2):
        scene.not_yet()
        scene.clock.advance(10)
    scene.not_yet()
    error = scene.gave_up()
    assert (error.tries, error.seconds) == (3, 20)
    assert error.last is not None
    assert str(error) == "gave up after 3 tries in 20 s: no master"
    assert len(scene.questions) == 3


@pytest.mark.parametrize("retry_after", [None, 40.0, 3600.0])
def test_a_pause_until_the_deadline_is_not_begun(
    scene: Scene, retry_after: float | None
) -> None:
    scene.begin(delay=40, seconds=50)
    scene.clock.advance(10)
    scene.not_yet(retry_after)
    error = scene.gave_up()
    assert (error.tries, error.seconds) == (1, 10)
    assert scene.shown == []


def test_a_question_that_hangs_is_cancelled_at_the_deadline(scene: Scene) -> None:
    scene.begin(seconds=50)
    scene.not_yet()
    scene.clock.advance(10)
    scene.clock.advance(39.9)
    assert scene.ended == []
    scene.clock.advance(0.1)
    error = scene.gave_up()
    assert (error.tries, error.seconds) == (2, 50)
    assert scene.cancelled == 1


def test_the_end_of_the_delays_is_the_end(scene: Scene) -> None:
    polling = poll(scene.ask, delays=iter([10.0]), clock=scene.clock, budget=Budget())
    polling.addErrback(lambda failure: scene.ended.append(failure.value))
    scene.not_yet()
    scene.clock.advance(10)
    scene.not_yet()
    assert scene.gave_up().tries == 2


def test_a_late_process_asks_no_more_after_the_deadline(scene: Scene) -> None:
    scene.begin(seconds=50)
    scene.not_yet()
    scene.clock.advance(60)
    assert scene.gave_up().tries == 1


def test_nothing_was_heard_of(scene: Scene) -> None:
    scene.begin(seconds=5)
    scene.clock.advance(5)
    error = scene.gave_up()
    assert error.last is None
    assert str(error) == "gave up after 1 tries in 5 s: no answer"


def test_stopping_cancels_the_question(scene: Scene) -> None:
    scene.begin(seconds=50)
    scene.polling.cancel()
    assert scene.cancelled == 1
    (error,) = scene.ended
    assert isinstance(error, CancelledError)


def test_stopping_cancels_the_pause(scene: Scene) -> None:
    scene.begin(seconds=50)
    scene.not_yet()
    scene.polling.cancel()
    assert scene.clock.getDelayedCalls() == []
    (error,) = scene.ended
    assert isinstance(error, CancelledError)


@pytest.mark.parametrize("answer", ["an answer", NotYet("no master"), OSError("late")])
def test_what_comes_after_the_stop_is_ignored(scene: Scene, answer: object) -> None:
    async def stubborn() -> object:
        try:
            await scene.ask()
        except CancelledError:
            if isinstance(answer, Exception):
                raise answer from None
        return answer

    scene.begin(stubborn, seconds=50)
    scene.polling.cancel()
    assert isinstance(scene.ended[0], CancelledError)
    assert scene.shown == []


def test_there_is_one_timer_at_a_time(scene: Scene) -> None:
    scene.begin(seconds=500)
    for _ in range(5):
        assert len(scene.clock.getDelayedCalls()) == 1
        scene.not_yet()
        assert len(scene.clock.getDelayedCalls()) == 1
        scene.clock.advance(10)
    scene.polling.cancel()


def test_an_error_of_who_shows_the_pause_ends_it(clock: Clock) -> None:
    def show(*_: object) -> None:
        raise OSError("the terminal is gone")

    polling = poll(
        lambda: fail(NotYet("no master")),
        delays=repeat(1.0),
        clock=clock,
        budget=Budget(),
        on_wait=show,
    )
    ended: list[object] = []
    polling.addErrback(lambda failure: ended.append(failure.check(OSError)))
    assert ended == [OSError]


def test_who_shows_the_pause_may_stop_it(scene: Scene) -> None:
    scene.show = lambda *_: scene.polling.cancel()  # type: ignore[method-assign]
    scene.begin()
    scene.not_yet()
    assert isinstance(scene.ended[0], CancelledError)


@pytest.mark.parametrize("budget", [{"tries": 0}, {"tries": -1}, {"seconds": -1.0}])
def test_a_budget_that_makes_no_sense(budget: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be"):
        Budget(**budget)


def test_it_does_not_load_the_reactor() -> None:
    program = (
        "import sys; import cvmpair.core.polling, cvmpair.core.backoff; "
        "sys.exit('twisted.internet.reactor' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
