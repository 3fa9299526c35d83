"""
What the service answered, and what that means.
"""

import json
import re
from http import HTTPStatus
from math import inf
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

from attrs import define, field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http import PotentialDataLoss, stringToDatetime
from twisted.web.iweb import IResponse

from cvmpair.client.errors import Denied, Refused, RetryLater
from cvmpair.core.errors import CLIENT_LIMITS

PROBLEM: Final = "application/problem+json"

MAX_DETAIL: Final = 300
"""How much of a problem's text is passed on, in characters."""

MAX_BODY: Final = 64 * 1024
"""The longest body that is read, in bytes; the longest value has a quarter of it."""

RETRIED: Final = {
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.TOO_EARLY,
    HTTPStatus.TOO_MANY_REQUESTS,
    *range(500, 600),
}
"""What is no refusal (RFC 9110, RFC 8470 and RFC 6585)."""

DENIALS: Final = {
    HTTPStatus.UNAUTHORIZED: "The service does not allow it without a valid token. The "
    "cluster is protected: cvm_cluster_token has to be one of its tokens, which was "
    "not revoked and has not expired.",
    HTTPStatus.FORBIDDEN: "The service does not allow it. In a protected cluster a "
    "worker needs a token to read, and a master one to write.",
}

REDIRECTS: Final = range(300, 400)

NOT_OURS: Final = (
    "What answers there is no pairing service. Check the service's URL; in a "
    "network that wants a login first, this can be its login page."
)

_seconds = re.compile(rb"[0-9]{1,9}").fullmatch
_waits = re.compile(
    rb"(?:^|,)\s*wait\s*(?:=\s*\"?([0-9]{1,9})\b|[=,;]|$)", re.IGNORECASE
).search


@frozen(kw_only=True)
class Answer:
    """
    One answer.

    :ivar media_type: in lower case, without parameters; empty if it has none.
    :ivar retry_after: the seconds that ``Retry-After`` asks for.
    :ivar waits: the seconds that the service waits, if it does what ``Prefer: wait``
        asked for (RFC 7240); infinite if it does not say how many.
    :ivar location: the origin that ``Location`` points to.
    """

    status: int
    media_type: str = ""
    retry_after: float | None = None
    waits: float | None = None
    location: str = ""
    body: bytes = field(default=b"", repr=False)

    def expect(self, *statuses: int) -> None:
        """
        Let an answer of one of these statuses pass.

        :raises RetryLater: if the answer may be another the next time.
        :raises Denied: if it is not allowed.
        :raises Refused: for every other, and for what no pairing service answers.
        """
        if self.status in RETRIED:
            later = RetryLater(f"it answered {self._words}", self.retry_after)
            later.detail = self._limit
            raise later
        if self.status in REDIRECTS:
            where = f" to {self.location}" if self.location else ""
            raise Refused(
                self.status,
                f"The service answered {self._words} and pointed{where}. Redirects are "
                "not followed; if that is the service, use its address as the "
                "service's URL.",
            )
        if self.media_type in {"text/html", "application/xhtml+xml"}:
            raise Refused(self.status, f"The answer is a web page. {NOT_OURS}")
        if self.status in DENIALS:
            raise Denied(self.status, DENIALS[HTTPStatus(self.status)])
        if self.status not in statuses:
            raise Refused(
                self.status, f"The service refused the request: {self._words}."
            )

    def members(self) -> dict[str, Any]:
        """
        Return the JSON object that the body is.

        :raises Refused: if it is none.
        """
        try:
            members = json.loads(self.body)
        except (ValueError, RecursionError):
            members = None
        if not isinstance(members, dict):
            raise self.not_ours()
        return members

    @property
    def detail(self) -> str:
        """
        What a problem says of itself (RFC 9457), in one line that is safe to print;
        empty if the answer is none.
        """
        if self.media_type != PROBLEM:
            return ""
        try:
            detail = self.members().get("detail")
        except Refused:
            detail = None
        if not isinstance(detail, str):
            return ""
        # What steers a terminal, or the direction of what it shows, is not printable.
        shown = "".join(letter if letter.isprintable() else " " for letter in detail)
        return " ".join(shown.split())[:MAX_DETAIL]

    def line(self, name: str) -> str:
        """
        Return the value in a body of the form ``name: value``.

        :raises Refused: if it has another.
        """
        try:
            text = self.body.decode()
        except UnicodeDecodeError:
            raise self.not_ours() from None
        found, colon, value = text.partition(":")
        value = value.strip()
        if not colon or found.strip() != name or not value:
            raise self.not_ours()
        return value

    def not_ours(self) -> Refused:
        """
        Return the error for an answer that no pairing service gives.
        """
        return Refused(self.status, NOT_OURS)

    @property
    def _limit(self) -> str:
        """
        What is said of the limit that a problem names, in our own words: those of an
        answer may hold the PIN.
        """
        if self.media_type != PROBLEM:
            return ""
        try:
            limit = self.members().get("limit")
        except Refused:
            return ""
        return CLIENT_LIMITS.get(limit, "") if isinstance(limit, str) else ""

    @property
    def _words(self) -> str:
        try:
            return f"{self.status} ({HTTPStatus(self.status).phrase})"
        except ValueError:
            return str(self.status)


