"""
Opening the state file anew after a failure: it must have what was written.
"""

from pathlib import Path

import pytest

from cvmpair.snapshots.errors import StateDamaged, StateOutdated, StateUnusable
from tests.snapshots.crashes import LOG
from tests.snapshots.states import (
    MARK,
    NAME,
    content_of,
    files_of,
    lay_out,
    opened,
    pin_number,
    put,
)


def numbers(directory: Path) -> set[int]:
    return {int(pin) for pin in content_of(directory)}


def test_what_was_written_is_there_and_more_can_be(tmp_path: Path) -> None:
    state = opened(tmp_path)
    state.write(put(1, 1), MARK)
    state.reopen()
    state.write(put(2, 2), MARK)
    state.reopen()
    state.reopen()
    state.close()
    assert list(files_of(tmp_path)) == [NAME]
    assert numbers(tmp_path) == {1, 2}


def test_a_write_that_failed_after_all_was_done(tmp_path: Path) -> None:
    state = opened(tmp_path)
    state.write(put(1, 1), MARK)
    state._note.close()
    (tmp_path / f"{NAME}-note").unlink()
    (tmp_path / f"{NAME}-note").mkdir()
    with pytest.raises(Exception, match="Is a directory"):
        state.write(put(2, 2), MARK)
    with pytest.raises(StateUnusable, match="Is a directory"):
        state.reopen()
    (tmp_path / f"{NAME}-note").rmdir()
    state.reopen()
    assert state.summary.version == 2
    # The same once more, and what changed since.
    state.write(put(3, 2, 3), MARK)
    state.close()
    assert numbers(tmp_path) == {1, 2, 3}


def test_a_write_of_which_nothing_came(tmp_path: Path) -> None:
    state = opened(tmp_path)
    state.write(put(1, 1), MARK)
    state._execute("PRAGMA query_only = 1")
    with pytest.raises(Exception, match="readonly"):
        state.write(put(2, 2), MARK)
    state.reopen()
    assert state.summary.version == 1
    state.write(put(3, 2, 3), MARK)
    state.close()
    assert numbers(tmp_path) == {1, 2, 3}


def put_in_place(directory: Path, files: dict[str, bytes]) -> None:
    for path in directory.iterdir():
        path.unlink()
    for name, data in files.items():
        (directory / name).write_bytes(data)


def test_an_older_file_is_refused_until_the_right_one_is_back(tmp_path: Path) -> None:
    place = lay_out(tmp_path / "state", {})
    state = opened(place)
    state.write(put(1, 1), MARK)
    state.reopen()
    old = {NAME: (place / NAME).read_bytes()}
    state.write(put(2, 2), MARK)
    state.reopen()
    new = {NAME: (place / NAME).read_bytes()}
    put_in_place(place, old)
    for _ in range(2):
        # There is no note that would say so.
        with pytest.raises(StateOutdated):
            state.reopen()
    put_in_place(place, new)
    state.reopen()
    state.write(put(3, 3), MARK)
    state.close()
    assert numbers(place) == {1, 2, 3}


def test_another_file_is_refused(tmp_path: Path) -> None:
    place = lay_out(tmp_path / "state", {})
    state = opened(place)
    state.write(put(1, 1), MARK)
    other = opened(lay_out(tmp_path / "other", {}))
    other.write(put(5, 5), MARK)
    other.close()
    put_in_place(place, files_of(tmp_path / "other"))
    for _ in range(2):
        with pytest.raises(StateDamaged, match="not the one that was written last"):
            state.reopen()
    state.close()
    assert numbers(place) == {5}


def test_a_damaged_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    state = opened(tmp_path)
    state.write(put(1, 1, size=3000), MARK)
    state.reopen()
    whole = (tmp_path / NAME).read_bytes()
    damaged = whole.replace(b"sesame1-sesame1", b"sesame1-Sesame1", 1)
    assert damaged != whole
    (tmp_path / NAME).write_bytes(damaged)
    for _ in range(2):
        with pytest.raises(StateDamaged, match="checksum"):
            state.reopen()
    assert (tmp_path / NAME).read_bytes() == damaged
    (tmp_path / NAME).write_bytes(whole)
    state.reopen()
    state.close()
    assert set(content_of(tmp_path)) == {pin_number(1)}


def test_a_missing_file_is_not_made_again(tmp_path: Path) -> None:
    state = opened(tmp_path)
    state.write(put(1, 1), MARK)
    (tmp_path / NAME).rename(tmp_path / "away")
    (tmp_path / LOG).rename(tmp_path / "away-wal")
    with pytest.raises(StateUnusable, match="No such file"):
        state.reopen()
    assert not (tmp_path / NAME).exists()
    (tmp_path / "away").rename(tmp_path / NAME)
    (tmp_path / "away-wal").rename(tmp_path / LOG)
    state.reopen()
    state.close()
    assert numbers(tmp_path) == {1}
