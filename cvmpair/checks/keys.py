"""
Who may read the private keys that the daemon shows itself by.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from cvmpair.checks.verdict import Verdict, ok, warn

ABOUT: Final = "private keys"


def check_keys(exposed: Sequence[tuple[Path, int]]) -> Iterator[Verdict]:
    """
    Yield the verdict about the private keys of endpoints.

    :param exposed: those that every user may read, with their modes.
    """
    if not exposed:
        yield ok(ABOUT, "none that every user may read")
        return
    files = ", ".join(f"{file} (mode {mode:04o})" for file, mode in exposed)
    names = " ".join(str(file) for file, _ in exposed)
    yield warn(
        ABOUT,
        f"every user may read {files}",
        f"chmod 0640 {names}, with a group that the daemon's user is in, or chmod 0600",
    )
