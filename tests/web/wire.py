"""
A site and its client in one process, with the bytes of a connection between them.
"""

import http.client
import json
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Any
from xml.etree import ElementTree as ET

from attrs import define, field, frozen
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IAddress, IProtocol, ISSLTransport
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from zope.interface import implementer

from cvmpair.core.book import ClusterBook
from cvmpair.core.errors import StoreUnavailable
from cvmpair.core.model import Limits
from cvmpair.core.timeline import Timeline
from cvmpair.core.watchers import Watchers
from cvmpair.stores.memory import MemoryStore
from cvmpair.web.api import PairingAPI
from cvmpair.web.dispatch import Dispatch
from cvmpair.web.guard import UNLIMITED, Guard
from cvmpair.web.lane import Lane
from cvmpair.web.limits import ClientLimits, RequestLimits
from cvmpair.web.message import Dates
from cvmpair.web.outbox import Outbox
from cvmpair.web.page import Page
from cvmpair.web.request_log import RequestCounts, RequestLog
from cvmpair.web.root import Root
from cvmpair.web.site import PairingSite
from cvmpair.web.waiting import Waiting

EPOCH = 1_800_000_000.0
"""What the wall clock shows when the test's clock shows 0."""

SERVER = IPv4Address("TCP", "192.0.2.7", 8080)
CLIENT = IPv4Address("TCP", "192.0.2.8", 31337)


@define
class Disk:
    """
    A durability that does what the test says.

    :ivar flushed: what an answer is held for.
    """

    writable: bool = True
    flushed: Deferred[None] | None = None

    def check_writable(self) -> None:
        if not self.writable:
            raise StoreUnavailable(retry_after=30)

    def is_settled(self, _pin: str) -> bool:
        return self.flushed is None or self.flushed.called

    def when_settled(
        self, _pin: str, tell: Callable[[StoreUnavailable | None], None]
    ) -> None:
        if self.flushed is None:
            tell(None)
        else:
            self.flushed.addCallback(tell)

    async def settled(self, _pin: str) -> None:
        if self.flushed is not None:
            await self.flushed


class Ending(StringTransport):
    """
    A connection that ends when the server closes it.
    """

    protocol: IProtocol

    def loseConnection(self) -> None:
        super().loseConnection()
        self.protocol.connectionLost(Failure(ConnectionDone()))


@implementer(ISSLTransport)
class TLSTransport(Ending):
    """
    A connection that says it is encrypted.
    """

    def setTcpNoDelay(self, *_: object) -> None:
        pass


@frozen
class Answer:
    """
    What the site said.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """
        What the body says.
        """
        return json.loads(self.body)

    def by_id(self, name: str) -> ET.Element:
        """
        Return an element of the page.
        """
        found = self.document().find(f".//*[@id='{name}']")
        assert found is not None, name
        return found

    def text(self, name: str) -> str:
        """
        Return the text of an element of the page.
        """
        return "".join(self.by_id(name).itertext())

    def document(self) -> ET.Element:
        """
        Return the page, which is XML as well.
        """
        assert self.headers["Content-Type"] == "text/html; charset=utf-8"
        doctype, _, markup = self.body.partition(b"\n")
        assert doctype == b"<!DOCTYPE html>"
        return ET.fromstring(markup)


@define(eq=False)
class Wire:
    """
    A whole site over a real book.

    :ivar ticks: the clock of the counts in the log.
    """

    clock: Clock
    disk: Disk = field(factory=Disk)
    limits: Limits = field(factory=Limits)
    has_lane: bool = True
    require_protected: bool = False
    client_limits: ClientLimits = UNLIMITED
    ticks: Clock = field(init=False, factory=Clock)
    site: PairingSite = field(init=False)
    watchers: Watchers = field(init=False)
    guard: Guard = field(init=False)
    book: ClusterBook = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.book = ClusterBook(self.limits)
        store = MemoryStore(
            book=self.book,
            durability=self.disk,
            timeline=Timeline(self.clock.seconds, lambda: EPOCH + self.clock.seconds()),
            lifetime=86400.0,
            changed=self.changed,
        )
        self.guard = Guard(limits=self.client_limits, seconds=self.clock.seconds)
        self.watchers = Watchers(
            clock=self.clock, limit=20_000, shares=self.guard.waiters
        )
        waiting = Waiting(store=store, watchers=self.watchers, max_wait=300.0)
        api = PairingAPI(store, waiting, self.require_protected)
        page = Page(store, self.require_protected)
        root = Root(api=Dispatch(api.app), page=Dispatch(page.app))
        self.site = PairingSite(
            root,
            limits=RequestLimits(),
            request_log=RequestLog(lambda call: call()),
            reactor=self.clock,
            guard=self.guard,
            lane=self._lane(store, waiting) if self.has_lane else None,
        )

    def _lane(self, store: MemoryStore, waiting: Waiting) -> Lane:
        return Lane(
            store=store,
            waiting=waiting,
            guard=self.guard,
            outbox=Outbox(lambda call: call()),
            counts=RequestCounts(self.ticks),
            dates=Dates(self.clock.seconds),
        )

    def changed(self, pin: str) -> None:
        if self.disk.is_settled(pin):
            self.watchers.tell({pin: self.book.packed(pin)})

    def send(
        self, data: bytes, *, address: IAddress = SERVER, secure: bool = False
    ) -> StringTransport:
        """
        Send bytes on a new connection, which is closed as soon as they are answered.
        """
        kind = TLSTransport if secure else Ending
        transport = kind(hostAddress=address, peerAddress=CLIENT)
        channel = transport.protocol = self.site.buildProtocol(CLIENT)
        channel.makeConnection(transport)
        channel.dataReceived(data)
        if transport.value() and not transport.disconnecting:
            channel.connectionLost(Failure(ConnectionDone()))
        return transport

    def ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        *,
        address: IAddress = SERVER,
        secure: bool = False,
    ) -> Answer:
        """
        Send one request without a body, and return the answer.
        """
        fields = {"Host": "sesame.example:8080", "Content-Length": "0"} | dict(
            headers or {}
        )
        lines = [f"{method} {path} HTTP/1.1", *map(": ".join, fields.items()), "", ""]
        data = "\r\n".join(lines).encode("latin-1")
        sent = self.send(data, address=address, secure=secure).value()
        return read_answer(sent, method)


def read_answer(data: bytes, method: str = "GET") -> Answer:
    """
    Return the answer that bytes of a connection hold.
    """

    class Socket:
        def makefile(self, _mode: str) -> BytesIO:
            return BytesIO(data)

    response = http.client.HTTPResponse(Socket(), method=method)
    response.begin()
    return Answer(response.status, dict(response.getheaders()), response.read())
