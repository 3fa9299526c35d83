"""
Under which address the master can be found.
"""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock, deferLater

from cvmpair.client.errors import NoAnswer
from cvmpair_agent.errors import ContextWrong, Unreachable
from cvmpair_agent.pairing.address import (
    Wish,
    address_towards,
    check_own_address,
    is_on_loopback,
    own_address,
)
from cvmpair_agent.pairing.asking import Asking
from cvmpair_agent.pairing.interface import address_of_interface
from cvmpair_agent.pairing.progress import LogProgress
from tests.agent.pairing.machine import Terminal, run

REMOTE = "https://pairing.example"
LOCAL = "http://localhost:8080"

IF_INET6 = """\
00000000000000000000000000000001 01 80 10 80       lo
fe80000000000000505400fffe000001 02 40 20 80     eth9
20010db8000000000000000000000bad 02 40 00 41     eth9
20010db8000000000000000000000001 02 40 00 80     eth9
20010db8000000000000000000000002 02 40 00 80     eth9
fe80000000000000505400fffe000002 03 40 20 80     eth8
"""


@pytest.fixture
def port() -> Iterator[int]:
    """
    A port of 127.0.0.1 and of ::1 where somebody listens.
    """
    factory = Factory.forProtocol(Protocol)
    first: IListeningPort = reactor.listenTCP(0, factory, interface="127.0.0.1")
    number = first.getHost().port
    second: IListeningPort = reactor.listenTCP(number, factory, interface="::1")
    yield number
    pytest_twisted.blockon(first.stopListening())
    pytest_twisted.blockon(second.stopListening())
    # The other end learns of the end of a connection in a later turn.
    pytest_twisted.blockon(deferLater(reactor, 0.01, lambda: None))


def asking(clock: Clock) -> Asking:
    return Asking(
        seconds=1800.0,
        clock=clock,
        progress=LogProgress(stream=Terminal(), clock=clock),
    )


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize(
    ("host", "address"), [("127.0.0.1", "127.0.0.1"), ("[::1]", "::1")]
)
async def test_the_address_from_which_the_service_is_reached(
    port: int, host: str, address: str
) -> None:
    url = f"http://{host}:{port}/path"
    assert await address_towards(reactor, url) == address
    assert await own_address(asking(reactor), reactor, url, Wish()) == address


def test_a_service_that_only_this_machine_finds_here(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Debian has a line for the host name in /etc/hosts, with 127.0.1.1.
    async def here(*_: object) -> str:
        return "127.0.0.1"

    monkeypatch.setattr("cvmpair_agent.pairing.address.address_towards", here)
    running = run(own_address(asking(clock), None, REMOTE, Wish()))
    assert isinstance(running.error, ContextWrong)
    assert "loopback" in str(running.error)


@pytest_twisted.ensureDeferred
async def test_nothing_is_left_open() -> None:
    lost: Deferred[None] = Deferred()

    class Visited(Protocol):
        def connectionLost(self, _reason: object = None) -> None:
            lost.callback(None)

    listening = reactor.listenTCP(0, Factory.forProtocol(Visited))
    await address_towards(reactor, f"http://127.0.0.1:{listening.getHost().port}")
    await lost.addTimeout(10, reactor)
    await listening.stopListening()


@pytest_twisted.ensureDeferred
async def test_a_service_that_cannot_be_reached() -> None:
    with pytest.raises(NoAnswer, match="refuses connections"):
        await address_towards(reactor, "http://127.0.0.1:1")


@pytest_twisted.ensureDeferred
async def test_a_service_that_is_never_reached() -> None:
    progress = LogProgress(stream=Terminal(), clock=reactor)
    once = Asking(clock=reactor, progress=progress, tries=1, seconds=20)
    with pytest.raises(Unreachable, match="refuses connections"):
        await own_address(once, reactor, "http://127.0.0.1:1", Wish())


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("10.0.0.1", "10.0.0.1"),
        (" 10.0.0.1 ", "10.0.0.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("master.example", "master.example"),
    ],
)
def test_an_address_that_was_asked_for(clock: Clock, wanted: str, found: str) -> None:
    wish = Wish(address=wanted)
    assert run(own_address(asking(clock), None, REMOTE, wish)).done == [found]


def test_an_address_from_elsewhere(clock: Clock) -> None:
    async def ask() -> str:
        return "10.0.0.2"

    wish = Wish(ask=ask)
    assert run(own_address(asking(clock), None, REMOTE, wish)).done == ["10.0.0.2"]


@pytest.mark.parametrize(
    "wanted",
    [
        "",
        "a/b",
        "0.0.0.0",
        "::",
        "224.0.0.1",
        "ff02::1",
        "fe80::1",
        "fe80::1%eth0",
        "127.0.0.1",
        "127.0.1.1",
        "::1",
        "1.2.3",
    ],
)
def test_an_address_that_others_cannot_use(clock: Clock, wanted: str) -> None:
    wish = Wish(address=wanted)
    running = run(own_address(asking(clock), None, REMOTE, wish))
    assert isinstance(running.error, ContextWrong)


def test_loopback_where_all_of_the_cluster_is(clock: Clock) -> None:
    wish = Wish(address="127.0.0.1")
    assert run(own_address(asking(clock), None, LOCAL, wish)).done == ["127.0.0.1"]
    assert check_own_address("::1", loopback=True) == "::1"
    with pytest.raises(ContextWrong):
        check_own_address("fe80::1", loopback=True)


@pytest.mark.parametrize(
    ("url", "answer"),
    [
        ("http://localhost:8080", True),
        ("http://127.0.0.2", True),
        ("https://[::1]:443/x", True),
        ("https://pairing.example", False),
        ("http://10.0.0.1", False),
        ("http://localhost.example", False),
    ],
)
def test_a_service_on_this_machine(url: str, answer: object) -> None:
    assert is_on_loopback(url) is answer


def test_the_address_of_an_interface(clock: Clock) -> None:
    assert address_of_interface("lo") == "127.0.0.1"
    wish = Wish(interface="lo")
    assert run(own_address(asking(clock), None, LOCAL, wish)).done == ["127.0.0.1"]
    refused = run(own_address(asking(clock), None, REMOTE, wish))
    assert isinstance(refused.error, ContextWrong)


def test_the_interface_of_this_machine() -> None:
    # Whatever the machine has beside the loopback interface, it is an address of it.
    for _, name in socket.if_nameindex():
        try:
            address = address_of_interface(name)
        except ContextWrong:
            continue
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family) as bound:
            bound.bind((address, 0))


def test_an_interface_with_ipv6_only(tmp_path: Path) -> None:
    table = tmp_path / "if_inet6"
    table.write_text(IF_INET6)
    assert address_of_interface("eth9", table) == "2001:db8::1"


@pytest.mark.parametrize("name", ["eth8", "eth7", "", "x" * 16, "lo\0", "\u00fc" * 9])
def test_an_interface_without_an_address(tmp_path: Path, name: str) -> None:
    table = tmp_path / "if_inet6"
    table.write_text(IF_INET6)
    for path in table, tmp_path / "none":
        with pytest.raises(ContextWrong, match="interface"):
            address_of_interface(name, path)
