"""
Values to plain data and back, with a format version.

A cluster becomes one line of JSON text, without its PIN, which names it
wherever it is kept:
``[created, lifetime, version, [name, value, version], ...]``.
"""

import json
from functools import lru_cache
from itertools import starmap
from math import isfinite
from typing import Any, Final
from zlib import crc32

from cvmpair.core.model import Cluster, Key
from cvmpair.core.names import is_pin, key_name, share

FORMAT: Final = 1
"""The version of this format."""

# Nearly all clusters have the same lifetime, and a cluster has the version of its
# newest key: of a million clusters, those that are equal share one number.
_decode = json.JSONDecoder(
    parse_int=lru_cache(maxsize=1024)(int),
    parse_float=lru_cache(maxsize=1024)(float),
).decode
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
        created, lifetime, version, *keys = _decode(record)
        return Cluster(
            pin=pin,
            created=_seconds(created),
            lifetime=_seconds(lifetime),
            version=_version(version),
            keys=tuple(starmap(_key, keys)),
        )
    except (TypeError, OverflowError, RecursionError) as error:
        raise ValueError("not a cluster record") from error


# True is an int to isinstance(), and to a record it is a fault.


def _version(value: Any) -> int:
    if type(value) is not int:
        raise TypeError("not a version")
    return value


def _key(name: Any, value: Any, version: Any) -> Key:
    if type(name) is not str or type(value) is not str:
        raise TypeError("not a key")
    return Key(name=key_name(name), value=share(value), version=_version(version))


def _seconds(value: Any) -> float:
    if type(value) not in (float, int) or not isfinite(value):
        raise TypeError("not a number of seconds")
    return float(value)


def checksum(pin: str, record: str) -> int:
    """
    Return the CRC-32 of a record under its PIN: no change of up to 32 bits in a
    row goes unseen.

    :raises ValueError: if the PIN is none.
    """
    if not is_pin(pin):
        raise ValueError("not a PIN")
    return crc32(f"{pin} {record}".encode())
