"""
Debian's cloud-init, which ``make test-packages`` has unpacked and not installed.
"""

import os
import sys
from pathlib import Path

PACKAGE = Path(sys.prefix) / "cloud-init"
assert PACKAGE.is_dir(), f"no {PACKAGE}; run `make test-packages`"

PYTHON = ("/usr/bin/python3", "-S", "-P")
"""Debian's Python, with no packages but those that are named to it."""


def environment() -> dict[str, str]:
    """
    Return the environment variables with which that Python has cloud-init.
    """
    packages = str(PACKAGE / "usr/lib/python3/dist-packages")
    return {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "PYTHONPATH": packages}


def units() -> dict[str, str]:
    """
    Return the units that run at a boot, by their names.
    """
    # In lib until Debian 12, in usr/lib since.
    return {
        unit.name: unit.read_text()
        for unit in PACKAGE.glob("**/lib/systemd/system/cloud-*")
        if unit.is_file() and "hotplug" not in unit.name
    }
