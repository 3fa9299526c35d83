"""
Whichever way a request goes, the answer is the same to the last byte but for its
date, and so is what becomes of the connection and of the book.
"""

import re
from collections import Counter
from contextlib import suppress
from itertools import count, pairwise

from attrs import define, field
from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from cvmpair.core.errors import KeyNotFound
from cvmpair.core.model import Cluster, Key
from cvmpair.core.packing import pack
from cvmpair.core.tokens import SCOPES, issue
from cvmpair.web.api import CLUSTERS
from cvmpair.web.guard import UNLIMITED
from cvmpair.web.limits import ClientLimits
from cvmpair.web.request_log import Kind, RequestCounts
from tests.web.connection import Connection
from tests.web.wire import Wire

PIN = "enico1qq0oey"
ENDED = "endedq1qq0oe"
VERSION = 1_000_000_000
DATE = re.compile(rb"\r\nDate: [^\r]*")
EXAMPLES = 2000

PROTECTED = "protected000"
"""The PIN of a cluster that is protected, with a token for each scope."""

ISSUED = {scope: issue(scope, now=0.0) for scope in SCOPES}
BEARERS = [f"Bearer {text}" for _, text in ISSUED.values()]

KEYS = f"{CLUSTERS}/{PIN}/keys"
KEY = f"{KEYS}/sesame"


class Tally(RequestCounts):
    """
    What went by the lane.
    """

    def __init__(self) -> None:
        super().__init__(Clock())
        self.seen: Counter[tuple[str, object]] = Counter()

    def add(self, kind: Kind, status: object) -> None:
        self.seen[kind[0], status] += 1


def make_wire(
    *, has_lane: bool, held: bool = False, limits: ClientLimits = UNLIMITED
) -> Wire:
    wire = Wire(Clock(), has_lane=has_lane, client_limits=limits)
    cluster = f'[0.0,86400.0,{VERSION},["sesame","open",{VERSION}]]'
    protected = Cluster(
        pin=PROTECTED,
        created=0.0,
        lifetime=86400.0,
        version=VERSION,
        keys=(Key(name="sesame", value="open", version=VERSION),),
        tokens=tuple(token for token, _ in ISSUED.values()),
    )
    wire.book.load(
        [
            (PIN, cluster),
            (PROTECTED, pack(protected)),
            (ENDED, f'["expired",0.0,{VERSION}]'),
        ]
    )
    wire.book.begin_run(VERSION)
    wire.book._draw_pin = (f"sesame{number:06}" for number in count()).__next__
    if held:
        wire.disk.flushed = Deferred()
    return wire


@define(eq=False)
class Pair:
    """
    The same conversation with two sites, one of which has a fast lane.
    """

    held: bool = False
    limits: ClientLimits = UNLIMITED
    tally: Tally = field(init=False, factory=Tally)
    wires: list[Wire] = field(init=False)
    connections: list[Connection] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.wires = [
            make_wire(has_lane=way, held=self.held, limits=self.limits)
            for way in (True, False)
        ]
        lane = self.wires[0].site.lane
        assert lane is not None
        lane.counts = self.tally
        self.connections = [Connection(wire.site, wire.clock) for wire in self.wires]

    def say(self, data: bytes) -> None:
        for connection in self.connections:
            if not connection.closed:
                connection.channel.dataReceived(data)
        self.compare()

    def flush(self) -> None:
        for wire in self.wires:
            flushed, wire.disk.flushed = wire.disk.flushed, None
            if flushed is not None:
                flushed.callback(None)
                for pin in (PIN, PROTECTED):
                    wire.watchers.tell({pin: wire.book.packed(pin)})
            wire.clock.advance(0)
        self.compare()

    def change(self) -> None:
        for wire in self.wires:
            # A request may have renamed or deleted it.
            for pin in (PIN, PROTECTED):
                with suppress(KeyNotFound):
                    wire.book.change_key(pin, "sesame", value="changed")
                wire.changed(pin)
            wire.clock.advance(0)
        self.compare()

    def delete(self) -> None:
        for wire in self.wires:
            wire.book.delete(PIN, wire.clock.seconds())
            wire.changed(PIN)
            wire.clock.advance(0)
        self.compare()

    def wait(self, seconds: float) -> None:
        for wire in self.wires:
            wire.clock.advance(seconds)
        self.compare()

    def compare(self) -> None:
        lane, plain = (
            (
                DATE.sub(b"", connection.transport.value()),
                connection.closed,
                connection.transport.written,
                wire.book.packed(PIN),
                wire.book.cluster(PROTECTED),
                wire.guard.size(),
                len(wire.guard.waiters),
            )
            for wire, connection in zip(self.wires, self.connections, strict=True)
        )
        assert lane == plain

    def end(self) -> None:
        for wire, connection in zip(self.wires, self.connections, strict=True):
            connection.hang_up()
            wire.clock.pump([10] * 10)
            assert not wire.clock.getDelayedCalls()
            assert wire.site.descriptors.taken == 0


