"""
What the command line says: the help, and one line for what cannot be.
"""

import re
import shutil
import socket
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.daemon import LAUNCHERS, Daemon, environment
from tests.logs import new_log

HELP = {
    "listen": ("endpoint", "tcp:8080:interface=127.0.0.1"),
    "state-dir": ("Directory", "state"),
    "durability": ("periodic", "synced"),
    "snapshot-interval": ("in seconds", "10s"),
    "pin-lifetime": ("in seconds", "24h"),
    "max-clusters": ("clusters", "1000000"),
    "max-tombstones": ("7 days", "100000"),
    "max-keys": ("keys", "64"),
    "max-body-size": ("in bytes", "65536"),
    "header-timeout": ("in seconds", "10s"),
    "body-timeout": ("in seconds", "10s"),
    "max-wait": ("in seconds", "300s"),
    "max-waiters": ("requests", "20000"),
    "max-guesses": ("in a minute", "20"),
    "max-creations": ("in a minute", "60"),
    "max-connections": ("connections", "0"),
    "max-waiters-per-address": ("requests", "0"),
    "trusted-proxy": ("address", "none"),
    "forwarded-header": ("header", "x-forwarded-for"),
    "admin-listen": ("endpoint", "nowhere"),
    "log-format": ("JSON", "text"),
}
"""By option: a word for its unit, and its default."""

BAD = {
    "listen": "tcp:nonsense",
    "state-dir": "",
    "durability": "nonsense",
    "snapshot-interval": "0",
    "pin-lifetime": "nonsense",
    "max-clusters": "0",
    "max-tombstones": "-1",
    "max-keys": "-1",
    "max-body-size": "64k",
    "header-timeout": "1w",
    "body-timeout": "1e9",
    "max-wait": "nonsense",
    "max-waiters": "-1",
    "max-guesses": "-1",
    "max-creations": "many",
    "max-connections": "1.5",
    "max-waiters-per-address": "nonsense",
    "trusted-proxy": "10.0.0.1/8",
    "forwarded-header": "x-real-ip",
    "admin-listen": "tcp:nonsense",
    "log-format": "xml",
}

FLAGS = {"require-protected": "protected clusters"}
"""Those without a value, with a word about each."""

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(params=LAUNCHERS)
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Run:
    """
    Runs ``cvmpair`` to its end.
    """

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*LAUNCHERS[request.param], "cvmpair", *words],
            check=False,
            capture_output=True,
            text=True,
            env=environment(),
            cwd=tmp_path,
            timeout=60,
        )
        new_log("refused").write_text(done.stdout + done.stderr)
        return done

    return run


@pytest.fixture
def refused(run: Run) -> Callable[..., str]:
    """
    Runs ``cvmpair`` with something that cannot be, and returns what it says.
    """

    def refused(*words: str) -> str:
        done = run(*words)
        assert done.returncode in (1, 2)
        assert "Traceback" not in done.stdout + done.stderr
        (line,) = done.stderr.splitlines()
        assert line.startswith("cvmpair: ")
        return line

    return refused


def test_help(run: Run) -> None:
    done = run("--help")
    assert done.returncode == 0
    entries = re.split(r"\n +--", done.stdout.partition("Options:")[2])[1:]
    texts = {re.split(r"[= ]", entry)[0]: " ".join(entry.split()) for entry in entries}
    assert texts.keys() == {*HELP, *FLAGS, "help", "version"}
    for option, (unit, default) in HELP.items():
        assert unit in texts[option]
        assert f"[default: {default}]" in texts[option]
    for option, words in FLAGS.items():
        assert words in texts[option]


def test_version(run: Run) -> None:
    done = run("--version")
    assert done.returncode == 0
    assert re.fullmatch(r"cvmpair [0-9]+\.[0-9]+\.[0-9]+\S*\n", done.stdout)


def test_every_option_is_tried() -> None:
    assert BAD.keys() == HELP.keys()


@pytest.mark.parametrize("option", BAD)
def test_bad_value(refused: Callable[..., str], option: str) -> None:
    line = refused(f"--{option}={BAD[option]}")
    assert f"--{option} " in line
    assert repr(BAD[option]) in line


def test_unknown_words(refused: Callable[..., str]) -> None:
    assert "--nonsense" in refused("--nonsense=1")
    assert "nonsense" in refused("nonsense")
    assert "--state-dir" in refused("--state-dir")


def test_unusable_endpoints(refused: Callable[..., str], tmp_path: Path) -> None:
    state = f"--state-dir={tmp_path / 'state'}"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        words = f"tcp:{port}:interface=127.0.0.1"
        line = refused(state, "--listen=tcp:0:interface=127.0.0.1", f"--listen={words}")
    assert f"--listen '{words}'" in line
    assert "Address already in use; stop what listens there" in line
    key = tmp_path / "missing.pem"
    line = refused(state, f"--listen=ssl:0:privateKey={key}")
    assert "--listen" in line
    assert "No such file" in line
    words = f"tls:{tmp_path / 'missing'}:port=0"
    line = refused(state, f"--listen={words}")
    assert f"--listen {words!r} is no usable endpoint: {tmp_path / 'missing'}" in line
    assert line.endswith("is no directory")


def test_unusable_state_directory(refused: Callable[..., str], tmp_path: Path) -> None:
    # Root may write everywhere, but nobody below a file.
    (tmp_path / "file").touch()
    line = refused("--listen=tcp:0", f"--state-dir={tmp_path / 'file' / 'state'}")
    assert str(tmp_path / "file" / "state") in line
    assert f"{tmp_path / 'file'} is no directory; name another" in line


def test_second_daemon(refused: Callable[..., str], tmp_path: Path) -> None:
    with Daemon(tmp_path / "state") as first:
        line = refused("--listen=tcp:0", f"--state-dir={first.state_dir}")
        assert first.process is not None
        assert f"in use by another daemon (process {first.process.pid})" in line
        assert "--state-dir" in line
        first.new_pin()


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """
    The directory that an orderly daemon left.
    """
    with Daemon(tmp_path_factory.mktemp("left") / "state") as daemon:
        daemon.new_pin()
        assert daemon.terminate() == 0
    return daemon.state_dir


def make_foreign(file: Path) -> None:
    file.write_text("nonsense" * 1000)


def make_newer(file: Path) -> None:
    connection = sqlite3.connect(file)
    connection.execute("PRAGMA user_version = 99")
    connection.close()


def make_damaged(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2 :] = bytes(len(content) // 2)
    file.write_bytes(content)


@pytest.mark.parametrize(
    ("spoil", "hint"),
    [
        (make_foreign, "not a database"),
        (make_newer, "use the release that wrote it"),
        (make_damaged, "restore it from a backup"),
    ],
)
def test_state_file_of_another_kind(
    refused: Callable[..., str],
    state: Path,
    tmp_path: Path,
    spoil: Callable[[Path], None],
    hint: str,
) -> None:
    spoiled = shutil.copytree(state, tmp_path / "spoiled")
    file = spoiled / "cvmpair.db"
    spoil(file)
    before = file.read_bytes()
    line = refused("--listen=tcp:0", f"--state-dir={spoiled}")
    assert str(file) in line
    assert hint in line
    assert file.read_bytes() == before
