"""
Which DHCP servers gave the machine its addresses, as its DHCP clients noted it.
"""

import re
from collections.abc import Iterator
from ipaddress import IPv4Address
from typing import Final

from cvmpair_agent.files.root import Root

MAX_FILES: Final = 64
MAX_FILE_SIZE: Final = 1024 * 1024

_NETWORKD: Final = re.compile(r"^SERVER_ADDRESS=(\S+)$", re.MULTILINE)
_DHCLIENT: Final = re.compile(r"^\s*option dhcp-server-identifier (\S+);", re.MULTILINE)
_UDHCPC: Final = re.compile(r"^\s*(\S+)\s*$", re.MULTILINE)

_NOTES: Final = (
    ("/run/systemd/netif/leases", "*", _NETWORKD),
    ("/var/lib/NetworkManager", "dhclient-*.lease", _DHCLIENT),
    ("/var/lib/dhclient", "*.lease*", _DHCLIENT),
    ("/var/lib/dhcp", "*.lease*", _DHCLIENT),
    ("/var/lib", "dhcp-server", _UDHCPC),
)
"""A directory, which of its files are leases, and where those have the server."""


def dhcp_servers(root: Root) -> list[str]:
    """
    Return the addresses of the DHCP servers, each once.

    Nothing is guessed: a gateway that gave no lease is not among them.
    """
    servers: dict[str, None] = {}
    for directory, names, pattern in _NOTES:
        for text in _texts(root, directory, names):
            # dhclient appends its leases, and only the last one holds.
            last = pattern.findall(text)[-1:]
            servers.update(dict.fromkeys(filter(_is_address, last)))
    return list(servers)


def _texts(root: Root, directory: str, names: str) -> Iterator[str]:
    try:
        paths = sorted(root.locate(directory).glob(names))[:MAX_FILES]
    except OSError:
        return
    for path in paths:
        try:
            # A link could lead out of the root; no DHCP client makes one.
            if path.is_symlink() or not path.is_file():
                continue
            with path.open("rb") as file:
                data = file.read(MAX_FILE_SIZE)
        except OSError:
            continue
        yield data.decode("latin-1")


def _is_address(text: str) -> bool:
    try:
        IPv4Address(text)
    except ValueError:
        return False
    return True
