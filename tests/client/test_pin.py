"""
A server that is known by its key, and those that are not it.
"""

from datetime import timedelta

import pytest
import pytest_twisted
from twisted.internet.ssl import CertificateOptions

from cvmpair.client.errors import Untrusted
from cvmpair.client.transport import http_client
from tests.client.asking import FOUND, Serve, ask, failure_of
from tests.client.authority import AUTHORITY, DAY, Authority, fingerprint_of


def fingerprint(tls: CertificateOptions) -> str:
    return fingerprint_of(tls.certificate.to_cryptography())


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize(
    ("names", "begin", "end"),
    [
        (["localhost"], -DAY, DAY),
        (["pairing.example"], -DAY, DAY),
        ([], -DAY, DAY),
        (["localhost"], -2 * DAY, -DAY),
        (["localhost"], DAY, 2 * DAY),
    ],
    ids=["right", "another host", "no host", "expired", "not yet"],
)
async def test_whoever_has_the_key_is_the_server(
    serve: Serve, names: list[str], begin: timedelta, end: timedelta
) -> None:
    tls = AUTHORITY.issue(*names, begin=begin, end=end)
    seen: list[str] = []
    url = f"https://localhost:{serve(FOUND, tls)}"
    assert await ask(url, pinned=fingerprint(tls), seen=seen.append)
    assert set(seen) == {fingerprint(tls)}


@pytest_twisted.ensureDeferred
async def test_a_renewed_certificate_of_the_same_key(serve: Serve) -> None:
    old = AUTHORITY.issue("localhost")
    new = Authority("another").renew(old, "localhost")
    assert new.certificate.get_serial_number() != old.certificate.get_serial_number()
    url = f"https://localhost:{serve(FOUND, new)}"
    assert await ask(url, pinned=fingerprint(old))


@pytest_twisted.ensureDeferred
async def test_another_key(serve: Serve, ca_file: str) -> None:
    wanted = AUTHORITY.issue("localhost")
    tls = AUTHORITY.issue("localhost")
    seen: list[str] = []
    url = f"https://localhost:{serve(FOUND, tls)}"
    # No authority makes up for it, whoever trusts it.
    for file in None, ca_file:
        error = await failure_of(
            url, file, pinned=fingerprint(wanted), seen=seen.append
        )
        assert isinstance(error, Untrusted)
        expected, present = fingerprint(wanted), fingerprint(tls)
        assert f"expected {expected}, but the server has {present}" in str(error)
        assert "--service-fingerprint" in str(error)
    assert seen == []


@pytest_twisted.ensureDeferred
async def test_the_key_elsewhere_in_the_chain(serve: Serve) -> None:
    # What anybody can send along: it is the server's own key that counts.
    wanted = AUTHORITY.issue("localhost")
    other = AUTHORITY.issue("localhost")
    tls = CertificateOptions(
        privateKey=other.privateKey,
        certificate=other.certificate,
        extraCertChain=[wanted.certificate, AUTHORITY.certificate()],
    )
    url = f"https://localhost:{serve(FOUND, tls)}"
    for pinned in (
        fingerprint(wanted),
        fingerprint_of(AUTHORITY.certificate().to_cryptography()),
    ):
        assert isinstance(await failure_of(url, pinned=pinned), Untrusted)


@pytest_twisted.ensureDeferred
async def test_what_is_not_trusted_is_not_seen(serve: Serve, ca_file: str) -> None:
    tls = AUTHORITY.issue("localhost")
    seen: list[str] = []
    url = f"https://localhost:{serve(FOUND, tls)}"
    assert isinstance(await failure_of(url, seen=seen.append), Untrusted)
    assert seen == []
    assert await ask(url, ca_file, seen=seen.append)
    assert set(seen) == {fingerprint(tls)}


def test_http_has_no_key() -> None:
    for pin in {"pinned": f"sha256:{'0' * 64}"}, {"seen": lambda _key: None}:
        with pytest.raises(ValueError, match="only with https://"):
            http_client(None, "http://pairing.example", **pin)
