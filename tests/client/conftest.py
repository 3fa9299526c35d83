"""
Servers of a test.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater
from twisted.web.resource import Resource
from twisted.web.server import Site

from tests.client.asking import Serve
from tests.client.authority import AUTHORITY


@pytest.fixture
def serve() -> Iterator[Serve]:
    """
    Return a port of 127.0.0.1 where somebody answers.
    """
    ports: list[IListeningPort] = []

    def listen(
        what: Resource | Factory, tls: Any = None, interface: str = "127.0.0.1"
    ) -> int:
        factory = Site(what) if isinstance(what, Resource) else what
        factory.noisy = False
        # What this one would log holds the PIN.
        factory.log = lambda _request: None
        if tls is None:
            port = reactor.listenTCP(0, factory, interface=interface)
        else:
            port = reactor.listenSSL(0, factory, tls, interface=interface)
        ports.append(port)
        return port.getHost().port

    yield listen
    for port in ports:
        pytest_twisted.blockon(port.stopListening())
    # The other end learns of an aborted connection in a later turn.
    pytest_twisted.blockon(deferLater(reactor, 0.01, lambda: None))


@pytest.fixture
def ca_file(tmp_path: Path) -> str:
    """
    Return the file with the certificate of the authority of these tests.
    """
    return AUTHORITY.write(tmp_path / "ca.pem")
