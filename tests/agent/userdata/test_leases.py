"""
The DHCP server, from what DHCP clients note.
"""

from pathlib import Path

import pytest

from cvmpair_agent.files.root import Root
from cvmpair_agent.userdata.leases import MAX_FILE_SIZE, dhcp_servers

NETWORKD = """\
# This is private data. Do not parse.
ADDRESS=10.1.1.27
ROUTER=10.1.1.254
SERVER_ADDRESS={}
"""

DHCLIENT = """\
lease {{
  interface "eth0";
  fixed-address 10.1.1.27;
  option routers 10.1.1.254;
  option dhcp-server-identifier {};
}}
"""


def note(root: Path, name: str, text: str) -> None:
    path = root / name.removeprefix("/")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_no_lease(tmp_path: Path) -> None:
    assert dhcp_servers(Root(tmp_path)) == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("/run/systemd/netif/leases/2", NETWORKD),
        ("/var/lib/dhcp/dhclient.leases", DHCLIENT),
        ("/var/lib/dhcp/dhclient.eth0.leases", DHCLIENT),
        ("/var/lib/dhclient/dhclient-eth0.leases", DHCLIENT),
        ("/var/lib/dhclient/dhclient.leases", DHCLIENT),
        ("/var/lib/NetworkManager/dhclient-9c3b-eth0.lease", DHCLIENT),
        ("/var/lib/dhcp-server", "{}\n"),
    ],
)
def test_clients(tmp_path: Path, name: str, text: str) -> None:
    note(tmp_path, name, text.format("10.1.1.1"))
    assert dhcp_servers(Root(tmp_path)) == ["10.1.1.1"]


def test_the_last_lease_holds(tmp_path: Path) -> None:
    leases = DHCLIENT.format("10.1.1.1") + DHCLIENT.format("10.1.1.2")
    note(tmp_path, "/var/lib/dhcp/dhclient.leases", leases)
    assert dhcp_servers(Root(tmp_path)) == ["10.1.1.2"]


def test_several_networks(tmp_path: Path) -> None:
    for number, server in enumerate(["10.1.1.1", "10.2.1.1", "10.1.1.1"]):
        note(tmp_path, f"/run/systemd/netif/leases/{number}", NETWORKD.format(server))
    assert dhcp_servers(Root(tmp_path)) == ["10.1.1.1", "10.2.1.1"]


def test_the_gateway_is_not_guessed(tmp_path: Path) -> None:
    note(tmp_path, "/run/systemd/netif/leases/2", "ROUTER=10.1.1.254\n")
    note(tmp_path, "/var/lib/dhcp/dhclient.leases", "option routers 10.1.1.254;\n")
    assert dhcp_servers(Root(tmp_path)) == []


@pytest.mark.parametrize("server", ["", "host", "10.1.1.1/x", "1.2.3.4@h", "::1", "é"])
def test_what_is_no_address(tmp_path: Path, server: str) -> None:
    note(tmp_path, "/run/systemd/netif/leases/2", NETWORKD.format(server))
    note(tmp_path, "/var/lib/dhcp/dhclient.leases", DHCLIENT.format(server))
    note(tmp_path, "/var/lib/dhcp-server", server)
    assert dhcp_servers(Root(tmp_path)) == []


def test_what_is_no_lease(tmp_path: Path) -> None:
    (tmp_path / "run/systemd/netif/leases/2").mkdir(parents=True)
    note(tmp_path, "/elsewhere", NETWORKD.format("10.1.1.1"))
    (tmp_path / "run/systemd/netif/leases/3").symlink_to(tmp_path / "elsewhere")
    far = "\n" * MAX_FILE_SIZE + NETWORKD.format("10.1.1.1")
    note(tmp_path, "/run/systemd/netif/leases/4", far)
    note(tmp_path, "/var/lib/dhcp", "")
    assert dhcp_servers(Root(tmp_path)) == []


def test_a_circle_of_links(tmp_path: Path) -> None:
    note(tmp_path, "/run/systemd/netif/leases/2", NETWORKD.format("10.1.1.1"))
    (tmp_path / "var/lib").mkdir(parents=True)
    (tmp_path / "var/lib/dhcp").symlink_to("dhcp")
    assert dhcp_servers(Root(tmp_path)) == ["10.1.1.1"]
