"""
Servers on loopback that answer as a test tells them to, byte by byte.
"""

from collections.abc import Callable
from typing import Any

import pytest
from attrs import define, field, frozen
from twisted.internet import reactor
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import LoopingCall, deferLater
from twisted.python.failure import Failure
from zope.interface import implementer


@frozen(kw_only=True)
class Asked:
    """
    A request, as it came.
    """

    method: str
    target: str
    headers: dict[str, str]


def reply(body: bytes = b"", status: str = "200 OK", **headers: str) -> bytes:
    """
    Return an answer as a well-behaved server writes it.
    """
    fields = {"content_length": str(len(body)), **headers}
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode() + body


NOT_FOUND = reply(b"<h1>Not Found</h1>", "404 Not Found", content_type="text/html")

Answer = Callable[[Asked], bytes]
SILENCE = b""


@define(eq=False)
class FakeServer:
    """
    Answers by target; 404 to all others, and nothing at all to SILENCE.

    :ivar answers: raw bytes, or what makes them.
    :ivar flood: what is repeated without end after each answer, if anything.
    :ivar sent: how much of the flood was written.
    :ivar trickle: what is repeated slowly without end after each answer, if anything.
    :ivar hang_up: whether the connection is closed after each answer.
    :ivar connections: how many there are.
    """

    answers: dict[str, bytes | Answer] = field(factory=dict)
    flood: bytes = b""
    sent: int = 0
    trickle: bytes = b""
    hang_up: bool = False
    connections: int = 0
    asked: list[Asked] = field(factory=list)
    port: Any = None

    @property
    def base(self) -> str:
        host = self.port.getHost()
        name = f"[{host.host}]" if ":" in host.host else host.host
        return f"http://{name}:{host.port}"

    def targets(self) -> list[str]:
        return [f"{asked.method} {asked.target}" for asked in self.asked]

    async def gone(self) -> None:
        """
        Wait until nobody is connected any more; the test fails if somebody stays.
        """
        for _ in range(500):
            if not self.connections:
                return
            await deferLater(reactor, 0.01, lambda: None)
        pytest.fail("a connection was left open")

    def factory(self) -> Factory:
        return Factory.forProtocol(lambda: _Conversation(self))

    def answer(self, asked: Asked) -> bytes:
        self.asked.append(asked)
        answer = self.answers.get(asked.target, NOT_FOUND)
        return answer if isinstance(answer, bytes) else answer(asked)


@implementer(IPushProducer)
class _Conversation(Protocol):
    def __init__(self, server: FakeServer) -> None:
        self.server = server
        self.received = b""
        self.flowing = True
        self.trickling = LoopingCall(self.drip)

    def drip(self) -> None:
        self.transport.write(self.server.trickle)

    def connectionMade(self) -> None:
        self.server.connections += 1

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: ARG002
        self.server.connections -= 1
        if self.trickling.running:
            self.trickling.stop()

    def dataReceived(self, data: bytes) -> None:
        self.received += data
        head, end, _ = self.received.partition(b"\r\n\r\n")
        if not end:
            return
        self.received = b""
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ")
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines)
        }
        self.transport.write(
            self.server.answer(Asked(method=method, target=target, headers=headers))
        )
        if self.server.hang_up:
            self.transport.loseConnection()
        if self.server.trickle:
            self.trickling.start(0.01)
        if self.server.flood:
            self.transport.registerProducer(self, True)  # noqa: FBT003 - Twisted's
            self.resumeProducing()

    def resumeProducing(self) -> None:
        self.flowing = True
        while self.flowing:
            self.transport.write(self.server.flood)
            self.server.sent += len(self.server.flood)

    def pauseProducing(self) -> None:
        self.flowing = False

    def stopProducing(self) -> None:
        self.flowing = False
