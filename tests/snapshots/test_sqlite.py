"""
The state file: what was written is what is read, whatever the end was.
"""

import os
import sqlite3
import stat
from collections.abc import Sequence
from pathlib import Path

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from cvmpair.core.codec import checksum
from cvmpair.core.packing import pack
from cvmpair.core.timeline import ClockMark
from cvmpair.snapshots.errors import StateUnusable, WriteFailed
from cvmpair.snapshots.sqlite import APPLICATION_ID, CHECKPOINT_PAGES, StateFile
from tests.snapshots.states import (
    MARK,
    NAME,
    Content,
    Files,
    batch,
    clusters,
    content_of,
    files_of,
    lay_out,
    opened,
    pin_number,
    put,
    times,
)


def new_state(directory: Path) -> StateFile:
    state = StateFile(directory / NAME)
    state.create(MARK)
    return state


def look(directory: Path, question: str) -> Sequence[object]:
    """
    Ask SQLite itself.
    """
    connection = sqlite3.connect(directory / NAME)
    try:
        return connection.execute(question).fetchone()
    finally:
        connection.close()


def test_a_new_state_is_empty(tmp_path: Path) -> None:
    state = new_state(tmp_path)
    assert list(state.read()) == []
    assert (state.summary.version, state.summary.clusters) == (0, 0)
    assert state.summary.mark == MARK


