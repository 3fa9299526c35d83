"""
What one client may do, on whichever way its requests come.
"""

from collections.abc import Iterator
from ipaddress import ip_network

import pytest
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs, formatEvent

from cvmpair.core.quota import WINDOW
from cvmpair.web.api import CLUSTERS
from cvmpair.web.channel import LINGER
from cvmpair.web.limits import ClientLimits
from tests.web.connection import Connection
from tests.web.wire import CLIENT, Answer, Wire, read_answer

LIMITS = ClientLimits(
    guesses=3,
    creations=2,
    connections=2,
    waiters=2,
    trusted_proxies=(ip_network("10.0.0.1"),),
)
OTHER = IPv4Address("TCP", "192.0.2.9", 31337)
PROXY = IPv4Address("TCP", "10.0.0.1", 31337)
LINK = [IPv6Address("TCP", f"2001:db8::{n}", 31337) for n in range(1, 9)]
UNIX = UNIXAddress(b"sesame")
JSON = '{"key":"sesame","value":"open"}'

WAYS = {
    "lane": "",
    # The lane knows no such header.
    "klein": "X-Sesame: open\r\n",
}


@pytest.fixture
def wire(clock: Clock) -> Iterator[Wire]:
    wire = Wire(clock, client_limits=LIMITS)
    yield wire
    clock.advance(LINGER)
    # Whatever there was has been left again.
    assert len(wire.guard.connections) == 0
    assert len(wire.guard.waiters) == 0


@pytest.fixture
def pin(wire: Wire) -> str:
    return wire.book.create(0.0, 86400.0).pin


@pytest.fixture(params=WAYS.values(), ids=WAYS)
def headers(request: pytest.FixtureRequest) -> str:
    """
    Lines that have a request take one of the ways.
    """
    return str(request.param)


def wrong(number: int) -> str:
    return f"sesame{number:06}"


def get(pin: str, headers: str = "", name: str = "/keys/sesame") -> bytes:
    line = f"GET {CLUSTERS}/{pin}{name} HTTP/1.1\r\n"
    return f"{line}Host: sesame\r\n{headers}\r\n".encode()


def post(path: str, headers: str = "", body: str = "") -> bytes:
    about = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    head = f"POST {path} HTTP/1.1\r\nHost: sesame\r\n{about}{headers}\r\n"
    return f"{head}{body}".encode()


def ask(wire: Wire, data: bytes, peer: IAddress = CLIENT) -> Answer:
    """
    Send a request on a connection of its own.
    """
    connection = Connection(wire.site, wire.clock, peer)
    answer = read_answer(connection.say(data))
    connection.hang_up()
    return answer


def assert_limited(answer: Answer, limit: str) -> None:
    assert answer.status == 429
    assert answer.json["type"] == "/problems#too-many-requests"
    assert answer.json["limit"] == limit
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert "Preference-Applied" not in answer.headers


def test_guesses(wire: Wire, pin: str, headers: str, clock: Clock) -> None:
    for number in range(3):
        assert ask(wire, get(wrong(number), headers)).status == 404
        clock.advance(1)
    assert_limited(ask(wire, get(wrong(3), headers)), "guesses")
    # Otherwise the answer would tell that this one is right.
    refused = ask(wire, get(pin, headers))
    assert_limited(refused, "guesses")
    assert refused.headers["Retry-After"] == "57"
    assert_limited(ask(wire, post(f"{CLUSTERS}/{pin}/keys", headers, JSON)), "guesses")
    assert_limited(ask(wire, get(pin, headers, "")), "guesses")
    assert wire.book.cluster(pin).keys == ()
    # What is known to be wrong already may be asked again.
    assert ask(wire, get(wrong(1), headers)).status == 404
    assert ask(wire, get(pin, headers), OTHER).status == 404
    clock.advance(57)
    assert ask(wire, post(f"{CLUSTERS}/{pin}/keys", headers, JSON)).status == 201
    assert ask(wire, get(wrong(4), headers)).status == 404
    assert_limited(ask(wire, get(pin, headers)), "guesses")


def test_the_log_names_a_refused_client_once_a_minute(wire: Wire, clock: Clock) -> None:
    def refusals(count: int) -> list[str]:
        with capturedLogs() as logs:
            for number in range(count):
                ask(wire, get(wrong(number)))
                ask(wire, get(wrong(number)), LINK[0])
                ask(wire, post(CLUSTERS))
        told = map(formatEvent, logs)
        return [line for line in told if line and line.startswith("refused ")]

    assert refusals(2) == []
    lines = refusals(9)
    assert sorted(line.partition(" (")[0] for line in lines) == [
        f"refused limit=creations client={CLIENT.host}",
        f"refused limit=guesses client={CLIENT.host}",
        "refused limit=guesses client=2001:db8::/64",
    ]
    clock.advance(WINDOW - 1)
    assert refusals(9) == []
    clock.advance(1)
    assert sorted(refusals(9)) == sorted(lines)


