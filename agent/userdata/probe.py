"""
Whether there is a metadata server at all: without one, the search is not to wait.
"""

from collections.abc import Iterable
from typing import Any, Final

from attrs import define
from twisted.internet.defer import Deferred, FirstError, gatherResults
from twisted.internet.defer import TimeoutError as TookTooLong
from twisted.internet.error import ConnectError, DNSLookupError
from twisted.internet.protocol import Factory, Protocol

from cvmpair_agent.userdata.address import Address
from cvmpair_agent.userdata.deadline import within
from cvmpair_agent.userdata.endpoint import endpoint

PROBE_SECONDS: Final = 2.0
"""How long the probe takes at most, as portprobe of cernvm-micro."""


@define(eq=False)
class TcpProbe:
    """
    Connects to all addresses at the same time.

    :ivar reactor: what connects and keeps the time.
    :ivar seconds: how long that may take in all.
    """

    reactor: Any
    seconds: float = PROBE_SECONDS

    async def answering(self, addresses: Iterable[Address]) -> frozenset[Address]:
        asked = list(addresses)
        answers = gatherResults(
            [Deferred.fromCoroutine(self._answers(address)) for address in asked],
            consumeErrors=True,
        )
        try:
            answered = await answers
        except FirstError as error:
            # Whoever cancelled this is to see just that.
            error.subFailure.raiseException()
        return frozenset(
            address for address, answers in zip(asked, answered, strict=True) if answers
        )

    async def _answers(self, address: Address) -> bool:
        factory = Factory.forProtocol(Protocol)
        factory.noisy = False
        server = endpoint(self.reactor, address, self.seconds)
        connecting: Deferred[Any] = server.connect(factory)
        try:
            connection = await within(self.seconds, self.reactor, connecting)
        except (ConnectError, DNSLookupError, TookTooLong):
            return False
        connection.transport.loseConnection()
        return True
