import json
from math import isfinite
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvmpair.core.codec import checksum, decode_record
from cvmpair.core.model import Cluster, Ending, Key, Token
from cvmpair.core.names import MAX_KEY_NAME_LENGTH
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
)

PIN = "abcdefghijkl"
VERSIONS = st.integers(1, 2**62)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
NAMES = st.from_regex(
    rf"[A-Za-z0-9_-]{{1,{MAX_KEY_NAME_LENGTH}}}",
    fullmatch=True,
    alphabet=st.characters(),
)
KEYS = st.builds(Key, name=NAMES, value=TEXT, version=VERSIONS)
TIMES = st.floats(0, 1e12)
TOKENS = st.builds(
    Token,
    id=st.from_regex(r"[a-z0-9]{8}", fullmatch=True),
    scope=st.sampled_from(["read", "write", "admin"]),
    digest=st.from_regex(r"[0-9a-f]{64}", fullmatch=True),
    created=TIMES,
    expires=TIMES | st.none(),
)
CLUSTERS = st.builds(
    Cluster,
    pin=st.just(PIN),
    created=TIMES,
    lifetime=st.floats(1, 1e9),
    version=VERSIONS,
    keys=st.lists(KEYS, max_size=5).map(tuple),
    tokens=st.none()
    | st.lists(TOKENS, max_size=3, unique_by=lambda token: token.id).map(tuple),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(CLUSTERS)
def test_round_trip(cluster: Cluster) -> None:
    record = pack(cluster)
    assert decode_record(record) == record
    assert unpack(PIN, record) == cluster
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
    assert pack(cluster) == record
    assert unpack(PIN, decode_record(record)) == cluster


def test_the_format_of_a_protected_cluster() -> None:
    digest = "0123456789abcdef" * 4
    cluster = Cluster(
        pin=PIN,
        created=1000.5,
        lifetime=86400.0,
        version=1000000002,
        keys=(Key(name="sesame", value="}]", version=1000000002),),
        tokens=(
            Token(id="abcd0123", scope="read", digest=digest, created=7.5, expires=9.5),
            Token(id="a0000000", scope="admin", digest=digest, created=8, expires=None),
        ),
    )
    record = (
        '[1000.5,86400.0,1000000002,["sesame","}]",1000000002],'
        f'{{"abcd0123":["read","{digest}",7.5,9.5],'
        f'"a0000000":["admin","{digest}",8,null]}}]'
    )
    assert pack(cluster) == record
    assert unpack(PIN, decode_record(record)) == cluster
    assert is_protected(record)


def test_a_cluster_stays_protected_without_any_token() -> None:
    cluster = Cluster(pin=PIN, created=1.0, lifetime=2.0, version=3, tokens=())
    record = "[1.0,2.0,3,{}]"
    assert pack(cluster) == record
    assert unpack(PIN, decode_record(record)) == cluster
    assert is_protected(record)
    assert not is_protected("[1.0,2.0,3]")


def test_the_format_of_a_tombstone() -> None:
    record = '["deleted",1000.5,1000000002]'
    assert pack_tombstone("deleted", 1000.5, 1000000002) == record
    assert decode_record(record) == record
    assert ending_of(record) == Ending(reason="deleted", ended=1000.5)
    assert version_of(record) == 1000000002


@pytest.mark.parametrize(
    "seconds", ["0.0", "-0.0", "7", "1e+16", "1.5e-07", "5e-324", "0.00012345678901234"]
)
def test_seconds(seconds: str) -> None:
    packed = decode_record(f"[{seconds},1.0,7]")
    assert deadline_of(packed) == float(seconds) + 1.0
    assert unpack(PIN, packed).created == float(seconds)


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
        "[1e+999,1.0,3]",
        "[1.0,1e400,3]",
        # JSON, but not as it is written.
        "[1.0, 2.0,3]",
        "[1.0,2.0,3]\n",
        "[1.0,2.0,03]",
        "[01.0,2.0,3]",
        "[1.0,2.0,-3]",
        '[1.0,2.0,3,["a","b",4] ]',
        '[1.0,2.0,3,["a", "b",4]]',
        '[1.0,2.0,3,["\\u0061","b",4]]',
        '[1.0,2.0,3,["a","\\u00e9",4]]',
        '[1.0,2.0,3,["a","\\ud800",4]]',
        '[1.0,2.0,3,["a","\\/",4]]',
        '[1.0,2.0,3,["a","\n",4]]',
        '[1.0,2.0,3,["a","b\\",4]]',
        '[1.0,2.0,3,["a","b","c",4]]',
        "[1.0,2.0,Infinity]",
        '["deleted"]',
        '["deleted",1.0]',
        '["deleted",1.0,2,3]',
        '["deleted",1.0,2.5]',
        '["deleted",null,2]',
        '["forgotten",1.0,2]',
        '["expired",1.0,2,["a","b",2]]',
        '["expired",1.0,2,{}]',
        "[1.0,2.0,3,null]",
        '[1.0,2.0,3,{},["a","b",3]]',
        "[1.0,2.0,3,{},{}]",
        '[1.0,2.0,3,{"a0000000":[]}]',
        f'[1.0,2.0,3,{{"short":["read","{"0" * 64}",1.0,null]}}]',
        f'[1.0,2.0,3,{{"a0000000":["all","{"0" * 64}",1.0,null]}}]',
        f'[1.0,2.0,3,{{"a0000000":["read","{"0" * 63}",1.0,null]}}]',
        f'[1.0,2.0,3,{{"a0000000":["read","{"0" * 64}",null,null]}}]',
        f'[1.0,2.0,3,{{"a0000000":["read","{"0" * 64}",1.0,null],}}]',
        f"[{'9' * 400},2.0,3]",
        "[" * 100_000,
    ],
)
def test_no_record(record: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode_record(record)


@given(st.text() | JSON.map(json.dumps) | st.lists(JSON, min_size=3).map(json.dumps))
def test_a_record_or_an_error_and_nothing_between(record: str) -> None:
    try:
        packed = decode_record(record)
    except ValueError:
        return
    if is_tombstone(packed):
        assert isfinite(ending_of(packed).ended)
        return
    cluster = unpack(PIN, packed)
    assert isfinite(deadline_of(packed))
    assert unpack(PIN, pack(cluster)) == cluster


@given(CLUSTERS, st.data())
def test_a_record_or_an_error_after_a_change(
    cluster: Cluster, data: st.DataObject
) -> None:
    """
    What is taken for a record can be read in all ways, and they agree.
    """
    record = pack(cluster)
    place = data.draw(st.integers(0, len(record) - 1))
    letters = data.draw(st.text('[]",\\ue0+-. \n', max_size=2))
    try:
        packed = decode_record(record[:place] + letters + record[place + 1 :])
    except ValueError:
        return
    assert not is_tombstone(packed)
    changed = unpack(PIN, packed)
    assert changed.deadline == deadline_of(packed)
    assert changed.version == version_of(packed)
    assert len(changed.keys) == count_keys(packed)
    assert is_protected(packed) == (changed.tokens is not None)
    for key in changed.keys:
        assert find_key(packed, key.name) == changed.find(key.name)


def test_checksum() -> None:
    assert checksum(PIN, "[1]") == crc32(b"abcdefghijkl [1]")


@given(CLUSTERS, st.data())
def test_a_changed_byte_is_seen(cluster: Cluster, data: st.DataObject) -> None:
    record = pack(cluster)
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
