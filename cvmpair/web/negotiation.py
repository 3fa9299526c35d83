"""
Which media type an answer has (RFC 9110, section 12.5.1).
"""

from functools import lru_cache
from typing import Final

from twisted.web.iweb import IRequest
from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header

JSON: Final = "application/json"
PROBLEM: Final = "application/problem+json"
TEXT: Final = "text/plain"


def accept_header(request: IRequest) -> str:
    """
    Return what the client accepts, as one header value; ``*/*`` if it says
    nothing.
    """
    lines = request.requestHeaders.getRawHeaders(b"Accept", ())
    return b", ".join(lines).decode("latin-1").strip() or "*/*"


# A handful of headers make up all the traffic, so parsing each once will do.
@lru_cache(maxsize=1024)
def choose(accept: str, *offers: str) -> str | None:
    """
    Return the media type that the client likes best.

    Parameters other than ``q`` make no difference: there is only one form of
    each type.

    :param offers: what there is, the one for a client that does not care first.

    :return: one of the offers, or ``None`` if it accepts none of them.
    """
    wanted = parse_accept_header(accept, MIMEAccept)
    plain = MIMEAccept(
        [(value.partition(";")[0].strip(), quality) for value, quality in wanted]
    )
    return plain.best_match(offers)
