"""
What those who run the daemon ask: whether it lives, whether it can save, its figures.

It has endpoints of its own, so that who may pair may not look inside.
"""

from collections.abc import Callable, Coroutine
from typing import Any, Final

from attrs import define
from klein import Klein, Response
from prometheus_client import CONTENT_TYPE_LATEST
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.defer import TimeoutError as TimedOut
from twisted.internet.interfaces import IReactorTime

from cvmpair.core.errors import StoreUnavailable
from cvmpair.web.metrics import Metrics
from cvmpair.web.problems import register_problems
from cvmpair.web.request import PairingRequest
from cvmpair.web.routing import answers

PATIENCE: Final = 5.0
"""The seconds after which a write that has not come to its end counts as failed."""

_TEXT: Final = "text/plain; charset=utf-8"


@define(eq=False, kw_only=True, slots=False)
class Admin:
    """
    The resources of the administration.

    :ivar probe: makes a durable write, or raises
        :class:`~cvmpair.core.errors.StoreUnavailable`.
    """

    app = Klein()
    register_problems(app)

    metrics: Metrics
    probe: Callable[[], Coroutine[Deferred[None], Any, None]]
    clock: IReactorTime

    @answers(app, "/livez", "GET")
    async def live(self, _request: PairingRequest) -> Response:
        """
        Say that the reactor turns; nothing else is looked at.
        """
        return _answer(b"alive\n", _TEXT)

    @answers(app, "/readyz", "GET")
    async def ready(self, _request: PairingRequest) -> Response:
        """
        Say whether a change could be saved now, by saving one.
        """
        probing = Deferred.fromCoroutine(self.probe())
        try:
            await probing.addTimeout(PATIENCE, self.clock)
        except (TimedOut, CancelledError):
            raise StoreUnavailable(PATIENCE) from None
        return _answer(b"ready\n", _TEXT)

    @answers(app, "/metrics", "GET")
    async def show(self, _request: PairingRequest) -> Response:
        """
        Show all figures.
        """
        return _answer(self.metrics.render(), CONTENT_TYPE_LATEST)


def _answer(body: bytes, media_type: str) -> Response:
    headers: dict[str | bytes, str | bytes] = {
        b"Content-Type": media_type.encode(),
        b"Content-Length": b"%d" % len(body),
        b"Cache-Control": b"no-store",
    }
    return Response(200, headers, body)
