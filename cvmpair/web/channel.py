"""
One connection: deadlines and limits that hold while a request arrives.

Twisted by itself cuts only a connection on which nothing at all comes, and takes
a body of any size.
"""

from collections.abc import Mapping
from enum import Enum
from http import HTTPStatus
from typing import Any, Final, cast

from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web.http import datetimeToString

from cvmpair.core.descriptors import LIMIT
from cvmpair.core.errors import Overloaded, PairingError, TooManyRequests
from cvmpair.web.backpressure import BackpressuredChannel
from cvmpair.web.errors import (
    BadRequest,
    ContentTooLarge,
    HeadersTooLarge,
    RequestError,
    RequestTimeout,
)
from cvmpair.web.guard import Peer
from cvmpair.web.limits import RequestLimits
from cvmpair.web.negotiation import accept_header
from cvmpair.web.problems import problem

LINGER: Final = 2.0
"""
The seconds during which a refused client may go on sending.

Closing at once would reset the connection, and the answer would be lost with it.
"""

LINGER_SIZE: Final = 1024 * 1024
"""The bytes that it may send meanwhile, of which none are kept."""


class _Part(Enum):
    """
    Which part of a request is awaited.
    """

    NONE = "nothing"
    HEADERS = "headers"
    BODY = "body"


class PairingChannel(BackpressuredChannel):
    """
    An HTTP/1.1 connection.

    Its factory is a :class:`~cvmpair.web.site.PairingSite`.
    """

    limits: RequestLimits
    factory: Any
    _part = _Part.HEADERS
    _timed_part = _Part.NONE
    _deadline: IDelayedCall | None = None
    _body_size = 0
    _refused = False
    _unwanted = 0
    _peer: Peer | None = None
    _admitted: bool | None = None
    _entered = False

    @property
    def peer(self) -> Peer:
        """
        Who is at the other end; not asked for more than once, and seldom at all.
        """
        if self._peer is None:
            self._peer = self.factory.guard.peer(self.transport.getPeer())
        return self._peer

    def connectionMade(self) -> None:
        limits = self.limits = self.factory.limits
        self.factory.opened(self)
        idle = self.timeOut
        if idle and idle >= max(limits.header_timeout, limits.body_timeout):
            # The deadlines of the first request are the earlier ones, and many a
            # connection has no second. Twisted puts the saved one back after it.
            self.timeOut, self._savedTimeOut = None, idle
        super().connectionMade()
        self._time()
        self._enter()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._part = self._timed_part = _Part.NONE
        self._cancel()
        try:
            super().connectionLost(reason)
        finally:
            # Whatever a request makes of its end: who is counted for ever keeps others
            # out for ever.
            self._leave()
            # Last, so that the request that ends with it is in the log by then.
            self.factory.closed(self)

    def dataReceived(self, data: bytes) -> None:
        if self._refused:
            self._unwanted += len(data)
            if self._unwanted > LINGER_SIZE:
                self.transport.abortConnection()
            return
        if self._part is _Part.NONE and not self._handlingRequest:
            self._part = _Part.HEADERS
        super().dataReceived(data)
        if self._part is _Part.NONE and self._begun():
            # The start of a request came in one piece with the request before.
            self._part = _Part.HEADERS
        self._time()

    def lineReceived(self, line: bytes) -> None:
        if self._refused:
            return
        if self._receivedHeaderSize + len(line) > self.totalHeadersSize:
            self.refuse(HeadersTooLarge())
        else:
            super().lineReceived(line)

    def lineLengthExceeded(self, line: bytes) -> None:  # noqa: ARG002
        self.refuse(HeadersTooLarge())

    def allHeadersReceived(self) -> None:
        self._part = _Part.BODY
        self._body_size = 0
        if self.length is not None and self.length > self.limits.body_size:
            self.refuse(ContentTooLarge(self.limits.body_size))
        else:
            super().allHeadersReceived()

    def rawDataReceived(self, data: bytes) -> None:
        if not self._refused:
            super().rawDataReceived(data)

    def body_grows(self, by: int) -> bool:
        """
        Take notice of a piece of the body, and say whether it may be kept.

        Chunks say their size only as they come.
        """
        self._body_size += by
        if self._body_size > self.limits.body_size and not self._refused:
            self.refuse(ContentTooLarge(self.limits.body_size))
        return not self._refused

    def allContentReceived(self) -> None:
        if not self._refused:
            # What follows in the same piece of data has a deadline of its own.
            self._arrived()
            self.factory.began(self.requests[-1])
            super().allContentReceived()

    def wind_up(self) -> None:
        """
        Close the connection, after the answer to the request that is being
        handled, if there is one.
        """
        self.persistent = False
        if not self._handlingRequest:
            self.loseConnection()

    def refuse(self, error: RequestError | PairingError) -> None:
        """
        Answer before the request has come whole, and take no more of it.
        """
        self._refused = True
        self.setTimeout(None)
        accept = accept_header(self.requests[-1]) if self.requests else "*/*"
        response = problem(error, accept)
        headers = cast("Mapping[bytes, bytes]", response.headers)
        lines = [
            # Twisted has no phrase for 431.
            f"HTTP/1.1 {response.code} {HTTPStatus(response.code).phrase}".encode(),
            b"Date: " + datetimeToString(),
            b"Connection: close",
            *(b"%b: %b" % header for header in headers.items()),
        ]
        self.transport.write(b"\r\n".join([*lines, b"", response.body]))
        self.factory.refused(response.code)
        self._part = _Part.NONE
        self._time()
        self.transport.unregisterProducer()
        if self.isSecure():
            self.transport.loseConnection()
        else:
            self.transport.loseWriteConnection()
        self._deadline = self.callLater(LINGER, self.transport.abortConnection)

    def _respondToBadRequestAndDisconnect(self) -> None:
        self.refuse(BadRequest("The request is not well-formed HTTP/1.1."))

    def _leave(self) -> None:
        if self._admitted is not None:
            self.factory.descriptors.leave(admitted=self._admitted)
        if self._entered:
            self.factory.guard.connections.leave(self.peer.client)

    def _enter(self) -> None:
        descriptors = self.factory.descriptors
        self._admitted = descriptors.enter(privileged=self.factory.privileged)
        if not self._admitted:
            if descriptors.are_exhausted:
                self._refused = True
                self.loseConnection()
            else:
                self.refuse(Overloaded(LIMIT))
            return
        connections = self.factory.guard.connections
        # A proxy has those of all its clients.
        if connections.limit and not self.peer.trusted:
            try:
                connections.enter(self.peer.client)
            except TooManyRequests as error:
                self.refuse(error)
            else:
                self._entered = True

    def _arrived(self) -> None:
        self._part = _Part.NONE
        self._time()

    def _time(self) -> None:
        # A request that comes in one piece, as nearly all do, needs no timer.
        if self._part is self._timed_part:
            return
        self._cancel()
        self._timed_part = self._part
        if self._part is not _Part.NONE:
            self._deadline = self.callLater(self._seconds(), self._too_late)

    def _seconds(self) -> float:
        if self._part is _Part.HEADERS:
            return self.limits.header_timeout
        return self.limits.body_timeout

    def _begun(self) -> bool:
        busy = self._handlingRequest or self._refused or self.paused
        return not busy and bool(self.requests or self._buffer)

    def _too_late(self) -> None:
        if self.requests or self._buffer:
            self.refuse(RequestTimeout(self._part.value, self._seconds()))
        else:
            self.loseConnection()

    def _cancel(self) -> None:
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        self._deadline = None