async def read_answer(response: IResponse, url: str) -> Answer:
    """
    Return an answer whose head has come, once its body has come too.

    :param url: what was asked for.

    :raises Refused: if the body is too long.
    """
    content_type = _header(response, b"Content-Type").decode("latin-1")
    answer = Answer(
        status=response.code,
        media_type=content_type.partition(";")[0].strip().lower(),
        retry_after=_retry_after(response),
        waits=_granted(_header(response, b"Preference-Applied")),
        location=_origin(_header(response, b"Location"), url),
    )
    body = _Body()
    response.deliverBody(body)
    await body.ended
    if body.size > MAX_BODY:
        answer.expect(answer.status)
        raise answer.not_ours()
    return Answer(
        status=answer.status,
        media_type=answer.media_type,
        retry_after=answer.retry_after,
        waits=answer.waits,
        location=answer.location,
        body=b"".join(body.parts),
    )


def _header(response: IResponse, name: bytes) -> bytes:
    values: list[bytes] = response.headers.getRawHeaders(name, [b""])
    return values[-1].strip()


def _retry_after(response: IResponse) -> float | None:
    # Seconds or a date (RFC 9110, 10.2.3). The clock of this machine may be wrong, so
    # a date counts from the one of the answer itself.
    value = _header(response, b"Retry-After")
    if _seconds(value):
        return float(value)
    try:
        now = stringToDatetime(_header(response, b"Date"))
        return float(max(0, stringToDatetime(value) - now))
    # What is no date fails in many ways.
    except Exception:
        return None


def _granted(applied: bytes) -> float | None:
    found = _waits(applied)
    if found is None:
        return None
    return float(found[1]) if found[1] else inf


def _origin(location: bytes, url: str) -> str:
    # The path may hold the PIN, and anything else may be a token.
    try:
        there = urlsplit(urljoin(url, location.decode("ascii")))
        host = there.hostname or ""
        port = f":{there.port}" if there.port else ""
    except ValueError:
        return ""
    if there.scheme not in {"http", "https"} or not re.fullmatch(r"[\w.:-]+", host):
        return ""
    return f"{there.scheme}://{f'[{host}]' if ':' in host else host}{port}"


@define(eq=False)
class _Body(Protocol):
    """
    Takes the body of an answer, as far as :data:`MAX_BODY`.
    """

    parts: list[bytes] = field(init=False, factory=list)
    size: int = field(init=False, default=0)
    ended: Deferred[None] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.ended = Deferred(lambda _: self._close())

    def dataReceived(self, data: bytes) -> None:
        self.size += len(data)
        if self.size <= MAX_BODY:
            self.parts.append(data)
        elif not self.ended.called:
            self._close()
            self.ended.callback(None)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.ended.called:
            return
        if reason.check(ResponseDone, PotentialDataLoss):
            self.ended.callback(None)
        else:
            self.ended.errback(reason)

    def _close(self) -> None:
        if self.transport is not None:
            self.transport.loseConnection()
