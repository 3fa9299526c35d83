"""
Files that a cloud puts into the disk of the machine.
"""

from collections.abc import Sequence
from typing import ClassVar, Final

from attrs import frozen

from cvmpair_agent.files.root import Root
from cvmpair_agent.userdata.files import Directory, Entry, gather
from cvmpair_agent.userdata.source import Kind, UserData

PATHS: Final = (
    "/cernvm/extra-user-data",
    "/var/lib/cloud/seed/nocloud-net/user-data",
)
"""CernVM's own, and the one of Okeanos, by way of OpenStack's personality."""


@frozen(kw_only=True)
class Injected:
    """
    The least trusted source: each file has to be one that only root could write.

    :ivar paths: absolute paths on the machine, the best first.
    """

    root: Root
    paths: Sequence[str] = PATHS

    name: ClassVar[str] = "injected"
    kind: ClassVar[Kind] = Kind.INJECTED

    async def look(self) -> Sequence[UserData]:
        entries = [Entry(path) for path in self.paths]
        return gather(self.name, [Directory(self.root)], entries)
