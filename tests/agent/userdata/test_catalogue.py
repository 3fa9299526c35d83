"""
All the sources together, on a machine of their own.
"""

import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
import pytest_twisted
from twisted.internet import reactor

from cvmpair_agent.errors import ContextWrong
from cvmpair_agent.files.root import Root
from cvmpair_agent.userdata.address import Address
from cvmpair_agent.userdata.catalogue import KINDS, sources
from cvmpair_agent.userdata.drive import drive
from cvmpair_agent.userdata.exchange import Reply
from cvmpair_agent.userdata.http import DirectHttp
from cvmpair_agent.userdata.machine import Machine, Network
from cvmpair_agent.userdata.probe import TcpProbe
from cvmpair_agent.userdata.search import search
from cvmpair_agent.userdata.source import Kind
from tests.agent.userdata.servers import FakeServer, reply

Serve = Callable[..., FakeServer]

CONTEXT = b"[ucernvm-begin]\ncvm_cluster_pin=enico1qq0oey\n[ucernvm-end]\n"


class NobodyThere:
    """
    Probe and exchange without a network.
    """

    def __init__(self) -> None:
        self.probed: set[Address] = set()

    async def answering(self, addresses: Iterable[Address]) -> frozenset[Address]:
        self.probed.update(addresses)
        return frozenset()

    async def fetch(self, url: str, **_: object) -> Reply:
        raise AssertionError(f"{url} must not be asked")


def network(server: str | None = None) -> Network:
    return Network(http=DirectHttp(reactor), probe=TcpProbe(reactor), server=server)


def test_the_names() -> None:
    by_kind = {kind: [it for it in KINDS if KINDS[it] is kind] for kind in Kind}
    assert by_kind == {
        Kind.FILE: ["context-file"],
        Kind.CLOUD_INIT: ["cloud-init"],
        Kind.METADATA: [
            "ec2",
            "openstack",
            "gce",
            "gce-cernvm",
            "azure",
            "cloudstack",
        ],
        Kind.DISK: ["config-drive", "opennebula", "nocloud", "azure-disk", "vsphere"],
        Kind.INJECTED: ["injected"],
    }


def test_the_catalogue_says_what_the_sources_say(tmp_path: Path) -> None:
    nobody = NobodyThere()
    machine = Machine(
        root=Root(tmp_path),
        context_file=tmp_path / "file",
        network=Network(http=nobody, probe=nobody, server="http://127.0.0.1"),
    )
    for name, kind in KINDS.items():
        (source,) = sources(machine, [name])
        assert (source.name, source.kind) == (name, kind)


def test_which_servers_there_may_be(tmp_path: Path) -> None:
    leases = tmp_path / "run/systemd/netif/leases"
    leases.mkdir(parents=True)
    (leases / "2").write_text("SERVER_ADDRESS=10.1.1.1\n")
    nobody = NobodyThere()
    machine = Machine(root=Root(tmp_path), network=Network(http=nobody, probe=nobody))
    result = drive(search(sources(machine)))
    assert result.found is None
    assert nobody.probed == {
        Address("169.254.169.254", 80),
        Address("fd00:ec2::254", 80),
        Address("10.1.1.1", 80),
    }


def test_without_a_network_no_server_is_asked(tmp_path: Path) -> None:
    names = [source.name for source in sources(Machine(root=Root(tmp_path)))]
    assert not {name for name in names if KINDS[name] is Kind.METADATA}
    assert "injected" in names


def test_a_wrong_server(tmp_path: Path) -> None:
    machine = Machine(root=Root(tmp_path), network=network("https://x/sesame"))
    with pytest.raises(ContextWrong, match="must look like"):
        sources(machine)


@pytest_twisted.ensureDeferred
async def test_an_empty_answer_leads_to_the_next_source(
    serve: Serve, tmp_path: Path
) -> None:
    server = serve(
        {
            "/latest/user-data": reply(b""),
            "/openstack/latest/user_data": reply(b"#cloud-config\n"),
        }
    )
    seed = tmp_path / "var/lib/cloud/seed/nocloud"
    seed.mkdir(parents=True)
    (seed / "user-data").write_bytes(CONTEXT)
    machine = Machine(root=Root(tmp_path), network=network(server.base))
    result = await search(sources(machine))
    assert result.found is not None
    assert result.found.data.source == "nocloud"
    assert [
        (looked.name, looked.verdict)
        for looked in result.looked
        if KINDS[looked.name] is Kind.METADATA
    ] == [
        ("ec2", "no user data there"),
        ("openstack", "no ucernvm section in its user data"),
        ("gce", "no user data there"),
        ("gce-cernvm", "no user data there"),
        ("azure", "no user data there"),
        ("cloudstack", "no user data there"),
    ]


@pytest_twisted.ensureDeferred
async def test_no_server_is_asked_if_a_source_before_it_has_the_pin(
    serve: Serve, tmp_path: Path
) -> None:
    server = serve()
    context = tmp_path / "context"
    context.write_bytes(CONTEXT)
    machine = Machine(
        root=Root(tmp_path), context_file=context, network=network(server.base)
    )
    result = await search(sources(machine))
    assert result.found is not None
    assert result.found.data.source == "context-file"
    assert server.asked == []


@pytest_twisted.ensureDeferred
async def test_the_order_can_be_changed(serve: Serve, tmp_path: Path) -> None:
    server = serve({"/latest/user-data": reply(CONTEXT)})
    seed = tmp_path / "var/lib/cloud/seed/nocloud"
    seed.mkdir(parents=True)
    (seed / "user-data").write_bytes(CONTEXT)
    machine = Machine(root=Root(tmp_path), network=network(server.base))
    for words, name in (
        (["metadata", "disk"], "ec2"),
        (["disk", "metadata"], "nocloud"),
        (["cloudstack", "disk"], "cloudstack"),
    ):
        result = await search(sources(machine, words))
        assert result.found is not None
        assert result.found.data.source == name


def test_neither_the_sources_nor_the_search_load_twisted() -> None:
    script = (
        "import sys; from cvmpair_agent.userdata import catalogue, search, drive; "
        "print([name for name in sys.modules if name.startswith(('twisted', 'treq'))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
    )
    assert done.stdout == "[]\n"
