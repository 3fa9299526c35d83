"""
``cvmpair new``: have the service create a cluster.
"""

from collections.abc import Callable
from http import HTTPStatus
from math import ceil
from typing import Any

from attrs import evolve

from cvmpair.client.api import NewCluster, PairingClient
from cvmpair.client.errors import ClientError, NoAnswer, Refused, RetryLater, Untrusted
from cvmpair.client.transport import http_client
from cvmpair.commands.cluster import KnownCluster
from cvmpair.core.errors import PairingError
from cvmpair_agent.errors import AgentError, ContextWrong, NotAllowed, Unreachable


async def create_cluster(
    reactor: Any,
    url: str,
    keep: Callable[[KnownCluster], object],
    *,
    ca_file: str | None = None,
    pinned: str | None = None,
    pin_server: bool = False,
    protected: bool = False,
) -> KnownCluster:
    """
    Return a new cluster.

    :param url: the base URL of the service.
    :param keep: writes down what the service tells only now. If it raises an
        :exc:`OSError` or :exc:`AgentError`, the cluster is deleted again.
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
    known = KnownCluster(
        pin=cluster.pin,
        service_url=url,
        tokens=cluster.tokens,
        # There is one connection, and what it showed last is the server itself.
        fingerprint=servers[-1] if servers else pinned,
        times={name: time for name, time in times.items() if time},
    )
    try:
        keep(known)
    except OSError as failed:
        place = f"{failed.filename}: " if failed.filename else ""
        error = AgentError(f"{place}{failed.strerror}.")
    except AgentError as failed:
        error = failed
    else:
        return known
    raise type(error)(f"{error} {await _deleted(client, cluster)}")


async def _deleted(client: PairingClient, cluster: NewCluster) -> str:
    """
    Delete a cluster that nobody will know, and say what became of it.
    """
    administrator = evolve(client, token=cluster.tokens.get("admin"))
    try:
        await administrator.delete_cluster(cluster.pin)
    except (ClientError, PairingError):
        return (
            "The service has created a cluster, which could not be deleted again: "
            "nobody can use it, and it stays there until it expires."
        )
    return "The cluster that the service has created is deleted again."


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