def test_what_a_new_file_is(tmp_path: Path) -> None:
    new_state(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [NAME]
    assert look(tmp_path, "PRAGMA application_id") == (APPLICATION_ID,)
    assert look(tmp_path, "PRAGMA user_version") == (2,)
    assert look(tmp_path, "PRAGMA journal_mode") == ("wal",)


def test_all_files_are_private(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        state = opened(tmp_path)
        state.write(put(1, 1), MARK)
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode for path in tmp_path.iterdir()}
    state.close()
    assert set(modes) == {NAME, f"{NAME}-wal", f"{NAME}-shm", f"{NAME}-note"}
    assert {stat.S_IMODE(mode) for mode in modes.values()} == {0o600}


def test_create_leaves_a_file_that_exists(tmp_path: Path) -> None:
    new_state(tmp_path)
    before = files_of(tmp_path)
    new_state(tmp_path)
    assert files_of(tmp_path) == before


def test_each_state_has_a_pseudonym_key_of_its_own(tmp_path: Path) -> None:
    keys = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        state = opened(tmp_path / name)
        state.write(put(1, 1), MARK)
        state.close()
        list(state.read())
        keys.append(state.summary.pseudonym_key)
    assert len(set(keys)) == 2
    assert {len(key) for key in keys} == {32}


def test_a_failed_creation_leaves_no_state(tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.new").mkdir()
    with pytest.raises(StateUnusable, match="Is a directory"):
        new_state(tmp_path)
    assert not (tmp_path / NAME).exists()


def test_leftovers_of_a_creation_are_removed(tmp_path: Path) -> None:
    for suffix in (".new", ".new-journal", ".new-wal", ".new-shm"):
        (tmp_path / f"{NAME}{suffix}").write_bytes(b"torn")
    state = new_state(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [NAME]
    assert list(state.read()) == []


def test_the_last_mark_is_kept(tmp_path: Path) -> None:
    state = opened(tmp_path)
    state.write(batch(0, {}), ClockMark(book=5.5, wall=-7.25))
    list(StateFile(tmp_path / NAME).read())
    state.close()
    list(state.read())
    assert state.summary.mark == ClockMark(book=5.5, wall=-7.25)


# As many PINs as make replacing and deleting likely.
few_pins = st.integers(0, 5).map(pin_number)

changes = st.lists(
    st.dictionaries(few_pins, st.none() | clusters(), max_size=4), max_size=6
)


@settings(max_examples=60)
@given(steps=changes, mark=st.builds(ClockMark, book=times, wall=times))
def test_round_trip(tmp_path_factory, steps, mark: ClockMark) -> None:
    directory = tmp_path_factory.mktemp("state")
    state = opened(directory)
    model: Content = {}
    for version, step in enumerate(steps, 1):
        changed = {pin: one and evolve(one, pin=pin) for pin, one in step.items()}
        state.write(batch(version, changed), mark)
        state.tidy()
        model = {pin: one for pin, one in {**model, **changed}.items() if one}
        records = [(pin, pack(one)) for pin, one in model.items()]
        assert state.summary.version == version
        assert state.summary.clusters == len(model)
        assert state.summary.checksum == sum(checksum(*one) for one in records)
        assert state.summary.mark == mark
        # As a crash would leave it, and with the daemon still there.
        crashed = lay_out(
            directory.with_name(f"{directory.name}-x"), files_of(directory)
        )
        assert content_of(crashed) == model
    state.close()
    assert list(files_of(directory)) == [NAME]
    assert content_of(directory) == model


def test_deleting_what_is_not_there(tmp_path: Path) -> None:
    state = opened(tmp_path)
    state.write(put(1, 1), MARK)
    state.write(batch(2, {pin_number(2): None}), MARK)
    assert state.summary.clusters == 1
    state.close()
    assert set(content_of(tmp_path)) == {pin_number(1)}


@pytest.mark.parametrize("end", ["orderly", "crash"])
def test_a_state_is_used_again_and_again(tmp_path: Path, end: str) -> None:
    files: Files = {}
    for run in range(1, 6):
        state = opened(lay_out(tmp_path / f"run{run}", files))
        state.write(put(run * 10, run), MARK)
        if end == "orderly":
            state.close()
        files = files_of(tmp_path / f"run{run}")
        assert len(content_of(tmp_path / f"run{run}")) == run
        state.close()


def log_size(directory: Path) -> int:
    return (directory / f"{NAME}-wal").stat().st_size


def test_tidying_keeps_the_log_small(tmp_path: Path) -> None:
    state = opened(tmp_path)
    sizes = []
    for version in range(1, 61):
        state.write(put(version, version % 7, size=200_000), MARK)
        state.tidy()
        sizes.append(log_size(tmp_path))
    # Each write is some 50 pages, so all of them are three times the limit.
    assert max(sizes) < 1.5 * CHECKPOINT_PAGES * 4096
    assert len(content_of(tmp_path)) == 7
    state.close()


def test_without_tidying_the_log_grows(tmp_path: Path) -> None:
    state = opened(tmp_path)
    for version in range(1, 61):
        state.write(put(version, version % 7, size=200_000), MARK)
    assert log_size(tmp_path) > 2 * CHECKPOINT_PAGES * 4096
    state.close()


def test_small_logs_are_left_alone(tmp_path: Path) -> None:
    state = opened(tmp_path)
    before = (tmp_path / NAME).read_bytes()
    state.write(put(1, 1), MARK)
    state.tidy()
    assert (tmp_path / NAME).read_bytes() == before
    state.close()
    assert (tmp_path / NAME).read_bytes() != before


def test_opening_begins_with_an_empty_log(tmp_path: Path) -> None:
    first = opened(lay_out(tmp_path / "one", {}))
    first.write(put(1, 1), MARK)
    crashed = lay_out(tmp_path / "two", files_of(tmp_path / "one"))
    assert log_size(crashed) > 0
    second = opened(crashed)
    assert log_size(crashed) == 0
    assert set(content_of(crashed)) == {pin_number(1)}
    first.close()
    second.close()


def test_a_failed_write_says_so(tmp_path: Path) -> None:
    state = opened(tmp_path)
    state.write(put(1, 1), MARK)
    state._execute("PRAGMA busy_timeout = 0")
    other = sqlite3.connect(tmp_path / NAME, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(WriteFailed, match="locked"):
        state.write(put(2, 2), MARK)
    assert state.summary.version == 1
    other.close()
    state.close()
    assert set(content_of(tmp_path)) == {pin_number(1)}


def test_a_failed_note_fails_the_write(tmp_path: Path) -> None:
    state = opened(tmp_path)
    (tmp_path / f"{NAME}-note").mkdir()
    with pytest.raises(WriteFailed, match="Is a directory"):
        state.write(put(1, 1), MARK)
    (tmp_path / f"{NAME}-note").rmdir()
    state.close()
    # It was durable by then, only nobody was told.
    assert set(content_of(tmp_path)) == {pin_number(1)}


def test_closing_twice(tmp_path: Path) -> None:
    state = opened(tmp_path)
    state.close()
    state.close()


def test_a_reader_beside_the_daemon_does_no_harm(tmp_path: Path) -> None:
    state = opened(tmp_path)
    state.write(put(1, 1), MARK)
    reader = sqlite3.connect(tmp_path / NAME, isolation_level=None)
    reader.execute("BEGIN")
    assert reader.execute("SELECT count(*) FROM clusters").fetchone() == (1,)
    state.write(put(2, 2), MARK)
    state._execute("PRAGMA busy_timeout = 0")
    state.close()
    # The log is still in use, so the note stays with it.
    assert (tmp_path / f"{NAME}-note").exists()
    reader.close()
    assert set(content_of(tmp_path)) == {pin_number(1), pin_number(2)}
