"""
The clock and the limits of the machine, as Linux tells them.
"""

import ctypes
import re
import resource
from pathlib import Path
from typing import Final

from cvmpair.checks.limits import LimitFacts

TIME_ERROR: Final = 5
"""What adjtimex(2) returns for a clock that is not synchronised."""

_PROC: Final = Path("/proc")


def is_synchronised() -> bool | None:
    """
    Say whether the kernel takes its clock for synchronised; ``None`` if it cannot be
    asked.
    """
    try:
        adjtimex = ctypes.CDLL(None).adjtimex
    except (OSError, AttributeError):
        return None
    # A struct timex of zeros asks for nothing to be changed; it has 208 bytes.
    state = adjtimex(ctypes.create_string_buffer(512))
    return None if state < 0 else state != TIME_ERROR


def limit_facts(daemon: int | None) -> LimitFacts:
    """
    Find out what the machine allows.

    :param daemon: the process of the daemon, if one runs.
    """
    own: int | None = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    facts = {"whose": "this shell", "open_files": None if own == -1 else own}
    text = "" if daemon is None else _read(f"{daemon}/limits")
    if found := re.search(r"^Max open files +(\d+|unlimited)", text, re.MULTILINE):
        number = None if found[1] == "unlimited" else int(found[1])
        facts = {"whose": f"process {daemon}", "open_files": number}
    queue = _read("sys/net/core/somaxconn").strip()
    available = _kilobytes("MemAvailable", "meminfo")
    if available is not None and daemon is not None:
        available += _kilobytes("VmRSS", f"{daemon}/status") or 0
    return LimitFacts(
        whose=str(facts["whose"]),
        open_files=facts["open_files"],  # type: ignore[arg-type]
        queue=int(queue) if queue.isdecimal() else None,
        memory=None if available is None else available * 1024,
    )


def _kilobytes(name: str, file: str) -> int | None:
    found = re.search(rf"^{name}: *(\d+) kB$", _read(file), re.MULTILINE)
    return int(found[1]) if found else None


def _read(name: str) -> str:
    try:
        return (_PROC / name).read_text()
    except OSError:
        return ""
