"""
Endpoint strings of Twisted, and what only a look at the disk tells about them.
"""

from pathlib import Path
from typing import Any

from twisted.internet.endpoints import _parse, serverFromString
from twisted.internet.interfaces import IStreamServerEndpoint


def endpoint_of(reactor: Any, words: str) -> IStreamServerEndpoint:
    """
    Return the endpoint of these words.

    :param reactor: may be ``None`` if it shall not listen.
    :raises Exception: if they are none; of what kind depends on the endpoint.
    """
    endpoint: IStreamServerEndpoint = serverFromString(reactor, words)
    # That of "tls:" looks into its directory only when somebody connects.
    parse: Any = _parse
    (kind, *rest), named = parse(words)
    if kind == "tls":
        place = Path(named.get("path") or rest[0])
        if not place.is_dir():
            raise ValueError(f"{place} is no directory")
    return endpoint
