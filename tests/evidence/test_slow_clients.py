"""
Thousands of slow clients: each is cut, all others are answered meanwhile.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.e2e.daemon import CLUSTERS, ROOT, Daemon, environment
from tests.e2e.test_limits import MEBIBYTE, memory
from tests.evidence.amounts import amount
from tests.evidence.herd import Habit

CLIENTS = amount(100, 2000)
"""As many of each habit."""

HERDS = [list(Habit), *([habit] for habit in Habit)][: amount(1, 4)]
"""Those that come at the same time."""

PATIENCE = 120.0
MOST_MEMORY = 256 * MEBIBYTE
PAUSE = 0.02
"""The seconds between two requests of the client that is well."""


@contextmanager
def herd(habit: Habit, daemon: Daemon, pin: str) -> Iterator[subprocess.Popen[bytes]]:
    words = [habit.value, str(daemon.port), pin, str(CLIENTS), str(PATIENCE)]
    with subprocess.Popen(
        [sys.executable, "-m", "tests.evidence.herd", *words],
        stdout=subprocess.PIPE,
        env=environment(),
        cwd=ROOT,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def ask_until(
    herds: list[subprocess.Popen[bytes]], ask: Callable[[], None]
) -> list[float]:
    """
    Ask again and again until all herds have ended; return how long each took.
    """
    took: list[float] = []
    while any(herd.poll() is None for herd in herds):
        begun = time.monotonic()
        ask()
        took.append(time.monotonic() - begun)
        time.sleep(PAUSE)
    return took


@pytest.mark.parametrize("habits", HERDS, ids="-and-".join)
def test_slow_clients(tmp_path: Path, habits: list[Habit]) -> None:
    with ExitStack() as stack:
        daemon = stack.enter_context(Daemon(tmp_path / "state"))
        pin = daemon.new_pin()
        keys = f"{CLUSTERS}/{pin}/keys"
        large = {"key": "sesame", "value": "s" * 16_000}
        assert daemon.send_json("POST", keys, large).status == 201
        small = {"key": "sesame-small", "value": "s"}
        assert daemon.send_json("POST", keys, small).status == 201

        def ask() -> None:
            assert daemon.request("GET", f"{keys}/sesame-small").status == 200

        herds = [stack.enter_context(herd(habit, daemon, pin)) for habit in habits]
        took = sorted(ask_until(herds, ask))
        for habit, one in zip(habits, herds, strict=True):
            assert one.stdout is not None
            ended = json.loads(one.stdout.read().splitlines()[-1])
            told = "none" if habit is Habit.NEVER_READS else "408"
            assert (ended["clients"], ended["cut"]) == (CLIENTS, CLIENTS), ended
            assert ended["told"] == {told: CLIENTS}
            print(f"{habit.value}: {ended}")
        peak = memory(daemon, "VmHWM")
        assert peak <= MOST_MEMORY
        quick = took[int(len(took) * 0.99)] * 1000
        print(f"p99 {quick:.1f} ms of {len(took)}, peak {peak // MEBIBYTE} MiB")
        assert daemon.terminate() == 0
        log = daemon.log.read_text()
        assert "Traceback" not in log
        assert "#critical" not in log
