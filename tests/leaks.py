"""
What no log and no agent may say, looked for in everything that tests made them say.

Each process that runs tests reads at its end everything in
:data:`tests.logs.DIRECTORY`: what was logged in this process and what all its daemons
logged; and in :data:`tests.logs.OUTPUTS` what its agents said.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tests import logs

FORBIDDEN = (logs.MARKER, "master_ip", "master_ready", "10.10.25.5")
"""What tests use as names and values, in lower case."""

FORBIDDEN_TO_AGENTS = (logs.MARKER,)
"""They say what they wait for, and ``status`` says the address."""

PIN_SHAPE = re.compile(
    r"(?<![A-Za-z0-9_])(?=[a-z]*[0-9])(?=[0-9]*[a-z])[a-z0-9]{12}(?![A-Za-z0-9_])"
)
SECRET_SHAPE = re.compile(
    r"(?<![\w-])(?=(?:[a-z0-9_-]*[A-Z]){5})(?=[\w-]*[a-z])(?=[\w-]*[0-9])[\w-]{43}(?![\w-])",
    re.ASCII,
)
"""The secret part of a token; by chance alone one in thousands has another."""

ANYWHERE = re.compile(r"(?=([a-z0-9]{12}))")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""Twisted's logs in JSON have them; their last part looks like a PIN."""

CREATED = re.compile(
    r"method=POST route=/api/v1/clusters status=201 "
    r'|"method": "POST", "route": "/api/v1/clusters", "status": 201,'
)


def leaks(
    lines: Iterable[str], pins: set[str], forbidden: Sequence[str] = FORBIDDEN
) -> Iterator[str]:
    """
    Yield each line that says what it must not.
    """
    for line in lines:
        if (
            any(word in line.lower() for word in forbidden)
            or SECRET_SHAPE.search(line)
            or PIN_SHAPE.search(UUID.sub("", line))
            or not pins.isdisjoint(ANYWHERE.findall(line))
        ):
            yield line


def lines_in(directory: Path) -> Iterator[str]:
    """
    Yield the lines of all the files.
    """
    for path in sorted(directory.iterdir()):
        with path.open(errors="backslashreplace") as log:
            yield from log


def check_everything() -> None:
    """
    Look through all that was logged and said so far.
    """
    _check(logs.DIRECTORY, FORBIDDEN)
    # Where a PIN was created, there is a line about it: nothing was overlooked.
    created = sum(1 for line in lines_in(logs.DIRECTORY) if CREATED.search(line))
    # A daemon that is killed has no time for its last lines.
    assert 2 * created >= len(logs.PINS)
    _check(logs.OUTPUTS, FORBIDDEN_TO_AGENTS)


def _check(directory: Path, forbidden: Sequence[str]) -> None:
    # What has leaked is not to be told to the next log.
    wrong = [
        path.name
        for path in sorted(directory.iterdir())
        if any(leaks(path.open(errors="backslashreplace"), logs.PINS, forbidden))
    ]
    assert not wrong, f"something has leaked into {', '.join(wrong)}"
