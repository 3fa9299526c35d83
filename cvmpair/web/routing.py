"""
From a path and a method to a handler.
"""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from klein import Klein, Response

from cvmpair.core.errors import ClusterNotFound, PairingError
from cvmpair.core.names import is_pin
from cvmpair.web.errors import NotAcceptable, RequestError
from cvmpair.web.negotiation import accept_header, choose
from cvmpair.web.problems import problem
from cvmpair.web.request import PairingRequest

P = ParamSpec("P")
S = TypeVar("S")
Handler = Callable[Concatenate[S, PairingRequest, P], Awaitable[Response]]


def answers(
    app: Klein, path: str, method: str
) -> Callable[[Handler[S, P]], Handler[S, P]]:
    """
    Register a handler for one method of one resource.

    Its errors are answered right here: Klein would make a Failure of each first,
    and the 404 to a worker that came before its master is nothing exceptional.
    """

    def register(handler: Handler[S, P]) -> Handler[S, P]:
        @app.route(path, methods=[method])
        @wraps(handler)
        async def answer(self: S, request: PairingRequest, **names: Any) -> Response:
            request.route = path
            pin = names.get("pin")
            try:
                if pin is not None:
                    if not is_pin(pin):
                        raise ClusterNotFound
                    request.pin = pin
                return await handler(self, request, **names)
            except (PairingError, RequestError) as error:
                return problem(error, accept_header(request))

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
