"""
Who may do something with a cluster: anybody who knows its PIN, or, if it is
protected, whoever has a token.
"""

from math import inf
from typing import Final

from attrs import field, frozen

from cvmpair.core.errors import TokenInsufficient, TokenMalformed, TokenNeeded
from cvmpair.core.model import Scope
from cvmpair.core.packing import Packed, is_protected, unpack_tokens
from cvmpair.core.tokens import includes, verify


@frozen(kw_only=True)
class Grant:
    """
    By what a request may pass.

    :ivar token: the id of its token; ``None`` if it needs none.
    :ivar seconds: how long the token is still valid, unless it is revoked.
    """

    token: str | None = None
    seconds: float = inf


WITHOUT_NEED: Final = Grant()


@frozen(kw_only=True)
class Access:
    """
    What a request shows, and what it needs.

    :ivar scope: what the token has to allow.
    :ivar token: its text; ``None`` if there is none.
    :ivar malformed: whether there is something in its place that cannot be read.
    """

    scope: Scope
    token: str | None = field(default=None, repr=False)
    malformed: bool = False

    def check(self, packed: Packed | None, now: float) -> Grant:
        """
        Let a request pass to a cluster in that state, or not, and return by what.

        :param packed: ``None`` if there is no such cluster: whoever asks is told.

        :raises TokenMalformed: if the token cannot be read.
        :raises TokenNeeded: if there is none, or none that is valid.
        :raises TokenInsufficient: if it does not allow this.
        """
        if packed is None or not is_protected(packed):
            return WITHOUT_NEED
        if self.malformed:
            raise TokenMalformed
        if self.token is None:
            raise TokenNeeded(shown=False)
        token = verify(self.token, unpack_tokens(packed), now)
        if token is None:
            raise TokenNeeded(shown=True)
        if not includes(token.scope, self.scope):
            raise TokenInsufficient(self.scope)
        left = inf if token.expires is None else token.expires - now
        return Grant(token=token.id, seconds=left)


WITHOUT_TOKEN: Final = Access(scope="admin")
"""Of whoever shows nothing: it passes to no protected cluster."""
