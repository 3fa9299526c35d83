"""
The log in JSON: what its lines have in them, and what they never have.
"""

import json
from typing import Any

import pytest
from twisted.logger import Logger, LogLevel
from twisted.python.failure import Failure

from cvmpair.json_log import json_lines
from tests.conftest import LogEvents
from tests.logs import MARKER


def lines(logged: LogEvents) -> list[dict[str, Any]]:
    """
    Return the lines of all that was logged, and forget it.
    """
    texts = [json_lines(event) for event in logged.events]
    logged.events.clear()
    assert all(text.endswith("\n") for text in texts)
    return [json.loads(line) for text in texts for line in text.splitlines()]


def test_a_line_has_its_text_and_its_own_fields(logged: LogEvents) -> None:
    Logger("cvmpair.test").warn(
        "flushed {count} in {place!r}\nthen rested",
        count=3,
        place="here",
        by_status={"status_200": 2},
        time="not the time",
        thing=object(),
        things=[MARKER],
    )
    logged.events[0]["log_time"] = 1_800_000_000.0625
    assert lines(logged) == [
        {
            "time": "2027-01-15T08:00:00.062Z",
            "level": "warn",
            "namespace": "cvmpair.test",
            "message": "flushed 3 in 'here'\nthen rested",
            "count": 3,
            "place": "here",
            "by_status": {"status_200": 2},
        }
    ]


def test_a_batch_has_a_line_for_each_request(logged: LogEvents) -> None:
    requests = [{"status": 200, "cluster": "a"}, {"status": 404, "cluster": "-"}]
    Logger("cvmpair.web").info(
        "{lines}", lines="status=200\nstatus=404", requests=requests
    )
    first, second = lines(logged)
    assert (first["status"], first["message"]) == (200, "status=200")
    assert (second["status"], second["message"]) == (404, "status=404")
    assert "lines" not in first


def test_the_events_of_others_have_their_text_alone(logged: LogEvents) -> None:
    Logger("twisted.web").info("a request", path=MARKER)
    (line,) = lines(logged)
    assert line["message"] == "a request"
    assert MARKER not in json.dumps(line)


def fails(secret: str) -> None:
    raise ValueError(f"a value of {len(secret)} letters")


@pytest.mark.parametrize("namespace", ["cvmpair.test", "twisted.test"])
def test_a_failure_is_text_without_locals(logged: LogEvents, namespace: str) -> None:
    try:
        fails("".join(reversed(MARKER)))
    except ValueError:
        failure = Failure(captureVars=True)
    Logger(namespace).failure("it failed", failure, LogLevel.critical)
    (line,) = lines(logged)
    assert line["level"] == "critical"
    assert line["message"].startswith("it failed\n")
    assert "ValueError: a value of 6 letters" in line["message"]
    assert "in fails" in line["message"]
    assert "emases" not in json.dumps(line)


def test_an_event_that_cannot_be_formatted(logged: LogEvents) -> None:
    Logger("cvmpair.test").info("{missing}")
    (line,) = lines(logged)
    assert line["namespace"] == "cvmpair.test"
