"""
A cluster as its record, one text, which is how the book keeps a million of them.

It is the text that the backing keeps as well, so nothing is decoded when a state is
loaded and nothing encoded when it is saved. A cluster with two keys takes 160 bytes,
a quarter of what it takes as objects, and the garbage collector, which would look at
a million clusters for a second while everybody waits, takes no interest in texts.

Whoever asks for one key pays for that one alone. Its place is found by text: nothing
in a value can look like ``,["name","``, because a quotation mark in a value has a
backslash before it, and after the one at its end comes a comma and a number.
"""

import json
import re
from typing import Final

from cvmpair.core.model import Cluster, Key

Packed = str
"""
``[created,lifetime,version,["name","value",version],...]``: JSON without a space,
escaped no more than it must be.
"""

_encode: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_decode: Final = json.JSONDecoder().decode
_decode_at: Final = json.JSONDecoder().raw_decode
_key_begins: Final = re.compile(r',\["[A-Za-z0-9_-]').findall


def pack(cluster: Cluster) -> Packed:
    """
    Return all of a cluster but its PIN.
    """
    keys = ((key.name, key.value, key.version) for key in cluster.keys)
    return _encode([cluster.created, cluster.lifetime, cluster.version, *keys])


def unpack(pin: str, packed: Packed) -> Cluster:
    """
    Return the cluster that was packed.
    """
    created, lifetime, version, *keys = _decode(packed)
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
    created, lifetime, _ = packed.split(",", 2)
    return float(created[1:]) + float(lifetime)


def version_of(packed: Packed) -> int:
    """
    Return the version of a packed cluster.
    """
    return int(packed.split(",", 3)[2].removesuffix("]"))


def count_keys(packed: Packed) -> int:
    """
    Return how many keys a packed cluster has.
    """
    return len(_key_begins(packed))


def with_key(packed: Packed, key: Key) -> Packed:
    """
    Return a packed cluster with one more key, at that key's version.
    """
    created, lifetime, rest = packed.split(",", 2)
    _, comma, keys = rest[:-1].partition(",")
    return (
        f"{created},{lifetime},{key.version}{comma}{keys},"
        f'["{key.name}",{_encode(key.value)},{key.version}]]'
    )


def find_key(packed: Packed, name: str) -> Key | None:
    """
    Return one key of a packed cluster, if it is there.
    """
    place = packed.find(f',["{name}","')
    if place < 0:
        return None
    (_, value, version), _ = _decode_at(packed, place + 1)
    return Key(name=name, value=value, version=version)
