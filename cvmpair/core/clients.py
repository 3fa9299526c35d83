"""
Who counts as one client.
"""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final

Address = IPv4Address | IPv6Address

Client = str
"""An IPv4 address, or an IPv6 network of :data:`PREFIX` bits, as text."""

PREFIX: Final = 64
"""
How many bits of an IPv6 address tell clients apart.

That much a network gives to each of its links, and whoever is on one can take any
address of it (RFC 4291, section 2.5.4).
"""


def read_address(text: str) -> Address | None:
    """
    Return an address, or ``None`` if the text is none.

    An IPv4 address in the form of an IPv6 one is itself (RFC 4291, section 2.5.5.2);
    that is how a socket for both shows it. A zone is left out.
    """
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        return address.ipv4_mapped or address
    return address


def client_at(address: Address) -> Client:
    """
    Return the client that an address belongs to.
    """
    if isinstance(address, IPv4Address):
        return str(address)
    return str(IPv6Network((int(address) >> PREFIX << PREFIX, PREFIX)))
