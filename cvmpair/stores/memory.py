"""
The store of a daemon on its own: the book, and a backing behind it.
"""

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from attrs import define

from cvmpair.core.access import WITHOUT_TOKEN, Access, Grant
from cvmpair.core.book import ClusterBook
from cvmpair.core.errors import (
    ClusterGone,
    ClusterNotFound,
    PairingError,
    StoreUnavailable,
)
from cvmpair.core.model import ANY_STATE, Cluster, Condition, Key, Scope, Token
from cvmpair.core.packing import Packed, is_tombstone
from cvmpair.core.timeline import Timeline
from cvmpair.core.tokens import SCOPES, issue, with_token, without_token
from cvmpair.core.tombstones import gone
from cvmpair.stores.protocol import Durability

T = TypeVar("T")


@define(eq=False, kw_only=True)
class MemoryStore:
    """
    A :class:`~cvmpair.stores.protocol.ClusterStore`.

    :ivar lifetime: how long a new cluster lives, in seconds.
    :ivar changed: is called after each change of the book, with the PIN.
    """

    book: ClusterBook
    durability: Durability
    timeline: Timeline
    lifetime: float
    changed: Callable[[str], None]

    async def create(self) -> Cluster:
        return await self._create(self.timeline.now(), None)

    async def create_protected(self) -> tuple[Cluster, dict[Scope, str]]:
        now = self.timeline.now()
        issued = {scope: issue(scope, now=now) for scope in SCOPES}
        cluster = await self._create(now, tuple(token for token, _ in issued.values()))
        return cluster, {scope: text for scope, (_, text) in issued.items()}

    def is_settled(self, pin: str) -> bool:
        return self.durability.is_settled(pin)

    def packed(self, pin: str) -> Packed | None:
        return self.book.packed(pin)

    def check_access(self, packed: Packed | None, access: Access) -> Grant:
        return access.check(packed, self.timeline.now())

    async def read(self, pin: str, access: Access = WITHOUT_TOKEN) -> Packed | None:
        return await self._answer(pin, access, lambda: self.book.packed(pin))

    async def delete(
        self,
        pin: str,
        condition: Condition = ANY_STATE,
        access: Access = WITHOUT_TOKEN,
    ) -> None:
        now = self.timeline.now()
        await self._change(pin, access, lambda: self.book.delete(pin, now, condition))

    async def add_key(
        self,
        pin: str,
        name: str,
        value: str,
        condition: Condition = ANY_STATE,
        access: Access = WITHOUT_TOKEN,
    ) -> Key:
        return await self._change(
            pin, access, lambda: self.book.add_key(pin, name, value, condition)
        )

    def add_key_and_tell(
        self,
        pin: str,
        name: str,
        value: str,
        tell: Callable[[Key | PairingError], None],
    ) -> None:
        try:
            self.durability.check_writable()
        except StoreUnavailable as error:
            tell(error)
            return
        answer: Key | PairingError
        try:
            self.check_access(self.book.packed(pin), WITHOUT_TOKEN)
            answer = self.book.add_key(pin, name, value)
        except PairingError as error:
            answer = self._told(error)
        else:
            self.changed(pin)
        self.durability.when_settled(pin, lambda error: tell(error or answer))

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
        return await self._change(
            pin,
            access,
            lambda: self.book.change_key(
                pin, name, new_name=new_name, value=value, condition=condition
            ),
        )

    async def delete_key(
        self,
        pin: str,
        name: str,
        condition: Condition = ANY_STATE,
        access: Access = WITHOUT_TOKEN,
    ) -> None:
        await self._change(
            pin, access, lambda: self.book.delete_key(pin, name, condition)
        )

    async def add_token(
        self,
        pin: str,
        scope: Scope,
        lifetime: float | None = None,
        condition: Condition = ANY_STATE,
        access: Access = WITHOUT_TOKEN,
    ) -> tuple[Cluster, Token, str]:
        now = self.timeline.now()
        expires = None if lifetime is None else now + lifetime
        token, text = issue(scope, now=now, expires=expires)
        change = partial(with_token, token=token)
        cluster = await self._change(
            pin, access, lambda: self.book.change_tokens(pin, change, condition)
        )
        return cluster, token, text

    async def revoke_token(
        self,
        pin: str,
        token_id: str,
        condition: Condition = ANY_STATE,
        access: Access = WITHOUT_TOKEN,
    ) -> None:
        change = partial(without_token, word=token_id, now=self.timeline.now())
        await self._change(
            pin, access, lambda: self.book.change_tokens(pin, change, condition)
        )

    def wall_time(self, book_time: float) -> float:
        return self.timeline.to_wall(book_time)

    def live(self, packed: Packed | None) -> Packed:
        if packed is None:
            raise ClusterNotFound
        if is_tombstone(packed):
            raise self._told(gone(packed))
        return packed

    async def _create(self, now: float, tokens: tuple[Token, ...] | None) -> Cluster:
        self.durability.check_writable()
        cluster = self.book.create(now, self.lifetime, tokens)
        self.changed(cluster.pin)
        await self.durability.settled(cluster.pin)
        return cluster

    async def _change(self, pin: str, access: Access, change: Callable[[], T]) -> T:
        self.durability.check_writable()

        def apply() -> T:
            result = change()
            self.changed(pin)
            return result

        return await self._answer(pin, access, apply)

    async def _answer(self, pin: str, access: Access, ask: Callable[[], T]) -> T:
        # A refusal says something about the state too, so it is held back as well.
        try:
            # Of the state that is then read or changed: nothing comes in between.
            self.check_access(self.book.packed(pin), access)
            answer = ask()
        except PairingError as error:
            await self.durability.settled(pin)
            raise self._told(error) from None
        await self.durability.settled(pin)
        return answer

    def _told(self, error: PairingError) -> PairingError:
        if isinstance(error, ClusterGone):
            return ClusterGone(error.reason, self.wall_time(error.ended))
        return error
