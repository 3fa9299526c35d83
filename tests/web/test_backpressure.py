"""
One connection whose client does not take its answers.
"""

from collections.abc import Iterator
from contextlib import suppress

import pytest
from attrs import define, field
from OpenSSL import SSL
from twisted.internet.task import Clock
from twisted.protocols.tls import TLSMemoryBIOFactory

from cvmpair.web.api import CLUSTERS
from cvmpair.web.backpressure import BUFFER_SIZE, LOOK
from cvmpair.web.site import PairingSite
from tests.client.authority import Authority
from tests.web.connection import Connection, HalfClosing
from tests.web.wire import CLIENT, SERVER, Wire

VALUE = "sesame" * 1000
MANY = 200


class Clogged(HalfClosing):
    """
    A connection that has its producer wait while too much is unsent, as TCP does.
    """

    offset = 0
    bufferSize = 64 * 1024
    """What Twisted has by itself."""

    def setTcpNoDelay(self, *_: object) -> None:
        pass

    @property
    def dataBuffer(self) -> bytes:
        return self.value()

    def write(self, data: bytes) -> None:
        super().write(data)
        if self.producer and len(self.value()) > self.bufferSize:
            self.producer.pauseProducing()

    def take(self, size: int) -> bytes:
        """
        Read as the client does.
        """
        taken, rest = self.value()[:size], self.value()[size:]
        self.clear()
        self.io.write(rest)
        if not rest and self.producer:
            self.producer.resumeProducing()
        return taken

    def resumeProducing(self) -> None:
        # Unlike StringTransport, TCP does not mind to be told twice.
        self.producerState = "producing"

    def pauseProducing(self) -> None:
        self.producerState = "paused"


@pytest.fixture
def request_line(wire: Wire) -> bytes:
    pin = wire.book.create(now=0.0, lifetime=86400.0).pin
    wire.book.add_key(pin, "sesame", VALUE)
    return f"GET {CLUSTERS}/{pin}/keys/sesame HTTP/1.1\r\nHost: sesame\r\n\r\n".encode()


@pytest.fixture
def connection(wire: Wire, clock: Clock) -> Iterator[Connection]:
    connection = Connection(wire.site, clock, kind=Clogged)
    yield connection
    connection.hang_up()


def test_no_more_is_answered_than_is_read(
    connection: Connection, request_line: bytes
) -> None:
    connection.channel.dataReceived(request_line * MANY)
    transport = connection.transport
    taken = b""
    while unsent := len(transport.value()):
        assert unsent <= BUFFER_SIZE + len(VALUE) + 1000
        taken += transport.take(unsent)
    assert taken.count(VALUE.encode()) == MANY
    assert transport.producerState == "producing"
    # And it goes on as if nothing had been.
    assert VALUE.encode() in connection.say(request_line)


def test_nothing_more_is_received_meanwhile(
    connection: Connection, request_line: bytes
) -> None:
    connection.channel.dataReceived(request_line * MANY)
    assert connection.transport.producerState == "paused"


def test_who_does_not_read_is_cut(
    connection: Connection, clock: Clock, request_line: bytes
) -> None:
    connection.channel.dataReceived(request_line * MANY)
    clock.advance(LOOK)
    assert not connection.closed
    clock.advance(LOOK)
    assert connection.closed
    assert not clock.getDelayedCalls()


def test_who_reads_slowly_is_not(
    connection: Connection, clock: Clock, request_line: bytes
) -> None:
    connection.channel.dataReceived(request_line * MANY)
    for _ in range(10):
        clock.advance(LOOK)
        assert not connection.closed
        connection.transport.take(1)
    connection.transport.take(BUFFER_SIZE * 2)


@define(eq=False)
class Secured:
    """
    A connection over TLS, with a client that takes what comes until it does not.
    """

    site: PairingSite
    clock: Clock
    transport: Clogged = field(init=False)
    client: SSL.Connection = field(init=False)

    def __attrs_post_init__(self) -> None:
        authority = Authority("An authority")
        factory = TLSMemoryBIOFactory(
            authority.issue("localhost"),
            isClient=False,
            wrappedFactory=self.site,
            clock=self.clock,
        )
        self.transport = Clogged(hostAddress=SERVER, peerAddress=CLIENT)
        self.transport.protocol = factory.buildProtocol(CLIENT)
        self.transport.protocol.makeConnection(self.transport)
        self.client = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD))
        self.client.set_connect_state()
        for _ in range(3):
            with suppress(SSL.WantReadError):
                self.client.do_handshake()
            self._exchange()

    def _exchange(self) -> None:
        self._send()
        self.clock.advance(0)
        if self.transport.value():
            self.client.bio_write(self.transport.take(1 << 20))

    def _send(self) -> None:
        with suppress(SSL.WantReadError):
            self.transport.protocol.dataReceived(self.client.bio_read(1 << 20))

    def say(self, data: bytes) -> None:
        """
        Send a request and do not read the answer.
        """
        self.client.send(data)
        self._send()
        self.clock.advance(0)


def test_no_more_is_answered_over_tls(
    wire: Wire, clock: Clock, request_line: bytes
) -> None:
    connection = Secured(wire.site, clock)
    connection.say(request_line * MANY)
    size = len(connection.transport.value())
    assert BUFFER_SIZE < size <= BUFFER_SIZE + len(VALUE) + 1000
    clock.pump([LOOK] * 2)
    assert not connection.transport.connected


def test_who_does_not_read_over_tls_is_cut(
    wire: Wire, clock: Clock, request_line: bytes
) -> None:
    connection = Secured(wire.site, clock)
    transport = connection.transport
    connection.say(request_line * 2)
    assert len(VALUE) * 2 < len(transport.value()) < BUFFER_SIZE
    assert transport.producerState == "producing"
    connection.say(request_line)
    assert len(transport.value()) > BUFFER_SIZE
    assert transport.producerState == "paused"
    clock.advance(LOOK)
    assert transport.connected
    clock.advance(LOOK)
    assert not transport.connected


def test_a_look_ends_with_the_connection(
    connection: Connection, clock: Clock, request_line: bytes
) -> None:
    connection.channel.dataReceived(request_line * MANY)
    connection.hang_up()
    assert not clock.getDelayedCalls()
