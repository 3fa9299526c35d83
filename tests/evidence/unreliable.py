"""
A network that does its worst: a proxy between the agent and the daemon.

``python -m tests.evidence.unreliable PORT SEED`` prints the port on which it listens,
and at its end how many connections had which fault.
"""

import json
import random
import sys
from collections import Counter
from collections.abc import Callable
from enum import StrEnum
from typing import Any

from attrs import define, field
from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint
from twisted.internet.interfaces import IAddress, IListeningPort
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

LONGEST_DELAY = 1.0
MOST_BYTES = 300


class Fault(StrEnum):
    """
    What becomes of a connection.
    """

    NONE = "none"
    DELAY = "each piece comes late"
    BYTES = "each byte comes by itself"
    REFUSED = "reset at once"
    CUT = "reset within the answer"
    SWALLOWED = "the answer is swallowed, then reset"
    SILENT = "the answer is swallowed, then nothing"


class Link(Protocol):
    """
    One end of a connection; what comes here goes out there.
    """

    transport: Any
    other: "Link | None" = None

    def __init__(self, passed: Callable[[bytes], None], ended: Callable[[], None]):
        self.dataReceived = passed
        self._ended = ended

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: ARG002
        self._ended()


@define(eq=False)
class Connection:
    """
    From an agent to the daemon.
    """

    fault: Fault
    chance: random.Random
    near: Link = field(init=False)
    far: Link = field(init=False)
    _asked: list[bytes] = field(factory=list)
    _answered: int = 0
    _reaches: bool = False
    _ended: bool = False

    def __attrs_post_init__(self) -> None:
        self.near = Link(self.asked, self.end)
        self.far = Link(self.answered, self.end)

    def opened(self, far: Link) -> None:
        """
        Take notice that the daemon is reached.
        """
        self._reaches = True
        for data in self._asked:
            far.transport.write(data)
        if self._ended:
            far.transport.abortConnection()

    def asked(self, data: bytes) -> None:
        if self.fault is Fault.REFUSED:
            self.end()
        elif not self._reaches:
            self._asked.append(data)
        else:
            self.send(self.far, data)

    def answered(self, data: bytes) -> None:
        self._answered += len(data)
        if self.fault is Fault.SWALLOWED:
            self.end()
        elif self.fault is Fault.CUT:
            self.near.transport.write(data[: self.chance.randrange(len(data))])
            reactor.callLater(0, self.end)
        elif self.fault is not Fault.SILENT:
            self.send(self.near, data)

    def send(self, link: Link, data: bytes) -> None:
        if self.fault is Fault.DELAY:
            delay = self.chance.uniform(0, LONGEST_DELAY)
            reactor.callLater(delay, link.transport.write, data)
        elif self.fault is Fault.BYTES:
            for number, byte in enumerate(data):
                reactor.callLater(number / 1000, link.transport.write, bytes([byte]))
        else:
            link.transport.write(data)

    def end(self) -> None:
        """
        Reset both halves, the faultless ones after what is still to be sent.
        """
        if self._ended:
            return
        self._ended = True
        later = LONGEST_DELAY if self.fault in {Fault.DELAY, Fault.BYTES} else 0
        for link in self.near, self.far:
            if link.transport is not None:
                reactor.callLater(later, link.transport.abortConnection)


@define(eq=False)
class Network(Factory):
    """
    All connections.
    """

    port: int
    chance: random.Random
    had: Counter[Fault] = field(factory=Counter)

    def buildProtocol(self, addr: IAddress | None) -> Link:  # noqa: ARG002
        # Silence takes the agent half a minute, so there is less of it.
        fault = self.chance.choice([*Fault, *list(Fault)[:-1]])
        self.had[fault] += 1
        connection = Connection(fault, self.chance)
        far = TCP4ClientEndpoint(reactor, "127.0.0.1", self.port)
        reaching = far.connect(Factory.forProtocol(lambda: connection.far))
        reaching.addCallbacks(connection.opened, lambda _: connection.end())
        return connection.near


def main(port: int, seed: int) -> None:
    network = Network(port, random.Random(seed))

    def listening(opened: IListeningPort) -> None:
        print(opened.getHost().port, flush=True)

    endpoint = TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")
    endpoint.listen(network).addCallback(listening)
    reactor.run()
    print(json.dumps(network.had), flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
