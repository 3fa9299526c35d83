"""
The fast lane: who takes it, and what holds in it as anywhere else.
"""

from collections.abc import Iterator
from http.client import HTTPConnection
from typing import cast

import pytest
from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from cvmpair.core.errors import StoreUnavailable
from cvmpair.web.api import KEY, KEYS
from cvmpair.web.recognition import _read_headers, recognise
from cvmpair.web.site import IDLE_TIMEOUT
from tests.conftest import LogEvents
from tests.web.caller import Caller
from tests.web.connection import Connection
from tests.web.wire import Wire

CURL = "Host: 192.0.2.7:8080\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n"
BODY = '{"key":"sesame2","value":"open"}'
GETS = {
    "curl": CURL,
    "the original agents": CURL.replace("*/*", "text/plain"),
    "wrk": "Host: 192.0.2.7:8080\r\n",
    "Python's requests": "Host: 192.0.2.7:8080\r\n"
    "User-Agent: python-requests/2.31.0\r\n"
    "Accept-Encoding: gzip, deflate\r\nAccept: */*\r\nConnection: keep-alive\r\n",
    "who knows the key": f'{CURL}If-None-Match: "17"\r\n',
    "who waits": f"{CURL}Prefer: wait=60\r\n",
    "who closes": f"{CURL}Connection: close\r\n",
}


@pytest.fixture
def connection(wire: Wire, clock: Clock) -> Iterator[Connection]:
    """
    A connection on which nothing was said yet.
    """
    connection = Connection(wire.site, clock)
    yield connection
    connection.hang_up()


@define
class Pipe:
    """
    A socket that keeps what is sent, piece by piece.
    """

    sent: list[bytes] = field(factory=list)

    def sendall(self, data: bytes) -> None:
        self.sent.append(data)

    def close(self) -> None:
        pass


def counted(wire: Wire, logged: LogEvents) -> list[str]:
    """
    Return what the log says of the requests that took the lane.
    """
    wire.ticks.advance(1)
    return logged.take(lambda text: "requests method=" in text)


def get(path: str, headers: str = CURL) -> bytes:
    return f"GET {path} HTTP/1.1\r\n{headers}\r\n".encode()


def post(cluster: str, body: str = BODY, headers: str = CURL) -> bytes:
    head = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return f"POST {cluster}/keys HTTP/1.1\r\n{headers}{head}\r\n{body}".encode()


@pytest.mark.parametrize("headers", GETS.values(), ids=GETS)
def test_common_gets_take_it(
    wire: Wire, connection: Connection, logged: LogEvents, key: str, headers: str
) -> None:
    counted(wire, logged)
    assert connection.say(get(key, headers)).endswith(b"\r\n\r\nsesame: open")
    (line,) = counted(wire, logged)
    assert line == f"requests method=GET route={KEY} seconds=1.0 status_200=1"


def test_treq_takes_it(
    wire: Wire, caller: Caller, logged: LogEvents, cluster: str
) -> None:
    counted(wire, logged)
    assert caller.add(cluster, "sesame", "open").status == 201
    assert caller.ask("GET", f"{cluster}/keys/sesame").status == 200
    assert [line.split(" seconds=")[0] for line in counted(wire, logged)] == [
        f"requests method=GET route={KEY}",
        f"requests method=POST route={KEYS}",
    ]


def test_python_takes_it_with_what_it_sends_in_one_piece(
    wire: Wire, connection: Connection, logged: LogEvents, cluster: str
) -> None:
    client = HTTPConnection("192.0.2.7", 8080)
    client.sock = pipe = Pipe()
    client.request(
        "POST", f"{cluster}/keys", BODY, {"Content-Type": "application/json"}
    )
    assert [connection.say(data)[:12] for data in pipe.sent] == [b"", b"HTTP/1.1 201"]
    assert counted(wire, logged) == []
    client = HTTPConnection("192.0.2.7", 8080)
    client.sock = pipe = Pipe()
    client.request("GET", f"{cluster}/keys/sesame2", headers={"Accept": "text/plain"})
    assert [connection.say(data)[:12] for data in pipe.sent] == [b"HTTP/1.1 200"]
    assert len(counted(wire, logged)) == 1


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded"])
def test_a_form_takes_it(
    wire: Wire, connection: Connection, logged: LogEvents, cluster: str, kind: str
) -> None:
    data = post(cluster, "key=sesame2&value=open").replace(
        b"application/json", kind.encode()
    )
    assert connection.say(data).startswith(b"HTTP/1.1 201 Created\r\n")
    assert len(counted(wire, logged)) == 1


