"""
For whom a proxy asks, and who is not believed.
"""

from collections.abc import Mapping
from ipaddress import ip_network
from itertools import permutations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress
from twisted.web.http_headers import Headers

from cvmpair.web.guard import Guard
from cvmpair.web.limits import ClientLimits, HeaderName

PROXY = IPv4Address("TCP", "10.0.0.1", 31337)
STRANGER = IPv4Address("TCP", "192.0.2.8", 31337)
UNKNOWN = "10.0.0.1"
"""Where nothing tells for whom the proxy asks, it is the client itself."""


PROXIES = (ip_network("10.0.0.0/8"), ip_network("2001:db8:5::/48"))

BY: dict[HeaderName, str] = {"x-forwarded-for": "{}", "forwarded": "for={}"}
"""How each header names somebody."""


def client(
    by: HeaderName, peer: IAddress, headers: Mapping[str, str | list[str]]
) -> str | None:
    """
    Return who asks, to a guard that reads one of the headers.
    """
    limits = ClientLimits(trusted_proxies=PROXIES, forwarded_header=by)
    guard = Guard(limits=limits, seconds=lambda: 0.0)
    raw = {
        name: [value] if isinstance(value, str) else value
        for name, value in headers.items()
    }
    return guard.client(guard.peer(peer), Headers(raw))


@pytest.mark.parametrize(
    ("forwarded", "expected"),
    [
        ("for=192.0.2.43", "192.0.2.43"),
        ("For=192.0.2.43; Proto=http;By=203.0.113.43", "192.0.2.43"),
        ("by=203.0.113.43;for=192.0.2.43", "192.0.2.43"),
        ('for="192.0.2.43:47011"', "192.0.2.43"),
        ('for="192.0.2.43:_sesame"', "192.0.2.43"),
        (r'for="192.0.2.\43"', "192.0.2.43"),
        ('for="[2001:db8:cafe::17]"', "2001:db8:cafe::/64"),
        ('for="[2001:db8:cafe::17]:4711"', "2001:db8:cafe::/64"),
        ('for="[::ffff:192.0.2.43]"', "192.0.2.43"),
        ("for=192.0.2.43, for=198.51.100.17", "198.51.100.17"),
        ("for=192.0.2.43,for=10.9.9.9 , for=10.0.0.1", "192.0.2.43"),
        ('for=192.0.2.43, for="[2001:db8:5::1]"', "192.0.2.43"),
        # All of them proxies: whoever asked the first of them did so for itself.
        ("for=10.1.1.1, for=10.2.2.2", "10.1.1.1"),
        ('for="192.0.2.1, for=192.0.2.2"', UNKNOWN),
        ("for=unknown", UNKNOWN),
        ("for=192.0.2.43, for=unknown", UNKNOWN),
        ("for=192.0.2.43, for=_sesame", UNKNOWN),
        ("for=192.0.2.43, proto=http", UNKNOWN),
        ("for=192.0.2.43;proto=http,", UNKNOWN),
        ("for=192.0.2.256", UNKNOWN),
        ("for=2001:db8:cafe::17", UNKNOWN),
        ("for=[2001:db8:cafe::17]", UNKNOWN),
        ('for="[2001:db8:cafe::17"', UNKNOWN),
        ("for = 192.0.2.43", UNKNOWN),
        ("for=", UNKNOWN),
        ("for", UNKNOWN),
        ("192.0.2.43", UNKNOWN),
        ("", UNKNOWN),
        (";for=192.0.2.43", UNKNOWN),
        # A quote that a client opens and never closes hides nobody.
        ('for="192.0.2.43, for=198.51.100.17', UNKNOWN),
        ('for=192.0.2.43;a=", for="[2001:db8:cafe::17]"', UNKNOWN),
    ],
)
def test_forwarded(forwarded: str, expected: str) -> None:
    assert client("forwarded", PROXY, {"Forwarded": forwarded}) == expected


