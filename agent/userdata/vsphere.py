"""
The disc that CernVM's images look for on vSphere.
"""

from collections.abc import Sequence
from typing import ClassVar

from attrs import frozen

from cvmpair_agent.disks.volumes import Volumes
from cvmpair_agent.userdata.files import Entry, gather
from cvmpair_agent.userdata.source import Kind, UserData


@frozen(kw_only=True)
class VSphere:
    """
    A disk with ``user-data.txt``.
    """

    volumes: Volumes

    name: ClassVar[str] = "vsphere"
    kind: ClassVar[Kind] = Kind.DISK

    async def look(self) -> Sequence[UserData]:
        return gather(self.name, self.volumes.find(), [Entry("user-data.txt")])
