"""
What every :class:`~cvmpair.stores.protocol.ClusterStore` keeps of a protected cluster.
"""

from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from cvmpair.core.access import Access
from cvmpair.core.errors import (
    NotProtected,
    TokenInsufficient,
    TokenNeeded,
    TokenNotFound,
)
from cvmpair.core.model import ANY_STATE, Scope
from cvmpair.core.tokens import SCOPES
from cvmpair.stores.protocol import ClusterStore
from tests.stores.contract import result_of
from tests.stores.reading import cluster_of, key_of

Ask = Callable[[ClusterStore, str, Access], Coroutine[Deferred[Any], Any, object]]

ASKED: dict[str, tuple[Scope, Ask]] = {
    "read": ("read", lambda store, pin, access: store.read(pin, access)),
    "add": (
        "write",
        lambda store, pin, access: store.add_key(
            pin, "sesame-b", "2", ANY_STATE, access
        ),
    ),
    "change": (
        "write",
        lambda store, pin, access: store.change_key(
            pin, "sesame", value="2", access=access
        ),
    ),
    "delete a key": (
        "write",
        lambda store, pin, access: store.delete_key(pin, "sesame", access=access),
    ),
    "add a token": (
        "admin",
        lambda store, pin, access: store.add_token(pin, "read", access=access),
    ),
    "delete": ("admin", lambda store, pin, access: store.delete(pin, access=access)),
}
"""What can be asked, and the least scope that may."""


class ProtectionContract:
    """
    The tests, on the same store as those of the contract.
    """

    @pytest.mark.parametrize("what", ASKED)
    @pytest.mark.parametrize("scope", SCOPES)
    def test_what_each_scope_allows(
        self, store: ClusterStore, what: str, scope: Scope
    ) -> None:
        cluster, tokens = result_of(store.create_protected())
        admin = Access(scope="admin", token=tokens["admin"])
        result_of(store.add_key(cluster.pin, "sesame", "1", access=admin))
        before = store.packed(cluster.pin)
        least, ask = ASKED[what]
        access = Access(scope=least, token=tokens[scope])
        if SCOPES.index(scope) < SCOPES.index(least):
            with pytest.raises(TokenInsufficient):
                result_of(ask(store, cluster.pin, access))
            assert store.packed(cluster.pin) == before
        else:
            result_of(ask(store, cluster.pin, access))
            assert (store.packed(cluster.pin) == before) == (what == "read")

    def test_who_shows_nothing_passes_nowhere(self, store: ClusterStore) -> None:
        cluster, tokens = result_of(store.create_protected())
        admin = Access(scope="admin", token=tokens["admin"])
        result_of(store.add_key(cluster.pin, "sesame", "1", access=admin))
        before = store.packed(cluster.pin)
        told: list[object] = []
        store.add_key_and_tell(cluster.pin, "sesame-b", "2", told.append)
        assert isinstance(told.pop(), TokenNeeded)
        for question in (
            cluster_of(store, cluster.pin),
            key_of(store, cluster.pin, "sesame"),
            store.read(cluster.pin),
            store.add_key(cluster.pin, "sesame-b", "2"),
            store.change_key(cluster.pin, "sesame", value="2"),
            store.delete_key(cluster.pin, "sesame"),
            store.add_token(cluster.pin, "read"),
            store.revoke_token(cluster.pin, tokens["read"][:8]),
            store.delete(cluster.pin),
        ):
            with pytest.raises(TokenNeeded):
                result_of(question)
        assert store.packed(cluster.pin) == before

    def test_a_token_from_beginning_to_end(self, store: ClusterStore) -> None:
        cluster, tokens = result_of(store.create_protected())
        pin, admin = cluster.pin, Access(scope="admin", token=tokens["admin"])
        changed, token, text = result_of(
            store.add_token(pin, "write", 5.0, access=admin)
        )
        assert changed.version > cluster.version
        assert token.expires == cluster.created + 5.0
        assert (changed.tokens or ())[-1] == token
        access = Access(scope="write", token=text)
        key = result_of(store.add_key(pin, "sesame", "1", access=access))
        assert key.version > changed.version
        result_of(store.revoke_token(pin, token.id, access=admin))
        for refusal, question in [
            (TokenNeeded, store.delete_key(pin, "sesame", access=access)),
            (TokenNotFound, store.revoke_token(pin, token.id, access=admin)),
        ]:
            with pytest.raises(refusal):
                result_of(question)

    def test_who_needs_no_token_has_none(self, store: ClusterStore, pin: str) -> None:
        for question in (
            store.add_token(pin, "read"),
            store.revoke_token(pin, "sesame00"),
        ):
            with pytest.raises(NotProtected):
                result_of(question)
        assert result_of(cluster_of(store, pin)).tokens is None
