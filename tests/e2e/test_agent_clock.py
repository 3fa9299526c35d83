"""
The clock of a machine is set while its agent waits, which changes no waiting time.

A slow machine makes a wait longer, never shorter: a wait that a step cuts short is
seen by its length, and one that a step makes longer by an hour at least.
"""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.daemon import Daemon
from tests.e2e.parallel import check_all
from tests.e2e.stepping import SteppedClock
from tests.e2e.virtual_machine import VirtualMachine, user_data, virtual_machine
from tests.evidence.amounts import amount

DELAY = 6.0
TOLERANCE = 0.5

FROM_1970 = "from 1970"
TO_1970 = "to 1970"
TOO_LONG = 20.0
"""
How many seconds too long a wait may be on a busy machine: one that follows the clock
takes half a minute more at least, or ends at once.
"""

STEPS = {
    "none": 0.0,
    "half a minute on": 30.0,
    "half a minute back": -30.0,
    "a day on": 24 * 3600.0,
    "a day back": -24 * 3600.0,
    FROM_1970: 0.0,
    TO_1970: 0.0,
}


WAITS = {
    "tries": ("--tries=2",),
    # A third try cannot end before the deadline.
    "time": (f"--timeout={2 * DELAY - TOLERANCE}",),
}
"""By what bounds it: a wait in vain, of two tries that end."""

Boot = Callable[[str], tuple[VirtualMachine, SteppedClock]]


@pytest.fixture
def boot(tmp_path: Path) -> Iterator[Boot]:
    """
    Makes workers with clocks of their own, by their names, whose master never comes.
    """
    with ExitStack() as stack:
        daemon = stack.enter_context(Daemon(tmp_path / "state"))

        def boot(name: str) -> tuple[VirtualMachine, SteppedClock]:
            clock = SteppedClock(tmp_path / f"{name}.clock")
            data = user_data("worker", daemon.url, daemon.new_pin())
            machine = virtual_machine(tmp_path / name, data, clock.environment)
            return stack.enter_context(machine), clock

        yield boot


def test_a_step_changes_no_waiting_time(boot: Boot) -> None:
    def check(name: str) -> None:
        kind, _, step = name.partition(": ")
        machine, clock = boot(name.replace(": ", "-"))
        if step == FROM_1970:
            clock.step(10.0 - time.time())
        begun = time.monotonic()
        words = (*WAITS[kind], f"--delay={DELAY}", "--jitter=0")
        waiting = machine.start("pair", *words)
        waiting.await_said("waiting for master_ready: the master has not")
        stepped = time.monotonic()
        if step == TO_1970:
            clock.step(10.0 - time.time())
        else:
            clock.step(STEPS[step] if step != FROM_1970 else -clock.difference)
        waiting.await_said(" tries in ")
        over = time.monotonic()
        assert over - begun > DELAY - TOLERANCE
        # The one ends with its second try, the other with its time.
        longest = DELAY if kind == "tries" else 2 * DELAY - TOLERANCE
        too_long = over - stepped - longest
        assert too_long < TOO_LONG
        print(f"{name}: ended {too_long:+.2f} s after its time")
        ended = waiting.finish()
        assert ended.code == 6
        found = re.search("master_ready after [23] tries in ([0-9]+) s", ended.reason)
        assert found, ended.reason
        assert int(found[1]) >= int(DELAY - TOLERANCE)

    names = [f"{kind}: {step}" for kind in WAITS for step in STEPS]
    check_all(names, check, amount(ci=len(names), full=2))
