"""
The master: to publish what the others wait for, once.
"""

from cvmpair.core.budget import NotYet
from cvmpair.core.errors import ClusterNotFound, KeyExists, KeyNotFound
from cvmpair_agent.errors import AnotherMaster
from cvmpair_agent.pairing.asking import Asking
from cvmpair_agent.pairing.service import Service, check_pin


async def publish(
    asking: Asking, service: Service, *, pin: str, key: str, value: str
) -> None:
    """
    Publish a key, or see that it is there with this value already: a master that was
    interrupted begins again.

    :raises PinGone: if the service does not know the PIN.
    :raises AnotherMaster: if the key is there with another value.
    :raises AgentError: as :meth:`Asking.until` does.
    """

    async def once() -> None:
        try:
            await service.add_key(pin, key, value)
        except KeyExists:
            await _compare(service, pin, key, value)
        except ClusterNotFound:
            await check_pin(service, pin)
            raise NotYet("the service contradicts itself about the PIN") from None

    await asking.until(once, f"the service to take {key}")


async def _compare(service: Service, pin: str, key: str, value: str) -> None:
    try:
        published = await service.key(pin, key)
    except (ClusterNotFound, KeyNotFound):
        await check_pin(service, pin)
        raise NotYet(f"{key} was there and is not any more") from None
    if published != value:
        raise AnotherMaster(
            f"Another machine has published {key} under this PIN, and a cluster has "
            "one master only. Start this machine as a worker, or with another PIN."
        )
