"""
Clients that go, or say too much, while they wait for an answer: on real sockets, in
the fast lane and on the ordinary way.
"""

import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from ssl import SSLContext, SSLWantReadError, create_default_context

import pytest
from attrs import frozen

from cvmpair.web.backpressure import BUFFER_SIZE
from tests.client.authority import Authority
from tests.e2e.daemon import CLUSTERS, Daemon, free_port
from tests.e2e.raw import receive

WAYS = {"lane": "", "ordinary": "Cookie: sesame\r\n"}
"""A header for each."""

pytestmark = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


@frozen
class Place:
    """
    A daemon that listens with and without TLS.
    """

    daemon: Daemon
    secure_port: int
    context: SSLContext

    def connect(self, *, secure: bool = False) -> socket.socket:
        """
        Return a connection, on which nothing may take longer than a short wait.
        """
        port = self.secure_port if secure else self.daemon.port
        plain = socket.create_connection(("127.0.0.1", port), timeout=20)
        if not secure:
            return plain
        return self.context.wrap_socket(plain, server_hostname="localhost")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    directory: Path = tmp_path_factory.mktemp("waiters")
    authority = Authority("An authority")
    pem = directory / "server.pem"
    authority.issue_file(pem, "localhost")
    context = create_default_context(cafile=authority.write(directory / "ca.pem"))
    port, secure_port = free_port(), free_port()
    listen = [
        f"tcp:{port}:interface=127.0.0.1",
        f"ssl:{secure_port}:privateKey={pem}:certKey={pem}:interface=127.0.0.1",
    ]
    with Daemon(directory / "state", port=port, listen=listen) as daemon:
        yield Place(daemon, secure_port, context)
        assert daemon.terminate() == 0
        assert "Traceback" not in daemon.log.read_text()


def get(path: str, headers: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n".encode()


@pytest.mark.parametrize("secure", [False, True], ids=["TCP", "TLS"])
def test_who_says_too_much_while_he_waits_is_cut(
    place: Place, way: str, *, secure: bool
) -> None:
    path = f"{CLUSTERS}/{place.daemon.new_pin()}/keys/sesame"
    with place.connect(secure=secure) as client:
        client.sendall(get(path, f"{way}Prefer: wait=250\r\n"))
        # This far it is kept, and the end would be heard.
        client.sendall(b"s" * BUFFER_SIZE)
        place.daemon.new_pin()
        client.settimeout(0)
        with pytest.raises((BlockingIOError, SSLWantReadError)):
            client.recv(1)
        client.settimeout(20)
        # It may be cut before all is sent; then nothing comes.
        with suppress(ConnectionError):
            client.sendall(b"s" * BUFFER_SIZE)
            assert client.recv(1) == b""


def test_who_closes_his_side_has_what_is_answered_at_once(
    place: Place, way: str
) -> None:
    path = f"{CLUSTERS}/{place.daemon.new_pin()}/keys/sesame"
    for _ in range(20):
        with place.connect() as client:
            client.sendall(get(path, way))
            client.shutdown(socket.SHUT_WR)
            assert receive(client).startswith(b"HTTP/1.1 404 Not Found\r\n")


def test_who_closes_his_side_gives_up_a_wait(place: Place, way: str) -> None:
    path = f"{CLUSTERS}/{place.daemon.new_pin()}/keys/sesame"
    with place.connect() as client:
        client.sendall(get(path, f"{way}Prefer: wait=250\r\n"))
        client.shutdown(socket.SHUT_WR)
        assert receive(client) == b""
