"""
``Prefer: wait``: who is answered when, and with what.
"""

from collections.abc import Callable, Mapping

import pytest
from attrs import define, field
from klein import Response
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from cvmpair.web.api import CLUSTERS
from cvmpair.web.problems import problem
from tests.conftest import LogEvents
from tests.web.caller import Caller
from tests.web.connection import Connection
from tests.web.wire import Answer, Wire, read_answer

WAIT = {"Prefer": "wait=60"}


@define(eq=False)
class Client:
    """
    One who asks on a connection of his own, and may have to wait.
    """

    connection: Connection
    method: str

    @property
    def waits(self) -> bool:
        return not self.connection.transport.value()

    @property
    def answer(self) -> Answer:
        return read_answer(self.connection.transport.value(), self.method)


@define(eq=False)
class Scene:
    """
    A cluster, and who asks for it.
    """

    wire: Wire
    clock: Clock
    caller: Caller = field(init=False)
    path: str = field(init=False)
    clients: list[Client] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        self.caller = Caller(self.wire)
        self.path = f"{CLUSTERS}/{self.caller.ask('POST', CLUSTERS).json['pin']}"

    @property
    def pin(self) -> str:
        return self.path.rpartition("/")[2]

    def ask(
        self, path: str, headers: Mapping[str, str] = WAIT, method: str = "GET"
    ) -> Client:
        connection = Connection(self.wire.site, self.clock)
        lines = [f"{method} {path} HTTP/1.1", *map(": ".join, headers.items()), "", ""]
        connection.say("\r\n".join(lines).encode("latin-1"))
        client = Client(connection, method)
        self.clients.append(client)
        return client

    def ask_key(self, headers: Mapping[str, str] = WAIT, method: str = "GET") -> Client:
        return self.ask(f"{self.path}/keys/sesame", headers, method)

    def add(self, value: str = "open") -> Answer:
        return self.caller.add(self.path, "sesame", value)

    def change(self, value: str) -> Answer:
        return self.caller.send("PATCH", f"{self.path}/keys/sesame", {"value": value})

    def expire(self) -> None:
        for pin in self.wire.book.expire(self.wire.book.next_deadline() or 0.0, 10):
            self.wire.watchers.tell({pin: self.wire.book.packed(pin)})

    def pump(self, seconds: float = 0.0) -> None:
        self.clock.advance(seconds)
        self.clock.advance(0)


@pytest.fixture
def scene(wire: Wire, clock: Clock) -> Scene:
    return Scene(wire, clock)


@pytest.fixture(autouse=True)
def nothing_is_left(scene: Scene) -> None:
    yield
    for client in scene.clients:
        client.connection.hang_up()
    assert len(scene.wire.watchers) == 0
    assert not scene.wire.watchers._groups
    scene.pump()
    assert scene.clock.getDelayedCalls() == []


def etag(answer: Answer) -> dict[str, str]:
    return {**WAIT, "If-None-Match": answer.headers["ETag"]}


def test_a_key_is_waited_for(scene: Scene) -> None:
    client = scene.ask_key()
    assert client.waits
    made = scene.add()
    assert client.waits
    scene.pump()
    answer = client.answer
    assert (answer.status, answer.body) == (200, b"sesame: open")
    assert answer.headers["ETag"] == made.headers["ETag"]
    assert answer.headers["Preference-Applied"] == "wait=60"
    assert answer.headers["Vary"] == "Accept"
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_key_that_is_there_is_answered_at_once(scene: Scene) -> None:
    scene.add()
    answer = scene.ask_key().answer
    assert answer.status == 200
    assert answer.headers["Preference-Applied"] == "wait=60"


def test_a_key_that_never_comes_is_404_at_the_end(scene: Scene) -> None:
    client = scene.ask_key()
    scene.pump(59.9)
    assert client.waits
    scene.pump(0.2)
    answer = client.answer
    assert answer.status == 404
    assert answer.json["type"] == "/problems#no-such-key"
    assert answer.headers["Preference-Applied"] == "wait=60"