common_targets = st.sampled_from(
    [*[KEY] * 4, *[f"{KEYS}/sesame2"] * 2, f"{CLUSTERS}/{ENDED}/keys/sesame"]
)
strange_targets = st.sampled_from(
    [
        KEYS,
        f"{KEYS}/{'s' * 100}",
        f"{KEYS}/{'s' * 101}",
        f"{KEYS}/s.same",
        f"{CLUSTERS}/{PIN[::-1]}/keys/sesame",
        f"{CLUSTERS}/{PIN[::-1]}/keys",
        f"{CLUSTERS}/{PIN.upper()}/keys/sesame",
        f"{CLUSTERS}/{PIN[1:]}/keys/sesame",
        f"{CLUSTERS}/%65nico1qq0oey/keys/sesame",
        f"{KEYS}/s%65same",
        f"{KEYS}%2Fsesame",
        f"{KEY}/",
        f"{KEYS}//sesame",
        f"{KEY}?sesame=open",
        f"{KEY}#sesame",
        f"http://sesame.example{KEY}",
        f"HTTP://sesame.example:8080{KEY}",
        f"{KEYS}/",
        f"{CLUSTERS}/{PIN}",
        CLUSTERS,
        "/",
        "*",
        f" {KEY}",
        f"{KEY} ",
        KEY.upper(),
    ]
)
OF_GET = ["If-None-Match", "Prefer"]
COMMON = ["User-Agent", "Accept", "Accept-Encoding", "Connection", *OF_GET]
IN_PROTECTED = {
    KEYS: f"{CLUSTERS}/{PROTECTED}/keys",
    KEY: f"{CLUSTERS}/{PROTECTED}/keys/sesame",
    f"{KEYS}/sesame2": f"{CLUSTERS}/{PROTECTED}/keys/sesame2",
}
STRANGE = [
    "If-Match",
    "Content-Type",
    "Content-Length",
    "Transfer-Encoding",
    "Expect",
    "Content-Encoding",
    "X-Sesame",
    "Prefer",
    "Host Name",
    "",
    "Accepté",
    "Authorization",
    " Host",
    "Host",
    *COMMON,
]
common_values = {
    "User-Agent": st.sampled_from(["curl/7.88.1", "Python-urllib/2.7"]),
    "Accept": st.sampled_from(["*/*", "text/plain", "application/json"]),
    "Accept-Encoding": st.sampled_from(["identity", "gzip, deflate"]),
    "Connection": st.sampled_from(["close", "keep-alive", "Keep-Alive"]),
    "If-None-Match": st.sampled_from([f'"{VERSION}"', f'"{VERSION}"', '"1"']),
    "Prefer": st.sampled_from(["wait=5", "wait=20", "wait=0", 'a, wait="20"', "wait"]),
}
strange_values = {
    "Host": st.sampled_from(["sesame.example:8080", "localhost", "a, b", ""]),
    "User-Agent": st.sampled_from(["curl/7.88.1", "Python-urllib/2.7", "Caf\xe9", ""]),
    "Accept": st.sampled_from(
        [
            "*/*",
            "text/plain",
            "application/json",
            "text/html",
            "text/*;q=0.1, */*;q=0",
            "application/json, text/plain;q=0.9",
            ",",
            "",
            "text/plain\t",
        ]
    ),
    "Accept-Encoding": st.sampled_from(["identity", "gzip, deflate", ""]),
    "Connection": st.sampled_from(
        ["close", "keep-alive", "Close", "Keep-Alive", "close, TE", "upgrade", ""]
    ),
    "If-None-Match": st.sampled_from(
        [f'"{VERSION}"', f'W/"{VERSION}"', "*", '"1"', f'"1", "{VERSION}"', "sesame"]
    ),
    "If-Match": st.sampled_from([f'"{VERSION}"', "*", '"1"']),
    "Content-Type": st.sampled_from(
        [
            "application/json",
            "application/x-www-form-urlencoded",
            "text/plain",
            "",
            "application/json; charset=utf-16",
            "application/json;charset=UTF-8",
        ]
    ),
    "Content-Length": st.sampled_from(["0", "2", "-1", "+2", "02", "2 ", "99999999"]),
    "Transfer-Encoding": st.sampled_from(["chunked", "identity", "sesame"]),
    "Expect": st.just("100-continue"),
    "Authorization": st.sampled_from(["Bearer sesame", "", *BEARERS]),
    "Content-Encoding": st.sampled_from(["gzip", "identity"]),
    "Prefer": st.sampled_from(["respond-async", "wait=", "wait=1000", "Wait=1;a=b"]),
}
separators = st.sampled_from([":", ":  ", " : ", ":\t", "", ":\x00", "=", ": \x0b"])
endings = st.sampled_from(
    ["\n", "\r", "\r\r\n", " \r\n", "\r\n ", "\r\n\r\n", "", "\x0b"]
)
versions = st.sampled_from(["HTTP/1.0", "HTTP/2.0", "http/1.1", "HTTP/1.1 ", ""])
methods = st.sampled_from(["HEAD", "PUT", "DELETE", "OPTIONS", "get", "G ET", "GETT"])
cases = st.sampled_from([str.lower, str.upper, str.swapcase])
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
MEDIA_TYPES = [JSON, JSON, FORM, f"{JSON}; charset=utf-8"]
bodies = st.sampled_from(
    [
        b'{"key":"sesame3","value":"open"}',
        b'{"key":"sesame","value":"shut"}',
        b'{ "key": "sesame4", "value": 17 }',
        b'{"key":"sesame 5","value":""}',
        b'{"value":"open"}',
        b"[1]",
        b'{"key"',
        b"key=sesame3&value=open",
        b"key=sesame&value=%ff",
        b"",
        b"\xff",
    ]
)


