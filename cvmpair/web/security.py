"""
What a browser may do with the pages: nothing that did not come from here.
"""

from typing import Final

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

SECURITY_HEADERS: Final[dict[str | bytes, str | bytes]] = {
    b"Content-Security-Policy": "; ".join(_POLICY).encode(),
    b"Referrer-Policy": b"no-referrer",
    b"X-Content-Type-Options": b"nosniff",
}
"""For the pages and all that belongs to them."""
