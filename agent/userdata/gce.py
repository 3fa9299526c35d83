"""
The metadata server of Google Compute Engine: two attributes of the instance.
"""

from collections.abc import Sequence
from typing import ClassVar, Final

from attrs import define

from cvmpair_agent.userdata.base64 import decode_base64
from cvmpair_agent.userdata.exchange import LINK_LOCAL, Http, content
from cvmpair_agent.userdata.source import Kind, SourceUnusable, UserData

_ATTRIBUTES: Final = "/computeMetadata/v1/instance/attributes"
_FLAVOR: Final = {"Metadata-Flavor": "Google"}


async def _attribute(http: Http, url: str) -> bytes:
    """
    Return an attribute; nothing if the instance does not have it.

    :raises SourceUnusable: if there is no usable answer, or not from GCE.
    """
    reply = await http.fetch(url, headers=_FLAVOR)
    data = content(url, reply)
    if data and reply.headers.get("metadata-flavor") != "Google":
        raise SourceUnusable(f"{url}: answered without the header Metadata-Flavor")
    return data


@define(eq=False)
class Gce:
    """
    The attribute ``user-data``, which cloud-init reads too.

    It is base64 if ``user-data-encoding`` says so.

    :ivar base: the base address of the server.
    """

    http: Http
    base: str = LINK_LOCAL

    name: ClassVar[str] = "gce"
    kind: ClassVar[Kind] = Kind.METADATA

    async def look(self) -> Sequence[UserData]:
        url = f"{self.base}{_ATTRIBUTES}/user-data"
        data = await _attribute(self.http, url)
        if not data:
            return []
        encoding = await _attribute(self.http, f"{url}-encoding")
        if encoding.strip() == b"base64":
            data = decode_base64(url, data)
        return [UserData(source=self.name, place=url, data=data)]


@define(eq=False)
class GceCernVm:
    """
    The attribute ``cvm-user-data``, always base64, which amiconfig reads.

    :ivar base: the base address of the server.
    """

    http: Http
    base: str = LINK_LOCAL

    name: ClassVar[str] = "gce-cernvm"
    kind: ClassVar[Kind] = Kind.METADATA

    async def look(self) -> Sequence[UserData]:
        url = f"{self.base}{_ATTRIBUTES}/cvm-user-data"
        data = decode_base64(url, await _attribute(self.http, url))
        return [UserData(source=self.name, place=url, data=data)] if data else []
