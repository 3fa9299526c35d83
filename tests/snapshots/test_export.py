"""
An export: what comes out is what went in, and nothing else is taken for it.
"""

import io
import os
import re
from pathlib import Path

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from cvmpair.core.batch import Batch
from cvmpair.snapshots.directory import DirectoryLock, lock_holder
from cvmpair.snapshots.errors import (
    ExportDamaged,
    StateError,
    StateLocked,
)
from cvmpair.snapshots.export import ExportReader, export_lines
from cvmpair.snapshots.reading import StateReader
from cvmpair.snapshots.sqlite import StateFile
from cvmpair.snapshots.transfer import export_state, import_state, read_state, verify
from tests.logs import MARKER
from tests.snapshots.states import (
    MARK,
    NAME,
    batch,
    by_pin,
    cluster,
    clusters,
    content_of,
    lay_out,
    opened,
    put,
    reader,
)


@settings(max_examples=25)
@given(st.lists(clusters(), max_size=8, unique_by=lambda one: one.pin))
def test_what_is_exported_is_imported(
    tmp_path_factory: pytest.TempPathFactory, some: list
) -> None:
    place = tmp_path_factory.mktemp("both")
    state = opened(lay_out(place / "old", {}))
    state.write(batch(9, {one.pin: one for one in some}), MARK)
    file = io.BytesIO()
    # The file is still in use.
    exported = export_state(place / "old", file)
    assert exported.summary == state.summary
    state.close()
    file.seek(0)
    assert verify(ExportReader("it", file)) == exported
    file.seek(0)
    imported = import_state(place / "new", "it", file)
    assert content_of(place / "new") == {one.pin: one for one in some}
    new = read_state(place / "new", verify)
    assert new == imported
    assert evolve(new, summary=evolve(new.summary, version=9)) == exported
    # No version is given out again that the old one may have given out since.
    assert new.summary.version >= 2_000_000_000


def test_tokens_and_tombstones_are_taken_as_they_are(tmp_path: Path) -> None:
    records = {
        "000000000001": '["expired",1.0,3]',
        "000000000002": '["deleted",-2.5,4]',
        "000000000003": '[1.0,2.0,5,["a","b",5],{"abcd0123":["read","'
        + "0f" * 32
        + '",1.0,null]}]',
    }
    state = opened(lay_out(tmp_path / "old", {}))
    state.write(Batch(version=5, clusters=records, journal={}), MARK)
    state.close()
    file = io.BytesIO()
    exported = export_state(tmp_path / "old", file)
    assert str(exported) == "1 clusters, 2 ended, last version 5"
    assert read_state(tmp_path / "old", verify) == exported
    file.seek(0)
    assert import_state(tmp_path / "new", "it", file).ended == 2
    assert dict(StateFile(tmp_path / "new" / NAME).read()) == records


