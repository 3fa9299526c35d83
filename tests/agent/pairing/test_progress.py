"""
What people see while the agent waits.
"""

from io import StringIO

import pytest
from twisted.internet.task import Clock

from cvmpair_agent.pairing.progress import COLUMNS, ERASE, PREFIX, duration, progress_on
from tests.agent.pairing.machine import Terminal


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (59.9, "59 s"),
        (60, "1 min 0 s"),
        (605, "10 min 5 s"),
        (3600, "1 h 0 min"),
        (90061, "25 h 1 min"),
    ],
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_a_terminal_has_one_line_that_counts(clock: Clock) -> None:
    stream = Terminal()
    progress = progress_on(stream, clock)
    progress.begin("master_ready")
    assert stream.getvalue() == ""
    clock.advance(1)
    progress.wait("not there yet")
    for _ in range(64):
        clock.advance(1)
    assert "\n" not in stream.getvalue()
    shown = stream.getvalue().split(ERASE)[1:]
    assert len(shown) == 65
    assert shown[0] == f"{PREFIX}waiting for master_ready for 1 s: not there yet"
    assert shown[-1] == f"{PREFIX}waiting for master_ready for 1 min 5 s: not there yet"
    progress.wait("another reason")
    assert stream.getvalue().endswith(
        f"{ERASE}{PREFIX}waiting for master_ready for 1 min 5 s: another reason"
    )
    progress.end()
    assert stream.getvalue().endswith(f"reason{ERASE}")


def test_the_line_fits_the_terminal(clock: Clock) -> None:
    stream = Terminal()
    progress = progress_on(stream, clock)
    progress.begin("master_ready")
    progress.wait("no " * 100)
    assert len(stream.getvalue()) == len(ERASE) + COLUMNS
    progress.end()


def test_an_answer_at_once_leaves_nothing_on_a_terminal(clock: Clock) -> None:
    stream = Terminal()
    progress = progress_on(stream, clock)
    progress.begin("master_ready")
    progress.end()
    assert stream.getvalue() == ""


def test_the_time_counts_anew_for_each_thing(clock: Clock) -> None:
    stream = Terminal()
    progress = progress_on(stream, clock)
    progress.begin("master_ready")
    progress.wait("not there yet")
    clock.advance(5)
    progress.end()
    progress.begin("master_ip")
    progress.wait("not there yet")
    assert stream.getvalue().endswith(
        "cvmpair-agent: waiting for master_ip for 0 s: not there yet"
    )
    progress.end()


def test_a_log_has_one_line_for_each_change(clock: Clock) -> None:
    stream = StringIO()
    progress = progress_on(stream, clock)
    progress.begin("master_ready")
    for reason in ("not there yet", "not there yet", "away", "away", "not there yet"):
        progress.wait(reason)
        clock.advance(25)
    progress.end()
    assert stream.getvalue().splitlines() == [
        f"{PREFIX}waiting for master_ready: not there yet",
        f"{PREFIX}waiting for master_ready: away",
        f"{PREFIX}waiting for master_ready: not there yet",
        f"{PREFIX}waited 2 min 5 s for master_ready",
    ]


@pytest.mark.parametrize("kind", [Terminal, StringIO])
def test_nobody_looks_any_more(clock: Clock, kind: type[StringIO]) -> None:
    class Broken(kind):  # type: ignore[misc, valid-type]
        def write(self, _text: str) -> int:
            raise BrokenPipeError

    progress = progress_on(Broken(), clock)
    progress.begin("master_ready")
    progress.wait("not there yet")
    clock.advance(2)
    progress.end()
