"""
A master and its workers find each other, as the boot agents of CernVM do it.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.agents import EXAMPLES, Machine
from tests.e2e.daemon import CLUSTERS, Daemon

ADDRESS = "10.10.25.5"
PLACEHOLDER = "###MASTER_IP_PLACEHOLDER###"

Boot = Callable[[str], Machine]


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    with Daemon(tmp_path / "state") as daemon:
        yield daemon


@pytest.fixture
def boot(daemon: Daemon, tmp_path: Path) -> Iterator[Boot]:
    """
    Makes machines of one cluster.
    """
    machines: list[Machine] = []
    pin = daemon.new_pin()

    def make(role: str) -> Machine:
        directory = tmp_path / f"machine-{len(machines)}"
        machines.append(Machine(role, daemon, pin, directory))
        return machines[-1]

    yield make
    for machine in machines:
        machine.stop()


def check_patched(worker: Machine) -> None:
    """
    See to it that the placeholder has gone and nothing else.
    """
    assert worker.finish().endswith(f"replaced by {ADDRESS}\n")
    text = worker.context.read_text()
    assert text.startswith(f"[example_section]\nmy_master_ip={ADDRESS}\n")
    lines = [line for line in text.splitlines() if "cvm_service_url" not in line]
    example = (EXAMPLES / "worker.context").read_text()
    example = example.replace(PLACEHOLDER, ADDRESS).replace("enico1qq0oey", worker.pin)
    assert lines == example.splitlines()


def test_one_master_and_two_workers(boot: Boot) -> None:
    workers = [boot("worker"), boot("worker")]
    workers[0].start("worker.sh")
    # The later service for cloud-init asks for the address alone.
    workers[1].start("worker.sh", AWAIT="master_ip")
    workers[0].await_output("master_ready: status 404")
    workers[1].await_output("master_ip: status 404")

    master = boot("master")
    assert master.run("master.sh", ADDRESS) == f"published {ADDRESS}\n"
    check_patched(workers[1])
    assert PLACEHOLDER in workers[0].context.read_text()
    assert master.run("ready.sh") == "announced\n"
    check_patched(workers[0])


def test_the_daemon_dies_while_the_workers_wait(daemon: Daemon, boot: Boot) -> None:
    workers = [boot("worker"), boot("worker")]
    for worker in workers:
        worker.start("worker.sh")
    master = boot("master")
    assert master.run("master.sh", ADDRESS) == f"published {ADDRESS}\n"

    daemon.kill()
    for worker in workers:
        # The status that curl writes without an answer.
        worker.await_output("master_ready: status 000")
    daemon.start()

    assert master.run("ready.sh") == "announced\n"
    for worker in workers:
        check_patched(worker)


def test_a_master_tries_until_the_service_is_there(daemon: Daemon, boot: Boot) -> None:
    master = boot("master")
    daemon.kill()
    master.start("master.sh", ADDRESS)
    master.await_output("master_ip: status 000")
    daemon.start()
    assert master.finish().endswith(f"published {ADDRESS}\n")


def test_a_second_master_loses(daemon: Daemon, boot: Boot) -> None:
    first, second = boot("master"), boot("master")
    assert first.run("master.sh", ADDRESS) == f"published {ADDRESS}\n"
    second.tries = 2
    assert second.run("master.sh", "10.10.25.6").splitlines() == [
        "master_ip: status 409",
        "master_ip: status 409",
        "warning: could not publish the address",
    ]
    key = daemon.request("GET", f"{CLUSTERS}/{first.pin}/keys/master_ip")
    assert key.text == f"master_ip: {ADDRESS}"


def test_of_many_masters_one_wins(daemon: Daemon, boot: Boot) -> None:
    masters = [boot("master") for _ in range(6)]
    for number, master in enumerate(masters):
        master.tries = 1
        master.start("master.sh", f"10.10.26.{number}")
    winners = [
        number
        for number, master in enumerate(masters)
        if "published" in master.finish()
    ]
    key = daemon.request("GET", f"{CLUSTERS}/{masters[0].pin}/keys/master_ip")
    assert [f"master_ip: 10.10.26.{number}" for number in winners] == [key.text]


def test_a_worker_without_a_master_boots_on(boot: Boot) -> None:
    worker = boot("worker")
    worker.tries = 2
    before = worker.context.read_text()
    output = worker.run("worker.sh")
    assert output.endswith("warning: gave up waiting for master_ready\n")
    assert worker.context.read_text() == before