def test_an_older_format_is_read(
    export: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_state(tmp_path / "old", "it", io.BytesIO(export))
    file = io.BytesIO()
    with monkeypatch.context() as patched:
        patched.setattr("cvmpair.snapshots.export.FORMAT", 1)
        export_state(tmp_path / "old", file)
    older = file.getvalue()
    assert b'"format":1,' in older
    import_state(tmp_path / "new", "it", io.BytesIO(older))
    assert len(content_of(tmp_path / "new")) == 3


def test_a_directory_that_a_daemon_has(export: bytes, tmp_path: Path) -> None:
    directory = lay_out(tmp_path / "state", {})
    lock = DirectoryLock(directory)
    with pytest.raises(StateLocked, match=f"process {os.getpid()}"):
        import_state(directory, "it", io.BytesIO(export))
    assert lock_holder(directory) == os.getpid()
    lock.release()
    assert lock_holder(directory) is None
    import_state(directory, "it", io.BytesIO(export))


def test_the_lines_are_json_that_says_all(export: bytes) -> None:
    assert re.fullmatch(
        rb'\{"cvmpair":"snapshot","export":1,"format":[0-9]+,"version":7,"clusters":3,'
        rb'"checksum":[0-9]+,"book_time":1000000000.25,"wall_time":1000000000.5,'
        rb'"pseudonym_key":"[0-9a-f]{64}","crc32":[0-9]+\}\n'
        rb'(\{"pin":"00000000000[123]","record":\[.*\],"crc32":[0-9]+\}\n){3}'
        rb'\{"end":true,"clusters":3,"sha256":"[0-9a-f]{64}","crc32":[0-9]+\}\n',
        export,
    )


def test_no_byte_can_be_another(export: bytes) -> None:
    for place in range(len(export)):
        changed = bytearray(export)
        changed[place] ^= 0x01
        with pytest.raises(StateError) as refused:
            verify(reader(bytes(changed)))
        if place > 22:
            line = export.count(b"\n", 0, place) + 1
            assert isinstance(refused.value, ExportDamaged)
            # Where a line ends, the next one is a part of it.
            assert f": line {line}: " in str(refused.value)
        assert MARKER not in str(refused.value)


def test_it_cannot_be_cut_off_anywhere(export: bytes) -> None:
    for end in range(len(export)):
        with pytest.raises(StateError) as refused:
            verify(reader(export[:end]))
        if end > 22:
            line = export.count(b"\n", 0, end) + 1
            assert f": line {line}: " in str(refused.value)


def test_no_line_can_be_missing_or_new_or_elsewhere(export: bytes) -> None:
    lines = export.splitlines(keepends=True)
    for one in range(len(lines)):
        for wrong in (
            lines[:one] + lines[one + 1 :],
            [*lines[: one + 1], lines[one], *lines[one + 1 :]],
            [*lines[:one], *lines[one + 1 :], lines[one]],
        ):
            if wrong != lines:
                with pytest.raises(StateError):
                    verify(reader(b"".join(wrong)))


def test_an_end_of_another_export(export: bytes, tmp_path: Path) -> None:
    state = opened(lay_out(tmp_path / "state", {}))
    state.write(put(8, 1, 2, 3), MARK)
    other = io.BytesIO()
    export_state(tmp_path / "state", other)
    state.close()
    lines = export.splitlines(keepends=True)[:-1]
    end = other.getvalue().splitlines(keepends=True)[-1]
    with pytest.raises(ExportDamaged, match="line 5: it does not close"):
        verify(reader(b"".join([*lines, end])))


@pytest.mark.parametrize("data", [b"", b"\n", b"sesame\n", b"\xff" * 100, b"{}\n"])
def test_what_is_no_export(data: bytes) -> None:
    with pytest.raises(StateError) as refused:
        verify(reader(data))
    assert MARKER not in str(refused.value)


def test_a_state_is_exported_as_it_was_at_one_moment(tmp_path: Path) -> None:
    state = opened(lay_out(tmp_path / "state", {}))
    state.write(put(1, *range(2000)), MARK)
    file = io.BytesIO()
    summaries = []

    def write_meanwhile(one: object) -> bytes:
        lines = export_lines(one)
        data = b"".join(next(lines) for _ in range(3))
        summaries.append(state.summary)
        # Before and behind the place that has been read, and into the file itself.
        state.write(put(state.summary.version + 1, 0, 1999, 3000), MARK)
        state._checkpoint("PASSIVE")
        return data + b"".join(lines)

    file = io.BytesIO(read_state(tmp_path / "state", write_meanwhile))
    state.close()
    found = ExportReader("it", file)
    content = by_pin(found.read())
    # It was not begun anew for that.
    assert summaries == [found.summary]
    assert content == {one.pin: one for one in (cluster(n, 1) for n in range(2000))}


def test_what_is_said_of_the_whole_is_of_the_same_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = opened(lay_out(tmp_path / "state", {}))
    state.write(put(1, 1, 2), MARK)
    read_summary = StateReader._read_summary

    def read_and_write(self: StateReader, connection: object) -> object:
        summary = read_summary(self, connection)
        state.write(put(2, 3), MARK)
        return summary

    monkeypatch.setattr(StateReader, "_read_summary", read_and_write)
    file = io.BytesIO()
    assert export_state(tmp_path / "state", file).summary.version == 1
    state.close()
    file.seek(0)
    assert len(by_pin(ExportReader("it", file).read())) == 2


def test_an_import_that_ends_half_way_leaves_nothing(
    export: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / "state"
    fill = StateFile.fill

    def fill_half(self: StateFile, summary: object, records: object) -> None:
        def half() -> object:
            yield next(iter(records))
            # It is not whole before the last of it.
            assert not (directory / NAME).exists()
            raise KeyboardInterrupt

        fill(self, summary, half())

    with monkeypatch.context() as patched:
        patched.setattr(StateFile, "fill", fill_half)
        with pytest.raises(KeyboardInterrupt):
            import_state(directory, "it", io.BytesIO(export))
    assert [path.name for path in directory.iterdir()] == ["lock"]
    # What is left by one that had no time to clean up is no state either.
    (directory / f"{NAME}.new").write_text(MARKER)
    (directory / f"{NAME}.new").chmod(0o600)
    import_state(directory, "it", io.BytesIO(export))
    assert set(content_of(directory)) == {f"{n:012}" for n in (1, 2, 3)}


def test_nothing_is_made_of_a_damaged_export(export: bytes, tmp_path: Path) -> None:
    for wrong in export[:-1], export.replace(MARKER.encode(), b"Sesame", 1):
        with pytest.raises(ExportDamaged):
            import_state(tmp_path / "state", "it", io.BytesIO(wrong))
        assert not (tmp_path / "state").exists()
