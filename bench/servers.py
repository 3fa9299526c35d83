"""
The processes that are measured: the daemon, and in ``peers.py`` its peers.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path
from types import TracebackType
from typing import Self

from attrs import define, field, frozen

ROOT = Path(__file__).parents[1]
TWISTD = Path(sys.executable).parent / "twistd"
PATIENCE = 300.0
"""The seconds that a server may take for its first answer."""


class WrongAnswer(Exception):
    """
    A server did not do what it is measured for, so no figure would mean anything.
    """


@frozen
class Expected:
    """
    A request and its right answer.

    :ivar body: the whole of it, or ``None`` if it cannot be known.
    :ivar part: what has to be in it.
    :ivar form: the body of the request, if it has one.
    """

    path: str
    body: str | None = None
    method: str = "GET"
    status: int = 200
    part: str = ""
    form: str = ""

    @property
    def headers(self) -> dict[str, str]:
        kind = "application/x-www-form-urlencoded"
        return {"Content-Type": kind} if self.form else {}


@define(eq=False)
class Server:
    """
    A process that answers HTTP; as a context manager it runs inside, and is killed
    at the end.

    :ivar words: the command line.
    :ivar log: where its output goes.
    """

    words: Sequence[str]
    port: int
    log: Path
    _process: subprocess.Popen[bytes] = field(init=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._start()
        return self

    def _start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.words,
                stdout=log,
                stderr=log,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                cwd=self.log.parent,
            )

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._kill()

    def _kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def restart(self) -> None:
        """
        Kill it as a crash would, and start it again.
        """
        self._kill()
        self._start()

    def wait_for(self, expected: Expected) -> None:
        """
        Wait for the first answer, which has to be right.
        """
        self.wait_until(lambda: self.check(expected) is not None)

    def wait_until(self, done: Callable[[], bool]) -> None:
        """
        Wait until it has come so far.

        :param done: tells, or raises OSError as long as the server does not listen.

        :raises WrongAnswer: if the server ends, or takes too long.
        """
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise WrongAnswer(f"a server ended:\n{self.log.read_text()}")
            with suppress(OSError):
                if done():
                    return
            time.sleep(0.002)
        raise WrongAnswer(f"no answer in {PATIENCE:g} seconds")

    def check(self, expected: Expected) -> str:
        """
        Ask, compare the answer, and return its body.

        :raises WrongAnswer: if it is another.
        """
        connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(
                expected.method, expected.path, expected.form, expected.headers
            )
            response = connection.getresponse()
            body = response.read().decode()
        finally:
            connection.close()
        if (
            response.status != expected.status
            or expected.body not in (None, body)
            or expected.part not in body
        ):
            raise WrongAnswer(f"not {expected} but {response.status} {body!r}")
        return body

    def memory(self) -> float:
        """
        Return its resident set in MB of 10^6 bytes.
        """
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        (line,) = (line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) * 1024 / 1e6

    def connections(self) -> int:
        """
        Return how many connections to it are established now.
        """
        here = f":{self.port:04X}"
        lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
        return sum(
            local.endswith(here) and state == "01"
            for _, local, _, state, *_ in map(str.split, lines)
        )

    def descriptors(self) -> int:
        """
        Return how many files and connections it has open.
        """
        return len(list(Path(f"/proc/{self._process.pid}/fd").iterdir()))

    def cpu_seconds(self) -> float:
        """
        Return the CPU time that it has used, of all its threads.
        """
        status = Path(f"/proc/{self._process.pid}/stat").read_text()
        user, system = status.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def daemon(state_dir: Path, *options: str) -> Server:
    """
    Return the daemon, as its users run it, but for the limits of one address: all
    clients of the benchmark have the same.

    :param options: more words of its command line.
    """
    port = free_port()
    words = [
        *[str(TWISTD), "-n", "--pidfile=", "cvmpair", "--state-dir", str(state_dir)],
        *["--max-guesses", "0", "--max-creations", "0"],
        *["--durability", "synced", "--listen", f"tcp:{port}:interface=127.0.0.1"],
        *options,
    ]
    return Server(words, port, state_dir.with_suffix(".log"))


def free_port() -> int:
    """
    Return a port on which nothing listens now.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
