from collections.abc import Callable

import pytest

from cvmpair.web.request_log import RequestLog
from tests.conftest import LogEvents

REFUSED = "request method=- route=- status={} ms=0.0 bytes=0 cluster=-"


@pytest.fixture
def turn() -> list[Callable[[], None]]:
    """
    The calls that the next turn of the reactor makes.
    """
    return []


@pytest.fixture
def log(turn: list[Callable[[], None]]) -> RequestLog:
    return RequestLog(turn.append)


def test_the_line_of_a_request(log: RequestLog, logged: LogEvents) -> None:
    fields = {
        "method": "GET",
        "route": "/api/v1/clusters/<pin>",
        "status": 200,
        "ms": 1.26,
        "size": 17,
        "cluster": "0123456789",
    }
    log.add(**fields)
    log.write()
    (line,) = logged.texts()
    assert line == (
        "request method=GET route=/api/v1/clusters/<pin> status=200 ms=1.3 bytes=17 "
        "cluster=0123456789"
    )
    assert logged.events[0]["requests"] == [fields]


def test_requests_of_one_turn_are_one_event(
    log: RequestLog, turn: list[Callable[[], None]], logged: LogEvents
) -> None:
    for status in (400, 408, 431):
        log.add(status=status)
    (write,) = turn
    assert logged.texts() == []
    write()
    (text,) = logged.texts()
    assert text.split("\n") == [REFUSED.format(status) for status in (400, 408, 431)]


def test_each_turn_has_an_event_of_its_own(
    log: RequestLog, turn: list[Callable[[], None]], logged: LogEvents
) -> None:
    for status in (400, 408):
        log.add(status=status)
        turn.pop()()
    assert logged.texts() == [REFUSED.format(400), REFUSED.format(408)]
    assert turn == []


def test_what_was_written_before_its_turn_is_written_once(
    log: RequestLog, turn: list[Callable[[], None]], logged: LogEvents
) -> None:
    log.add(status=400)
    log.write()
    (write,) = turn
    write()
    assert logged.texts() == [REFUSED.format(400)]
