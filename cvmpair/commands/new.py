"""
``cvmpair new``: have the service create a cluster.
"""

from typing import Any

from cvmpair.client.api import PairingClient
from cvmpair.client.errors import ClientError, NoAnswer, Refused, RetryLater, Untrusted
from cvmpair.client.transport import http_client
from cvmpair.commands.cluster import KnownCluster
from cvmpair_agent.errors import AgentError, ContextWrong, NotAllowed, Unreachable


async def create_cluster(
    reactor: Any,
    url: str,
    *,
    ca_file: str | None = None,
    pinned: str | None = None,
    pin_server: bool = False,
    protected: bool = False,
) -> KnownCluster:
    """
    Return a new cluster.

    :param url: the base URL of the service.
    :param pinned: the fingerprint of the only server to ask.
    :param pin_server: whether to tell the fingerprint of the server that was asked.
    :param protected: whether the PIN alone shall allow nothing.
    :raises AgentError: if there is none, with the exit code for it.
    """
    servers: list[str] = []
    seen = servers.append if pin_server else None
    try:
        http: Any = http_client(reactor, url, ca_file, pinned=pinned, seen=seen)
    except ValueError as wrong:
        raise ContextWrong(str(wrong)) from None
    client = PairingClient(base_url=url, http=http, clock=reactor)
    try:
        cluster = await client.create_cluster(protected=protected)
    except ClientError as failed:
        raise _in_words(url, failed) from None
    times = {
        "creation_time": cluster.creation_time,
        "expiration_time": cluster.expiration_time,
    }
    return KnownCluster(
        pin=cluster.pin,
        tokens=cluster.tokens,
        # There is one connection, and what it showed last is the server itself.
        fingerprint=servers[-1] if servers else pinned,
        times={name: time for name, time in times.items() if time},
    )


def _in_words(url: str, failed: ClientError) -> AgentError:
    if isinstance(failed, NoAnswer):
        return Unreachable(f"Cannot reach {url}: {failed.reason}.")
    if isinstance(failed, RetryLater):
        return AgentError(f"{url} cannot do it now: {failed.reason}; try again later.")
    if isinstance(failed, Refused) and failed.status in {401, 403}:
        return NotAllowed(str(failed))
    if isinstance(failed, Untrusted):
        return Unreachable(str(failed))
    return AgentError(str(failed))
