"""
How a metadata server is connected to: directly, whatever the environment says.
"""

from typing import Any

from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.endpoints import (
    HostnameEndpoint,
    TCP4ClientEndpoint,
    TCP6ClientEndpoint,
)
from twisted.internet.interfaces import IStreamClientEndpoint

from cvmpair_agent.userdata.address import Address


def endpoint(reactor: Any, address: Address, seconds: float) -> IStreamClientEndpoint:
    """
    Return the endpoint of a server.

    :param seconds: how long connecting may take.
    """
    host, port = address.host, address.port
    if isIPAddress(host):
        return TCP4ClientEndpoint(reactor, host, port, timeout=seconds)
    if isIPv6Address(host):
        return TCP6ClientEndpoint(reactor, host, port, timeout=seconds)
    # Only this one resolves names, for which it starts threads.
    return HostnameEndpoint(reactor, host.encode("ascii"), port, timeout=seconds)