@pytest.mark.parametrize(
    "change",
    [
        (b"GET", b"HEAD"),
        (b" HTTP/1.1", b"?sesame HTTP/1.1"),
        (b"HTTP/1.1", b"HTTP/1.0"),
        (b"Host: 192.0.2.7:8080\r\n", b""),
        (b"Accept: */*", b"Accept: text/html"),
        (b"Accept: */*", b"Accept: */*\r\nAccept: */*"),
        (b"Accept: */*", b"Accept: */*\r\nCookie: sesame"),
        (b"Accept: */*", b"Accept: */*\r\n open"),
        (b"Accept: */*", b"Accept: */*\r\nConnection: upgrade"),
        (b"Accept: */*", b"Accept: */*\r\nIf-None-Match: sesame"),
        (b"Accept: */*", b"Accept: */*\r\nUser-Agent2: " + b"s" * 1024),
        (b"\r\n\r\n", b"\r\n\r\nGET"),
    ],
)
def test_what_is_not_understood_goes_the_ordinary_way(
    wire: Wire,
    connection: Connection,
    logged: LogEvents,
    key: str,
    change: tuple[bytes, bytes],
) -> None:
    counted(wire, logged)
    assert connection.say(get(key).replace(*change)).startswith(b"HTTP/1.")
    assert counted(wire, logged) == []
    assert f"route={KEY} " in logged.texts()[-1]


def test_only_what_is_understood_is_kept() -> None:
    _read_headers.cache_clear()
    token = f"{CURL}Authorization: Bearer sesame\r\n"
    assert recognise(get("/api/v1/clusters/abcdefgh1234/keys/sesame", token)) is None
    assert _read_headers.cache_info().currsize == 0
    assert recognise(get("/api/v1/clusters/abcdefgh1234/keys/sesame")) is not None
    assert _read_headers.cache_info().currsize == 1


def test_what_is_not_durable_is_not_shown(
    wire: Wire, connection: Connection, logged: LogEvents, key: str
) -> None:
    flushed = wire.disk.flushed = Deferred()
    assert connection.say(get(key)) == b""
    flushed.callback(None)
    assert connection.answer().status == 200
    assert "request method=GET" in logged.texts()[-1]


def test_a_post_is_answered_once_it_is_durable(
    wire: Wire, connection: Connection, cluster: str
) -> None:
    flushed = wire.disk.flushed = Deferred()
    assert connection.say(post(cluster)) == b""
    pin = cluster.rpartition("/")[2]
    assert wire.book.cluster(pin).keys[-1].value == "open"
    assert connection.say(get(f"{cluster}/keys/sesame2") * 2) == b""
    flushed.callback(None)
    sent = connection.transport.value()
    assert sent.startswith(b"HTTP/1.1 201 Created\r\n")
    assert sent.count(b"HTTP/1.1 200 OK\r\n") == 2


def test_a_refusal_is_held_too(
    wire: Wire, connection: Connection, cluster: str, key: str
) -> None:
    flushed = wire.disk.flushed = Deferred()
    again = post(cluster, '{"key":"sesame","value":"shut"}')
    assert key
    assert connection.say(again) == b""
    flushed.callback(None)
    assert connection.answer().status == 409


def test_what_cannot_be_saved(wire: Wire, connection: Connection, cluster: str) -> None:
    flushed: Deferred[StoreUnavailable | None] = Deferred()
    wire.disk.flushed = cast("Deferred[None]", flushed)
    assert connection.say(post(cluster)) == b""
    flushed.callback(StoreUnavailable(retry_after=30))
    assert connection.answer().status == 503
    assert connection.answer().headers["Retry-After"] == "30"
    wire.disk.flushed, wire.disk.writable = None, False
    connection.say(post(cluster))
    assert connection.answer().status == 503


def test_a_client_that_does_not_wait_for_its_answer(
    wire: Wire, connection: Connection, logged: LogEvents, cluster: str
) -> None:
    flushed = wire.disk.flushed = Deferred()
    connection.say(post(cluster))
    connection.hang_up()
    flushed.callback(None)
    (line,) = counted(wire, logged)
    assert line.endswith(f"method=POST route={KEYS} seconds=1.0 status_aborted=1")


