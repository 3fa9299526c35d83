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
from cvmpair.core.timeline import rfc3339
from cvmpair.web import errors as http
from cvmpair.web.authorization import challenge
from cvmpair.web.negotiation import JSON, PROBLEM, TEXT, accept_header, choose

_log = Logger()


@frozen
class ProblemType:
    """
    What an error is in HTTP.

    :ivar name: the fragment of its ``type``, which points into the page
        ``/problems``.
    :ivar remedy: what whoever gets it can do; shown there, so code is marked up as
        in a docstring.
    """

    status: int
    name: str
    title: str
    remedy: str


PROBLEM_TYPES: Final[dict[type[Exception], ProblemType]] = {
    http.BadRequest: ProblemType(
        400,
        "bad-request",
        "The request cannot be read",
        "The detail says what is wrong with its syntax; mend that and send it again.",
    ),
    domain.InvalidFields: ProblemType(
        400,
        "invalid-fields",
        "Some fields are wrong",
        "The member ``errors`` has the reasons for each field.",
    ),
    domain.TokenMalformed: ProblemType(
        400,
        "token-malformed",
        "The header Authorization cannot be read",
        "Send it once, as ``Authorization: Bearer TOKEN``, with nothing behind the "
        "token.",
    ),
    domain.TokenNeeded: ProblemType(
        401,
        "token-needed",
        "A token is needed",
        "Send ``Authorization: Bearer TOKEN`` with a token of the cluster: whoever "
        "created it got three of them. On a machine it is ``cvm_cluster_token`` of the "
        "context.",
    ),
    domain.TokenInsufficient: ProblemType(
        403,
        "token-insufficient",
        "The token is not enough",
        "To read takes any token, to change keys one of the scope ``write`` or "
        "``admin``, to delete the cluster and for its tokens one of the scope "
        "``admin``.",
    ),
    http.CrossSite: ProblemType(
        403,
        "cross-site",
        "The request comes from another site",
        "Open the page of the service itself in the browser; a reverse proxy before it "
        "has to pass the header ``Host`` on as it came. A program that is no browser "
        "leaves ``Sec-Fetch-Site`` and ``Origin`` out.",
    ),
    http.ProtectionRequired: ProblemType(
        403,
        "protection-required",
        "Clusters have to be protected",
        "Create it without the field ``protected``, or with ``true``. Machines that "
        "send no token cannot pair here.",
    ),
    http.NoSuchResource: ProblemType(
        404,
        "no-such-resource",
        "No such resource",
        "Check the address. The API is under ``/api/v1/clusters``, and no address of "
        "it ends with a slash.",
    ),
    domain.ClusterNotFound: ProblemType(
        404,
        "no-such-cluster",
        "No such cluster",
        "Check the PIN for a typing error, or create a new one. What ended more than "
        "7 days ago, or before very many others, is not known any more.",
    ),
    domain.KeyNotFound: ProblemType(
        404,
        "no-such-key",
        "No such key",
        "Somebody else has yet to add it. Ask with ``Prefer: wait=60``, and the answer "
        "comes as soon as that has happened, or after 60 seconds: then ask again.",
    ),
    domain.TokenNotFound: ProblemType(
        404,
        "no-such-token",
        "No such token",
        "It has been revoked already, or has expired: then nothing is left to do. "
        "Otherwise look for its id among the tokens of the cluster.",
    ),
    http.MethodNotAllowed: ProblemType(
        405,
        "method-not-allowed",
        "Method not allowed",
        "The header ``Allow`` lists the methods that the resource has.",
    ),
    http.NotAcceptable: ProblemType(
        406,
        "not-acceptable",
        "No acceptable media type",
        "The detail lists the media types that there are; name one of them in the "
        "header ``Accept``, or leave it out.",
    ),
    http.RequestTimeout: ProblemType(
        408,
        "request-timeout",
        "The request is too slow",
        "Send it again. If the network is that slow, the operator can raise "
        "``--header-timeout`` and ``--body-timeout``.",
    ),
    domain.KeyExists: ProblemType(
        409,
        "key-exists",
        "The key exists already",
        "Read the key to see who was first. To change it, use ``PUT`` or ``PATCH`` on "
        "the key itself.",
    ),
    domain.NotProtected: ProblemType(
        409,
        "not-protected",
        "The cluster is not protected",
        "Whoever knows its PIN may do everything, and that stays so. Create another "
        'one with ``{"protected": true}``.',
    ),
    domain.ClusterGone: ProblemType(
        410,
        "cluster-gone",
        "The cluster has ended",
        "The members ``reason`` and ``ended`` say whether it has ``expired`` or was "
        "``deleted``, and when. It does not come back: create a new one.",
    ),
    domain.ConditionFailed: ProblemType(
        412,
        "condition-failed",
        "The resource has changed",
        "Read it again, decide anew, and send its present ``ETag``.",
    ),
    http.ContentTooLarge: ProblemType(
        413,
        "body-too-large",
        "The body is too large",
        "Send less, or ask the operator to raise ``--max-body-size``.",
    ),
    http.UnsupportedMediaType: ProblemType(
        415,
        "unsupported-media-type",
        "The body has another media type",
        "Send ``application/json`` or ``application/x-www-form-urlencoded``, and say "
        "which in the header ``Content-Type``.",
    ),
    domain.TooManyRequests: ProblemType(
        429,
        "too-many-requests",
        "Too much for one address",
        "The member ``limit`` names the limit: ``guesses``, ``creations``, "
        "``connections`` or ``waiters``. Try again after the seconds in the header "
        "``Retry-After``; the operator can raise it with ``--max-guesses``, "
        "``--max-creations``, ``--max-connections`` or ``--max-waiters-per-address``.",
    ),
    http.HeadersTooLarge: ProblemType(
        431,
        "headers-too-large",
        "The header section is too large",
        "Send fewer or shorter headers; cookies are of no use here.",
    ),
    http.InternalError: ProblemType(
        500,
        "internal-error",
        "Internal error",
        "Tell the operator when it happened: the log has the reason.",
    ),
    domain.StoreUnavailable: ProblemType(
        503,
        "read-only",
        "Changes cannot be saved at the moment",
        "Try again after the seconds in the header ``Retry-After``, and look first "
        "whether the change was made after all. The service goes on by itself once "
        "the operator has mended what the log says: most often the disk is full.",
    ),
    domain.TooManyWaiters: ProblemType(
        503,
        "too-many-waiters",
        "Too many requests wait",
        "Ask again after the seconds in the header ``Retry-After``, or now and without "
        "``Prefer: wait``. The operator can raise ``--max-waiters``.",
    ),
    domain.Overloaded: ProblemType(
        503,
        "overloaded",
        "Too much for the service",
        "The member ``limit`` names what there is not enough of: ``descriptors`` "
        "for all connections, or room for answers that are ``unsent`` because clients "
        "do not read them. Try again after the seconds in the header ``Retry-After``; "
        "the operator can raise the limit of open files, ``LimitNOFILE=`` of a unit.",
    ),
    domain.Stopping: ProblemType(
        503,
        "stopping",
        "The service is being stopped",
        "Ask again after the seconds in the header ``Retry-After``: most often it is "
        "back by then.",
    ),
    domain.TooManyKeys: ProblemType(
        507,
        "too-many-keys",
        "The cluster is full",
        "Delete a key that is no longer needed, or ask the operator to raise "
        "``--max-keys``.",
    ),
    domain.TooManyTokens: ProblemType(
        507,
        "too-many-tokens",
        "The cluster can have no more tokens",
        "Revoke one that is no longer needed. Those that have expired do not count.",
    ),
    domain.TooManyClusters: ProblemType(
        507,
        "too-many-clusters",
        "The service is full",
        "Try again after the seconds in the header ``Retry-After``, or ask the "
        "operator to raise ``--max-clusters``.",
    ),
}

