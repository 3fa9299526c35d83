"""
The metadata server of OpenStack, in OpenStack's own way.
"""

from collections.abc import Sequence
from typing import ClassVar

from attrs import define

from cvmpair_agent.userdata.exchange import LINK_LOCAL, Http, get
from cvmpair_agent.userdata.source import Kind, UserData


@define(eq=False)
class OpenStack:
    """
    The server decodes the user data itself, so they come as they were given.

    :ivar base: the base address of the server.
    """

    http: Http
    base: str = LINK_LOCAL

    name: ClassVar[str] = "openstack"
    kind: ClassVar[Kind] = Kind.METADATA

    async def look(self) -> Sequence[UserData]:
        url = f"{self.base}/openstack/latest/user_data"
        data = await get(self.http, url)
        return [UserData(source=self.name, place=url, data=data)] if data else []
