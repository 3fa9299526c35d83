"""
How long clients cannot make the daemon wait for a request.
"""

import select
import socket
from collections.abc import Iterator

import pytest

from tests.e2e.daemon import CLUSTERS, Daemon
from tests.e2e.raw import check_refusal, head, receive


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    options = ["--header-timeout=0.3s", "--body-timeout=0.4s"]
    with Daemon(tmp_path_factory.mktemp("deadlines") / "state", options) as daemon:
        yield daemon
        assert daemon.terminate() == 0
        assert "Traceback" not in daemon.log.read_text()


@pytest.fixture
def client(daemon: Daemon) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=30) as client:
        yield client


def send_slowly(client: socket.socket, data: bytes) -> None:
    """
    Send bytes one by one, for as long as the other side says nothing.
    """
    for byte in data:
        client.sendall(bytes([byte]))
        if select.select([client], [], [], 0.05)[0]:
            return
    raise AssertionError("nobody minded")


def test_slow_headers(client: socket.socket) -> None:
    send_slowly(client, head(CLUSTERS, f"X-Sesame: {'a' * 1000}"))
    problem = check_refusal(receive(client), 408)
    assert "headers" in str(problem["detail"])
    assert "0.3 seconds" in str(problem["detail"])


@pytest.mark.parametrize(
    ("line", "start"),
    [("Content-Length: 1000", b""), ("Transfer-Encoding: chunked", b"3e8\r\n")],
)
def test_slow_body(client: socket.socket, line: str, start: bytes) -> None:
    client.sendall(head(CLUSTERS, line) + start)
    send_slowly(client, b" " * 999)
    problem = check_refusal(receive(client), 408)
    assert "body" in str(problem["detail"])
    assert "0.4 seconds" in str(problem["detail"])


def test_slow_second_request(client: socket.socket) -> None:
    # The deadline is that of each request, not only of the first one.
    client.sendall(f"OPTIONS {CLUSTERS} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    assert client.recv(1000).startswith(b"HTTP/1.1 204 ")
    send_slowly(client, head(CLUSTERS, f"X-Sesame: {'a' * 1000}"))
    check_refusal(receive(client), 408)


def test_who_says_nothing_is_cut_off_without_a_word(client: socket.socket) -> None:
    assert receive(client) == b""
