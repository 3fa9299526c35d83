"""
Asking again and again until there is an answer: one state machine for the agent
and for the daemon.

=======  ======================  ========  ===================================
state    what it holds           input     what follows
=======  ======================  ========  ===================================
idle     nothing                 start     asking
asking   the question, and the   answered  done: the answer
         timer of the deadline   fail      done: an answer that stays as it is
                                 postpone  waiting
                                 exhaust   gave up: no try or no time is left
                                 timer     gave up: it hung until the deadline
                                 stop      stopped
waiting  the timer of the pause  timer     asking
                                 fail      done: ``on_wait`` raised an error
                                 exhaust   gave up: the pause ended too late
                                 stop      stopped
done, gave up, stopped           all       nothing: it came too late
=======  ======================  ========  ===================================

Whoever leaves a state ends what it holds, so there is one timer at a time, and
none at the end.
"""

from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Protocol, TypeVar

from attrs import define, field, frozen
from automat import TypeMachineBuilder
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from cvmpair.core.budget import Budget, GaveUp, NotYet

__all__ = ["Budget", "GaveUp", "NotYet", "poll"]

T = TypeVar("T")


@frozen
class _Question:
    asked: Deferred[None]
    deadline: IDelayedCall | None

    def close(self) -> None:
        if self.deadline is not None:
            self.deadline.cancel()


class _Inputs(Protocol):
    # Each is annotated to return None, so Automat puts one off that comes in the
    # middle of another: an answer that is there at once.

    def start(self) -> None:
        """Begin to ask."""

    def answered(self, answer: Any) -> None:
        """Take the answer."""

    def fail(self, error: Exception) -> None:
        """Take an answer that cannot get better."""

    def postpone(self, not_yet: NotYet, seconds: float) -> None:
        """Ask again later."""

    def exhaust(self) -> None:
        """Take notice that the budget is spent."""

    def timer(self) -> None:
        """Take notice that the time has come."""

    def stop(self) -> None:
        """End it without an answer."""


@define(eq=False, kw_only=True)
class _Core:
    ask: Callable[[], Awaitable[Any]]
    delays: Iterator[float]
    clock: IReactorTime
    budget: Budget
    on_wait: Callable[[NotYet, float, int], None] | None
    result: Deferred[Any] = field(init=False)
    begun: float = field(init=False)
    tries: int = field(init=False, default=0)
    last: NotYet | None = field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        self.begun = self.clock.seconds()

    def left(self) -> float | None:
        """
        Return the seconds until the deadline.
        """
        if self.budget.seconds is None:
            return None
        return self.begun + self.budget.seconds - self.clock.seconds()

    async def question(self, inputs: _Inputs) -> None:
        try:
            answer = await self.ask()
        except NotYet as not_yet:
            self.hear(inputs, not_yet)
        except Exception as error:
            inputs.fail(error)
        else:
            inputs.answered(answer)

    def give_up(self) -> None:
        seconds = self.clock.seconds() - self.begun
        self.result.errback(GaveUp(self.tries, seconds, self.last))

    def hear(self, inputs: _Inputs, not_yet: NotYet) -> None:
        """
        Decide whether to ask again.
        """
        self.last = not_yet
        delay = next(self.delays, None)
        if delay is None or self.tries == self.budget.tries:
            inputs.exhaust()
            return
        pause = not_yet.pause
        if pause is None:
            pause = max(delay, not_yet.retry_after or 0.0)
        left = self.left()
        if left is not None and pause >= left:
            inputs.exhaust()
        else:
            inputs.postpone(not_yet, pause)

    def wake(self, inputs: _Inputs) -> None:
        """
        End a pause; a busy process may do so late.
        """
        left = self.left()
        if left is not None and left <= 0:
            inputs.exhaust()
        else:
            inputs.timer()


def _begin_asking(inputs: _Inputs, core: _Core) -> _Question:
    core.tries += 1
    left = core.left()
    deadline = None if left is None else core.clock.callLater(left, inputs.timer)
    asked = Deferred.fromCoroutine(core.question(inputs))
    return _Question(asked, deadline)


def _begin_waiting(
    inputs: _Inputs, core: _Core, not_yet: NotYet, seconds: float
) -> IDelayedCall:
    del not_yet
    return core.clock.callLater(seconds, core.wake, inputs)


