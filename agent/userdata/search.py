"""
The search for the context of a machine, source by source.
"""

from collections.abc import Iterable
from typing import Final

from attrs import frozen

from cvmpair_agent.context.cluster import ClusterContext, cluster_of
from cvmpair_agent.context.grammar import Section
from cvmpair_agent.context.reading import read_section
from cvmpair_agent.errors import ContextWrong
from cvmpair_agent.userdata.source import (
    DataUnreadable,
    Kind,
    Source,
    SourceUnusable,
    UserData,
)

NOTHING: Final = "no user data there"
"""The verdict on most sources of most machines."""


@frozen(kw_only=True)
class Looked:
    """
    What came of looking at one source.

    :ivar name: the name of the source.
    :ivar place: the path or URL of what it holds; empty if it holds nothing.
    :ivar verdict: in words for people.
    :ivar asked: whether it could be looked at at all.
    :ivar unreadable: whether there are user data that could not be read.
    """

    name: str
    kind: Kind
    place: str
    verdict: str
    asked: bool = True
    unreadable: bool = False


@frozen(kw_only=True)
class Found:
    """
    The context, and where it was.
    """

    data: UserData
    section: Section
    cluster: ClusterContext


@frozen(kw_only=True)
class Search:
    """
    What came of the search.

    :ivar found: nothing if no source has a context with a PIN.
    :ivar looked: up to the source that has it.
    """

    found: Found | None
    looked: tuple[Looked, ...]

    def unreadable(self) -> list[Looked]:
        """
        Return the sources with user data that could not be read.
        """
        return [looked for looked in self.looked if looked.unreadable]

    def unasked(self, kind: Kind) -> list[Looked]:
        """
        Return the sources of a kind if none of them could be looked at.
        """
        of_kind = [looked for looked in self.looked if looked.kind is kind]
        return [] if any(looked.asked for looked in of_kind) else of_kind


def doubts(sources: Iterable[Looked]) -> list[str]:
    """
    Return a line for each verdict that says something, other than nothing.
    """
    names: dict[str, list[str]] = {}
    for looked in sources:
        if looked.verdict != NOTHING:
            place = f" ({looked.place})" if looked.place else ""
            names.setdefault(f"{looked.verdict}{place}", []).append(looked.name)
    return [f"{', '.join(said)}: {verdict}" for verdict, said in names.items()]


async def search(sources: Iterable[Source]) -> Search:
    """
    Ask the sources one after the other until one holds a PIN.

    An empty answer, or one that says something else, does not end the search; that was
    a fault of cernvm-micro's 06context.

    :raises ContextWrong: if a section has a PIN and cannot be followed all the same.
        What is in the sources after it must not hide that.
    """
    looked: list[Looked] = []
    for source in sources:
        try:
            held = await source.look()
        except SourceUnusable as error:
            looked.append(
                Looked(
                    name=source.name,
                    kind=source.kind,
                    place="",
                    verdict=f"{error}",
                    asked=False,
                    unreadable=isinstance(error, DataUnreadable),
                )
            )
            continue
        if not held:
            looked.append(
                Looked(name=source.name, kind=source.kind, place="", verdict=NOTHING)
            )
        for data in held:
            found, verdict, unreadable = _judge(data)
            looked.append(
                Looked(
                    name=data.source,
                    kind=source.kind,
                    place=data.place,
                    verdict=verdict,
                    unreadable=unreadable,
                )
            )
            if found:
                return Search(found=found, looked=tuple(looked))
    return Search(found=None, looked=tuple(looked))


def _judge(data: UserData) -> tuple[Found | None, str, bool]:
    """
    Return the context that user data hold, a verdict, and whether they are unreadable.

    :raises ContextWrong: if there is one that cannot be followed.
    """
    try:
        section = read_section(data.data)
    except ContextWrong as error:
        return None, f"cannot be read: {error}", True
    if section is None:
        return None, "no ucernvm section in its user data", False
    try:
        cluster = cluster_of(section)
    except ContextWrong as error:
        raise ContextWrong(f"{data.source}, {data.place}: {error}") from None
    if cluster is None:
        return None, "no PIN in its ucernvm section", False
    return Found(data=data, section=section, cluster=cluster), "has a PIN", False
