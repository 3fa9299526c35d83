"""
The exchange with a metadata server, on Twisted's own agent.

That agent knows no proxies, redirects or cookies unless it is told to, and it loads
faster than treq, which the service is asked with.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as TookTooLong
from twisted.internet.error import ConnectError, ConnectionClosed, DNSLookupError
from twisted.internet.interfaces import IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Protocol, connectionDone
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from twisted.web.client import (
    URI,
    Agent,
    RequestGenerationFailed,
    RequestTransmissionFailed,
    ResponseDone,
    ResponseFailed,
)
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgentEndpointFactory, IResponse
from zope.interface import implementer

from cvmpair.core.backoff import exponential
from cvmpair.core.polling import Budget, GaveUp, NotYet, poll
from cvmpair_agent.userdata.address import Address
from cvmpair_agent.userdata.deadline import within
from cvmpair_agent.userdata.endpoint import endpoint
from cvmpair_agent.userdata.exchange import MAX_SECONDS, NO_HEADERS, Reply
from cvmpair_agent.userdata.source import SourceUnusable

MAX_ANSWER: Final = 1024 * 1024
"""How large an answer may be with its headers, in bytes; clouds allow 256 KiB."""


BUSY: Final = frozenset({408, 429, 500, 502, 503, 504})
"""What a server answers that may know better in a moment, as one does that boots with
its machines."""

TRIES: Final = 5
"""How often such a server is asked, as cloud-init does."""


def busy_delays() -> Iterator[float]:
    """
    Yield the seconds before each further try.
    """
    return exponential(0.5, 4.0)


@define(eq=False)
class DirectHttp:
    """
    Asks servers by itself: no proxy, no redirect, no cookie, one connection each.

    :ivar reactor: what connects and keeps the time.
    :ivar delays: returns the seconds before each further try with a busy server.
    """

    reactor: Any
    delays: Callable[[], Iterator[float]] = busy_delays

    async def fetch(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] = NO_HEADERS,
        seconds: float = MAX_SECONDS,
    ) -> Reply:
        reply = Reply(status=0)

        async def once() -> Reply:
            nonlocal reply
            reply = await self._once(url, method, headers, seconds)
            if reply.status in BUSY:
                raise NotYet("the server is busy")
            return reply

        try:
            return await poll(
                once,
                delays=self.delays(),
                clock=self.reactor,
                budget=Budget(tries=TRIES),
            )
        except GaveUp:
            return reply

    async def _once(
        self, url: str, method: str, headers: Mapping[str, str], seconds: float
    ) -> Reply:
        connection = _Connection(reactor=self.reactor, seconds=seconds)
        agent = Agent.usingEndpointFactory(self.reactor, connection)
        exchange = Deferred.fromCoroutine(_exchange(agent, url, method, headers))
        problem: str | None = None
        reply: Reply | None = None
        try:
            reply = await within(seconds, self.reactor, exchange)
        except TookTooLong:
            problem = f"no whole answer within {seconds:g} s"
        except (ConnectError, DNSLookupError):
            problem = "cannot be reached"
        except (
            ConnectionClosed,
            RequestGenerationFailed,
            RequestTransmissionFailed,
            ResponseFailed,
        ):
            problem = "the answer broke off, or is not HTTP"
        finally:
            # After a whole answer the agent closes it, without a fright to the server.
            if reply is None:
                connection.abort()
        if connection.overflown:
            problem = f"the answer is larger than {MAX_ANSWER} bytes"
        if problem or reply is None:
            # The text of what went wrong may hold some of the answer.
            raise SourceUnusable(f"{url}: {problem}") from None
        return reply


async def _exchange(
    agent: Agent, url: str, method: str, headers: Mapping[str, str]
) -> Reply:
    sent = Headers({name: [value] for name, value in headers.items()})
    sent.setRawHeaders("Accept-Encoding", ["identity"])
    response = await agent.request(method.encode(), url.encode("ascii"), sent)
    body = _Body()
    response.deliverBody(body)
    return Reply(
        status=response.code, headers=_plain_headers(response), body=await body.whole
    )


def _plain_headers(response: IResponse) -> dict[str, str]:
    return {
        name.decode("latin-1").lower(): values[-1].decode("latin-1")
        for name, values in response.headers.getAllRawHeaders()
    }


@define(eq=False)
class _Body(Protocol):
    """
    Collects the body of an answer.
    """

    whole: Deferred[bytes] = field(factory=Deferred)
    _parts: list[bytes] = field(factory=list)

    def dataReceived(self, data: bytes) -> None:
        self._parts.append(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        # An answer without a length ends with its connection.
        if reason.check(ResponseDone, PotentialDataLoss):
            self.whole.callback(b"".join(self._parts))
        else:
            self.whole.errback(reason)


@implementer(IAgentEndpointFactory, IStreamClientEndpoint)
@define(eq=False, kw_only=True)
class _Connection:
    """
    The connection of one exchange: it ends when too much has arrived.

    :ivar overflown: whether it has ended so.
    """

    reactor: Any
    seconds: float
    overflown: bool = False
    _left: int = MAX_ANSWER
    _address: Address | None = None
    _wire: Any = None

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        self._address = Address(uri.host.decode("ascii"), uri.port)
        return self

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[Any]:  # noqa: N803
        assert self._address, "the agent asks for an endpoint before it connects"
        factory = WrappingFactory(protocolFactory)
        factory.noisy = False
        factory.protocol = self._wrap
        server = endpoint(self.reactor, self._address, self.seconds)
        connecting: Deferred[Any] = server.connect(factory)
        return connecting.addCallback(lambda wrapper: wrapper.wrappedProtocol)

    def _wrap(self, factory: Any, protocol: Protocol) -> "_Metered":
        self._wire = wire = _Metered(factory, protocol, self)
        return wire

    def arrived(self, size: int) -> bool:
        """
        Count what has arrived, and say whether more may.
        """
        self._left -= size
        if self._left < 0:
            self.overflown = True
            self.abort()
        return not self.overflown

    def abort(self) -> None:
        """
        Close the connection at once, if there is one.
        """
        if self._wire is not None and self._wire.transport is not None:
            self._wire.transport.abortConnection()


class _Metered(ProtocolWrapper):
    """
    Hands on what arrives as long as it is not too much, headers and all.
    """

    def __init__(
        self, factory: Any, protocol: Protocol, connection: _Connection
    ) -> None:
        super().__init__(factory, protocol)
        self._connection = connection

    def dataReceived(self, data: bytes) -> None:
        if self._connection.arrived(len(data)):
            super().dataReceived(data)
