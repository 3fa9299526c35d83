"""
What the client makes of answers: of ours, of the recorded ones of the original
service, and of those of strangers.
"""

import json
from collections.abc import Callable, Coroutine
from math import inf
from typing import Any

import pytest
from treq.testing import StubTreq
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from cvmpair.client.api import NewCluster, PairingClient
from cvmpair.client.errors import (
    ClientError,
    Denied,
    NoAnswer,
    Refused,
    RetryLater,
    WaitedInVain,
)
from cvmpair.core.errors import (
    ClusterGone,
    ClusterNotFound,
    KeyExists,
    KeyNotFound,
    PairingError,
)
from tests.client.conversation import Canned, client_of, client_of_site, result_of
from tests.client.recorded import PIN, Recorded
from tests.web.wire import Wire

VALUE = "sesame.example"
TOKEN = f"abcd1234.sesame{'x' * 37}"

Exchange = Callable[[PairingClient], Coroutine[Any, Any, Any]]

EXCHANGES: dict[str, Exchange] = {
    "create": lambda client: client.create_cluster(),
    "has": lambda client: client.has_cluster(PIN),
    "key": lambda client: client.key(PIN, "master_ip"),
    "add": lambda client: client.add_key(PIN, "master_ip", VALUE),
}


@pytest.fixture(params=EXCHANGES.values(), ids=EXCHANGES)
def exchange(request: pytest.FixtureRequest) -> Exchange:
    return request.param


def test_our_own_service(clock: Clock) -> None:
    client = client_of_site(Wire(clock))
    new = result_of(client.create_cluster())
    assert new.creation_time < (new.expiration_time or "")
    assert result_of(client.has_cluster(new.pin))
    with pytest.raises(KeyNotFound):
        result_of(client.key(new.pin, "master_ip"))
    result_of(client.add_key(new.pin, "master_ip", "2001:db8::1"))
    assert result_of(client.key(new.pin, "master_ip")) == "2001:db8::1"
    with pytest.raises(KeyExists):
        result_of(client.add_key(new.pin, "master_ip", "10.0.0.1"))


def test_our_own_service_without_the_cluster(clock: Clock) -> None:
    client = client_of_site(Wire(clock))
    assert not result_of(client.has_cluster(PIN))
    with pytest.raises(KeyNotFound):
        result_of(client.key(PIN, "master_ip"))
    with pytest.raises(ClusterNotFound):
        result_of(client.add_key(PIN, "master_ip", VALUE))


def test_our_own_service_when_it_is_read_only(clock: Clock) -> None:
    wire = Wire(clock)
    wire.disk.writable = False
    with pytest.raises(RetryLater) as caught:
        result_of(client_of_site(wire).create_cluster())
    assert caught.value.retry_after == 30
    assert not isinstance(caught.value, NoAnswer)


def test_the_original_exchange(clock: Clock) -> None:
    original = Recorded("the master and worker exchange")
    client = client_of(original.treq(), clock)
    with pytest.raises(KeyNotFound):
        result_of(client.key(PIN, "master_ready"))
    result_of(client.add_key(PIN, "master_ip", "10.10.25.5"))
    result_of(client.add_key(PIN, "master_ready", "yes"))
    assert result_of(client.key(PIN, "master_ready")) == "yes"
    assert result_of(client.key(PIN, "master_ip")) == "10.10.25.5"


def test_the_original_second_master(clock: Clock) -> None:
    original = Recorded("a second master loses")
    client = client_of(original.treq(), clock)
    result_of(client.add_key(PIN, "master_ip", "10.1.1.1"))
    with pytest.raises(KeyExists):
        result_of(client.add_key(PIN, "master_ip", "10.1.1.2"))
    assert result_of(client.key(PIN, "master_ip")) == "10.1.1.1"
    assert original.over()


def test_the_original_cluster(clock: Clock) -> None:
    there = Recorded("create and read a cluster")
    assert result_of(client_of(there.treq(), clock).has_cluster(PIN))
    gone = Recorded("create and read a cluster", first=3)
    assert not result_of(client_of(gone.treq(), clock).has_cluster(PIN))


