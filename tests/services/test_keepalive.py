"""
Vanished peers are found: the options of the sockets that are accepted.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from attrs import frozen

from cvmpair.services.keepalive import SEND_BUFFER, find_vanished_peers


@frozen
class Port:
    """
    As much of a port of Twisted as matters.
    """

    socket: socket.socket | None


@contextmanager
def accepted(family: socket.AddressFamily, host: str) -> Iterator[socket.socket]:
    """
    Yield a connection to a port that was watched.
    """
    with socket.create_server((host, 0), family=family) as listening:
        find_vanished_peers(Port(listening))
        with socket.create_connection(listening.getsockname()[:2]):
            connection, _ = listening.accept()
            with connection:
                yield connection


@pytest.mark.parametrize(
    ("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]
)
def test_a_vanished_peer_is_found(family: socket.AddressFamily, host: str) -> None:
    with accepted(family, host) as connection:
        assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        idle, interval, probes, unanswered = (
            connection.getsockopt(socket.IPPROTO_TCP, option)
            for option in (
                socket.TCP_KEEPIDLE,
                socket.TCP_KEEPINTVL,
                socket.TCP_KEEPCNT,
                socket.TCP_USER_TIMEOUT,
            )
        )
        assert 0 < idle + interval * probes <= 120
        assert 0 < unanswered <= 60_000
        kept = connection.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
        assert 0 < kept <= 2 * SEND_BUFFER


def test_what_is_no_tcp_is_left_alone(tmp_path: Path) -> None:
    find_vanished_peers(Port(None))
    find_vanished_peers(object())
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "sesame"))
        find_vanished_peers(Port(listening))
