import pytest
from attrs import evolve

from cvmpair.core.access import WITHOUT_TOKEN, Access
from cvmpair.core.errors import (
    PairingError,
    TokenInsufficient,
    TokenMalformed,
    TokenNeeded,
)
from cvmpair.core.model import Cluster, Key
from cvmpair.core.packing import pack, pack_tombstone
from cvmpair.core.tokens import SCOPES, issue

NOW = 1000.0
ISSUED = {scope: issue(scope, now=NOW, expires=NOW + 10) for scope in SCOPES}
# A value that looks like tokens.
KEY = Key(name="sesame", value=',{"sesame":[]}]', version=8)
OPEN = Cluster(pin="abcdefghijkl", created=NOW, lifetime=60.0, version=9, keys=(KEY,))
PROTECTED = evolve(OPEN, tokens=tuple(token for token, _ in ISSUED.values()))


@pytest.mark.parametrize(
    "access",
    [
        WITHOUT_TOKEN,
        Access(scope="admin", token="sesame"),
        Access(scope="admin", malformed=True),
    ],
)
@pytest.mark.parametrize(
    "packed", [pack(OPEN), pack_tombstone("deleted", NOW, 9), None]
)
def test_where_nothing_is_protected(access: Access, packed: str | None) -> None:
    access.check(packed, NOW)


@pytest.mark.parametrize("needed", SCOPES)
@pytest.mark.parametrize("scope", SCOPES)
def test_each_scope(scope: str, needed: str) -> None:
    access = Access(scope=needed, token=ISSUED[scope][1])
    if SCOPES.index(scope) >= SCOPES.index(needed):
        access.check(pack(PROTECTED), NOW)
    else:
        with pytest.raises(TokenInsufficient) as caught:
            access.check(pack(PROTECTED), NOW)
        assert caught.value.needed == needed


@pytest.mark.parametrize("needed", SCOPES)
@pytest.mark.parametrize("tokens", [PROTECTED.tokens, ()])
def test_without_a_token(needed: str, tokens: tuple) -> None:
    packed = pack(evolve(PROTECTED, tokens=tokens))
    refusals: list[tuple[Access, type[PairingError]]] = [
        (WITHOUT_TOKEN, TokenNeeded),
        (Access(scope=needed), TokenNeeded),
        (Access(scope=needed, token=issue("admin", now=NOW)[1]), TokenNeeded),
        (Access(scope=needed, malformed=True), TokenMalformed),
    ]
    for access, error in refusals:
        with pytest.raises(error):
            access.check(packed, NOW)


def test_one_that_has_expired_is_none() -> None:
    access = Access(scope="read", token=ISSUED["admin"][1])
    access.check(pack(PROTECTED), NOW + 9)
    with pytest.raises(TokenNeeded):
        access.check(pack(PROTECTED), NOW + 10)


def test_a_token_is_not_shown() -> None:
    text = ISSUED["read"][1]
    assert text.partition(".")[2] not in repr(Access(scope="read", token=text))
