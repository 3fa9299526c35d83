"""
The metadata server of Azure: one JSON document that has the user data in base64.
"""

import json
from collections.abc import Sequence
from typing import ClassVar, Final

from attrs import define

from cvmpair_agent.userdata.base64 import decode_base64
from cvmpair_agent.userdata.exchange import LINK_LOCAL, Http, get
from cvmpair_agent.userdata.source import Kind, SourceUnusable, UserData

_INSTANCE: Final = "/metadata/instance?api-version=2021-08-01&extended=true"


@define(eq=False)
class Azure:
    """
    The property ``compute.userData`` of the instance.

    What Azure calls custom data is not there, but on a disk.

    :ivar base: the base address of the server.
    """

    http: Http
    base: str = LINK_LOCAL

    name: ClassVar[str] = "azure"
    kind: ClassVar[Kind] = Kind.METADATA

    async def look(self) -> Sequence[UserData]:
        url = f"{self.base}{_INSTANCE}"
        document = await get(self.http, url, {"Metadata": "true"})
        if not document:
            return []
        data = decode_base64(url, _user_data(url, document))
        return [UserData(source=self.name, place=url, data=data)] if data else []


def _user_data(url: str, document: bytes) -> bytes:
    try:
        instance = json.loads(document)
        text: str = instance["compute"].get("userData") or ""
        return text.encode("ascii")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        # What is wrong with it would show what is in it.
        raise SourceUnusable(f"{url}: is not the JSON that Azure answers") from None
