"""
NoCloud, cloud-init's source for machines without a cloud.
"""

from collections.abc import Sequence
from typing import ClassVar, Final

from attrs import frozen

from cvmpair_agent.disks.volumes import Volumes
from cvmpair_agent.files.root import Root
from cvmpair_agent.userdata.files import Directory, Entry, Tree, gather
from cvmpair_agent.userdata.source import Kind, UserData

LABEL: Final = "cidata"
SEED: Final = "/var/lib/cloud/seed/nocloud"
"""Of the image; what a cloud injects is in ``nocloud-net``, an injected file."""


@frozen(kw_only=True)
class NoCloud:
    """
    A disk with the label, or a directory of the image.

    Unlike cloud-init it takes ``user-data`` without ``meta-data``.
    """

    root: Root
    volumes: Volumes

    name: ClassVar[str] = "nocloud"
    kind: ClassVar[Kind] = Kind.DISK

    async def look(self) -> Sequence[UserData]:
        # The name of the file is too common to take it from just any disk.
        disks = [disk for disk in self.volumes.find(LABEL) if disk.has_label(LABEL)]
        trees: list[Tree] = [Directory(self.root, SEED), *disks]
        return gather(self.name, trees, [Entry("user-data")])
