"""
The family of domain errors: each names one promise that could not be kept.

The text of an error is for whoever asked. It never holds a PIN, a key name or
a value, so that it can be shown and logged. What an error means in HTTP is
decided in ``web/problems.py`` alone.
"""

from collections.abc import Mapping, Sequence
from typing import Final, Literal, get_args

from cvmpair.core.timeline import rfc3339

Reason = Literal["expired", "deleted"]
"""Why a cluster is there no more."""

REASONS: Final[tuple[Reason, ...]] = get_args(Reason)


class PairingError(Exception):
    """
    The parent of them all.
    """


class ClusterNotFound(PairingError):
    """
    No cluster has this PIN, or had it of late.
    """

    def __init__(self) -> None:
        super().__init__(
            "No cluster has this PIN, nor had one in the last days. Check it for a "
            "typing error, or create a new one."
        )


class ClusterGone(PairingError):
    """
    There was a cluster of this PIN, but it has expired or was deleted.
    """

    def __init__(self, reason: Reason, ended: float) -> None:
        """
        :param ended: when, in seconds: of book time if the book says so, since the
            epoch if a store does.
        """
        super().__init__(reason, ended)
        self.reason = reason
        self.ended = ended

    def __str__(self) -> str:
        return (
            f"The cluster of this PIN {self.words}. It does not come back: create a "
            "new one."
        )

    @property
    def words(self) -> str:
        """
        What happened, and when, as part of a sentence.
        """
        what = "expired" if self.reason == "expired" else "was deleted"
        return f"{what} at {rfc3339(self.ended, 'seconds')}"


class KeyNotFound(PairingError):
    """
    The cluster exists, but has no such key (yet).
    """

    def __init__(self) -> None:
        super().__init__(
            "The cluster has no such key, or not yet: to wait for it, ask with "
            "Prefer: wait=60; to create it, POST it to the keys of the cluster."
        )


class KeyExists(PairingError):
    """
    A key of this name is there already: somebody else was first.
    """

    def __init__(self) -> None:
        super().__init__(
            "The cluster has a key of this name already. Read it to see its value; "
            "to change it, use PUT or PATCH on the key itself."
        )


class ConditionFailed(PairingError):
    """
    What the caller demanded with ``If-Match`` or ``If-None-Match`` is not so.
    """

    def __init__(self) -> None:
        super().__init__(
            "The resource is not in the state that If-Match or If-None-Match asked "
            "for. Read it again for its present ETag."
        )


class InvalidFields(PairingError):
    """
    One or more fields of the request are missing or wrong.
    """

    def __init__(self, errors: Mapping[str, Sequence[str]]) -> None:
        """
        :param errors: the reasons by field name.
        """
        super().__init__("Some fields are missing or wrong; see errors.")
        self.errors = errors


class TooManyKeys(PairingError):
    """
    The cluster is full.
    """

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"This cluster has reached the limit of {limit} keys. "
            "Delete one that is no longer needed, or ask the operator to raise "
            "--max-keys."
        )
        self.limit = limit


class TokenNeeded(PairingError):
    """
    The cluster is protected, and the request shows no token that is valid.

    :ivar shown: whether it shows one at all.
    """

    def __init__(self, *, shown: bool) -> None:
        super().__init__(
            "The token is none of this cluster's, or it has expired or was revoked. "
            "Whoever has the admin token can make a new one."
            if shown
            else "This cluster is protected: its PIN alone does nothing. Send one of "
            "its tokens in the header Authorization: Bearer TOKEN."
        )
        self.shown = shown


class TokenMalformed(PairingError):
    """
    The cluster is protected, and ``Authorization`` cannot be read.
    """

    def __init__(self) -> None:
        super().__init__(
            "The header Authorization cannot be read. Send it once, as "
            "Authorization: Bearer TOKEN."
        )


class TokenInsufficient(PairingError):
    """
    The token is valid, but does not allow this.

    :ivar needed: the scope that does.
    """

    def __init__(self, needed: str) -> None:
        super().__init__(
            f"This needs a token of the scope {needed}; the one sent allows less."
        )
        self.needed = needed


class TokenNotFound(PairingError):
    """
    The cluster has no token of this id: it has expired or was revoked.
    """

    def __init__(self) -> None:
        super().__init__(
            "The cluster has no such token. A token is named by its id, the part "
            "before the dot; GET the tokens of the cluster for a list."
        )


