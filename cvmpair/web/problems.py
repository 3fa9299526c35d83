"""
Errors as answers: the one table of what each means in HTTP (RFC 9457).
"""

import json
from collections.abc import Callable
from math import ceil
from typing import Any, Final

from attrs import frozen
from klein import Klein, Response
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.iweb import IRequest
from werkzeug import exceptions as routing

from cvmpair.core import errors as domain
from cvmpair.web import errors as http
from cvmpair.web.negotiation import JSON, PROBLEM, TEXT, accept_header, choose

_log = Logger()


@frozen
class ProblemType:
    """
    What an error is in HTTP.

    :ivar name: the fragment of its ``type``, which points into the page
        ``/problems``.
    """

    status: int
    name: str
    title: str


PROBLEM_TYPES: Final[dict[type[Exception], ProblemType]] = {
    http.BadRequest: ProblemType(400, "bad-request", "The request cannot be read"),
    domain.InvalidFields: ProblemType(400, "invalid-fields", "Some fields are wrong"),
    http.NoSuchResource: ProblemType(404, "no-such-resource", "No such resource"),
    domain.ClusterNotFound: ProblemType(404, "no-such-cluster", "No such cluster"),
    domain.KeyNotFound: ProblemType(404, "no-such-key", "No such key"),
    http.MethodNotAllowed: ProblemType(405, "method-not-allowed", "Method not allowed"),
    http.NotAcceptable: ProblemType(406, "not-acceptable", "No acceptable media type"),
    http.RequestTimeout: ProblemType(408, "request-timeout", "The request is too slow"),
    domain.KeyExists: ProblemType(409, "key-exists", "The key exists already"),
    domain.ConditionFailed: ProblemType(
        412, "condition-failed", "The resource has changed"
    ),
    http.ContentTooLarge: ProblemType(413, "body-too-large", "The body is too large"),
    http.UnsupportedMediaType: ProblemType(
        415, "unsupported-media-type", "The body has another media type"
    ),
    http.HeadersTooLarge: ProblemType(
        431, "headers-too-large", "The header section is too large"
    ),
    http.InternalError: ProblemType(500, "internal-error", "Internal error"),
    domain.StoreUnavailable: ProblemType(
        503, "read-only", "Changes cannot be saved at the moment"
    ),
    domain.TooManyKeys: ProblemType(507, "too-many-keys", "The cluster is full"),
    domain.TooManyClusters: ProblemType(
        507, "too-many-clusters", "The service is full"
    ),
}


def problem(error: Exception, accept: str) -> Response:
    """
    Return the answer for an error.

    :param error: one of those in :data:`PROBLEM_TYPES`.
    :param accept: the ``Accept`` header of the request.
    """
    kind = PROBLEM_TYPES[type(error)]
    fields = error.errors if isinstance(error, domain.InvalidFields) else {}
    if choose(accept, PROBLEM, JSON, TEXT) == TEXT:
        media_type = f"{TEXT}; charset=utf-8"
        reasons = [f"{name}: {' '.join(texts)}" for name, texts in fields.items()]
        text = " ".join([str(error), *reasons]) + "\n"
    else:
        media_type = PROBLEM
        members: dict[str, object] = {
            "type": f"/problems#{kind.name}",
            "title": kind.title,
            "status": kind.status,
            "detail": str(error),
        }
        if fields:
            members["errors"] = fields
        if isinstance(error, domain.TooManyKeys | domain.TooManyClusters):
            members["limit"] = error.limit
        text = json.dumps(members)
    body = text.encode()
    headers: dict[str | bytes, str | bytes] = {
        b"Content-Type": media_type.encode(),
        b"Content-Length": b"%d" % len(body),
        b"Vary": b"Accept",
    }
    if isinstance(error, domain.StoreUnavailable | domain.TooManyClusters):
        headers[b"Retry-After"] = b"%d" % ceil(error.retry_after)
    if isinstance(error, http.MethodNotAllowed):
        headers[b"Allow"] = ", ".join(error.allowed).encode()
    return Response(kind.status, headers, body)


def log_defect(failure: Failure, route: str) -> None:
    """
    Log an unexpected error: where it came from, but not its text, which may
    quote what the client sent.
    """
    frames = ", ".join(
        f"{filename.rpartition('/')[2]}:{line} in {function}"
        for function, filename, line, *_ in failure.frames
    )
    _log.critical(
        "defect error={error_type} route={route} at={frames}",
        error_type=failure.type.__name__ if failure.type else "unknown",
        route=route,
        frames=frames,
    )


def register_problems(app: Klein) -> None:
    """
    Have an application answer all that its handlers do not with a problem.
    """

    # The first argument is the instance that the application is bound to.
    def answer(_: object, request: IRequest, failure: Failure) -> Response:
        error = failure.value
        if isinstance(error, routing.NotFound):
            return problem(http.NoSuchResource(), accept_header(request))
        if isinstance(error, routing.MethodNotAllowed):
            allowed = sorted({*(error.valid_methods or ()), "OPTIONS"})
            if request.method == b"OPTIONS":
                return Response(204, {b"Allow": ", ".join(allowed).encode()})
            method = request.method.decode("latin-1")
            return problem(
                http.MethodNotAllowed(method, allowed), accept_header(request)
            )
        log_defect(failure, getattr(request, "route", "-"))
        return problem(http.InternalError(), accept_header(request))

    register: Callable[[Any], Any] = app.handle_errors(Exception)
    register(answer)