@st.composite
def rights(draw: st.DrawFn, target: str) -> tuple[str, list[tuple[str, str]]]:
    """
    The same in the protected cluster, now and then, and the header that goes with it.
    """
    if target not in IN_PROTECTED or draw(st.integers(0, 9)):
        return target, []
    shown = draw(st.sampled_from(["", "", "Bearer", "Basic s", *BEARERS]))
    return IN_PROTECTED[target], [("Authorization", shown)] if shown else []


@st.composite
def requests(draw: st.DrawFn) -> bytes:  # noqa: C901
    """
    A request as clients send it, with at most one thing strange about it.
    """
    strange = draw(
        st.sampled_from(["nothing"] * 6)
        | st.sampled_from(
            [
                "method",
                "target",
                "version",
                "header",
                "value",
                "case",
                "separator",
                "ending",
                "length",
                "twice",
                "no host",
            ]
        )
    )
    method = draw(methods if strange == "method" else st.sampled_from(["GET", "POST"]))
    target = draw(strange_targets if strange == "target" else common_targets)
    if method == "POST" and strange != "target":
        target = target.rpartition("/")[0]
    target, shown = draw(rights(target))
    version = draw(versions) if strange == "version" else "HTTP/1.1"
    names = draw(st.lists(st.sampled_from(COMMON), max_size=3, unique=True))
    if method == "POST":
        names = [name for name in names if name not in OF_GET]
    fields = [(name, draw(common_values[name])) for name in names]
    fields.insert(draw(st.integers(0, len(fields))), ("Host", "sesame.example"))
    body = draw(bodies) if method in ("POST", "PUT") else b""
    if method in ("POST", "PUT"):
        kind = draw(st.sampled_from(MEDIA_TYPES))
        if kind == JSON and body[:1] not in (b"{", b"["):
            kind = FORM
        length = len(body) + (draw(st.integers(-2, 2)) if strange == "length" else 0)
        fields += [("Content-Type", kind), ("Content-Length", str(length))]
        fields = draw(st.permutations(fields))
    fields += shown
    at = draw(st.integers(0, len(fields) - 1))
    name, value = fields[at]
    if strange == "header":
        name = draw(st.sampled_from(STRANGE))
        fields.append((name, draw(strange_values.get(name, st.just("sesame")))))
    elif strange == "value":
        fields[at] = (name, draw(strange_values.get(name, st.just(""))))
    elif strange == "case":
        fields[at] = (draw(cases)(name), draw(cases)(value))
    elif strange == "twice":
        fields.append(fields[at])
    elif strange == "no host":
        fields.remove(("Host", "sesame.example"))
    lines = [f"{method} {target} {version}", *map(": ".join, fields), ""]
    if strange == "separator":
        lines[at + 1] = lines[at + 1].replace(": ", draw(separators), 1)
    ends = ["\r\n"] * len(lines)
    if strange == "ending":
        ends[draw(st.integers(0, len(ends) - 1))] = draw(endings)
    head = "".join(line + end for line, end in zip(lines, ends, strict=True))
    return head.encode("latin-1") + body


