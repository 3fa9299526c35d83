"""
``cvmpair new``: have the service create a cluster.
"""

from http import HTTPStatus
from math import ceil
from typing import Any

from attrs import evolve

from cvmpair.client.api import NewCluster, PairingClient
from cvmpair.client.errors import ClientError, NoAnswer, Refused, RetryLater, Untrusted
from cvmpair.client.transport import http_client
from cvmpair.commands.cluster import NO_PLACE, KnownCluster
from cvmpair_agent.errors import AgentError, ContextWrong, NotAllowed, Unreachable


async def create_cluster(
    reactor: Any,
    url: str,
    *,
    ca_file: str | None = None,
    pinned: str | None = None,
    pin_server: bool = False,
    protected: bool = False,
    keeps_tokens: bool = True,
) -> KnownCluster:
    """
    Return a new cluster.

    :param url: the base URL of the service.
    :param pinned: the fingerprint of the only server to ask.
    :param pin_server: whether to tell the fingerprint of the server that was asked.
    :param protected: whether the PIN alone shall allow nothing.
    :param keeps_tokens: whether there is a place for its tokens; without one, a cluster
        that the service has protected unasked is deleted again.
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
    if cluster.tokens and not keeps_tokens:
        await _delete(client, cluster)
        raise ContextWrong(NO_PLACE)
    times = {
        "creation_time": cluster.creation_time,
        "expiration_time": cluster.expiration_time,
    }
    return KnownCluster(
        pin=cluster.pin,
        service_url=url,
        tokens=cluster.tokens,
        # There is one connection, and what it showed last is the server itself.
        fingerprint=servers[-1] if servers else pinned,
        times={name: time for name, time in times.items() if time},
    )


async def _delete(client: PairingClient, cluster: NewCluster) -> None:
    try:
        await evolve(client, token=cluster.tokens["admin"]).delete_cluster(cluster.pin)
    except (ClientError, KeyError):
        raise ContextWrong(
            f"{NO_PLACE} The service has created a cluster, which could not be deleted "
            "again: nobody can use it, and it stays there until it expires."
        ) from None


def _in_words(url: str, failed: ClientError) -> AgentError:
    if isinstance(failed, NoAnswer):
        return Unreachable(f"Cannot reach {url}: {failed.reason}.")
    if isinstance(failed, Untrusted):
        return Unreachable(str(failed))
    told = f" It says: {failed.detail}" if failed.detail else ""
    if isinstance(failed, RetryLater):
        wait = failed.retry_after
        when = f"in {ceil(wait)} s" if wait else "later"
        return AgentError(
            f"{url} cannot do it now: {failed.reason}; try again {when}.{told}"
        )
    if isinstance(failed, Refused) and failed.status in {401, 403}:
        return NotAllowed(f"{failed}{told}")
    if (
        isinstance(failed, Refused)
        and failed.status == HTTPStatus.NOT_FOUND
        and not told
    ):
        told = f" Nothing is at {url}/api/v1/clusters: check the path of the URL."
    return AgentError(f"{failed}{told}")
