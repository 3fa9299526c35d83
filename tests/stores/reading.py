"""
What a store says of a cluster, as the objects that a test can look at.
"""

from cvmpair.core.errors import KeyNotFound
from cvmpair.core.model import Cluster, Key
from cvmpair.core.packing import find_key, unpack
from cvmpair.stores.protocol import ClusterStore


async def cluster_of(store: ClusterStore, pin: str) -> Cluster:
    """
    Return a cluster with its keys, or raise why there is none.
    """
    return unpack(pin, store.live(await store.read(pin)))


async def key_of(store: ClusterStore, pin: str, name: str) -> Key:
    """
    Return one key of it, or raise why there is none.
    """
    key = find_key(store.live(await store.read(pin)), name)
    if key is None:
        raise KeyNotFound
    return key
