"""
What the book should do, done with plain dictionaries and no regard for speed.
"""

from collections.abc import Iterable
from math import ceil

from attrs import define, field

from cvmpair.core.errors import (
    ClusterNotFound,
    KeyExists,
    KeyNotFound,
    TooManyClusters,
    TooManyKeys,
)
from cvmpair.core.model import Cluster, Condition, Limits


@define
class ModelCluster:
    """
    :ivar keys: value and version by name.
    """

    second: int
    version: int
    keys: dict[str, tuple[str, int]] = field(factory=dict)


@define
class ModelBook:
    """
    :ivar journal: what has changed since the last write, with the version that
        must be durable before it may be told.
    """

    limits: Limits
    clusters: dict[str, ModelCluster] = field(factory=dict)
    journal: dict[str, int] = field(factory=dict)
    version: int = 0

    def load(self, clusters: Iterable[Cluster], version: int) -> None:
        self.clusters = {
            cluster.pin: ModelCluster(
                second=ceil(cluster.deadline),
                version=cluster.version,
                keys={key.name: (key.value, key.version) for key in cluster.keys},
            )
            for cluster in clusters
        }
        self.journal = {}
        self.version = version

    def room(self) -> None:
        if len(self.clusters) >= self.limits.clusters:
            raise TooManyClusters(self.limits.clusters, retry_after=1.0)

    def create(self, pin: str, deadline: float) -> None:
        assert pin not in self.clusters, "two clusters with one PIN"
        self.clusters[pin] = ModelCluster(ceil(deadline), self.changed(pin))

    def cluster(self, pin: str) -> ModelCluster:
        if pin not in self.clusters:
            raise ClusterNotFound
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

    def delete(self, pin: str, condition: Condition) -> None:
        condition.check(self.cluster(pin).version)
        del self.clusters[pin]
        self.changed(pin)

    def expire(self, pin: str) -> int:
        """
        Remove a cluster and return the second at which it was due.
        """
        self.journal[pin] = 0
        return self.clusters.pop(pin).second

    def seconds(self) -> list[int]:
        """
        Return when clusters are due, the earliest first.
        """
        return sorted(cluster.second for cluster in self.clusters.values())

    def changed(self, pin: str) -> int:
        self.version += 1
        self.journal[pin] = self.version
        return self.version
