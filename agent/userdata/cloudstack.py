"""
The metadata server of CloudStack: the machine's DHCP server.
"""

from collections.abc import Sequence
from typing import ClassVar

from attrs import define

from cvmpair_agent.userdata.exchange import Http, get
from cvmpair_agent.userdata.source import Kind, UserData


@define(eq=False)
class CloudStack:
    """
    The virtual router of a network, which hands out addresses as well.

    :ivar base: the base address of the server; there is no well-known one, see
        :func:`cvmpair_agent.userdata.leases.dhcp_servers`.
    """

    http: Http
    base: str

    name: ClassVar[str] = "cloudstack"
    kind: ClassVar[Kind] = Kind.METADATA

    async def look(self) -> Sequence[UserData]:
        url = f"{self.base}/latest/user-data"
        data = await get(self.http, url)
        return [UserData(source=self.name, place=url, data=data)] if data else []
