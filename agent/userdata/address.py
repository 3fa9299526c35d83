"""
The base address of a metadata server, and where it is to be connected to.
"""

import re
from typing import Final
from urllib.parse import urlsplit

from attrs import frozen

from cvmpair_agent.context.host import check_host
from cvmpair_agent.errors import ContextWrong

_LEGAL: Final = re.compile(r"http://(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]+)?")


@frozen
class Address:
    """
    Where a server listens.

    :ivar host: an IP address, without brackets, or a host name.
    """

    host: str
    port: int


def address_of(base: str) -> Address:
    """
    Return where the server of a base address, such as ``http://169.254.169.254``, is.

    :raises ContextWrong: if it is none; it has no user, no path and no TLS.
    """
    # What is no base address may hold anything, so it is not repeated.
    wrong = ContextWrong(
        "the address of a metadata server must look like http://HOST or "
        "http://HOST:PORT"
    )
    if not _LEGAL.fullmatch(base):
        raise wrong
    try:
        parts = urlsplit(base)
        host = check_host(parts.hostname or "")
        port = 80 if parts.port is None else parts.port
    except ValueError:
        raise wrong from None
    if port == 0:
        raise wrong
    return Address(host, port)
