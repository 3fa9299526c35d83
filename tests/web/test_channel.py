"""
One connection: what is refused while it arrives.
"""

from collections.abc import Iterator

import pytest
from twisted.internet.task import Clock

from cvmpair.core.descriptors import OWN_FILES, Descriptors
from cvmpair.web.api import CLUSTERS
from cvmpair.web.channel import LINGER, LINGER_SIZE
from tests.conftest import LogEvents
from tests.web.connection import Connection
from tests.web.wire import Wire

LIMIT = 64 * 1024
POST = f"POST {CLUSTERS} HTTP/1.1\r\nHost: sesame\r\n".encode()
JSON = b"Content-Type: application/json\r\n"
OPTIONS = f"OPTIONS {CLUSTERS} HTTP/1.1\r\n\r\n".encode()


@pytest.fixture
def connection(wire: Wire, clock: Clock) -> Iterator[Connection]:
    """
    A connection on which nothing was said yet.
    """
    connection = Connection(wire.site, clock)
    yield connection
    connection.hang_up()


def assert_refused(
    connection: Connection, clock: Clock, status: int, name: str
) -> None:
    """
    See that the request was refused with a problem, and that the connection
    takes nothing more and ends.
    """
    answer = connection.answer()
    assert answer.status == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Connection"] == "close"
    assert "Date" in answer.headers
    assert answer.json["type"] == f"/problems#{name}"
    assert connection.transport.written
    assert connection.say(OPTIONS) == b""
    assert not connection.closed
    clock.advance(LINGER)
    assert connection.closed
    assert not clock.getDelayedCalls()


def test_a_silent_connection_is_closed_without_a_word(
    connection: Connection, clock: Clock
) -> None:
    clock.advance(9.9)
    assert not connection.closed
    clock.advance(0.2)
    assert connection.closed
    assert connection.transport.value() == b""
    assert not clock.getDelayedCalls()


@pytest.mark.parametrize("start", [b"G", POST, b"GET / HTTP/1.1\r\nAccept: "])
def test_headers_that_stop_coming(
    connection: Connection, clock: Clock, start: bytes
) -> None:
    assert connection.say(start) == b""
    clock.advance(10)
    assert_refused(connection, clock, 408, "request-timeout")


def test_headers_that_come_slowly(connection: Connection) -> None:
    connection.drip(POST * 10, 1.0)
    detail = "The headers of the request did not arrive within 10 seconds."
    assert detail.encode() in connection.transport.value()


@pytest.mark.parametrize(
    ("head", "start"),
    [
        (b"Content-Length: 20\r\n\r\n", b'{"sesame"'),
        (b"Transfer-Encoding: chunked\r\n\r\n", b"5\r\nses"),
        (b"Content-Length: 20\r\n\r\n", b""),
    ],
)
def test_a_body_that_stops_coming(
    connection: Connection, clock: Clock, head: bytes, start: bytes
) -> None:
    connection.say(POST)
    clock.advance(9)
    # The body has a time of its own.
    assert connection.say(JSON + head + start) == b""
    clock.advance(9.5)
    assert connection.say(b"") == b""
    clock.advance(0.5)
    assert b"The body of the request" in connection.transport.value()
    assert_refused(connection, clock, 408, "request-timeout")


def test_a_body_that_comes_slowly(wire: Wire, connection: Connection) -> None:
    connection.say(POST + JSON + b"Content-Length: 20\r\n\r\n")
    connection.drip(b" " * 20, 1.0)
    assert connection.answer().status == 408
    assert len(wire.book) == 0


def test_a_request_that_comes_in_time_ends_the_deadlines(
    connection: Connection, clock: Clock
) -> None:
    connection.say(POST)
    clock.advance(9)
    connection.say(JSON + b"Content-Length: 2\r\n\r\n{")
    clock.advance(9)
    connection.say(b"}")
    assert connection.answer().status == 201
    clock.advance(59)
    assert not connection.closed
    clock.advance(1)
    assert connection.closed
    assert not clock.getDelayedCalls()


def test_a_second_request_has_deadlines_too(
    connection: Connection, clock: Clock
) -> None:
    assert connection.say(OPTIONS).startswith(b"HTTP/1.1 204 ")
    clock.advance(30)
    assert connection.say(b"GET ") == b""
    clock.advance(10)
    assert_refused(connection, clock, 408, "request-timeout")


def test_the_start_of_a_request_behind_another_has_a_deadline(
    connection: Connection, clock: Clock
) -> None:
    assert connection.say(OPTIONS + b"GET ").startswith(b"HTTP/1.1 204 ")
    connection.transport.clear()
    clock.advance(10)
    assert_refused(connection, clock, 408, "request-timeout")


def test_it_does_not_inherit_the_deadline_of_the_one_before(
    connection: Connection, clock: Clock
) -> None:
    connection.say(OPTIONS[:-2])
    clock.advance(9)
    assert connection.say(b"\r\nGET ").startswith(b"HTTP/1.1 204 ")
    connection.transport.clear()
    clock.advance(9)
    assert connection.transport.value() == b""
    clock.advance(1)
    assert_refused(connection, clock, 408, "request-timeout")