def test_each_gets_the_form_that_it_asked_for(scene: Scene) -> None:
    text, json = scene.ask_key(), scene.ask_key({**WAIT, "Accept": "application/json"})
    head = scene.ask_key(method="HEAD")
    scene.add()
    scene.pump()
    assert text.answer.body == b"sesame: open"
    assert json.answer.json == {"key": "sesame", "value": "open"}
    assert (head.answer.status, head.answer.body) == (200, b"")
    assert head.answer.headers["Content-Length"] == "12"


def test_all_who_wait_for_the_same_are_told(scene: Scene) -> None:
    clients = [scene.ask_key({"Prefer": f"wait={n}"}) for n in range(30, 60)]
    scene.add()
    scene.pump()
    assert {client.answer.body for client in clients} == {b"sesame: open"}
    assert [client.answer.headers["Preference-Applied"] for client in clients] == [
        f"wait={n}" for n in range(30, 60)
    ]


@pytest.mark.parametrize("way", ["lane", "ordinary"])
@pytest.mark.parametrize(("end", "status"), [("", 410), ("/keys/sesame", 404)])
def test_all_who_wait_for_the_same_are_refused_with_one_answer(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, way: str, end: str, status: int
) -> None:
    made: list[str] = []

    def spy(error: Exception, accept: str) -> Response:
        made.append(accept)
        return problem(error, accept)

    monkeypatch.setattr("cvmpair.web.lane.problem", spy)
    monkeypatch.setattr("cvmpair.web.request.problem", spy)
    # Without a host it is none for the lane.
    host = {"Host": "sesame"} if way == "lane" else {}
    headers = {**host, **etag(scene.add())}
    json = [scene.ask_key({**headers, "Accept": "*/*"}) for _ in range(5)]
    text = [scene.ask_key({**headers, "Accept": "text/plain"}) for _ in range(5)]
    scene.caller.ask("DELETE", scene.path + end)
    scene.pump()
    assert made == ["*/*", "text/plain"]
    for clients, form in (json, "application/problem+json"), (text, "text/plain"):
        assert {client.answer.status for client in clients} == {status}
        (kind,) = {client.answer.headers["Content-Type"] for client in clients}
        assert kind.startswith(form)
        assert len({client.connection.transport.value() for client in clients}) == 1


@pytest.mark.parametrize("part", ["", "/keys", "/keys/sesame"])
def test_a_change_is_waited_for(scene: Scene, part: str) -> None:
    scene.add("open")
    before = scene.ask(scene.path + part, {}).answer
    assert "Preference-Applied" not in before.headers
    client = scene.ask(scene.path + part, etag(before))
    assert client.waits
    scene.change("shut")
    scene.pump()
    answer = client.answer
    assert answer.status == 200
    assert answer.headers["ETag"] != before.headers["ETag"]
    assert answer.headers["Preference-Applied"] == "wait=60"
    after = scene.ask(scene.path + part, {}).answer
    assert answer.body == after.body


@pytest.mark.parametrize("part", ["", "/keys", "/keys/sesame"])
def test_no_change_is_304_at_the_end(scene: Scene, part: str) -> None:
    scene.add("open")
    before = scene.ask(scene.path + part, {}).answer
    client = scene.ask(scene.path + part, etag(before))
    scene.pump(60.1)
    answer = client.answer
    assert (answer.status, answer.body) == (304, b"")
    assert answer.headers["ETag"] == before.headers["ETag"]
    assert answer.headers["Preference-Applied"] == "wait=60"


@pytest.mark.parametrize("part", ["", "/keys"])
def test_a_cluster_is_there_at_once(scene: Scene, part: str) -> None:
    answer = scene.ask(scene.path + part).answer
    assert answer.status == 200
    assert answer.headers["Preference-Applied"] == "wait=60"


