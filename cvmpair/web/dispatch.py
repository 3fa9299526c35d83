"""
From a request to its handler, by the shortest way.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from klein import Klein, Response
from twisted.internet.defer import CancelledError
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET
from werkzeug.routing import Map

from cvmpair.web.request import PairingRequest

Route = tuple[re.Pattern[bytes], str]
"""The pattern of a path, with a group for each name in it, and an endpoint."""


def _routes_by_method(url_map: Map) -> Mapping[bytes, list[Route]]:
    routes: dict[bytes, list[Route]] = {}
    for rule in url_map.iter_rules():
        pattern = re.sub(r"<(\w+)>", r"(?P<\1>[^/]+)", rule.rule).encode()
        for method in rule.methods or ():
            route = (re.compile(pattern), rule.endpoint)
            routes.setdefault(method.encode(), []).append(route)
    return routes


class Dispatch(Resource):
    """
    Answers what matches a route of an application, and leaves the rest to Klein.

    Klein's own resource is made for paths and handlers of any kind. Ours have names
    for whole segments, and return a :class:`klein.Response` and nothing else.
    """

    isLeaf = True

    def __init__(self, app: Klein) -> None:
        super().__init__()
        self._app = app
        self._klein = app.resource()
        self._routes = _routes_by_method(app.url_map)

    def render(self, request: Any) -> int:
        """
        Have the request answered, now or later.
        """
        for pattern, endpoint in self._routes.get(request.method, ()):
            if found := pattern.fullmatch(request.path):
                names = {
                    name: text.decode("ascii")
                    for name, text in found.groupdict().items()
                }
                self._answer(request, endpoint, names)
                break
        else:
            # No such path, or no such method there.
            request.hand_to_klein(self._klein)
        return NOT_DONE_YET

    def _answer(
        self, request: PairingRequest, endpoint: str, names: Mapping[str, str]
    ) -> None:
        handle: Callable[..., Any] = self._app.execute_endpoint
        answer: Any = handle(endpoint, request, **names)
        if isinstance(answer, Response):
            request.respond(answer)
            return
        if not answer.called:
            request.notifyFinish().addErrback(lambda _: answer.cancel())
        answer.addCallback(request.respond)
        answer.addErrback(_failed, request)


def _failed(failure: Failure, request: PairingRequest) -> None:
    if not (request.gone and failure.check(CancelledError)):
        request.processingFailed(failure)
