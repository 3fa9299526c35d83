"""
The endpoints of those who run the daemon.
"""

import pytest
from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from cvmpair.core.errors import StoreUnavailable
from cvmpair.web.admin import PATIENCE, Admin
from cvmpair.web.api import CLUSTERS
from cvmpair.web.dispatch import Dispatch
from cvmpair.web.limits import RequestLimits
from cvmpair.web.metrics import Metrics
from cvmpair.web.request_log import RequestLog
from cvmpair.web.site import PairingSite
from tests.web.connection import Connection
from tests.web.wire import Answer


@define
class Asked:
    """
    An administration over a disk that does what the test says.
    """

    clock: Clock
    writing: Deferred[None] = field(factory=Deferred)

    async def probe(self) -> None:
        await self.writing

    def connect(self) -> Connection:
        admin = Admin(
            metrics=Metrics(process=False), probe=self.probe, clock=self.clock
        )
        site = PairingSite(
            Dispatch(admin.app),
            limits=RequestLimits(),
            request_log=RequestLog(lambda call: call()),
            reactor=self.clock,
        )
        return Connection(site, self.clock)

    def get(self, path: str) -> Answer:
        connection = self.connect()
        connection.say(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        answer = connection.answer()
        connection.hang_up()
        return answer


@pytest.fixture
def asked(clock: Clock) -> Asked:
    return Asked(clock)


def test_it_lives_while_the_disk_hangs(asked: Asked) -> None:
    assert asked.get("/livez").status == 200


def test_it_is_ready_once_the_write_is_durable(asked: Asked) -> None:
    connection = asked.connect()
    assert connection.say(b"GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n") == b""
    asked.writing.callback(None)
    assert connection.answer().status == 200
    connection.hang_up()


def test_it_is_not_ready_if_the_write_fails(asked: Asked) -> None:
    asked.writing.errback(StoreUnavailable(60))
    answer = asked.get("/readyz")
    assert answer.status == 503
    assert answer.headers["Retry-After"] == "60"


def test_it_is_not_ready_if_the_write_hangs(asked: Asked) -> None:
    connection = asked.connect()
    connection.say(b"GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n")
    asked.clock.advance(PATIENCE)
    assert connection.answer().status == 503
    connection.hang_up()


def test_who_asks_may_go(asked: Asked) -> None:
    connection = asked.connect()
    connection.say(b"GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n")
    connection.hang_up()


def test_the_figures(asked: Asked) -> None:
    answer = asked.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    assert b"cvmpair_flush_seconds_count 0.0" in answer.body


def test_the_api_is_elsewhere(asked: Asked) -> None:
    assert asked.get(CLUSTERS).status == 404
    assert asked.get("/").status == 404
