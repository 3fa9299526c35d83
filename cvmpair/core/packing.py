"""
A cluster as one flat tuple, which is how the book keeps a million of them.

Beside the texts and numbers in them, a cluster and its two keys take 272 bytes as
objects and 112 as a tuple. And the garbage collector, which would look at a million
clusters for a second while everybody waits, takes no interest in a tuple of texts
and numbers.
"""

from itertools import chain
from typing import Any, Final

from cvmpair.core.model import Cluster, Key

Packed = tuple[Any, ...]
"""``created, lifetime, version``, and for each key ``name, value, version``."""

_FIRST_KEY: Final = 3


def pack(cluster: Cluster) -> Packed:
    """
    Return all of a cluster but its PIN.
    """
    keys = ((key.name, key.value, key.version) for key in cluster.keys)
    return (
        cluster.created,
        cluster.lifetime,
        cluster.version,
        *chain.from_iterable(keys),
    )


def unpack(pin: str, packed: Packed) -> Cluster:
    """
    Return the cluster that was packed.
    """
    created, lifetime, version, *rest = packed
    keys = zip(rest[::3], rest[1::3], rest[2::3], strict=True)
    return Cluster(
        pin=pin,
        created=created,
        lifetime=lifetime,
        version=version,
        keys=tuple(Key(name=name, value=value, version=v) for name, value, v in keys),
    )


def deadline_of(packed: Packed) -> float:
    """
    Return when a packed cluster expires, in seconds of book time.
    """
    created, lifetime, *_ = packed
    return float(created + lifetime)


def version_of(packed: Packed) -> int:
    """
    Return the version of a packed cluster.
    """
    version: int = packed[2]
    return version


def count_keys(packed: Packed) -> int:
    """
    Return how many keys a packed cluster has.
    """
    return (len(packed) - _FIRST_KEY) // 3


def with_key(packed: Packed, key: Key) -> Packed:
    """
    Return a packed cluster with one more key, at that key's version.
    """
    created, lifetime, _, *keys = packed
    return (created, lifetime, key.version, *keys, key.name, key.value, key.version)


def find_key(packed: Packed, name: str) -> Key | None:
    """
    Return one key of a packed cluster, if it is there.
    """
    for place in range(_FIRST_KEY, len(packed), 3):
        if packed[place] == name:
            return Key(name=name, value=packed[place + 1], version=packed[place + 2])
    return None
