"""
Which metadata servers are asked: those that answer a probe.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol

from attrs import define, field

from cvmpair_agent.userdata.address import Address, address_of
from cvmpair_agent.userdata.source import Kind, Source, SourceUnusable, UserData


class Probe(Protocol):
    """
    Whoever finds out where servers are.
    """

    async def answering(self, addresses: Iterable[Address]) -> frozenset[Address]:
        """
        Return those of the addresses where a server listens, in a short time.
        """


class MetadataSource(Source, Protocol):
    """
    A source that asks one server.
    """

    @property
    def base(self) -> str:
        """
        The base address of the server.
        """


@define(eq=False)
class Servers:
    """
    The servers of some sources: all are probed when the first source is asked.
    """

    _probe: Probe
    _addresses: set[Address] = field(factory=set)
    _answering: frozenset[Address] | None = None

    def probed(self, source: MetadataSource, *, named: bool = False) -> Source:
        """
        Return the source such that it is only asked if its server is there.

        :param named: whether somebody has named it, so that it has to be there.

        :raises ContextWrong: if its base address is none.
        """
        address = address_of(source.base)
        self._addresses.add(address)
        return ProbedSource(source, self, address, named)

    async def answers(self, address: Address) -> bool:
        """
        Say whether a server listens there.
        """
        if self._answering is None:
            self._answering = await self._probe.answering(self._addresses)
        return address in self._answering


@define(eq=False)
class ProbedSource:
    """
    A source whose server keeps nobody waiting by not being there.
    """

    _source: MetadataSource
    _servers: Servers
    _address: Address
    _named: bool

    @property
    def name(self) -> str:
        return self._source.name

    @property
    def kind(self) -> Kind:
        return self._source.kind

    async def look(self) -> Sequence[UserData]:
        if not await self._servers.answers(self._address):
            if self._named:
                raise SourceUnusable(f"{self._source.base}: cannot be reached")
            return []
        return await self._source.look()
