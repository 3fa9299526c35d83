"""
The wall clock is set, while the daemon runs and while it does not: no PIN expires
early, and none lives on.

Nothing here depends on how fast the machine is. That a PIN is gone is too early if
it is known before the shortest time that it may have lived has passed, which a slow
machine can only make less likely to be seen. It lives too long if it is there many
seconds after it should have gone, where those that a wrong timer keeps live for
another half a minute at least.
"""

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pytest
from attrs import frozen

from tests.e2e.daemon import CLUSTERS, LAUNCHERS, Daemon
from tests.e2e.parallel import check_all
from tests.e2e.stepping import SteppedClock, stepped_daemon
from tests.e2e.tracing import STATE, log_lines
from tests.logs import MARKER

HOUR = 3600.0
DAY = 24 * HOUR
YEAR = 365 * DAY

STEPS = {
    "half-a-minute-on": 30.0,
    "half-a-minute-back": -30.0,
    "a-day-on": DAY,
    "a-day-back": -DAY,
    "an-hour-back": -HOUR,
    "ten-years-on": 10 * YEAR,
    "ten-years-back": -10 * YEAR,
}

PATIENCE = 20.0
"""How many seconds too long a PIN may live before a test says that it does."""

POLL = 0.1

WAIT = 4.0

TOO_LONG = 20.0
"""
How many seconds too long a wait may be on a busy machine: one that follows the clock
takes half a minute more at least, or ends at once.
"""


@frozen
class Pin:
    """
    A PIN, and between which readings of the monotonic clock it was created.
    """

    pin: str
    earliest: float
    latest: float
    lifetime: float

    @property
    def path(self) -> str:
        return f"{CLUSTERS}/{self.pin}"


def new_pin(daemon: Daemon, lifetime: float) -> Pin:
    earliest = time.monotonic()
    pin = daemon.new_pin()
    return Pin(pin, earliest, time.monotonic(), lifetime)


def since_1970() -> float:
    """
    Return the step that takes a clock back to when machines without one begin.
    """
    return 10.0 - time.time()


def step_of(name: str, clock: SteppedClock) -> float:
    if name == "to-1970":
        return since_1970()
    return -clock.difference if name == "from-1970" else STEPS[name]


@contextmanager
def waiting(daemon: Daemon, path: str) -> Iterator[None]:
    """
    Have a client wait for a key in vain meanwhile, as long as it wants to.
    """

    def wait() -> float:
        begun = time.monotonic()
        headers = {"Prefer": f"wait={WAIT:g}"}
        assert daemon.request("GET", path, headers=headers).status == 404
        return time.monotonic() - begun

    with ThreadPoolExecutor(1) as pool:
        waited = pool.submit(wait)
        yield
        too_long = waited.result() - WAIT
    assert -0.01 < too_long < TOO_LONG
    print(f"waited {too_long:.2f} s too long")


