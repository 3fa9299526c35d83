"""
Where the daemon listens: over TLS, and at several endpoints at once.
"""

import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.daemon import CLUSTERS, Daemon, free_port
from tests.logs import MARKER


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """
    A directory with one file that has a key and its certificate.
    """
    directory = tmp_path_factory.mktemp("tls")
    key, pem = directory / "key", directory / "localhost.pem"
    subprocess.run(
        [
            *["openssl", "req", "-x509", "-nodes", "-days", "2"],
            *["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"],
            *["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
            *["-keyout", key, "-out", pem],
        ],
        check=True,
        capture_output=True,
    )
    pem.write_text(key.read_text() + pem.read_text())
    key.unlink()
    return directory


def ssl_endpoint(directory: Path, port: int) -> str:
    pem = directory / "localhost.pem"
    return f"ssl:{port}:privateKey={pem}:certKey={pem}:interface=127.0.0.1"


def tls_endpoint(directory: Path, port: int) -> str:
    return f"tls:{directory}:port={port}:interface=127.0.0.1"


def check_serves(daemon: Daemon) -> str:
    """
    Write and read a key, and return the PIN.
    """
    pin = daemon.new_pin()
    key = {"key": MARKER, "value": MARKER}
    assert daemon.send_json("POST", f"{CLUSTERS}/{pin}/keys", key).status == 201
    assert daemon.request("GET", f"{CLUSTERS}/{pin}/keys").json == [key]
    return pin


@pytest.mark.parametrize("endpoint", [ssl_endpoint, tls_endpoint])
def test_tls(
    tmp_path: Path, certificate: Path, endpoint: Callable[[Path, int], str]
) -> None:
    port = free_port()
    trusting = ssl.create_default_context(cafile=certificate / "localhost.pem")
    daemon = Daemon(
        tmp_path / "state",
        port=port,
        listen=[endpoint(certificate, port)],
        tls=trusting,
    )
    with daemon:
        check_serves(daemon)
        body = "." * 100_000
        headers = {"Content-Type": "application/json"}
        assert daemon.request("POST", CLUSTERS, body, headers).status == 413
        # A client that does not know the certificate refuses it.
        daemon.tls = ssl.create_default_context()
        with pytest.raises(ssl.SSLCertVerificationError):
            daemon.request("OPTIONS", CLUSTERS)
        assert daemon.terminate() == 0
    assert "BEGIN" not in daemon.log.read_text()


def test_several_endpoints_serve_the_same(tmp_path: Path, certificate: Path) -> None:
    plain, other, secure = free_port(), free_port(), free_port()
    listen = [
        f"tcp:{plain}:interface=127.0.0.1",
        f"tcp:{other}:interface=127.0.0.1",
        ssl_endpoint(certificate, secure),
    ]
    with Daemon(tmp_path / "state", port=plain, listen=listen) as daemon:
        pin = check_serves(daemon)
        daemon.port = other
        assert daemon.request("GET", f"{CLUSTERS}/{pin}").status == 200
        daemon.port = secure
        daemon.tls = ssl.create_default_context(cafile=certificate / "localhost.pem")
        assert daemon.request("GET", f"{CLUSTERS}/{pin}").status == 200
        assert daemon.terminate() == 0


def test_a_path_as_an_endpoint(tmp_path: Path) -> None:
    # Behind a reverse proxy on the same machine.
    path = tmp_path / "socket"
    port = free_port()
    listen = [f"tcp:{port}:interface=127.0.0.1", f"unix:{path}:mode=600"]
    with Daemon(tmp_path / "state", port=port, listen=listen) as daemon:
        done = subprocess.run(
            [
                *["curl", "-s", "--unix-socket", path, "-X", "OPTIONS"],
                *["-o", "/dev/null", "-w", "%{http_code}"],
                f"http://localhost{CLUSTERS}",
            ],
            capture_output=True,
            check=True,
        )
        assert done.stdout == b"204"
        assert daemon.terminate() == 0
