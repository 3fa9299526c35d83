"""
A state directory, as the file system shows it and as the daemon would read it.
"""

import os
import pwd
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from shutil import disk_usage

from attrs import evolve

from cvmpair.checks.state import StateFacts
from cvmpair.snapshots.directory import lock_holder
from cvmpair.snapshots.errors import StateError, StateMissing
from cvmpair.snapshots.transfer import read_state, verify


def state_facts(directory: Path) -> StateFacts:
    """
    Find out all about a state directory, and change nothing.
    """
    above = next(place for place in (directory, *directory.parents) if _is_dir(place))
    first = next(
        place for place in (directory, *directory.parents) if os.path.lexists(place)
    )
    facts = StateFacts(
        directory=str(directory),
        in_the_way="" if first == above else str(first),
        exists=above == directory,
        creatable=os.access(above, os.W_OK | os.X_OK),
        user=_name(os.geteuid()),
        free=disk_usage(above).free,
    )
    if not facts.exists:
        return facts
    found = directory.stat()
    facts = evolve(
        facts,
        owner=_name(found.st_uid),
        mode=stat.S_IMODE(found.st_mode),
        is_closed=not os.access(directory, os.R_OK | os.X_OK),
    )
    if facts.is_closed:
        return facts
    facts = evolve(
        facts, holder=lock_holder(directory), not_its=tuple(_not_its(directory))
    )
    try:
        contents = read_state(directory, verify)
    except StateMissing:
        return facts
    except StateError as error:
        return evolve(facts, problem=error.reason, next_step=error.step)
    return evolve(facts, described=str(contents), mark=contents.summary.mark)


def _not_its(directory: Path) -> Iterator[tuple[str, str]]:
    own = directory.stat().st_uid
    for entry in sorted(directory.iterdir()):
        # Those of SQLite come and go.
        with suppress(OSError):
            if (user := entry.lstat().st_uid) != own:
                yield entry.name, _name(user)


def _is_dir(place: Path) -> bool:
    try:
        return place.is_dir()
    except OSError:
        return False


def _name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)
