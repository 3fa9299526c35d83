"""
``Prefer`` (RFC 7240): of all preferences, how long a client is willing to wait.
"""

import re
from collections.abc import Iterable
from typing import Final

from twisted.web.iweb import IRequest

_WORD: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
# One that is never closed goes to the end, so nothing is looked at twice.
_QUOTED: Final = r'"(?:[^"\\]|\\.?)*(?:"|\Z)'
# A comma in quotes separates nothing.
_ELEMENT: Final = re.compile(rf'(?:{_QUOTED}|[^",])+', re.DOTALL)
# Of a preference with parameters only the preference itself counts.
_PREFERENCE: Final = re.compile(
    rf"\s*({_WORD})\s*(?:=\s*(?:({_WORD}|{_QUOTED})\s*)?)?(?:;.*)?", re.DOTALL
)
_SECONDS: Final = re.compile(r'("?)0*([0-9]{1,9})\1')

NOT_WAITING: Final = 0
"""The answer is wanted as it is now."""


def wait_of(request: IRequest) -> int:
    """
    Return how many seconds a client prefers to wait for a better answer.

    The first ``wait`` counts. What cannot be understood is ignored, as section 2
    demands; a preference is no reason to refuse a request.
    """
    return read_wait(request.requestHeaders.getRawHeaders(b"Prefer", ()))


def read_wait(lines: Iterable[bytes]) -> int:
    """
    Return the same, from the lines of the header.
    """
    for element in _ELEMENT.findall(b",".join(lines).decode("latin-1")):
        found = _PREFERENCE.fullmatch(element)
        if found and found[1].lower() == "wait":
            seconds = _SECONDS.fullmatch(found[2] or "")
            return int(seconds[2]) if seconds else NOT_WAITING
    return NOT_WAITING
