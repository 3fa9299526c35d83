"""
A site that is new for every test, and who asks it.
"""

import pytest
from twisted.internet.task import Clock

from cvmpair.web.api import CLUSTERS
from tests.web.caller import Caller
from tests.web.wire import Wire


@pytest.fixture
def wire(clock: Clock) -> Wire:
    """
    The site, with nothing in it.
    """
    return Wire(clock)


@pytest.fixture
def caller(wire: Wire) -> Caller:
    """
    A client of the site.
    """
    return Caller(wire)


@pytest.fixture
def cluster(caller: Caller) -> str:
    """
    The path of a new cluster.
    """
    return caller.ask("POST", CLUSTERS).headers["Location"]


@pytest.fixture
def key(caller: Caller, cluster: str) -> str:
    """
    The path of a new key, ``sesame`` with the value ``open``.
    """
    return caller.add(cluster, "sesame", "open").headers["Location"]


@pytest.fixture(params=["POST", "PUT", "PATCH"])
def change(request: pytest.FixtureRequest, key: str) -> tuple[str, str]:
    """
    A method and a path that take a body with the fields of a key.
    """
    path = key.removesuffix("/sesame") if request.param == "POST" else key
    return request.param, path
