"""
What becomes of an answer, whatever its handler and its client do.
"""

from collections.abc import Iterator

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from cvmpair.web import message
from cvmpair.web.api import CLUSTERS
from tests.conftest import LogEvents
from tests.web.connection import Connection
from tests.web.wire import Wire, read_answer

CREATE = f"POST {CLUSTERS} HTTP/1.1\r\n\r\n".encode()


@pytest.fixture
def connection(wire: Wire, clock: Clock) -> Iterator[Connection]:
    connection = Connection(wire.site, clock)
    yield connection
    connection.hang_up()


def test_a_handler_learns_that_its_client_has_gone(
    wire: Wire, connection: Connection
) -> None:
    cancelled: list[Deferred[None]] = []
    flushed = wire.disk.flushed = Deferred(cancelled.append)
    assert connection.say(CREATE) == b""
    assert cancelled == []
    connection.hang_up()
    assert cancelled == [flushed]
    assert connection.transport.value() == b""


def test_a_handler_may_take_no_notice_of_that(
    wire: Wire, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    went_on: list[str] = []

    async def settled(pin: str) -> None:
        try:
            await Deferred()
        except CancelledError:
            went_on.append(pin)

    monkeypatch.setattr(type(wire.disk), "settled", lambda _, pin: settled(pin))
    connection.say(CREATE)
    connection.hang_up()
    assert len(went_on) == 1
    assert connection.transport.value() == b""


def test_a_defect_that_nobody_waits_for_is_in_the_log(
    wire: Wire, connection: Connection, logged: LogEvents
) -> None:
    def fail(_: object) -> None:
        raise RuntimeError("sesame")

    wire.disk.flushed = Deferred()
    wire.disk.flushed.addErrback(fail)
    connection.say(CREATE)
    connection.hang_up()
    (line,) = logged.take(lambda text: "defect" in text)
    assert "error=RuntimeError" in line
    assert "sesame" not in line
    assert connection.transport.value() == b""


def test_who_still_waits_is_told_of_a_handler_that_was_cancelled(
    wire: Wire, connection: Connection, logged: LogEvents
) -> None:
    wire.disk.flushed = Deferred()
    connection.say(CREATE)
    wire.disk.flushed.cancel()
    assert read_answer(connection.transport.value()).status == 500
    assert logged.take(lambda text: "defect error=CancelledError" in text)


def test_a_defect_on_the_way_out_is_a_defect_like_any_other(
    connection: Connection, logged: LogEvents, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_code: int) -> bytes:
        monkeypatch.undo()
        raise RuntimeError("sesame")

    monkeypatch.setattr(message, "status_line", fail)
    answer = read_answer(connection.say(CREATE))
    assert answer.status == 500
    assert answer.json["type"] == "/problems#internal-error"
    (line,) = logged.take(lambda text: "defect" in text)
    assert "sesame" not in line
