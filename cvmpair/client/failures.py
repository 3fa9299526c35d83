"""
Why there was no answer: what Twisted says about it, in one line.

The texts of Twisted's errors may quote the URL or what was received, so none of
them is used.
"""

from collections.abc import Iterator

from OpenSSL.SSL import Error as TLSError
from twisted.internet import error
from twisted.internet.defer import CancelledError
from twisted.python.failure import Failure

from cvmpair.client.errors import ClientError, NoAnswer

REASONS: dict[type[BaseException], str] = {
    error.DNSLookupError: "its host name cannot be resolved",
    error.ConnectionRefusedError: "it refuses connections",
    error.NoRouteError: "there is no route to it",
    error.TimeoutError: "it does not answer",
    TLSError: "no encrypted connection comes about: it may speak plain HTTP there",
    error.ConnectError: "no connection comes about",
    error.ConnectionAborted: "the connection was closed before the answer was whole",
    error.ConnectionDone: "the connection was closed before the answer was whole",
    error.ConnectionLost: "the connection was lost before the answer was whole",
}
"""By type, the more special first."""


def no_answer(failed: BaseException) -> Exception:
    """
    Return the error to raise when an exchange failed with that one.

    Of several reasons the one that says most wins.
    """
    found = list(_reasons(failed))
    for reason in found:
        if isinstance(reason, CancelledError | ClientError):
            return reason
    for kind, text in REASONS.items():
        if any(isinstance(reason, kind) for reason in found):
            return NoAnswer(text)
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
