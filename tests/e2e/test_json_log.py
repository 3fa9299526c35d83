"""
``--log-format json``, with everything that can start a daemon.
"""

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.daemon import (
    CLUSTERS,
    LAUNCHERS,
    TWISTD,
    Daemon,
    environment,
)
from tests.logs import MARKER, new_log

JSON = ("--log-format=json",)


def lines(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines()]


def use(daemon: Daemon) -> None:
    """
    Cause lines of every kind.
    """
    keys = f"{CLUSTERS}/{daemon.new_pin()}/keys"
    key = {"key": MARKER, "value": MARKER}
    assert daemon.send_json("POST", keys, key).status == 201
    assert daemon.request("GET", keys).status == 200
    assert daemon.request("GET", f"{keys}/{MARKER}").status == 200


def check(found: list[dict[str, Any]]) -> None:
    assert all(
        {"time", "level", "namespace", "message"} <= line.keys() for line in found
    )
    started = next(line for line in found if line["message"].startswith("started "))
    assert started["clusters"] == 0
    assert started["durability"] == "synced"
    read = [line for line in found if line["message"].startswith("request method")]
    assert f"{CLUSTERS}/<pin>/keys" in {line["route"] for line in read}
    counted = next(line for line in found if line["message"].startswith("requests "))
    assert counted["counts"]
    assert "stopped" in {line["message"] for line in found}


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_in_the_foreground(tmp_path: Path, launcher: str) -> None:
    words = LAUNCHERS[launcher]
    with Daemon(tmp_path / "state", JSON, launcher=words) as daemon:
        use(daemon)
        assert daemon.terminate() == 0
    check(lines(daemon.log))


def test_in_the_background_with_a_log_that_is_rotated(tmp_path: Path) -> None:
    log, pid_file = new_log("background"), tmp_path / "pid"
    launcher = (str(TWISTD), f"--logfile={log}", f"--pidfile={pid_file}")
    daemon = Daemon(tmp_path / "state", JSON, launcher=launcher)
    command = daemon.command()
    subprocess.run(command, check=True, env=environment(), cwd=tmp_path, timeout=60)
    process = int(pid_file.read_text())
    try:
        use(daemon)
        os.kill(process, signal.SIGUSR1)
        rotated = log.with_name(f"{log.name}.1")
        wait_until(rotated.exists)
    finally:
        os.kill(process, signal.SIGTERM)
    wait_until(lambda: not pid_file.exists())
    check([*lines(rotated), *lines(log)])
    assert lines(log)


def wait_until(holds: Any) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("-n", "--syslog"), "--syslog"),
        (("-n", "--logger=os.getcwd"), "--logger"),
        (("--logfile=-",), "background"),
        (("-n", "--logfile=/missing/log"), "No such file"),
    ],
)
def test_another_log_at_the_same_time(
    tmp_path: Path, words: tuple[str, ...], hint: str
) -> None:
    done = subprocess.run(
        [str(TWISTD), *words, "--pidfile=", "cvmpair", "--listen=tcp:0", *JSON],
        check=False,
        capture_output=True,
        text=True,
        env=environment(),
        cwd=tmp_path,
        timeout=60,
    )
    assert done.returncode in {1, 2}
    (line,) = done.stderr.splitlines()
    assert line.startswith("cvmpair: ")
    assert hint in line
    assert "Traceback" not in done.stdout