_LIMITED: Final = (
    domain.TooManyKeys,
    domain.TooManyTokens,
    domain.TooManyClusters,
    domain.TooManyWaiters,
    domain.TooManyRequests,
    domain.Overloaded,
)
TEMPORARY: Final = (
    domain.StoreUnavailable,
    domain.TooManyClusters,
    domain.TooManyWaiters,
    domain.TooManyRequests,
    domain.Overloaded,
    domain.Stopping,
)


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
        if isinstance(error, _LIMITED):
            members["limit"] = error.limit
        if isinstance(error, domain.ClusterGone):
            members["reason"] = error.reason
            members["ended"] = rfc3339(error.ended)
        text = json.dumps(members)
    body = text.encode()
    headers: dict[str | bytes, str | bytes] = {
        b"Content-Type": media_type.encode(),
        b"Content-Length": b"%d" % len(body),
        b"Vary": b"Accept",
        # That there is no key yet is nothing for a cache to keep either.
        b"Cache-Control": b"no-store",
        **problem_headers(error),
    }
    return Response(kind.status, headers, body)


def problem_headers(error: Exception) -> dict[str | bytes, str | bytes]:
    """
    Return the headers that an error calls for, whatever form its answer has.
    """
    if isinstance(error, TEMPORARY):
        return {b"Retry-After": b"%d" % ceil(error.retry_after)}
    if isinstance(error, http.MethodNotAllowed):
        return {b"Allow": ", ".join(error.allowed).encode()}
    if words := challenge(error):
        return {b"WWW-Authenticate": words}
    return {}


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