@pytest.mark.parametrize("expect", [b"", b"Expect: 100-continue\r\n"])
def test_a_body_that_says_it_is_too_large(
    wire: Wire, connection: Connection, clock: Clock, expect: bytes
) -> None:
    length = b"Content-Length: %d\r\n\r\n" % (LIMIT + 1)
    connection.say(POST + JSON + expect + length)
    assert b"100 Continue" not in connection.transport.value()
    assert connection.answer().json["detail"].endswith("with --max-body-size.")
    assert_refused(connection, clock, 413, "body-too-large")
    assert len(wire.book) == 0


def test_a_body_of_just_the_right_size(connection: Connection) -> None:
    expect = b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % LIMIT
    assert connection.say(POST + JSON + expect) == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert connection.say(b" " * (LIMIT - 2)) == b""
    connection.say(b"{}")
    assert connection.answer().status == 201


def test_chunks_that_become_too_many(
    wire: Wire, connection: Connection, clock: Clock
) -> None:
    connection.say(POST + JSON + b"Transfer-Encoding: chunked\r\n\r\n")
    chunk = b"4000\r\n%b\r\n" % (b" " * 0x4000)
    for _ in range(4):
        assert connection.say(chunk) == b""
    connection.say(b"1\r\n \r\n0\r\n\r\n")
    assert_refused(connection, clock, 413, "body-too-large")
    assert len(wire.book) == 0


def test_chunks_of_just_the_right_size(connection: Connection) -> None:
    connection.say(POST + JSON + b"Transfer-Encoding: chunked\r\n\r\n")
    connection.say(b"fffe\r\n%b\r\n" % (b" " * 0xFFFE))
    assert connection.say(b"2\r\n{}\r\n0\r\n\r\n").startswith(b"HTTP/1.1 201 ")


def test_the_second_body_is_counted_anew(connection: Connection) -> None:
    request = POST + JSON + b"Content-Length: 60000\r\n\r\n{}" + b" " * 59_998
    for _ in range(3):
        assert connection.say(request).startswith(b"HTTP/1.1 201 ")


def test_whoever_goes_on_sending_after_a_refusal_is_cut_off(
    connection: Connection, clock: Clock
) -> None:
    connection.say(b"sesame\r\n")
    for _ in range(LINGER_SIZE // LIMIT):
        assert connection.say(b"s" * LIMIT) == b""
    assert not connection.closed
    connection.say(b"s")
    assert connection.closed
    assert not clock.getDelayedCalls()


def test_a_refused_client_that_hangs_up_leaves_no_timer(
    connection: Connection, clock: Clock
) -> None:
    connection.say(b"sesame\r\n")
    connection.hang_up()
    assert not clock.getDelayedCalls()


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nCookie: " + b"s" * 17_000,
        b"GET / HTTP/1.1\r\n" + b"Cookie: %b\r\n" % (b"s" * 1000) * 17,
        b"GET /" + b"s" * 17_000,
    ],
)
def test_headers_that_are_too_large(
    connection: Connection, clock: Clock, head: bytes
) -> None:
    connection.say(head)
    assert_refused(connection, clock, 431, "headers-too-large")


@pytest.mark.parametrize(
    "data",
    [
        b"sesame\r\n\r\n",
        b"GET  HTTP/1.1\r\n\r\n",
        b"S@SAME / HTTP/1.1\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\n\r\n",
        b"GET / HTTP/2.0\r\n\r\n",
        b"GET /a b HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nsesame\r\n\r\n",
        b"GET / HTTP/1.1\r\nses ame: 1\r\n\r\n",
        b"GET / HTTP/1.1\r\nsesame: \0\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: sesame\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET / HTTP/1.1\r\nTransfer-Encoding: sesame\r\n\r\n",
        b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nsesame\r\n",
        b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"A: 1\r\n" * 501 + b"\r\n",
    ],
)
def test_what_is_not_http(
    connection: Connection, clock: Clock, logged: LogEvents, data: bytes
) -> None:
    connection.say(data)
    assert_refused(connection, clock, 400, "bad-request")
    expected = "request method=- route=- status=400 ms=0.0 bytes=0 cluster=-"
    assert logged.texts() == [expected]


def test_more_connections_than_there_are_descriptors(wire: Wire, clock: Clock) -> None:
    descriptors = wire.site.descriptors = Descriptors(OWN_FILES + 16)
    held = [Connection(wire.site, clock) for _ in range(descriptors.served)]
    refused = [Connection(wire.site, clock) for _ in range(descriptors.spare)]
    for connection in refused:
        answer = connection.answer()
        assert answer.json["limit"] == "descriptors"
        assert answer.headers["Retry-After"] == "5"
    cut = Connection(wire.site, clock)
    assert cut.transport.value() == b""
    assert cut.closed
    for connection in held:
        assert connection.say(OPTIONS).startswith(b"HTTP/1.1 204 ")
    # They say it before they are asked anything, and wait for nothing.
    assert refused.pop().say(POST) == b""
    clock.advance(LINGER)
    assert all(connection.closed for connection in refused)
    again = Connection(wire.site, clock)
    assert again.answer().json["type"] == "/problems#overloaded"
    clock.advance(LINGER)
    held.pop().hang_up()
    served = Connection(wire.site, clock)
    assert served.say(OPTIONS).startswith(b"HTTP/1.1 204 ")
    for connection in (*held, served):
        connection.hang_up()
