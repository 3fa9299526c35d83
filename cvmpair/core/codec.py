"""
Values to plain data and back, with a format version.

A cluster becomes one line of JSON text, without its PIN, which names it
wherever it is kept:
``[created, lifetime, version, [name, value, version], ...]``.
"""

import json
from functools import lru_cache
from itertools import chain, starmap
from math import isfinite
from typing import Any, Final
from zlib import crc32

from cvmpair.core.names import is_pin, key_name, share
from cvmpair.core.packing import Packed

FORMAT: Final = 1
"""The version of this format."""

# Nearly all clusters have the same lifetime, and a cluster has the version of its
# newest key: of a million clusters, those that are equal share one number.
_decode = json.JSONDecoder(
    parse_int=lru_cache(maxsize=1024)(int),
    parse_float=lru_cache(maxsize=1024)(float),
).decode
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def encode_cluster(packed: Packed) -> str:
    """
    Return the record of a cluster.
    """
    created, lifetime, version, *rest = packed
    keys = zip(rest[::3], rest[1::3], rest[2::3], strict=True)
    return _encode([created, lifetime, version, *keys])


def decode_cluster(record: str) -> Packed:
    """
    Return the cluster that a record describes.

    :raises ValueError: if it is no record of this format.
    """
    try:
        created, lifetime, version, *keys = _decode(record)
        return (
            _seconds(created),
            _seconds(lifetime),
            _version(version),
            *chain.from_iterable(starmap(_key, keys)),
        )
    except (TypeError, OverflowError, RecursionError) as error:
        raise ValueError("not a cluster record") from error


# True is an int to isinstance(), and to a record it is a fault.


def _version(value: Any) -> int:
    if type(value) is not int:
        raise TypeError("not a version")
    return value


def _key(name: Any, value: Any, version: Any) -> tuple[str, str, int]:
    if type(name) is not str or type(value) is not str:
        raise TypeError("not a key")
    return key_name(name), share(value), _version(version)


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
