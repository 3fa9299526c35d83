"""
From a path and a method to a handler.
"""

from collections.abc import Awaitable, Callable
from functools import partial, wraps
from typing import Any, Protocol, TypeVar

from klein import Klein, Response
from twisted.internet.defer import Deferred

from cvmpair.core.errors import ClusterNotFound, PairingError
from cvmpair.core.names import is_pin
from cvmpair.web.coroutines import run
from cvmpair.web.errors import NotAcceptable, RequestError
from cvmpair.web.negotiation import accept_header, choose
from cvmpair.web.request import PairingRequest
from cvmpair.web.security import refuse_cross_site

H = TypeVar("H", bound=Callable[..., Awaitable[Response]])


class Handlers(Protocol):
    """
    What has handlers of paths with a PIN.
    """

    def is_proven(self, request: PairingRequest, pin: str) -> bool:
        """
        Say whether a request proves that its client has not guessed the PIN.
        """


def answers(app: Klein, path: str, method: str) -> Callable[[H], H]:
    """
    Register a handler for one method of one resource.

    Its errors are answered right here: Klein would make a Failure of each first,
    and the 404 to a worker that came before its master is nothing exceptional.
    """

    def register(handler: H) -> H:
        async def attempt(
            self: Handlers, request: PairingRequest, **names: str
        ) -> Response:
            request.route = path
            pin = names.get("pin")
            try:
                refuse_cross_site(request, names_pin=pin is not None)
                if pin is not None:
                    if not is_pin(pin):
                        raise ClusterNotFound
                    request.pin = pin
                    request.guard.check_guess(
                        request.asker, pin, partial(self.is_proven, request, pin)
                    )
                return await handler(self, request, **names)
            except (PairingError, RequestError) as error:
                return request.refusal(error)

        @wraps(handler)
        def answer(
            self: Handlers, request: PairingRequest, **names: str
        ) -> Response | Deferred[Response]:
            return run(attempt(self, request, **names))

        route: Callable[[Any], Any] = app.route(path, methods=[method])
        route(answer)
        return handler

    return register


def accepted(request: PairingRequest, *offers: str) -> str:
    """
    Return the media type for a success, before anything is done for it.

    :raises NotAcceptable: if the client takes none of the offers.
    """
    media_type = choose(accept_header(request), *offers)
    if media_type is None:
        raise NotAcceptable(offers)
    return media_type
