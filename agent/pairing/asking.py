"""
How the agent asks: patiently, but no longer than one run may take.
"""

from collections.abc import Awaitable, Callable, Iterator
from random import random
from typing import TypeVar

from attrs import define, field
from twisted.internet.interfaces import IReactorTime

from cvmpair.client.errors import ClientError, Denied, NoAnswer, RetryLater, Untrusted
from cvmpair.core.backoff import steady
from cvmpair.core.budget import DELAY, JITTER, TRIES
from cvmpair.core.polling import Budget, GaveUp, NotYet, poll
from cvmpair_agent.errors import AgentError, NotAllowed, NotInTime, Unreachable
from cvmpair_agent.pairing.progress import Progress, duration

T = TypeVar("T")


def original_delays() -> Iterator[float]:
    """
    Yield the delays that the original agents made, in seconds.
    """
    return steady(DELAY, JITTER, random)


@define(eq=False, kw_only=True)
class Asking:
    """
    The questions of one run, one after the other.

    :ivar seconds: how long all of them may take, from the making of this.
    :ivar tries: how often each of them may be asked.
    :ivar delays: returns the seconds before each further try.
    :ivar silence: says what it may be if a service does not answer in time.
    """

    clock: IReactorTime
    progress: Progress
    seconds: float
    tries: int = TRIES
    delays: Callable[[], Iterator[float]] = original_delays
    silence: Callable[[], str] = lambda: "it does not answer"
    _deadline: float = field(init=False)
    _answered: bool = field(init=False, default=False)

    def __attrs_post_init__(self) -> None:
        self._deadline = self.clock.seconds() + self.seconds

    def left(self) -> float:
        """
        Return how many seconds the run has left.
        """
        return max(0.0, self._deadline - self.clock.seconds())

    async def until(self, ask: Callable[[], Awaitable[T]], what: str) -> T:
        """
        Ask until there is an answer.

        :param ask: raises :exc:`NotYet`, or an error of the client.
        :param what: what is waited for, for people.

        :raises NotInTime: if that takes too long or too many tries.
        :raises Unreachable: likewise, if the service never said a thing, or if its
            certificate cannot be trusted.
        :raises NotAllowed: if the service does not let this machine do it.
        :raises AgentError: if it refuses for another reason.
        """

        async def once() -> T:
            return await self._once(ask)

        self.progress.begin(what)
        try:
            return await poll(
                once,
                delays=self.delays(),
                clock=self.clock,
                budget=Budget(
                    tries=self.tries,
                    seconds=self.left(),
                ),
                on_wait=lambda not_yet, *_: self.progress.wait(not_yet.reason),
            )
        except GaveUp as gave_up:
            raise self._given_up(what, gave_up) from None
        finally:
            self.progress.end()

    async def _once(self, ask: Callable[[], Awaitable[T]]) -> T:
        try:
            answer = await ask()
        except NoAnswer as error:
            raise NotYet(f"the service cannot be reached: {error.reason}") from None
        except Untrusted as error:
            raise Unreachable(str(error)) from None
        except RetryLater as error:
            self._answered = True
            # A full stop follows if this is the last that is said.
            why = ": ".join(filter(None, [error.reason, error.detail.rstrip(".")]))
            raise NotYet(
                f"the service asks for patience: {why}", error.retry_after
            ) from None
        except Denied as error:
            raise NotAllowed(str(error)) from None
        except ClientError as error:
            raise AgentError(str(error)) from None
        except NotYet:
            self._answered = True
            raise
        self._answered = True
        return answer

    def _given_up(self, what: str, gave_up: GaveUp) -> AgentError:
        reason = self.silence() if gave_up.last is None else gave_up.last.reason
        tries = "1 try" if gave_up.tries == 1 else f"{gave_up.tries} tries"
        text = (
            f"Gave up waiting for {what} after {tries} in "
            f"{duration(gave_up.seconds)}: {reason}."
        )
        return NotInTime(text) if self._answered else Unreachable(text)
