"""
How the agent ends as a process: what it leaves, says, and exits with.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.e2e.daemon import Daemon, environment

PIN = "enico1qq0oey"
CONTEXT = "cernvm/extra-user-data"
PLACEHOLDER = "###MASTER_IP_PLACEHOLDER###"


def put_context(root: Path, pin: str, url: str, *lines: str) -> Path:
    """
    Write the context of a machine.
    """
    path = root / CONTEXT
    path.parent.mkdir(exist_ok=True)
    section = [f"cvm_cluster_pin={pin}", f"cvm_service_url={url}", *lines]
    text = "\n".join(["[ucernvm-begin]", *section, "[ucernvm-end]", PLACEHOLDER])
    path.write_text(text)
    return path


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "cvmpair_agent", *map(str, words)]


def run(
    *words: object, more: Mapping[str, str] | None = None, stdout: int = subprocess.PIPE
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        command(*words),
        stdout=stdout,
        stderr=subprocess.PIPE,
        env={**environment(), **(more or {})},
        check=False,
    )


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with Daemon(tmp_path_factory.mktemp("daemon")) as running:
        yield running


def test_interrupted_while_it_waits(tmp_path: Path) -> None:
    put_context(tmp_path, PIN, "http://127.0.0.1:1")
    words = command("pair", f"--root={tmp_path}", "--source-order=injected")
    with subprocess.Popen(words, stderr=subprocess.PIPE, env=environment()) as agent:
        assert agent.stderr is not None
        for line in agent.stderr:
            if b"refuses connections" in line:
                break
        agent.send_signal(signal.SIGTERM)
        said = agent.stderr.read().splitlines()
    assert agent.returncode == 130
    assert said[-1] == b"cvmpair-agent: interrupted"
    assert len(said) <= 2


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    words = "source", f"--context-file={put_context(tmp_path, PIN, 'http://h')}"
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        ended = run(*words, stdout=full)
    finally:
        os.close(full)
    assert ended.returncode == 1
    assert ended.stderr == (
        b"cvmpair-agent: Standard output cannot be written: No space left on device.\n"
    )


def test_bytes_that_are_no_text_are_exported(tmp_path: Path) -> None:
    path = tmp_path / "context"
    path.write_bytes(
        b"[ucernvm-begin]\ncvm_cluster_pin=%b\na=\xff \xfe\n" % PIN.encode()
    )
    strict = {"PYTHONIOENCODING": "utf-8:strict"}
    ended = run("source", f"--context-file={path}", "--export", more=strict)
    assert ended.returncode == 0
    assert ended.stdout.endswith(b"\n_UCONTEXT_A='\xff \xfe'\n")


def test_a_root_that_is_not_there(tmp_path: Path) -> None:
    for name in "pair", "ready", "apply", "source", "status":
        ended = run(name, f"--root={tmp_path / 'none'}")
        assert ended.returncode == 2
        assert ended.stderr.endswith(b"none: there is no such directory.\n")
        assert ended.stderr.count(b"\n") == 1


@pytest.mark.parametrize(
    ("data", "mode", "why"),
    [
        (b"\x1f\x8b\x08sesame", 0o600, b"its end is missing"),
        (b"sesame", 0o666, b"others than its owner may write it"),
    ],
    ids=["damaged", "refused"],
)
def test_user_data_that_cannot_be_read(
    tmp_path: Path, data: bytes, mode: int, why: bytes
) -> None:
    path = tmp_path / CONTEXT
    path.parent.mkdir()
    path.write_bytes(data)
    path.chmod(mode)
    ended = run("pair", f"--root={tmp_path}", "--source-order=cloud-init,injected")
    assert ended.returncode == 2
    (told,) = ended.stderr.splitlines()
    assert b"There are user data that cannot be read" in told
    assert b"injected: " in told
    assert why in told
    assert str(path).encode() in told
    assert b"sesame" not in ended.stderr


def test_nothing_anywhere(tmp_path: Path) -> None:
    ended = run("pair", f"--root={tmp_path}", "--source-order=cloud-init,disk,injected")
    assert ended.returncode == 0
    (told,) = ended.stderr.splitlines()
    assert b"nothing to do" in told


def test_no_ready_for_the_cluster_before(daemon: Daemon, tmp_path: Path) -> None:
    pin = daemon.new_pin()
    words = f"--root={tmp_path}", "--source-order=injected"
    put_context(tmp_path, pin, daemon.url, "cvm_cluster_master=yes")
    assert run("pair", *words).returncode == 0
    path = put_context(tmp_path, PIN, daemon.url, "cvm_cluster_master=yes")
    assert run("pair", *words).returncode == 3
    ended = run("ready", words[0])
    assert ended.returncode == 0
    assert b"has not paired" in ended.stderr
    keys = daemon.request("GET", f"/api/v1/clusters/{pin}/keys").json
    assert [key["key"] for key in keys] == ["master_ip"]
    assert run("apply", words[0]).returncode == 1
    assert PLACEHOLDER in path.read_text()


@pytest.mark.parametrize(
    "words",
    [
        ["pair", f"--pin={PIN}"],
        ["pair", "--pin", PIN],
        ["pair", PIN],
        [PIN],
        ["source", f"--export={PIN}"],
        ["pair", f"--ip-from-metadata={PIN}"],
    ],
    ids=len,
)
def test_a_pin_in_the_wrong_place_is_not_repeated(words: list[str]) -> None:
    ended = run(*words)
    assert ended.returncode == 2
    assert ended.stderr.startswith(b"cvmpair-agent: ")
    assert ended.stderr.endswith(b" --help\n")
    assert ended.stderr.count(b"\n") == 1
    assert PIN.encode() not in ended.stderr
