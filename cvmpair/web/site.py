"""
All connections of the daemon: the log of what they asked, and their end.
"""

from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.web.http import Request
from twisted.web.resource import IResource
from twisted.web.server import Site

from cvmpair.core.descriptors import Descriptors
from cvmpair.core.pseudonym import Pseudonyms, new_pseudonym_key
from cvmpair.web.channel import PairingChannel
from cvmpair.web.guard import Guard
from cvmpair.web.lane import Lane, LaneChannel
from cvmpair.web.limits import RequestLimits
from cvmpair.web.request import PairingRequest
from cvmpair.web.request_log import RequestLog
from cvmpair.web.unsent import UnsentAnswers

IDLE_TIMEOUT: Final = 60.0
"""The seconds after which a connection without a request is closed."""

_METHODS: Final = frozenset(
    {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
)


class PairingSite(Site):
    """
    The factory of all connections.

    :ivar pseudonyms: the ids for the log; of a key of its own until the state,
        which has a lasting one, is loaded.
    """

    # HTTP/1.1 only: the limits are those of this channel.
    protocol: Any = PairingChannel
    requestFactory = PairingRequest
    noisy = False

    def __init__(
        self,
        resource: IResource,
        *,
        limits: RequestLimits,
        request_log: RequestLog,
        reactor: IReactorTime,
        guard: Guard | None = None,
        descriptors: Descriptors | None = None,
        unsent: UnsentAnswers | None = None,
        privileged: bool = False,
        lane: Lane | None = None,
    ) -> None:
        """
        :param guard: what limits clients, if anything does.
        :param descriptors: what limits connections, likewise.
        :param unsent: what limits answers that are not read.
        :param privileged: whether it answers when other sites can take nobody else.
        :param lane: the fast lane, if there is to be one.
        """
        super().__init__(
            resource,
            timeout=IDLE_TIMEOUT,
            reactor=reactor,
            parsePOSTFormSubmission=False,
        )
        self.limits = limits
        self.guard = guard or Guard(seconds=reactor.seconds)
        self.descriptors = descriptors or Descriptors()
        self.unsent = unsent or UnsentAnswers(clock=reactor)
        self.privileged = privileged
        self._request_log = request_log
        self.lane = lane
        if lane is not None:
            self.protocol = LaneChannel
        self.pseudonyms = Pseudonyms(new_pseudonym_key())
        self._channels: set[PairingChannel] = set()
        self._empty: list[Deferred[None]] = []

    def startFactory(self) -> None:
        """
        Do nothing: Twisted's access log, with its timer, is not used.
        """

    def stopFactory(self) -> None:
        """
        Do nothing, likewise.
        """

    def acceptableProtocols(self) -> list[bytes]:
        """
        Offer what :attr:`protocol` speaks.
        """
        return [b"http/1.1"]

    def log(self, request: Request) -> None:
        """
        Do nothing: :meth:`began` sees to the log.
        """

    def opened(self, channel: PairingChannel) -> None:
        """
        Take notice of a new connection.
        """
        self._channels.add(channel)

    def closed(self, channel: PairingChannel) -> None:
        """
        Take notice of the end of a connection.
        """
        self._channels.discard(channel)
        if not self._channels:
            empty, self._empty = self._empty, []
            for deferred in empty:
                deferred.callback(None)

    async def wind_up(self, patience: float) -> None:
        """
        Close all connections, each after the answer that it waits for.

        :param patience: the seconds after which the rest is cut off.
        """
        for channel in list(self._channels):
            channel.wind_up()
        if self._channels:
            empty: Deferred[None] = Deferred()
            self._empty.append(empty)
            cut = self.reactor.callLater(patience, self._cut)
            await empty
            if cut.active():
                cut.cancel()
        self._request_log.write()
        if self.lane is not None:
            self.lane.counts.write()

    def _cut(self) -> None:
        for channel in list(self._channels):
            channel.transport.abortConnection()

    def began(self, request: PairingRequest) -> None:
        """
        Take notice that a request has come whole.
        """
        request.begin(self.reactor.seconds(), self._ended)

    def refused(self, status: int) -> None:
        """
        Take notice that a request was refused before it had come whole.
        """
        self._request_log.add(status=status)

    def _ended(self, request: PairingRequest) -> None:
        method = request.method.decode("latin-1")
        self._request_log.add(
            method=method if method in _METHODS else "other",
            route=request.route,
            status=request.code if request.finished else "aborted",
            ms=(self.reactor.seconds() - request.received) * 1000,
            size=request.sentLength,
            cluster=self.pseudonyms.of(request.pin) if request.pin else "-",
        )