class NotProtected(PairingError):
    """
    The cluster has no tokens: whoever knows the PIN may do everything.
    """

    def __init__(self) -> None:
        super().__init__(
            "This cluster is not protected, so it has no tokens. Create another one "
            'with {"protected": true}.'
        )


class TooManyTokens(PairingError):
    """
    The cluster can have no more tokens.
    """

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"This cluster has reached the limit of {limit} tokens. Revoke one that "
            "is no longer needed."
        )
        self.limit = limit


class TooManyClusters(PairingError):
    """
    The service is full.
    """

    def __init__(self, limit: int, retry_after: float) -> None:
        """
        :param retry_after: the seconds until the next cluster expires.
        """
        super().__init__(
            f"This service has reached its limit of {limit} clusters. "
            "Wait until some expire, or ask the operator to raise --max-clusters."
        )
        self.limit = limit
        self.retry_after = retry_after


class StoreUnavailable(PairingError):
    """
    The answer would depend on a state that cannot be made durable now.
    """

    def __init__(self, retry_after: float) -> None:
        """
        :param retry_after: the seconds after which asking again makes sense.
        """
        super().__init__(
            "The service cannot save changes at the moment, so it takes none. Try "
            "again later; its operator finds the reason in its log."
        )
        self.retry_after = retry_after


class TooManyWaiters(PairingError):
    """
    Nobody else can be kept waiting.
    """

    def __init__(self, limit: int, retry_after: float) -> None:
        """
        :param retry_after: the seconds after which asking again makes sense.
        """
        super().__init__(
            f"This service has reached its limit of {limit} waiting requests. Ask "
            "without Prefer: wait, again and again, or ask the operator to raise "
            "--max-waiters."
        )
        self.limit = limit
        self.retry_after = retry_after


class Stopping(PairingError):
    """
    The waiting ends because the service does.
    """

    retry_after = 2.0
    """The seconds after which another may have taken its place."""

    def __init__(self) -> None:
        super().__init__(
            "The service is being stopped or restarted, so nobody can wait any "
            "longer. Ask again in a moment."
        )


class TooManyRequests(PairingError):
    """
    One client, an IPv4 address or an IPv6 /64, does more than it may; many machines can
    be behind one address.
    """

    def __init__(self, limit: str, retry_after: float) -> None:
        """
        :param limit: the name of the limit.
        :param retry_after: the seconds after which asking again makes sense.
        """
        super().__init__(CLIENT_LIMITS[limit])
        self.limit = limit
        self.retry_after = retry_after


class Overloaded(PairingError):
    """
    All clients together take more than the service has.
    """

    retry_after = 5.0
    """The seconds after which asking again makes sense."""

    def __init__(self, limit: str) -> None:
        """
        :param limit: the name of the limit.
        """
        super().__init__(SERVICE_LIMITS[limit])
        self.limit = limit


SERVICE_LIMITS: Final[Mapping[str, str]] = {
    "descriptors": (
        "This service has as many connections as it may have files open. Try again in "
        "a moment; its operator can raise that limit (LimitNOFILE= of a systemd unit, "
        "or ulimit -n)."
    ),
    "unsent": (
        "Too many answers of this service wait for clients that do not read them. Try "
        "again in a moment."
    ),
}
"""Why, by the name of the limit."""


CLIENT_LIMITS: Final[Mapping[str, str]] = {
    "guesses": (
        "Your address has asked for too many different PINs that never were, so for up "
        "to a minute it can use no other. Check the PINs of your machines for typing "
        "errors. The operator sets this limit with --max-guesses, and names a reverse "
        "proxy with --trusted-proxy."
    ),
    "creations": (
        "Your address has created too many clusters within a minute. Try again later; "
        "the operator sets this limit with --max-creations, and names a reverse proxy "
        "with --trusted-proxy."
    ),
    "connections": (
        "Your address has too many connections. Close one that is no longer needed, or "
        "ask the operator to raise --max-connections; for a reverse proxy, to name it "
        "with --trusted-proxy."
    ),
    "waiters": (
        "Your address has too many requests that wait. Ask without Prefer: wait, again "
        "and again, or ask the operator to raise --max-waiters-per-address."
    ),
}
"""What to do, by the name of the limit."""
