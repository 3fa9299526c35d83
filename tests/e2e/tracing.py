"""
The real daemon under strace: what it does to its state, and with faults in it.
"""

import re
import socket
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from attrs import evolve, frozen

from tests.e2e.daemon import Daemon
from tests.logs import new_log

STATE = "cvmpair.db"
_SUFFIXES = ("", "-wal", "-note", ".new", ".new-journal")

CALLS = (
    "openat",
    "write",
    "pwrite64",
    "fdatasync",
    "fsync",
    "ftruncate",
    "rename",
    "unlink",
)
"""All by which the daemon opens and changes its state; it never needs ``write``."""

ERRORS = ("EIO", "ENOSPC", "EROFS")

KILL = "KILL"
"""Stands for the end of the process before the call."""

DEADLINE = 60.0

_CALL = re.compile(r'\d+ +(\w+)\((?:AT_FDCWD(?:<[^>]*>)?, )?(?:\d+<([^>]*)>|"([^"]*)")')


@frozen
class Fault:
    """
    The failure of the ``number``-th call of that name of every thread, or their end
    by it.
    """

    call: str
    number: int
    error: str

    def __str__(self) -> str:
        return f"{self.call}-{self.number}-{self.error}"

    @property
    def injected(self) -> str:
        """
        What strace is told to do.
        """
        effect = "signal" if self.error == KILL else "error"
        return f"{self.call}:{effect}={self.error}:when={self.number}"


@frozen
class Call:
    """
    One call of a traced daemon.

    :ivar number: counts the calls of this name by this thread.
    :ivar path: the first file that it names.
    """

    thread: str
    name: str
    number: int
    path: str
    failed: bool = False


@contextmanager
def reserved_port() -> Iterator[int]:
    """
    Keep a port from being given to anybody who does not ask for it by number.
    """
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


def strace(output: Path, *words: str, all_calls: bool = False) -> list[str]:
    """
    Return the beginning of a command line; the process is that of the daemon, not
    that of strace.

    :param all_calls: whether strace has to see the others as well, which is slow.
    """
    some = () if all_calls else ("--seccomp-bpf",)
    return ["strace", "-D", "-f", "-q", *some, "-o", str(output), *words]


@contextmanager
def traced(state: Path, name: str, fault: Fault | None = None) -> Iterator[Daemon]:
    """
    Give a daemon, not yet started, that writes down all it does to its state.
    """
    files = [f"{STATE}{suffix}" for suffix in _SUFFIXES]
    paths = [state, *(state / name for name in ("lock", *files))]
    words = ["-y", "-s0", "-e", "signal=KILL", "-e", f"trace={','.join(CALLS)}"]
    killed = fault is not None and fault.error == KILL
    if fault is not None:
        words += ["-e", f"inject={fault.injected}"]
    for path in paths:
        words += ["-P", str(path)]
    with reserved_port() as port:
        daemon = Daemon(
            state,
            # Else it sends no signals.
            prefix=strace(trace_of(state), *words, all_calls=killed),
            port=port,
            log=new_log(name),
        )
        try:
            yield daemon
        finally:
            if daemon.process is not None and daemon.process.poll() is None:
                daemon.kill()


def trace_of(state: Path) -> Path:
    """
    Return where the trace of a daemon with that state is.
    """
    return state.with_name(f"{state.name}.trace")


def trace_lines(daemon: Daemon) -> Sequence[str]:
    """
    Return the lines of the trace, once the daemon has ended.
    """
    assert daemon.process is not None
    end = re.compile(rf"^{daemon.process.pid} +\+\+\+ ", re.MULTILINE)
    path = trace_of(daemon.state_dir)
    deadline = time.monotonic() + DEADLINE
    while not end.search(path.read_text()):
        assert time.monotonic() < deadline, path.read_text()[-2000:]
        time.sleep(0.01)
    return path.read_text().splitlines()


def calls_of(daemon: Daemon) -> list[Call]:
    """
    Return all calls of a traced daemon, once it has ended.
    """
    calls: list[Call] = []
    numbers: Counter[tuple[str, str]] = Counter()
    last: dict[str, int] = {}
    for line in trace_lines(daemon):
        thread = line.split()[0]
        found = _CALL.match(line)
        if found is not None:
            name, path = found[1], found[2] or found[3]
            numbers[thread, name] += 1
            last[thread] = len(calls)
            calls.append(Call(thread, name, numbers[thread, name], path))
        # It may stand in a line of its own, after those of another thread.
        if "(INJECTED)" in line:
            calls[last[thread]] = evolve(calls[last[thread]], failed=True)
    return calls


def log_lines(daemon: Daemon, words: str) -> list[str]:
    """
    Return the lines of its log in which these words are.
    """
    return [line for line in daemon.log.read_text().splitlines() if words in line]


def complaints(daemon: Daemon) -> list[str]:
    """
    Return what it said on standard error because it could not go on.
    """
    assert "Traceback" not in daemon.log.read_text()
    return [line for line in log_lines(daemon, "") if line.startswith("cvmpair: ")]


def await_start(daemon: Daemon) -> bool:
    """
    Wait until the daemon has started, or has ended instead, and say which.
    """
    assert daemon.process is not None
    deadline = time.monotonic() + DEADLINE
    while not log_lines(daemon, "started version="):
        if daemon.process.poll() is not None:
            return False
        assert time.monotonic() < deadline, daemon.log.read_text()
        time.sleep(0.02)
    return True
