"""
What all sources of user data have in common.
"""

from collections.abc import Sequence
from enum import Enum
from typing import Protocol

from attrs import field, frozen


class Kind(Enum):
    """
    The kinds of sources, by the words that ``--source-order`` has for them.
    """

    FILE = "file"
    CLOUD_INIT = "cloud-init"
    METADATA = "metadata"
    DISK = "disk"
    INJECTED = "injected"


@frozen(kw_only=True)
class UserData:
    """
    What a source holds.

    :ivar source: the name of the source.
    :ivar place: the path or URL it was read from, as is shown to people.
    :ivar data: the bytes as they were there, perhaps compressed or encoded. They
        are secret.
    """

    source: str
    place: str
    data: bytes = field(repr=False)


class SourceUnusable(Exception):
    """
    Something is there, but it cannot be read; the text says why.
    """


class DataUnreadable(SourceUnusable):
    """
    It is user data, or a file where this machine has such, and not a server or a disk
    that may have none.
    """


class Source(Protocol):
    """
    A place where a machine may have its user data.
    """

    @property
    def name(self) -> str:
        """
        The name of the source: lower case, with hyphens.
        """

    @property
    def kind(self) -> Kind:
        """
        What kind of source it is.
        """

    async def look(self) -> Sequence[UserData]:
        """
        Return what is there, the best first; nothing if the source is not there.

        Sources other than metadata servers never wait for anything, so that they
        can be read without a reactor.

        :raises SourceUnusable: if it is there and cannot be read.
        """
