"""
GETs that may wait: ``Prefer: wait`` (RFC 7240, section 4.3).

What is there is answered at once. Otherwise the answer to a client that wants to
wait comes with the first durable state that makes it another one, when the time is
over, when the token that it takes is revoked or expires, or when the service stops;
whatever comes first. ``Preference-Applied`` tells
that it would have waited. ``Vary`` does not name ``Prefer``: the preference selects
no representation, and no answer may be cached.
"""

from collections.abc import Callable

from attrs import define, evolve, field
from klein import Response
from twisted.internet.defer import Deferred

from cvmpair.core.access import WITHOUT_TOKEN, Access
from cvmpair.core.errors import (
    ClusterGone,
    ClusterNotFound,
    KeyNotFound,
    PairingError,
    Stopping,
)
from cvmpair.core.packing import Packed
from cvmpair.core.watchers import Watchers
from cvmpair.stores.protocol import ClusterStore
from cvmpair.web.negotiation import accept_header
from cvmpair.web.preferences import wait_of
from cvmpair.web.reading import Reading
from cvmpair.web.request import PairingRequest


@define(eq=False)
class _Waiter:
    """
    One who waits on the way through Klein.

    :ivar news: fires with the news in a tuple, or with ``None`` if there were none
        in time.
    """

    news: Deferred[tuple[Packed | None] | None]

    def told(self, packed: Packed | None) -> None:
        self.news.callback((packed,))

    def timed_out(self) -> None:
        self.news.callback(None)

    def sent_away(self) -> None:
        self.news.errback(Stopping())


@define(eq=False, kw_only=True)
class Waiting:
    """
    Answers GETs, now or later.

    :ivar max_wait: the seconds that a client can wait at most.
    """

    store: ClusterStore
    watchers: Watchers
    max_wait: float
    _rendered: tuple[Reading, Packed, Response] | None = field(init=False, default=None)
    _refused: tuple[tuple[Reading, Packed | None, str], Response] | None = field(
        init=False, default=None
    )
    _applied: tuple[Response, int, Response] | None = field(init=False, default=None)

    def seconds(self, request: PairingRequest, reading: Reading) -> int:
        """
        Return how long a request is to wait at most, or 0 for an ordinary one.

        One with ``If-Match`` asks what is so now.
        """
        if reading.condition.match is not None:
            return 0
        return self.granted(wait_of(request))

    def granted(self, seconds: int) -> int:
        """
        Return how long a client may wait that would wait so long.
        """
        return min(seconds, int(self.max_wait))

    async def answer(
        self, request: PairingRequest, reading: Reading, access: Access
    ) -> Response:
        """
        Return the answer to a GET.

        :param access: what it shows of its rights, which have to be there not only
            when it begins to wait, but in the end too.

        :raises PairingError: for an answer that is a problem.
        """
        seconds = self.seconds(request, reading)
        if not seconds:
            pin = reading.question.pin
            return self._answer(reading, await self.store.read(pin, access))
        try:
            response = await self._waited(request, reading, access, seconds)
        except (ClusterGone, ClusterNotFound, KeyNotFound) as error:
            response = request.refusal(error)
        return applied(response, seconds)

    async def _waited(
        self, request: PairingRequest, reading: Reading, access: Access, seconds: int
    ) -> Response:
        question = reading.question
        packed = self.store.packed(question.pin)
        try:
            grant = self.store.check_access(packed, access)
        except PairingError:
            # Nobody who may not have the answer is kept waiting for it. The refusal
            # comes from here, once the state that calls for it is durable.
            await self.store.read(question.pin, access)
            raise
        if self.store.is_settled(question.pin) and question.is_news(packed):
            return self._answer(reading, packed)
        # In the same turn as the look above, so nothing can be missed. What is not
        # durable yet will be told of when it is.
        news: Deferred[tuple[Packed | None] | None] = Deferred(
            lambda _: self.watchers.leave(place)
        )
        place = self.watchers.wait(
            evolve(question, token=grant.token),
            min(seconds, grant.seconds),
            _Waiter(news),
            request.asker,
        )
        request.waits = True
        match await news:
            case None:
                return self._answer(
                    reading, await self.store.read(question.pin, access)
                )
            case (packed,):
                accept = accept_header(request)
                return self.answer_once(
                    reading, packed, accept, request.refusal, access
                )

    def answer_once(
        self,
        reading: Reading,
        packed: Packed | None,
        accept: str,
        refusal: Callable[[Exception], Response],
        access: Access = WITHOUT_TOKEN,
    ) -> Response:
        """
        Return the answer, which may be a refusal, to one of many who wait for the same.

        They are told one after the other, so it is made once; whether somebody may
        have it is asked for each.

        :param accept: the ``Accept`` header, which says how a refusal looks.
        :param refusal: makes one.
        """
        self.store.check_access(packed, access)
        last = self._rendered
        if last is not None and last[1] is packed and last[0] == reading:
            return last[2]
        asked = (reading, packed, accept)
        if self._refused is not None and self._refused[0] == asked:
            return self._refused[1]
        try:
            response = self._answer(reading, packed)
        except (ClusterGone, ClusterNotFound, KeyNotFound) as error:
            response = refusal(error)
            # That there is nothing counts as a guess for each.
            if packed is not None:
                self._refused = (asked, response)
        else:
            if packed is not None:
                self._rendered = (reading, packed, response)
        return response

    def applied_once(self, response: Response, seconds: int) -> Response:
        """
        Return what :func:`applied` does, likewise.
        """
        last = self._applied
        if last is not None and last[0] is response and last[1] == seconds:
            return last[2]
        result = applied(response, seconds)
        self._applied = (response, seconds, result)
        return result

    def _answer(self, reading: Reading, packed: Packed | None) -> Response:
        return reading.answer(self.store.live(packed))


def applied(response: Response, seconds: int) -> Response:
    """
    Add to an answer that its client could have waited for it, and how long.
    """
    headers = {**response.headers, b"Preference-Applied": b"wait=%d" % seconds}
    return Response(response.code, headers, response.body)
