"""
The ways to install it, on a machine without a network.
"""

import hashlib
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.e2e.test_listening import certificate, ssl_endpoint
from tests.release.machine import PAIRED, install, offline, pair
from tools import deb, stage
from tools.pins import LEFT_OUT
from tools.wheels import complete

__all__ = ["certificate"]

IMPORT_ALL = """
import pkgutil, importlib, cvmpair, cvmpair_agent
for package in cvmpair, cvmpair_agent:
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
"""


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """
    A directory of wheels, of which make has fetched those that are not ours.
    """
    fetched = Path(sys.prefix) / "wheels"
    assert fetched.is_dir(), "make .venv/wheels fetches them"
    directory = tmp_path_factory.mktemp("release") / "wheels"
    shutil.copytree(fetched, directory)
    complete(directory)
    return directory


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    words = [sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"]
    subprocess.run(words, check=True)
    return tmp_path / "venv"


@pytest.fixture
def incomplete(wheels: Path, tmp_path: Path) -> Path:
    """
    A copy of the directory that a test may spoil.
    """
    return Path(shutil.copytree(wheels, tmp_path / "wheels"))


def test_pairs_after_an_installation_without_network(
    wheels: Path, venv: Path, certificate: Path, tmp_path: Path
) -> None:
    done = install(venv, wheels)
    assert done.returncode == 0, done.stderr
    python = venv / "bin/python"
    assert offline(python, "-c", IMPORT_ALL).stderr == ""
    for name in LEFT_OUT:
        assert offline(python, "-c", f"import {name}").returncode != 0
    authority = certificate / "localhost.pem"
    printed = pair(
        *(venv / "bin", tmp_path, "--ca-file", authority),
        endpoint=ssl_endpoint(certificate, 8443),
        url="https://localhost:8443",
    )
    assert printed == PAIRED
    # What is not there is noticed.
    (module,) = venv.glob("lib/*/site-packages/pyfatfs")
    shutil.rmtree(module)
    assert "No module named 'pyfatfs'" in offline(python, "-c", IMPORT_ALL).stderr


def test_a_wheel_that_is_missing_is_noticed(incomplete: Path, venv: Path) -> None:
    (wheel,) = incomplete.glob("hyperlink-*")
    wheel.unlink()
    done = install(venv, incomplete)
    assert done.returncode != 0
    assert "No matching distribution found for hyperlink" in done.stderr


def test_a_wheel_that_is_another_is_refused(incomplete: Path, venv: Path) -> None:
    (wheel,) = incomplete.glob("idna-*")
    with wheel.open("ab") as file:
        file.write(b"\0")
    done = install(venv, incomplete)
    assert done.returncode != 0
    assert "THESE PACKAGES DO NOT MATCH THE HASHES" in done.stderr
    assert not list(venv.glob("lib/*/site-packages/idna"))


def test_pairs_from_a_directory_that_was_moved(wheels: Path, tmp_path: Path) -> None:
    first = tmp_path / "first"
    first.mkdir()
    stage.stage(wheels, first)
    archive = tmp_path / "archive.tar.gz"
    stage.pack(first, archive)
    shutil.rmtree(first)
    with tarfile.open(archive) as tar:
        assert {(member.uid, member.gid) for member in tar} == {(0, 0)}
        assert [tar.getnames()] == [sorted(tar.getnames(), key=lambda n: n.split("/"))]
        tar.extractall(tmp_path / "moved", filter="tar")
    directory = tmp_path / "moved/first"
    assert {path.name for path in directory.iterdir()} == {
        *("bin", "lib", "etc", "share", "README.md", "LICENSE")
    }
    # As a program that is found by a link, as those of the package are.
    linked = tmp_path / "linked"
    linked.mkdir()
    for program in (directory / "bin").iterdir():
        (linked / program.name).symlink_to(program)
    assert pair(linked, tmp_path) == PAIRED


def test_a_python_for_which_it_was_not_made_is_refused(
    wheels: Path, tmp_path: Path
) -> None:
    stage.programs(wheels, tmp_path)
    program = tmp_path / "bin/cvmpair"
    program.write_text(re.sub(r"not in \[.*\]", "not in [99]", program.read_text()))
    done = offline(program, "--version")
    assert done.returncode == 1
    assert re.fullmatch(
        r"cvmpair: made for Python [\d., ]+, and this is 3\.\d+\n", done.stderr
    )


def test_the_package_is_what_it_is_to_be(wheels: Path, tmp_path: Path) -> None:
    digests = set()
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        package = deb.build(wheels, tmp_path / name, compression="none")
        digests.add(hashlib.sha256(package.read_bytes()).hexdigest())
    assert len(digests) == 1, "equal sources do not give equal packages"

    def ask(*words: str) -> str:
        command = ["dpkg-deb", *words[:1], package, *words[1:]]
        return subprocess.run(
            command, capture_output=True, text=True, check=True
        ).stdout

    root = tmp_path / "root"
    ask("--raw-extract", str(root))
    assert "python3 (>= 3.11), python3 (<< 3." in ask("--field", "Depends")
    assert (root / "DEBIAN/conffiles").read_text().split() == [
        "/etc/default/cvmpair",
        "/etc/default/cvmpair-agent",
    ]
    lines = [line.split() for line in ask("--contents").splitlines()]
    assert {line[1] for line in lines} == {"root/root"}
    modes = {line[5]: line[0] for line in lines}
    assert set(modes.values()) == {"drwxr-xr-x", "-rw-r--r--", "-rwxr-xr-x"} | {
        "lrwxrwxrwx"
    }
    for unit in (root / "usr/lib/systemd/system").glob("*.service"):
        (program,) = re.findall(r"(?m)^ExecStart=(\S+)", unit.read_text())
        assert modes[f".{program}"] == "-rwxr-xr-x"
    for name in ("cvmpair", "cvmpair-agent"):
        link = root / "usr/bin" / name
        assert (
            link.parent / link.readlink()
        ).resolve() == root / "opt/cvmpair/bin" / name
    for page in ("man1/cvmpair.1", "man1/cvmpair-agent.1", "man8/twistd-cvmpair.8"):
        assert f"./usr/share/man/{page}.gz" in modes
