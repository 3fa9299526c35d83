"""
Who answers the probe, and that nobody else is asked.
"""

import socket
from collections.abc import Callable, Iterable, Iterator, Sequence

import pytest
import pytest_twisted
from attrs import define, field
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure

from cvmpair_agent.errors import ContextWrong
from cvmpair_agent.userdata.address import Address, address_of
from cvmpair_agent.userdata.drive import drive
from cvmpair_agent.userdata.metadata import Servers
from cvmpair_agent.userdata.probe import PROBE_SECONDS, TcpProbe
from cvmpair_agent.userdata.source import Kind, SourceUnusable, UserData
from tests.agent.userdata.servers import FakeServer

Serve = Callable[..., FakeServer]


@pytest.fixture
def full() -> Iterator[Address]:
    """
    An address that takes no connection and refuses none, like one behind a firewall.
    """
    with socket.socket() as listening, socket.socket() as waiting:
        listening.bind(("127.0.0.1", 0))
        # One may wait in the queue, and nobody ever takes it out.
        listening.listen(0)
        address = Address(*listening.getsockname())
        waiting.connect((address.host, address.port))
        yield address


@pytest_twisted.ensureDeferred
async def test_who_answers(serve: Serve, full: Address) -> None:
    there, gone, v6 = serve(), serve(), serve(interface="::1")
    refused = address_of(gone.base)
    await gone.port.stopListening()
    listening = {address_of(there.base), address_of(v6.base)}
    probe = TcpProbe(reactor, seconds=0.3)
    answering = await probe.answering([*listening, refused, full])
    assert answering == listening
    assert there.asked == []
    await there.gone()


@pytest_twisted.ensureDeferred
async def test_nobody_to_probe() -> None:
    assert await TcpProbe(reactor).answering([]) == frozenset()


def test_all_are_probed_at_the_same_time() -> None:
    memory = MemoryReactorClock()
    addresses = [Address(f"169.254.169.{number}", 80) for number in range(5)]
    probing = Deferred.fromCoroutine(TcpProbe(memory).answering(addresses))
    assert [client[:2] for client in memory.tcpClients] == [
        (address.host, address.port) for address in addresses
    ]
    memory.advance(PROBE_SECONDS)
    assert probing.result == frozenset()
    assert all(connector.stoppedConnecting for connector in memory.connectors)
    assert memory.getDelayedCalls() == []


def test_it_can_be_cancelled() -> None:
    memory = MemoryReactorClock()
    addresses = [Address("169.254.169.1", 80), Address("169.254.169.2", 80)]
    probing = Deferred.fromCoroutine(TcpProbe(memory).answering(addresses))
    probing.cancel()
    assert isinstance(probing.result, Failure)
    probing.result.trap(CancelledError)
    probing.addErrback(lambda _: None)
    assert memory.getDelayedCalls() == []
    assert all(connector.stoppedConnecting for connector in memory.connectors)


# The seam to the sources


@define
class FakeProbe:
    there: set[Address]
    asked: list[set[Address]] = field(factory=list)

    async def answering(self, addresses: Iterable[Address]) -> frozenset[Address]:
        self.asked.append(set(addresses))
        return frozenset(self.there & set(addresses))


@define
class Listed:
    base: str
    looks: int = 0
    name: str = "listed"
    kind: Kind = Kind.METADATA

    async def look(self) -> Sequence[UserData]:
        self.looks += 1
        return [UserData(source=self.name, place=self.base, data=b"sesame")]


def test_a_silent_server_is_not_asked() -> None:
    probe = FakeProbe({Address("10.0.0.1", 80)})
    servers = Servers(probe)
    there, silent = Listed("http://10.0.0.1"), Listed("http://10.0.0.2:8080")
    first, second = servers.probed(there), servers.probed(silent)
    assert (first.name, first.kind) == ("listed", Kind.METADATA)
    assert probe.asked == []
    assert drive(first.look())[0].place == "http://10.0.0.1"
    assert drive(second.look()) == []
    with pytest.raises(SourceUnusable, match=r"^http://10\.0\.0\.2:8080: "):
        drive(servers.probed(silent, named=True).look())
    assert drive(first.look())
    assert (there.looks, silent.looks) == (2, 0)
    # All at once, and only once.
    assert probe.asked == [{Address("10.0.0.1", 80), Address("10.0.0.2", 8080)}]


# Base addresses


@pytest.mark.parametrize(
    ("base", "address"),
    [
        ("http://169.254.169.254", Address("169.254.169.254", 80)),
        ("http://[fd00:ec2::254]", Address("fd00:ec2::254", 80)),
        ("http://[::1]:8080", Address("::1", 8080)),
        ("http://metadata.google.internal:81", Address("metadata.google.internal", 81)),
    ],
)
def test_base_addresses(base: str, address: Address) -> None:
    assert address_of(base) == address


@pytest.mark.parametrize(
    "base",
    [
        "",
        "169.254.169.254",
        "https://169.254.169.254",
        "http://",
        "http://:80",
        "http://user:sesame@host",
        "http://host/sesame",
        "http://host?sesame",
        "http://host:99999",
        "http://host:sesame",
        "http://host:0",
        "http://host..sesame",
        "http://ho_st",
        "http://[sesame",
        "http://[:::]",
        "http://ho st",
        "http://host\n",
    ],
)
def test_what_is_no_base_address(base: str) -> None:
    with pytest.raises(ContextWrong, match="must look like http://HOST") as caught:
        address_of(base)
    assert "sesame" not in str(caught.value)