@pytest.mark.parametrize("part", ["", "/keys", "/keys/sesame"])
def test_an_unknown_cluster_is_not_waited_for(scene: Scene, part: str) -> None:
    answer = scene.ask(f"{CLUSTERS}/enico1qq0oey{part}").answer
    assert answer.status == 404
    assert answer.json["type"] == "/problems#no-such-cluster"


def deletion(scene: Scene) -> None:
    assert scene.caller.ask("DELETE", scene.path).status == 204


@pytest.mark.parametrize(
    ("end", "reason"), [(deletion, "deleted"), (Scene.expire, "expired")]
)
@pytest.mark.parametrize("part", ["", "/keys", "/keys/sesame", "/keys/other"])
def test_the_end_of_the_cluster_is_told_at_once(
    scene: Scene, part: str, end: Callable[[Scene], None], reason: str
) -> None:
    scene.add()
    before = scene.ask(scene.path + part, {}).answer
    headers = etag(before) if before.status == 200 else WAIT
    client = scene.ask(scene.path + part, headers)
    assert client.waits
    end(scene)
    scene.pump()
    answer = client.answer
    assert answer.status == 410
    assert answer.json["type"] == "/problems#cluster-gone"
    assert answer.json["reason"] == reason
    assert answer.headers["Preference-Applied"] == "wait=60"


def test_the_end_of_a_key_is_news_to_who_knew_it(scene: Scene) -> None:
    client = scene.ask_key(etag(scene.add()))
    other = scene.ask(f"{scene.path}/keys/other")
    assert client.waits
    scene.caller.ask("DELETE", f"{scene.path}/keys/sesame")
    scene.pump()
    assert client.answer.status == 404
    assert client.answer.json["type"] == "/problems#no-such-key"
    assert other.waits
    # A client that asks the same once more is told so at once.
    assert scene.ask_key({**WAIT, "If-None-Match": '"1"'}).answer.status == 404


def test_what_exists_is_waited_for_to_go(scene: Scene) -> None:
    scene.add()
    client = scene.ask_key({**WAIT, "If-None-Match": "*"})
    scene.change("shut")
    scene.pump()
    assert client.waits
    scene.caller.ask("DELETE", f"{scene.path}/keys/sesame")
    scene.pump()
    assert client.answer.status == 404


def test_if_match_asks_what_is_so_now(scene: Scene) -> None:
    tag = scene.add().headers["ETag"]
    headers = {**WAIT, "If-Match": tag, "If-None-Match": tag}
    answer = scene.ask_key(headers).answer
    assert answer.status == 304
    assert "Preference-Applied" not in answer.headers
    assert scene.ask_key({**WAIT, "If-Match": '"sesame"'}).answer.status == 412


@pytest.mark.parametrize("value", ["wait=0", "wait=sesame", "respond-async"])
def test_an_ordinary_request(scene: Scene, value: str) -> None:
    answer = scene.ask_key({"Prefer": value}).answer
    assert answer.status == 404
    assert "Preference-Applied" not in answer.headers


def test_a_long_wait_is_cut_short(scene: Scene) -> None:
    client = scene.ask_key({"Prefer": "wait=86400"})
    scene.pump(299.9)
    assert client.waits
    scene.pump(0.2)
    assert client.answer.status == 404
    assert client.answer.headers["Preference-Applied"] == "wait=300"


def test_a_change_does_not_wait(scene: Scene) -> None:
    answer = scene.caller.send(
        "PUT", f"{scene.path}/keys/sesame", {"key": "sesame", "value": "open"}, WAIT
    )
    assert answer.status == 404
    assert "Preference-Applied" not in answer.headers
    answer = scene.caller.send(
        "POST", f"{scene.path}/keys", {"key": "sesame", "value": "open"}, WAIT
    )
    assert answer.status == 201
    assert "Preference-Applied" not in answer.headers


