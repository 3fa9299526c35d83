"""
The config drive of OpenStack, in all its layouts, and of StratusLab's cloud-init mode.
"""

import json
from collections.abc import Iterator, Sequence
from typing import ClassVar, Final

from attrs import frozen

from cvmpair_agent.disks.volumes import Volumes
from cvmpair_agent.files.root import Root
from cvmpair_agent.userdata.files import Directory, Entry, gather
from cvmpair_agent.userdata.source import Kind, SourceUnusable, UserData

LABEL: Final = "config-2"
SEEDS: Final = ("/var/lib/cloud/seed/config_drive", "/config-drive")
"""Directories that cloud-init takes for one."""


def read_meta_js(place: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    """
    Yield the user data of the first layout: the key ``user-data`` of a JSON object.

    :raises SourceUnusable: if it is none.
    """
    try:
        meta = json.loads(data)
        user_data = meta.get("user-data")
        if user_data is not None:
            yield f"{place}: user-data", user_data.encode()
    except (ValueError, AttributeError, RecursionError):
        # The text of these errors may hold what they are about.
        raise SourceUnusable(
            f"{place}: is not a JSON object with user-data as text"
        ) from None


ENTRIES: Final = (
    Entry("openstack/latest/user_data"),
    Entry("ec2/latest/user-data"),
    Entry("meta.js", read_meta_js),
)


@frozen(kw_only=True)
class ConfigDrive:
    """
    A disk with the label first, then any other, as not every cloud sets it.
    """

    root: Root
    volumes: Volumes

    name: ClassVar[str] = "config-drive"
    kind: ClassVar[Kind] = Kind.DISK

    async def look(self) -> Sequence[UserData]:
        seeds = [Directory(self.root, path) for path in SEEDS]
        return gather(self.name, [*seeds, *self.volumes.find(LABEL)], ENTRIES)
