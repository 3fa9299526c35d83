"""
Why a state directory cannot be used, said to the operator.
"""

import shlex
from errno import EACCES, EEXIST, ENOTDIR, EPERM
from pathlib import Path
from typing import Self


class StateError(Exception):
    """
    The parent: one line that says what is wrong, where, and what to do.

    :ivar reason: what is wrong and where.
    :ivar step: what to do.
    """

    def __init__(self, reason: str, step: str) -> None:
        super().__init__(f"{reason}; {step}")
        self.reason = reason
        self.step = step


class StateLocked(StateError):
    """
    Another daemon uses this directory.
    """

    def __init__(self, directory: Path, owner: str) -> None:
        who = f" (process {owner})" if owner else ""
        super().__init__(
            f"the state directory {directory} is in use by another daemon{who}",
            "stop that one, or name another directory with --state-dir",
        )


class StateExposed(StateError):
    """
    Others than the owner may use the directory, or a file in it.
    """

    def __init__(self, path: Path, mode: int, right: int) -> None:
        kind = "directory" if path.is_dir() else "file"
        super().__init__(
            f"the state {kind} {path} is open to other users (mode {mode:04o}), and "
            "what is in it is secret",
            f"close it with: chmod {right:04o} {shlex.quote(str(path))}",
        )


class StateDamaged(StateError):
    """
    The file does not hold what was written to it.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"the state file {path} is damaged ({reason}), and nothing was changed in "
            "it",
            "restore it from a backup, or move it away, with all files whose names "
            "begin like its name, to begin with no clusters",
        )


class StateOutdated(StateError):
    """
    The file is sound, but changes that were saved after it are missing.
    """

    def __init__(self, path: Path, note: Path) -> None:
        super().__init__(
            f"the state file {path} lacks changes that were saved: its -wal file was "
            "removed, cut off or damaged, or the file was replaced by an older one",
            f"put the right files in place, or remove {note} to go on without them",
        )


class StateForeign(StateError):
    """
    The file was written by something else, or by a later release.
    """


class StateMissing(StateError):
    """
    There is no state.
    """

    def __init__(self, directory: Path) -> None:
        super().__init__(
            f"there is no state in {directory}",
            "name the directory that the daemon has as its --state-dir",
        )


class StateTaken(StateError):
    """
    What was to be made is to be made where something is.
    """

    def __init__(self, directory: Path, entry: str) -> None:
        super().__init__(
            f"the directory {directory} is not empty ({entry}), and nothing was "
            "changed in it",
            "an import makes a new state: name a directory that is empty or does not "
            "exist",
        )


class ExportDamaged(StateError):
    """
    An export does not hold what was written to it.
    """

    def __init__(self, name: str, line: int, reason: str) -> None:
        super().__init__(
            f"the export {name} is damaged: line {line}: {reason}",
            "nothing was taken from it, use another",
        )


class ExportForeign(StateError):
    """
    It is no export, or that of a later release.
    """


class StateUnusable(StateError):
    """
    The operating system refuses what has to be done.
    """

    def __init__(self, directory: Path, reason: str, step: str = "") -> None:
        super().__init__(
            f"the state directory {directory} cannot be used: {reason}",
            step
            or "it must be on a disk that works and is not full, and writable for the "
            "user whom the daemon runs as",
        )

    @classmethod
    def of(cls, directory: Path, error: OSError) -> Self:
        """
        Return the error for one of the system, which names the file that it is about.
        """
        reason = error.strerror or str(error)
        if error.errno in {EEXIST, ENOTDIR} and (file := _no_directory(directory)):
            step = "name another with --state-dir, or move that away"
            return cls(directory, f"{file} is no directory", step)
        if error.filename and Path(error.filename) != directory:
            reason = f"{error.filename}: {reason}"
        step = ""
        if error.errno in {EACCES, EPERM}:
            step = (
                "it and all in it have to belong to the user whom the daemon runs as: "
                f"chown -R USER {shlex.quote(str(directory))}"
            )
        return cls(directory, reason, step)


def _no_directory(path: Path) -> Path | None:
    try:
        found = next(place for place in (path, *path.parents) if place.exists())
        return None if found.is_dir() else found
    except OSError:
        return None


class WriteFailed(Exception):
    """
    A write to the state file failed; whether it is on the disk is unknown.
    """
