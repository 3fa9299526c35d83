"""
The book: all clusters, in memory.

Reads are served from here and from nowhere else. Every change gets a version
and is noted in the journal, from which the backing learns what to write.
"""

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Final

from attrs import evolve

from cvmpair.core.batch import Batch
from cvmpair.core.deadlines import Deadlines
from cvmpair.core.errors import (
    ClusterNotFound,
    KeyExists,
    KeyNotFound,
    PairingError,
    Reason,
    TooManyClusters,
    TooManyKeys,
)
from cvmpair.core.journal import Journal
from cvmpair.core.model import ANY_STATE, Cluster, Condition, Key, Limits, Token
from cvmpair.core.names import new_pin
from cvmpair.core.packing import (
    Packed,
    count_keys,
    deadline_of,
    ending_of,
    find_key,
    is_tombstone,
    pack,
    pack_tombstone,
    unpack,
    version_of,
    with_key,
)
from cvmpair.core.tombstones import Tombstones, gone

RUN_LENGTH: Final = 10**9
"""
The first version of a run is a multiple of this.

Versions that a crash lost are so never given out again for something else. A
run would need a billion changes to reach the next one.
"""


COUNTED_AT_ONCE: Final = 1000
"""The clusters whose keys are counted in one go, in a third of the time."""


class ClusterBook:
    """
    The in-memory state, without I/O and without a clock.

    A method either changes the book as a whole or raises and changes nothing.

    :ivar journal: what of it is to be written.
    """

    def __init__(self, limits: Limits, draw_pin: Callable[[], str] = new_pin) -> None:
        self._limits = limits
        self._draw_pin = draw_pin
        self._clusters: dict[str, Packed] = {}
        self._deadlines = Deadlines()
        self._tombstones = Tombstones(limits.tombstones)
        self.journal = Journal()
        self._keys = 0
        self._version = 0

    def __len__(self) -> int:
        return len(self._clusters)

    @property
    def keys(self) -> int:
        """
        How many keys all clusters have.
        """
        return self._keys

    @property
    def tombstones(self) -> int:
        """
        How many clusters that have ended are remembered.
        """
        return len(self._tombstones)

    @property
    def version(self) -> int:
        """
        The version of the last change.
        """
        return self._version

    def load(self, records: Iterable[tuple[str, Packed]]) -> None:
        """
        Take over what the backing holds, once, before :meth:`begin_run`.

        :param records: each PIN with its cluster or its tombstone.
        """
        # Two passes over a million take less time than one that does both.
        self._clusters.update(records)
        ended = []
        for pin, packed in self._clusters.items():
            if is_tombstone(packed):
                ended.append(pin)
            else:
                self._deadlines.add(pin, deadline_of(packed))
        tombstones = [(pin, self._clusters.pop(pin)) for pin in ended]
        clusters = iter(self._clusters.values())
        while some := "".join(islice(clusters, COUNTED_AT_ONCE)):
            self._keys += count_keys(some)
        for pin, _ in self._tombstones.load(tombstones):
            self.journal.note_forgotten(pin, deleted=0)  # all of them are durable

    def begin_run(self, version: int) -> None:
        """
        Begin to give out versions.

        :param version: the last one that the run before is known to have given out.
        """
        self._version = (version // RUN_LENGTH + 1) * RUN_LENGTH

    def create(
        self, now: float, lifetime: float, tokens: tuple[Token, ...] | None = None
    ) -> Cluster:
        """
        Create a cluster under a new PIN.

        :param tokens: those that protect it, or ``None`` to let the PIN be enough.

        :raises TooManyClusters: if the book is full.
        """
        if len(self._clusters) >= self._limits.clusters:
            due = self._deadlines.next()
            raise TooManyClusters(
                self._limits.clusters, retry_after=max(1.0, (due or now) - now)
            )
        pin = self._draw_pin()
        while self.packed(pin) is not None:
            pin = self._draw_pin()
        cluster = Cluster(
            pin=pin,
            created=now,
            lifetime=lifetime,
            version=self._next_version(),
            tokens=tokens,
        )
        self._deadlines.add(pin, cluster.deadline)
        return self._put(cluster)

    def cluster(self, pin: str) -> Cluster:
        """
        Return the cluster of that PIN.

        :raises ClusterGone: if it has ended, here and below.
        :raises ClusterNotFound: if there is none.
        """
        return unpack(pin, self._packed(pin))

    def packed(self, pin: str) -> Packed | None:
        """
        Return what is kept under that PIN, if there is anything: the cluster, or its
        tombstone.
        """
        return self._clusters.get(pin) or self._tombstones.get(pin)

    def delete(self, pin: str, now: float, condition: Condition = ANY_STATE) -> None:
        """
        Delete a cluster with all its keys.

        :raises ClusterNotFound: if there is none.
        :raises ConditionFailed: if ``condition`` does not hold for it.
        """
        cluster = self.cluster(pin)
        condition.check(cluster.version)
        self._deadlines.discard(pin, cluster.deadline)
        version = self._next_version()
        self.journal.note_change(pin, version)
        self._bury(pin, "deleted", now, version)

    def add_key(
        self, pin: str, name: str, value: str, condition: Condition = ANY_STATE
    ) -> Key:
        """
        Add a key; whoever comes first wins.

        :param condition: is checked against the cluster.

        :raises ClusterNotFound: if there is no such cluster.
        :raises KeyExists: if the cluster has a key of that name already.
        :raises TooManyKeys: if the cluster is full.
        :raises ConditionFailed: if ``condition`` does not hold.
        """
        packed = self._packed(pin)
        condition.check(version_of(packed))
        if find_key(packed, name) is not None:
            raise KeyExists
        if count_keys(packed) >= self._limits.keys_per_cluster:
            raise TooManyKeys(self._limits.keys_per_cluster)
        key = Key(name=name, value=value, version=self._next_version())
        # All other keys can stay as they are.
        self._clusters[pin] = with_key(packed, key)
        self._keys += 1
        self.journal.note_change(pin, key.version)
        return key

    def change_key(
        self,
        pin: str,
        name: str,
        *,
        new_name: str | None = None,
        value: str | None = None,
        condition: Condition = ANY_STATE,
    ) -> Key:
        """
        Give a key another name, another value, or both; it keeps its place.

        If nothing is different afterwards, nothing has changed: the version stays.

        :param condition: is checked against the key.

        :raises ClusterNotFound: if there is no such cluster.
        :raises KeyNotFound: if it has no such key.
        :raises KeyExists: if another key has the new name.
        :raises ConditionFailed: if ``condition`` does not hold.
        """
        cluster = self.cluster(pin)
        old = cluster.find(name)
        if old is None:
            raise KeyNotFound
        condition.check(old.version)
        new_name = name if new_name is None else new_name
        value = old.value if value is None else value
        if (new_name, value) == (old.name, old.value):
            return old
        if new_name != name and cluster.find(new_name) is not None:
            raise KeyExists
        new = Key(name=new_name, value=value, version=self._next_version())
        self._put(cluster.with_key_replaced(old, new))
        return new

    def delete_key(self, pin: str, name: str, condition: Condition = ANY_STATE) -> None:
        """
        Delete one key.

        :raises ClusterNotFound: if there is no such cluster.
        :raises KeyNotFound: if it has no such key.
        :raises ConditionFailed: if ``condition`` does not hold for the key.
        """
        cluster = self.cluster(pin)
        old = cluster.find(name)
        if old is None:
            raise KeyNotFound
        condition.check(old.version)
        self._put(cluster.without_key(old, self._next_version()))
        self._keys -= 1

    def change_tokens(
        self,
        pin: str,
        change: Callable[[Cluster], tuple[Token, ...]],
        condition: Condition = ANY_STATE,
    ) -> Cluster:
        """
        Give a cluster other tokens.

        :param change: makes them of the cluster, or raises why it cannot.

        :raises ClusterNotFound: if there is no such cluster.
        :raises ConditionFailed: if ``condition`` does not hold for it.
        """
        cluster = self.cluster(pin)
        condition.check(cluster.version)
        tokens = change(cluster)
        return self._put(evolve(cluster, tokens=tokens, version=self._next_version()))

    def next_deadline(self) -> float | None:
        """
        Return when :meth:`expire` has something to do next, in book time.
        """
        due, over = self._deadlines.next(), self._tombstones.next()
        return over if due is None or (over is not None and over < due) else due

    def expire(self, now: float, at_most: int) -> list[str]:
        """
        End the clusters whose time is over, and return their PINs; and forget those
        whose tombstones have been kept long enough.

        :param at_most: how many at most, of both; call again for the rest.
        """
        due = self._deadlines.pop_due(now, at_most)
        for pin in due:
            packed = self._clusters[pin]
            self.journal.note_end(pin)
            self._bury(pin, "expired", deadline_of(packed), version_of(packed))
        self._note_forgotten(self._tombstones.pop_over(now, at_most))
        return due

    def take_changes(self) -> Batch:
        """
        Return what the journal has to say, as :meth:`~.Journal.take` does.
        """
        journal = self.journal.take()
        clusters = {pin: self.packed(pin) for pin in journal}
        return Batch(version=self._version, clusters=clusters, journal=journal)

    def _packed(self, pin: str) -> Packed:
        try:
            return self._clusters[pin]
        except KeyError:
            raise self._missing(pin) from None

    def _missing(self, pin: str) -> PairingError:
        tombstone = self._tombstones.get(pin)
        return ClusterNotFound() if tombstone is None else gone(tombstone)

    def _bury(self, pin: str, reason: Reason, ended: float, version: int) -> None:
        self._keys -= count_keys(self._clusters.pop(pin))
        tombstone = pack_tombstone(reason, ended, version)
        self._note_forgotten(self._tombstones.add(pin, tombstone))

    def _note_forgotten(self, tombstones: Iterable[tuple[str, Packed]]) -> None:
        for pin, tombstone in tombstones:
            # A deletion may still be on its way.
            deleted = ending_of(tombstone).reason == "deleted"
            self.journal.note_forgotten(pin, version_of(tombstone) if deleted else 0)

    def _next_version(self) -> int:
        self._version += 1
        return self._version

    def _put(self, cluster: Cluster) -> Cluster:
        self._clusters[cluster.pin] = pack(cluster)
        self.journal.note_change(cluster.pin, cluster.version)
        return cluster
