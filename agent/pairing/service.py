"""
What is asked of the service, and the keys that machines agree on.
"""

from typing import Final, Protocol

from cvmpair.core.errors import ClusterGone
from cvmpair_agent.errors import PinGone

MASTER_IP: Final = "master_ip"
"""The address of the master, published before its contextualization."""

MASTER_READY: Final = "master_ready"
"""Published when the master has booted; workers look only whether it is there."""

READY: Final = "yes"
"""What the original agents publish as ``master_ready``."""


class Service(Protocol):
    """
    What is used of :class:`cvmpair.client.api.PairingClient`.
    """

    async def has_cluster(self, pin: str) -> bool:
        """
        Say whether a cluster has this PIN.

        :raises ClusterGone: if it had it, and the service says what happened.
        """

    async def key(self, pin: str, name: str, wait: int = 0) -> str:
        """
        Return the value of a key, which the service may wait for.
        """

    async def add_key(self, pin: str, name: str, value: str) -> None:
        """
        Add a key.
        """


async def check_pin(service: Service, pin: str) -> None:
    """
    Let a PIN pass that the service knows.

    :raises PinGone: if it does not.
    """
    try:
        if await service.has_cluster(pin):
            return
        what = ": it has a typing error, or ended long ago"
    except ClusterGone as gone:
        what = f" any more: it {gone.words}"
    raise PinGone(
        f"The service does not know the PIN{what}. Create a new one and start the "
        "machines with it."
    )
