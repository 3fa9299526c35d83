"""
The own address, as the metadata servers of the clouds say it.
"""

from collections.abc import Callable

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred

from cvmpair_agent.errors import ContextWrong
from cvmpair_agent.userdata.catalogue import Network
from cvmpair_agent.userdata.http import DirectHttp
from cvmpair_agent.userdata.own_address import Scope, address_from_metadata
from cvmpair_agent.userdata.probe import TcpProbe
from tests.agent.userdata.servers import Answer, Asked, FakeServer, reply

ADDRESSES = {Scope.LOCAL: "10.10.25.5", Scope.PUBLIC: "192.0.2.7"}

Serve = Callable[..., FakeServer]


def only_with(name: str, value: str, body: bytes) -> Answer:
    """
    Return an answer that takes a header.
    """

    def answer(asked: Asked) -> bytes:
        if asked.headers.get(name) == value:
            return reply(body)
        return reply(status="400 Bad Request")

    return answer


def ec2() -> dict[str, bytes | Answer]:
    def address(scope: Scope) -> Answer:
        body = ADDRESSES[scope].encode()
        return only_with("x-aws-ec2-metadata-token", "token", body)

    return {
        "/latest/api/token": reply(b"token"),
        "/latest/meta-data/local-ipv4": address(Scope.LOCAL),
        "/latest/meta-data/public-ipv4": address(Scope.PUBLIC),
    }


def ec2_without_tokens() -> dict[str, bytes | Answer]:
    return {
        "/latest/meta-data/local-ipv4": reply(ADDRESSES[Scope.LOCAL].encode()),
        "/latest/meta-data/public-ipv4": reply(ADDRESSES[Scope.PUBLIC].encode()),
    }


def gce() -> dict[str, bytes | Answer]:
    def address(scope: Scope) -> Answer:
        body = ADDRESSES[scope].encode() + b"\n"
        return only_with("metadata-flavor", "Google", body)

    interface = "/computeMetadata/v1/instance/network-interfaces/0"
    return {
        f"{interface}/ip": address(Scope.LOCAL),
        f"{interface}/access-configs/0/external-ip": address(Scope.PUBLIC),
    }


def azure() -> dict[str, bytes | Answer]:
    def address(scope: Scope) -> Answer:
        return only_with("metadata", "true", ADDRESSES[scope].encode())

    base = "/metadata/instance/network/interface/0/ipv4/ipAddress/0"
    form = "?api-version=2021-08-01&format=text"
    # It says of EC2's paths that they are bad requests.
    bad = reply(status="400 Bad Request")
    return {
        "/latest/meta-data/local-ipv4": bad,
        "/latest/meta-data/public-ipv4": bad,
        f"{base}/privateIpAddress{form}": address(Scope.LOCAL),
        f"{base}/publicIpAddress{form}": address(Scope.PUBLIC),
    }


async def ask(base: str, scope: Scope) -> str:
    """
    Ask the server of that base address as the agent does.
    """
    network = Network(http=DirectHttp(reactor), probe=TcpProbe(reactor), server=base)
    return await address_from_metadata(network, scope)


@pytest.mark.parametrize("scope", Scope, ids=lambda scope: scope.value)
@pytest.mark.parametrize("cloud", [ec2, ec2_without_tokens, gce, azure])
@pytest_twisted.ensureDeferred
async def test_a_cloud_says_it(
    serve: Serve, cloud: Callable[[], dict[str, bytes | Answer]], scope: Scope
) -> None:
    assert await ask(serve(cloud()).base, scope) == ADDRESSES[scope]


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ({}, "it has none"),
        # A machine without a public address.
        ({"/latest/meta-data/public-ipv4": reply(b"")}, "it has none"),
        (
            {"/latest/meta-data/public-ipv4": reply(status="503 Sesame")},
            "answered with status 503",
        ),
        (
            {
                "/latest/meta-data/public-ipv4": reply(
                    b"192.0.2.7", content_type="text/html"
                )
            },
            "captive portals",
        ),
    ],
    ids=["nothing", "empty", "broken", "portal"],
)
@pytest_twisted.ensureDeferred
async def test_no_cloud_says_it(
    serve: Serve, answers: dict[str, bytes | Answer], reason: str
) -> None:
    with pytest.raises(ContextWrong, match="does not say the public") as wrong:
        await ask(serve(answers).base, Scope.PUBLIC)
    assert reason in str(wrong.value)
    assert "sesame" not in str(wrong.value).lower()
    assert "--address" in str(wrong.value)


@pytest_twisted.ensureDeferred
async def test_there_is_no_server(serve: Serve) -> None:
    server = serve()
    base = server.base
    await server.port.stopListening()
    with pytest.raises(ContextWrong, match="no metadata server answers"):
        await ask(base, Scope.LOCAL)
    assert server.asked == []


@pytest_twisted.ensureDeferred
async def test_stopped_while_it_asks(serve: Serve) -> None:
    # No other question is asked then, nor is one left behind.
    asking: list[Deferred[str]] = []

    def stop(_: Asked) -> bytes:
        reactor.callLater(0, asking[0].cancel)
        return b""

    server = serve({"/latest/api/token": stop})
    network = Network(
        http=DirectHttp(reactor), probe=TcpProbe(reactor), server=server.base
    )
    coroutine = address_from_metadata(network, Scope.LOCAL)
    asking.append(Deferred.fromCoroutine(coroutine))
    with pytest.raises(CancelledError):
        await asking[0]
    assert server.targets() == ["PUT /latest/api/token"]
