"""
A machine that asks a whole site of ours, in a time that only the test moves.
"""

from collections.abc import Callable, Coroutine, Iterator
from io import StringIO
from itertools import repeat
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from cvmpair.client.api import PairingClient
from cvmpair.client.errors import NoAnswer
from cvmpair_agent.pairing.asking import Asking
from cvmpair_agent.pairing.progress import LogProgress
from tests.client.conversation import client_of_site, result_of
from tests.web.wire import Wire

DELAY = 30.0


class Terminal(StringIO):
    """
    A stream that says it is a terminal.
    """

    def isatty(self) -> bool:
        return True


def delays() -> Iterator[float]:
    return repeat(DELAY)


@define(eq=False)
class Running:
    """
    Something that the machine does.
    """

    done: list[Any] = field(factory=list)
    failed: list[BaseException] = field(factory=list)

    @property
    def over(self) -> bool:
        return bool(self.done or self.failed)

    @property
    def error(self) -> BaseException:
        (error,) = self.failed
        for text in (str(error), repr(error)):
            assert "sesame" not in text
            assert "\n" not in text
        return error


def run(doing: Coroutine[Any, Any, Any]) -> Running:
    """
    Begin with it.
    """
    running = Running()
    Deferred.fromCoroutine(doing).addCallbacks(
        running.done.append, lambda failure: running.failed.append(failure.value)
    )
    return running


@define(eq=False)
class Flaky:
    """
    A service that a test can hide, and that counts what it is asked.

    :ivar fault: is called before each question, and may raise.
    :ivar waits: whether the service knows how to wait.
    """

    client: PairingClient
    fault: Callable[[], None] = lambda: None
    waits: bool = False
    asked: list[str] = field(factory=list)

    async def has_cluster(self, pin: str) -> bool:
        self._ask("has_cluster")
        return await self.client.has_cluster(pin)

    async def key(self, pin: str, name: str, wait: int = 0) -> str:
        self._ask(f"key {name}")
        return await self.client.key(pin, name, wait if self.waits else 0)

    async def add_key(self, pin: str, name: str, value: str) -> None:
        self._ask(f"add {name}")
        await self.client.add_key(pin, name, value)

    def _ask(self, what: str) -> None:
        self.asked.append(what)
        self.fault()


def unreachable() -> None:
    raise NoAnswer("it refuses connections")


@define(eq=False)
class Machine:
    """
    A machine in front of an empty site, which has one cluster.
    """

    clock: Clock
    wire: Wire = field(init=False)
    service: Flaky = field(init=False)
    asking: Asking = field(init=False)
    log: StringIO = field(init=False, factory=StringIO)
    pin: str = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.wire = Wire(self.clock)
        self.service = Flaky(client_of_site(self.wire))
        self.asking = Asking(
            clock=self.clock,
            progress=LogProgress(stream=self.log, clock=self.clock),
            seconds=1800.0,
            delays=delays,
        )
        self.pin = result_of(self.service.client.create_cluster()).pin

    def add(self, key: str, value: str) -> None:
        """
        Add a key, as another machine.
        """
        result_of(self.service.client.add_key(self.pin, key, value))

    def delete(self, key: str | None = None) -> None:
        """
        Delete a key, or all of the cluster.
        """
        path = f"/api/v1/clusters/{self.pin}" + (f"/keys/{key}" if key else "")
        assert self.wire.ask("DELETE", path).status == 204

    def read(self, key: str) -> str:
        """
        Return the value of a key.
        """
        return result_of(self.service.client.key(self.pin, key))

    def pass_time(self, running: Running, *, tries: int = 100) -> None:
        """
        Let the time of some tries pass, or until it is over.
        """
        for _ in range(tries):
            if running.over:
                break
            self.clock.advance(DELAY)
            self.exchange()

    def exchange(self) -> None:
        """
        Have all arrive that was sent.
        """
        for _ in range(3):
            self.service.client.http._agent.flush()
            self.clock.advance(0)
