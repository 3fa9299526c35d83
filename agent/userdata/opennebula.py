"""
The context disk of OpenNebula, and those of StratusLab and HEPiX, which are alike.
"""

from collections.abc import Iterator, Sequence
from typing import ClassVar, Final

from attrs import frozen

from cvmpair_agent.disks.volumes import Volumes
from cvmpair_agent.userdata.base64 import decode_base64
from cvmpair_agent.userdata.context_sh import read_variables
from cvmpair_agent.userdata.files import Entry, gather
from cvmpair_agent.userdata.source import Kind, SourceUnusable, UserData

LABELS: Final = ("CONTEXT", "CDROM", "_STRATUSLAB")
"""OpenNebula's new and old label, and StratusLab's; HEPiX has none."""

VARIABLES: Final = ("EC2_USER_DATA", "USER_DATA", "USERDATA", "CLOUD_INIT_USER_DATA")
"""CernVM's, OpenNebula's new and old one, and StratusLab's."""

ENCODINGS: Final = ("USERDATA_ENCODING", "USER_DATA_ENCODING")
"""These say ``base64`` of OpenNebula's own two; the others are seen to be encoded."""


def read_context_sh(place: str, script: bytes) -> Iterator[tuple[str, bytes]]:
    """
    Yield the user data that a ``context.sh`` has, without running it.

    :raises SourceUnusable: if it cannot be parsed, or is not encoded as it says.
    """
    try:
        variables = read_variables(script)
    except ValueError as error:
        raise SourceUnusable(f"{place}: {error}") from None
    encoded = any(variables.get(name, b"").lower() == b"base64" for name in ENCODINGS)
    for name in VARIABLES:
        value = variables.get(name, b"")
        where = f"{place}: {name}"
        if encoded and name in {"USER_DATA", "USERDATA"}:
            value = decode_base64(where, value)
        yield where, value


@frozen(kw_only=True)
class OpenNebula:
    """
    A disk with ``context.sh``: one with a known label first, then any other.
    """

    volumes: Volumes

    name: ClassVar[str] = "opennebula"
    kind: ClassVar[Kind] = Kind.DISK

    async def look(self) -> Sequence[UserData]:
        entries = [Entry("context.sh", read_context_sh)]
        return gather(self.name, self.volumes.find(*LABELS), entries)
