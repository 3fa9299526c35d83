"""
The master's address takes the place of its placeholder in the files of a context.
"""

import posixpath
import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Final

from attrs import frozen

from cvmpair_agent.context.placeholder import replace
from cvmpair_agent.errors import AgentError
from cvmpair_agent.files.replacing import read_file, replace_file
from cvmpair_agent.files.root import Root

DEFAULT_PATHS: Final = (
    # cloud-init: what the config and final stages read, and what it came from
    # (cloudinit/helpers.py, Paths.lookups).
    "/var/lib/cloud/instance/user-data.txt",
    "/var/lib/cloud/instance/user-data.txt.i",
    "/var/lib/cloud/instance/cloud-config.txt",
    "/var/lib/cloud/instance/scripts/*",
    # CernVM: what the bootloader left (cernvm-micro, scripts.d/13context_epilog), to be
    # sourced and copied for amiconfig (cernvm-config, etc/cernvm/service.d/amiconfig).
    "/mnt/.rw/context/user-data",
    "/mnt/.rw/context/ucontext",
    "/mnt/.rw/context/extra-ucontext",
    # amiconfig: in 2007-12-15, latest, v1 or custom, by the cloud, and what it appends
    # (amiconfig, hepix/commands/amiconfig.sh).
    "/var/lib/amiconfig/*/user-data",
    "/var/lib/amiconfig-online/*/user-data",
    "/cernvm/extra-user-data",
)
"""The files that may have the placeholder; those that exist are patched."""

_is_pattern = re.compile(r"[*?\[]").search


@frozen(kw_only=True)
class Patched:
    """
    The files that were looked at, by their paths on the machine.

    :ivar changed: those that had the placeholder.
    :ivar unchanged: those that did not, and were not touched.
    """

    changed: tuple[str, ...]
    unchanged: tuple[str, ...]


def patch(root: Root, paths: Sequence[str] | None, address: str) -> Patched:
    """
    Put the address instead of every placeholder into these files of a machine.

    :param paths: absolute, with ``*``, ``?`` and ``[]`` as in a shell; None for those
        of ``DEFAULT_PATHS`` that exist. One without these characters must exist.
    :raises AgentError: if a file failed, with all that did; the others are done.
    """
    found, failures = _find(root, DEFAULT_PATHS if paths is None else paths)
    changed: list[str] = []
    unchanged: list[str] = []
    for place, name in found.items():
        try:
            data = read_file(place)
            is_changed = replace_file(place, replace(data, address))
        except (FileNotFoundError, NotADirectoryError):
            if paths is not None:
                failures.append(f"{name}: there is no such file")
        except OSError as error:
            failures.append(f"{name}: {error.strerror or error}")
        else:
            (changed if is_changed else unchanged).append(name)
    if failures:
        raise AgentError(
            f"The master's address could not be put into {'; '.join(failures)}. "
            f"It was put into {', '.join(changed) or 'no other file'}."
        )
    return Patched(changed=tuple(changed), unchanged=tuple(unchanged))


def _find(root: Root, paths: Sequence[str]) -> tuple[dict[Path, str], list[str]]:
    """
    Return the files by their places, each once, and what failed on the way.
    """
    found: dict[Path, str] = {}
    failures = []
    for path in paths:
        try:
            for name in _expand(root, path):
                found.setdefault(root.locate(name), name)
        except OSError as error:
            failures.append(f"{path}: {error.strerror or error}")
    return found, failures


def _expand(root: Root, path: str) -> list[str]:
    """
    Return the names of the files that a path with wild cards means, sorted.
    """
    if not _is_pattern(path) or root.locate(path).exists():
        return [path]
    names = ["/"]
    for part in PurePosixPath("/", path).parts[1:]:
        names = [
            posixpath.join(name, entry)
            for name in names
            for entry in (_entries(root, name, part) if _is_pattern(part) else [part])
        ]
    return [name for name in names if root.locate(name).is_file()]


def _entries(root: Root, directory: str, pattern: str) -> list[str]:
    place = root.locate(directory)
    if not place.is_dir():
        return []
    # As in a shell, the hidden are not meant; what a crash left of ours is hidden.
    return sorted(
        entry.name
        for entry in place.iterdir()
        if fnmatchcase(entry.name, pattern) and not entry.name.startswith(".")
    )
