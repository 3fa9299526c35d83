"""
The base URL of a pairing service, wherever somebody writes it.
"""

import re
from typing import Final
from urllib.parse import urlsplit

from cvmpair_agent.context.host import check_host

IN_CLEAR: Final = (
    "The token goes over http://, and anybody on the way can read it: use https://."
)
"""What people are told of a token for a service with such a URL."""

_is_visible_ascii = re.compile("[!-~]+").fullmatch


def check_service_url(url: str) -> str:
    """
    Return a base URL in its plain form: a scheme, a host, perhaps a port and a path,
    and no slash at its end.

    :raises ValueError: if it is none. The text says why, goes on after what names the
        URL, and does not hold it.
    """
    if not _is_visible_ascii(url):
        raise ValueError("has blanks, control characters or letters beyond ASCII")
    try:
        parts = urlsplit(url)
        host = check_host(parts.hostname or "")
        port = "" if parts.port is None else f":{parts.port}"
    except ValueError:
        raise ValueError("has no legal host or port") from None
    if parts.scheme not in {"http", "https"}:
        raise ValueError("begins with neither http:// nor https://")
    if "@" in parts.netloc:
        raise ValueError("has a user name or password, which is not supported")
    if "?" in url or "#" in url:
        raise ValueError("has a query or fragment; a base URL has none")
    if parts.port == 0:
        raise ValueError("has port 0, where nothing can listen")
    if ":" in host:
        host = f"[{host}]"
    return f"{parts.scheme}://{host}{port}{parts.path}".rstrip("/")


def is_in_clear(url: str) -> bool:
    """
    Say whether all that goes to a service with this base URL goes in clear.
    """
    return url.startswith("http:")
