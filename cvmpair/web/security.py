"""
What a browser may do with the pages, and with the API from elsewhere: nothing that did
not come from here. That no answer has a header of CORS is part of it.
"""

from typing import Final

from twisted.web.iweb import IRequest

from cvmpair.web.errors import CrossSite

_POLICY: Final = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "img-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
)

_HEADERS: Final[dict[str | bytes, str | bytes]] = {
    b"Content-Security-Policy": "; ".join(_POLICY).encode(),
    b"Cross-Origin-Resource-Policy": b"same-origin",
    b"Referrer-Policy": b"no-referrer",
    b"X-Content-Type-Options": b"nosniff",
}

_OVER_TLS: Final[dict[str | bytes, str | bytes]] = {
    # Without TLS a browser ignores it, and complains.
    b"Cross-Origin-Opener-Policy": b"same-origin",
    # A day, no more: a browser applies it to all ports of the host, so also to what
    # somebody else serves there without TLS.
    b"Strict-Transport-Security": b"max-age=86400",
}

_SAFE: Final = frozenset({b"GET", b"HEAD"})
_OURS: Final = frozenset({b"same-origin", b"none"})


def security_headers(*, secure: bool) -> dict[str | bytes, str | bytes]:
    """
    Return the headers of the pages and of all that belongs to them.

    :param secure: whether the answer goes over TLS.
    """
    return {**_HEADERS, **_OVER_TLS} if secure else dict(_HEADERS)


def refuse_cross_site(request: IRequest) -> None:
    """
    Let no page of another site have a browser change something here.

    A browser says in ``Sec-Fetch-Site`` where a request comes from (W3C, Fetch Metadata
    Request Headers); other clients do not send it.

    :raises CrossSite: if that is elsewhere.
    """
    if request.method in _SAFE:
        return
    sites = request.requestHeaders.getRawHeaders(b"Sec-Fetch-Site", ())
    if not _OURS.issuperset(sites):
        raise CrossSite
