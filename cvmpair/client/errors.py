"""
Why there is no result, by what whoever asked can do about it.

What the service says about clusters and keys are the errors of
:mod:`cvmpair.core.errors`. No text here holds a PIN, a value or the path of a URL.
"""

from math import inf

from cvmpair.core.errors import KeyNotFound


class WaitedInVain(KeyNotFound):
    """
    There is no such key yet, says a service that has waited for it.

    :ivar granted: the seconds that it says it waits.
    """

    def __init__(self, granted: float = inf) -> None:
        super().__init__()
        self.granted = granted


class ClientError(Exception):
    """
    The parent of them all.

    :ivar detail: what the service itself says about it, in one line; only of the
        creation of a cluster, and of a limit that is reached.
    """

    detail: str = ""


class RetryLater(ClientError):
    """
    It may be better the next time.

    :ivar reason: why, as part of a sentence.
    :ivar retry_after: how many seconds the service wants to be left alone, if it
        said so.
    """

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after


class NoAnswer(RetryLater):
    """
    The service could not be reached, or said nothing.
    """


class Refused(ClientError):
    """
    It will not be better the next time: the answer is a refusal, or none of a
    pairing service.

    :ivar status: the status of the answer.
    """

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Denied(Refused):
    """
    Whoever asks is not allowed to, or not with this token.
    """


class Untrusted(ClientError):
    """
    The certificate of the service is not one that can be trusted.

    :ivar reason: why not, as a sentence without its full stop.
    :ivar step: what to do about it, likewise.
    """

    def __init__(self, reason: str, step: str) -> None:
        super().__init__(f"{reason}. {step}.")
        self.reason = reason
        self.step = step