def await_that(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 60.0
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(POLL)


def check_expiry_shown(daemon: Daemon, clock: SteppedClock, pin: Pin) -> None:
    """
    See whether the daemon says when the PIN expires by the clock as it is now.
    """
    answer = daemon.request("GET", pin.path)
    if answer.status == 410:
        assert time.monotonic() > pin.earliest + pin.lifetime, "it expired early"
        return
    shown = datetime.fromisoformat(answer.json["expiration_time"]).timestamp()
    # It does not follow differences of less than a second.
    assert clock.at(pin.earliest + pin.lifetime) - 1.5 < shown
    assert shown < clock.at(pin.latest + pin.lifetime) + 1.5


def check_its_end(daemon: Daemon, pin: Pin, *, passed: float = 0.0) -> None:
    """
    See whether the PIN ends when it should.

    :param passed: how many seconds more have passed than the monotonic clock says;
        less than nothing if some are not known to have passed.
    """
    earliest = pin.earliest + pin.lifetime - max(passed, 0.0)
    latest = pin.latest + pin.lifetime - passed + PATIENCE
    while daemon.request("GET", pin.path).status == 200:
        assert time.monotonic() < latest, "it lives too long"
        time.sleep(POLL)
    # The file keeps times to a fraction of a microsecond.
    assert time.monotonic() > earliest - 0.001, "it expired early"
    print(f"expired {time.monotonic() - earliest:.2f} s after its deadline")
    answer = daemon.request("GET", pin.path)
    assert (answer.status, answer.json["type"]) == (410, "/problems#cluster-gone")
    assert answer.json["reason"] == "expired"


def await_step_noticed(daemon: Daemon) -> None:
    await_that(lambda: log_lines(daemon, "clock stepped"), "the step goes unnoticed")


def await_mark(daemon: Daemon, clock: SteppedClock) -> None:
    """
    Wait until the state file knows what the clock shows now.
    """

    def is_there() -> bool:
        state = sqlite3.connect(f"file:{daemon.state_dir / STATE}?mode=ro", uri=True)
        try:
            (wall_time,) = state.execute("SELECT wall_time FROM state").fetchone()
        finally:
            state.close()
        return abs(wall_time - clock.at(time.monotonic())) < HOUR / 2

    await_that(is_there, "the step is not noted in the state")


@pytest.mark.parametrize(
    "launcher",
    [LAUNCHERS["twistd"], [*LAUNCHERS["twist"], "--reactor=asyncio"]],
    ids=["twistd", "asyncio"],
)
def test_a_step_while_it_runs(tmp_path: Path, launcher: Sequence[str]) -> None:
    def check(name: str) -> None:
        clock = SteppedClock(tmp_path / f"{name}.clock")
        if name == "from-1970":
            clock.step(since_1970())
        with stepped_daemon(tmp_path / name, clock, 12.0, launcher) as daemon:
            daemon.start()
            pin = new_pin(daemon, 12.0)
            check_expiry_shown(daemon, clock, pin)
            with waiting(daemon, f"{pin.path}/keys/{MARKER}"):
                clock.step(step_of(name, clock))
                await_step_noticed(daemon)
            check_expiry_shown(daemon, clock, pin)
            check_its_end(daemon, pin)
            assert len(log_lines(daemon, "clock stepped")) == 1
            assert daemon.terminate() == 0

    names = [*STEPS, "to-1970", "from-1970"]
    check_all(names, check, len(names))


def test_two_steps_while_it_runs(tmp_path: Path) -> None:
    clock = SteppedClock(tmp_path / "clock")
    with stepped_daemon(tmp_path / "state", clock, 12.0) as daemon:
        daemon.start()
        pin = new_pin(daemon, 12.0)
        for number, step in enumerate((YEAR, -YEAR - HOUR), 1):
            clock.step(step)
            await_that(
                lambda number=number: len(log_lines(daemon, "clock stepped")) == number,
                "the step goes unnoticed",
            )
            check_expiry_shown(daemon, clock, pin)
        check_its_end(daemon, pin)


def test_a_step_and_then_a_restart(tmp_path: Path) -> None:
    def check(name: str) -> None:
        kind, _, step = name.partition("-after-")
        clock = SteppedClock(tmp_path / f"{name}.clock")
        with stepped_daemon(tmp_path / name, clock, 25.0) as daemon:
            daemon.start()
            pin = new_pin(daemon, 25.0)
            clock.step(STEPS[step])
            if kind == "kill":
                await_step_noticed(daemon)
                await_mark(daemon, clock)
                daemon.kill()
            else:
                assert daemon.terminate() == 0
            daemon.start()
            check_expiry_shown(daemon, clock, pin)
            check_its_end(daemon, pin)

    # After half a minute back nobody could tell whether the file knows of it.
    steps = [step for step in STEPS if abs(STEPS[step]) >= HOUR]
    names = [f"{kind}-after-{step}" for kind in ("kill", "stop") for step in steps]
    check_all(names, check, len(names))


def test_expired_while_it_was_down(tmp_path: Path) -> None:
    def check(name: str) -> None:
        clock = SteppedClock(tmp_path / f"{name}.clock")
        with stepped_daemon(tmp_path / name, clock, 300.0) as daemon:
            daemon.start()
            pin = new_pin(daemon, 300.0)
            if name == "kill":
                daemon.kill()
            else:
                assert daemon.terminate() == 0
            # Deadlines are kept by whole seconds.
            clock.step(301.0)
            daemon.start()
            assert daemon.request("GET", pin.path).status == 410
            assert len(log_lines(daemon, "expired clusters=1 (while down)")) == 1
            # That is true of the file as well.
            daemon.kill()
            daemon.start()
            assert daemon.request("GET", pin.path).status == 410
            assert len(log_lines(daemon, "(while down)")) == 1

    check_all(["kill", "stop"], check, 2)


def test_not_expired_while_it_was_down(tmp_path: Path) -> None:
    def check(name: str) -> None:
        clock = SteppedClock(tmp_path / f"{name}.clock")
        with stepped_daemon(tmp_path / name, clock, HOUR) as daemon:
            daemon.start()
            pin = new_pin(daemon, HOUR)
            before = daemon.request("GET", pin.path)
            if name == "kill":
                daemon.kill()
            else:
                assert daemon.terminate() == 0
            clock.step(HOUR - 15.0)
            daemon.start()
            after = daemon.request("GET", pin.path)
            if after.status == 200:
                assert after.json == before.json
            check_its_end(daemon, pin, passed=HOUR - 15.0)

    check_all(["kill", "stop"], check, 2)


def test_set_back_while_it_was_down(tmp_path: Path) -> None:
    # Then nobody knows how long it was down, and it is not counted. What the clock
    # does afterwards, such as a step to the true time, changes nothing either.
    def check(name: str) -> None:
        clock = SteppedClock(tmp_path / f"{name}.clock")
        with stepped_daemon(tmp_path / name, clock, 12.0) as daemon:
            daemon.start()
            pin = new_pin(daemon, 12.0)
            stopped = time.monotonic()
            assert daemon.terminate() == 0
            clock.step(since_1970() if name == "to-1970" else -HOUR)
            daemon.start()
            daemon.request("GET", pin.path)
            down = time.monotonic() - stopped
            if name == "to-1970":
                clock.step(-clock.difference)
                await_step_noticed(daemon)
            check_its_end(daemon, pin, passed=-down)

    check_all(["to-1970", "an-hour"], check, 2)
