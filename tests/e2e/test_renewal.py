"""
Certificates that are renewed while the daemon runs.
"""

import http.client
import re
import signal
import sqlite3
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
from attrs import define
from cryptography.x509 import load_pem_x509_certificate

from tests.client.authority import Authority, fingerprint_of
from tests.e2e.daemon import CLUSTERS, Daemon, free_port
from tests.e2e.test_listening import ssl_endpoint, tls_endpoint
from tests.e2e.test_stop import await_
from tests.logs import MARKER

Endpoint = Callable[[Path, int], str]


@define(eq=False)
class Site:
    """
    A daemon with a certificate of a private authority.
    """

    daemon: Daemon
    authority: Authority
    pem: Path

    def renew(self) -> None:
        """
        Have a new key and certificate in the place of the old ones.
        """
        self.authority.issue_file(self.pem, "localhost")

    def hang_up(self) -> str:
        """
        Send the signal, and return what the daemon says of it.
        """
        assert self.daemon.process is not None
        before = len(self.daemon.log.read_text())
        self.daemon.process.send_signal(signal.SIGHUP)

        def said() -> str:
            return self.daemon.log.read_text()[before:]

        await_(lambda: "certificate" in said())
        # What else there is to say of it comes in the same turn.
        daemon = self.daemon
        daemon.new_pin()
        await_(lambda: "method=POST" in said())
        return said()

    def key(self) -> str:
        """
        Return the fingerprint that a new connection sees.
        """
        pem = ssl.get_server_certificate(("localhost", self.daemon.port))
        return fingerprint_of(load_pem_x509_certificate(pem.encode()))

    def key_of_file(self) -> str:
        """
        Return the fingerprint of the certificate that there is.
        """
        return fingerprint_of(load_pem_x509_certificate(self.pem.read_bytes()))


@pytest.fixture
def start(tmp_path: Path) -> Callable[[Endpoint], Site]:
    authority = Authority("authority")
    trusting = ssl.create_default_context(cafile=authority.write(tmp_path / "ca.pem"))

    def make(endpoint: Endpoint) -> Site:
        directory = tmp_path / "tls"
        directory.mkdir()
        port = free_port()
        daemon = Daemon(
            tmp_path / "state",
            port=port,
            listen=[endpoint(directory, port)],
            tls=trusting,
        )
        site = Site(daemon, authority, directory / "localhost.pem")
        site.renew()
        return site

    return make


@pytest.mark.parametrize("endpoint", [ssl_endpoint, tls_endpoint])
def test_a_key_that_every_user_may_read_is_told(
    start: Callable[[Endpoint], Site], endpoint: Endpoint
) -> None:
    site = start(endpoint)
    site.pem.chmod(0o644)
    with site.daemon as daemon:
        warning = f"warn] private key open to every user file='{site.pem}' mode=0644"
        assert daemon.log.read_text().count(warning) == 1
        assert warning in site.hang_up()
        site.pem.chmod(0o640)
        assert "open to" not in site.hang_up()


@pytest.mark.parametrize("endpoint", [ssl_endpoint, tls_endpoint])
def test_a_renewal_ends_no_connection(
    start: Callable[[Endpoint], Site], endpoint: Endpoint
) -> None:
    site = start(endpoint)
    with site.daemon as daemon:
        path = f"{CLUSTERS}/{daemon.new_pin()}/keys"
        waiter = http.client.HTTPSConnection(
            "localhost", daemon.port, timeout=30, context=daemon.tls
        )
        waiter.request("GET", f"{path}/{MARKER}", headers={"Prefer": "wait=60"})
        old = site.key()
        assert f"fingerprint={old} expires=" in daemon.log.read_text()

        site.renew()
        assert site.key() == old
        said = site.hang_up()
        new = site.key()
        assert new != old
        assert f"fingerprint={new} expires=" in said

        site.pem.write_text("sesame")
        said = site.hang_up()
        assert re.search(
            r"\[.*error\] certificate not renewed .*\(the one before", said
        )
        if endpoint is tls_endpoint:
            assert f"reason='{site.pem} has neither" in said
        else:
            assert f"reason='privateKey={site.pem} has no private key" in said
        assert site.key() == new
        site.pem.unlink()
        said = site.hang_up()
        assert "certificate not renewed" in said
        if endpoint is ssl_endpoint:
            assert f"={site.pem} cannot be read: No such file" in said
        assert site.key() == new

        key = {"key": MARKER, "value": MARKER}
        assert daemon.send_json("POST", path, key).status == 201
        assert waiter.getresponse().read() == f"{MARKER}: {MARKER}".encode()
        # The connection serves another request, too.
        waiter.request("GET", path)
        assert waiter.getresponse().status == 200
        assert daemon.terminate() == 0
    assert "Traceback" not in daemon.log.read_text()


def test_a_renewal_while_the_state_is_loaded(
    start: Callable[[Endpoint], Site],
) -> None:
    site = start(ssl_endpoint)
    with site.daemon as daemon:
        assert daemon.terminate() == 0
        # While somebody has the file to himself, the daemon waits for it.
        other = sqlite3.connect(daemon.state_dir / "cvmpair.db", isolation_level=None)
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN IMMEDIATE")
        before = len(daemon.log.read_text())
        daemon.spawn()
        await_(lambda: "certificate listen=" in daemon.log.read_text()[before:])
        old = site.key_of_file()
        site.renew()
        assert daemon.process is not None
        daemon.process.send_signal(signal.SIGHUP)
        assert " started " not in daemon.log.read_text()[before:]
        other.close()
        # The signal came after the certificate was read, and is not lost.
        await_(lambda: daemon.log.read_text().count("certificate listen=", before) == 2)
        assert site.key() == site.key_of_file() != old


def test_without_a_certificate_the_signal_does_nothing(tmp_path: Path) -> None:
    with Daemon(tmp_path / "state") as daemon:
        site = Site(daemon, Authority("unused"), tmp_path / "unused")
        assert "nothing to renew" in site.hang_up()
        daemon.new_pin()
        assert daemon.terminate() == 0
