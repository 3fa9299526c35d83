"""
One connection whose client does not take its answers.
"""

import json
from collections.abc import Iterator
from contextlib import suppress

import pytest
from attrs import define, field
from OpenSSL import SSL
from twisted.internet.task import Clock
from twisted.protocols.tls import TLSMemoryBIOFactory

from cvmpair.web.api import CLUSTERS
from cvmpair.web.backpressure import BUFFER_SIZE
from cvmpair.web.site import PairingSite
from cvmpair.web.unsent import HURRY, LOOK, PATIENCE, UnsentAnswers
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
    aborted = False
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
        if not rest and self.disconnecting:
            super().loseConnection()
        return taken

    def abortConnection(self) -> None:
        self.aborted = True
        super().abortConnection()

    def loseConnection(self) -> None:
        self.disconnecting = True
        if not self.value():
            super().loseConnection()

    def resumeProducing(self) -> None:
        # Unlike StringTransport, TCP does not mind to be told twice.
        self.producerState = "producing"

    def pauseProducing(self) -> None:
        self.producerState = "paused"


def pass_by(clock: Clock, seconds: float) -> None:
    """
    Let time pass as a reactor does, which sees each second of it.
    """
    clock.pump([LOOK] * int(seconds / LOOK))


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
    pass_by(clock, PATIENCE - LOOK)
    assert not connection.closed
    pass_by(clock, LOOK)
    assert connection.closed
    assert not clock.getDelayedCalls()


def test_who_reads_slowly_is_not(
    connection: Connection, clock: Clock, request_line: bytes
) -> None:
    connection.channel.dataReceived(request_line * MANY)
    for _ in range(10):
        pass_by(clock, PATIENCE - LOOK)
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
    pass_by(clock, PATIENCE)
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
    pass_by(clock, PATIENCE - LOOK)
    assert transport.connected
    pass_by(clock, LOOK)
    assert not transport.connected


def test_a_look_ends_with_the_connection(
    connection: Connection, clock: Clock, request_line: bytes
) -> None:
    connection.channel.dataReceived(request_line * MANY)
    connection.hang_up()
    assert not clock.getDelayedCalls()


WAYS = {
    "lane": b"",
    # The lane knows no such header.
    "klein": b"X-Sesame: open\r\n",
}


def last(request: bytes, way: bytes = b"") -> bytes:
    """
    Return the request as the last one of its connection.
    """
    return request[:-2] + way + b"Connection: close\r\n\r\n"


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_who_does_not_read_the_last_answer_is_cut(
    connection: Connection, clock: Clock, request_line: bytes, way: bytes
) -> None:
    connection.channel.dataReceived(last(request_line, way))
    assert 0 < len(connection.transport.value()) < BUFFER_SIZE
    pass_by(clock, PATIENCE - LOOK)
    assert not connection.closed
    pass_by(clock, LOOK)
    assert connection.closed


def test_who_reads_the_last_answer_has_all_of_it(
    connection: Connection, clock: Clock, request_line: bytes
) -> None:
    connection.channel.dataReceived(last(request_line))
    transport, taken = connection.transport, b""
    while not connection.closed:
        pass_by(clock, PATIENCE - LOOK)
        taken += transport.take(1000)
    assert taken.endswith(VALUE.encode())


@pytest.mark.parametrize("said", [True, False], ids=["asks", "says nothing"])
def test_who_does_not_agree_to_the_end_of_tls_is_cut(
    wire: Wire, clock: Clock, request_line: bytes, *, said: bool
) -> None:
    connection = Secured(wire.site, clock)
    if said:
        connection.say(last(request_line))
        connection.transport.take(1 << 20)
    else:
        clock.advance(wire.site.limits.header_timeout)
        connection.transport.take(1 << 20)
    assert connection.transport.connected
    pass_by(clock, PATIENCE)
    assert not connection.transport.connected
    # Else a slow client would lose what is still on its way.
    assert not connection.transport.aborted


@define(eq=False)
class Crowd:
    """
    Connections of one site that has room for a few large answers.

    :ivar room: in bytes.
    :ivar refused: for which limits something was refused.
    """

    wire: Wire
    room: int
    refused: list[str] = field(factory=list)
    opened: list[Connection] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        self.wire.site.unsent = UnsentAnswers(
            clock=self.wire.clock, room=self.room, refused=self.refused.append
        )

    def ask(self, request: bytes) -> Connection:
        """
        Send a request on a connection of its own, and do not read the answer.
        """
        connection = Connection(self.wire.site, self.wire.clock, kind=Clogged)
        self.opened.append(connection)
        connection.channel.dataReceived(request)
        return connection

    def hang_up(self) -> None:
        for connection in self.opened:
            connection.hang_up()


@pytest.fixture
def crowd(wire: Wire) -> Iterator[Crowd]:
    crowd = Crowd(wire, 200_000)
    yield crowd
    crowd.hang_up()
    assert wire.site.unsent.size == 0


@pytest.fixture
def keys(wire: Wire) -> str:
    """
    The path of keys that are 60,000 bytes together.
    """
    pin = wire.book.create(now=0.0, lifetime=86400.0).pin
    for number in range(10):
        wire.book.add_key(pin, f"sesame{number}", VALUE)
    return f"{CLUSTERS}/{pin}/keys"


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: sesame\r\n\r\n".encode()


def test_no_more_is_kept_for_all_than_there_is_room_for(
    crowd: Crowd, keys: str
) -> None:
    unread = [crowd.ask(get(keys)) for _ in range(3)]
    refused = [crowd.ask(get(keys)) for _ in range(3)]
    for connection in unread:
        assert connection.answer().status == 200
    for connection in refused:
        answer = connection.answer()
        assert answer.status == 503
        assert answer.json["type"] == "/problems#overloaded"
        assert answer.json["limit"] == "unsent"
        assert answer.headers["Retry-After"] == "5"
        assert answer.headers["Connection"] == "close"
    assert crowd.refused == ["unsent"] * 3
    # There is room for what is small, and for the answer to what was done.
    small = crowd.ask(get(f"{keys}/sesame1"))
    assert small.answer().status == 200
    body = json.dumps({"key": "large", "value": "\u00fc" * 8_000})
    about = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    post = f"POST {keys} HTTP/1.1\r\nX-Sesame: open\r\n{about}\r\n{body}"
    assert crowd.ask(post.encode()).answer().status == 201
    # And again for more when somebody has read.
    assert unread[0].transport.take(1 << 20).endswith(b"]")
    assert crowd.ask(get(f"{keys}/sesame1")).answer().status == 200


def test_who_does_not_read_is_cut_the_sooner_the_fuller_it_is(
    crowd: Crowd, clock: Clock, keys: str
) -> None:
    first = crowd.ask(get(keys))
    pass_by(clock, HURRY + LOOK)
    assert not first.closed
    second = crowd.ask(get(keys))
    pass_by(clock, LOOK)
    # It has read nothing for as long as that, the other one has time.
    assert first.closed
    pass_by(clock, HURRY)
    assert not second.closed
    assert crowd.ask(get(keys)).answer().status == 200


def test_what_tls_has_to_send_counts(crowd: Crowd, clock: Clock, keys: str) -> None:
    connection = Secured(crowd.wire.site, clock)
    connection.say(get(keys))
    assert crowd.wire.site.unsent.size == len(connection.transport.value()) > 60_000
    pass_by(clock, PATIENCE)
    assert not connection.transport.connected
