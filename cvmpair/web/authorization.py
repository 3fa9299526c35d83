"""
``Authorization`` (RFC 9110, section 11.6.2) with bearer tokens (RFC 6750).

What is shown for a cluster that is not protected is ignored, be it a token or not.
``Vary`` does not name this header: no cache may use an answer to one who showed it
for another anyway (RFC 9110, section 12.5.5), and ours may not be kept at all.
"""

import re
from typing import Final

from twisted.web.iweb import IRequest

from cvmpair.core.access import Access
from cvmpair.core.errors import TokenInsufficient, TokenMalformed, TokenNeeded
from cvmpair.core.model import Scope

_SCHEME: Final = re.compile(rb"bearer(?: |\Z)", re.IGNORECASE)
_TOKEN: Final = re.compile(rb"bearer +([A-Za-z0-9._~+/-]+=*)", re.IGNORECASE)


def access_of(request: IRequest, scope: Scope) -> Access:
    """
    Return what a request shows of its rights.

    :param scope: what it needs.
    """
    lines = request.requestHeaders.getRawHeaders(b"Authorization", ())
    if len(lines) > 1:
        return Access(scope=scope, malformed=True)
    if not lines or not _SCHEME.match(lines[0]):
        # Another scheme is nothing that was asked for, and so like none.
        return Access(scope=scope)
    found = _TOKEN.fullmatch(lines[0])
    if found is None:
        return Access(scope=scope, malformed=True)
    return Access(scope=scope, token=found[1].decode("ascii"))


def challenge(error: Exception) -> bytes | None:
    """
    Return the ``WWW-Authenticate`` of an error, if it calls for one (RFC 6750,
    section 3).
    """
    words = 'Bearer realm="cvmpair"'
    match error:
        case TokenNeeded(shown=True):
            words += ', error="invalid_token"'
        case TokenNeeded():
            # Whoever knew of no token is told of no mistake.
            pass
        case TokenMalformed():
            words += ', error="invalid_request"'
        case TokenInsufficient():
            words += f', error="insufficient_scope", scope="{error.needed}"'
        case _:
            return None
    return words.encode()
