"""
Commands that read the state of a daemon that was stopped, and leave it as it is.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cvmpair import cli
from cvmpair.snapshots.reading import StateReader
from tests.e2e.daemon import CLUSTERS, Daemon, environment
from tests.logs import MARKER

COMMANDS = [
    ("snapshot", "verify", "--state-dir"),
    ("snapshot", "export", "--output=/dev/null", "--state-dir"),
    ("doctor", "--state-dir"),
]


def status(*words: object) -> object:
    with pytest.raises(SystemExit) as ended:
        cli.main([str(word) for word in words])
    return ended.value.code


def traces(directory: Path) -> dict[str, object]:
    """
    Return what a command could have changed.
    """
    found: dict[str, object] = {".": directory.stat().st_mtime_ns}
    for path in directory.iterdir():
        found[path.name] = (path.stat().st_mtime_ns, path.read_bytes())
    return found


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with Daemon(tmp_path_factory.mktemp("stopped") / "state") as daemon:
        keys = f"{CLUSTERS}/{daemon.new_pin()}/keys"
        key = {"key": MARKER, "value": MARKER}
        assert daemon.send_json("POST", keys, key).status == 201
        assert daemon.terminate() == 0
    return daemon.state_dir


@pytest.fixture
def state(stopped: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(stopped, tmp_path / "state"))


@pytest.mark.parametrize("words", COMMANDS)
@pytest.mark.parametrize("empty_log", [False, True])
def test_nothing_is_changed(
    state: Path, words: tuple[str, ...], *, empty_log: bool
) -> None:
    if empty_log:
        # It is no reason to let SQLite write.
        (state / "cvmpair.db-wal").touch(mode=0o600)
    before = traces(state)
    assert status(*words, state) == 0
    assert traces(state) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
def test_on_a_read_only_file_system(state: Path) -> None:
    mounted = [
        "unshare",
        "--mount",
        "sh",
        "-c",
        'mount --bind -r "$0" "$0" && exec "$@"',
    ]
    if subprocess.run([*mounted, str(state), "true"], check=False).returncode != 0:
        pytest.skip("nothing can be mounted here")
    # The mount is one, even for root.
    touched = subprocess.run(
        [*mounted, state, "touch", state / "a"], check=False, capture_output=True
    )
    assert b"Read-only file system" in touched.stderr
    for words in COMMANDS:
        done = subprocess.run(
            [*mounted, state, sys.executable, "-m", "cvmpair.cli", *words, state],
            check=False,
            capture_output=True,
            env=environment(),
        )
        assert done.returncode == 0, done.stderr


def test_a_daemon_that_comes_and_goes_meanwhile(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_clusters = StateReader._read_clusters
    runs = []

    def read_late(self: StateReader, connection: object) -> Iterator[object]:
        # What is read of the file is from before this, and the rest from after it.
        if not runs:
            with Daemon(state) as daemon:
                runs.append([daemon.new_pin() for _ in range(100)])
                assert daemon.terminate() == 0
        return read_clusters(self, connection)

    with monkeypatch.context() as patched:
        patched.setattr(StateReader, "_read_clusters", read_late)
        assert status("snapshot", "verify", "--state-dir", state) == 0
    assert len(runs) == 1
