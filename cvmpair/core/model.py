"""
Frozen values: what a cluster is, and what a caller may demand of its state.

Being frozen, they may be read by the thread that writes them to the disk while
the reactor goes on.
"""

from collections.abc import Set as AbstractSet
from typing import Literal

from attrs import evolve, field, frozen
from attrs.validators import ge, instance_of

from cvmpair.core.errors import ConditionFailed, Reason

Scope = Literal["read", "write", "admin"]
"""What a token allows; each of them allows what those before it do."""

# These are made anew for each answer (see packing.py), so they check no types.


@frozen(kw_only=True)
class Key:
    """
    One item of the data that a cluster shares.

    :ivar version: the number that the last change of this key got.
    """

    name: str
    value: str
    version: int


@frozen(kw_only=True)
class Token:
    """
    What is kept of a token.

    :ivar digest: SHA-256 of its secret, in hexadecimal digits.
    :ivar created: in seconds of book time, as is
    :ivar expires: or ``None`` if it lives as long as the cluster.
    """

    id: str
    scope: Scope
    digest: str = field(repr=False)
    created: float
    expires: float | None


@frozen(kw_only=True)
class Ending:
    """
    What happened to a cluster that is there no more.

    :ivar ended: when, in seconds of book time.
    """

    reason: Reason
    ended: float


@frozen(kw_only=True)
class Cluster:
    """
    The scope that a PIN names.

    :ivar created: when it was created, in seconds of book time
        (:class:`~cvmpair.core.timeline.Timeline`).
    :ivar lifetime: how long it lives, in seconds.
    :ivar version: the number that the last change of the cluster or of any of
        its keys got.
    :ivar keys: in the order of their creation.
    :ivar tokens: in the order of their creation; ``None`` if it is not protected.
    """

    pin: str
    created: float
    lifetime: float
    version: int
    keys: tuple[Key, ...] = ()
    tokens: tuple[Token, ...] | None = None

    @property
    def deadline(self) -> float:
        """
        When it expires, in seconds of book time.
        """
        return self.created + self.lifetime

    def find(self, name: str) -> Key | None:
        """
        Return the key of that name, if there is one.
        """
        for key in self.keys:
            if key.name == name:
                return key
        return None

    def with_key_replaced(self, old: Key, new: Key) -> "Cluster":
        """
        Return this cluster with ``new`` in the place of ``old``.
        """
        keys = tuple(new if key is old else key for key in self.keys)
        return evolve(self, version=new.version, keys=keys)

    def without_key(self, old: Key, version: int) -> "Cluster":
        """
        Return this cluster as it is once ``old`` has been deleted.
        """
        keys = tuple(key for key in self.keys if key is not old)
        return evolve(self, version=version, keys=keys)


@frozen(kw_only=True)
class Limits:
    """
    How much one book holds.
    """

    clusters: int = field(default=1_000_000, validator=[instance_of(int), ge(1)])
    keys_per_cluster: int = field(default=64, validator=[instance_of(int), ge(1)])
    tombstones: int = field(default=100_000, validator=[instance_of(int), ge(0)])


@frozen(kw_only=True)
class Condition:
    """
    What a caller demands of a resource before he changes it (RFC 9110, 13.1).

    :ivar match: the versions one of which it must have; ``None`` if any will do.
    :ivar none_match: the versions none of which it may have; ``None`` stands
        for the ``*`` of ``If-None-Match``, which says that it must not exist.
    """

    match: AbstractSet[int] | None = None
    none_match: AbstractSet[int] | None = frozenset()

    def check(self, version: int) -> None:
        """
        Let a change of a resource of that version pass, or not.

        :raises ConditionFailed: if not.
        """
        self.check_match(version)
        if self.is_known(version):
            raise ConditionFailed

    def check_match(self, version: int) -> None:
        """
        Check :attr:`match` alone.

        :raises ConditionFailed: if it does not hold.
        """
        if self.match is not None and version not in self.match:
            raise ConditionFailed

    def is_known(self, version: int) -> bool:
        """
        Say whether it is :attr:`none_match` that does not hold: to a reader, that
        it has this version already.
        """
        return self.none_match is None or version in self.none_match


ANY_STATE = Condition()
"""The condition that always holds."""
