"""
``If-Match`` and ``If-None-Match`` (RFC 9110, section 13.1).
"""

import re
from typing import Final

from attrs import evolve
from twisted.web.iweb import IRequest

from cvmpair.core.model import ANY_STATE, Condition
from cvmpair.web.errors import BadRequest

_TAG: Final = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
# Tags are compared as text, so "017" is not the tag of version 17.
_VERSION: Final = re.compile(r"[1-9][0-9]{0,18}")
_TAGS: Final = re.compile(rf"\s*{_TAG.pattern}\s*(,\s*({_TAG.pattern}\s*)?)*")


def etag(version: int) -> bytes:
    """
    Return the strong entity tag of what has that version.

    The two forms of a key share it, so that a condition holds whichever form the
    client read; nothing is cached, so nobody takes one form for the other.
    """
    return b'"%d"' % version


def _versions(request: IRequest, header: str, *, weak: bool) -> frozenset[int] | None:
    """
    Return the versions that a header names, or ``None`` if it says ``*``.

    A tag that was never ours is no version of anything, so it is left out.

    :param weak: whether weak tags count.
    """
    # Asked for by a str, Twisted would decode the header as UTF-8, or fail to.
    lines = request.requestHeaders.getRawHeaders(header.encode(), ())
    text = b", ".join(lines).decode("latin-1").strip()
    if text == "*":
        return None
    if not _TAGS.fullmatch(text):
        raise BadRequest(
            f'{header} must be * or a list of entity tags in double quotes, as in "17".'
        )
    return frozenset(
        int(tag)
        for is_weak, tag in _TAG.findall(text)
        if _VERSION.fullmatch(tag) and (weak or not is_weak)
    )


def condition_of(request: IRequest) -> Condition:
    """
    Return what a request demands of the state of its resource.

    :raises BadRequest: if it does so in a form that cannot be read.
    """
    headers = request.requestHeaders
    condition = ANY_STATE
    if headers.hasHeader(b"If-Match"):
        match = _versions(request, "If-Match", weak=False)
        condition = evolve(condition, match=match)
    if headers.hasHeader(b"If-None-Match"):
        none_match = _versions(request, "If-None-Match", weak=True)
        condition = evolve(condition, none_match=none_match)
    return condition
