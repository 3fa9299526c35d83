"""
A daemon that has as many connections as it has file descriptors for says so, goes on,
and lets nobody wait for nothing.
"""

import http.client
import socket
import time
from contextlib import ExitStack
from pathlib import Path

from tests.e2e.daemon import CLUSTERS, Daemon, free_port
from tests.e2e.raw import check_refusal, receive

LIMIT = 64
TOO_MANY = 2 * LIMIT
LATER = 20
MOST_SECONDS = 30.0
A_WHILE = 2.0
"""The seconds for which it is looked at whether it spins."""

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def busy(daemon: Daemon) -> float:
    """
    Return the seconds of the processor that a daemon has used.
    """
    assert daemon.process is not None
    fields = Path(f"/proc/{daemon.process.pid}/stat").read_text().split()
    return (int(fields[13]) + int(fields[14])) / 100


def files(daemon: Daemon) -> int:
    """
    Return how many files a daemon has open.
    """
    assert daemon.process is not None
    return len(list(Path(f"/proc/{daemon.process.pid}/fd").iterdir()))


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
    admin = ("127.0.0.1", free_port())
    options = [
        "--header-timeout=60s",
        f"--admin-listen=tcp:{admin[1]}:interface={admin[0]}",
    ]
    with (
        Daemon(tmp_path / "state", options, prefix=limited) as daemon,
        ExitStack() as stack,
    ):
        path = f"{CLUSTERS}/{daemon.new_pin()}"
        address = ("127.0.0.1", daemon.port)

        def connect() -> socket.socket:
            return stack.enter_context(
                socket.create_connection(address, timeout=MOST_SECONDS)
            )

        clients = [connect() for _ in range(TOO_MANY)]
        answers = [answer(client, path) for client in clients]
        served = [
            client
            for client, said in zip(clients, answers, strict=True)
            if said == b"HTTP/1.1 200"
        ]
        # Nobody is left without a word, and for the daemon itself something is left.
        assert set(answers) == {b"HTTP/1.1 200", b"HTTP/1.1 503", b""}
        assert LIMIT // 3 < len(served) < LIMIT // 2
        assert files(daemon) < LIMIT - 8
        # Who goes when he is told so leaves room for the next one to be told.
        time.sleep(A_WHILE)
        for _ in range(LATER):
            with connect() as client:
                told = receive(client)
            assert check_refusal(told, 503)["limit"] == "descriptors"
            assert b"\r\nRetry-After: 5\r\n" in told
        metrics = http.client.HTTPConnection(*admin, timeout=MOST_SECONDS)
        metrics.request("GET", "/metrics")
        shown = metrics.getresponse().read().decode()
        metrics.close()
        (count,) = [
            float(line.split()[1])
            for line in shown.splitlines()
            if line.startswith('cvmpair_rejected_total{limit="descriptors"}')
        ]
        # Of those that came at the same moment the reactor itself closes many.
        assert count > LATER + answers.count(b"HTTP/1.1 503") > LATER
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
        assert log.count("refused limit=descriptors client=any") == 1
        assert "Traceback" not in log
        assert "#critical" not in log
