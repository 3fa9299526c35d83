"""
All connections: in which order they are answered, what is logged, how they end.
"""

import re
from collections.abc import Iterator

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from cvmpair.core.pseudonym import Pseudonyms
from cvmpair.web.api import CLUSTERS
from cvmpair.web.request_log import RequestLog
from tests.conftest import LogEvents
from tests.web.caller import Caller
from tests.web.connection import Connection
from tests.web.wire import Wire

CREATE = f"POST {CLUSTERS} HTTP/1.1\r\n\r\n".encode()
OPTIONS = f"OPTIONS {CLUSTERS} HTTP/1.1\r\n\r\n".encode()
STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3}) ")
PATIENCE = 5.0


@pytest.fixture
def connection(wire: Wire, clock: Clock) -> Iterator[Connection]:
    """
    A connection on which nothing was said yet.
    """
    connection = Connection(wire.site, clock)
    yield connection
    connection.hang_up()


def wind_up(wire: Wire) -> Deferred[None]:
    return Deferred.fromCoroutine(wire.site.wind_up(PATIENCE))


def test_requests_in_one_piece_are_answered_one_after_the_other(
    wire: Wire, connection: Connection
) -> None:
    sent = connection.say(CREATE + OPTIONS + b"sesame\r\n" + OPTIONS)
    assert STATUS.findall(sent) == [b"201", b"204", b"400"]
    assert len(wire.book) == 1


def test_a_request_waits_for_the_answer_to_the_one_before(
    wire: Wire, connection: Connection
) -> None:
    flushed = wire.disk.flushed = Deferred()
    assert connection.say(CREATE + OPTIONS) == b""
    assert connection.say(OPTIONS) == b""
    flushed.callback(None)
    sent = connection.transport.value()
    assert STATUS.findall(sent) == [b"201", b"204", b"204"]


def test_a_refused_connection_takes_no_more_requests(
    wire: Wire, connection: Connection, logged: LogEvents
) -> None:
    connection.say(b"POST / HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n" + CREATE)
    assert connection.answer().status == 413
    assert connection.say(CREATE) == b""
    assert len(wire.book) == 0
    assert len(logged.texts()) == 1


def test_a_connection_is_closed_when_the_client_asks_for_it(
    wire: Wire, connection: Connection
) -> None:
    close = CREATE.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    sent = connection.say(close + CREATE)
    assert STATUS.findall(sent) == [b"201"]
    assert connection.closed
    assert len(wire.book) == 1


def test_http_1_0(connection: Connection) -> None:
    sent = connection.say(f"POST {CLUSTERS} HTTP/1.0\r\n\r\n".encode())
    assert STATUS.findall(sent) == [b"201"]
    assert connection.closed


def test_the_end_closes_idle_connections_at_once(
    wire: Wire, clock: Clock, connection: Connection
) -> None:
    used = Connection(wire.site, clock)
    used.say(OPTIONS)
    ended = wind_up(wire)
    assert connection.closed
    assert used.closed
    assert ended.called
    assert not clock.getDelayedCalls()


def test_the_end_waits_for_the_answers(
    wire: Wire, clock: Clock, connection: Connection
) -> None:
    flushed = wire.disk.flushed = Deferred()
    connection.say(CREATE + OPTIONS)
    ended = wind_up(wire)
    clock.advance(PATIENCE - 1)
    assert not ended.called
    flushed.callback(None)
    assert STATUS.findall(connection.transport.value()) == [b"201"]
    assert connection.closed
    assert ended.called
    assert not clock.getDelayedCalls()


def test_the_end_does_not_wait_for_ever(
    wire: Wire, clock: Clock, connection: Connection
) -> None:
    wire.disk.flushed = Deferred()
    connection.say(CREATE)
    ended = wind_up(wire)
    clock.advance(PATIENCE)
    assert connection.closed
    assert ended.called
    assert not clock.getDelayedCalls()


def test_the_end_leaves_no_request_out_of_the_log(
    wire: Wire, clock: Clock, connection: Connection, logged: LogEvents
) -> None:
    wire.site._request_log = RequestLog(lambda _: None)
    wire.disk.flushed = Deferred()
    connection.say(CREATE)
    ended = wind_up(wire)
    clock.advance(PATIENCE)
    assert ended.called
    assert "status=aborted" in logged.texts()[-1]


