"""
A client of a service without a network between them.
"""

from collections.abc import Coroutine
from typing import Any, TypeVar

from attrs import define, field
from treq.testing import StubTreq
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.web.resource import Resource
from twisted.web.server import Request

from cvmpair.client.api import PairingClient
from tests.web.wire import Wire

T = TypeVar("T")

URL = "http://pairing.example:8080"


def result_of(asking: Coroutine[Deferred[Any], Any, T]) -> T:
    """
    Return what a coroutine returns, or raise what it raises, without waiting.
    """
    done: list[T] = []
    failed: list[BaseException] = []
    Deferred.fromCoroutine(asking).addCallbacks(
        done.append, lambda failure: failed.append(failure.value)
    )
    if failed:
        raise failed[0]
    (answer,) = done
    return answer


def client_of(
    treq: Any, clock: Clock, url: str = URL, token: str | None = None
) -> PairingClient:
    """
    Return a client that asks with that treq.
    """
    return PairingClient(base_url=url, http=treq, clock=clock, token=token)


def client_of_site(wire: Wire) -> PairingClient:
    """
    Return a client of a whole site of ours.
    """
    treq = StubTreq(wire.site.resource)
    # StubTreq puts a plain Site around a resource; ours has requests of its own.
    treq._agent._serverFactory = wire.site
    return client_of(treq, wire.clock)


@define(eq=False, slots=False)
class Canned(Resource):
    """
    Gives always the same answer.
    """

    isLeaf = True

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(factory=dict)
    requests: list[Request] = field(init=False, factory=list)
    bodies: list[bytes] = field(init=False, factory=list)

    def __attrs_post_init__(self) -> None:
        Resource.__init__(self)

    def render(self, request: Request) -> bytes:
        self.requests.append(request)
        self.bodies.append(request.content.read())
        request.setResponseCode(self.status)
        for name, value in self.headers.items():
            request.setHeader(name, value)
        return self.body
