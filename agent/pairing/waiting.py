"""
The worker: to wait for the master.

A service that can wait answers in the moment in which the master is there. Its wait
takes the place of the delay before the next try. Any other service is polled.
"""

from math import inf
from random import random
from typing import Final

from cvmpair.client.errors import RetryLater, WaitedInVain
from cvmpair.core.backoff import steady
from cvmpair.core.budget import NotYet
from cvmpair.core.errors import ClusterNotFound, KeyNotFound
from cvmpair_agent.context.host import check_host
from cvmpair_agent.errors import AgentError
from cvmpair_agent.pairing.asking import Asking
from cvmpair_agent.pairing.service import MASTER_IP, MASTER_READY, Service, check_pin

FIRST_WAIT: Final = 1
"""The seconds to wait at first, so that people soon see what is waited for."""

MARGIN: Final = 1
"""The seconds that the answer has for its way."""

PATIENCE: Final = 5
"""The seconds after which it is believed that a service has waited."""

RECONNECT: Final = (1.0, 3.0)
"""The seconds after which to come back to a service that let a waiter go, and those
that chance adds: all of its waiters come back, to one that has only just started."""


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
    seconds = FIRST_WAIT
    granted = inf
    waits = asking.delays()
    reconnect = steady(*RECONNECT, random)

    def has_waited(wait: int, begun: float) -> bool:
        # Who claims to have waited, but did not, is not asked without a pause.
        least = 0.9 * min(wait, granted, PATIENCE)
        return 0 < least <= asking.clock.seconds() - begun

    async def once() -> str:
        nonlocal seconds, granted
        end = asking.clock.seconds() + seconds
        while True:
            begun = asking.clock.seconds()
            # An answer that comes at the deadline would not be heard any more.
            wait = max(0, min(round(end - begun), int(asking.left() - MARGIN)))
            try:
                return await service.key(pin, key, wait=wait)
            except RetryLater as error:
                if seconds > FIRST_WAIT and has_waited(wait, begun):
                    raise NotYet(
                        f"the service ended the wait: {error.reason}",
                        pause=next(reconnect),
                    ) from None
                raise
            except (ClusterNotFound, KeyNotFound) as error:
                again = False
                if isinstance(error, WaitedInVain):
                    granted = error.granted
                    again = has_waited(wait, begun)
                # Who lets nobody wait so long is asked more often, for the same try.
                if again and round(end - asking.clock.seconds()) > 0:
                    continue
                # The original service says the same whether the key or the PIN is
                # unknown.
                await check_pin(service, pin)
                seconds = FIRST_WAIT
                if again:
                    seconds = max(seconds, round(next(waits, 0.0)))
                raise NotYet(
                    "the master has not published it yet", pause=0.0 if again else None
                ) from None

    return await asking.until(once, key)
