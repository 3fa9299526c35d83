import hashlib
from itertools import product

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from cvmpair.core.errors import NotProtected, TokenNotFound, TooManyTokens
from cvmpair.core.model import Cluster, Token
from cvmpair.core.tokens import (
    MAX_TOKENS,
    SCOPES,
    includes,
    is_live,
    issue,
    verify,
    with_token,
    without_token,
)

NOW = 1000.0
CLUSTER = Cluster(pin="abcdefghijkl", created=NOW, lifetime=60.0, version=7, tokens=())
OLD = Token(id="old00000", scope="read", digest="0" * 64, created=0.0, expires=NOW)


def test_the_text_of_a_token() -> None:
    asked: list[int] = []

    def draw(below: int) -> int:
        asked.append(below)
        return below - 1

    token, text = issue("write", now=NOW, expires=NOW + 1, draw=draw)
    assert asked == [36**8, 2**256]
    secret = "_" * 42 + "8"
    assert text == f"99999999.{secret}"
    assert token == Token(
        id="99999999",
        scope="write",
        digest=hashlib.sha256(secret.encode()).hexdigest(),
        created=NOW,
        expires=NOW + 1,
    )
    assert secret not in repr(token)
    assert token.digest not in repr(token)


def test_no_two_are_alike() -> None:
    issued = [issue("read", now=NOW) for _ in range(100)]
    assert len({text.partition(".")[2] for _, text in issued}) == 100
    assert len({token.digest for token, _ in issued}) == 100


@pytest.mark.parametrize(("scope", "needed"), list(product(SCOPES, SCOPES)))
def test_scopes_nest(scope: str, needed: str) -> None:
    assert includes(scope, needed) == (
        (scope, needed)
        in {
            ("read", "read"),
            *(("write", lower) for lower in ("read", "write")),
            *(("admin", lower) for lower in ("read", "write", "admin")),
        }
    )


@given(data=st.data())
def test_only_the_very_text_is_a_token(data: st.DataObject) -> None:
    issued = [issue(scope, now=NOW) for scope in SCOPES]
    tokens = tuple(token for token, _ in issued)
    token, text = data.draw(st.sampled_from(issued))
    assert verify(text, tokens, NOW) == token
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from("abcXYZ019-_.=\0\u0661") | st.just(""))
    changed = text[:at] + other + text[at + 1 :]
    assert (verify(changed, tokens, NOW) is None) == (changed != text)
    left = tuple(one for one in tokens if one != token)
    assert verify(text, left, NOW) is None


def test_the_secret_of_another_id() -> None:
    (one, first), (two, second) = (issue("read", now=NOW) for _ in range(2))
    mixed = f"{one.id}.{second.partition('.')[2]}"
    assert verify(mixed, (one, two), NOW) is None
    assert verify(first, (one, two), NOW) == one
    assert verify(f"{first}\n", (one, two), NOW) is None


@pytest.mark.parametrize(("later", "live"), [(0.0, True), (0.9, True), (1.0, False)])
def test_a_token_expires(later: float, live: bool) -> None:  # noqa: FBT001
    token, text = issue("read", now=NOW, expires=NOW + 1)
    assert is_live(token, NOW + later) is live
    assert (verify(text, (token,), NOW + later) == token) is live


def test_a_token_without_an_end_lives_as_long_as_its_cluster() -> None:
    token, text = issue("read", now=NOW)
    assert verify(text, (token,), 1e12) == token


def test_a_new_one_drives_out_what_has_expired() -> None:
    token, _ = issue("read", now=NOW)
    assert with_token(evolve(CLUSTER, tokens=(OLD,)), token) == (token,)


def test_there_is_room_for_so_many() -> None:
    tokens = tuple(issue("read", now=NOW)[0] for _ in range(MAX_TOKENS - 1))
    one, more = (issue("read", now=NOW)[0] for _ in range(2))
    full = with_token(evolve(CLUSTER, tokens=(OLD, *tokens)), one)
    assert full == (*tokens, one)
    with pytest.raises(TooManyTokens) as caught:
        with_token(evolve(CLUSTER, tokens=full), more)
    assert caught.value.limit == MAX_TOKENS


def test_one_is_taken_away() -> None:
    one, two = (issue("read", now=NOW)[0] for _ in range(2))
    cluster = evolve(CLUSTER, tokens=(OLD, one, two))
    assert without_token(cluster, one.id, NOW) == (two,)
    assert without_token(evolve(CLUSTER, tokens=(one,)), one.id, NOW) == ()
    for missing in ("missing0", OLD.id, ""):
        with pytest.raises(TokenNotFound):
            without_token(cluster, missing, NOW)


def test_a_cluster_that_is_not_protected_stays_so() -> None:
    cluster = evolve(CLUSTER, tokens=None)
    token, _ = issue("read", now=NOW)
    with pytest.raises(NotProtected):
        with_token(cluster, token)
    with pytest.raises(NotProtected):
        without_token(cluster, token.id, NOW)
