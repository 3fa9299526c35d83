"""
Bearer tokens: how they are made, recognised, and kept in a cluster.

A token is ``ID.SECRET``. The id says which one it is and may be logged; of the secret
only a hash is kept, so whoever reads the state learns no token. A secret of 256 bits
needs neither salt nor a slow hash: there is nothing to guess.
"""

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import Final, get_args

from cvmpair.core.errors import NotProtected, TokenNotFound, TooManyTokens
from cvmpair.core.model import Cluster, Scope, Token
from cvmpair.core.names import draw_word, is_token

ID_LENGTH: Final = 8
SECRET_BYTES: Final = 32

MAX_TOKENS: Final = 64
"""As many has one cluster at most."""

SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)
"""Each allows what those before it do as well."""

Draw = Callable[[int], int]
"""As for :func:`~cvmpair.core.names.new_pin`."""


def issue(
    scope: Scope,
    *,
    now: float,
    expires: float | None = None,
    draw: Draw = secrets.randbelow,
) -> tuple[Token, str]:
    """
    Make a token, and return it with its text, which is to be had only now.
    """
    word = draw_word(ID_LENGTH, draw)
    secret = draw(256**SECRET_BYTES).to_bytes(SECRET_BYTES)
    text = urlsafe_b64encode(secret).rstrip(b"=").decode()
    token = Token(
        id=word, scope=scope, digest=_digest(text), created=now, expires=expires
    )
    return token, f"{word}.{text}"


def verify(text: str, tokens: tuple[Token, ...], now: float) -> Token | None:
    """
    Return which of the tokens a text is, unless it is none or has expired.
    """
    if not is_token(text):
        return None
    word, _, secret = text.partition(".")
    digest = _digest(secret)
    for token in tokens:
        # How long the comparison takes tells nothing. The id is no secret.
        if token.id == word and hmac.compare_digest(token.digest, digest):
            return token if is_live(token, now) else None
    return None


def includes(scope: Scope, needed: Scope) -> bool:
    """
    Say whether a token of one scope allows what needs another.
    """
    return SCOPES.index(scope) >= SCOPES.index(needed)


def is_live(token: Token, now: float) -> bool:
    """
    Say whether a token has not expired.
    """
    return token.expires is None or now < token.expires


def with_token(cluster: Cluster, token: Token) -> tuple[Token, ...]:
    """
    Return the tokens of a cluster with a new one, and without those that have expired.

    :raises NotProtected: if it has none, so that the PIN alone is enough.
    :raises TooManyTokens: if there is no room for one more.
    """
    tokens = _live(cluster, token.created)
    if len(tokens) >= MAX_TOKENS:
        raise TooManyTokens(MAX_TOKENS)
    return (*tokens, token)


def without_token(cluster: Cluster, word: str, now: float) -> tuple[Token, ...]:
    """
    Return the same without one of them.

    :raises NotProtected: likewise.
    :raises TokenNotFound: if it has none with that id.
    """
    tokens = _live(cluster, now)
    left = tuple(token for token in tokens if token.id != word)
    if left == tokens:
        raise TokenNotFound
    return left


def _live(cluster: Cluster, now: float) -> tuple[Token, ...]:
    if cluster.tokens is None:
        raise NotProtected
    return tuple(token for token in cluster.tokens if is_live(token, now))


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
