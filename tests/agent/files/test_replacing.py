"""
A file that is replaced keeps all but its contents, and is never half of each.
"""

import os
import signal
import stat
import subprocess
import sys
from errno import ENOSPC
from pathlib import Path

import pytest

from cvmpair_agent.files.replacing import (
    MAX_FILE_SIZE,
    create_file,
    read_file,
    replace_file,
)

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may set this")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "user-data.txt"
    path.write_bytes(b"old")
    return path


def alone(path: Path) -> bool:
    return [entry.name for entry in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o700, 0o755])
def test_the_mode_stays(path: Path, mode: int) -> None:
    path.chmod(mode)
    before = path.stat().st_ino
    assert replace_file(path, b"new")
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert path.stat().st_ino != before
    assert alone(path)


@as_root
def test_the_owner_and_the_group_stay(path: Path) -> None:
    os.chown(path, 1234, 5678)
    path.chmod(0o4750)
    replace_file(path, b"new")
    found = path.stat()
    assert (found.st_uid, found.st_gid) == (1234, 5678)
    assert stat.S_IMODE(found.st_mode) == 0o4750


@pytest.mark.parametrize(
    "name", ["user.note", pytest.param("security.selinux", marks=as_root)]
)
def test_extended_attributes_stay(path: Path, name: str) -> None:
    label = b"system_u:object_r:cloud_init_var_lib_t:s0\0"
    os.setxattr(path, name, label)
    replace_file(path, b"new")
    assert os.getxattr(path, name) == label


@as_root
def test_a_sum_of_the_old_contents_goes(path: Path) -> None:
    os.setxattr(path, "security.ima", b"\1sum")
    replace_file(path, b"new")
    assert "security.ima" not in os.listxattr(path)


def test_an_equal_file_is_not_touched(path: Path) -> None:
    os.utime(path, ns=(1, 2))
    before = path.stat()
    assert not replace_file(path, b"old")
    after = path.stat()
    assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)


def test_what_is_done_in_which_order(path: Path, monkeypatch) -> None:
    done = []
    fsync, replace = os.fsync, os.replace

    def note_fsync(descriptor: int) -> None:
        is_directory = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        done.append("sync directory" if is_directory else "sync file")
        fsync(descriptor)

    def note_replace(source, target) -> None:
        done.append(f"rename {Path(source).read_text()}")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(os, "replace", note_replace)
    replace_file(path, b"new")
    assert done == ["sync file", "rename new", "sync directory"]


@pytest.mark.parametrize("call", ["fsync", "fchmod", "replace"])
def test_a_failure_leaves_all_as_it_was(path: Path, call: str, monkeypatch) -> None:
    def fail(*_) -> None:
        raise OSError(ENOSPC, "No space left on device")

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(OSError, match="No space left"):
        replace_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert alone(path)


KILLED = """
import os, signal, sys
from pathlib import Path
from cvmpair_agent.files.replacing import replace_file

setattr(os, sys.argv[2], lambda *_: os.kill(os.getpid(), signal.SIGKILL))
replace_file(Path(sys.argv[1]), b"new")
"""


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_kill_leaves_the_old_file(path: Path, call: str) -> None:
    path.chmod(0o700)
    run = subprocess.run([sys.executable, "-c", KILLED, path, call], check=False)
    assert run.returncode == -signal.SIGKILL
    assert path.read_bytes() == b"old"
    (left,) = (entry for entry in path.parent.iterdir() if entry != path)
    assert left.name.startswith(".")
    if call == "fsync":
        # What may be half a script must not be run.
        assert not left.stat().st_mode & 0o111
    assert replace_file(path, b"newer")
    assert path.read_bytes() == b"newer"


def test_only_regular_files(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "directory").mkdir()
    (tmp_path / "link").symlink_to("file")
    for name in ["directory", "link", "missing"]:
        with pytest.raises(OSError):  # noqa: PT011  any
            replace_file(tmp_path / name, b"new")
        with pytest.raises(OSError):  # noqa: PT011
            read_file(tmp_path / name)
    assert (tmp_path / "file").read_bytes() == b"old"
    assert (tmp_path / "link").is_symlink()
    assert len(list(tmp_path.iterdir())) == 3


def test_a_named_pipe_is_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    # In a process of its own, as it would wait for ever.
    code = (
        "import sys; from pathlib import Path; "
        "from cvmpair_agent.files.replacing import read_file; "
        "read_file(Path(sys.argv[1]))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, pipe],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert run.stderr.splitlines()[-1] == "OSError: not a regular file"


def test_no_huge_files(path: Path) -> None:
    os.truncate(path, MAX_FILE_SIZE)
    assert len(read_file(path)) == MAX_FILE_SIZE
    os.truncate(path, MAX_FILE_SIZE + 1)
    with pytest.raises(OSError, match="larger than"):
        read_file(path)
    with pytest.raises(OSError, match="larger than"):
        replace_file(path, b"new")
    assert path.stat().st_size == MAX_FILE_SIZE + 1


def test_a_new_file_is_private(tmp_path: Path) -> None:
    path = tmp_path / "pairing.json"
    create_file(path, b"one")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    create_file(path, b"two")
    assert path.read_bytes() == b"two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert alone(path)