@pytest.mark.parametrize("method", ["HEAD", "PUT", "PATCH", "DELETE"])
def test_no_method_makes_a_difference(wire: Wire, pin: str, method: str) -> None:
    for number in range(5):
        path = f"{CLUSTERS}/{wrong(number)}/keys/sesame"
        data = post(path, body=JSON).replace(b"POST", method.encode(), 1)
        connection = Connection(wire.site, wire.clock)
        status = int(connection.say(data).split()[1])
        assert status == (404 if number < 3 else 429)
        connection.hang_up()
    wire.book.add_key(pin, "sesame", "open")
    assert_limited(ask(wire, get(pin)), "guesses")


def test_both_ways_count_together(wire: Wire, pin: str) -> None:
    for number, way in enumerate([*WAYS.values(), ""]):
        assert ask(wire, get(wrong(number), way)).status == 404
    for way in WAYS.values():
        assert_limited(ask(wire, get(pin, way)), "guesses")


def test_posts_and_waits_are_guesses_too(wire: Wire, pin: str, headers: str) -> None:
    waiting = f"{headers}Prefer: wait=60\r\n"
    assert ask(wire, get(wrong(1), waiting)).status == 404
    path = f"{CLUSTERS}/{wrong(2)}/keys"
    assert ask(wire, post(path, headers, JSON)).status == 404
    assert ask(wire, get(wrong(3), waiting, "")).status == 404
    assert_limited(ask(wire, get(pin, waiting)), "guesses")


def test_one_wrong_pin_is_one_guess(wire: Wire, pin: str, headers: str) -> None:
    for _ in range(100):
        assert ask(wire, get(wrong(1), headers)).status == 404
    assert ask(wire, post(f"{CLUSTERS}/{pin}/keys", headers, JSON)).status == 201


def test_what_is_no_guess(wire: Wire, pin: str, headers: str) -> None:
    for number in range(5):
        # No PIN at all, no such key, a key that is taken, a body that says nothing.
        assert ask(wire, get(f"SESAME{number:06}", headers)).status == 404
        assert ask(wire, get(pin, headers, f"/keys/s{number}")).status == 404
        path = f"{CLUSTERS}/{wrong(number)}/keys"
        assert ask(wire, post(path, headers, "{}")).status == 400
    assert wire.guard.size() == 0


def test_a_token_of_the_cluster_is_no_guess(wire: Wire, pin: str, clock: Clock) -> None:
    def bearer(answer: Answer, scope: str = "read") -> str:
        return f"Authorization: Bearer {answer.json['tokens'][scope]}\r\n"

    made, other = [
        ask(wire, post(CLUSTERS, body='{"protected":true}'), peer)
        for peer in (CLIENT, OTHER)
    ]
    protected = made.json["pin"]
    admin = bearer(made, "admin")
    brief = post(
        f"{CLUSTERS}/{protected}/tokens", admin, '{"scope":"read","lifetime":5}'
    )
    expired = f"Authorization: Bearer {ask(wire, brief).json['token']}\r\n"
    clock.advance(5)
    for number in range(3):
        assert ask(wire, get(wrong(number))).status == 404
    for scope in ("read", "write", "admin"):
        assert ask(wire, get(protected, bearer(made, scope), "")).status == 200
    # It proves that cluster alone, and what it does not allow is still not allowed.
    assert (
        ask(wire, post(f"{CLUSTERS}/{protected}/keys", bearer(made), JSON)).status
        == 403
    )
    for shown in ("", "Authorization: Bearer\r\n", bearer(other), expired):
        assert_limited(ask(wire, get(protected, shown, "")), "guesses")
    for named in (pin, other.json["pin"], wrong(3)):
        assert_limited(ask(wire, get(named, bearer(made), "")), "guesses")
    assert ask(wire, post(f"{CLUSTERS}/{protected}/keys", admin, JSON)).status == 201


def test_a_page_of_another_site_has_nobody_guess(wire: Wire) -> None:
    for number in range(5):
        for said in ("Sec-Fetch-Site: cross-site", "Origin: http://evil.example"):
            assert ask(wire, get(wrong(number), f"{said}\r\n")).status == 403
    assert wire.guard.size() == 0


