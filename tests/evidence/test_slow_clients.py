"""
Thousands of slow clients: each is cut, all others are answered meanwhile.
"""

import json
import socket
import subprocess
import sys
import time
from collections import Counter
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

SLOW = [Habit.SLOW_HEADERS, Habit.SLOW_BODY, Habit.NEVER_READS]
HERDS = [SLOW, *([habit] for habit in SLOW)][: amount(1, 4)]
"""Those that come at the same time."""

LARGE_CLIENTS = amount(150, 2000)
"""As many want an answer of a mebibyte."""

SLOW_PIECE = amount(128, 4) * 1024
"""The bytes that a slow reader takes in a tenth of a second."""

PATIENCE = 120.0
MOST_MEMORY = 256 * MEBIBYTE
MOST_UNREAD = amount(96, 256) * MEBIBYTE
"""More than the daemon keeps of answers, and less than what those clients ask for."""

PAUSE = 0.02
"""The seconds between two requests of the client that is well."""


@contextmanager
def herd(
    habit: Habit,
    daemon: Daemon,
    pin: str,
    clients: int = CLIENTS,
    patience: float = PATIENCE,
) -> Iterator[subprocess.Popen[bytes]]:
    words = [habit.value, str(daemon.port), pin, str(clients), str(patience)]
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


def read_slowly(daemon: Daemon, path: str) -> bytes:
    """
    Return an answer that is taken piece by piece.
    """
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", daemon.port))
        client.sendall(
            f"GET {path} HTTP/1.1\r\nHost: sesame\r\nConnection: close\r\n\r\n".encode()
        )
        received, piece = b"", b"s"
        while piece:
            time.sleep(0.1)
            piece = client.recv(SLOW_PIECE, socket.MSG_WAITALL)
            received += piece
    return received


def test_large_answers_that_nobody_reads(tmp_path: Path) -> None:
    with Daemon(tmp_path / "state") as daemon, ExitStack() as stack:
        pin = daemon.new_pin()
        keys = f"{CLUSTERS}/{pin}/keys"
        for number in range(64):
            large = {"key": f"sesame-{number}", "value": "s" * 16_000}
            assert daemon.send_json("POST", keys, large).status == 201
        whole = daemon.request("GET", keys).body
        assert len(whole) > 64 * 16_000
        # Who reads, however slowly, has all of it.
        assert read_slowly(daemon, keys).endswith(whole)
        before, told = memory(daemon, "VmHWM"), Counter[int]()

        def ask() -> None:
            assert daemon.request("GET", f"{keys}/sesame-1").status == 200
            answer = daemon.request("GET", keys)
            assert answer.status in (200, 503)
            told[answer.status] += 1

        habit = Habit.NEVER_READS_MUCH
        patience = amount(4, 120)
        many = stack.enter_context(herd(habit, daemon, pin, LARGE_CLIENTS, patience))
        took = sorted(ask_until([many], ask))
        assert many.stdout is not None
        ended = json.loads(many.stdout.read().splitlines()[-1])
        peak = memory(daemon, "VmHWM")
        size = f"peak {peak // MEBIBYTE} MiB, {before // MEBIBYTE} before"
        print(f"{ended}, {size}, others {told}, {took[-1]:.2f} s")
        assert peak <= MOST_MEMORY
        assert peak - before <= MOST_UNREAD
        assert daemon.request("GET", keys).body == whole
        assert daemon.terminate() == 0
        log = daemon.log.read_text()
        assert "Traceback" not in log
        assert "#critical" not in log
