"""
All sources there are: their names, their kinds, and how each is made.

Nothing here loads Twisted; what asks over the network is passed in.
"""

from collections.abc import Callable, Sequence
from typing import Final

from cvmpair_agent.disks.volumes import Volumes
from cvmpair_agent.files.root import Root
from cvmpair_agent.userdata.azure import Azure
from cvmpair_agent.userdata.azure_disk import AzureDisk
from cvmpair_agent.userdata.cloud_init import CloudInit
from cvmpair_agent.userdata.cloudstack import CloudStack
from cvmpair_agent.userdata.config_drive import ConfigDrive
from cvmpair_agent.userdata.context_file import ContextFile
from cvmpair_agent.userdata.ec2 import LINK_LOCAL_IPV6, Ec2
from cvmpair_agent.userdata.exchange import LINK_LOCAL, Http
from cvmpair_agent.userdata.gce import Gce, GceCernVm
from cvmpair_agent.userdata.injected import Injected
from cvmpair_agent.userdata.leases import dhcp_servers
from cvmpair_agent.userdata.machine import Machine, Network
from cvmpair_agent.userdata.metadata import MetadataSource, Servers
from cvmpair_agent.userdata.nocloud import NoCloud
from cvmpair_agent.userdata.opennebula import OpenNebula
from cvmpair_agent.userdata.openstack import OpenStack
from cvmpair_agent.userdata.order import DEFAULT_ORDER, in_order
from cvmpair_agent.userdata.source import Kind, Source
from cvmpair_agent.userdata.vsphere import VSphere


def _link_local(_: Root) -> Sequence[str]:
    return [LINK_LOCAL]


def _link_local_or_ipv6(_: Root) -> Sequence[str]:
    return [LINK_LOCAL, LINK_LOCAL_IPV6]


def _virtual_routers(root: Root) -> Sequence[str]:
    return [f"http://{server}" for server in dhcp_servers(root)]


_METADATA: Final[
    dict[
        str,
        tuple[Callable[[Http, str], MetadataSource], Callable[[Root], Sequence[str]]],
    ]
] = {
    Ec2.name: (Ec2, _link_local_or_ipv6),
    OpenStack.name: (OpenStack, _link_local),
    Gce.name: (Gce, _link_local),
    GceCernVm.name: (GceCernVm, _link_local),
    Azure.name: (Azure, _link_local),
    CloudStack.name: (CloudStack, _virtual_routers),
}
"""By its name, how each is made, and the base addresses of its servers."""


def _context_file(machine: Machine) -> Sequence[Source]:
    path = machine.context_file
    return [] if path is None else [ContextFile(path=path)]


_LOCAL: Final[dict[str, tuple[Kind, Callable[[Machine], Sequence[Source]]]]] = {
    ContextFile.name: (Kind.FILE, _context_file),
    CloudInit.name: (Kind.CLOUD_INIT, lambda it: [CloudInit(root=it.root)]),
    ConfigDrive.name: (
        Kind.DISK,
        lambda it: [ConfigDrive(root=it.root, volumes=Volumes(it.root))],
    ),
    OpenNebula.name: (Kind.DISK, lambda it: [OpenNebula(volumes=Volumes(it.root))]),
    NoCloud.name: (
        Kind.DISK,
        lambda it: [NoCloud(root=it.root, volumes=Volumes(it.root))],
    ),
    AzureDisk.name: (Kind.DISK, lambda it: [AzureDisk(volumes=Volumes(it.root))]),
    VSphere.name: (Kind.DISK, lambda it: [VSphere(volumes=Volumes(it.root))]),
    Injected.name: (
        Kind.INJECTED,
        lambda it: [Injected(root=it.root, paths=it.injected)],
    ),
}
"""By its name, the kind of each, and how it is made."""

KINDS: Final = {name: kind for name, (kind, _) in _LOCAL.items()} | dict.fromkeys(
    _METADATA, Kind.METADATA
)
"""The kind of each source by its name, in the order within a kind."""


def sources(machine: Machine, words: Sequence[str] = DEFAULT_ORDER) -> list[Source]:
    """
    Return the sources to ask, in the order that ``--source-order`` gives.

    :raises ContextWrong: if a word, or the address of a server, is wrong.
    """
    servers = Servers(machine.network.probe) if machine.network else None
    found: list[Source] = []
    for name in in_order(words, KINDS):
        if name in _LOCAL:
            _, make = _LOCAL[name]
            found += make(machine)
        elif machine.network and servers:
            named = machine.network.server is not None
            found += [
                servers.probed(source, named=named)
                for source in _ask(name, machine.network, machine.root)
            ]
    return found


def _ask(name: str, network: Network, root: Root) -> list[MetadataSource]:
    make, usual = _METADATA[name]
    bases = usual(root) if network.server is None else [network.server]
    return [make(network.http, base) for base in bases]
