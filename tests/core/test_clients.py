"""
Which addresses are one client.
"""

import pytest

from cvmpair.core.clients import client_at, read_address


@pytest.mark.parametrize(
    ("text", "client"),
    [
        ("192.0.2.8", "192.0.2.8"),
        ("::ffff:192.0.2.8", "192.0.2.8"),
        ("::FFFF:c000:208", "192.0.2.8"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:DB8:0:0:ffff:ffff:ffff:ffff", "2001:db8::/64"),
        ("2001:db8:0:1::1", "2001:db8:0:1::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
    ],
)
def test_clients(text: str, client: str) -> None:
    address = read_address(text)
    assert address is not None
    assert client_at(address) == client


@pytest.mark.parametrize(
    "text",
    [
        "",
        "unknown",
        "_sesame",
        "192.0.2",
        "192.0.2.256",
        "192.0.2.08",
        "[::1]",
        "%",
        ":",
    ],
)
def test_no_addresses(text: str) -> None:
    assert read_address(text) is None
