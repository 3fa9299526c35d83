"""
What clients cannot do to the daemon, however they send.
"""

import json
import select
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.daemon import CLUSTERS, Daemon

BODY_LIMIT = 65536
MEBIBYTE = 1024 * 1024


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    options = [
        *["--header-timeout=0.3s", "--body-timeout=0.4s", "--max-keys=3"],
        *[f"--max-body-size={BODY_LIMIT}", "--max-clusters=20"],
    ]
    with Daemon(tmp_path_factory.mktemp("limits") / "state", options) as daemon:
        yield daemon


@pytest.fixture
def client(daemon: Daemon) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=30) as client:
        yield client


@pytest.fixture
def keys(daemon: Daemon) -> Iterator[str]:
    """
    The path of the keys of a cluster.
    """
    pin = daemon.new_pin()
    yield f"{CLUSTERS}/{pin}/keys"
    assert daemon.request("DELETE", f"{CLUSTERS}/{pin}").status == 204


def receive(client: socket.socket) -> bytes:
    """
    Return all that comes until the connection ends.
    """
    received = b""
    try:
        while data := client.recv(65536):
            received += data
    except ConnectionResetError:
        # The rest of what the client sent was not wanted.
        pass
    return received


def send_slowly(client: socket.socket, data: bytes) -> None:
    """
    Send bytes one by one, for as long as the other side says nothing.
    """
    for byte in data:
        client.sendall(bytes([byte]))
        if select.select([client], [], [], 0.05)[0]:
            return
    raise AssertionError("nobody minded")


def check_refusal(answer: bytes, status: int) -> dict[str, object]:
    """
    See to it that there is one answer, a problem of that status, and return it.
    """
    assert answer.count(b"HTTP/1.1 ") == 1
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b"\r\nContent-Type: application/problem+json" in head
    assert b"\r\nConnection: close" in head
    problem = json.loads(body)
    assert problem["status"] == status
    return problem


def head(path: str, *lines: str) -> bytes:
    all_lines = [
        f"POST {path} HTTP/1.1",
        "Host: localhost",
        "Content-Type: application/json",
        *lines,
    ]
    return "\r\n".join([*all_lines, "", ""]).encode()


