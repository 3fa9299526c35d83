"""
An exchange with a metadata server, as its sources see it.

Nothing here knows how it is made, so that the sources can be loaded without Twisted.
"""

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Final, Protocol

from attrs import field, frozen

from cvmpair_agent.userdata.source import SourceUnusable

LINK_LOCAL: Final = "http://169.254.169.254"
"""The base address that nearly all clouds have for their metadata server."""

MAX_SECONDS: Final = 10.0
"""How long an exchange may take, from connecting to the last byte."""

NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})


@frozen(kw_only=True)
class Reply:
    """
    What a server answered.

    :ivar headers: by their names in lower case.
    :ivar body: secret.
    """

    status: int
    headers: Mapping[str, str] = NO_HEADERS
    body: bytes = field(default=b"", repr=False)


class Http(Protocol):
    """
    Whoever makes an exchange: by itself, with no proxy and no redirect.
    """

    async def fetch(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] = NO_HEADERS,
        seconds: float = MAX_SECONDS,
    ) -> Reply:
        """
        Return the answer, whatever its status.

        :param seconds: how long the whole exchange may take.
        :raises SourceUnusable: if no whole answer came, or one that is too large.
        """


def content(url: str, reply: Reply) -> bytes:
    """
    Return the user data that a reply holds; nothing if there is none.

    :raises SourceUnusable: if the reply is no metadata server's.
    """
    if reply.status == HTTPStatus.NOT_FOUND:
        return b""
    if reply.status != HTTPStatus.OK:
        raise SourceUnusable(f"{url}: answered with status {reply.status}")
    # amiconfig's instancedata.py knows captive portals by this as well.
    media_type = reply.headers.get("content-type", "").partition(";")[0]
    if media_type.strip().lower() == "text/html":
        raise SourceUnusable(f"{url}: answered with a web page, as captive portals do")
    return reply.body


async def get(http: Http, url: str, headers: Mapping[str, str] = NO_HEADERS) -> bytes:
    """
    Ask once and return the user data; nothing if there is none.

    :raises SourceUnusable: if there is no usable answer.
    """
    return content(url, await http.fetch(url, headers=headers))
