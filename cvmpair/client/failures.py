"""
Why there was no answer: what Twisted says about it, in one line.

The texts of Twisted's errors may quote the URL or what was received, so none of
them is used.
"""

from collections.abc import Iterator
from typing import Final

from OpenSSL.SSL import Error as TLSError
from twisted.internet import error
from twisted.internet.defer import CancelledError
from twisted.python.failure import Failure
from twisted.web.client import ResponseNeverReceived

from cvmpair.client.errors import ClientError, NoAnswer

MAY_BE_PLAIN: Final = "it may speak plain HTTP there"
MAY_BE_TLS: Final = "it may speak TLS there, which takes https:// in the URL"

REASONS: dict[type[BaseException], str] = {
    error.DNSLookupError: "its host name cannot be resolved",
    error.ConnectionRefusedError: "it refuses connections",
    error.NoRouteError: "there is no route to it",
    error.TimeoutError: "it does not answer",
    TLSError: f"no encrypted connection comes about: {MAY_BE_PLAIN}",
    error.ConnectError: "no connection comes about",
    error.ConnectionAborted: "the connection was closed before the answer was whole",
    error.ConnectionDone: "the connection was closed before the answer was whole",
    error.ConnectionLost: "the connection was lost before the answer was whole",
}
"""By type, the more special first."""


def no_answer(failed: BaseException, hint: str = "") -> Exception:
    """
    Return the error to raise when an exchange failed with that one.

    Of several reasons the one that says most wins.

    :param hint: what it may be if the connection is closed without a word.
    """
    found = list(_reasons(failed))
    is_silent = isinstance(failed, ResponseNeverReceived)
    hint = f": {hint}" if hint and is_silent else ""
    for reason in found:
        if isinstance(reason, CancelledError | ClientError):
            return reason
    for kind, text in REASONS.items():
        if any(isinstance(reason, kind) for reason in found):
            return NoAnswer(f"{text}{hint}")
    name = type(found[0]).__name__
    if len(found) == 1:
        # Not from the network: there was no request at all.
        return ClientError(f"The service cannot be asked: {name}. This is a defect.")
    # Such as ParseError, which is no public name.
    return NoAnswer(f"what it sends is no HTTP ({name})")


def _reasons(failed: BaseException) -> Iterator[BaseException]:
    # RequestGenerationFailed and its like, ResponseFailed and ResponseNeverReceived
    # carry a list; some endpoints nest them.
    inner = getattr(failed, "reasons", None)
    if isinstance(inner, list):
        for failure in inner:
            if isinstance(failure, Failure) and failure.value is not None:
                yield from _reasons(failure.value)
    yield failed