def memory(daemon: Daemon, name: str) -> int:
    """
    Return a line of the process's status, in bytes.
    """
    assert daemon.process is not None
    status = Path(f"/proc/{daemon.process.pid}/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith(f"{name}:")]
    return int(line.split()[1]) * 1024


def test_a_body_that_is_as_large_as_it_may_be(daemon: Daemon, keys: str) -> None:
    fields = json.dumps({"key": "sesame", "value": "sesame"})
    headers = {"Content-Type": "application/json"}
    body = fields + " " * (BODY_LIMIT - len(fields))
    assert daemon.request("POST", keys, body, headers).status == 201
    assert daemon.request("POST", keys, body + " ", headers).status == 413


def test_an_announced_body_is_refused_at_once(client: socket.socket, keys: str) -> None:
    client.sendall(head(keys, f"Content-Length: {BODY_LIMIT + 1}"))
    problem = check_refusal(receive(client), 413)
    assert f"at most {BODY_LIMIT} bytes" in str(problem["detail"])


def test_a_chunked_body_is_refused_while_it_arrives(
    client: socket.socket, keys: str
) -> None:
    client.sendall(head(keys, "Transfer-Encoding: chunked"))
    chunk = b"1000\r\n" + b" " * 4096 + b"\r\n"
    for _ in range(BODY_LIMIT // 4096):
        client.sendall(chunk)
    assert not select.select([client], [], [], 0.1)[0]
    # The chunk that is too much; the last one never comes.
    client.sendall(chunk)
    check_refusal(receive(client), 413)


def test_a_chunk_of_endless_size(client: socket.socket, keys: str) -> None:
    client.sendall(head(keys, "Transfer-Encoding: chunked") + b"ffffffffff\r\n")
    client.sendall(b" " * (BODY_LIMIT + 1))
    check_refusal(receive(client), 413)


def test_who_does_not_listen_is_cut_off(
    daemon: Daemon, client: socket.socket, keys: str
) -> None:
    before = memory(daemon, "VmHWM")
    chunk = b"100000\r\n" + b" " * MEBIBYTE + b"\r\n"
    client.sendall(head(keys, "Transfer-Encoding: chunked"))
    with pytest.raises(ConnectionError):
        client.sendall(50 * chunk)
    assert memory(daemon, "VmHWM") - before < 4 * MEBIBYTE


def test_many_large_bodies_do_not_pile_up(daemon: Daemon, keys: str) -> None:
    clients = [
        socket.create_connection(("127.0.0.1", daemon.port), timeout=30)
        for _ in range(20)
    ]
    before = memory(daemon, "VmHWM")
    for client in clients:
        client.sendall(head(keys, "Transfer-Encoding: chunked"))
        client.sendall(b"%x\r\n" % MEBIBYTE + b" " * (BODY_LIMIT + 1))
    for client in clients:
        check_refusal(receive(client), 413)
        client.close()
    assert memory(daemon, "VmHWM") - before < 8 * MEBIBYTE


def test_nobody_is_told_to_continue_with_too_much(
    client: socket.socket, keys: str
) -> None:
    length = f"Content-Length: {10 * MEBIBYTE}"
    client.sendall(head(keys, length, "Expect: 100-continue"))
    check_refusal(receive(client), 413)


def test_others_are_told_to_continue(client: socket.socket, keys: str) -> None:
    body = b'{"key":"sesame","value":"sesame"}'
    length = f"Content-Length: {len(body)}"
    client.sendall(head(keys, length, "Expect: 100-continue"))
    assert client.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.sendall(body)
    assert client.recv(1000).startswith(b"HTTP/1.1 201 ")


def test_slow_headers(client: socket.socket) -> None:
    send_slowly(client, head(CLUSTERS, f"X-Sesame: {'a' * 1000}"))
    problem = check_refusal(receive(client), 408)
    assert "headers" in str(problem["detail"])
    assert "0.3 seconds" in str(problem["detail"])


@pytest.mark.parametrize(
    ("line", "start"),
    [("Content-Length: 1000", b""), ("Transfer-Encoding: chunked", b"3e8\r\n")],
)
def test_slow_body(client: socket.socket, keys: str, line: str, start: bytes) -> None:
    client.sendall(head(keys, line) + start)
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


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param([f"X-Sesame: {'a' * 20000}"], id="one large line"),
        pytest.param(
            [f"X-Sesame-{n}: {'a' * 100}" for n in range(200)], id="many lines"
        ),
    ],
)
def test_a_large_header_section(client: socket.socket, lines: list[str]) -> None:
    client.sendall(head(CLUSTERS, *lines))
    check_refusal(receive(client), 431)


def test_a_large_request_line(client: socket.socket) -> None:
    client.sendall(f"GET /{'a' * 20000} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    check_refusal(receive(client), 431)


def test_keys_of_one_cluster(daemon: Daemon, keys: str) -> None:
    for number in range(3):
        key = {"key": f"sesame-{number}", "value": "sesame"}
        assert daemon.send_json("POST", keys, key).status == 201
    key = {"key": "sesame-3", "value": "sesame"}
    refused = daemon.send_json("POST", keys, key)
    assert refused.status == 507
    assert refused.json["limit"] == 3
    assert "--max-keys" in refused.json["detail"]
    assert daemon.request("DELETE", f"{keys}/sesame-0").status == 204
    assert daemon.send_json("POST", keys, key).status == 201


def test_clusters_in_all(daemon: Daemon) -> None:
    pins = [daemon.new_pin() for _ in range(20)]
    refused = daemon.request("POST", CLUSTERS)
    assert refused.status == 507
    assert refused.json["limit"] == 20
    assert "--max-clusters" in refused.json["detail"]
    # When the first of them expires, to the second.
    assert 0 < int(refused.headers["Retry-After"]) <= 86401
    for pin in pins:
        assert daemon.request("DELETE", f"{CLUSTERS}/{pin}").status == 204
    assert daemon.request("DELETE", f"{CLUSTERS}/{daemon.new_pin()}").status == 204


def test_the_daemon_is_well_after_all_that(daemon: Daemon) -> None:
    assert daemon.terminate() == 0
    log = daemon.log.read_text()
    assert "Traceback" not in log
    assert "#critical" not in log
    assert "#error" not in log
