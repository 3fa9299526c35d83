"""
The address that the master publishes as its own.
"""

from collections.abc import Awaitable, Callable
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any
from urllib.parse import urlsplit

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, connectProtocol
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure

from cvmpair.client.api import TIMEOUT
from cvmpair.client.errors import NoAnswer
from cvmpair.client.failures import no_answer
from cvmpair_agent.context.host import check_host
from cvmpair_agent.errors import ContextWrong
from cvmpair_agent.pairing.asking import Asking
from cvmpair_agent.pairing.interface import address_of_interface

PORTS = {"http": 80, "https": 443}


@frozen(kw_only=True)
class Wish:
    """
    Where the address is to come from, if not from the way to the service.

    :ivar address: an address or host name.
    :ivar interface: the name of a network interface.
    :ivar ask: gets it from elsewhere.
    """

    address: str | None = None
    interface: str | None = None
    ask: Callable[[], Awaitable[str]] | None = None


async def own_address(
    asking: Asking, reactor: Any, service_url: str, wish: Wish
) -> str:
    """
    Return the address under which the other machines of the cluster find this one.

    It is the one from which this machine reaches the service, unless there is a wish.

    :raises ContextWrong: if others could not use it.
    :raises AgentError: as :meth:`Asking.until` does.
    """
    if wish.address is not None:
        found = wish.address
    elif wish.interface is not None:
        found = address_of_interface(wish.interface)
    elif wish.ask is not None:
        found = await wish.ask()
    else:
        found = await asking.until(
            lambda: address_towards(reactor, service_url), "the service"
        )
    return check_own_address(found, loopback=is_on_loopback(service_url))


async def address_towards(reactor: Any, url: str) -> str:
    """
    Return the local address of a connection to that URL's host and port.

    :raises NoAnswer: if none comes about.
    """
    parts = urlsplit(url)
    port = parts.port or PORTS[parts.scheme]
    endpoint = HostnameEndpoint(reactor, parts.hostname or "", port, timeout=TIMEOUT)
    connecting: Deferred[Protocol] = connectProtocol(endpoint, Protocol())
    # Its own timeout begins only after the look-up of the name.
    connecting.addTimeout(TIMEOUT, reactor, _timed_out)
    try:
        connected: Any = await connecting
    except Exception as failed:
        raise no_answer(failed) from None
    address: str = connected.transport.getHost().host
    connected.transport.loseConnection()
    return address


def is_on_loopback(url: str) -> bool:
    """
    Say whether the host of a URL is this machine by its very name.
    """
    host = urlsplit(url).hostname or ""
    found = _parsed(host)
    return host == "localhost" if found is None else found.is_loopback


def check_own_address(text: str, *, loopback: bool) -> str:
    """
    Return an address or host name that others can use.

    :param loopback: whether all of the cluster is on this machine.

    :raises ContextWrong: if they could not.
    """
    found = _parsed(text.strip())
    try:
        host = check_host(text.partition("%")[0] if found else text)
    except ValueError as error:
        raise ContextWrong(f"The own address cannot be used. {error}") from None
    if found is None:
        return host
    if found.is_unspecified or found.is_multicast:
        raise ContextWrong(f"{host} is no address of a machine.")
    if isinstance(found, IPv6Address) and found.is_link_local:
        raise ContextWrong(
            f"{host} is a link-local address, which means another machine on every "
            "link. Name another with --address or --interface."
        )
    if found.is_loopback and not loopback:
        raise ContextWrong(
            f"{host} is a loopback address, where every machine finds itself. Name "
            "another with --address or --interface."
        )
    return host


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def _timed_out(_failed: Protocol | Failure, timeout: float) -> Protocol:
    raise NoAnswer(f"no connection came about within {timeout:g} s")
