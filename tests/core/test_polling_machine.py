"""
Polling, whatever happens: every path ends once, within its budget, and leaves no
timer.
"""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from cvmpair.core.polling import Budget, GaveUp, NotYet, poll

seconds = st.sampled_from([0.0, 0.5, 1.0, 7.0, 25.0, 34.0, 100.0])


class Polling(RuleBasedStateMachine):
    """
    One polling, with a model of its budget.
    """

    @initialize(
        tries=st.none() | st.integers(1, 4),
        budget=st.none() | seconds,
        delay=seconds,
        at_once=st.lists(
            st.sampled_from(["not yet"] * 4 + ["answer", "error"]), max_size=3
        ),
    )
    def begin(self, tries, budget, delay, at_once) -> None:
        self.clock = Clock()
        self.tries, self.budget, self.delay = tries, budget, delay
        self.at_once: list[str] = at_once
        self.open: list[Deferred[str]] = []
        self.asked_at: list[float] = []
        self.ended: list[Any] = []
        self.ended_at = 0.0
        self.not_before = 0.0
        self.last_reason: NotYet | None = None
        self.shown: list[tuple[float, int]] = []
        self.stopped = self.answered = self.failed = False

        def delays():
            while True:
                yield delay

        self.polling = poll(
            self.ask,
            delays=delays(),
            clock=self.clock,
            budget=Budget(tries=tries, seconds=budget),
            on_wait=lambda _, pause, tries: self.shown.append((pause, tries)),
        )
        self.polling.addBoth(self.end)

    def end(self, result: Any) -> None:
        self.ended.append(getattr(result, "value", result))
        self.ended_at = self.clock.seconds()

    async def ask(self) -> str:
        assert not self.open, "it asks twice at a time"
        assert not self.ended, "it asks after its end"
        assert self.clock.seconds() >= self.not_before, "it asks too early"
        self.asked_at.append(self.clock.seconds())
        kind = self.at_once.pop() if self.at_once else "later"
        if kind == "later":
            question: Deferred[str] = Deferred()
            self.open.append(question)
            try:
                return await question
            finally:
                self.open.remove(question)
        self.note(kind)
        if kind == "answer":
            return "there"
        raise self.error(kind, None)

    def note(self, kind: str) -> None:
        self.answered |= kind == "answer"
        self.failed |= kind == "error"

    def error(self, kind: str, retry_after: float | None) -> Exception:
        if kind == "error":
            return OSError("broken")
        self.not_before = self.clock.seconds() + max(self.delay, retry_after or 0)
        self.last_reason = NotYet("no master", retry_after)
        return self.last_reason

    def asking(self) -> bool:
        return bool(self.open)

    @precondition(asking)
    @rule(
        kind=st.sampled_from(["not yet"] * 6 + ["answer", "error"]),
        retry_after=st.none() | seconds,
    )
    def hear(self, kind, retry_after) -> None:
        self.note(kind)
        if kind == "answer":
            self.open[0].callback("there")
        else:
            self.open[0].errback(self.error(kind, retry_after))

    @rule(step=seconds)
    def time_goes_on(self, step) -> None:
        """
        Move the time as a reactor does that is never late.
        """
        end = self.clock.seconds() + step
        while self.clock.calls and self.clock.calls[0].getTime() <= end:
            before = self.clock.seconds()
            self.clock.advance(self.clock.calls[0].getTime() - before)
            if self.clock.seconds() == before and len(self.asked_at) > 100:
                break
        self.clock.advance(max(0.0, end - self.clock.seconds()))

    @rule(step=seconds)
    def time_jumps(self, step) -> None:
        """
        Move the time as a reactor does that had something else to do.
        """
        self.clock.advance(step)

    @precondition(lambda self: not self.ended)
    @rule(sure=st.integers(0, 2))
    def stop(self, sure) -> None:
        if not sure:
            self.stopped = True
            self.polling.cancel()

    @invariant()
    def never_more_than_the_budget(self) -> None:
        if self.tries is not None:
            assert len(self.asked_at) <= self.tries
        if self.budget is not None:
            assert all(at <= self.budget for at in self.asked_at)
            assert self.ended or self.clock.seconds() <= self.budget

    @invariant()
    def one_timer_and_none_at_the_end(self) -> None:
        timers = len(self.clock.getDelayedCalls())
        if self.ended:
            assert (len(self.ended), timers, self.open) == (1, 0, [])
        else:
            assert timers == (not self.open or self.budget is not None)

    @invariant()
    def each_pause_was_shown(self) -> None:
        numbers = [number for _, number in self.shown]
        assert numbers == list(range(1, len(numbers) + 1))
        assert all(pause >= self.delay for pause, _ in self.shown)

    @invariant()
    def it_ends_for_a_reason(self) -> None:
        reasons = (self.answered, self.failed, self.stopped)
        if not self.ended:
            assert reasons == (False, False, False)
            return
        (result,) = self.ended
        if isinstance(result, GaveUp):
            assert reasons == (False, False, False)
            assert result.tries == len(self.asked_at)
            assert result.last is self.last_reason
            assert result.seconds == self.ended_at
            no_try = result.tries == self.tries
            no_time = self.budget is not None and (
                max(self.not_before, self.ended_at) >= self.budget
            )
            assert no_try or no_time, "it gave up too early"
        else:
            # The polling takes a failed assertion above for an answer.
            assert result == "there" or isinstance(result, (OSError, CancelledError))
            ends = (result == "there", isinstance(result, OSError))
            assert reasons == (*ends, isinstance(result, CancelledError))

    def teardown(self) -> None:
        if not hasattr(self, "polling"):
            return
        if self.budget is not None:
            self.clock.advance(self.budget + 1)
            assert self.ended
        elif self.tries is not None:
            while not self.ended:
                if self.open:
                    self.hear("not yet", None)
                else:
                    self.time_goes_on(100.0)
        else:
            self.polling.cancel()
        assert len(self.ended) == 1
        assert self.clock.getDelayedCalls() == []


class TestPolling(Polling.TestCase):
    settings = settings(max_examples=600, stateful_step_count=20)
