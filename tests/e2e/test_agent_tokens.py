"""
Machines of a protected cluster: what each may do, and how it ends when it may not.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from attrs import frozen

from tests.e2e.daemon import CLUSTERS, Answer, Daemon, free_port
from tests.e2e.virtual_machine import (
    AT_ONCE,
    TWICE,
    Command,
    user_data,
    virtual_machine,
)
from tests.logs import PINS
from tests.test_cli import run

IN_CLEAR = "cvmpair-agent: The token goes over http://, and anybody on the way"
WRONG = f"abcd1234.{'Aa0' * 14}_"


@frozen(kw_only=True)
class Protected:
    """
    A cluster of a daemon.
    """

    daemon: Daemon
    pin: str
    tokens: Mapping[str, str]

    def user_data(self, role: str, token: str | None) -> str:
        lines = [] if token is None else [f"cvm_cluster_token={token}"]
        return user_data(role, self.daemon.url, self.pin, lines)

    def admin(self, method: str, path: str) -> Answer:
        """
        Ask as whoever has created it.
        """
        headers = {"Authorization": f"Bearer {self.tokens['admin']}"}
        return self.daemon.request(
            method, f"{CLUSTERS}/{self.pin}{path}", headers=headers
        )


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with Daemon(tmp_path_factory.mktemp("tokens") / "state") as daemon:
        yield daemon


@pytest.fixture
def cluster(daemon: Daemon) -> Protected:
    answer = daemon.send_json("POST", CLUSTERS, {"protected": True})
    PINS.add(answer.json["pin"])
    return Protected(
        daemon=daemon, pin=answer.json["pin"], tokens=answer.json["tokens"]
    )


def test_from_a_new_cluster_to_machines_that_have_paired(
    daemon: Daemon, tmp_path: Path
) -> None:
    new = run("new", "--protected", "--json", "--service-url", daemon.url)
    PINS.add(json.loads(new.stdout)["pin"])
    words = ("context", "--cluster-file=-", "--service-url", daemon.url)
    contexts = {
        role: run(*words, "--role", role, given=new.stdout).stdout.decode()
        for role in ("master", "worker")
    }
    with (
        virtual_machine(tmp_path / "worker", contexts["worker"]) as worker,
        virtual_machine(tmp_path / "master", contexts["master"]) as master,
    ):
        waiting = worker.start("pair", *AT_ONCE)
        waiting.await_said("waiting for master_ready")
        check_hidden(waiting, new.stdout)
        for command in "pair", "ready":
            ended = master.run(command, *AT_ONCE)
            assert ended.code == 0
            assert ended.said.count(IN_CLEAR) == 1
        # Without a word to the service, there is nothing to warn of.
        assert IN_CLEAR not in master.run("pair", *AT_ONCE).said
        assert waiting.finish().code == 0
        worker.check_patched("127.0.0.1")


def check_hidden(command: Command, new: bytes) -> None:
    """
    See to it that nobody else on the machine sees a secret of a cluster.
    """
    cluster = json.loads(new)
    process = Path(f"/proc/{command.process.pid}")
    seen = (process / "cmdline").read_text() + (process / "environ").read_text()
    assert "\0pair\0" in seen
    for secret in (cluster["pin"], *cluster["tokens"].values()):
        assert secret not in seen


@pytest.mark.parametrize(
    ("role", "scope", "reason"),
    [
        ("worker", None, "without a valid token"),
        ("worker", "wrong", "without a valid token"),
        ("master", "wrong", "without a valid token"),
        ("master", "read", "a master one to write"),
    ],
)
def test_a_machine_that_may_not(
    cluster: Protected, tmp_path: Path, role: str, scope: str | None, reason: str
) -> None:
    tokens = {None: None, "wrong": WRONG, **cluster.tokens}
    data = cluster.user_data(role, tokens[scope])
    with virtual_machine(tmp_path / "root", data) as machine:
        refused = machine.run("pair", *AT_ONCE)
        assert refused.code == 5
        assert reason in refused.reason
        machine.check_untouched()
    assert cluster.admin("GET", "/keys").json == []


def test_a_token_that_is_revoked_while_a_worker_waits(
    cluster: Protected, tmp_path: Path
) -> None:
    data = cluster.user_data("worker", cluster.tokens["read"])
    with virtual_machine(tmp_path / "root", data) as machine:
        waiting = machine.start("pair", "--delay=1s", "--jitter=0")
        waiting.await_said("waiting for master_ready")
        word = cluster.tokens["read"].partition(".")[0]
        assert cluster.admin("DELETE", f"/tokens/{word}").status == 204
        ended = waiting.finish()
        assert ended.code == 5
        assert "was not revoked" in ended.reason
        machine.check_untouched()


def test_a_machine_that_gets_another_token(cluster: Protected, tmp_path: Path) -> None:
    first = cluster.user_data("master", cluster.tokens["write"])
    with virtual_machine(tmp_path / "root", first) as machine:
        assert machine.run("pair", *AT_ONCE).code == 0
        other = cluster.user_data("master", cluster.tokens["admin"])
        machine.metadata.user_data = other.encode()
        assert "paired as master" in machine.run("pair", *TWICE).said
        word = cluster.tokens["write"].partition(".")[0]
        assert cluster.admin("DELETE", f"/tokens/{word}").status == 204
        # With the one that it has now.
        assert machine.run("ready", *TWICE).code == 0


def test_a_machine_whose_service_moves(cluster: Protected, tmp_path: Path) -> None:
    data = cluster.user_data("master", cluster.tokens["write"])
    with virtual_machine(tmp_path / "root", data) as machine:
        assert machine.run("pair", *AT_ONCE).code == 0
        # Nobody is there, so it does not get so far as to have a record of it.
        url = f"https://127.0.0.1:{free_port()}"
        moved = data.replace(cluster.daemon.url, url)
        machine.metadata.user_data = moved.encode()
        assert machine.run("pair", *TWICE).code == 8
        announced = machine.run("ready", *TWICE)
        assert "has not paired" in announced.reason
    # The old service has heard nothing more.
    keys = [key["key"] for key in cluster.admin("GET", "/keys").json]
    assert keys == ["master_ip"]