def test_the_end_of_a_site_without_connections(wire: Wire) -> None:
    assert wind_up(wire).called


def test_the_log_line_of_a_request(
    clock: Clock, wire: Wire, connection: Connection, logged: LogEvents, cluster: str
) -> None:
    pin = cluster.removeprefix(f"{CLUSTERS}/")
    wire.site.pseudonyms = Pseudonyms(b"sesame")
    logged.events.clear()
    flushed = wire.disk.flushed = Deferred()
    connection.say(f"GET {cluster}/keys?sesame HTTP/1.1\r\n\r\n".encode())
    assert logged.texts() == []
    clock.advance(0.25)
    flushed.callback(None)
    assert logged.texts() == [
        f"request method=GET route={CLUSTERS}/<pin>/keys status=200 ms=250.0 "
        f"bytes=2 cluster={Pseudonyms(b'sesame').of(pin)}"
    ]
    (event,) = logged.events
    (request,) = event["requests"]
    assert request["status"] == 200
    assert request["ms"] == 250.0
    assert pin not in str(event)


def test_the_log_line_of_a_request_that_nobody_waited_for(
    wire: Wire, connection: Connection, logged: LogEvents
) -> None:
    flushed = wire.disk.flushed = Deferred()
    connection.say(CREATE)
    connection.hang_up()
    line = f"request method=POST route={CLUSTERS} status=aborted ms=0.0 bytes=0"
    assert logged.texts() == [f"{line} cluster=-"]
    flushed.callback(None)
    assert len(logged.texts()) == 1
    assert len(wire.book) == 1


@pytest.mark.parametrize(
    ("method", "named", "status"),
    [
        ("HEAD", "HEAD", 405),
        ("OPTIONS", "OPTIONS", 204),
        ("SESAME", "other", 405),
        # Case matters: no cluster is created by this.
        ("post", "other", 400),
        ("S!#$%&'*+.^_`|~-", "other", 400),
        ("S" * 21, "other", 400),
    ],
)
def test_only_known_methods_are_logged(
    wire: Wire, logged: LogEvents, method: str, named: str, status: int
) -> None:
    answer = wire.ask(method, CLUSTERS)
    assert answer.status == status
    (line,) = logged.texts()
    assert f"method={named} " in line
    assert f"status={status} " in line
    assert "sesame" not in line.lower()


@pytest.mark.parametrize(
    "path",
    [
        b"/sesame",
        b"/\xff\xfe",
        b"/%ff%fe",
        b"/api/v1/clusters/sesame%2fkeys",
        b"/api/v1/clusters/%2e%2e%2fsesame",
        b"/api/v1/clusters/sesame%00",
        b"/api/v1/clusters/%",
        b"/api/v1/clusters/%zz",
        b"/api/v1/clusters/\xc3\xa9",
        b"/api/v1/clusters/sesame",
        b"/api/v1/clusters/sesamesesame/keys/sesame.",
    ],
)
@pytest.mark.parametrize("host", [b"sesame", b"\xff\xfe", b"[::1", b"sesame\xc3\xa9:x"])
@pytest.mark.parametrize("method", [b"GET", b"SESAME"])
def test_odd_paths_and_hosts(
    wire: Wire, logged: LogEvents, method: bytes, path: bytes, host: bytes
) -> None:
    connection = Connection(wire.site, wire.clock)
    connection.say(b"%b %b HTTP/1.1\r\nHost: %b\r\n\r\n" % (method, path, host))
    answer = connection.answer()
    connection.hang_up()
    assert 400 <= answer.status < 406
    assert answer.headers["Content-Type"] == "application/problem+json"
    (line,) = logged.texts()
    assert "sesame" not in line.lower()
    wire.clock.advance(10)


def test_a_pin_has_the_same_id_in_every_line(
    caller: Caller, logged: LogEvents, cluster: str
) -> None:
    logged.events.clear()
    caller.add(cluster, "sesame", "open")
    caller.ask("GET", cluster)
    caller.ask("GET", f"{cluster}/keys/sesame")
    ids = {line.partition("cluster=")[2] for line in logged.texts()}
    (pseudonym,) = ids
    assert re.fullmatch(r"[0-9a-f]{10}", pseudonym)
    assert pseudonym not in cluster
