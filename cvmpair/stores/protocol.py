"""
What the web sees of the state, wherever that is kept.
"""

from collections.abc import Callable
from typing import Protocol

from cvmpair.core.access import WITHOUT_TOKEN, Access, Grant
from cvmpair.core.errors import PairingError, StoreUnavailable
from cvmpair.core.model import ANY_STATE, Cluster, Condition, Key, Scope, Token
from cvmpair.core.packing import Packed


class ClusterStore(Protocol):
    """
    All clusters.

    A method returns, or raises one of :mod:`cvmpair.core.errors`, only when what
    it says is durable. Names and values that come in are legal already.
    Every method may raise :class:`~cvmpair.core.errors.StoreUnavailable`, and
    those that take a PIN :class:`~cvmpair.core.errors.ClusterNotFound` and
    :class:`~cvmpair.core.errors.ClusterGone`.

    What a protected cluster demands is checked of the very state that is read or
    changed: the errors of :meth:`check_access` may come as well. A method that is not
    told of a token passes to no such cluster.
    """

    async def create(self) -> Cluster:
        """
        Create a cluster under a new PIN.

        :raises TooManyClusters: if there is no room for it.
        """

    async def create_protected(self) -> tuple[Cluster, dict[Scope, str]]:
        """
        Create one that is protected, and return it with a token for each scope.

        :raises TooManyClusters: likewise.
        """

    def is_settled(self, pin: str) -> bool:
        """
        Say whether :meth:`packed` shows nothing of a cluster that is not durable.
        """

    def packed(self, pin: str) -> Packed | None:
        """
        Return a cluster as it is now, durable or not, or its tombstone; ``None`` if
        there is neither.
        """

    def check_access(self, packed: Packed | None, access: Access) -> Grant:
        """
        Let a request pass now to a cluster as it is, or not, and return by what.

        :raises: the errors of :meth:`cvmpair.core.access.Access.check`.
        """

    async def read(self, pin: str, access: Access = WITHOUT_TOKEN) -> Packed | None:
        """
        Return the same, once it is durable.
        """

    async def delete(
        self,
        pin: str,
        condition: Condition = ANY_STATE,
        access: Access = WITHOUT_TOKEN,
    ) -> None:
        """
        Delete a cluster with its keys.

        :raises ConditionFailed: if ``condition`` does not hold for the cluster.
        """

    async def add_key(
        self,
        pin: str,
        name: str,
        value: str,
        condition: Condition = ANY_STATE,
        access: Access = WITHOUT_TOKEN,
    ) -> Key:
        """
        Add a key.

        :raises KeyExists: if there is one of that name.
        :raises TooManyKeys: if there is no room for it.
        :raises ConditionFailed: if ``condition`` does not hold for the cluster.
        """

    def add_key_and_tell(
        self,
        pin: str,
        name: str,
        value: str,
        tell: Callable[[Key | PairingError], None],
    ) -> None:
        """
        Add a key as :meth:`add_key` does without a token, and hand the result or the
        error to a callback once it is durable, which may be at once.
        """

    async def change_key(
        self,
        pin: str,
        name: str,
        *,
        new_name: str | None = None,
        value: str | None = None,
        condition: Condition = ANY_STATE,
        access: Access = WITHOUT_TOKEN,
    ) -> Key:
        """
        Give a key another name, another value, or both.

        :raises KeyNotFound: if there is none of that name.
        :raises KeyExists: if there is another of the new name.
        :raises ConditionFailed: if ``condition`` does not hold for the key.
        """

    async def delete_key(
        self,
        pin: str,
        name: str,
        condition: Condition = ANY_STATE,
        access: Access = WITHOUT_TOKEN,
    ) -> None:
        """
        Delete one key.

        :raises KeyNotFound: if there is none of that name.
        :raises ConditionFailed: if ``condition`` does not hold for the key.
        """

    async def add_token(
        self,
        pin: str,
        scope: Scope,
        lifetime: float | None = None,
        condition: Condition = ANY_STATE,
        access: Access = WITHOUT_TOKEN,
    ) -> tuple[Cluster, Token, str]:
        """
        Make a token of a cluster, and return the cluster, and the token with its text.

        :param lifetime: in seconds; ``None`` for as long as the cluster has.

        :raises NotProtected: if it has no tokens.
        :raises TooManyTokens: if there is no room for it.
        :raises ConditionFailed: if ``condition`` does not hold for the cluster.
        """

    async def revoke_token(
        self,
        pin: str,
        token_id: str,
        condition: Condition = ANY_STATE,
        access: Access = WITHOUT_TOKEN,
    ) -> None:
        """
        Revoke a token, which from then on is none.

        :raises NotProtected: if the cluster has no tokens.
        :raises TokenNotFound: if it has none of that id.
        :raises ConditionFailed: if ``condition`` does not hold for the cluster.
        """

    def live(self, packed: Packed | None) -> Packed:
        """
        Return what :meth:`packed` returned, if that is a cluster.
        """

    def wall_time(self, book_time: float) -> float:
        """
        Return what the wall clock shows at a time of a cluster, in seconds since
        the epoch.
        """


class Durability(Protocol):
    """
    What a store in memory needs to know of its backing.
    """

    def check_writable(self) -> None:
        """
        Let a change begin, or raise
        :class:`~cvmpair.core.errors.StoreUnavailable`.
        """

    def is_settled(self, pin: str) -> bool:
        """
        Say whether :meth:`settled` would return at once.
        """

    def when_settled(
        self, pin: str, tell: Callable[[StoreUnavailable | None], None]
    ) -> None:
        """
        Call back when :meth:`settled` would return, which may be at once, or with the
        error that it would raise.
        """

    async def settled(self, pin: str) -> None:
        """
        Wait until all that may be said about a cluster now is durable, or raise
        :class:`~cvmpair.core.errors.StoreUnavailable`.
        """
