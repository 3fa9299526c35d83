"""
What is installed, on a machine without a network.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAIR = Path(__file__).with_name("pair.sh")
PAIRED = ["join 10.10.25.5", "stopped"]
"""How the output of :data:`PAIR` ends."""

LOOPBACK = 'ip link set lo up && exec "$@"'
ENVIRONMENT = {"PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin", "LANG": "C.UTF-8"}
"""Nothing of what tells pip or Python where to look."""


def offline(*words: object) -> subprocess.CompletedProcess[str]:
    """
    Run a command that can reach itself and nothing else.
    """
    namespace = ["unshare", "--net", "--mount"]
    if os.geteuid():
        namespace.append("--map-root-user")
    return subprocess.run(
        [*namespace, "sh", "-c", LOOPBACK, "sh", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        env=ENVIRONMENT,
    )


def install(venv: Path, wheels: Path) -> subprocess.CompletedProcess[str]:
    """
    Install a directory of wheels into a virtual environment.
    """
    return offline(
        *(sys.executable, "-m", "pip", "--python", venv / "bin/python"),
        *("--isolated", "install", "--quiet", "--no-index", "--no-compile"),
        *("--no-deps", "--require-hashes", "--find-links", wheels),
        *("--requirement", wheels / "requirements.txt"),
    )


def pair(
    binaries: Path,
    directory: Path,
    *options: object,
    endpoint: str = "tcp:8080:interface=127.0.0.1",
    url: str = "http://127.0.0.1:8080",
    prefix: Sequence[str] = (),
) -> list[str]:
    """
    Have a master and a worker pair, and return the end of what is printed.
    """
    done = offline(*prefix, PAIR, binaries, directory, endpoint, url, *options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()[-2:]