def test_the_original_unknown_pin(clock: Clock) -> None:
    unknown = "aaaaaaaaaaaa"
    client = client_of(Recorded("unknown pin").treq(), clock)
    assert not result_of(client.has_cluster(unknown))
    with pytest.raises(ClusterNotFound):
        result_of(client.add_key(unknown, "a", "b"))
    with pytest.raises(KeyNotFound):
        result_of(client.key(unknown, "k"))


def test_the_original_answer_to_a_new_cluster(clock: Clock) -> None:
    body = b'{"pin":"enico1qq0oey","creation_time":"2026-11-20T05:54:22.130103-06:00"}'
    treq = StubTreq(Canned(201, body, {"Content-Type": "application/json"}))
    new = result_of(client_of(treq, clock).create_cluster())
    assert new == NewCluster(
        pin=PIN,
        creation_time="2026-11-20T05:54:22.130103-06:00",
        expiration_time=None,
    )
    assert PIN not in repr(new)


@pytest.mark.parametrize(
    "body",
    [
        b"master_ip: 10.0.0.1",
        b"master_ip: 10.0.0.1\n",
        b"master_ip: 10.0.0.1\r\n",
        b"master_ip:10.0.0.1",
    ],
)
def test_a_key_in_a_line(clock: Clock, body: bytes) -> None:
    treq = StubTreq(Canned(200, body, {"Content-Type": "text/plain"}))
    assert result_of(client_of(treq, clock).key(PIN, "master_ip")) == "10.0.0.1"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"sesame",
        b"master_ip:",
        b"other: sesame",
        b"master_ip: \xff",
        b"<html>sesame: enico1qq0oey</html>",
    ],
)
def test_a_key_in_something_else(clock: Clock, body: bytes) -> None:
    treq = StubTreq(Canned(200, body, {"Content-Type": "text/plain"}))
    with pytest.raises(Refused) as caught:
        result_of(client_of(treq, clock).key(PIN, "master_ip"))
    assert "URL" in str(caught.value)
    assert_no_secret(caught.value)


@pytest.mark.parametrize(
    ("headers", "granted"),
    [
        ({}, None),
        ({"Preference-Applied": "wait=60"}, 60),
        ({"Preference-Applied": "respond-async, Wait = 5; sesame"}, 5),
        ({"Preference-Applied": 'wait="3"'}, 3),
        ({"Preference-Applied": "wait"}, inf),
        ({"Preference-Applied": "wait=sesame"}, inf),
        ({"Preference-Applied": "waiting=5, return=minimal"}, None),
    ],
)
def test_a_key_that_is_waited_for(
    clock: Clock, headers: dict[str, str], granted: float | None
) -> None:
    canned = Canned(404, headers=headers)
    with pytest.raises(KeyNotFound) as caught:
        result_of(client_of(StubTreq(canned), clock).key(PIN, "master_ip", wait=60))
    assert getattr(caught.value, "granted", None) == granted
    assert isinstance(caught.value, WaitedInVain) is (granted is not None)
    (request,) = canned.requests
    assert request.getHeader("Prefer") == "wait=60"


def test_an_ordinary_question_says_nothing_of_waiting(clock: Clock) -> None:
    canned = Canned(404)
    with pytest.raises(KeyNotFound):
        result_of(client_of(StubTreq(canned), clock).key(PIN, "master_ip"))
    assert canned.requests[0].getHeader("Prefer") is None


def test_a_wait_is_no_time_out(clock: Clock) -> None:
    wire = Wire(clock)
    client = client_of_site(wire)
    pin = result_of(client.create_cluster()).pin
    ended: list[object] = []
    asking = Deferred.fromCoroutine(client.key(pin, "master_ip", wait=60))
    asking.addBoth(ended.append)
    for _ in range(59):
        clock.advance(1)
        client.http._agent.flush()
    assert ended == []
    clock.advance(1)
    client.http._agent.flush()
    assert ended[0].check(WaitedInVain)


