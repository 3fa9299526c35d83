"""
What a browser may do with the pages, and with the API from elsewhere: nothing that did
not come from here. That no answer has a header of CORS is part of it.
"""

from collections.abc import Mapping, Sequence
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
    # With "no-referrer" a browser would say "Origin: null" when the form is sent.
    b"Referrer-Policy": b"same-origin",
    b"X-Content-Type-Options": b"nosniff",
}

_OVER_TLS: Final[dict[str | bytes, str | bytes]] = {
    # Without TLS a browser ignores it, and complains.
    b"Cross-Origin-Opener-Policy": b"same-origin",
    # A day, no more: a browser applies it to all ports of the host, so also to what
    # somebody else serves there without TLS.
    b"Strict-Transport-Security": b"max-age=86400",
}

_DEFAULT_PORTS: Final[Mapping[bytes, bytes]] = {b"http": b":80", b"https": b":443"}

_SAFE: Final = frozenset({b"GET", b"HEAD"})
_OURS: Final = frozenset({b"same-origin", b"none"})


def security_headers(*, secure: bool) -> dict[str | bytes, str | bytes]:
    """
    Return the headers of the pages and of all that belongs to them.

    :param secure: whether the answer goes over TLS.
    """
    return {**_HEADERS, **_OVER_TLS} if secure else dict(_HEADERS)


def refuse_cross_site(request: IRequest, *, names_pin: bool) -> None:
    """
    Let no page of another site have a browser change something here, or name a PIN,
    which would be its visitor's guess.

    A browser says in ``Sec-Fetch-Site`` where a request comes from (W3C, Fetch Metadata
    Request Headers), but only to who is reached by TLS or on the same machine. To
    others it says ``Origin`` with a change (RFC 6454, section 7). Other clients send
    neither.

    :raises CrossSite: if that is elsewhere.
    """
    if request.method in _SAFE and not names_pin:
        return
    headers = request.requestHeaders
    if sites := headers.getRawHeaders(b"Sec-Fetch-Site"):
        ours = _OURS.issuperset(sites)
    else:
        hosts = headers.getRawHeaders(b"Host", ())
        origins = headers.getRawHeaders(b"Origin", ())
        ours = all(_is_at(origin, hosts) for origin in origins)
    if not ours:
        raise CrossSite


def _is_at(origin: bytes, hosts: Sequence[bytes]) -> bool:
    """
    Say whether an origin is where the request went to.

    By which scheme that was, only the proxy knows that ended TLS, if one did.
    """
    scheme, _, authority = origin.lower().partition(b"://")
    port = _DEFAULT_PORTS.get(scheme)
    if port is None or len(hosts) != 1:
        return False
    return authority.removesuffix(port) == hosts[0].lower().removesuffix(port)
