"""
The state directory, and the state in it.
"""

from collections.abc import Iterator
from typing import Final

from attrs import frozen

from cvmpair.checks.verdict import Verdict, fail, ok, warn
from cvmpair.core.timeline import ClockMark

MIB: Final = 1024 * 1024

LITTLE_SPACE: Final = 1024 * MIB
NO_SPACE: Final = 64 * MIB
"""In bytes: the file, and the log that is merged into it."""


@frozen(kw_only=True)
class StateFacts:
    """
    What was found out about a state directory.

    :ivar exists: whether there is one.
    :ivar in_the_way: what is there, or above it, and is no directory.
    :ivar creatable: whether this user could create it.
    :ivar owner: the name of its owner.
    :ivar user: the name of the user who asks; ``root`` may do everything.
    :ivar mode: its permissions.
    :ivar free: the bytes that are free on its disk, or on that of the next directory
        above it that exists.
    :ivar is_closed: whether this user may not look into it.
    :ivar not_its: the names of the files in it that belong to another user than it
        does, each with that user.
    :ivar holder: the process that has its lock, if there is one.
    :ivar problem: what is wrong with it or the state in it; empty if nothing is.
    :ivar next_step: what to do about that.
    :ivar described: the state, in words; empty if there is none yet.
    :ivar mark: the clocks at the last write.
    """

    directory: str
    exists: bool
    in_the_way: str = ""
    creatable: bool = False
    owner: str = ""
    user: str
    mode: int = 0
    free: int
    is_closed: bool = False
    not_its: tuple[tuple[str, str], ...] = ()
    holder: int | None = None
    problem: str = ""
    next_step: str = ""
    described: str = ""
    mark: ClockMark | None = None


def check_state(facts: StateFacts) -> Iterator[Verdict]:
    """
    Yield the verdicts about a state directory.
    """
    yield _directory(facts)
    yield _space(facts)
    if not facts.exists:
        return
    if facts.is_closed:
        # That is a failure already.
        yield warn(
            "lock", f"the user {facts.user} cannot see who has it", _as_owner(facts)
        )
        return
    if facts.not_its:
        yield _owners(facts)
    if facts.holder is None:
        yield ok("lock", "free, no daemon uses the directory")
    else:
        yield ok("lock", f"held by process {facts.holder}")
    if facts.problem:
        yield fail("state file", facts.problem, facts.next_step)
    else:
        yield ok("state file", facts.described or "none yet, the daemon makes one")


def _directory(facts: StateFacts) -> Verdict:
    about, name = "state directory", facts.directory
    if facts.in_the_way:
        return fail(
            about,
            f"{facts.in_the_way} is no directory",
            "name another with --state-dir, or move that away",
        )
    if not facts.exists and facts.creatable:
        return ok(about, f"{name} does not exist yet, the daemon creates it")
    if not facts.exists:
        return fail(
            about,
            f"{name} does not exist, and {facts.user} may not create it",
            f"create it: install -d -m 0700 -o USER {name}",
        )
    if facts.mode & 0o077:
        return fail(
            about,
            f"{name} is open to other users (mode {facts.mode:04o})",
            f"close it: chmod 0700 {name}",
        )
    if facts.user not in {facts.owner, "root"}:
        return fail(
            about,
            f"{name} belongs to the user {facts.owner}, and this command runs as the "
            f"user {facts.user}",
            _as_owner(facts),
        )
    return ok(about, f"{name} belongs to {facts.owner}, mode {facts.mode:04o}")


def _as_owner(facts: StateFacts) -> str:
    return f"run both the daemon and this command as the user {facts.owner}"


def _owners(facts: StateFacts) -> Verdict:
    names = ", ".join(f"{name} ({user})" for name, user in facts.not_its)
    text = f"not all in it belongs to {facts.owner} as it does: {names}"
    step = f"chown -R {facts.owner} {facts.directory}"
    # A daemon that is root can do with it.
    judged = fail if facts.holder is None else warn
    return judged("owner of the state", text, step)


def _space(facts: StateFacts) -> Verdict:
    about, text = "disk space", f"{facts.free // MIB} MiB free"
    step = f"make room on the disk of {facts.directory}"
    if facts.free < NO_SPACE:
        return fail(about, f"{text}, changes may not be saved", step)
    if facts.free < LITTLE_SPACE:
        return warn(about, text, step)
    return ok(about, text)
