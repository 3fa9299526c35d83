"""
Everything that the test run logs, kept until the last test has read it.

``conftest.py`` writes here what is logged in this process, and
``e2e/daemon.py`` what the daemons log. The values and key names that tests make
up contain :data:`MARKER`, so that the last test can look for them.
"""

import shutil
import tempfile
from pathlib import Path

MARKER = "sesame"

PINS: set[str] = set()
"""The PINs that tests got from a daemon."""

DIRECTORY = Path(tempfile.mkdtemp(prefix="cvmpair-logs-"))


def new_log(name: str) -> Path:
    """
    Return the path of a log file that no other has.
    """
    number = sum(1 for _ in DIRECTORY.iterdir())
    return DIRECTORY / f"{number:04}-{name}.log"


def remove() -> None:
    """
    Remove all of them, after the last test.
    """
    shutil.rmtree(DIRECTORY, ignore_errors=True)
