"""
``If-Match`` and ``If-None-Match`` (RFC 9110, section 13.1).
"""

import re
from collections.abc import Collection, Iterable
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


def _versions(
    header: str, lines: Iterable[bytes], *, weak: bool
) -> frozenset[int] | None:
    """
    Return the versions that the lines of a header name, or ``None`` for ``*``.

    A tag that was never ours is no version of anything, so it is left out.

    :param weak: whether weak tags count.
    """
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
    # Asked for by a str, Twisted would decode the header as UTF-8, or fail to.
    get = request.requestHeaders.getRawHeaders
    return read_condition(get(b"If-Match", ()), get(b"If-None-Match", ()))


def read_condition(
    match: Collection[bytes], none_match: Collection[bytes]
) -> Condition:
    """
    Return what the lines of the two headers demand.

    :raises BadRequest: if they do so in a form that cannot be read.
    """
    condition = ANY_STATE
    if match:
        versions = _versions("If-Match", match, weak=False)
        condition = evolve(condition, match=versions)
    if none_match:
        versions = _versions("If-None-Match", none_match, weak=True)
        condition = evolve(condition, none_match=versions)
    return condition
