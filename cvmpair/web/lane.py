"""
The fast lane: the request that nearly all traffic is, by the shortest way.

A GET of a key, waiting or not, or a POST of one, that came whole in one piece while
nothing else was pending on its connection is answered from here, without Klein, a
request object or a coroutine. All else goes the ordinary way, and finds the connection
as if there were no other. What the answer says is the same on both ways, and comes
from the same functions.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from attrs import define, field
from klein import Response
from twisted.internet import tcp, unix
from twisted.internet.defer import Deferred
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from cvmpair.core.errors import ClusterNotFound, PairingError, Stopping
from cvmpair.core.model import Key
from cvmpair.core.packing import Packed, is_protected
from cvmpair.core.watchers import Place, Question
from cvmpair.stores.protocol import ClusterStore
from cvmpair.web.api import CLUSTERS, KEY, KEYS
from cvmpair.web.bodies import read_body
from cvmpair.web.channel import PairingChannel
from cvmpair.web.errors import InternalError, RequestError
from cvmpair.web.fields import key_fields
from cvmpair.web.guard import Guard
from cvmpair.web.message import Dates, message
from cvmpair.web.outbox import Outbox
from cvmpair.web.problems import log_defect, problem
from cvmpair.web.reading import KeyReading, answer_key
from cvmpair.web.recognition import KeyRequest, recognise
from cvmpair.web.rendering import answer_new_key
from cvmpair.web.request_log import Kind, RequestCounts
from cvmpair.web.waiting import Waiting

_GET: Final[Kind] = ("GET", KEY)
_POST: Final[Kind] = ("POST", KEYS)


@define(eq=False, kw_only=True)
class Lane:
    """
    What the connections of a site share.
    """

    store: ClusterStore
    waiting: Waiting
    guard: Guard
    outbox: Outbox
    counts: RequestCounts
    dates: Dates
    _last: tuple[Response, bytes, bool, bytes] | None = field(init=False, default=None)

    def message(self, response: Response, *, closing: bool) -> bytes:
        """
        Return an answer as bytes; those who are told the same get the same.
        """
        date, last = self.dates.now(), self._last
        if last is not None and last[0] is response and last[1:3] == (date, closing):
            return last[3]
        data = message(response, date, closing=closing)
        self._last = (response, date, closing, data)
        return data


class LaneChannel(PairingChannel):
    """
    A connection with a fast lane; while a GET waits, also a
    :class:`~cvmpair.core.watchers.Waiter`.

    Its factory is a :class:`~cvmpair.web.site.PairingSite` with a :class:`Lane`.
    """

    site: Any
    # Whether the next byte begins a request.
    _between = True
    # The request of the lane whose answer is held.
    _held: KeyRequest | None = None
    _place: Place | None = None
    # Whether what is written goes to a socket as it is.
    _plain = False

    @property
    def waits(self) -> bool:
        return self._place is not None or super().waits

    def connectionMade(self) -> None:
        # Exactly these: what wraps a transport, as TLS does, may pass all that it does
        # not know on to what it wraps.
        self._plain = type(self.transport) in (tcp.Server, unix.Server)
        super().connectionMade()

    def write(self, data: bytes) -> None:
        if self._plain:
            # Also what goes the ordinary way is sent before anything else is read: a
            # client that closes his side right after a request still has the answer.
            self.site.lane.outbox.write(self.transport, data)
        else:
            super().write(data)

    def dataReceived(self, data: bytes) -> None:
        if not (
            self._between
            and not self._handlingRequest
            and not self._buffer
            and not self._refused
            and not self.paused
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
        if self._held is not None:
            # It is the client who waits.
            self.setTimeout(self.factory.timeOut)
        else:
            super().timeoutConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._held is not None:
            kind = _POST if self._held.name is None else _GET
            self.site.lane.counts.add(kind, "aborted")
            self._held = None
        if self._place is not None:
            self.site.lane.waiting.watchers.leave(self._place)
            self._place = None
        super().connectionLost(reason)

    def told(self, packed: Packed | None) -> None:
        """
        Answer with the news that were waited for.
        """
        self._conclude(lambda request: self._read(request, packed))

    def timed_out(self) -> None:
        """
        Answer with what is so now.
        """
        self._place = None
        if self._held is not None:
            state = Deferred.fromCoroutine(self.site.lane.store.read(self._held.pin))
            state.addCallbacks(self.told, self._failed)

    def sent_away(self) -> None:
        """
        Answer that the service stops.
        """
        self._conclude(partial(self._refusal, Stopping(), KEY))

    def _failed(self, failure: Failure) -> None:
        self._conclude(partial(self._refusal, failure.value, KEY))

    def _take(self, request: KeyRequest) -> bool:
        lane: Lane = self.site.lane
        exhausted = lane.guard.guesses.exhausted
        if exhausted and self.peer.client in exhausted:
            # What it may still ask for is known elsewhere.
            return False
        try:
            settled = lane.store.is_settled(request.pin)
            packed = lane.store.packed(request.pin)
        except Exception:
            # The ordinary way will meet it too, and knows what to do.
            return False
        if packed is not None and is_protected(packed):
            # It is not known here who may do what.
            return False
        if request.name is None:
            return self._post(request)
        return self._get(request, request.name, packed, settled=settled)

    def _get(
        self, request: KeyRequest, name: str, packed: Packed | None, *, settled: bool
    ) -> bool:
        waiting: Waiting = self.site.lane.waiting
        if seconds := request.fields.wait and waiting.granted(request.fields.wait):
            question = _reading(request, name).question
            if not settled or not question.is_news(packed):
                self._wait(request, question, seconds)
                return True
        elif not settled:
            return False
        self._begin(request)
        self._answer(_GET, self._read(request, packed))
        return True

    def _wait(self, request: KeyRequest, question: Question, seconds: int) -> None:
        watchers = self.site.lane.waiting.watchers
        client = self.peer.client if watchers.shares.limit else None
        self._begin(request)
        # In the same turn as the look before, so nothing can be missed.
        try:
            self._place = watchers.wait(question, seconds, self, client)
        except PairingError as error:
            self._answer(_GET, self._refusal(error, KEY, request))
        else:
            self._hold(request)
            self.setTimeout(None)

    def _read(self, request: KeyRequest, packed: Packed | None) -> Response:
        waiting: Waiting = self.site.lane.waiting
        fields, name = request.fields, request.name or ""
        try:
            if not fields.wait:
                live = waiting.store.live(packed)
                return answer_key(live, name, fields.media_type, fields.condition)
            response = waiting.answer_once(
                _reading(request, name),
                packed,
                fields.accept,
                lambda error: self._refusal(error, KEY, request),
            )
        except Exception as error:
            return self._refusal(error, KEY, request)
        seconds = waiting.granted(fields.wait)
        return waiting.applied_once(response, seconds) if seconds else response

    def _post(self, request: KeyRequest) -> bool:
        if request.fields.length > self.limits.body_size:
            return False
        store: ClusterStore = self.site.lane.store
        self._begin(request)
        self._hold(request)
        try:
            key = key_fields(read_body(request.fields.content_type, request.body))
            store.add_key_and_tell(request.pin, key["key"], key["value"], self._added)
        except Exception as error:
            self._conclude(partial(self._refusal, error, KEYS))
        return True

    def _added(self, outcome: Key | PairingError) -> None:
        if isinstance(outcome, Key):
            self._conclude(
                lambda request: answer_new_key(
                    outcome, f"{CLUSTERS}/{request.pin}/keys"
                )
            )
        else:
            self._conclude(partial(self._refusal, outcome, KEYS))

    def _refusal(
        self, error: BaseException | None, route: str, request: KeyRequest
    ) -> Response:
        if not isinstance(error, PairingError | RequestError):
            log_defect(Failure(error), route)
            error = InternalError()
        elif isinstance(error, ClusterNotFound):
            self.site.lane.guard.count_guess(self.peer.client, request.pin)
        return problem(error, request.fields.accept)

    def _begin(self, request: KeyRequest) -> None:
        self._arrived()
        if request.fields.closing:
            self.persistent = False
        elif self.timeOut is None:
            self.setTimeout(self.factory.timeOut)
        else:
            self.resetTimeout()

    def _hold(self, request: KeyRequest) -> None:
        # As Twisted does it while a request is being handled: what comes meanwhile is
        # kept, up to a limit, and taken up afterwards.
        self._held = request
        self._handlingRequest = True
        self.setRawMode()

    def _conclude(self, answer: Callable[[KeyRequest], Response]) -> None:
        request, self._held, self._place = self._held, None, None
        if request is None:
            return
        # Whoever calls has others to tell.
        try:
            self._answer(_POST if request.name is None else _GET, answer(request))
            if self.persistent:
                self._go_on()
        except Exception as error:
            log_defect(Failure(error), KEY)
            self.transport.abortConnection()

    def _go_on(self) -> None:
        self.setTimeout(self.factory.timeOut)
        self._handlingRequest = False
        if not self._waitingForTransport:
            self._networkProducer.resumeProducing()
        data = b"".join(self._dataBuffer)
        self._dataBuffer = []
        self.setLineMode(data)

    def _answer(self, kind: Kind, response: Response) -> None:
        lane: Lane = self.site.lane
        closing = not self.persistent
        data = lane.message(response, closing=closing)
        lane.counts.add(kind, response.code)
        self.write(data)
        if closing:
            # Nothing that still comes is a request.
            self._handlingRequest = True
            self.setRawMode()
            self.loseConnection()


def _reading(request: KeyRequest, name: str) -> KeyReading:
    fields = request.fields
    return KeyReading(
        pin=request.pin,
        name=name,
        media_type=fields.media_type,
        condition=fields.condition,
    )