@pytest.mark.parametrize("path", ["keys", "keys/sesame"])
def test_to_wait_for_an_answer_is_not_to_be_idle(
    wire: Wire, clock: Clock, connection: Connection, cluster: str, path: str
) -> None:
    flushed = wire.disk.flushed = Deferred()
    data = post(cluster) if path == "keys" else get(f"{cluster}/{path}", WAITING)
    assert connection.say(data) == b""
    clock.pump([IDLE_TIMEOUT / 2] * 5)
    assert not connection.closed
    flushed.callback(None)
    wire.watchers.stop()
    clock.advance(0)
    assert connection.answer().status in (201, 503)
    clock.advance(IDLE_TIMEOUT - 1)
    assert not connection.closed
    clock.advance(1)
    assert connection.closed
    assert not clock.getDelayedCalls()


WAITING = f"{CURL}Prefer: wait=300\r\n"


def test_deadlines_hold_before_and_behind_it(
    clock: Clock, connection: Connection, key: str
) -> None:
    clock.advance(9)
    assert connection.say(get(key)) != b""
    clock.advance(IDLE_TIMEOUT - 1)
    assert connection.say(get(key)) != b""
    clock.advance(IDLE_TIMEOUT - 1)
    assert not connection.closed
    assert connection.say(b"GET") == b""
    clock.advance(10)
    assert connection.answer().status == 408


def test_a_connection_that_ends_with_the_answer(
    wire: Wire, connection: Connection, logged: LogEvents, key: str
) -> None:
    counted(wire, logged)
    sent = connection.say(get(key, GETS["who closes"]))
    assert b"\r\nConnection: close\r\n" in sent
    assert connection.closed
    assert len(counted(wire, logged)) == 1


def test_a_site_that_winds_up_waits_for_it(
    wire: Wire, connection: Connection, clock: Clock, logged: LogEvents, cluster: str
) -> None:
    flushed = wire.disk.flushed = Deferred()
    connection.say(post(cluster))
    ended = Deferred.fromCoroutine(wire.site.wind_up(5.0))
    assert not connection.closed
    flushed.callback(None)
    assert connection.answer().headers["Connection"] == "close"
    assert connection.closed
    assert ended.called
    # Nothing is left out of the log.
    assert "status_201=1" in logged.texts()[-1]
    assert not wire.ticks.getDelayedCalls()
    clock.advance(5)


def test_waiters_hear_the_news(
    wire: Wire, clock: Clock, connection: Connection, cluster: str
) -> None:
    path = f"{cluster}/keys/sesame2"
    assert connection.say(get(path, WAITING)) == b""
    other = Connection(wire.site, clock)
    # What comes meanwhile is taken up afterwards.
    assert connection.say(get(f"{cluster}/keys")) == b""
    assert other.say(post(cluster)).startswith(b"HTTP/1.1 201 ")
    clock.advance(0)
    sent = connection.transport.value()
    assert b"\r\nPreference-Applied: wait=300\r\n" in sent
    assert b"\r\n\r\nsesame2: openHTTP/1.1 200 OK\r\n" in sent
    assert len(wire.watchers) == 0
    other.hang_up()


def test_a_waiter_that_goes_away_leaves_nothing(
    wire: Wire, clock: Clock, connection: Connection, cluster: str
) -> None:
    connection.say(get(f"{cluster}/keys/sesame2", WAITING))
    assert len(wire.watchers) == 1
    connection.hang_up()
    assert len(wire.watchers) == 0
    clock.advance(300)
    assert connection.transport.value() == b""


def test_nobody_waits_longer_than_he_may(
    wire: Wire, clock: Clock, connection: Connection, cluster: str
) -> None:
    connection.say(get(f"{cluster}/keys/sesame2", WAITING))
    clock.pump([1.0] * 302)
    assert connection.answer().status == 404
    assert connection.answer().headers["Preference-Applied"] == "wait=300"
    assert len(wire.watchers) == 0


def test_a_waiter_too_many(wire: Wire, connection: Connection, cluster: str) -> None:
    wire.watchers.limit = 0
    connection.say(get(f"{cluster}/keys/sesame2", WAITING))
    assert connection.answer().status == 503
    assert not connection.closed


def test_a_defect_is_told_and_logged_without_a_secret(
    wire: Wire,
    connection: Connection,
    logged: LogEvents,
    monkeypatch: pytest.MonkeyPatch,
    cluster: str,
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("sesame")

    flushed = wire.disk.flushed = Deferred()
    connection.say(post(cluster))
    monkeypatch.setattr("cvmpair.web.lane.answer_new_key", fail)
    flushed.callback(None)
    assert connection.closed
    (line,) = logged.take(lambda text: "defect" in text)
    assert "error=RuntimeError" in line
    assert "sesame" not in line
