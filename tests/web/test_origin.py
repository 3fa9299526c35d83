"""
The URL of the service in the snippets: whatever the client says, it is harmless.
"""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress
from twisted.internet.task import Clock

from cvmpair.web.origin import is_authority
from tests.web.wire import SERVER, Answer, Wire, read_answer

LEGAL = [
    "sesame.example",
    "sesame.example.",
    "sesame.example:8080",
    "Sesame_1.internal:65535",
    "localhost:1",
    "192.0.2.1",
    "192.0.2.1:80",
    "[2001:db8::1]",
    "[2001:db8::1]:8443",
    "[::ffff:192.0.2.1]",
    "a" * 63,
]

ILLEGAL = [
    "",
    ":8080",
    "sesame.example:",
    "sesame.example:0",
    "sesame.example:65536",
    "sesame.example:8080:9090",
    "sesame.example/path",
    "sesame.example?query",
    "sesame.example#fragment",
    "user@sesame.example",
    "user:sesame@sesame.example",
    "sesame example",
    "sesame..example",
    "-sesame.example",
    "sesame-.example",
    "sesame.example, other.example",
    "2001:db8::1",
    "[2001:db8::1",
    "[2001:db8::1]8443",
    "[2001:db8::g]",
    "[1::2::3]",
    "[fe80::1%25eth0]",
    "[fe80::1%eth0]",
    "[sesame]",
    "\xe9sesame.example",
    "sesame.example\xa0",
    "\uff41.example",
    "a" * 64,
    ".".join(["a" * 60] * 5),
    '"><script>alert("sesame")</script>',
    "</textarea><script>alert('sesame')</script>",
    "&lt;sesame&gt;",
    "$(touch${IFS}sesame)",
    "`touch`sesame",
    "sesame;reboot",
    "sesame&reboot",
    "sesame|reboot",
    "sesame'",
    "sesame\\",
    "javascript:alert(1)",
    "{{sesame}}",
    "%73esame",
]

SHOWABLE = [host for host in ILLEGAL if all("\x20" <= char <= "\xff" for char in host)]


def url(answer: Answer) -> str:
    assert answer.status == 201
    shown = {
        line.partition("=")[2]
        for name in ("master", "worker")
        for line in answer.text(name).split("\n")
        if line.startswith("cvm_service_url=")
    }
    assert len(shown) == 1
    return shown.pop()


@pytest.fixture
def wire(clock: Clock) -> Wire:
    return Wire(clock)


@pytest.mark.parametrize("host", LEGAL)
def test_a_legal_host_is_believed(wire: Wire, host: str) -> None:
    assert is_authority(host)
    assert url(wire.ask("POST", "/", {"Host": host})) == f"http://{host}"


@pytest.mark.parametrize("host", ILLEGAL)
def test_an_illegal_host_is_known_as_such(host: str) -> None:
    assert not is_authority(host)


@pytest.mark.parametrize("host", SHOWABLE)
def test_an_illegal_host_counts_for_nothing(wire: Wire, host: str) -> None:
    answer = wire.ask("POST", "/", {"Host": host})
    assert url(answer) == "http://192.0.2.7:8080"
    assert b"sesame" not in answer.body
    assert b"alert(" not in answer.body


@given(st.text(max_size=80))
def test_what_is_legal_needs_no_quoting_anywhere(text: str) -> None:
    if is_authority(text):
        assert re.fullmatch(r"[A-Za-z0-9._:\[\]-]+", text)


@given(st.from_regex(r"[A-Za-z0-9._:\[\]-]{1,40}", fullmatch=True))
def test_any_host_gives_some_url(text: str) -> None:
    clock = Clock()
    shown = url(Wire(clock).ask("POST", "/", {"Host": text}))
    assert shown in (f"http://{text}", "http://192.0.2.7:8080")
    assert not clock.getDelayedCalls()


def test_without_a_host_it_is_the_address_of_the_socket(wire: Wire) -> None:
    answer = read_answer(wire.send(b"POST / HTTP/1.0\r\n\r\n").value())
    assert url(answer) == "http://192.0.2.7:8080"


def test_two_hosts_are_none(wire: Wire) -> None:
    data = b"POST / HTTP/1.1\r\nHost: a.sesame\r\nHost: b.sesame\r\n\r\n"
    answer = read_answer(wire.send(data).value())
    assert answer.status in (201, 400)
    assert b"sesame" not in answer.body


@pytest.mark.parametrize(
    ("address", "scheme", "expected"),
    [
        (SERVER, "https", "https://192.0.2.7:8080"),
        (IPv4Address("TCP", "192.0.2.7", 80), "http", "http://192.0.2.7"),
        (IPv4Address("TCP", "192.0.2.7", 80), "https", "https://192.0.2.7:80"),
        (IPv4Address("TCP", "192.0.2.7", 443), "https", "https://192.0.2.7"),
        (IPv6Address("TCP", "2001:db8::7", 8080), "http", "http://[2001:db8::7]:8080"),
        (IPv6Address("TCP", "fe80::7%eth0", 80), "http", "http://[fe80::7]"),
        (IPv6Address("TCP", "::ffff:192.0.2.7", 80), "http", "http://192.0.2.7"),
        (UNIXAddress(b"/run/cvmpair"), "http", "http://localhost"),
    ],
)
def test_the_address_of_the_socket(
    wire: Wire, address: IAddress, scheme: str, expected: str
) -> None:
    answer = wire.ask(
        "POST", "/", {"Host": "not/legal"}, address=address, secure=scheme == "https"
    )
    assert url(answer) == expected


def test_over_tls_it_is_https(wire: Wire) -> None:
    answer = wire.ask("POST", "/", {"Host": "sesame.example"}, secure=True)
    assert url(answer) == "https://sesame.example"
