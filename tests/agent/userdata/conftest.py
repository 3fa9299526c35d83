"""
Servers on loopback, and who asks them.
"""

from collections.abc import Callable, Iterator

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import maybeDeferred

from cvmpair.core.backoff import steady
from cvmpair_agent.userdata.http import DirectHttp
from tests.agent.userdata.servers import Answer, FakeServer


@pytest.fixture
def serve() -> Iterator[Callable[..., FakeServer]]:
    """
    Start a server with the given answers.
    """
    ports = []

    def start(
        answers: dict[str, bytes | Answer] | None = None,
        *,
        flood: bytes = b"",
        interface: str = "127.0.0.1",
    ) -> FakeServer:
        server = FakeServer(answers=answers or {}, flood=flood)
        server.port = reactor.listenTCP(0, server.factory(), interface=interface)
        ports.append(server.port)
        return server

    yield start
    for port in ports:
        pytest_twisted.blockon(maybeDeferred(port.stopListening))


@pytest.fixture
def http() -> DirectHttp:
    """
    The real thing.
    """
    return DirectHttp(reactor, delays=lambda: steady(0.01, 0.0, lambda: 0.0))
