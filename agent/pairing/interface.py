"""
The addresses of network interfaces, as Linux tells them.
"""

import fcntl
import socket
import struct
from ipaddress import IPv6Address
from pathlib import Path
from typing import Final

from cvmpair_agent.errors import ContextWrong

SIOCGIFADDR: Final = 0x8915
"""Asks for the IPv4 address of an interface (netdevice(7))."""

IFREQ: Final = struct.Struct("16s4x4s16x")
"""``struct ifreq``: the name, and of the address only its four bytes."""

MAX_NAME: Final = 15

IF_INET6: Final = Path("/proc/net/if_inet6")

GLOBAL_SCOPE: Final = 0x00

UNFIT: Final = 0x01 | 0x08 | 0x20 | 0x40
"""Temporary, found to be a duplicate, deprecated, not yet known to be unique
(``IFA_F_`` in linux/if_addr.h)."""


def address_of_interface(name: str, if_inet6: Path = IF_INET6) -> str:
    """
    Return the first IPv4 address of an interface, or else its first lasting global
    IPv6 address.

    :raises ContextWrong: if it has neither, or is not there.
    """
    found = _ipv4(name) or _ipv6(name, if_inet6)
    if found is None:
        raise ContextWrong(
            f"The network interface {name!r} is not there, or has no address that "
            "others could use; see `ip address` for those that have one."
        )
    return found


def _ipv4(name: str) -> str | None:
    encoded = name.encode(errors="replace")
    if not 0 < len(encoded) <= MAX_NAME or b"\0" in encoded:
        return None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        try:
            answer = fcntl.ioctl(asked, SIOCGIFADDR, IFREQ.pack(encoded, b""))
        except OSError:
            return None
    return socket.inet_ntoa(IFREQ.unpack(answer)[1])


def _ipv6(name: str, if_inet6: Path) -> str | None:
    try:
        lines = if_inet6.read_text().splitlines()
    except OSError:
        # A kernel without IPv6.
        return None
    for line in lines:
        address, _index, _prefix, scope, flags, device = line.split()
        fit = not int(flags, 16) & UNFIT and int(scope, 16) == GLOBAL_SCOPE
        if device == name and fit:
            return str(IPv6Address(bytes.fromhex(address)))
    return None
