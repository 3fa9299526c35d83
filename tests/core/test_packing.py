import pytest
from attrs import evolve
from hypothesis import example, given
from hypothesis import strategies as st

from cvmpair.core.errors import Reason
from cvmpair.core.model import Cluster, Ending, Key, Token
from cvmpair.core.packing import (
    count_keys,
    deadline_of,
    ending_of,
    find_key,
    is_protected,
    is_tombstone,
    pack,
    pack_tombstone,
    unpack,
    version_of,
    with_key,
)

FIRST = Key(name="sesame_1", value="sesame_2", version=11)
SECOND = Key(name="sesame_2", value="sesame_1", version=12)
CLUSTER = Cluster(
    pin="abcdefghijkl", created=100.0, lifetime=60.5, version=13, keys=(FIRST, SECOND)
)

TOKEN = Token(
    id="sesame00", scope="write", digest="0a" * 32, created=100.5, expires=None
)
PROTECTION = st.sampled_from(
    [None, (), (TOKEN,), (TOKEN, evolve(TOKEN, id="b2345678"))]
)

NAMES = st.text("abc_-", min_size=1, max_size=3)
# Values that look like the text around them.
VALUES = st.text() | st.lists(
    st.sampled_from(['["', '",', "]", ",", '","', "[", "\\", "a", "b", "7", '"'])
).map("".join)
KEYS = st.lists(
    st.builds(Key, name=NAMES, value=VALUES, version=st.integers(0, 2**62)),
    unique_by=lambda key: key.name,
    max_size=6,
).map(tuple)


@given(KEYS, PROTECTION)
def test_round_trip(keys: tuple[Key, ...], tokens: tuple[Token, ...] | None) -> None:
    cluster = evolve(CLUSTER, keys=keys, tokens=tokens)
    packed = pack(cluster)
    assert unpack(cluster.pin, packed) == cluster
    assert count_keys(packed) == len(keys)
    assert version_of(packed) == cluster.version
    assert deadline_of(packed) == cluster.deadline
    assert is_protected(packed) == (tokens is not None)
    assert not is_tombstone(packed)
    for key in cluster.keys:
        assert find_key(packed, key.name) == key


@given(KEYS, PROTECTION, NAMES | VALUES)
@example((Key(name="a", value="b", version=7),), None, 'a","b')
def test_a_key_that_is_not_there(
    keys: tuple[Key, ...], tokens: tuple[Token, ...] | None, name: str
) -> None:
    cluster = evolve(CLUSTER, keys=keys, tokens=tokens)
    assert find_key(pack(cluster), name) == cluster.find(name)


@given(KEYS, PROTECTION)
def test_one_more_key_is_as_if_it_had_always_been_there(
    keys: tuple[Key, ...], tokens: tuple[Token, ...] | None
) -> None:
    cluster = evolve(CLUSTER, keys=(), tokens=tokens)
    packed = pack(evolve(cluster, version=1))
    for count, key in enumerate(keys, 1):
        packed = with_key(packed, key)
        cluster = evolve(cluster, keys=keys[:count], version=key.version)
        assert packed == pack(cluster)


def test_only_names_are_looked_at() -> None:
    packed = pack(CLUSTER)
    assert find_key(packed, "sesame_2") == SECOND
    assert find_key(packed, "sesame_3") is None


@pytest.mark.parametrize("reason", ["expired", "deleted"])
def test_a_tombstone(reason: Reason) -> None:
    packed = pack_tombstone(reason, 160.5, 13)
    assert is_tombstone(packed)
    assert not is_protected(packed)
    assert ending_of(packed) == Ending(reason=reason, ended=160.5)
    assert version_of(packed) == 13
    assert find_key(packed, "expired") is None
    assert count_keys(packed) == 0
