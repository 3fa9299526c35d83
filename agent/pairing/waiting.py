"""
The worker: to wait for the master.
"""

from cvmpair.core.budget import NotYet
from cvmpair.core.errors import ClusterNotFound, KeyNotFound
from cvmpair_agent.context.host import check_host
from cvmpair_agent.errors import AgentError
from cvmpair_agent.pairing.asking import Asking
from cvmpair_agent.pairing.service import MASTER_IP, MASTER_READY, Service, check_pin


async def wait_for_master(asking: Asking, service: Service, pin: str) -> str:
    """
    Wait until the master is ready, and return its address or host name.

    :raises PinGone: if the service does not know the PIN.
    :raises AgentError: as :meth:`Asking.until` does, and if what the master published
        is no address.
    """
    await wait_for_key(asking, service, pin, MASTER_READY)
    address = await wait_for_key(asking, service, pin, MASTER_IP)
    try:
        return check_host(address)
    except ValueError:
        raise AgentError(
            f"What was published as {MASTER_IP} is neither an IP address nor a host "
            "name, so nothing was replaced. See what the master publishes."
        ) from None


async def wait_for_key(asking: Asking, service: Service, pin: str, key: str) -> str:
    """
    Wait until a key is there, and return its value.

    :raises PinGone: if the service does not know the PIN.
    :raises AgentError: as :meth:`Asking.until` does.
    """

    async def once() -> str:
        try:
            return await service.key(pin, key)
        except (ClusterNotFound, KeyNotFound):
            # The original service says the same whether the key or the PIN is unknown.
            await check_pin(service, pin)
            raise NotYet("the master has not published it yet") from None

    return await asking.until(once, key)
