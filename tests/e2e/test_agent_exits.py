"""
How the agent ends: its exit codes, each with one line, and nothing half done.
"""

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.daemon import CLUSTERS, Daemon, free_port
from tests.e2e.virtual_machine import (
    AT_ONCE,
    TWICE,
    VirtualMachine,
    user_data,
    virtual_machine,
)
from tests.logs import MARKER

PIN = "enico1qq0oey"

Boot = Callable[[str], VirtualMachine]


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with Daemon(tmp_path_factory.mktemp("exits") / "state") as daemon:
        yield daemon


@pytest.fixture
def boot(tmp_path: Path) -> Iterator[Boot]:
    """
    Makes a machine with some user data.
    """
    with ExitStack() as machines:
        yield lambda data: machines.enter_context(
            virtual_machine(tmp_path / "root", data)
        )


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ("cvm_cluster_master=ja", "cvm_cluster_master is neither yes nor no"),
        (f"cvm_cluster_pin={MARKER}", "cvm_cluster_pin is not a PIN"),
        (f"cvm_service_url=ftp://{MARKER}", "cvm_service_url begins with neither"),
    ],
)
def test_a_wrong_value(boot: Boot, wrong: str, named: str) -> None:
    lines = ["[ucernvm-begin]", f"cvm_cluster_pin={PIN}", wrong, "[ucernvm-end]"]
    machine = boot("\n".join(lines))
    refused = machine.run("pair", *TWICE)
    assert refused.code == 2
    (line,) = refused.said.splitlines()
    assert f"Line 3 of the user data: {named}" in line
    machine.check_untouched()


@pytest.mark.parametrize(
    "words",
    [
        ["--context-file=/none"],
        ["--source-order=nonsense"],
        ["--metadata-server=nonsense"],
        ["--address=not/an/address"],
        ["--address=0.0.0.0"],
        ["--interface=none0"],
        ["--ip-from-metadata"],
    ],
    ids=lambda words: words[0],
)
def test_a_wrong_word(daemon: Daemon, boot: Boot, words: list[str]) -> None:
    pin = daemon.new_pin()
    machine = boot(user_data("master", daemon.url, pin))
    refused = machine.run("pair", *TWICE, *words)
    assert (refused.code, refused.printed) == (2, "")
    machine.check_untouched()
    assert daemon.request("GET", f"{CLUSTERS}/{pin}/keys").json == []


def test_an_address_from_the_metadata_server(daemon: Daemon, boot: Boot) -> None:
    pin = daemon.new_pin()
    machine = boot(user_data("master", daemon.url, pin))
    machine.metadata.others["/latest/meta-data/public-ipv4"] = b"192.0.2.7\n"
    assert machine.run("pair", *AT_ONCE, "--ip-from-metadata=public").code == 0
    machine.check_patched("192.0.2.7")


def test_the_loopback_interface_of_a_cluster_elsewhere(boot: Boot) -> None:
    machine = boot(user_data("master", "http://192.0.2.1", PIN))
    refused = machine.run("pair", *TWICE, "--interface=lo")
    assert refused.code == 2
    assert "127.0.0.1 is a loopback address" in refused.reason


def test_an_unknown_pin(daemon: Daemon, boot: Boot) -> None:
    machine = boot(user_data("worker", daemon.url, PIN))
    refused = machine.run("pair", *AT_ONCE)
    assert refused.code == 3
    machine.check_untouched()


def test_a_master_that_never_comes(daemon: Daemon, boot: Boot) -> None:
    machine = boot(user_data("worker", daemon.url, daemon.new_pin()))
    ended = machine.run("pair", *TWICE)
    assert ended.code == 6
    assert "Gave up waiting for master_ready after 2 tries" in ended.reason
    machine.check_untouched()


@pytest.mark.parametrize("role", ["master", "worker"])
def test_a_service_that_is_not_there(boot: Boot, role: str) -> None:
    machine = boot(user_data(role, f"http://127.0.0.1:{free_port()}", PIN))
    ended = machine.run("pair", *TWICE)
    assert ended.code == 8
    assert "the service cannot be reached: it refuses connections" in ended.reason
    machine.check_untouched()


def test_a_master_that_is_no_address(daemon: Daemon, boot: Boot) -> None:
    pin = daemon.new_pin()
    for key, value in ("master_ip", f"$({MARKER})"), ("master_ready", "yes"):
        path = f"{CLUSTERS}/{pin}/keys"
        answer = daemon.send_json("POST", path, {"key": key, "value": value})
        assert answer.status == 201
    machine = boot(user_data("worker", daemon.url, pin))
    refused = machine.run("pair", *AT_ONCE)
    assert refused.code == 1
    machine.check_untouched()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("words", [AT_ONCE, ["--delay=10m"]], ids=["busy", "idle"])
def test_interrupted(
    daemon: Daemon, boot: Boot, words: list[str], number: signal.Signals
) -> None:
    machine = boot(user_data("worker", daemon.url, daemon.new_pin()))
    waiting = machine.start("pair", *words)
    waiting.await_said("waiting for master_ready")
    # Whoever is impatient changes nothing.
    waiting.process.send_signal(number)
    ended = waiting.end(number)
    assert (ended.code, ended.reason) == (130, "interrupted")
    machine.check_untouched()


def test_no_context_at_all(boot: Boot) -> None:
    machine = boot("#!/bin/sh\n")
    for name, words in ("pair", TWICE), ("ready", TWICE):
        ended = machine.run(name, *words)
        assert (ended.code, ended.printed) == (0, "")
        assert "nothing to" in ended.reason
    machine.check_untouched()


def test_commands_before_pairing(boot: Boot) -> None:
    machine = boot("#!/bin/sh\n")
    for name in "apply", "status", "source":
        refused = machine.run(name)
        assert refused.code == 1
        assert len(refused.said.splitlines()) == 1
    machine.check_untouched()


def test_a_file_that_cannot_be_replaced(daemon: Daemon, boot: Boot) -> None:
    pin = daemon.new_pin()
    machine = boot(user_data("master", daemon.url, pin))
    refused = machine.run("pair", *AT_ONCE, "--patch=/etc/none")
    assert refused.code == 1
    assert "/etc/none: there is no such file" in refused.reason
    # Not paired, so nobody is told that this master is ready.
    machine.check_untouched()
    assert machine.run("ready", *TWICE).code == 0
    keys = daemon.request("GET", f"{CLUSTERS}/{pin}/keys").json
    assert [key["key"] for key in keys] == ["master_ip"]
