"""
What the book should do, done with plain dictionaries and no regard for speed.
"""

from collections.abc import Iterable
from math import ceil

from attrs import define, field

from cvmpair.core.errors import (
    ClusterGone,
    ClusterNotFound,
    KeyExists,
    KeyNotFound,
    Reason,
    TooManyClusters,
    TooManyKeys,
)
from cvmpair.core.model import Cluster, Condition, Limits
from cvmpair.core.tombstones import KEPT


@define
class ModelCluster:
    """
    :ivar keys: value and version by name.
    """

    deadline: float
    version: int
    keys: dict[str, tuple[str, int]] = field(factory=dict)


@define
class ModelBook:
    """
    :ivar ended: what happened to which cluster, and when, in the order in which they
        are forgotten.
    :ivar deletions: the version of each deletion that is remembered.
    :ivar journal: what has changed since the last write, with the version that
        must be durable before it may be told.
    :ivar patient: what of that may be left for a later write.
    """

    limits: Limits
    clusters: dict[str, ModelCluster] = field(factory=dict)
    ended: dict[str, tuple[Reason, float]] = field(factory=dict)
    deletions: dict[str, int] = field(factory=dict)
    journal: dict[str, int] = field(factory=dict)
    patient: set[str] = field(factory=set)
    version: int = 0

    def load(
        self,
        clusters: Iterable[Cluster],
        ended: dict[str, tuple[Reason, float]],
        deletions: dict[str, int],
        version: int,
    ) -> None:
        self.clusters = {
            cluster.pin: ModelCluster(
                deadline=cluster.deadline,
                version=cluster.version,
                keys={key.name: (key.value, key.version) for key in cluster.keys},
            )
            for cluster in clusters
        }
        self.journal = {}
        self.patient = set()
        self.deletions = {}
        self.version = version
        in_order = sorted(ended.items(), key=lambda one: one[1][1])
        self.ended = {}
        for pin, (reason, time) in in_order:
            self.bury(pin, reason, time)
        # Those that are forgotten already were durable.
        self.deletions = {pin: deletions[pin] for pin in deletions if pin in self.ended}

    def room(self) -> None:
        if len(self.clusters) >= self.limits.clusters:
            raise TooManyClusters(self.limits.clusters, retry_after=1.0)

    def create(self, pin: str, deadline: float) -> None:
        assert pin not in self.clusters, "two clusters with one PIN"
        assert pin not in self.ended, "the PIN of one that is remembered"
        self.clusters[pin] = ModelCluster(deadline, self.changed(pin))

    def cluster(self, pin: str) -> ModelCluster:
        if pin not in self.clusters:
            raise (
                ClusterGone(*self.ended[pin]) if pin in self.ended else ClusterNotFound
            )
        return self.clusters[pin]

    def key(self, pin: str, name: str) -> tuple[str, int]:
        keys = self.cluster(pin).keys
        if name not in keys:
            raise KeyNotFound
        return keys[name]

    def add_key(self, pin: str, name: str, value: str, condition: Condition) -> None:
        cluster = self.cluster(pin)
        condition.check(cluster.version)
        if name in cluster.keys:
            raise KeyExists
        if len(cluster.keys) == self.limits.keys_per_cluster:
            raise TooManyKeys(self.limits.keys_per_cluster)
        cluster.version = self.changed(pin)
        cluster.keys[name] = (value, self.version)

    def change_key(
        self,
        pin: str,
        name: str,
        new_name: str | None,
        value: str | None,
        condition: Condition,
    ) -> None:
        old_value, version = self.key(pin, name)
        condition.check(version)
        cluster = self.cluster(pin)
        new_name, value = new_name or name, value or old_value
        if new_name != name and new_name in cluster.keys:
            raise KeyExists
        if (new_name, value) != (name, old_value):
            cluster.version = self.changed(pin)
            keys = [
                (new_name, (value, self.version)) if key == name else (key, rest)
                for key, rest in cluster.keys.items()
            ]
            cluster.keys = dict(keys)

    def delete_key(self, pin: str, name: str, condition: Condition) -> None:
        condition.check(self.key(pin, name)[1])
        self.cluster(pin).version = self.changed(pin)
        del self.cluster(pin).keys[name]

    def delete(self, pin: str, now: float, condition: Condition) -> None:
        condition.check(self.cluster(pin).version)
        del self.clusters[pin]
        self.deletions[pin] = self.changed(pin)
        self.bury(pin, "deleted", now)

    def expire(self, pin: str) -> int:
        """
        End a cluster and return the second at which it was due.
        """
        self.wait_patiently(pin, 0)
        self.journal[pin] = 0
        cluster = self.clusters.pop(pin)
        self.bury(pin, "expired", cluster.deadline)
        return ceil(cluster.deadline)

    def bury(self, pin: str, reason: Reason, ended: float) -> None:
        self.ended[pin] = reason, ended
        if len(self.ended) > self.limits.tombstones:
            self.forget(next(iter(self.ended)))

    def forget(self, pin: str) -> None:
        del self.ended[pin]
        self.wait_patiently(pin, self.deletions.pop(pin, 0))

    def wait_patiently(self, pin: str, version: int) -> None:
        if pin not in self.journal:
            self.journal[pin] = version
            self.patient.add(pin)

    def over(self, now: float, at_most: int) -> None:
        """
        Forget those that ended long ago.
        """
        for pin in list(self.ended)[:at_most]:
            if ceil(self.ended[pin][1] + KEPT) > now:
                return
            self.forget(pin)

    def seconds(self) -> list[int]:
        """
        Return when clusters are due, the earliest first.
        """
        return sorted(ceil(cluster.deadline) for cluster in self.clusters.values())

    def next_deadline(self) -> int | None:
        over = [ceil(ended + KEPT) for _, ended in self.ended.values()]
        return min([*self.seconds(), *over[:1]], default=None)

    def changed(self, pin: str) -> int:
        self.version += 1
        self.journal[pin] = self.version
        self.patient.discard(pin)
        return self.version
