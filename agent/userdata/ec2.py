"""
The metadata server of EC2, and of OpenStack, which answers like it.
"""

from collections.abc import Sequence
from http import HTTPStatus
from typing import ClassVar, Final

from attrs import define

from cvmpair_agent.userdata.exchange import LINK_LOCAL, Http, Reply, content
from cvmpair_agent.userdata.source import Kind, SourceUnusable, UserData

LINK_LOCAL_IPV6: Final = "http://[fd00:ec2::254]"

_LIFETIME: Final = {"X-aws-ec2-metadata-token-ttl-seconds": "60"}


@define(eq=False)
class Ec2:
    """
    Version 2 of the service, with a token; version 1 where there are no tokens.

    :ivar base: the base address of the server.
    :ivar token_seconds: how long the server may take for a token. Its answer is lost
        where it would pass one router too many, as to a container.
    """

    http: Http
    base: str = LINK_LOCAL
    token_seconds: float = 2.0

    name: ClassVar[str] = "ec2"
    kind: ClassVar[Kind] = Kind.METADATA

    async def look(self) -> Sequence[UserData]:
        url = f"{self.base}/latest/user-data"
        data = await self.get(url)
        return [UserData(source=self.name, place=url, data=data)] if data else []

    async def get(self, url: str) -> bytes:
        """
        Return what the server has there; nothing if it has nothing.

        :raises SourceUnusable: if there is no usable answer.
        """
        reply = await self._ask(url)
        if reply.status == HTTPStatus.UNAUTHORIZED:
            # The token ran out, or was not handed out in time.
            reply = await self._ask(url)
        return content(url, reply)

    async def _ask(self, url: str) -> Reply:
        token = await self._token()
        headers = {"X-aws-ec2-metadata-token": token} if token else {}
        return await self.http.fetch(url, headers=headers)

    async def _token(self) -> str | None:
        """
        Return a new token; nothing if there is none to be had.
        """
        url = f"{self.base}/latest/api/token"
        try:
            reply = await self.http.fetch(
                url, method="PUT", headers=_LIFETIME, seconds=self.token_seconds
            )
            token = content(url, reply).decode("ascii")
        except (SourceUnusable, UnicodeDecodeError):
            return None
        # Whatever cannot be a header is no token.
        return token if token.isprintable() else None