@pytest.mark.parametrize(
    ("x_forwarded_for", "expected"),
    [
        ("192.0.2.43", "192.0.2.43"),
        (" 192.0.2.43 ", "192.0.2.43"),
        ("192.0.2.43:4711", "192.0.2.43"),
        ("192.0.2.43, 198.51.100.17", "198.51.100.17"),
        ("198.51.100.17, 10.0.0.7,10.0.0.1", "198.51.100.17"),
        ("2001:db8:cafe::17", "2001:db8:cafe::/64"),
        ("[2001:db8:cafe::17]:4711", "2001:db8:cafe::/64"),
        ("::ffff:10.0.0.9", "10.0.0.9"),
        ("192.0.2.43, unknown", UNKNOWN),
        ("192.0.2.43,", UNKNOWN),
        ("192.0.2.43 198.51.100.17", UNKNOWN),
        ("", UNKNOWN),
        ("sesame", UNKNOWN),
    ],
)
def test_x_forwarded_for(x_forwarded_for: str, expected: str) -> None:
    said = {"X-Forwarded-For": x_forwarded_for}
    assert client("x-forwarded-for", PROXY, said) == expected


@pytest.mark.parametrize(("by", "other"), list(permutations(BY)))
def test_the_header_that_the_proxy_does_not_set_is_a_clients_invention(
    by: HeaderName, other: HeaderName
) -> None:
    invented = {other: BY[other].format("203.0.113.9")}
    true = {by: BY[by].format("198.51.100.17")}
    assert client(by, PROXY, invented | true) == "198.51.100.17"
    assert client(by, PROXY, invented) == UNKNOWN


@pytest.mark.parametrize("by", BY)
def test_lines_are_read_from_the_last(by: HeaderName) -> None:
    lines = ["192.0.2.1", "192.0.2.2", "10.0.0.3"]
    said = [BY[by].format(line) for line in lines]
    assert client(by, PROXY, {by: said}) == "192.0.2.2"
    # What stands before the one that asked is anybody's invention.
    said[0] = '"'
    assert client(by, PROXY, {by: said}) == "192.0.2.2"


@pytest.mark.parametrize(
    ("peer", "expected"),
    [
        (STRANGER, "192.0.2.8"),
        (IPv6Address("TCP", "::ffff:192.0.2.8", 31337), "192.0.2.8"),
        (IPv6Address("TCP", "2001:db8:6::1", 31337), "2001:db8:6::/64"),
        (UNIXAddress(b"sesame"), None),
    ],
)
def test_others_are_not_believed(peer: IAddress, expected: str | None) -> None:
    for by, form in BY.items():
        assert client(by, peer, {by: form.format("203.0.113.9")}) == expected
        assert client(by, peer, {}) == expected


@pytest.mark.parametrize("host", ["::ffff:10.0.0.1", "2001:db8:5::7"])
def test_a_proxy_is_known_by_any_form_of_its_address(host: str) -> None:
    peer = IPv6Address("TCP", host, 31337)
    said = {"X-Forwarded-For": "192.0.2.43"}
    assert client("x-forwarded-for", peer, said) == "192.0.2.43"


PIECES = ["for=", "192.0.2.43", '"', "\\", ";", ",", " ", "[", "::1", "]", ":80", "a=b"]


@given(
    pieces=st.lists(st.sampled_from(PIECES), max_size=12),
    tail=st.sampled_from(["198.51.100.17", '"[2001:db8:cafe::17]:4711"']),
)
@example(pieces=["for=", '"', ","], tail="198.51.100.17")
def test_a_client_cannot_name_another(pieces: list[str], tail: str) -> None:
    """
    Whatever it sends, the proxy adds who it is.
    """
    true = "198.51.100.17" if tail[0] != '"' else "2001:db8:cafe::/64"
    said = "".join(pieces)
    found = client("forwarded", PROXY, {"forwarded": f"{said}, for={tail}"})
    assert found in (true, UNKNOWN)
    assert client("forwarded", PROXY, {"forwarded": [said, f"for={tail}"]}) == true
    bare = tail.strip('"')
    added = {"x-forwarded-for": f"{said}, {bare}"}
    assert client("x-forwarded-for", PROXY, added) == true


@given(said=st.text(st.characters(codec="latin-1"), max_size=60))
def test_anything_can_be_said(said: str) -> None:
    for by in BY:
        assert client(by, PROXY, {by: said}) is not None