def test_a_network_of_64_bits_is_one_client(wire: Wire, headers: str) -> None:
    for number, peer in enumerate(LINK[:3]):
        assert ask(wire, get(wrong(number), headers), peer).status == 404
    assert_limited(ask(wire, get(wrong(3), headers), LINK[3]), "guesses")
    neighbour = IPv6Address("TCP", "2001:db8:0:1::1", 31337)
    assert ask(wire, get(wrong(3), headers), neighbour).status == 404


def test_an_ipv4_address_is_the_same_on_a_socket_for_both(wire: Wire) -> None:
    mapped = IPv6Address("TCP", f"::ffff:{CLIENT.host}", 31337)
    for number in range(3):
        assert ask(wire, get(wrong(number)), mapped).status == 404
    assert_limited(ask(wire, get(wrong(3))), "guesses")


def test_a_unix_socket_has_no_limits(wire: Wire, headers: str) -> None:
    waiting = [Connection(wire.site, wire.clock, UNIX) for _ in range(5)]
    pin = wire.book.create(0.0, 86400.0).pin
    for number, connection in enumerate(waiting):
        assert ask(wire, get(wrong(number), headers), UNIX).status == 404
        assert ask(wire, post(CLUSTERS, headers), UNIX).status == 201
        assert connection.say(get(pin, f"{headers}Prefer: wait=60\r\n")) == b""
        connection.hang_up()


def test_who_waits_already_is_not_disturbed(
    wire: Wire, pin: str, headers: str, clock: Clock
) -> None:
    waiter = Connection(wire.site, clock)
    assert waiter.say(get(pin, f"{headers}Prefer: wait=60\r\n")) == b""
    for number in range(3):
        ask(wire, get(wrong(number)))
    assert_limited(ask(wire, get(pin)), "guesses")
    wire.book.add_key(pin, "sesame", "open")
    wire.changed(pin)
    clock.advance(0)
    assert waiter.answer().body == b"sesame: open"
    assert_limited(read_answer(waiter.say(get(pin, headers))), "guesses")
    waiter.hang_up()


@pytest.mark.parametrize("path", [CLUSTERS, "/"])
def test_creations(wire: Wire, path: str, clock: Clock) -> None:
    for _ in range(2):
        assert ask(wire, post(path)).status == 201
        clock.advance(1)
    refused = ask(wire, post(path))
    assert refused.status == 429
    assert refused.headers["Retry-After"] == "58"
    if path == "/":
        assert "--max-creations" in refused.text("error")
    else:
        assert_limited(refused, "creations")
    assert len(wire.book) == 2
    assert ask(wire, post(path), OTHER).status == 201
    clock.advance(58)
    assert ask(wire, post(path)).status == 201
    assert ask(wire, post(path)).status == 429


def test_a_refusal_as_text(wire: Wire, headers: str) -> None:
    text = f"{headers}Accept: text/plain\r\n"
    for number in range(4):
        answer = ask(wire, get(wrong(number), text))
    assert answer.status == 429
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.headers["Retry-After"] == "60"
    (line,) = answer.body.decode().splitlines()
    assert "with --max-guesses" in line
    assert line.endswith("with --trusted-proxy.")


def test_waiters(wire: Wire, pin: str, headers: str, clock: Clock) -> None:
    waiting = f"{headers}Prefer: wait=60\r\n"
    # On connections of other addresses of the same client, so as not to count those.
    waiters = [Connection(wire.site, clock, peer) for peer in LINK[:2]]
    for waiter in waiters:
        assert waiter.say(get(pin, waiting)) == b""
    other = Connection(wire.site, clock)
    assert other.say(get(pin, waiting)) == b""
    waiters[0].hang_up()
    again = Connection(wire.site, clock, LINK[2])
    assert again.say(get(pin, waiting)) == b""
    assert len(wire.guard.waiters) == 2
    clock.advance(60)
    for connection in (again, other, waiters[1]):
        assert connection.answer().status == 404
        connection.hang_up()


def test_too_many_waiters(clock: Clock, headers: str) -> None:
    wire = Wire(clock, client_limits=ClientLimits(waiters=2))
    pin = wire.book.create(0.0, 86400.0).pin
    waiting = f"{headers}Prefer: wait=60\r\n"
    waiters = [Connection(wire.site, clock) for _ in range(2)]
    for waiter in waiters:
        assert waiter.say(get(pin, waiting)) == b""
    assert_limited(ask(wire, get(pin, waiting)), "waiters")
    # Without waiting it may ask.
    assert ask(wire, get(pin, headers)).status == 404
    wire.book.add_key(pin, "sesame", "open")
    wire.changed(pin)
    clock.advance(0)
    for waiter in waiters:
        assert waiter.answer().status == 200
    wait_more = get(pin, waiting, "/keys/other")
    for waiter in waiters:
        assert waiter.say(wait_more) == b""
        waiter.hang_up()
    assert len(wire.guard.waiters) == 0


