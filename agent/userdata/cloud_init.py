"""
The copy of the user data that cloud-init keeps.
"""

from collections.abc import Sequence
from typing import ClassVar, Final

from attrs import frozen

from cvmpair_agent.files.root import Root
from cvmpair_agent.userdata.files import Directory, Entry, gather
from cvmpair_agent.userdata.source import Kind, UserData

INSTANCE: Final = "/var/lib/cloud/instance"
"""A link to the directory of the instance that runs; only root may look into it."""


@frozen(kw_only=True)
class CloudInit:
    """
    First the user data as they came, then with what they include, as one MIME text.
    """

    root: Root

    name: ClassVar[str] = "cloud-init"
    kind: ClassVar[Kind] = Kind.CLOUD_INIT

    async def look(self) -> Sequence[UserData]:
        trees = [Directory(self.root, INSTANCE)]
        entries = [Entry("user-data.txt"), Entry("user-data.txt.i")]
        return gather(self.name, trees, entries)
