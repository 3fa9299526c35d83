"""
The Debian package, installed in a new Debian: ``make deb-test``.
"""

import gzip
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import frozen

from cvmpair import __version__
from tests.release.machine import PAIR, PAIRED, ROOT, offline

DEBIAN = os.environ.get("CVMPAIR_DEBIAN")
UNITS = (
    *("cvmpair.service", "cvmpair.socket"),
    *("cvmpair-context.service", "cvmpair-ready.service"),
)

pytestmark = pytest.mark.skipif(DEBIAN is None, reason="make deb-test runs this")

DROP_IN = "/usr/share/doc/cvmpair/examples/systemd/cvmpair.service.d/socket.conf"

CHANGE_ROOT = 'mount -t proc proc "$0/proc" && exec chroot "$0" "$@"'


@frozen
class Debian:
    """
    A Debian in a directory, without a network and without a service manager.
    """

    root: Path

    def run(self, *words: object) -> subprocess.CompletedProcess[str]:
        return offline("sh", "-c", CHANGE_ROOT, self.root, *words)

    def do(self, *words: object) -> str:
        done = self.run(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture
def debian(tmp_path: Path) -> Iterator[Debian]:
    assert DEBIAN is not None
    root = tmp_path / "debian"
    subprocess.run(["cp", "-a", "--reflink=auto", DEBIAN, root], check=True)
    # As dpkg's scripts find it in a chroot.
    (package,) = (ROOT / "dist").glob(f"cvmpair_{__version__}_*.deb")
    shutil.copy(package, root / "tmp/cvmpair.deb")
    shutil.copy(PAIR, root / "tmp/pair.sh")
    yield Debian(root)
    shutil.rmtree(root)


def enabled(debian: Debian) -> list[str]:
    return [
        path.name
        for path in (debian.root / "etc/systemd/system").rglob("cvmpair*")
        if path.is_symlink()
    ]


def test_life_of_the_package(debian: Debian) -> None:
    root = debian.root
    debian.do("dpkg", "--install", "/tmp/cvmpair.deb")
    debian.do("dpkg", "--audit")
    assert debian.do("dpkg", "--verify", "cvmpair") == ""

    # The user, and what it owns.
    user, *_, home, shell = debian.do("getent", "passwd", "cvmpair").strip().split(":")
    assert (user, home, shell) == ("cvmpair", "/var/lib/cvmpair", "/usr/sbin/nologin")
    kept = debian.do("stat", "--format=%U:%G:%a", "/var/lib/cvmpair")
    assert kept == "cvmpair:cvmpair:700\n"

    # The drop-in of the socket is where its comment says.
    socket = (root / "usr/lib/systemd/system/cvmpair.socket").read_text()
    assert f"cp {DROP_IN} " in socket
    assert (root / DROP_IN.lstrip("/")).is_file()

    # The units, of which none is enabled.
    assert enabled(debian) == []
    verified = debian.run("systemd-analyze", "verify", "--man=no", *UNITS)
    assert (verified.returncode, verified.stderr) == (0, "")

    # The manual pages.
    pages = sorted((root / "usr/share/man").rglob("*cvmpair*.gz"))
    assert len(pages) == 3
    for page in pages:
        formatted = subprocess.run(
            ["groff", "-man", "-ww", "-z", "-Tutf8"],
            input=gzip.decompress(page.read_bytes()),
            capture_output=True,
            check=True,
        )
        assert formatted.stderr == b""

    # A master and a worker pair by it; the user may write its own state alone.
    directory = "/var/lib/cvmpair/trial"
    as_user = ("setpriv", "--reuid=cvmpair", "--regid=cvmpair", "--clear-groups")
    debian.do(*as_user, "mkdir", directory)
    endpoint, url = "tcp:8080:interface=127.0.0.1", "http://127.0.0.1:8080"
    pair = ("/tmp/pair.sh", "/opt/cvmpair/bin", directory, endpoint, url)
    assert debian.do(*as_user, *pair).splitlines()[-2:] == PAIRED
    assert debian.do("cvmpair", "--version") == debian.do(
        "cvmpair-agent", "--version"
    ).replace("-agent", "")
    assert debian.run(*as_user, "touch", "/opt/cvmpair/lib/x.py").returncode != 0

    # Installed again, it keeps what there is.
    with (root / "etc/default/cvmpair").open("a") as file:
        file.write("CVMPAIR_OPTIONS=--max-keys=8\n")
    debian.do("systemctl", "enable", "cvmpair.service", "cvmpair-context.service")
    assert len(enabled(debian)) == 2
    debian.do("dpkg", "--install", "/tmp/cvmpair.deb")
    assert len(enabled(debian)) == 2
    assert (root / directory.lstrip("/") / "state/cvmpair.db").exists()

    # Removed, it leaves what is not its own; purged, nothing.
    debian.do("dpkg", "--remove", "cvmpair")
    assert not (root / "opt/cvmpair").exists()
    assert enabled(debian) == []
    assert (root / directory.lstrip("/") / "state/cvmpair.db").exists()
    assert "max-keys=8" in (root / "etc/default/cvmpair").read_text()
    debian.do("getent", "passwd", "cvmpair")
    debian.do("dpkg", "--purge", "cvmpair")
    left = debian.do(
        "find", "/", "-xdev", "-name", "*cvmpair*", "-not", "-path", "/tmp/*"
    )
    assert [line for line in left.splitlines() if not line.startswith("/proc")] == []
    assert debian.run("getent", "passwd", "cvmpair").returncode == 2
