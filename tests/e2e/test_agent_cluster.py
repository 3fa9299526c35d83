"""
Machines with our agent find each other, by the real daemon.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.agents import Machine
from tests.e2e.daemon import CLUSTERS, Daemon
from tests.e2e.metadata_server import USER_DATA
from tests.e2e.virtual_machine import (
    AT_ONCE,
    RECORD,
    VirtualMachine,
    user_data,
    virtual_machine,
)

ADDRESS = "10.10.25.5"
WORKERS = 20

Boot = Callable[[str], VirtualMachine]


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    with Daemon(tmp_path / "state") as daemon:
        yield daemon


@pytest.fixture
def pin(daemon: Daemon) -> str:
    return daemon.new_pin()


@pytest.fixture
def boot(daemon: Daemon, pin: str, tmp_path: Path) -> Iterator[Boot]:
    """
    Makes machines of one cluster.
    """
    with ExitStack() as machines:
        roots = (tmp_path / f"root-{number}" for number in range(100))
        yield lambda role: machines.enter_context(
            virtual_machine(next(roots), user_data(role, daemon.url, pin))
        )


def test_one_master_and_many_workers(daemon: Daemon, pin: str, boot: Boot) -> None:
    workers = [boot("worker") for _ in range(WORKERS)]
    waiting = [worker.start("pair", *AT_ONCE) for worker in workers]
    for command in waiting:
        command.await_said("waiting for master_ready: the master has not")

    master = boot("master")
    paired = master.run("pair", *AT_ONCE, f"--address={ADDRESS}")
    assert (paired.code, paired.reason) == (0, "paired as master")
    master.check_patched(ADDRESS)
    key = daemon.request("GET", f"{CLUSTERS}/{pin}/keys/master_ip")
    assert key.text == f"master_ip: {ADDRESS}"

    daemon.kill()
    for command in waiting:
        command.await_said("waiting for master_ready: the service cannot be reached")
    announcing = master.start("ready", *AT_ONCE)
    announcing.await_said("the service cannot be reached")
    for worker, command in zip(workers, waiting, strict=True):
        assert command.process.poll() is None
        worker.check_untouched()
    daemon.start()

    announced = announcing.finish()
    assert (announced.code, announced.reason) == (
        0,
        "announced that the master is ready",
    )
    for worker, command in zip(workers, waiting, strict=True):
        ended = command.finish()
        assert (ended.code, ended.reason) == (0, "paired as worker")
        worker.check_patched(ADDRESS)
        assert worker.metadata.asked == ["/latest/api/token", USER_DATA]
        place = worker.place(RECORD)
        assert place.stat().st_mode & 0o777 == 0o600
        assert place.parent.stat().st_mode & 0o777 == 0o700


def test_a_second_master_is_refused(daemon: Daemon, pin: str, boot: Boot) -> None:
    first, second = boot("master"), boot("master")
    assert first.run("pair", *AT_ONCE, f"--address={ADDRESS}").code == 0
    refused = second.run("pair", *AT_ONCE, "--address=10.10.25.6")
    assert refused.code == 4
    assert "Another machine has published master_ip" in refused.reason
    second.check_untouched()
    key = daemon.request("GET", f"{CLUSTERS}/{pin}/keys/master_ip")
    assert key.text == f"master_ip: {ADDRESS}"
    # It has not become the master, so it does not say that it is ready.
    assert second.run("ready", *AT_ONCE).code == 0
    ready = daemon.request("GET", f"{CLUSTERS}/{pin}/keys/master_ready")
    assert ready.status == 404


def test_of_many_masters_one_wins(daemon: Daemon, pin: str, boot: Boot) -> None:
    masters = [boot("master") for _ in range(4)]
    commands = [
        master.start("pair", *AT_ONCE, f"--address=10.10.26.{number}")
        for number, master in enumerate(masters)
    ]
    codes = [command.finish().code for command in commands]
    assert sorted(codes) == [0, 4, 4, 4]
    key = daemon.request("GET", f"{CLUSTERS}/{pin}/keys/master_ip")
    assert key.text == f"master_ip: 10.10.26.{codes.index(0)}"


def test_a_master_that_was_interrupted_begins_again(daemon: Daemon, boot: Boot) -> None:
    # What it had published is there, but it has no record of it.
    master = boot("master")
    assert master.run("pair", *AT_ONCE).code == 0
    assert '"master": "127.0.0.1"' in master.text(RECORD)
    master.place(RECORD).unlink()
    master.boot()
    assert master.run("pair", *AT_ONCE).code == 0
    master.check_patched("127.0.0.1")
    assert daemon.terminate() == 0


def test_the_pin_is_deleted_while_workers_wait(
    daemon: Daemon, pin: str, boot: Boot
) -> None:
    workers = [boot("worker") for _ in range(4)]
    waiting = [worker.start("pair", *AT_ONCE) for worker in workers]
    for command in waiting:
        command.await_said("waiting for master_ready")
    assert daemon.request("DELETE", f"{CLUSTERS}/{pin}").status == 204
    for worker, command in zip(workers, waiting, strict=True):
        # Their budget would last for hours.
        ended = command.finish()
        assert ended.code == 3
        assert "The service does not know the PIN" in ended.reason
        worker.check_untouched()


def test_the_original_worker(
    daemon: Daemon, pin: str, boot: Boot, tmp_path: Path
) -> None:
    worker = Machine("worker", daemon, pin, tmp_path / "original")
    try:
        worker.start("worker.sh")
        worker.await_output("master_ready: status 404")
        master = boot("master")
        assert master.run("pair", *AT_ONCE, f"--address={ADDRESS}").code == 0
        assert master.run("ready", *AT_ONCE).code == 0
        assert worker.finish().endswith(f"replaced by {ADDRESS}\n")
    finally:
        worker.stop()
    assert f"my_master_ip={ADDRESS}\n" in worker.context.read_text()


def test_the_original_master(
    daemon: Daemon, pin: str, boot: Boot, tmp_path: Path
) -> None:
    worker = boot("worker")
    waiting = worker.start("pair", *AT_ONCE)
    waiting.await_said("waiting for master_ready")
    master = Machine("master", daemon, pin, tmp_path / "original")
    try:
        assert master.run("master.sh", ADDRESS) == f"published {ADDRESS}\n"
        assert master.run("ready.sh") == "announced\n"
    finally:
        master.stop()
    assert waiting.finish().code == 0
    worker.check_patched(ADDRESS)
    # It is a master to another of ours as well.
    refused = boot("master").run("pair", *AT_ONCE, "--address=10.10.25.6")
    assert refused.code == 4
