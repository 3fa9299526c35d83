"""
A single directory with all but Python itself, which runs wherever it is put.

``python -m tools.stage WHEELS DIRECTORY`` makes ``cvmpair-VERSION-MACHINE.tar.gz`` in
the directory, from wheels of one or more versions of Python: of these, only compiled
modules differ, and the versions are part of their names.
"""

import argparse
import gzip
import os
import platform
import re
import shutil
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Final

from cvmpair import __version__
from tools import manual
from tools.pins import ROOT
from tools.wheels import epoch

LAUNCHER: Final = """\
#!{interpreter} -IS
import os.path
import sys

if sys.version_info[1] not in {versions}:
    found = "%d.%d" % sys.version_info[:2]
    sys.exit("{name}: made for Python {named}, and this is " + found)
here = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(here), "lib"))
from {module} import {function}

sys.exit({function}())
"""
"""A command. Neither the environment nor what is installed here has a say in it."""

COMMANDS: Final[Mapping[str, tuple[str, str]]] = {
    "cvmpair": ("cvmpair.cli", "main"),
    "cvmpair-agent": ("cvmpair_agent.main", "main"),
    "twistd": ("twisted.scripts.twistd", "run"),
}

ANY_PYTHON: Final = "/usr/bin/env -S python3"


def wanted(path: PurePosixPath) -> bool:
    """
    Tell if a file of a wheel is needed: not the tests of others, nor what only says
    how the wheel was installed.
    """
    if path.parts[0].endswith(".dist-info"):
        return path.name not in {"RECORD", "WHEEL"}
    return not {"test", "tests"} & set(path.parts[:-1])


def unpack(wheel: Path, library: Path) -> None:
    """
    Unpack a wheel beside others.

    :raises ValueError: if it has another file of a name that is taken.
    """
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if name.endswith("/") or not wanted(PurePosixPath(name)):
                continue
            place, data = library / name, archive.read(name)
            if place.exists() and place.read_bytes() != data:
                raise ValueError(f"{wheel.name}: another {name} is there already")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)


def versions(wheels: Path) -> list[int]:
    """
    Return the versions of Python 3 for which there are wheels, in order.
    """
    found = [re.search(r"-cp3(\d+)-cp3", wheel.name) for wheel in wheels.glob("cffi-*")]
    return sorted(int(each[1]) for each in found if each)


def programs(wheels: Path, directory: Path, interpreter: str = ANY_PYTHON) -> None:
    """
    Put the commands into ``bin`` and all that they need into ``lib``.

    :param wheels: a directory of them, from :mod:`tools.wheels`.
    """
    for wheel in sorted(wheels.glob("*.whl")):
        unpack(wheel, directory / "lib")
    supported = versions(wheels)
    (directory / "bin").mkdir()
    for name, (module, function) in COMMANDS.items():
        text = LAUNCHER.format(
            name=name,
            module=module,
            function=function,
            interpreter=interpreter,
            versions=supported,
            named=", ".join(f"3.{minor}" for minor in supported),
        )
        (directory / "bin" / name).write_text(text)
    tidy(directory)


def tidy(directory: Path) -> None:
    """
    Give all files the modes and the time that they are to have.
    """
    time = epoch()
    for path in (directory, *directory.rglob("*")):
        if not path.is_symlink():
            text = path.read_bytes()[:2] if path.is_file() else b""
            path.chmod(0o755 if path.is_dir() or text == b"#!" else 0o644)
        os.utime(path, (time, time), follow_symlinks=False)


def stage(wheels: Path, directory: Path) -> None:
    """
    Make the directory.
    """
    programs(wheels, directory)
    manual.write(directory / "share/man")
    shutil.copytree(ROOT / "etc", directory / "etc")
    for name in ("README.md", "LICENSE"):
        shutil.copy(ROOT / name, directory)
    tidy(directory)


def pack(directory: Path, archive: Path) -> None:
    """
    Pack the directory; equal ones give equal archives.
    """

    def plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid = member.gid = 0
        member.uname = member.gname = "root"
        return member

    with (
        archive.open("wb") as file,
        gzip.GzipFile("", "wb", 6, file, mtime=epoch()) as packed,
        tarfile.open(fileobj=packed, mode="w") as tar,
    ):
        # It adds what is in a directory in order.
        tar.add(directory, directory.name, filter=plain)


def main() -> None:
    """
    Make the archive in the directory that the command line names.
    """
    parser = argparse.ArgumentParser(prog="stage", description=__doc__)
    parser.add_argument("wheels", type=Path)
    parser.add_argument("directory", type=Path)
    options = parser.parse_args()
    made = options.directory / f"cvmpair-{__version__}"
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir(parents=True)
    stage(options.wheels, made)
    archive = made.with_name(f"{made.name}-{platform.machine()}.tar.gz")
    pack(made, archive)
    print(archive)


if __name__ == "__main__":
    main()