def _answer(_: _Inputs, core: _Core, question: _Question, answer: Any) -> None:
    question.close()
    core.result.callback(answer)


def _fail(_: _Inputs, core: _Core, question: _Question, error: Exception) -> None:
    question.close()
    core.result.errback(error)


def _wait(
    inputs: _Inputs, core: _Core, question: _Question, not_yet: NotYet, seconds: float
) -> None:
    question.close()
    try:
        if core.on_wait is not None:
            core.on_wait(not_yet, seconds, core.tries)
    except Exception as error:
        inputs.fail(error)


def _fail_to_show(
    _: _Inputs, core: _Core, pause: IDelayedCall, error: Exception
) -> None:
    pause.cancel()
    core.result.errback(error)


def _give_up(_: _Inputs, core: _Core, question: _Question) -> None:
    question.close()
    core.give_up()


def _time_out(_: _Inputs, core: _Core, question: _Question) -> None:
    question.asked.cancel()
    core.give_up()


def _wake_too_late(_: _Inputs, core: _Core, pause: IDelayedCall) -> None:
    assert not pause.active()
    core.give_up()


def _stop_asking(_: _Inputs, core: _Core, question: _Question) -> None:
    del core
    question.close()
    question.asked.cancel()


def _stop_waiting(_: _Inputs, core: _Core, pause: IDelayedCall) -> None:
    del core
    pause.cancel()


def _make_machine() -> Callable[[_Core], _Inputs]:
    machine = TypeMachineBuilder(_Inputs, _Core)

    idle = machine.state("idle")
    asking = machine.state("asking", _begin_asking)
    waiting = machine.state("waiting", _begin_waiting)
    done = machine.state("done")
    gave_up = machine.state("gave up")
    stopped = machine.state("stopped")

    idle.upon(_Inputs.start).to(asking).returns(None)

    asking.upon(_Inputs.answered).to(done)(_answer)
    asking.upon(_Inputs.fail).to(done)(_fail)
    asking.upon(_Inputs.postpone).to(waiting)(_wait)
    asking.upon(_Inputs.exhaust).to(gave_up)(_give_up)
    asking.upon(_Inputs.timer).to(gave_up)(_time_out)
    asking.upon(_Inputs.stop).to(stopped)(_stop_asking)

    waiting.upon(_Inputs.timer).to(asking).returns(None)
    waiting.upon(_Inputs.fail).to(done)(_fail_to_show)
    waiting.upon(_Inputs.exhaust).to(gave_up)(_wake_too_late)
    waiting.upon(_Inputs.stop).to(stopped)(_stop_waiting)

    for end in (done, gave_up, stopped):
        end.upon(_Inputs.answered).loop().returns(None)
        end.upon(_Inputs.fail).loop().returns(None)
        end.upon(_Inputs.postpone).loop().returns(None)
        end.upon(_Inputs.exhaust).loop().returns(None)
        end.upon(_Inputs.timer).loop().returns(None)
        end.upon(_Inputs.stop).loop().returns(None)

    return machine.build()


_machine = _make_machine()


def poll(
    ask: Callable[[], Awaitable[T]],
    *,
    delays: Iterator[float],
    clock: IReactorTime,
    budget: Budget,
    on_wait: Callable[[NotYet, float, int], None] | None = None,
) -> Deferred[T]:
    """
    Ask until there is an answer, beginning at once.

    A ``retry_after`` that is longer than the delay wins; ``pause`` takes the place of
    both. A pause that would last
    until the deadline or beyond is not begun, as no try could come after it: then
    it gives up at once, as it does after the last try. A question that hangs is
    cancelled at the deadline.

    Cancelling the Deferred stops it, with the question or the pause it is in.

    :param ask: raises :exc:`NotYet` to be asked again. Whatever else it raises is
        an answer that cannot get better.
    :param delays: the seconds before each further try; at their end it gives up.
    :param on_wait: is called at the beginning of each pause with the reason, the
        seconds, and how often it was asked up to now.

    :raises GaveUp: if the budget is spent.
    """
    core = _Core(ask=ask, delays=delays, clock=clock, budget=budget, on_wait=on_wait)
    inputs = _machine(core)
    result: Deferred[T] = Deferred(lambda _: inputs.stop())
    core.result = result
    inputs.start()
    return result
