"""
A cluster as its record, one text, which is how the book keeps a million of them.

It is the text that the backing keeps as well, so nothing is decoded when a state is
loaded and nothing encoded when it is saved. A cluster with two keys takes 160 bytes,
a quarter of what it takes as objects, and the garbage collector, which would look at
a million clusters for a second while everybody waits, takes no interest in texts.

Whoever asks for one key pays for that one alone. Its place is found by text: nothing
in a value can look like ``,["name","``, because a quotation mark in a value has a
backslash before it, and after the one at its end comes a comma and a number. Nothing
in the tokens can either: their lists follow a colon.

What is kept in the place of a cluster that has ended is its tombstone.
"""

import json
import re
from collections.abc import Mapping
from typing import Final

from cvmpair.core.errors import Reason
from cvmpair.core.model import Cluster, Ending, Key, Scope, Token

Packed = str
"""
JSON without a space, escaped no more than it must be. A cluster is
``[created,lifetime,version,["name","value",version],...]``; if it is protected,
``{"id":["scope","digest",created,expires],...}`` is the last item of it. A tombstone
is ``["reason",ended,version]``.
"""

_encode: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_decode: Final = json.JSONDecoder().decode
_decode_at: Final = json.JSONDecoder().raw_decode
_key_names: Final = re.compile(r',\["([A-Za-z0-9_-]+)"').findall


def pack(cluster: Cluster) -> Packed:
    """
    Return all of a cluster but its PIN.
    """
    keys = ((key.name, key.value, key.version) for key in cluster.keys)
    record = [cluster.created, cluster.lifetime, cluster.version, *keys]
    if cluster.tokens is not None:
        record.append(
            {
                token.id: (token.scope, token.digest, token.created, token.expires)
                for token in cluster.tokens
            }
        )
    return _encode(record)


def unpack(pin: str, packed: Packed) -> Cluster:
    """
    Return the cluster that was packed.
    """
    created, lifetime, version, *keys = _decode(packed)
    tokens = _tokens(keys.pop()) if is_protected(packed) else None
    return Cluster(
        pin=pin,
        # Both may have been written as whole numbers, which add up differently.
        created=float(created),
        lifetime=float(lifetime),
        version=version,
        keys=tuple(Key(name=name, value=value, version=v) for name, value, v in keys),
        tokens=tokens,
    )


def pack_tombstone(reason: Reason, ended: float, version: int) -> Packed:
    """
    Return what is kept in the place of a cluster that has ended.

    :param version: of the change that ended it, or of the last before it expired.
    """
    return _encode([reason, ended, version])


def is_tombstone(packed: Packed) -> bool:
    """
    Say whether this is what is left of a cluster that has ended.
    """
    return packed[1] == '"'


def ending_of(tombstone: Packed) -> Ending:
    """
    Return what a tombstone says.
    """
    reason, ended, _ = _decode(tombstone)
    return Ending(reason=reason, ended=float(ended))


def is_protected(packed: Packed) -> bool:
    """
    Say whether a packed cluster has tokens, or had some that were all revoked.
    """
    return packed.endswith("}]")


def created_of(packed: Packed) -> float:
    """
    Return when a packed cluster was created, in seconds of book time.
    """
    return float(packed[1 : packed.index(",")])


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
    Return how many keys a packed cluster has, or several one after the other.
    """
    # A value may end like that, and then a comma follows.
    return packed.count(',["') - packed.count(',[",')


def key_names(packed: Packed) -> list[str]:
    """
    Return the names of the keys of a packed cluster, in their order.
    """
    return _key_names(packed)


def with_key(packed: Packed, key: Key) -> Packed:
    """
    Return a packed cluster with one more key, at that key's version.
    """
    created, lifetime, rest = packed.split(",", 2)
    # No other brace follows the one with which the tokens begin.
    end = rest.rindex(",{") if is_protected(packed) else -1
    _, comma, keys = rest[:end].partition(",")
    return (
        f"{created},{lifetime},{key.version}{comma}{keys},"
        f'["{key.name}",{_encode(key.value)},{key.version}]{rest[end:]}'
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


def has_token(packed: Packed, id_: str) -> bool:
    """
    Say whether a packed cluster is protected and has the token of that id.
    """
    return is_protected(packed) and f'"{id_}":[' in packed[packed.rindex(",{") :]


def unpack_tokens(packed: Packed) -> tuple[Token, ...]:
    """
    Return the tokens of a packed cluster that is protected.
    """
    return _tokens(_decode(packed[packed.rindex(",{") + 1 : -1]))


def _tokens(
    plain: Mapping[str, tuple[Scope, str, float, float | None]],
) -> tuple[Token, ...]:
    return tuple(
        Token(id=id_, scope=scope, digest=digest, created=created, expires=expires)
        for id_, (scope, digest, created, expires) in plain.items()
    )
