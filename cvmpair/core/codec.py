"""
Values to plain data and back, with a format version.

A cluster becomes one line of JSON text, without its PIN, which names it
wherever it is kept:
``[created, lifetime, version, [name, value, version], ...]``.
"""

import json
from functools import lru_cache
from typing import Final
from zlib import crc32

from cvmpair.core.model import Cluster, Key
from cvmpair.core.names import is_pin, key_name

FORMAT: Final = 1
"""The version of this format."""

# Nearly all clusters have the same lifetime; a million of them share one object.
_shared = lru_cache(maxsize=1024)(float)
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def encode_cluster(cluster: Cluster) -> str:
    """
    Return the record of a cluster.
    """
    keys = [(key.name, key.value, key.version) for key in cluster.keys]
    return _encode([cluster.created, cluster.lifetime, cluster.version, *keys])


def decode_cluster(pin: str, record: str) -> Cluster:
    """
    Return the cluster that a record describes.

    :raises ValueError: if it is no record of this format.
    """
    try:
        created, lifetime, version, *keys = json.loads(record)
        return Cluster(
            pin=pin,
            created=float(created),
            lifetime=_shared(lifetime),
            version=int(version),
            keys=tuple(
                Key(name=key_name(name), value=value, version=version)
                for name, value, version in keys
            ),
        )
    except (TypeError, AttributeError, RecursionError) as error:
        raise ValueError("not a cluster record") from error


def checksum(pin: str, record: str) -> int:
    """
    Return the CRC-32 of a record under its PIN: no change of up to 32 bits in a
    row goes unseen.

    :raises ValueError: if the PIN is none.
    """
    if not is_pin(pin):
        raise ValueError("not a PIN")
    return crc32(f"{pin} {record}".encode())
