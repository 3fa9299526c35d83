"""
Where to listen: from the words of Twisted's endpoint strings to endpoints.
"""

from errno import EACCES, EADDRINUSE, EADDRNOTAVAIL
from typing import Any, Final

from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IStreamServerEndpoint

from cvmpair.services.pem_directory import check_pem_directory
from cvmpair.services.ssl_files import check_ssl_files

BACKLOG: Final = 1024
"""
How many connections may wait to be accepted.

Twisted's own number is 50, and of ten thousand waiters that come back together after
a restart, most would have to try again and again.
"""

_QUEUED: Final = frozenset({"tcp", "tcp6", "ssl"})
"""The endpoints that take such a number."""

TLS_KINDS: Final = frozenset({"ssl", "tls"})
"""The endpoints that speak TLS."""


def endpoint_of(reactor: Any, words: str) -> IStreamServerEndpoint:
    """
    Return the endpoint that words name; certificates are read, but nothing is opened.

    :raises ValueError: with the reason, if they name none that can be used.
    """
    queued = words.partition(":")[0] in _QUEUED and ":backlog=" not in words
    # What a string may lack depends on the plugin that parses it, and so does what
    # that raises.
    try:
        check_pem_files(words)
        endpoint: IStreamServerEndpoint = serverFromString(
            reactor, f"{words}:backlog={BACKLOG}" if queued else words
        )
    except Exception as error:
        reason = in_one_line(error)
        if words.startswith("systemd:") and isinstance(error, LookupError):
            reason = "systemd passed no such socket; is its socket unit started?"
        raise ValueError(f"{words!r} is no usable endpoint: {reason}") from None
    return endpoint


def check_pem_files(words: str) -> None:
    """
    See whether Twisted can make use of the certificates and keys of an endpoint.

    :raises ValueError: with the file that is wrong, and what about it.
    """
    check_ssl_files(words)
    check_pem_directory(words)


_STEPS: Final = {
    EADDRINUSE: "stop what listens there (cvmpair doctor says what), or name another",
    EACCES: "name a port from 1024 on, or have systemd hold it (see cvmpair.socket)",
    EADDRNOTAVAIL: "name an address of this machine as interface, or leave it out",
}
"""What to do about it, by the errno with which an address cannot be bound."""


def why_not_bound(error: BaseException | None) -> str:
    """
    Return why there is nobody to listen at an endpoint, and what to do.
    """
    reason = in_one_line(error).rstrip(".")
    number = getattr(getattr(error, "socketError", error), "errno", None)
    step = _STEPS.get(number or 0)
    return f"{reason}; {step}" if step else reason


def in_one_line(error: BaseException | None) -> str:
    """
    Return why something failed, and at which file.
    """
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    if file := getattr(error, "filename", None):
        text = f"{file}: {text}"
    return " ".join(text.split())