def failure_of(asking: Coroutine[Any, Any, Any]) -> Exception:
    with pytest.raises((ClientError, PairingError)) as caught:
        result_of(asking)
    return caught.value


def assert_no_secret(error: BaseException | None) -> None:
    assert error is not None
    for text in (str(error), repr(error)):
        assert PIN not in text
        assert "sesame" not in text
        assert "\n" not in text


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 507, 599])
def test_what_may_be_better_later(
    clock: Clock, exchange: Exchange, status: int
) -> None:
    # The web page of a proxy in front of a service that is down.
    headers = {"Content-Type": "text/html", "Retry-After": "120"}
    treq = StubTreq(Canned(status, b"enico1qq0oey sesame", headers))
    error = failure_of(exchange(client_of(treq, clock)))
    assert isinstance(error, RetryLater)
    assert not isinstance(error, NoAnswer)
    assert error.retry_after == 120
    assert str(status) in error.reason
    assert_no_secret(error)


@pytest.mark.parametrize("status", [200, 204, 206, 400, 401, 403, 405, 406, 413, 418])
def test_what_will_not_be_better(clock: Clock, exchange: Exchange, status: int) -> None:
    headers = {"Content-Type": "text/plain"}
    treq = StubTreq(Canned(status, b"enico1qq0oey sesame", headers))
    error = failure_of(exchange(client_of(treq, clock)))
    assert isinstance(error, Refused)
    assert error.status == status
    assert_no_secret(error)


@pytest.mark.parametrize(
    ("status", "named"), [(401, "without a valid token"), (403, "a token to read")]
)
def test_what_is_not_allowed(
    clock: Clock, exchange: Exchange, status: int, named: str
) -> None:
    answer = Canned(status, b"sesame", {"Content-Type": "application/problem+json"})
    client = client_of(StubTreq(answer), clock, token=TOKEN)
    assert "sesame" not in repr(client)
    error = failure_of(exchange(client))
    assert isinstance(error, Denied)
    assert named in str(error)
    assert_no_secret(error)
    # It is asked once.
    (request,) = answer.requests
    assert request.getHeader("Authorization") == f"Bearer {TOKEN}"


def test_no_token(clock: Clock, exchange: Exchange) -> None:
    answer = Canned(401, b"", {"Content-Type": "application/problem+json"})
    failure_of(exchange(client_of(StubTreq(answer), clock)))
    (request,) = answer.requests
    assert request.getHeader("Authorization") is None


@pytest.mark.parametrize(
    "tokens",
    [
        None,
        {},
        ["sesame"],
        {"read": "sesame"},
        {"read": 1},
        {"read": TOKEN, "write": TOKEN},
    ],
)
def test_a_service_that_does_not_protect(clock: Clock, tokens: object) -> None:
    members = {"pin": PIN, "creation_time": "", "tokens": tokens}
    headers = {"Content-Type": "application/json"}
    answer = Canned(201, json.dumps(members).encode(), headers)
    client = client_of(StubTreq(answer), clock)
    error = failure_of(client.create_cluster(protected=True))
    assert isinstance(error, Refused)
    assert_no_secret(error)
    assert list(map(json.loads, answer.bodies)) == [{"protected": True}]


def gone(clock: Clock, content: object) -> PairingClient:
    headers = {"Content-Type": "application/problem+json"}
    return client_of(
        StubTreq(Canned(410, json.dumps(content).encode(), headers)), clock
    )


@pytest.mark.parametrize("reason", ["expired", "deleted"])
def test_what_became_of_a_cluster(clock: Clock, reason: str) -> None:
    content = {"reason": reason, "ended": "2026-11-21T15:06:50.250000Z"}
    error = failure_of(gone(clock, content).has_cluster(PIN))
    assert isinstance(error, ClusterGone)
    assert (error.reason, error.ended) == (reason, 1795273610.25)
    assert "at 2026-11-21T15:06:50Z" in str(error)


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"reason": "expired"},
        {"reason": "expired", "ended": "sesame"},
        {"reason": "expired", "ended": 7},
        {"reason": "expired", "ended": "0001-01-01T00:00:00+14:00"},
        {"reason": "sesame", "ended": "2026-11-21T15:06:50Z"},
        {"reason": ["expired"], "ended": "2026-11-21T15:06:50Z"},
    ],
)
def test_a_cluster_that_is_gone_without_a_word(clock: Clock, content: object) -> None:
    assert not result_of(gone(clock, content).has_cluster(PIN))


