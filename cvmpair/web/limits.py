"""
What a request may take, and what a client may.
"""

from ipaddress import IPv4Network, IPv6Network
from typing import Final, Literal, get_args

from attrs import field, frozen
from attrs.validators import ge, gt

Network = IPv4Network | IPv6Network

HeaderName = Literal["x-forwarded-for", "forwarded"]

HEADER_NAMES: Final[tuple[HeaderName, ...]] = get_args(HeaderName)
"""Where a proxy can say for whom it asks."""


@frozen(kw_only=True)
class RequestLimits:
    """
    The limits that hold while a request arrives.

    :ivar body_size: in bytes.
    :ivar header_timeout: from the first byte of a request to the end of its
        headers, in seconds.
    :ivar body_timeout: from there to the end of its body, in seconds.
    """

    body_size: int = field(default=64 * 1024, validator=gt(0))
    header_timeout: float = field(default=10.0, validator=gt(0))
    body_timeout: float = field(default=10.0, validator=gt(0))


@frozen(kw_only=True)
class ClientLimits:
    """
    The limits that hold for each client, an IPv4 address or an IPv6 /64; 0 is none.

    :ivar guesses: how many different PINs that never were it may ask for in a minute.
    :ivar creations: how many clusters it may create in a minute.
    :ivar connections: how many connections it may have at the same time.
    :ivar waiters: how many of its requests may wait at the same time.
    :ivar trusted_proxies: the peers that are believed when they say who asks.
    :ivar forwarded_header: in which header they say it.
    """

    guesses: int = field(default=20, validator=ge(0))
    creations: int = field(default=60, validator=ge(0))
    connections: int = field(default=0, validator=ge(0))
    waiters: int = field(default=0, validator=ge(0))
    trusted_proxies: tuple[Network, ...] = ()
    forwarded_header: HeaderName = "x-forwarded-for"
