"""
The names and addresses of machines, as they may be put into a context.
"""

import re
from ipaddress import ip_address
from typing import Final

MAX_NAME_LENGTH: Final = 253

_is_label = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?").fullmatch


def check_host(text: str) -> str:
    """
    Return an IPv4 or IPv6 address or a host name (RFC 1123, 2.1) without the white
    space around it.

    An IPv6 zone is refused: it means nothing on another machine, and may be any text.

    :raises ValueError: if it is none; the text does not say what it was.
    """
    host = text.strip()
    if not (_is_address(host) or _is_name(host)):
        raise ValueError("This is neither an IP address nor a host name.")
    return host


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return "%" not in host


def _is_name(host: str) -> bool:
    labels = host.split(".")
    return (
        len(host) <= MAX_NAME_LENGTH
        and all(map(_is_label, labels))
        # What ends in a number was meant as an address.
        and not labels[-1].isdecimal()
    )