@pytest.mark.parametrize("status", [200, 201, 404, 409, 410])
def test_a_web_page_is_no_answer(clock: Clock, exchange: Exchange, status: int) -> None:
    headers = {"Content-Type": "text/html; charset=utf-8"}
    treq = StubTreq(Canned(status, b"<p>enico1qq0oey sesame</p>", headers))
    error = failure_of(exchange(client_of(treq, clock)))
    assert isinstance(error, Refused)
    assert "web page" in str(error)
    assert_no_secret(error)


def test_that_a_cluster_is_gone_is_not_taken_from_a_stranger(clock: Clock) -> None:
    treq = StubTreq(Canned(404, b"404 page", {"Content-Type": "text/plain"}))
    assert isinstance(failure_of(client_of(treq, clock).has_cluster(PIN)), Refused)


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b'"sesame"', b"{}", b'{"pin": "aaaaaaaaaaaa"}', b"[" * 9999]
)
def test_that_a_cluster_is_there_is_not_taken_from_a_stranger(
    clock: Clock, body: bytes
) -> None:
    treq = StubTreq(Canned(200, body, {"Content-Type": "application/json"}))
    error = failure_of(client_of(treq, clock).has_cluster(PIN))
    assert isinstance(error, Refused)
    assert_no_secret(error)


def test_gone(clock: Clock) -> None:
    headers = {"Content-Type": "application/problem+json"}
    client = client_of(StubTreq(Canned(410, b"{}", headers)), clock)
    assert not result_of(client.has_cluster(PIN))
    for name in "key", "add":
        assert isinstance(failure_of(EXCHANGES[name](client)), ClusterNotFound)


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        (f"https://pairing.example/api/v1/{PIN}?t=sesame", "https://pairing.example."),
        (f"https://sesame:{PIN}@h.example:8443/", "https://h.example:8443."),
        (f"/login/{PIN}", "http://pairing.example:8080."),
        ("http://[2001:db8::1]:80/", "http://[2001:db8::1]:80."),
        ("http://[sesame", "pointed."),
        ("javascript:sesame", "pointed."),
        ("", "."),
    ],
)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect(
    clock: Clock, exchange: Exchange, status: int, location: str, shown: str
) -> None:
    headers = {"Location": location, "Content-Type": "text/html"}
    answer = Canned(status, b"", headers)
    treq = StubTreq(answer)
    error = failure_of(exchange(client_of(treq, clock, token=TOKEN)))
    assert isinstance(error, Refused)
    assert shown in str(error)
    assert "not followed" in str(error)
    assert_no_secret(error)
    # Nobody else was sent the token.
    assert len(answer.requests) == 1


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "0"}, 0),
        ({"Retry-After": " 7 "}, 7),
        # Both by the clock of the service, which is years from that of this machine.
        (
            {
                "Retry-After": "Tue, 05 Jan 2038 10:02:00 GMT",
                "Date": "Tue, 05 Jan 2038 10:00:30 GMT",
            },
            90,
        ),
        (
            {
                "Retry-After": "Tue, 05 Jan 2038 10:00:00 GMT",
                "Date": "Tue, 05 Jan 2038 10:00:30 GMT",
            },
            0,
        ),
        ({"Retry-After": "Tue, 05 Jan 2038 10:02:00 GMT", "Date": "sesame"}, None),
        ({"Retry-After": "-1"}, None),
        ({"Retry-After": "1.5"}, None),
        ({"Retry-After": "9" * 400}, None),
        ({"Retry-After": "\u0663"}, None),
        ({"Retry-After": "soon"}, None),
        ({}, None),
    ],
)
def test_retry_after(
    clock: Clock, headers: dict[str, str], seconds: float | None
) -> None:
    error = failure_of(
        EXCHANGES["has"](client_of(StubTreq(Canned(503, b"", headers)), clock))
    )
    assert isinstance(error, RetryLater)
    assert error.retry_after == seconds


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ('{"detail": "no more"}', "no more"),
        (f'{{"detail": "{"x" * 301}"}}', "x" * 300),
        ('{"detail": "\\ud800\\u0000 a\\n\\u0085b "}', "a b"),
        ('{"detail": ["sesame"]}', ""),
        ('{"title": "sesame"}', ""),
        ("sesame", ""),
        ("[" * 60_000, ""),
    ],
)
def test_the_detail_of_a_problem(clock: Clock, body: str, detail: str) -> None:
    headers = {"Content-Type": "application/problem+json"}
    for status in 429, 404:
        treq = StubTreq(Canned(status, body.encode(), headers))
        error = failure_of(client_of(treq, clock).create_cluster())
        assert isinstance(error, ClientError)
        assert error.detail == detail


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('{"limit": "guesses", "detail": "sesame enico1qq0oey"}', "typing errors"),
        ('{"limit": "sesame"}', ""),
        ('{"limit": ["sesame"]}', ""),
        ("sesame", ""),
    ],
)
@pytest.mark.parametrize("name", ["has", "key", "add"])
def test_the_limit_that_a_problem_names(
    clock: Clock, name: str, body: str, said: str
) -> None:
    headers = {"Content-Type": "application/problem+json"}
    treq = StubTreq(Canned(429, body.encode(), headers))
    error = failure_of(EXCHANGES[name](client_of(treq, clock)))
    assert isinstance(error, RetryLater)
    assert said in error.detail
    assert bool(error.detail) is bool(said)
    for text in (error.detail, str(error)):
        assert "sesame" not in text
        assert PIN not in text


