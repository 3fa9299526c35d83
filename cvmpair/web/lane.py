"""
The fast lane: the request that nearly all traffic is, by the shortest way.

A GET of a key, or a POST of one, that came whole in one piece while nothing else was
pending on its connection is answered from here, without Klein, a request object or
a coroutine. All else goes the ordinary way, and finds the connection as if there
were no other. What the answer says is the same on both ways, and comes from the
same functions.
"""

from functools import partial
from typing import Any, Final

from attrs import define
from klein import Response
from twisted.internet import tcp, unix
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from cvmpair.core.errors import PairingError
from cvmpair.core.model import Key
from cvmpair.stores.protocol import ClusterStore
from cvmpair.web.api import CLUSTERS, KEY, KEYS
from cvmpair.web.bodies import read_body
from cvmpair.web.channel import PairingChannel
from cvmpair.web.errors import InternalError, RequestError
from cvmpair.web.fields import key_fields
from cvmpair.web.message import Dates, message
from cvmpair.web.problems import log_defect, problem
from cvmpair.web.recognition import KeyRequest, recognise
from cvmpair.web.rendering import answer_key, answer_new_key
from cvmpair.web.request_log import Kind, RequestCounts

_GET: Final[Kind] = ("GET", KEY)
_POST: Final[Kind] = ("POST", KEYS)


@define(eq=False, kw_only=True)
class Lane:
    """
    What the connections of a site share.
    """

    store: ClusterStore
    counts: RequestCounts
    dates: Dates


class LaneChannel(PairingChannel):
    """
    A connection with a fast lane.

    Its factory is a :class:`~cvmpair.web.site.PairingSite` with a :class:`Lane`.
    """

    site: Any
    # Whether the next byte begins a request.
    _between = True
    # Whether an answer of the lane is held.
    _holding = False
    # Whether what is written goes to a socket as it is.
    _plain = False

    def connectionMade(self) -> None:
        # Exactly these: what wraps a transport, as TLS does, may pass all that it does
        # not know on to what it wraps.
        self._plain = type(self.transport) in (tcp.Server, unix.Server)
        super().connectionMade()

    def dataReceived(self, data: bytes) -> None:
        if not (
            self._between
            and not self._handlingRequest
            and not self._buffer
            and not self._refused
            and not self._busyReceiving
            and not self.transport.disconnecting
            and (request := recognise(data)) is not None
            and self._take(request)
        ):
            super().dataReceived(data)

    def lineReceived(self, line: bytes) -> None:
        self._between = False
        super().lineReceived(line)

    def allContentReceived(self) -> None:
        self._between = True
        super().allContentReceived()

    def timeoutConnection(self) -> None:
        if self._holding:
            # It is the client who waits.
            self.setTimeout(self.factory.timeOut)
        else:
            super().timeoutConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._holding:
            self._holding = False
            self.site.lane.counts.add(_POST, "aborted")
        super().connectionLost(reason)

    def _take(self, request: KeyRequest) -> bool:
        if request.name is not None:
            response = self._get(request, request.name)
            if response is None:
                return False
            self._begin(request)
            self._answer(_GET, response)
            return True
        if request.fields.length > self.limits.body_size:
            return False
        self._begin(request)
        self._hold()
        self._post(request)
        return True

    def _get(self, request: KeyRequest, name: str) -> Response | None:
        fields = request.fields
        try:
            key = self.site.lane.store.settled_key(request.pin, name)
            if key is None:
                return None
            return answer_key(key, fields.media_type, fields.condition)
        except Exception as error:
            return _refusal(error, request, KEY)

    def _post(self, request: KeyRequest) -> None:
        store: ClusterStore = self.site.lane.store
        try:
            key = key_fields(read_body(request.fields.content_type, request.body))
            tell = partial(self._tell, request)
            store.add_key_and_tell(request.pin, key["key"], key["value"], tell)
        except Exception as error:
            self._let_go(_refusal(error, request, KEYS))

    def _tell(self, request: KeyRequest, outcome: Key | PairingError) -> None:
        if not self._holding:
            return
        # Whoever calls has others to tell.
        try:
            if isinstance(outcome, Key):
                path = f"{CLUSTERS}/{request.pin}/keys"
                self._let_go(answer_new_key(outcome, path))
            else:
                self._let_go(problem(outcome, request.fields.accept))
        except Exception:
            log_defect(Failure(), KEYS)
            self.transport.abortConnection()

    def _begin(self, request: KeyRequest) -> None:
        self.resetTimeout()
        self._arrived()
        if request.fields.closing:
            self.persistent = False

    def _hold(self) -> None:
        # As Twisted does it while a request is being handled: what comes meanwhile is
        # kept, up to a limit, and taken up afterwards.
        self._holding = self._handlingRequest = True
        self.setRawMode()

    def _let_go(self, response: Response) -> None:
        self._holding = False
        self._answer(_POST, response)
        if self.persistent:
            self.resetTimeout()
            self._handlingRequest = False
            if not self._waitingForTransport:
                self._networkProducer.resumeProducing()
            data = b"".join(self._dataBuffer)
            self._dataBuffer = []
            self.setLineMode(data)

    def _answer(self, kind: Kind, response: Response) -> None:
        lane: Lane = self.site.lane
        closing = not self.persistent
        self._send(message(response, lane.dates.now(), closing=closing))
        lane.counts.add(kind, response.code)
        if closing:
            # Nothing that still comes is a request.
            self._handlingRequest = True
            self.setRawMode()
            self.loseConnection()

    def _send(self, data: bytes) -> None:
        transport = self.transport
        # Nearly always the kernel takes it all, here and now. To have the reactor do
        # it costs two more system calls and another turn.
        if self._plain and not (transport.dataBuffer or transport._tempDataBuffer):  # noqa: SLF001
            sent = transport.writeSomeData(data)
            # What is wrong will be met again by the reactor, which knows what to do.
            data = data[sent:] if isinstance(sent, int) else data
        if data:
            transport.write(data)


def _refusal(error: Exception, request: KeyRequest, route: str) -> Response:
    if not isinstance(error, PairingError | RequestError):
        log_defect(Failure(), route)
        error = InternalError()
    return problem(error, request.fields.accept)
