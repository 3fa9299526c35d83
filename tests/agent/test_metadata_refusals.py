"""
What a metadata server that says nothing means: by whether somebody has named it.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import pytest
from attrs import define

from cvmpair_agent.commands.pair import pair
from cvmpair_agent.errors import ContextWrong
from cvmpair_agent.options import parse
from cvmpair_agent.userdata.address import Address
from cvmpair_agent.userdata.drive import drive
from cvmpair_agent.userdata.exchange import Reply
from cvmpair_agent.userdata.machine import Network

SERVER = "http://192.0.2.1"


@define
class Cloud:
    """
    A server that answers each path with a status; nobody, if there is none.
    """

    default: int | None
    statuses: dict[str, int]

    async def answering(self, addresses: Iterable[Address]) -> frozenset[Address]:
        return frozenset(addresses if self.default else ())

    async def fetch(self, url: str, **_: object) -> Reply:
        assert self.default
        path = url.removeprefix(SERVER)
        return Reply(status=self.statuses.get(path, self.default))


def boot(root: Path, server: str | None, cloud: Cloud) -> list[str]:
    """
    Return the lines of a machine that has no user data elsewhere.
    """
    words = [] if server is None else [f"--metadata-server={server}"]
    options = parse(["pair", f"--root={root}", *words])
    said: list[str] = []
    network = Network(http=cloud, probe=cloud, server=server)
    nothing = cast("Any", None)
    drive(pair(options, nothing, network, nothing, said.append))
    return said


@pytest.mark.parametrize(
    ("status", "why"),
    [
        (None, "http://192.0.2.1: cannot be reached"),
        (403, "/latest/user-data: answered with status 403"),
        (503, "/latest/user-data: answered with status 503"),
    ],
)
def test_a_server_that_was_named(tmp_path: Path, status: int | None, why: str) -> None:
    with pytest.raises(ContextWrong) as caught:
        boot(tmp_path, SERVER, Cloud(status, {}))
    assert str(caught.value).startswith("--metadata-server could not be asked: ec2")
    assert why in str(caught.value)


def test_a_named_server_of_one_cloud(tmp_path: Path) -> None:
    # What another cloud would be asked for may be refused.
    cloud = Cloud(403, {"/latest/user-data": 404})
    assert "nothing to do" in boot(tmp_path, SERVER, cloud)[-1]


@pytest.mark.parametrize("status", [None, 403, 404])
def test_a_server_that_nobody_named(tmp_path: Path, status: int | None) -> None:
    said = boot(tmp_path, None, Cloud(status, {}))
    assert "nothing to do" in said[-1]
    assert any("status 403" in line for line in said) is (status == 403)
