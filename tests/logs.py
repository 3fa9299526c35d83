"""
Everything that the test run logs, kept until all of it has been read at the end.

``conftest.py`` writes here what is logged in this process, and
``e2e/daemon.py`` what the daemons log. The values and key names that tests make
up contain :data:`MARKER`, so that the last test can look for them.
"""

import itertools
import shutil
import tempfile
from pathlib import Path

MARKER = "sesame"

PINS: set[str] = set()
"""The PINs that tests got from a daemon."""

DIRECTORY = Path(tempfile.mkdtemp(prefix="cvmpair-logs-"))

OUTPUTS = Path(tempfile.mkdtemp(prefix="cvmpair-outputs-"))
"""Likewise, of what the agent says; unlike the daemon it may name keys."""

_numbers = itertools.count()


def new_log(name: str) -> Path:
    """
    Return the path of a log file that no other has.
    """
    return DIRECTORY / f"{next(_numbers):04}-{name}.log"


def new_output(name: str) -> Path:
    """
    Return the path of a file, that no other has, for what the agent says.
    """
    return OUTPUTS / f"{next(_numbers):04}-{name}.txt"


def remove() -> None:
    """
    Remove all of them, after the last test.
    """
    for directory in (DIRECTORY, OUTPUTS):
        shutil.rmtree(directory, ignore_errors=True)