@st.composite
def pieces(draw: st.DrawFn) -> list[bytes]:
    """
    Some requests as they come from the network.
    """
    said = draw(st.lists(requests(), min_size=1, max_size=3))
    if draw(st.booleans()):
        return said
    data = b"".join(said)
    cuts = draw(st.lists(st.integers(0, len(data)), max_size=3))
    edges = [0, *sorted(cuts), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


def test_both_ways_lead_to_the_same() -> None:
    taken: Counter[tuple[str, object]] = Counter()

    @settings(max_examples=EXAMPLES)
    @given(
        said=pieces(),
        pause=st.sampled_from([0.0, 0.0, 0.0, 9.0, 11.0, 61.0]),
        held=st.booleans(),
        deleted=st.booleans(),
    )
    @example(
        said=[b"\r\n", f"GET {KEY} HTTP/1.1\r\nHost: a\r\n\r\n".encode()] * 2,
        pause=0.0,
        held=False,
        deleted=False,
    )
    @example(
        said=[f"GET {KEY} HTTP/1.1\r\nHost: a\r\n\r\n".encode() * 2],
        pause=0.0,
        held=True,
        deleted=True,
    )
    @example(
        said=[f"GET {IN_PROTECTED[KEY]} HTTP/1.1\r\nHost: a\r\n\r\n".encode()],
        pause=0.0,
        held=False,
        deleted=False,
    )
    def converse(
        said: list[bytes],
        pause: float,
        held: bool,  # noqa: FBT001
        deleted: bool,  # noqa: FBT001
    ) -> None:
        pair = Pair(held=held)
        for data in said:
            pair.say(data)
            pair.wait(pause)
        pair.flush()
        pair.delete() if deleted else pair.change()
        pair.wait(30.0)
        pair.say(f"GET {KEY} HTTP/1.1\r\nHost: sesame\r\n\r\n".encode())
        pair.end()
        taken.update(pair.tally.seen)

    converse()
    assert taken["GET", 401] == taken["POST", 401] == 0, taken
    # It would be worth nothing if all had gone the same way.
    for method, status in [("GET", 200), ("GET", 304), ("GET", 404), ("POST", 201)]:
        assert taken[method, status] > 0, taken
    for method in ("GET", "POST"):
        assert taken[method, 410] > 0, taken
    assert taken["POST", 409] > 0, taken
    assert taken["POST", 400] > 0, taken


PINS = [PIN, *(f"sesame{number:06}" for number in range(5))]


@given(
    said=st.lists(
        st.tuples(
            st.sampled_from(PINS),
            st.sampled_from(["GET", "GET", "wait", "POST"]),
            st.sampled_from([0.0, 0.0, 1.0, 29.0]),
        ),
        max_size=25,
    ),
    waits=st.booleans(),
)
def test_both_ways_obey_the_same_limits(
    said: list[tuple[str, str, float]],
    waits: bool,  # noqa: FBT001
) -> None:
    pair = Pair(limits=ClientLimits(guesses=2, waiters=1))
    others = [Connection(wire.site, wire.clock) for wire in pair.wires]
    for connection in others if waits else []:
        path = f"{KEYS}/sesame4"
        wait = f"GET {path} HTTP/1.1\r\nHost: sesame\r\nPrefer: wait=200\r\n\r\n"
        connection.say(wait.encode())
    for pin, kind, pause in said:
        path = f"{CLUSTERS}/{pin}/keys"
        if kind == "POST":
            body = '{"key":"sesame","value":"open"}'
            about = f"Content-Type: {JSON}\r\nContent-Length: {len(body)}\r\n"
            request = f"POST {path} HTTP/1.1\r\nHost: a\r\n{about}\r\n{body}"
        else:
            about = "Prefer: wait=7\r\n" * (kind == "wait")
            request = f"GET {path}/sesame3 HTTP/1.1\r\nHost: a\r\n{about}\r\n"
        pair.say(request.encode())
        pair.wait(pause)
    for connection in others:
        connection.hang_up()
    pair.wait(10.0)
    pair.end()
    assert [len(wire.guard.waiters) for wire in pair.wires] == [0, 0]
