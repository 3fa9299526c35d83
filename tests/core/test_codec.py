import json
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvmpair.core.codec import checksum, decode_cluster, encode_cluster
from cvmpair.core.model import Cluster, Key
from cvmpair.core.names import MAX_KEY_NAME_LENGTH

PIN = "abcdefghijkl"
VERSIONS = st.integers(1, 2**62)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
NAMES = st.from_regex(
    rf"[A-Za-z0-9_-]{{1,{MAX_KEY_NAME_LENGTH}}}",
    fullmatch=True,
    alphabet=st.characters(),
)
KEYS = st.builds(Key, name=NAMES, value=TEXT, version=VERSIONS)
CLUSTERS = st.builds(
    Cluster,
    pin=st.just(PIN),
    created=st.floats(0, 1e12),
    lifetime=st.floats(1, 1e9),
    version=VERSIONS,
    keys=st.lists(KEYS, max_size=5).map(tuple),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(CLUSTERS)
def test_round_trip(cluster: Cluster) -> None:
    record = encode_cluster(cluster)
    assert decode_cluster(PIN, record) == cluster
    assert "\n" not in record


def test_the_format() -> None:
    """
    Files that hold this are out there.
    """
    cluster = Cluster(
        pin=PIN,
        created=1000.5,
        lifetime=86400.0,
        version=1000000002,
        keys=(Key(name="sesame", value='é "', version=1000000002),),
    )
    record = '[1000.5,86400.0,1000000002,["sesame","é \\"",1000000002]]'
    assert encode_cluster(cluster) == record
    assert decode_cluster(PIN, record) == cluster


def test_a_million_clusters_share_what_they_can() -> None:
    record = '[1.0,86400.0,7,["sesame_name","v",7]]'
    first, second = decode_cluster(PIN, record), decode_cluster(PIN, record)
    assert first.lifetime is second.lifetime
    assert first.keys[0].name is second.keys[0].name
    assert first.keys[0].value is second.keys[0].value
    assert first.keys[0].version is first.version


@pytest.mark.parametrize(
    "record",
    [
        "",
        "[",
        "null",
        "7",
        "{}",
        "[]",
        "[1.0,2.0]",
        '["x",2.0,3]',
        "[1.0,null,3]",
        "[1.0,[],3]",
        "[1.0,2.0,null]",
        "[1.0,2.0,3,4]",
        '[1.0,2.0,3,["a","b"]]',
        '[1.0,2.0,3,["a","b",4,5]]',
        '[1.0,2.0,3,["not a name","b",4]]',
        '[1.0,2.0,3,[5,"b",4]]',
        '[1.0,2.0,3,["a",5,4]]',
        '[1.0,2.0,3,["a",null,4]]',
        '[1.0,2.0,3,["a","b","4"]]',
        '[1.0,2.0,3,["a","b",4.5]]',
        '["1.0",2.0,3]',
        '[1.0,"2.0",3]',
        '[1.0,2.0,"3"]',
        "[1.0,2.0,3.5]",
        "[true,2.0,3]",
        "[NaN,2.0,3]",
        "[1.0,Infinity,3]",
        "[1.0,2.0,Infinity]",
        f"[{'9' * 400},2.0,3]",
        "[" * 100_000,
    ],
)
def test_no_record(record: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode_cluster(PIN, record)


@given(st.text() | JSON.map(json.dumps) | st.lists(JSON, min_size=3).map(json.dumps))
def test_a_record_or_an_error_and_nothing_between(record: str) -> None:
    try:
        cluster = decode_cluster(PIN, record)
    except ValueError:
        return
    assert decode_cluster(PIN, encode_cluster(cluster)) == cluster


def test_checksum() -> None:
    assert checksum(PIN, "[1]") == crc32(b"abcdefghijkl [1]")


@given(CLUSTERS, st.data())
def test_a_changed_byte_is_seen(cluster: Cluster, data: st.DataObject) -> None:
    record = encode_cluster(cluster)
    place = data.draw(st.integers(0, len(record) - 1))
    letter = data.draw(st.characters(exclude_categories=["Cs"]))
    changed = record[:place] + letter + record[place + 1 :]
    same = changed == record
    assert (checksum(PIN, changed) == checksum(PIN, record)) == same
    assert checksum("bbcdefghijkl", record) != checksum(PIN, record)


@pytest.mark.parametrize("pin", ["", "short", "ABCDEFGHIJKL", "sesame sesame"])
def test_no_checksum_without_a_pin(pin: str) -> None:
    with pytest.raises(ValueError, match=r"^not a PIN$"):
        checksum(pin, "[1]")
