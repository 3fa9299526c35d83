"""
Exports that somebody has written with right checksums, but no daemon could have.
"""

import io
from hashlib import sha256
from pathlib import Path

import pytest
from attrs import evolve

from cvmpair.snapshots.errors import (
    ExportDamaged,
    ExportForeign,
    StateDamaged,
    StateError,
)
from cvmpair.snapshots.export import _seal
from cvmpair.snapshots.sqlite import StateFile
from cvmpair.snapshots.transfer import import_state, read_state, verify
from tests.logs import MARKER
from tests.snapshots.states import MARK, NAME, lay_out, opened, put, reader


def changed_header(export: bytes, old: bytes, new: bytes) -> bytes:
    header, rest = export.split(b"\n", 1)
    body = header.rpartition(b',"crc32"')[0]
    assert old in body
    return _seal(body.replace(old, new).decode()) + rest


@pytest.mark.parametrize(
    ("old", "new", "kind", "hint"),
    [
        (b'"export":1', b'"export":2', ExportForeign, "has export 2"),
        (b'"format":', b'"format":9', ExportForeign, "has format 9"),
        (b'"export":1', b'"export":true', ExportDamaged, "does not say its export"),
        (b'"export":1', b'"export":0', ExportDamaged, "does not say its export"),
        (b'"version":7', b'"version":"7"', ExportDamaged, "version is wrong"),
        (b'"version":7', b'"version":1e400', ExportDamaged, "version is wrong"),
        (b'"version":7', b'"version":%d' % 2**63, ExportDamaged, "version is wrong"),
        (b'"version":7', b'"version":%d' % (2**63 - 1), ExportDamaged, "version is"),
        (b'"version":7', b'"version":-1', ExportDamaged, "version is wrong"),
        (b"1000000000.5", b"9e17", ExportDamaged, "wall_time is wrong"),
        (b"1000000000.5", b"-9e17", ExportDamaged, "wall_time is wrong"),
        (b"1000000000.5", b"NaN", ExportDamaged, "wall_time is wrong"),
        (b"1000000000.25", b"1e999", ExportDamaged, "book_time is wrong"),
        (b"1000000000.25", b"null", ExportDamaged, "book_time is wrong"),
        (b'"pseudonym_key":"', b'"pseudonym_key":"0', ExportDamaged, "pseudonym_key"),
        (b'"clusters":3', b'"clusters":4', ExportDamaged, "3 of 4 clusters"),
        (b'"clusters":3', b'"clusters":', ExportDamaged, "no JSON object"),
        (b'"clusters":3', b'"clusters":' + b"[" * 10**5, ExportDamaged, "no JSON"),
    ],
)
def test_headers_that_say_something_else(
    export: bytes, old: bytes, new: bytes, kind: type[StateError], hint: str
) -> None:
    with pytest.raises(kind, match=hint):
        verify(reader(changed_header(export, old, new)))


@pytest.mark.parametrize(
    "record",
    [
        "[]",
        '"sesame"',
        '[1.0,2.0,3,["sesame"]]',
        "[1.0, 2.0, 3]",
        "]",
        "[1.0,-2.0,3]",
    ],
)
def test_records_that_are_none(export: bytes, record: str) -> None:
    lines = export.splitlines(keepends=True)
    lines[2] = _seal(f'{{"pin":"000000000002","record":{record}')
    with pytest.raises(ExportDamaged, match="line 3: it is not a ") as refused:
        verify(reader(b"".join(lines)))
    assert MARKER not in str(refused.value)


TOKEN = f'{{"abcd0123":["read","{"0f" * 32}",%s,%s]}}'


@pytest.mark.parametrize(
    ("record", "hint"),
    [
        ('[1.0,2.0,3,["sesame","a",2],["b","c",3],["sesame","d",3]]', "one key twice"),
        ("[1e+16,2.0,3]", "no date"),
        ("[-40000000000.0,20000000000.0,3]", "no date"),
        ("[1.0,40000000000.0,3]", "no date"),
        ('["expired",9e+17,3]', "no date"),
        (f"[1.0,2.0,3,{TOKEN % ('9e+17', 'null')}]", "no date"),
        (f"[1.0,2.0,3,{TOKEN % ('1.0', '9e+17')}]", "no date"),
    ],
)
def test_records_that_no_daemon_writes(export: bytes, record: str, hint: str) -> None:
    lines = export.splitlines(keepends=True)
    lines[2] = _seal(f'{{"pin":"000000000002","record":{record}')
    with pytest.raises(ExportDamaged, match=f"line 3: it is a .*{hint}") as refused:
        verify(reader(b"".join(lines)))
    assert MARKER not in str(refused.value)


def with_version(export: bytes, version: int) -> bytes:
    """
    Return the export as it would be with that version, and all sums right.
    """
    changed = changed_header(export, b'"version":7', b'"version":%d' % version)
    *lines, _ = changed.splitlines(keepends=True)
    digest = sha256(b"".join(lines)).hexdigest()
    end = f'{{"end":true,"clusters":3,"sha256":"{digest}"'
    return b"".join([*lines, _seal(end)])


def test_there_are_versions_left_after_an_import(export: bytes, tmp_path: Path) -> None:
    given = with_version(export, 2**62)
    assert verify(reader(given)).summary.version == 2**62
    with pytest.raises(ExportDamaged, match="leaves none for later changes"):
        import_state(tmp_path / "state", "it", io.BytesIO(given))
    assert not (tmp_path / "state").exists()
    given = with_version(export, 2**62 - 2**51)
    import_state(tmp_path / "state", "it", io.BytesIO(given))
    state = opened(tmp_path / "state")
    state.write(put(state.summary.version + 10**9, 4), MARK)
    state.close()


def test_a_state_that_says_what_cannot_be(tmp_path: Path) -> None:
    for name, wrong in ("version", 2**63 - 1), ("wall_time", 9e17):
        state = opened(lay_out(tmp_path / "state", {}))
        summary = evolve(state.summary, **{name: wrong})
        state.close()
        (tmp_path / "state" / NAME).unlink()
        StateFile(tmp_path / "state" / NAME).fill(summary, ())
        with pytest.raises(StateDamaged, match="says what cannot be"):
            read_state(tmp_path / "state", verify)
