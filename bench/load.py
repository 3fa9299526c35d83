"""
Load from wrk, over as many connections as a busy daemon has.
"""

import re
import subprocess
from pathlib import Path

from attrs import frozen

from bench.servers import Server, WrongAnswer

CONNECTIONS = 64
SCRIPTS = Path(__file__).parent / "lua"

_COUNTED = re.compile(
    r"^counted requests=(\d+) microseconds=(\d+) refused=(\d+) broken=(\d+)$",
    re.MULTILINE,
)


@frozen
class Load:
    """
    What a server did in one run.

    :ivar cpu_seconds: the CPU time that the server used for it.
    """

    requests: int
    seconds: float
    cpu_seconds: float

    @property
    def rate(self) -> float:
        """
        The requests per second.
        """
        return self.requests / self.seconds

    @property
    def cpu_microseconds(self) -> float:
        """
        The CPU time of the server for one request.
        """
        return self.cpu_seconds / self.requests * 1e6


def run(
    server: Server, script: str, path: str, seconds: int, *arguments: object
) -> Load:
    """
    Send requests for some seconds, each connection the next when it has its answer.

    :param script: one of those in ``lua/``.
    :param arguments: what the script needs.

    :raises WrongAnswer: unless all were answered, with success.
    """
    before = server.cpu_seconds()
    wrk = subprocess.run(
        [
            *["wrk", "--threads", "1", "--connections", str(CONNECTIONS)],
            *["--duration", f"{seconds}s", "--script", script, server.url + path],
            *["--", *map(str, arguments)],
        ],
        cwd=SCRIPTS,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    used = server.cpu_seconds() - before
    counted = _COUNTED.search(wrk.stdout)
    if wrk.returncode or counted is None:
        raise WrongAnswer(f"{script} ended with {wrk.returncode}:\n{wrk.stdout}")
    requests, microseconds, refused, broken = map(int, counted.groups())
    if refused or broken or not requests:
        raise WrongAnswer(
            f"{script}: of {requests} requests {refused} were refused, and {broken} "
            "broke off or waited too long"
        )
    return Load(requests, microseconds / 1e6, used)
