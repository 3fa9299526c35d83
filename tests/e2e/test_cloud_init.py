"""
With the real cloud-init: the address gets to what it runs, at every boot.
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.cloud_init import package
from tests.e2e.cloud_init.machine import Machine, mime
from tests.e2e.daemon import CLUSTERS, ROOT, Daemon

MASTER = "10.10.25.5"
PLACEHOLDER = "###MASTER_IP_PLACEHOLDER###"
INSTANCE = "var/lib/cloud/instance"
EXAMPLES = ROOT / "etc/examples"


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    with Daemon(tmp_path / "state") as running:
        yield running


@pytest.fixture
def worker(tmp_path: Path, daemon: Daemon) -> Machine:
    """
    A machine that waits for a master, which is there.
    """
    pin = daemon.new_pin()
    for key, value in (("master_ip", MASTER), ("master_ready", "yes")):
        keys = f"{CLUSTERS}/{pin}/keys"
        answer = daemon.send_json("POST", keys, {"key": key, "value": value})
        assert answer.status == 201
    machine = Machine(root=tmp_path / "machine")
    machine.seed("i-1", user_data(machine, pin, daemon))
    return machine


def user_data(machine: Machine, pin: str, daemon: Daemon) -> str:
    """
    Return user data that leave a file each for the config and the final stage.
    """
    return mime(
        # Without the outer quotes YAML takes the placeholder for a comment.
        cloud_config="#cloud-config\nruncmd:\n"
        f""" - 'echo "command {PLACEHOLDER}" >{machine.root}/command'\n""",
        x_shellscript="#!/bin/sh\n"
        f'echo "script {PLACEHOLDER}" >{machine.root}/script\n',
        ucernvm=f"[ucernvm-begin]\ncvm_cluster_pin={pin}\n"
        f"cvm_service_url={daemon.url}\n[ucernvm-end]\n",
    )


def finish(machine: Machine) -> tuple[str, str]:
    """
    Run the other stages; return what the command and the script have written.
    """
    for stage in ("config", "final"):
        machine.stage(stage)
    return machine.read("command"), machine.read("script")


def test_commands_and_scripts_have_the_address(worker: Machine) -> None:
    worker.boot()
    assert worker.agent("pair") == 0
    assert finish(worker) == (f"command {MASTER}\n", f"script {MASTER}\n")
    assert PLACEHOLDER not in worker.read(f"{INSTANCE}/cloud-config.txt")
    assert PLACEHOLDER not in worker.read(f"{INSTANCE}/scripts/runcmd")


def test_without_the_agent_they_have_the_placeholder(worker: Machine) -> None:
    worker.boot()
    assert finish(worker) == (f"command {PLACEHOLDER}\n", f"script {PLACEHOLDER}\n")


@pytest.mark.parametrize("command", ["pair", "apply"])
def test_second_boot_needs_no_network(
    worker: Machine, daemon: Daemon, command: str
) -> None:
    worker.boot()
    assert worker.agent("pair") == 0
    finish(worker)
    daemon.kill()

    worker.boot()
    # This is why once is not enough.
    assert PLACEHOLDER in worker.read(f"{INSTANCE}/cloud-config.txt")
    assert PLACEHOLDER in worker.read(f"{INSTANCE}/scripts/part-002")
    for written in ("command", "script"):
        (worker.root / written).unlink()
    assert worker.agent(command) == 0
    assert finish(worker) == (f"command {MASTER}\n", f"script {MASTER}\n")


def test_copy_of_a_machine_is_another_instance(worker: Machine, daemon: Daemon) -> None:
    worker.boot()
    assert worker.agent("pair") == 0
    # Its image is taken, and booted with the user data of another cluster.
    worker.seed("i-2", user_data(worker, daemon.new_pin(), daemon))
    worker.boot()
    assert worker.agent("apply") == 1
    assert worker.agent("pair", "--timeout=1", "--delay=0.2", "--jitter=0") == 6
    assert finish(worker) == (f"command {PLACEHOLDER}\n", f"script {PLACEHOLDER}\n")


def test_example_for_an_image_is_valid() -> None:
    command = ("-m", "cloudinit.cmd.main", "schema", "--config-file")
    run = subprocess.run(
        [*package.PYTHON, *command, str(EXAMPLES / "agent.cloud-config")],
        env=package.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("Valid")
