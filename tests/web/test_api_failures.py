"""
What a client is told when the service cannot do what it asks, and what it is not.
"""

import re
from collections.abc import Callable

import pytest
from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from cvmpair.core.book import ClusterBook
from cvmpair.core.errors import StoreUnavailable
from cvmpair.core.model import Limits
from cvmpair.web.api import CLUSTERS
from tests.conftest import LogEvents
from tests.web.caller import Caller
from tests.web.wire import Answer, Disk, Wire, read_answer

PIN = "aaaaaaaaaaaa"
KEYS = f"{CLUSTERS}/{PIN}/keys"
KEY = f"{KEYS}/sesame"
FIELDS = {"key": "sesame", "value": "open"}

EVERYTHING = [
    ("POST", CLUSTERS),
    ("GET", f"{CLUSTERS}/{PIN}"),
    ("DELETE", f"{CLUSTERS}/{PIN}"),
    ("GET", KEYS),
    ("POST", KEYS),
    ("GET", KEY),
    ("PUT", KEY),
    ("PATCH", KEY),
    ("DELETE", KEY),
]
CHANGES = [(method, path) for method, path in EVERYTHING if method != "GET"]


def assert_says_nothing(answer: Answer, secret: str) -> None:
    assert secret.encode() not in answer.body
    assert secret not in str(answer.headers)
    assert b"Traceback" not in answer.body
    assert b"RuntimeError" not in answer.body


@pytest.mark.parametrize(("method", "path"), EVERYTHING)
def test_a_defect_stays_inside(
    monkeypatch: pytest.MonkeyPatch,
    wire: Wire,
    caller: Caller,
    logged: LogEvents,
    method: str,
    path: str,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError(f"sesame {PIN}")

    for name in ("create", "packed", "delete", "add_key", "change_key"):
        monkeypatch.setattr(ClusterBook, name, fail)
    monkeypatch.setattr(ClusterBook, "delete_key", fail)
    answer = caller.send(method, path, FIELDS if PIN in path else {})
    assert answer.status == 500
    assert answer.json == {
        "type": "/problems#internal-error",
        "title": "Internal error",
        "status": 500,
        "detail": "The service failed to answer; its log has the reason.",
    }
    assert_says_nothing(answer, "sesame")
    (line,) = logged.take(lambda text: "defect" in text)
    assert "error=RuntimeError" in line
    assert "in fail" in line
    assert f"route={CLUSTERS}" in line
    wire.ticks.advance(1)
    for text in (line, *logged.texts()):
        assert "sesame" not in text
        assert PIN not in text
    assert re.search("status[=_]500", logged.texts()[-1])


def test_a_defect_for_a_client_that_takes_text_only(
    monkeypatch: pytest.MonkeyPatch, caller: Caller, logged: LogEvents
) -> None:
    monkeypatch.setattr(ClusterBook, "packed", None)
    answer = caller.ask("GET", KEY, headers={"Accept": "text/plain"})
    assert answer.status == 500
    assert answer.body == b"The service failed to answer; its log has the reason.\n"
    assert logged.take(lambda text: "defect error=TypeError" in text)


@pytest.mark.parametrize(("method", "path"), CHANGES)
def test_a_service_that_cannot_save_takes_no_change(
    wire: Wire, caller: Caller, method: str, path: str
) -> None:
    wire.disk.writable = False
    answer = caller.send(method, path, FIELDS if PIN in path else {})
    assert answer.status == 503
    assert answer.headers["Retry-After"] == "30"
    assert answer.json["type"] == "/problems#read-only"
    assert wire.book.version == 0


def test_a_service_that_cannot_save_is_read_all_the_same(
    wire: Wire, caller: Caller, cluster: str, key: str
) -> None:
    wire.disk.writable = False
    for path in (cluster, f"{cluster}/keys", key):
        assert caller.ask("GET", path).status == 200


def test_the_seconds_to_wait_are_whole_and_not_too_few(
    monkeypatch: pytest.MonkeyPatch, wire: Wire, caller: Caller
) -> None:
    def refuse(_: Disk) -> None:
        raise StoreUnavailable(retry_after=0.2)

    monkeypatch.setattr(Disk, "check_writable", refuse)
    assert caller.ask("POST", CLUSTERS).headers["Retry-After"] == "1"
    assert len(wire.book) == 0


@define
class SlowDisk(Disk):
    """
    A durability that has every answer wait for a flush.
    """

    waiting: list[Deferred[None]] = field(factory=list)

    def is_settled(self, _pin: str) -> bool:
        return False

    def when_settled(
        self, _pin: str, tell: Callable[[StoreUnavailable | None], None]
    ) -> None:
        self.waiting.append(Deferred())
        self.waiting[-1].addCallback(tell)

    async def settled(self, _pin: str) -> None:
        self.waiting.append(Deferred())
        await self.waiting[-1]


def ask_for_all(wire: Wire) -> list[StringTransport]:
    """
    Ask for all that a key that is not durable yet can show in.
    """
    (cluster,) = (f"{CLUSTERS}/{pin}" for pin in wire.book.take_changes().clusters)
    body = '{"key":"sesame","value":"open"}'
    post = (
        f"POST {cluster}/keys HTTP/1.1\r\nContent-Type: application/json\r\n"
        f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    )
    gets = [
        f"GET {cluster}{path} HTTP/1.1\r\nConnection: close\r\n\r\n"
        for path in ("/keys/sesame", "/keys/sesame2", "/keys", "")
    ]
    # The second POST is refused, and that says something about the state too.
    return [wire.send(data.encode()) for data in (post, post, *gets)]


@pytest.mark.parametrize("saved", [True, False])
def test_no_answer_reveals_what_is_not_durable(clock: Clock, *, saved: bool) -> None:
    disk = SlowDisk()
    wire = Wire(clock, disk=disk)
    wire.book.create(now=0.0, lifetime=60.0)
    asked = ask_for_all(wire)
    assert [sent.value() for sent in asked] == [b""] * 6
    for flushed in disk.waiting:
        if saved:
            flushed.callback(None)
        else:
            flushed.errback(StoreUnavailable(retry_after=30))
    answers = [read_answer(sent.value()) for sent in asked]
    expected = [201, 409, 200, 404, 200, 200] if saved else [503] * 6
    assert [answer.status for answer in answers] == expected
    assert saved or not [answer for answer in answers if b"open" in answer.body]


def test_a_full_cluster(clock: Clock) -> None:
    caller = Caller(Wire(clock, limits=Limits(keys_per_cluster=2)))
    cluster = caller.ask("POST", CLUSTERS).headers["Location"]
    caller.add(cluster, "sesame", "open")
    caller.add(cluster, "sesame2", "open")
    answer = caller.add(cluster, "sesame3", "open")
    assert answer.status == 507
    assert answer.json["type"] == "/problems#too-many-keys"
    assert answer.json["limit"] == 2
    assert "--max-keys" in answer.json["detail"]
    assert "Retry-After" not in answer.headers
    # What is there can still be changed, and room be made.
    keys = f"{cluster}/keys"
    assert caller.send("PUT", f"{keys}/sesame", FIELDS).status == 200
    assert caller.ask("DELETE", f"{keys}/sesame").status == 204
    assert caller.add(cluster, "sesame3", "open").status == 201


def test_a_full_service(clock: Clock) -> None:
    caller = Caller(Wire(clock, limits=Limits(clusters=2)))
    first = caller.ask("POST", CLUSTERS).headers["Location"]
    caller.ask("POST", CLUSTERS)
    clock.advance(400.5)
    answer = caller.ask("POST", CLUSTERS)
    assert answer.status == 507
    assert answer.headers["Retry-After"] == "86000"
    assert answer.json["type"] == "/problems#too-many-clusters"
    assert answer.json["limit"] == 2
    assert "--max-clusters" in answer.json["detail"]
    assert caller.ask("DELETE", first).status == 204
    assert caller.ask("POST", CLUSTERS).status == 201
