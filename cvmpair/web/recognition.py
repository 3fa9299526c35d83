"""
The few forms in which nearly all requests come, recognised in the received bytes.

Whatever is not understood to the last byte is left to those who understand HTTP.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from attrs import frozen

from cvmpair.core.model import Condition
from cvmpair.core.names import MAX_KEY_NAME_LENGTH, PIN_LENGTH
from cvmpair.web.api import CLUSTERS
from cvmpair.web.errors import BadRequest
from cvmpair.web.negotiation import JSON, TEXT, choose
from cvmpair.web.preconditions import read_condition
from cvmpair.web.preferences import read_wait

HEADERS_SIZE: Final = 1024
"""As many bytes of headers are understood; far below what Twisted takes."""

_REQUEST: Final = re.compile(
    rb"(?:GET %(path)b/(%(pin)b)/keys/(%(name)b)|POST %(path)b/(%(pin)b)/keys)"
    rb" HTTP/1\.1\r\n((?:[^\r\n]+\r\n)+)\r\n"
    % {
        b"path": CLUSTERS.encode(),
        b"pin": b"[a-z0-9]{%d}" % PIN_LENGTH,
        b"name": b"[A-Za-z0-9_-]{1,%d}" % MAX_KEY_NAME_LENGTH,
    }
)
_FIELD: Final = re.compile(rb"([A-Za-z-]+): ?([!-~](?:[ -~]*[!-~])?)")
_LENGTH: Final = re.compile(rb"[0-9]{1,9}")

_OF_ALL: Final = frozenset(
    {b"host", b"user-agent", b"accept", b"accept-encoding", b"connection"}
)
_OF_GET: Final = _OF_ALL | {b"if-none-match", b"prefer"}
_OF_POST: Final = _OF_ALL | {b"content-type", b"content-length"}


@frozen(kw_only=True)
class Fields:
    """
    What the headers of a request say.

    :ivar accept: what the client accepts.
    :ivar media_type: what it gets.
    :ivar closing: whether the connection ends with the answer.
    :ivar wait: the seconds that the client is willing to wait for a better answer.
    :ivar length: the size of the body, in bytes.
    """

    accept: str
    media_type: str
    condition: Condition
    closing: bool
    wait: int
    content_type: bytes
    length: int


# To make one of these takes a third of what a frozen one of attrs does.
class KeyRequest(NamedTuple):
    """
    A GET of a key, or a POST of one.

    :ivar name: the key to get, or ``None`` for a POST.
    :ivar body: what is posted.
    """

    pin: str
    name: str | None
    fields: Fields
    body: bytes


class _NotUnderstoodError(Exception):
    """
    These headers are for those who understand HTTP.
    """


def recognise(data: bytes) -> KeyRequest | None:
    """
    Return the request that bytes are, if they are one, whole and nothing else.
    """
    found = _REQUEST.match(data)
    if found is None:
        return None
    pin, name, posted_to, headers = found.groups()
    if len(headers) > HEADERS_SIZE:
        return None
    try:
        fields = _read_headers(headers, posted_to is None)
    except _NotUnderstoodError:
        return None
    body = data[found.end() :]
    if len(body) != fields.length:
        return None
    if posted_to is None:
        return KeyRequest(pin.decode(), name.decode(), fields, body)
    return KeyRequest(posted_to.decode(), None, fields, body)


# What differs from one request of a client to its next is in the first line. What is
# not understood is not kept: a token may be in it.
@lru_cache(maxsize=1024)
def _read_headers(headers: bytes, getting: bool) -> Fields:  # noqa: FBT001
    known = _OF_GET if getting else _OF_POST
    fields: dict[bytes, bytes] = {}
    for line in headers.splitlines():
        found = _FIELD.fullmatch(line)
        if found is None:
            raise _NotUnderstoodError
        name = found[1].lower()
        if name in fields or name not in known:
            raise _NotUnderstoodError
        fields[name] = found[2]
    return _understand(fields, getting=getting)


def _understand(fields: Mapping[bytes, bytes], *, getting: bool) -> Fields:
    connection = fields.get(b"connection", b"keep-alive").lower()
    length = fields.get(b"content-length", b"0" if getting else b"")
    accept = fields.get(b"accept", b"*/*").decode("ascii")
    media_type = choose(accept, *((TEXT, JSON) if getting else (JSON,)))
    if (
        b"host" not in fields
        or connection not in (b"keep-alive", b"close")
        or not _LENGTH.fullmatch(length)
        or media_type is None
    ):
        raise _NotUnderstoodError
    tags = [fields[b"if-none-match"]] if b"if-none-match" in fields else []
    try:
        condition = read_condition([], tags)
    except BadRequest:
        raise _NotUnderstoodError from None
    return Fields(
        accept=accept,
        media_type=media_type,
        condition=condition,
        closing=connection == b"close",
        wait=read_wait([fields[b"prefer"]] if b"prefer" in fields else []),
        content_type=fields.get(b"content-type", b""),
        length=int(length),
    )
