"""
Waiting, on the real daemon.
"""

import http.client
import os
import re
import resource
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.e2e.daemon import CLUSTERS, Daemon

WAIT = {"Prefer": "wait=250"}
SLOW_READERS = int(os.environ.get("CVMPAIR_SLOW_READERS", "200"))


@contextmanager
def curl(daemon: Daemon, path: str, *words: str) -> Iterator[subprocess.Popen[str]]:
    """
    Run ``curl`` up to where it waits for the answer.
    """
    with subprocess.Popen(
        [
            "curl",
            "-sS",
            "-v",
            "-N",
            "-H",
            "Prefer: wait=250",
            *words,
            daemon.url + path,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            lines = iter(process.stderr.readline, "")
            assert any(line.strip() == ">" for line in lines), "nothing was sent"
            arrived(daemon)
            assert process.poll() is None, "it does not wait"
            yield process
        finally:
            process.kill()


def arrived(daemon: Daemon) -> None:
    """
    Return when the daemon has read all that was sent to it before.
    """
    # A connection of later is accepted and read later.
    for _ in range(2):
        daemon.request("OPTIONS", CLUSTERS)


@contextmanager
def waiter(
    daemon: Daemon, path: str, buffer: int = 0
) -> Iterator[http.client.HTTPConnection]:
    """
    Yield a connection on which an answer is awaited.

    :param buffer: the bytes that the kernel takes for one who does not read.
    """
    connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=120)
    connection.sock = socket.socket()
    connection.sock.settimeout(120)
    if buffer:
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    connection.sock.connect(("127.0.0.1", daemon.port))
    try:
        connection.request("GET", path, headers=WAIT)
        yield connection
    finally:
        connection.close()


def status(connection: http.client.HTTPConnection) -> int:
    answer = connection.getresponse()
    answer.read()
    return answer.status


def key_path(pin: str) -> str:
    return f"{CLUSTERS}/{pin}/keys/sesame"


def add(daemon: Daemon, pin: str, value: str = "open") -> None:
    fields = {"key": "sesame", "value": value}
    assert daemon.send_json("POST", f"{CLUSTERS}/{pin}/keys", fields).status == 201


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with Daemon(tmp_path_factory.mktemp("waiting") / "state") as daemon:
        yield daemon


@pytest.mark.parametrize("durability", ["synced", "periodic"])
def test_curl_is_answered_by_the_post(tmp_path: Path, durability: str) -> None:
    options = [f"--durability={durability}", "--snapshot-interval=1d"]
    with Daemon(tmp_path / "state", options=options) as daemon:
        pin = daemon.new_pin()
        with curl(daemon, key_path(pin), "-f") as process:
            add(daemon, pin)
            output, head = process.communicate(timeout=100)
            assert process.returncode == 0
            assert output == "sesame: open"
            assert "< Preference-Applied: wait=250" in head


def test_a_shell_loop_needs_one_request(daemon: Daemon) -> None:
    pin = daemon.new_pin()
    with curl(daemon, key_path(pin), "-f", "-o", "/dev/null") as process:
        add(daemon, pin)
        assert process.wait(100) == 0


def test_deletion_while_waiting(daemon: Daemon) -> None:
    pin = daemon.new_pin()
    with waiter(daemon, key_path(pin)) as connection:
        arrived(daemon)
        assert daemon.request("DELETE", f"{CLUSTERS}/{pin}").status == 204
        assert status(connection) == 410


@pytest.mark.parametrize("durability", ["synced", "periodic"])
def test_expiry_while_waiting(tmp_path: Path, durability: str) -> None:
    options = ["--pin-lifetime=2", f"--durability={durability}"]
    with (
        Daemon(tmp_path / "state", options=options) as daemon,
        waiter(daemon, key_path(daemon.new_pin())) as connection,
    ):
        assert status(connection) == 410


def test_the_daemon_is_killed(tmp_path: Path) -> None:
    with Daemon(tmp_path / "state") as daemon:
        pin = daemon.new_pin()
        with curl(daemon, key_path(pin)) as process:
            daemon.kill()
            # Nothing came back.
            assert process.wait(100) in {52, 56}
        daemon.start()
        with waiter(daemon, key_path(pin)) as connection:
            add(daemon, pin)
            assert status(connection) == 200


def test_the_daemon_is_stopped(tmp_path: Path) -> None:
    with Daemon(tmp_path / "state") as daemon:
        pin = daemon.new_pin()
        with curl(daemon, key_path(pin), "-f") as process:
            assert daemon.end(signal.SIGTERM) == 0
            _, head = process.communicate(timeout=100)
            assert "< HTTP/1.1 503 " in head
            assert "< Retry-After: " in head


def test_a_wait_that_ends_is_in_the_log(daemon: Daemon) -> None:
    path = f"{CLUSTERS}/{daemon.new_pin()}"
    known = daemon.request("GET", path).headers["ETag"]
    headers = {"Prefer": "wait=1", "If-None-Match": known}
    answer = daemon.request("GET", path, headers=headers)
    assert (answer.status, answer.headers["Preference-Applied"]) == (304, "wait=1")
    # The log comes after the answer.
    arrived(daemon)
    (line,) = re.findall(r".* status=304 ms=([0-9]+)\.", daemon.log.read_text())
    assert int(line) >= 1000


def test_a_wait_for_a_key_is_counted(daemon: Daemon) -> None:
    path = key_path(daemon.new_pin())
    answer = daemon.request("GET", path, headers={"Prefer": "wait=1"})
    assert (answer.status, answer.headers["Preference-Applied"]) == (404, "wait=1")
    # It is counted, and said within a second.
    deadline = time.monotonic() + 30
    while "status_404=1" not in daemon.log.read_text():
        assert time.monotonic() < deadline, "nothing of it is in the log"
        time.sleep(0.05)


def test_the_kernel_asks_whether_a_waiter_is_still_there(daemon: Daemon) -> None:
    with waiter(daemon, key_path(daemon.new_pin())) as connection:
        arrived(daemon)
        port = connection.sock.getsockname()[1]
        assert timer_of(daemon.port, port) == "02"


def timer_of(local: int, remote: int) -> str:
    """
    Return which timer the kernel has on a connection: ``02`` is the keepalive.
    """
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        ports = [int(address.rpartition(":")[2], 16) for address in fields[1:3]]
        if ports == [local, remote]:
            return fields[5].partition(":")[0]
    raise AssertionError("no such connection")


def resident(daemon: Daemon) -> int:
    """
    Return how much memory the daemon takes, in bytes.
    """
    pages = Path(f"/proc/{daemon.process.pid}/statm").read_text().split()[1]
    return int(pages) * resource.getpagesize()


def test_those_who_never_read_are_no_harm(daemon: Daemon) -> None:
    pin, value = daemon.new_pin(), "o" * 16_384
    with ExitStack() as stack:
        files = resource.getrlimit(resource.RLIMIT_NOFILE)
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, files)
        resource.setrlimit(resource.RLIMIT_NOFILE, (files[1], files[1]))
        for _ in range(SLOW_READERS):
            stack.enter_context(waiter(daemon, key_path(pin), buffer=2304))
        reader = stack.enter_context(waiter(daemon, key_path(pin)))
        arrived(daemon)
        before = resident(daemon)
        add(daemon, pin, value)
        assert status(reader) == 200
        assert daemon.request("GET", key_path(pin)).status == 200
        # The answer itself, and what Twisted keeps for each.
        assert resident(daemon) - before < SLOW_READERS * 64 * 1024 + 2**24
