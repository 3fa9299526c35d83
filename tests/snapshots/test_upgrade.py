"""
A state file of an older format becomes one of the present format, and loses nothing.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from cvmpair.core.model import Cluster, Key
from cvmpair.snapshots.errors import StateUnusable
from cvmpair.snapshots.sqlite import StateFile
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

OLD = Path(__file__).with_name("format_1.sql")

CONTENT = {
    pin_number(1): Cluster(
        pin=pin_number(1),
        created=1000000000.25,
        lifetime=86400.0,
        version=1000000001,
        keys=(Key(name="sesame", value="sesame1000000001-ses", version=1000000001),),
    ),
    pin_number(2): Cluster(
        pin=pin_number(2),
        created=1000000001.75,
        lifetime=3600.0,
        version=1000000004,
        keys=(
            Key(name="sesame_1", value='é "sesame"\n', version=1000000003),
            Key(name="sesame_2", value="sesame", version=1000000004),
        ),
    ),
}


@pytest.fixture
def old(tmp_path: Path) -> Path:
    directory = lay_out(tmp_path / "old", {NAME: b""})
    with closing(sqlite3.connect(directory / NAME)) as connection:
        connection.executescript(OLD.read_text())
        connection.execute("PRAGMA journal_mode = WAL")
    return directory


def format_of(directory: Path) -> int:
    with closing(sqlite3.connect(directory / NAME)) as connection:
        (found,) = connection.execute("PRAGMA user_version").fetchone()
    assert isinstance(found, int)
    return found


def test_it_is_read(old: Path) -> None:
    before = (old / NAME).read_bytes()
    assert content_of(old) == CONTENT
    assert (old / NAME).read_bytes() == before


def test_opening_makes_it_the_present_format(old: Path, tmp_path: Path) -> None:
    state = opened(old)
    # As a crash would leave it, before anything was written.
    crashed = lay_out(tmp_path / "crashed", files_of(old))
    assert format_of(crashed) == 2
    assert content_of(crashed) == CONTENT
    state.write(put(1000000005, 3), MARK)
    state.close()
    assert format_of(old) == 2
    assert set(content_of(old)) == {*CONTENT, pin_number(3)}
    again = opened(old)
    assert again.summary.version == 1000000005
    again.close()


def test_a_failure_leaves_it_as_it_was(old: Path) -> None:
    state = StateFile(old / NAME)
    list(state.read())
    with closing(sqlite3.connect(old / NAME, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StateUnusable, match="locked"):
            state.open()
    assert format_of(old) == 1
    assert content_of(old) == CONTENT


def test_opening_the_present_format_writes_nothing(old: Path) -> None:
    opened(old).close()
    state = opened(old)
    assert files_of(old)[f"{NAME}-wal"] == b""
    state.close()
