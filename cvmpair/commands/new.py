"""
``cvmpair new``: have the service create a cluster.
"""

import json
from typing import Any

from cvmpair.client.api import NewCluster, PairingClient
from cvmpair.client.errors import ClientError, NoAnswer, Refused, RetryLater
from cvmpair.client.transport import http_client
from cvmpair.commands.errors import Denied
from cvmpair_agent.errors import AgentError, ContextWrong, Unreachable


async def create_cluster(reactor: Any, url: str, ca_file: str | None) -> NewCluster:
    """
    Return a new cluster.

    :param url: the base URL of the service.
    :raises AgentError: if there is none, with the exit code for it.
    """
    try:
        http: Any = http_client(reactor, url, ca_file)
    except ValueError as wrong:
        raise ContextWrong(str(wrong)) from None
    client = PairingClient(base_url=url, http=http, clock=reactor)
    try:
        return await client.create_cluster()
    except ClientError as failed:
        raise _in_words(url, failed) from None


def describe(cluster: NewCluster, *, as_json: bool) -> str:
    """
    Return what is printed of a new cluster: its PIN, or all as JSON.
    """
    if not as_json:
        return cluster.pin
    members = {
        "pin": cluster.pin,
        "creation_time": cluster.creation_time,
        "expiration_time": cluster.expiration_time,
    }
    return json.dumps({name: word for name, word in members.items() if word})


def _in_words(url: str, failed: ClientError) -> AgentError:
    if isinstance(failed, NoAnswer):
        return Unreachable(f"Cannot reach {url}: {failed.reason}.")
    if isinstance(failed, RetryLater):
        return AgentError(f"{url} cannot do it now: {failed.reason}; try again later.")
    if isinstance(failed, Refused) and failed.status in {401, 403}:
        return Denied(str(failed))
    return AgentError(str(failed))
