"""
The note of the last version: believed if whole, and never in the way.
"""

import stat
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from cvmpair.snapshots.note import VersionNote
from tests.snapshots.states import versions


def note_in(directory: Path) -> VersionNote:
    return VersionNote(directory / "note")


def test_none(tmp_path: Path) -> None:
    note = note_in(tmp_path)
    assert note.read() == 0
    note.close()
    note.remove()
    assert list(tmp_path.iterdir()) == []


@given(st.lists(versions, min_size=1))
def test_the_last_version_counts(tmp_path_factory, noted: list[int]) -> None:
    directory = tmp_path_factory.mktemp("note")
    note = note_in(directory)
    for version in noted:
        note.write(version)
        assert note_in(directory).read() == version
    note.close()
    assert note_in(directory).read() == noted[-1]


def test_it_is_private(tmp_path: Path) -> None:
    note = note_in(tmp_path)
    note.write(1)
    note.close()
    assert stat.S_IMODE(note.path.stat().st_mode) == 0o600


def test_it_can_be_removed_and_written_again(tmp_path: Path) -> None:
    note = note_in(tmp_path)
    note.write(7)
    note.remove()
    assert not note.path.exists()
    note.write(8)
    note.close()
    assert note.read() == 8


def test_a_damaged_note_says_nothing(tmp_path: Path) -> None:
    note = note_in(tmp_path)
    note.write(10**9 + 5)
    note.close()
    whole = note.path.read_bytes()
    for position in range(len(whole)):
        for mask in (0x01, 0x02, 0xFF):
            damaged = bytearray(whole)
            damaged[position] ^= mask
            note.path.write_bytes(damaged)
            assert note.read() == 0
        note.path.write_bytes(whole[:position])
        assert note.read() == 0
        note.path.write_bytes(whole[:position] + bytes(len(whole) - position))
        assert note.read() == 0
    note.path.write_bytes(whole + b"\n")
    assert note.read() == 0
