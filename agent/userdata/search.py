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
from cvmpair_agent.userdata.source import Source, SourceUnusable, UserData

NOTHING: Final = "no user data there"
"""The verdict on most sources of most machines."""


@frozen(kw_only=True)
class Looked:
    """
    What came of looking at one source.

    :ivar name: the name of the source.
    :ivar place: the path or URL of what it holds; empty if it holds nothing.
    :ivar verdict: in words for people.
    """

    name: str
    place: str
    verdict: str


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

    def doubts(self) -> list[str]:
        """
        Return a line for each source that had something to say, other than nothing.
        """
        return [
            f"{looked.name}: {looked.verdict}"
            + (f" ({looked.place})" if looked.place else "")
            for looked in self.looked
            if looked.verdict != NOTHING
        ]


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
            looked.append(Looked(name=source.name, place="", verdict=f"{error}"))
            continue
        if not held:
            looked.append(Looked(name=source.name, place="", verdict=NOTHING))
        for data in held:
            found, verdict = _judge(data)
            looked.append(Looked(name=data.source, place=data.place, verdict=verdict))
            if found:
                return Search(found=found, looked=tuple(looked))
    return Search(found=None, looked=tuple(looked))


def _judge(data: UserData) -> tuple[Found | None, str]:
    """
    Return the context that user data hold, and a verdict.

    :raises ContextWrong: if there is one that cannot be followed.
    """
    try:
        section = read_section(data.data)
    except ContextWrong as error:
        return None, f"cannot be read: {error}"
    if section is None:
        return None, "no ucernvm section in its user data"
    try:
        cluster = cluster_of(section)
    except ContextWrong as error:
        raise ContextWrong(f"{data.source}, {data.place}: {error}") from None
    if cluster is None:
        return None, "no PIN in its ucernvm section"
    return Found(data=data, section=section, cluster=cluster), "has a PIN"
