"""
Agents that know the server by its key, and one that is not it.
"""

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import frozen

from tests.client.authority import Authority, fingerprint_of
from tests.e2e.daemon import CLUSTERS, Daemon, free_port
from tests.e2e.virtual_machine import AT_ONCE, TWICE, user_data, virtual_machine

OTHER = f"sha256:{'a' * 64}"


@frozen
class Server:
    """
    A daemon with a certificate for a name that nobody calls it by, of an authority
    that no machine trusts.
    """

    daemon: Daemon
    fingerprint: str

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.daemon.port}"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    directory = tmp_path_factory.mktemp("pin")
    authority, pem, port = Authority("any"), directory / "server.pem", free_port()
    key = fingerprint_of(authority.issue_file(pem, "localhost"))
    daemon = Daemon(
        directory / "state",
        port=port,
        listen=[f"ssl:{port}:privateKey={pem}:interface=127.0.0.1"],
        tls=ssl.create_default_context(cafile=authority.write(directory / "ca.pem")),
    )
    with daemon:
        yield Server(daemon, key)


def test_a_cluster_of_machines_that_trust_a_key_alone(
    server: Server, tmp_path: Path
) -> None:
    pin = server.daemon.new_pin()
    line = [f"cvm_service_fingerprint={server.fingerprint}"]
    data = user_data("master", server.url, pin, line)
    with virtual_machine(tmp_path / "master", data) as master:
        assert master.run("pair", *AT_ONCE).code == 0
        # It knows the server by its record.
        assert master.run("ready", *AT_ONCE).code == 0
    with virtual_machine(
        tmp_path / "worker", user_data("worker", server.url, pin)
    ) as worker:
        untrusted = worker.run("pair", *TWICE)
        assert untrusted.code == 8
        assert "not signed by an authority" in untrusted.reason
        worker.check_untouched()
        words = ("--service-fingerprint", server.fingerprint)
        assert worker.run("pair", *AT_ONCE, *words).code == 0
        worker.check_patched("127.0.0.1")


@pytest.mark.parametrize("place", ["context", "option"])
def test_another_server(server: Server, tmp_path: Path, place: str) -> None:
    pin = server.daemon.new_pin()
    lines = [f"cvm_service_fingerprint={OTHER}"] if place == "context" else []
    option = [f"--service-fingerprint={OTHER}"] if place == "option" else []
    data = user_data("master", server.url, pin, lines)
    with virtual_machine(tmp_path / "root", data) as machine:
        refused = machine.run("pair", *TWICE, *option)
        assert refused.code == 8
        words = f"expected {OTHER}, but the server has {server.fingerprint}. "
        assert words in refused.reason
        # It is not asked again.
        assert "waiting for" not in refused.said
        machine.check_untouched()
    assert server.daemon.request("GET", f"{CLUSTERS}/{pin}/keys").json == []


@pytest.mark.parametrize("place", ["context", "option"])
def test_a_key_without_tls(tmp_path: Path, place: str) -> None:
    lines = [f"cvm_service_fingerprint={OTHER}"] if place == "context" else []
    words = [f"--service-fingerprint={OTHER}"] if place == "option" else []
    data = user_data("worker", "http://127.0.0.1:1", "enico1qq0oey", lines)
    with virtual_machine(tmp_path / "root", data) as machine:
        refused = machine.run("pair", *TWICE, *words)
        assert refused.code == 2
        assert "https://" in refused.reason
        machine.check_untouched()
