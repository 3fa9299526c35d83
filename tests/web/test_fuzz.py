"""
Whatever a client sends, the answer is none of the service's own failures, and
every error is a problem.

What a failure would log makes a test fail too, like any other.
"""

import json

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.internet.task import Clock

from cvmpair.web.api import CLUSTERS
from tests.web.connection import Connection
from tests.web.wire import Answer, Wire, read_answer

ACCEPTS = ["*/*", "text/plain", "application/json", "text/html", ""]
FORM = "application/x-www-form-urlencoded"
MEDIA_TYPES = [
    "application/json",
    "application/json; charset=utf-8",
    "application/json; charset=utf-16",
    FORM,
    f"{FORM}; charset=iso-8859-1",
    "text/plain",
]
PATH_PIECES = [
    *["/", "//", "api", "v1", "clusters", "keys", "problems", "assets", "page.css"],
    *["sesame", ".", "..", "%2F", "%", "%00", "%ff", "%c3%a9", "?", "#", ";"],
]

methods = st.sampled_from(
    ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
) | st.from_regex(rb"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,30}", fullmatch=True).map(
    bytes.decode
)
targets = st.sampled_from(
    ["", "/{pin}", "/{pin}/keys", "/{pin}/keys/sesame", "/{pin}/keys/sesame2"]
)
# Any octet that a header may have, and those that mean something in one.
values = st.text(
    st.characters(min_codepoint=32, max_codepoint=255)
    | st.sampled_from('";=,*/\\ \tW0123456789'),
    max_size=60,
)
names = st.sampled_from(
    [
        "Accept",
        "Content-Type",
        "If-Match",
        "If-None-Match",
        "Host",
        "Cookie",
        "Connection",
        "Expect",
        "Authorization",
        "X-Forwarded-For",
        "Prefer",
        "Range",
    ]
)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.just("sesame"),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4)
    ),
    max_leaves=10,
)
fields = st.dictionaries(st.sampled_from(["key", "value", "sesame"]), json_values)
bodies = (
    st.binary(max_size=200)
    | fields.map(json.dumps).map(str.encode)
    | json_values.map(json.dumps).map(str.encode)
    | fields.map(json.dumps).map(lambda text: text.encode("utf-16"))
    | st.lists(st.sampled_from(b"key=value&sesame%+;0fF")).map(bytes)
)


def exchange(method: str, target: str, headers: list[tuple[str, str]], body: bytes):
    """
    Send one request about a cluster with a key, and return the answer.
    """
    wire = Wire(Clock())
    pin = wire.book.create(now=0.0, lifetime=60.0).pin
    wire.book.add_key(pin, "sesame", "open")
    lines = [
        f"{method} {target.format(pin=pin)} HTTP/1.1",
        *map(": ".join, headers),
        f"Content-Length: {len(body)}",
        "",
        "",
    ]
    return send(wire, "\r\n".join(lines).encode("latin-1") + body, method)


def send(wire: Wire, data: bytes, method: str = "GET") -> Answer:
    connection = Connection(wire.site, wire.clock)
    sent = connection.say(data)
    # An answer that goes before the proper one.
    sent = sent.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
    connection.hang_up()
    assert not wire.clock.getDelayedCalls()
    return read_answer(sent, method)


def assert_sound(answer: Answer) -> None:
    assert answer.status < 500
    assert "html" not in answer.headers.get("Content-Type", "")
    if answer.status < 400:
        return
    media_type = answer.headers["Content-Type"]
    if media_type == "text/plain; charset=utf-8":
        # One line; none in the answer to HEAD.
        assert answer.body.find(b"\n") == len(answer.body) - 1
    else:
        assert media_type == "application/problem+json"
        assert not answer.body or answer.json["status"] == answer.status


@given(
    st.sampled_from(["POST", "PUT", "PATCH"]),
    targets,
    st.sampled_from(MEDIA_TYPES),
    st.sampled_from(ACCEPTS),
    bodies,
)
def test_any_body(
    method: str, target: str, media_type: str, accept: str, body: bytes
) -> None:
    headers = [("Content-Type", media_type), ("Accept", accept)]
    assert_sound(exchange(method, CLUSTERS + target, headers, body))


@given(methods, targets, st.lists(st.tuples(names, values), max_size=6), bodies)
@example("POST", "/{pin}/keys", [("Content-Type", "application/json;charset=\0")], b"")
@example("POST", "", [("Content-Type", "application/json;charset*=a'b'%")], b"1")
@example("GET", "/{pin}", [("If-Match", "\xff")], b"")
def test_any_headers(
    method: str, target: str, headers: list[tuple[str, str]], body: bytes
) -> None:
    assert_sound(exchange(method, CLUSTERS + target, headers, body))


@given(st.lists(st.tuples(names, values), max_size=6))
@example([("If-None-Match", "\xff")])
def test_any_headers_for_an_asset(headers: list[tuple[str, str]]) -> None:
    assert_sound(exchange("GET", "/assets/page.css", headers, b""))


@given(
    methods,
    st.text(st.characters(min_codepoint=33, max_codepoint=255), max_size=40)
    | st.lists(
        st.sampled_from(PATH_PIECES),
        max_size=12,
    ).map("".join),
)
def test_any_path(method: str, path: str) -> None:
    target = path.replace("{", "").replace("}", "")
    accept = [("Accept", "application/json")]
    assert_sound(exchange(method, f"/{target}", accept, b""))
    assert_sound(exchange(method, f"{CLUSTERS}/{target}", accept, b""))


@given(st.text() | st.just(" sesame ") | st.text("\0\ud800\u20ac s", min_size=1))
def test_any_value_is_kept_as_it_is_or_refused(value: str) -> None:
    body = json.dumps({"key": "sesame2", "value": value}).encode()
    headers = [("Content-Type", "application/json")]
    answer = exchange("POST", f"{CLUSTERS}/{{pin}}/keys", headers, body)
    assert_sound(answer)
    if answer.status == 201:
        assert answer.json == {"key": "sesame2", "value": value.strip()}
    else:
        surrogate = any("\ud800" <= character <= "\udfff" for character in value)
        assert surrogate or "\0" in value or not value.strip()


@given(st.binary(max_size=300), st.integers(0, 80), st.integers(0, 40))
def test_any_bytes(noise: bytes, at: int, cut: int) -> None:
    good = (
        f"POST {CLUSTERS} HTTP/1.1\r\nHost: sesame\r\n"
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        "2\r\n{}\r\n0\r\n\r\n"
    ).encode()
    wire = Wire(Clock())
    connection = Connection(wire.site, wire.clock)
    sent = connection.say(good[:at] + noise + good[at + cut :])
    # Whatever is still missing does not come.
    wire.clock.advance(10)
    sent = sent or connection.transport.value()
    wire.clock.pump([10] * 12)
    assert connection.closed
    assert not wire.clock.getDelayedCalls()
    if sent and not sent.startswith(b"HTTP/1.1 100 "):
        assert_sound(read_answer(sent, "HEAD"))
