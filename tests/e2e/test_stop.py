"""
How the daemon is started and stopped, by each of the ways that Twisted has.
"""

import http.client
import json
import os
import signal
import socket
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.daemon import CLUSTERS, LAUNCHERS, TWISTD, Daemon
from tests.logs import new_log

PATIENCE = 60.0


def await_(condition: Callable[[], bool]) -> None:
    """
    Wait until something is so.
    """
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("launcher", LAUNCHERS)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_is_a_success(
    tmp_path: Path, launcher: str, number: signal.Signals
) -> None:
    daemon = Daemon(tmp_path / "state", launcher=LAUNCHERS[launcher])
    with daemon:
        pin = daemon.new_pin()
        assert daemon.end(number) == 0
        log = daemon.log.read_text()
        assert log.index(" started ") < log.index(" stopping") < log.index(" stopped")
        assert "Traceback" not in log
        daemon.start()
        assert daemon.request("GET", f"{CLUSTERS}/{pin}").status == 200


def test_twistd_in_the_background(tmp_path: Path) -> None:
    pidfile, log = tmp_path / "daemon.pid", new_log("background")
    launcher = [str(TWISTD), f"--pidfile={pidfile}", f"--logfile={log}"]
    daemon = Daemon(tmp_path / "state", launcher=launcher)
    daemon.spawn()
    assert daemon.wait() == 0
    # It returns as soon as the service has started, so the port is open by now.
    number = int(pidfile.read_text())
    try:
        pin = daemon.new_pin()
    finally:
        os.kill(number, signal.SIGTERM)
        await_(lambda: not pidfile.exists())
    assert " stopped" in log.read_text()
    assert "Traceback" not in log.read_text()

    with Daemon(tmp_path / "state") as again:
        assert again.request("GET", f"{CLUSTERS}/{pin}").status == 200


def test_twistd_in_the_background_that_cannot_start(tmp_path: Path) -> None:
    pidfile, log = tmp_path / "daemon.pid", new_log("background")
    launcher = [str(TWISTD), f"--pidfile={pidfile}", f"--logfile={log}"]
    with Daemon(tmp_path / "state") as first:
        second = Daemon(tmp_path / "other", launcher=launcher, port=first.port)
        second.spawn()
        try:
            assert second.wait() == 1
        finally:
            second.kill()
    # What twistd itself says is cut off.
    said, *_ = second.log.read_text().splitlines()
    assert said.startswith("cvmpair: --listen ")
    assert "Address already in use; stop what listens there" in said
    assert said in log.read_text()
    assert "Traceback" not in second.log.read_text() + log.read_text()
    assert not pidfile.exists()


def test_a_start_that_fails_is_told_once(tmp_path: Path) -> None:
    with Daemon(tmp_path / "state") as first:
        for options in [], ["--log-format=json"]:
            second = Daemon(tmp_path / "other", options, port=first.port)
            second.spawn()
            assert second.wait() == 1
            assert second.log.read_text().count("cannot be used") == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_answer_that_is_held_back_is_still_given(
    tmp_path: Path, number: signal.Signals
) -> None:
    with Daemon(tmp_path / "state") as daemon:
        client = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=PATIENCE)
        client.request("OPTIONS", CLUSTERS)
        client.getresponse().read()
        # While somebody else writes into the file, the daemon cannot.
        other = sqlite3.connect(tmp_path / "state" / "cvmpair.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        client.request("POST", CLUSTERS)
        # A connection that is made now is served later than one that was there.
        assert daemon.request("OPTIONS", CLUSTERS).status == 204
        assert daemon.process is not None
        daemon.process.send_signal(number)
        await_(lambda: " stopping" in daemon.log.read_text())
        # Whoever is impatient changes nothing.
        daemon.process.send_signal(number)
        assert "status=201" not in daemon.log.read_text()
        other.execute("ROLLBACK")
        other.close()
        answer = client.getresponse()
        assert answer.status == 201
        created = json.loads(answer.read())
        assert daemon.wait() == 0
        assert "Traceback" not in daemon.log.read_text()
        daemon.start()
        found = daemon.request("GET", f"{CLUSTERS}/{created['pin']}")
        assert found.json == created


def test_connections_without_a_request_do_not_hold_up_the_stop(tmp_path: Path) -> None:
    with Daemon(tmp_path / "state") as daemon:
        idle = [socket.create_connection(("127.0.0.1", daemon.port)) for _ in range(3)]
        idle[1].sendall(b"GET / HTTP/1.1\r\n")
        idle[2].sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert idle[2].recv(9) == b"HTTP/1.1 "
        assert daemon.terminate() == 0
        for connection in idle:
            connection.close()
