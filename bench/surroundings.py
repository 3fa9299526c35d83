"""
What the figures depend on.
"""

import os
import platform
import sqlite3
import subprocess
import time
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from statistics import median

from bench import peers
from bench.load import CONNECTIONS
from bench.plan import Plan
from cvmpair import __version__


def look(plan: Plan) -> Mapping[str, str]:
    """
    Return the versions of all that takes part, and what it runs on.
    """
    return {
        "cvmpair": __version__,
        "Python": platform.python_version(),
        "Twisted": version("Twisted"),
        "Klein": version("klein"),
        "SQLite": sqlite3.sqlite_version,
        "wrk": _wrk(),
        **peers.versions(plan.peers),
        "kernel": platform.release(),
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "load before": f"{os.getloadavg()[0]:.1f}",
        "one fsync": f"{_sync_milliseconds(plan.directory):.2f} ms",
        "runs": f"{plan.seconds} s over {CONNECTIONS} connections, {plan.repetitions} "
        f"of each in turn after a warm-up",
        "when": time.strftime("%Y-%m-%d %H:%M %Z"),
    }


def as_text(about: Mapping[str, str]) -> str:
    """
    Return it in a paragraph.
    """
    return "; ".join(f"{name} {text}" for name, text in about.items())


def _wrk() -> str:
    output = subprocess.run(
        ["wrk", "--version"], check=False, capture_output=True, text=True
    ).stdout
    return output.split()[1]


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _sync_milliseconds(directory: Path) -> float:
    durations = []
    with (directory / "sync").open("wb", buffering=0) as file:
        for _ in range(20):
            begin = time.monotonic()
            file.write(bytes(4096))
            os.fsync(file.fileno())
            durations.append((time.monotonic() - begin) * 1000)
    return median(durations)
