"""
The disc that Azure gives a machine at its first boot.
"""

from collections.abc import Iterator, Sequence
from typing import ClassVar, Final
from xml.parsers import expat

from attrs import frozen

from cvmpair_agent.disks.volumes import Volumes
from cvmpair_agent.userdata.base64 import decode_base64
from cvmpair_agent.userdata.files import Entry, gather
from cvmpair_agent.userdata.source import Kind, SourceUnusable, UserData

_ELEMENT: Final = "CustomData"


def read_ovf_env(place: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    """
    Yield the element ``CustomData`` of an OVF environment, in whatever namespace.

    :raises SourceUnusable: if it is not XML, has a document type or no base64.
    """
    text: list[str] = []
    inside = False

    def start(name: str, _: dict[str, str]) -> None:
        nonlocal inside
        inside = name.rpartition(" ")[2] == _ELEMENT

    def end(_: str) -> None:
        nonlocal inside
        inside = False

    def characters(piece: str) -> None:
        if inside:
            text.append(piece)

    def refuse(*_: object) -> None:
        # Entities are defined there, and may stand for one another many times over.
        raise ValueError("a document type")

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = characters
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(data, True)  # noqa: FBT003
        encoded = "".join(text).encode()
    except (expat.ExpatError, ValueError, LookupError):
        # LookupError: an encoding that nobody knows.
        raise SourceUnusable(f"{place}: is not plain XML") from None
    where = f"{place}: {_ELEMENT}"
    yield where, decode_base64(where, encoded)


@frozen(kw_only=True)
class AzureDisk:
    """
    The custom data: the bytes themselves first, then in the OVF environment.
    """

    volumes: Volumes

    name: ClassVar[str] = "azure-disk"
    kind: ClassVar[Kind] = Kind.DISK

    async def look(self) -> Sequence[UserData]:
        entries = [Entry("CustomData.bin"), Entry("ovf-env.xml", read_ovf_env)]
        return gather(self.name, self.volumes.find(), entries)
