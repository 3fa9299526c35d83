"""
From a request to its handler, by the shortest way.
"""

from collections.abc import Callable
from typing import Any

from klein import Klein, Response
from twisted.internet.defer import CancelledError
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET
from werkzeug.exceptions import HTTPException

from cvmpair.web.request import PairingRequest


class Dispatch(Resource):
    """
    Answers what matches a route of an application, and leaves the rest to Klein.

    Klein's own resource is made for handlers of any kind. Ours return a
    :class:`klein.Response` and nothing else, which takes half of the work.
    """

    isLeaf = True

    def __init__(self, app: Klein) -> None:
        super().__init__()
        self._app = app
        self._klein = app.resource()
        # Which host a request is for makes no difference.
        self._routes = app.url_map.bind("localhost")

    def render(self, request: Any) -> int:
        """
        Have the request answered, now or later.
        """
        path, method = request.path.decode("ascii"), request.method.decode("ascii")
        try:
            endpoint, names = self._routes.match(path, method)
        except HTTPException:
            # No such path, or no such method there.
            request.hand_to_klein(self._klein)
            return NOT_DONE_YET
        handle: Callable[..., Any] = self._app.execute_endpoint
        answer: Any = handle(endpoint, request, **names)
        if isinstance(answer, Response):
            request.respond(answer)
            return NOT_DONE_YET
        if not answer.called:
            request.notifyFinish().addErrback(lambda _: answer.cancel())
        answer.addCallback(request.respond)
        answer.addErrback(_failed, request)
        return NOT_DONE_YET


def _failed(failure: Failure, request: PairingRequest) -> None:
    if not (request.gone and failure.check(CancelledError)):
        request.processingFailed(failure)
