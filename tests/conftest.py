"""
What holds for every test: none may log a failure, lose the failure of a
Deferred, or leave a timer behind, unless that is what it is about.

pytest-twisted by itself lets all three pass.
"""

import gc
from collections.abc import Callable, Iterator

import pytest
from attrs import define, field
from hypothesis import HealthCheck, settings
from twisted.internet import reactor
from twisted.internet.task import Clock
from twisted.logger import (
    LogEvent,
    LogLevel,
    eventAsText,
    globalLogPublisher,
)

from tests import leaks, logs

settings.register_profile(
    "cvmpair", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("cvmpair")


@define
class LogEvents:
    """
    What a test logged.
    """

    events: list[LogEvent] = field(factory=list)

    def texts(self) -> list[str]:
        """
        Return the events as lines.
        """
        return [
            eventAsText(event, includeTimestamp=False, includeSystem=False)
            for event in self.events
        ]

    def take(self, wanted: Callable[[str], bool]) -> list[str]:
        """
        Remove and return those that the test expects, as lines.
        """
        taken = [event for event in self.events if wanted(eventAsText(event))]
        self.events = [event for event in self.events if event not in taken]
        return LogEvents(taken).texts()

    def failures(self) -> list[str]:
        """
        Return those that no test should log, as lines.
        """
        return LogEvents(
            [
                event
                for event in self.events
                if event.get("log_failure") is not None
                or event.get("log_level") in (LogLevel.error, LogLevel.critical)
            ]
        ).texts()


@pytest.fixture(autouse=True)
def logged() -> Iterator[LogEvents]:
    """
    What the test logs; failures that it does not take make it fail.
    """
    events = LogEvents()
    everything: list[LogEvent] = []

    def observe(event: LogEvent) -> None:
        events.events.append(event)
        everything.append(event)

    globalLogPublisher.addObserver(observe)
    try:
        yield events
        # A lost Deferred reports its failure when it is collected.
        gc.collect()
    finally:
        globalLogPublisher.removeObserver(observe)
        with (logs.DIRECTORY / "in-process.log").open("a") as log:
            for event in everything:
                log.write(eventAsText(event) + "\n")
    assert not events.failures()


@pytest.fixture(autouse=True)
def _no_timer_left() -> Iterator[None]:
    before = set(reactor.getDelayedCalls())
    yield
    left = [call for call in reactor.getDelayedCalls() if call not in before]
    assert not left


@pytest.fixture
def clock() -> Iterator[Clock]:
    """
    A time that only the test moves; nothing may be left to do at its end.
    """
    clock = Clock()
    yield clock
    assert not clock.getDelayedCalls()


@pytest.fixture(scope="session", autouse=True)
def _nothing_has_leaked() -> Iterator[None]:
    yield
    leaks.check_everything()


def pytest_collection_finish() -> None:
    """
    Spare the collections after each test what is there before the first.
    """
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    """
    Leave nothing behind.
    """
    logs.remove()
