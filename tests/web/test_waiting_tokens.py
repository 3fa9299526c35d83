"""
Whoever waits for something in a protected cluster has to have the right to it in the
end too.
"""

from collections.abc import Iterator, Mapping

import pytest
from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from cvmpair.web.api import CLUSTERS
from tests.web.caller import Caller
from tests.web.connection import Connection
from tests.web.wire import Answer, Wire, read_answer

VALUE = "open sesame"


@define(eq=False)
class Scene:
    """
    A protected cluster, and who waits in it.

    :ivar tokens: its own, by scope.
    """

    clock: Clock
    wire: Wire = field(init=False)
    caller: Caller = field(init=False)
    path: str = field(init=False)
    tokens: Mapping[str, str] = field(init=False)
    connections: list[Connection] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        self.wire = Wire(self.clock)
        self.caller = Caller(self.wire)
        made = self.caller.send("POST", CLUSTERS, {"protected": True})
        self.path, self.tokens = made.headers["Location"], made.json["tokens"]

    def send(self, method: str, path: str, **fields: object) -> Answer:
        headers = {"Authorization": f"Bearer {self.tokens['admin']}"}
        return self.caller.send(method, self.path + path, fields, headers)

    def new_token(self, **fields: object) -> str:
        return self.send("POST", "/tokens", scope="read", **fields).json["token"]

    def revoke(self, token: str) -> None:
        assert self.send("DELETE", f"/tokens/{token[:8]}").status == 204

    def publish(self) -> None:
        """
        Add what is waited for, and let those who wait be told.
        """
        assert self.send("POST", "/keys", key="sesame", value=VALUE).status == 201
        self.clock.advance(0)

    def wait(
        self, token: str | None, path: str = "/keys/sesame", more: str = ""
    ) -> Connection:
        shown = f"Authorization: Bearer {token}\r\n" if token else ""
        connection = Connection(self.wire.site, self.clock)
        connection.say(
            f"GET {self.path}{path} HTTP/1.1\r\nHost: h\r\nPrefer: wait=60\r\n"
            f"{shown}{more}\r\n".encode()
        )
        self.connections.append(connection)
        return connection

    def hang_up(self) -> None:
        for connection in self.connections:
            connection.hang_up()


@pytest.fixture
def scene(clock: Clock) -> Iterator[Scene]:
    scene = Scene(clock)
    yield scene
    scene.hang_up()


def answer(connection: Connection) -> Answer:
    return read_answer(connection.transport.value())


def assert_refused(connection: Connection) -> None:
    said = answer(connection)
    assert said.status == 401
    assert VALUE.encode() not in connection.transport.value()


@pytest.mark.parametrize("scope", ["read", "write", "admin"])
def test_who_has_a_token_may_wait(scene: Scene, scope: str) -> None:
    waiter = scene.wait(scene.tokens[scope])
    assert waiter.transport.value() == b""
    scene.publish()
    said = answer(waiter)
    assert (said.status, said.body) == (200, f"sesame: {VALUE}".encode())
    assert said.headers["Preference-Applied"] == "wait=60"


@pytest.mark.parametrize("path", ["/keys/sesame", "/keys", ""])
@pytest.mark.parametrize("token", [None, "sesame", f"aaaaaaaa.{'s' * 43}"])
def test_who_has_none_does_not_wait(scene: Scene, path: str, token: str) -> None:
    assert_refused(scene.wait(token, path))
    assert len(scene.wire.watchers) == 0


def test_a_token_that_is_revoked_meanwhile(scene: Scene) -> None:
    token = scene.new_token()
    waiter = scene.wait(token)
    scene.revoke(token)
    scene.publish()
    assert_refused(waiter)


def test_who_loses_the_right_waits_no_longer(scene: Scene) -> None:
    lost, kept = scene.new_token(), scene.new_token()
    waiters = [scene.wait(lost), scene.wait(kept)]
    scene.revoke(lost)
    scene.clock.advance(0)
    assert_refused(waiters[0])
    assert waiters[1].transport.value() == b""
    scene.publish()
    assert answer(waiters[1]).status == 200


def test_whose_right_expires_waits_no_longer(scene: Scene) -> None:
    waiters = [scene.wait(scene.new_token(lifetime=life)) for life in (5, 3600)]
    scene.clock.pump([1] * 6)
    assert_refused(waiters[0])
    assert waiters[1].transport.value() == b""


def test_a_token_that_expires_meanwhile(scene: Scene) -> None:
    waiter = scene.wait(scene.new_token(lifetime=5))
    scene.clock.advance(5)
    scene.publish()
    assert_refused(waiter)


def test_a_token_that_expires_before_the_end_of_the_wait(scene: Scene) -> None:
    waiters = [scene.wait(scene.new_token(lifetime=life)) for life in (59, 3600)]
    scene.clock.pump([1] * 62)
    assert [answer(waiter).status for waiter in waiters] == [401, 404]


def test_each_of_many_who_wait_for_the_same_needs_a_right(scene: Scene) -> None:
    lost = [scene.new_token() for _ in range(2)]
    tokens = [lost[0], scene.tokens["read"], lost[1], scene.tokens["write"]]
    waiters = [scene.wait(token) for token in tokens]
    for token in lost:
        scene.revoke(token)
    scene.publish()
    assert [answer(waiter).status for waiter in waiters] == [401, 200, 401, 200]
    assert_refused(waiters[0])
    assert_refused(waiters[2])


def test_they_share_no_answer_when_there_is_news_of_the_cluster(scene: Scene) -> None:
    token = scene.new_token()
    tag = scene.send("GET", "").headers["ETag"]
    waiters = [
        scene.wait(shown, "/keys", f"If-None-Match: {tag}\r\n")
        for shown in (scene.tokens["read"], token)
    ]
    # This is news too: the cluster has another version.
    scene.revoke(token)
    scene.clock.advance(0)
    assert [answer(waiter).status for waiter in waiters] == [200, 401]


def test_that_the_cluster_is_gone_is_told_to_all(scene: Scene) -> None:
    waiter = scene.wait(scene.tokens["read"])
    assert scene.send("DELETE", "").status == 204
    scene.clock.advance(0)
    assert answer(waiter).status in (404, 410)


@pytest.mark.parametrize("token", [None, "revoked"])
def test_a_refusal_waits_for_what_is_not_durable(
    scene: Scene, token: str | None
) -> None:
    if token:
        token = scene.new_token()
    held: Deferred[None] = Deferred()
    scene.wire.disk.flushed = held
    if token:
        scene.wire.book.change_tokens(scene.path.rpartition("/")[2], lambda _: ())
    waiter = scene.wait(token)
    assert waiter.transport.value() == b""
    assert len(scene.wire.watchers) == 0
    held.callback(None)
    assert_refused(waiter)
