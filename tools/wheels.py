"""
A directory of wheels from which to install without the network.

``python -m tools.wheels DIRECTORY`` fills it, for the Python that runs it or for those
that ``--python`` names: the run-time set, each file checked against its hash, cvmpair
itself, and ``requirements.txt`` with the hashes of all of them.
"""

import argparse
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from tools.pins import ROOT, RUN

SOURCES: Final = (
    *("setup.py", "pyproject.toml", "README.md", "LICENSE"),
    *("cvmpair", "agent", "twisted"),
)
PLATFORMS: Final = ("manylinux2014", "manylinux_2_17", "manylinux_2_28")
"""What Debian 12 and all later can run."""


def pip(*words: str | Path) -> None:
    """
    Run pip in this Python.

    :raises subprocess.CalledProcessError: if it fails; it has said why.
    """
    subprocess.run(
        [sys.executable, "-m", "pip", "--quiet", *words],
        check=True,
        # Equal sources are to give equal wheels.
        env={"SOURCE_DATE_EPOCH": str(epoch()), **os.environ},
    )


def epoch() -> int:
    """
    Return the time that files of a release have, in seconds since 1970: that of the
    last commit, unless ``SOURCE_DATE_EPOCH`` gives another.
    """
    given = (
        os.environ.get("SOURCE_DATE_EPOCH")
        or subprocess.run(
            ["git", "-C", ROOT, "log", "-1", "--format=%ct"],
            stdout=subprocess.PIPE,
            check=True,
        ).stdout
    )
    return int(given)


def fetch(directory: Path, python: str | None, requirements: Path = RUN) -> None:
    """
    Download the run-time set.

    :param python: a version as in ``3.11``, or nothing for that of this Python.
    """
    target: list[str] = []
    if python is not None:
        abi = f"cp{python.replace('.', '')}"
        target = [f"--python-version={python}", "--implementation=cp"]
        target += [f"--abi={name}" for name in (abi, "abi3", "none")]
        machine = platform.machine()
        target += [f"--platform={name}_{machine}" for name in PLATFORMS]
    how = ("download", "--no-deps", "--require-hashes", "--only-binary=:all:")
    pip(*how, *target, "--dest", directory, "--requirement", requirements)


def build(directory: Path) -> Path:
    """
    Build the wheel of cvmpair itself, and return its path.

    It is built in a copy: a build leaves files behind, which the next one would take.
    """
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name)
        for source in SOURCES:
            if (ROOT / source).is_dir():
                ignored = shutil.ignore_patterns("__pycache__", "dropin.cache")
                shutil.copytree(ROOT / source, copy / source, ignore=ignored)
            else:
                shutil.copy(ROOT / source, copy)
        pip(
            *("wheel", "--no-deps", "--no-build-isolation", "--no-cache-dir"),
            *("--wheel-dir", copy / "built", copy),
        )
        (wheel,) = (copy / "built").iterdir()
        return Path(shutil.copy(wheel, directory))


def complete(directory: Path) -> None:
    """
    Add the wheel of cvmpair itself to the run-time set, and the list of all.
    """
    wheel = build(directory)
    name, version, *_ = wheel.name.split("-")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    (directory / "requirements.txt").write_text(
        f"{RUN.read_text()}{name}=={version} --hash=sha256:{digest}\n"
    )


def main() -> None:
    """
    Fill the directory that the command line names.
    """
    parser = argparse.ArgumentParser(prog="wheels", description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--python", nargs="+", metavar="VERSION", default=[None])
    options = parser.parse_args()
    shutil.rmtree(options.directory, ignore_errors=True)
    options.directory.mkdir(parents=True)
    try:
        for python in options.python:
            fetch(options.directory, python)
        complete(options.directory)
    except subprocess.CalledProcessError as failed:
        sys.exit(failed.returncode)


if __name__ == "__main__":
    main()
