"""
What the metadata server of a cloud says of the machine's own address.

Behind network address translation the machine itself does not know its public one.
"""

from collections.abc import Awaitable, Callable, Sequence
from enum import Enum
from functools import partial
from typing import Final

from cvmpair_agent.errors import ContextWrong
from cvmpair_agent.userdata.address import address_of
from cvmpair_agent.userdata.ec2 import Ec2
from cvmpair_agent.userdata.exchange import LINK_LOCAL, get
from cvmpair_agent.userdata.machine import Network
from cvmpair_agent.userdata.source import SourceUnusable


class Scope(Enum):
    """
    From where the address can be reached.
    """

    LOCAL = "local"
    PUBLIC = "public"


_EC2: Final = {
    Scope.LOCAL: "/latest/meta-data/local-ipv4",
    Scope.PUBLIC: "/latest/meta-data/public-ipv4",
}
"""OpenStack and CloudStack have it in the same place."""

_GCE_INTERFACE: Final = "/computeMetadata/v1/instance/network-interfaces/0"
_GCE: Final = {
    Scope.LOCAL: f"{_GCE_INTERFACE}/ip",
    Scope.PUBLIC: f"{_GCE_INTERFACE}/access-configs/0/external-ip",
}
_AZURE_ADDRESS: Final = "/metadata/instance/network/interface/0/ipv4/ipAddress/0"
_AZURE_FORM: Final = "?api-version=2021-08-01&format=text"
_AZURE: Final = {
    Scope.LOCAL: f"{_AZURE_ADDRESS}/privateIpAddress{_AZURE_FORM}",
    Scope.PUBLIC: f"{_AZURE_ADDRESS}/publicIpAddress{_AZURE_FORM}",
}


async def address_from_metadata(network: Network, scope: Scope) -> str:
    """
    Return the address as the first server that knows it spells it.

    :raises ContextWrong: if none does.
    """
    base = network.server or LINK_LOCAL
    tried: Sequence[str] = ["no metadata server answers"]
    if await network.probe.answering([address_of(base)]):
        http = network.http
        asks: list[Callable[[], Awaitable[bytes]]] = [
            partial(Ec2(http, base).get, f"{base}{_EC2[scope]}"),
            partial(get, http, f"{base}{_GCE[scope]}", {"Metadata-Flavor": "Google"}),
            partial(get, http, f"{base}{_AZURE[scope]}", {"Metadata": "true"}),
        ]
        tried = []
        for ask in asks:
            try:
                text = (await ask()).decode("ascii", "replace").strip()
            except SourceUnusable as error:
                tried = [*tried, str(error)]
                continue
            if text:
                return text
    raise ContextWrong(
        f"--ip-from-metadata: the cloud does not say the {scope.value} address "
        f"({'; '.join(tried) or 'it has none'}). Name it with --address."
    )