@pytest.mark.parametrize("status", [200, 503])
def test_a_long_body_is_not_read(clock: Clock, status: int) -> None:
    body = b'{"pin": "enico1qq0oey"}' + b" " * 70_000
    treq = StubTreq(Canned(status, body, {"Content-Type": "application/json"}))
    error = failure_of(client_of(treq, clock).has_cluster(PIN))
    assert isinstance(error, RetryLater if status == 503 else Refused)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "pairing.example",
        "ftp://pairing.example",
        "http://",
        "http://enico1qq0oey:sesame@pairing.example",
        "http://p\u00e4iring.example",
        "http://pairing.example:sesame",
        "http://pairing.example:0",
        "http://[sesame",
    ],
)
def test_a_wrong_url(clock: Clock, url: str) -> None:
    with pytest.raises(ValueError, match="URL") as caught:
        client_of(None, clock, url)
    assert_no_secret(caught.value)


def test_a_defect_is_none_of_the_network(clock: Clock) -> None:
    class Broken:
        def request(self, *_: object, **__: object) -> None:
            raise TypeError("enico1qq0oey sesame")

    error = failure_of(client_of(Broken(), clock).has_cluster(PIN))
    assert type(error) is ClientError
    assert "TypeError" in str(error)
    assert_no_secret(error)


def test_a_slash_at_the_end_of_the_url(clock: Clock) -> None:
    treq = Recorded("create and read a cluster").treq()
    client = client_of(treq, clock, "http://pairing.example/")
    assert result_of(client.has_cluster(PIN))


@pytest.mark.parametrize("pin", ["", "../../sesame", "ENICO1QQ0OEY", f"{PIN}?x"])
def test_no_request_with_what_is_no_pin(clock: Clock, pin: str) -> None:
    client = client_of(None, clock)
    for asking in client.has_cluster(pin), client.key(pin, "k"):
        with pytest.raises(ValueError, match="PIN") as caught:
            result_of(asking)
        assert_no_secret(caught.value)


def test_no_request_with_what_is_no_key_name(clock: Clock) -> None:
    with pytest.raises(ValueError, match="key name"):
        result_of(client_of(None, clock).key(PIN, "../sesame"))
