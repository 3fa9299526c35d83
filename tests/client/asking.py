"""
Asking whether there is a cluster, on a real connection.
"""

from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet import reactor

from cvmpair.client.api import PairingClient
from cvmpair.client.errors import ClientError
from cvmpair.client.transport import http_client
from tests.client.conversation import Canned

PIN = "enico1qq0oey"
FOUND = Canned(200, b'{"pin":"enico1qq0oey"}', {"Content-Type": "application/json"})

Serve = Callable[..., int]
"""Serves something, perhaps with TLS, and returns the port of 127.0.0.1 for it."""


async def ask(
    url: str, ca_file: str | None = None, seconds: float = 15, **pin: Any
) -> bool:
    client = PairingClient(
        base_url=url,
        http=http_client(reactor, url, ca_file, **pin),
        clock=reactor,
        timeout=seconds,
    )
    return await client.has_cluster(PIN)


async def failure_of(
    url: str, ca_file: str | None = None, seconds: float = 15, **pin: Any
) -> ClientError:
    with pytest.raises(ClientError) as caught:
        await ask(url, ca_file, seconds, **pin)
    text = str(caught.value)
    assert PIN not in text
    assert "sesame" not in text
    assert "\n" not in text
    return caught.value
