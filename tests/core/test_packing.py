import gc

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from cvmpair.core.model import Cluster, Key
from cvmpair.core.packing import find_key, pack, unpack

FIRST = Key(name="sesame_1", value="sesame_2", version=11)
SECOND = Key(name="sesame_2", value="sesame_1", version=12)
CLUSTER = Cluster(
    pin="abcdefghijkl", created=100.0, lifetime=60.5, version=13, keys=(FIRST, SECOND)
)

KEYS = st.lists(
    st.builds(Key, name=st.text(), value=st.text(), version=st.integers()),
    unique_by=lambda key: key.name,
).map(tuple)


@given(KEYS)
def test_round_trip(keys: tuple[Key, ...]) -> None:
    cluster = evolve(CLUSTER, keys=keys)
    packed = pack(cluster)
    assert unpack(cluster.pin, packed) == cluster
    for key in cluster.keys:
        assert find_key(packed, key.name) == key


def test_only_names_are_looked_at() -> None:
    packed = pack(CLUSTER)
    assert find_key(packed, "sesame_2") == SECOND
    assert find_key(packed, "sesame_3") is None


def test_the_garbage_collector_takes_no_interest() -> None:
    packed = pack(CLUSTER)
    gc.collect()
    assert not gc.is_tracked(packed)
