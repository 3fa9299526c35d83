"""
The state directory: private, and for one daemon at a time.
"""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from cvmpair.snapshots import directory as module
from cvmpair.snapshots.directory import DirectoryLock, prepare_directory
from cvmpair.snapshots.errors import StateExposed, StateLocked, StateUnusable


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """
    The directories that were synchronised.
    """
    paths: list[Path] = []
    monkeypatch.setattr(module, "sync_directory", paths.append)
    return paths


def test_a_new_directory_is_private(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        prepare_directory(tmp_path / "state")
    finally:
        os.umask(before)
    assert mode_of(tmp_path / "state") == 0o700


def test_every_new_level_is_made_durable(tmp_path: Path, synced: list[Path]) -> None:
    prepare_directory(tmp_path / "var" / "lib" / "state")
    expected = {tmp_path, tmp_path / "var", tmp_path / "var" / "lib"}
    assert set(synced) == expected


def test_an_old_directory_is_left_as_it_is(tmp_path: Path, synced: list[Path]) -> None:
    (tmp_path / "file").touch(0o600)
    prepare_directory(tmp_path)
    assert mode_of(tmp_path) == 0o700
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert synced == []


@pytest.mark.parametrize("mode", [0o740, 0o720, 0o710, 0o704, 0o702, 0o701, 0o777])
def test_a_directory_that_is_open_is_refused(tmp_path: Path, mode: int) -> None:
    state = tmp_path / "the state"
    state.mkdir()
    state.chmod(mode)
    with pytest.raises(StateExposed) as refused:
        prepare_directory(state)
    assert f"directory {state} is open to other users (mode {mode:04o})" in str(
        refused.value
    )
    assert mode_of(state) == mode
    # What it says to do helps.
    subprocess.run(str(refused.value).partition("with: ")[2], shell=True, check=True)
    prepare_directory(state)


@pytest.mark.parametrize("mode", [0o640, 0o620, 0o604, 0o602, 0o666])
@pytest.mark.parametrize("name", ["cvmpair.db", "cvmpair.db-wal", "cvmpair.db.bak"])
def test_a_file_that_is_open_is_refused(tmp_path: Path, name: str, mode: int) -> None:
    (tmp_path / "lock").touch(0o600)
    (tmp_path / name).touch()
    (tmp_path / name).chmod(mode)
    with pytest.raises(StateExposed) as refused:
        prepare_directory(tmp_path)
    assert f"file {tmp_path / name} is open" in str(refused.value)
    subprocess.run(str(refused.value).partition("with: ")[2], shell=True, check=True)
    assert mode_of(tmp_path / name) == 0o600
    prepare_directory(tmp_path)


def test_a_file_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").touch()
    with pytest.raises(StateUnusable, match="is no directory; name another"):
        prepare_directory(tmp_path / "state")
    with pytest.raises(StateUnusable, match="is no directory; name another"):
        prepare_directory(tmp_path / "state" / "below")


def test_one_lock_at_a_time(tmp_path: Path) -> None:
    lock = DirectoryLock(tmp_path)
    with pytest.raises(StateLocked, match=rf"in use .*\(process {os.getpid()}\)"):
        DirectoryLock(tmp_path)
    lock.release()
    DirectoryLock(tmp_path).release()
    assert mode_of(tmp_path / "lock") == 0o600


def test_locks_of_two_directories(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    first = DirectoryLock(tmp_path / "one")
    DirectoryLock(tmp_path / "two").release()
    first.release()


HOLD = """
import sys
from pathlib import Path
from cvmpair.snapshots.directory import DirectoryLock
lock = DirectoryLock(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_the_end_of_a_process_frees_its_lock(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(StateLocked, match=str(holder.pid)):
            DirectoryLock(tmp_path)
        holder.kill()
        holder.wait()
        DirectoryLock(tmp_path).release()


def test_a_lock_file_that_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "lock").mkdir()
    with pytest.raises(StateUnusable, match="Is a directory"):
        DirectoryLock(tmp_path)