def test_connections(wire: Wire, clock: Clock) -> None:
    held = [Connection(wire.site, clock) for _ in range(2)]
    refused = Connection(wire.site, clock)
    answer = refused.answer()
    assert_limited(answer, "connections")
    assert answer.headers["Connection"] == "close"
    assert refused.transport.written
    # It can be read by a client that sends first, and nothing it says is heard.
    assert refused.say(post(CLUSTERS)) == b""
    assert len(wire.book) == 0
    assert not refused.closed
    clock.advance(LINGER)
    assert refused.closed
    other = Connection(wire.site, clock, OTHER)
    assert other.transport.value() == b""
    other.hang_up()
    held.pop().hang_up()
    again = Connection(wire.site, clock)
    assert b"HTTP/1.1 201 " in again.say(post(CLUSTERS))
    again.hang_up()
    held.pop().hang_up()


def test_a_proxy_asks_for_others(wire: Wire, headers: str) -> None:
    own = [Connection(wire.site, wire.clock, PROXY) for _ in range(5)]
    for number in range(5):
        said = f"{headers}X-Forwarded-For: 198.51.100.{number}\r\n"
        assert ask(wire, get(wrong(number), said), PROXY).status == 404
    said = f"{headers}X-Forwarded-For: 198.51.100.7\r\n"
    for number in range(3):
        # The proxy passes on what its client has made up, and knows nothing of it.
        said += f"Forwarded: for=203.0.113.{number}\r\n"
        assert ask(wire, get(wrong(number), said), PROXY).status == 404
    assert_limited(ask(wire, get(wrong(3), said), PROXY), "guesses")
    # The same, wherever it comes from.
    direct = IPv4Address("TCP", "198.51.100.7", 31337)
    assert_limited(ask(wire, get(wrong(3), headers), direct), "guesses")
    for connection in own:
        connection.hang_up()


def test_others_cannot_say_for_whom_they_ask(wire: Wire, headers: str) -> None:
    for number in range(3):
        said = f"{headers}X-Forwarded-For: 198.51.100.{number}\r\n"
        assert ask(wire, get(wrong(number), said)).status == 404
    for name in ("X-Forwarded-For: ", "Forwarded: for="):
        said = f"{headers}{name}198.51.100.9\r\n"
        assert_limited(ask(wire, get(wrong(3), said)), "guesses")


def test_a_proxy_that_nobody_named_is_told_of_once(wire: Wire) -> None:
    def warnings(peer: IAddress, said: str) -> list[str]:
        with capturedLogs() as events:
            assert ask(wire, get(wrong(1), f"{said}\r\n"), peer).status == 404
        warned = [one for one in events if one["log_level"] is LogLevel.warn]
        return list(map(formatEvent, warned))

    said = "X-Forwarded-For: 198.51.100.7"
    assert warnings(OTHER, "X-Sesame: open") == []
    assert warnings(OTHER, "Forwarded: for=198.51.100.7") == []
    assert warnings(PROXY, said) == []
    # Nobody is limited there.
    assert warnings(UNIX, said) == []
    (text,) = warnings(OTHER, said)
    assert "header=x-forwarded-for" in text
    assert "--trusted-proxy" in text
    assert "198.51" not in text
    assert OTHER.host not in text
    assert warnings(OTHER, said) == warnings(CLIENT, said) == []


def test_an_answer_that_is_held_counts_when_it_is_given(
    wire: Wire, headers: str
) -> None:
    wire.disk.flushed = Deferred()
    connection = Connection(wire.site, wire.clock)
    assert connection.say(get(wrong(1), headers)) == b""
    assert wire.guard.size() == 0
    wire.disk.flushed.callback(None)
    assert connection.answer().status == 404
    assert wire.guard.size() == 1
    connection.hang_up()


def test_neither_pins_nor_their_marks_can_be_read(wire: Wire) -> None:
    ask(wire, get(wrong(1)))
    assert "sesame" not in repr(wire.guard)
    assert repr(wire.guard.key) not in repr(wire.guard)
    other = Wire(wire.clock, client_limits=LIMITS)
    assert other.guard._mark(wrong(1)) != wire.guard._mark(wrong(1))
