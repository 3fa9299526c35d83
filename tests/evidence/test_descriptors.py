"""
A daemon that has no file descriptors left goes on, and lets nobody wait for nothing.
"""

import http.client
import socket
import time
from contextlib import ExitStack
from pathlib import Path

from tests.e2e.daemon import CLUSTERS, Daemon

LIMIT = 64
TOO_MANY = 2 * LIMIT
MOST_SECONDS = 30.0
A_WHILE = 2.0
"""The seconds for which it is looked at whether it spins."""


def busy(daemon: Daemon) -> float:
    """
    Return the seconds of the processor that a daemon has used.
    """
    assert daemon.process is not None
    fields = Path(f"/proc/{daemon.process.pid}/stat").read_text().split()
    return (int(fields[13]) + int(fields[14])) / 100


def answer(client: socket.socket, path: str) -> bytes:
    """
    Return the beginning of the answer, or nothing if the connection was closed.
    """
    try:
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: sesame\r\n\r\n".encode())
        return client.recv(12)
    except ConnectionError:
        return b""


def test_no_descriptors_left(tmp_path: Path) -> None:
    limited = ["sh", "-c", f'ulimit -n {LIMIT}; exec "$@"', "sh"]
    options = ["--header-timeout=60s"]
    with (
        Daemon(tmp_path / "state", options, prefix=limited) as daemon,
        ExitStack() as stack,
    ):
        path = f"{CLUSTERS}/{daemon.new_pin()}"
        address = ("127.0.0.1", daemon.port)
        clients = [
            stack.enter_context(socket.create_connection(address, timeout=MOST_SECONDS))
            for _ in range(TOO_MANY)
        ]
        answers = [answer(client, path) for client in clients]
        served = [
            client
            for client, said in zip(clients, answers, strict=True)
            if said == b"HTTP/1.1 200"
        ]
        # Nobody is left without a word.
        assert set(answers) == {b"HTTP/1.1 200", b""}
        assert LIMIT // 2 < len(served) < LIMIT
        # Who is connected can change something, which is durable.
        connection = http.client.HTTPConnection(*address, timeout=MOST_SECONDS)
        connection.sock = served[-1]
        while b"Z" not in served[-1].recv(4096):
            pass
        connection.request("POST", f"{path}/keys", "key=sesame&value=open", FORM)
        assert connection.getresponse().status == 201
        before = busy(daemon)
        time.sleep(A_WHILE)
        assert busy(daemon) - before < A_WHILE / 2
        stack.close()
        connection.close()
        assert daemon.request("GET", f"{path}/keys/sesame").text == "sesame: open"
        assert daemon.terminate() == 0
        log = daemon.log.read_text()
        assert "EMFILE" in log
        assert "Traceback" not in log
        assert "#critical" not in log


FORM = {"Content-Type": "application/x-www-form-urlencoded"}
