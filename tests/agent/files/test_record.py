"""
What a machine keeps of its pairing, and what it makes of it at its next boots.
"""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from cvmpair_agent.context.cluster import Role
from cvmpair_agent.errors import AgentError
from cvmpair_agent.files.instance import identify
from cvmpair_agent.files.patching import patch
from cvmpair_agent.files.record import Record, read_record, write_record
from cvmpair_agent.files.root import Root

PIN = "enico1qq0oey"
TOKEN = f"abcd1234.sesame{'x' * 37}"
PLACE = "var/lib/cvmpair-agent/pairing.json"
RECORD = Record(
    instance="0" * 64,
    pin=PIN,
    role=Role.WORKER,
    service_url="https://pairing.example.org",
    master="10.10.25.5",
)


def read(root: Path) -> Record | None:
    return read_record(Root(root), pytest.fail)


def warning(root: Path) -> str:
    warnings: list[str] = []
    assert read_record(Root(root), warnings.append) is None
    (text,) = warnings
    assert text.startswith("/var/lib/cvmpair-agent/pairing.json is ignored")
    assert "\n" not in text
    return text


@pytest.mark.parametrize(
    "record",
    [
        RECORD,
        evolve(RECORD, role=Role.MASTER, ready=True, master="2001:db8::1"),
        evolve(RECORD, master="node-1.example.org"),
        evolve(RECORD, token=TOKEN, fingerprint=f"sha256:{'ab' * 32}"),
    ],
)
def test_what_is_written_is_read(tmp_path: Path, record: Record) -> None:
    assert read(tmp_path) is None
    write_record(Root(tmp_path), RECORD)
    write_record(Root(tmp_path), record)
    assert read(tmp_path) == record


def test_it_is_private(tmp_path: Path) -> None:
    directory = tmp_path / "var/lib/cvmpair-agent"
    directory.mkdir(parents=True, mode=0o755)
    (tmp_path / PLACE).write_text("{}")
    write_record(Root(tmp_path), RECORD)
    assert stat.S_IMODE((tmp_path / PLACE).stat().st_mode) == 0o600
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert [entry.name for entry in directory.iterdir()] == ["pairing.json"]


def test_a_new_directory_is_private(tmp_path: Path) -> None:
    write_record(Root(tmp_path), RECORD)
    assert stat.S_IMODE((tmp_path / PLACE).parent.stat().st_mode) == 0o700


def test_neither_pin_nor_token_is_in_the_repr() -> None:
    shown = repr(evolve(RECORD, token=TOKEN))
    assert PIN not in shown
    assert "sesame" not in shown


def test_a_record_of_an_earlier_release(tmp_path: Path) -> None:
    write_record(Root(tmp_path), RECORD)
    plain = json.loads((tmp_path / PLACE).read_text())
    del plain["token"], plain["fingerprint"]
    (tmp_path / PLACE).write_text(json.dumps(plain))
    assert read(tmp_path) == RECORD


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"format": None},
        {"instance": None},
        {"pin": "SESAME"},
        {"pin": 1},
        {"role": "sesame"},
        {"role": None},
        {"master": "$(sesame)"},
        {"master": 1},
        {"ready": "sesame"},
        {"token": "sesame"},
        {"token": 1},
        {"fingerprint": "sesame"},
        {"fingerprint": 1},
    ],
)
def test_a_record_with_another_value_is_none(tmp_path: Path, change: dict) -> None:
    write_record(Root(tmp_path), RECORD)
    plain = json.loads((tmp_path / PLACE).read_text())
    (tmp_path / PLACE).write_text(json.dumps(plain | change))
    text = warning(tmp_path)
    assert "sesame" not in text.lower()
    assert PIN not in text


@pytest.mark.parametrize(
    "name", ["format", "instance", "pin", "role", "master", "ready"]
)
def test_a_record_without_a_value_is_none(tmp_path: Path, name: str) -> None:
    write_record(Root(tmp_path), RECORD)
    plain = json.loads((tmp_path / PLACE).read_text())
    del plain[name]
    (tmp_path / PLACE).write_text(json.dumps(plain))
    warning(tmp_path)


def test_a_record_that_is_cut_off_is_none(tmp_path: Path) -> None:
    write_record(Root(tmp_path), RECORD)
    data = (tmp_path / PLACE).read_bytes().rstrip()
    for size in range(len(data)):
        (tmp_path / PLACE).write_bytes(data[:size])
        warning(tmp_path)


def test_no_bytes_do_harm(tmp_path: Path) -> None:
    (tmp_path / PLACE).parent.mkdir(parents=True)

    @given(
        st.binary() | st.just(b"[" * 100_000) | st.sampled_from([b"1", b'"a"', b"[]"])
    )
    def check(data: bytes) -> None:
        (tmp_path / PLACE).write_bytes(data)
        warning(tmp_path)

    check()


def test_what_is_no_file_is_no_record(tmp_path: Path) -> None:
    (tmp_path / PLACE).mkdir(parents=True)
    assert "not a regular file" in warning(tmp_path)


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("")
    with pytest.raises(AgentError, match="could not be written") as caught:
        write_record(Root(tmp_path), RECORD)
    assert PIN not in str(caught.value)


def test_a_failure_leaves_the_earlier_record(tmp_path: Path, monkeypatch) -> None:
    write_record(Root(tmp_path), RECORD)

    def fail(*_) -> None:
        raise OSError("no space")

    with monkeypatch.context() as planted:
        planted.setattr(os, "fsync", fail)
        with pytest.raises(AgentError, match="no space"):
            write_record(Root(tmp_path), evolve(RECORD, master="10.0.0.9"))
    assert read(tmp_path) == RECORD


def test_a_second_boot_without_a_network(tmp_path: Path) -> None:
    root = Root(tmp_path)
    config = tmp_path / "var/lib/cloud/instances/i-1/cloud-config.txt"
    config.parent.mkdir(parents=True)
    (tmp_path / "var/lib/cloud/instance").symlink_to("/var/lib/cloud/instances/i-1")
    identity = tmp_path / "etc/machine-id"
    identity.parent.mkdir()
    identity.write_text("11111111111111111111111111111111\n")

    def boot() -> None:
        config.write_text("runcmd: [echo ###MASTER_IP_PLACEHOLDER###]\n")

    boot()
    write_record(root, evolve(RECORD, instance=identify(root)))
    boot()
    kept = read(tmp_path)
    assert kept is not None
    assert kept.instance == identify(root)
    patch(root, None, kept.master)
    assert config.read_text() == "runcmd: [echo 10.10.25.5]\n"


def test_twisted_is_not_imported() -> None:
    code = (
        "import sys; import cvmpair_agent.files.patching, cvmpair_agent.files.record, "
        "cvmpair_agent.files.instance; "
        "print(*{'twisted', 'email', 'gzip'} & set(sys.modules))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == []
