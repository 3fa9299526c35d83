"""
For whom a proxy asks: ``X-Forwarded-For``, or ``Forwarded`` (RFC 7239).

Only the one that the operator has named is read. A proxy adds to the one it knows and
passes the other on as its client has made it up.

Each proxy adds to the end who asked it, and what stands before that is as true as
whoever sent it. So it is read from the end, and only as far as those who are trusted.
What cannot be read tells nothing: then it is not known for whom the proxy asks.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final

from twisted.web.http_headers import Headers

from cvmpair.core.clients import Address, read_address
from cvmpair.web.limits import HeaderName

_WORD: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
# A pair, and what follows it: the next pair of the same element, or the next element.
_PAIR: Final = re.compile(
    rf'[ \t]*({_WORD})=({_WORD}|"(?:[^"\\]|\\.)*+")[ \t]*([;,]|\Z)'
)
_ESCAPED: Final = re.compile(r"\\(.)")
# An address with a port behind it, or in brackets (RFC 7239, section 6).
_NODE: Final = re.compile(
    r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+))(?::(?:[0-9]{1,5}|_[A-Za-z0-9._-]+))?"
)


def asking_for(
    headers: Headers, name: HeaderName, trusted: Callable[[Address], bool]
) -> Address | None:
    """
    Return for whom a trusted proxy asks: the last address that is not itself trusted,
    or the first if all are.

    :param name: the header that tells.
    :return: ``None`` if it does not.
    """
    read = _read_forwarded if name == "forwarded" else _read_x_forwarded_for
    address = None
    for line in reversed(headers.getRawHeaders(name.encode(), ())):
        for node in reversed(read(line.decode("latin-1"))):
            address = _read_node(node)
            if address is None or not trusted(address):
                return address
    return address


def _read_x_forwarded_for(line: str) -> Sequence[str]:
    return [node.strip(" \t") for node in line.split(",")]


def _read_forwarded(line: str) -> Sequence[str]:
    """
    Return whom each element of a line names, or "" where it names nobody; of a line
    that is not well-formed, to the last byte, one "".

    If only the end had to be, a quote that is never closed could hide the rest.
    """
    nodes = []
    place, node = 0, ""
    while found := _PAIR.match(line, place):
        name, value, separator = found.groups()
        if name.lower() == "for":
            node = _ESCAPED.sub(r"\1", value[1:-1]) if value[0] == '"' else value
        if separator != ";":
            nodes.append(node)
            node = ""
        if not separator:
            return nodes
        place = found.end()
    return [""]


def _read_node(text: str) -> Address | None:
    found = _NODE.fullmatch(text)
    return read_address(found[1] or found[2] if found else text)