@pytest.mark.parametrize(
    ("headers", "status"),
    [({"Accept": "image/png"}, 406), ({"If-None-Match": "sesame"}, 400)],
)
def test_a_wrong_request_does_not_wait(
    scene: Scene, headers: Mapping[str, str], status: int
) -> None:
    answer = scene.ask_key({**WAIT, **headers}).answer
    assert answer.status == status
    assert "Preference-Applied" not in answer.headers


def test_what_is_not_durable_is_not_told(scene: Scene) -> None:
    scene.wire.disk.flushed = Deferred()
    scene.wire.book.add_key(scene.pin, "sesame", "open")
    client = scene.ask_key()
    scene.pump(1)
    assert client.waits
    scene.wire.watchers.tell({scene.pin: scene.wire.book.packed(scene.pin)})
    scene.pump()
    assert client.answer.status == 200


def test_at_the_end_of_the_wait_the_answer_is_held_as_ever(scene: Scene) -> None:
    flushed = scene.wire.disk.flushed = Deferred()
    scene.wire.book.add_key(scene.pin, "sesame", "open")
    client = scene.ask_key()
    scene.pump(70)
    assert client.waits
    flushed.callback(None)
    assert client.answer.status == 200


def test_one_too_many_is_refused(scene: Scene) -> None:
    scene.wire.watchers.limit = 2
    clients = [scene.ask_key(), scene.ask_key()]
    refused = scene.ask_key().answer
    assert refused.status == 503
    assert refused.json["type"] == "/problems#too-many-waiters"
    assert refused.json["limit"] == 2
    assert int(refused.headers["Retry-After"]) > 0
    assert "Preference-Applied" not in refused.headers
    # What need not wait is answered.
    assert scene.ask(scene.path).answer.status == 200
    assert scene.ask_key({}).answer.status == 404
    clients[0].connection.hang_up()
    assert scene.ask_key().waits
    scene.add()
    scene.pump()
    assert clients[1].answer.status == 200


def test_a_client_that_goes_frees_everything(scene: Scene) -> None:
    clients = [scene.ask_key(), scene.ask_key({"Prefer": "wait=300"})]
    assert len(scene.wire.watchers) == 2
    for client in clients:
        client.connection.hang_up()
    assert len(scene.wire.watchers) == 0
    scene.pump()
    assert scene.clock.getDelayedCalls() == []


def test_a_client_that_goes_when_it_was_about_to_be_told(scene: Scene) -> None:
    client = scene.ask_key()
    scene.add()
    client.connection.hang_up()
    scene.pump()
    assert client.waits


def test_the_idle_timeout_does_not_cut_a_waiter(scene: Scene) -> None:
    client = scene.ask_key({"Prefer": "wait=300"})
    for _ in range(29):
        scene.pump(10)
    assert not client.connection.closed
    scene.add()
    scene.pump()
    assert client.answer.status == 200
    # From then on it is idle.
    scene.pump(61)
    assert client.connection.closed


def test_the_log_says_how_long_it_waited(scene: Scene, logged: LogEvents) -> None:
    client = scene.ask_key()
    scene.pump(12.5)
    scene.add()
    scene.pump()
    assert client.answer.status == 200
    assert logged.take(lambda text: "status=200 ms=12500.0 bytes=12" in text)


def test_the_end_of_the_service_is_told_at_once(scene: Scene) -> None:
    client = scene.ask_key()
    scene.wire.watchers.stop()
    scene.pump()
    late = scene.ask_key()
    for answer in (client.answer, late.answer):
        assert answer.status == 503
        assert answer.json["type"] == "/problems#stopping"
        assert int(answer.headers["Retry-After"]) > 0
        assert "Preference-Applied" not in answer.headers


def test_a_second_request_on_the_connection_comes_after_the_first(scene: Scene) -> None:
    client = scene.ask_key()
    request = f"GET {scene.path}/keys/sesame HTTP/1.1\r\n\r\n".encode()
    assert client.connection.say(request) == b""
    scene.add()
    scene.pump()
    sent = client.connection.transport.value()
    assert sent.count(b"HTTP/1.1 200 OK") == 2
