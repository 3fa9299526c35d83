"""
The real daemon as a process, and a client for it that knows no cvmpair code.
"""

import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from attrs import define, field, frozen

from tests.logs import PINS, new_log

ROOT = Path(__file__).parents[2]
TWISTD = Path(sys.executable).parent / "twistd"
TWIST = Path(sys.executable).parent / "twist"
LAUNCHERS = {
    "twistd": (str(TWISTD), "-n", "--pidfile="),
    "twist": (str(TWIST), "--log-format=text"),
}
CLUSTERS = "/api/v1/clusters"
START_TIMEOUT = 60.0
UNLIMITED = ("--max-guesses=0", "--max-creations=0")
"""All that the tests ask comes from one address."""


def environment() -> dict[str, str]:
    """
    Return the environment variables for programs that a test starts.
    """
    proxies = {"http_proxy", "https_proxy", "all_proxy"}
    kept = {key: word for key, word in os.environ.items() if key.lower() not in proxies}
    return {**kept, "PYTHONPATH": str(ROOT)}


def free_port() -> int:
    """
    Return a port on which nothing listens now.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@frozen
class Answer:
    """
    What the daemon said.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@define(eq=False)
class Daemon:
    """
    One daemon at one address; it may be started again after its end.

    As a context manager it is running inside and killed at the end, if it still
    runs then.

    :ivar options: more words for ``cvmpair``, which win over :data:`UNLIMITED`.
    :ivar launcher: the words before ``cvmpair``.
    :ivar prefix: a command to run it under, such as ``strace``.
    :ivar environment: more environment variables.
    :ivar listen: endpoint strings; one of them is for :attr:`port`.
    :ivar tls: how to connect to that one, if it speaks TLS.
    """

    state_dir: Path
    options: Sequence[str] = ()
    launcher: Sequence[str] = LAUNCHERS["twistd"]
    prefix: Sequence[str] = ()
    environment: Mapping[str, str] = field(factory=dict)
    port: int = field(factory=free_port)
    listen: Sequence[str] = field()
    tls: ssl.SSLContext | None = None
    log: Path = field(factory=lambda: new_log("daemon"))
    process: subprocess.Popen[bytes] | None = None

    @listen.default
    def _plain(self) -> Sequence[str]:
        return [f"tcp:{self.port}:interface=127.0.0.1"]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        """
        Return the words of the command line.
        """
        return [
            *self.prefix,
            *self.launcher,
            "cvmpair",
            *[f"--listen={endpoint}" for endpoint in self.listen],
            f"--state-dir={self.state_dir}",
            *UNLIMITED,
            *self.options,
        ]

    def spawn(self) -> None:
        """
        Start the process without waiting for it.
        """
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                stdout=log,
                stderr=log,
                env={**environment(), **self.environment},
                cwd=self.log.parent,
            )

    def start(self) -> None:
        """
        Start the process and wait until it answers.
        """
        self.spawn()
        deadline = time.monotonic() + START_TIMEOUT
        while time.monotonic() < deadline:
            assert self.process is not None
            status = self.process.poll()
            assert status is None, f"ended with {status}:\n{self.log.read_text()}"
            try:
                self.request("OPTIONS", CLUSTERS)
            except OSError:
                time.sleep(0.02)
            else:
                return
        raise AssertionError(f"does not answer:\n{self.log.read_text()}")

    def wait(self, timeout: float = 30.0) -> int:
        """
        Wait for the end of the process and return its exit status.
        """
        assert self.process is not None
        return self.process.wait(timeout)

    def end(self, number: signal.Signals) -> int:
        """
        End it by a signal, and return its exit status.
        """
        assert self.process is not None
        self.process.send_signal(number)
        return self.wait()

    def kill(self) -> None:
        """
        End it at once.
        """
        self.end(signal.SIGKILL)

    def terminate(self) -> int:
        """
        Ask it to end, and return its exit status.
        """
        return self.end(signal.SIGTERM)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()

    def request(
        self,
        method: str,
        path: str,
        body: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = 30.0,
    ) -> Answer:
        """
        Send one request on a connection of its own.
        """
        connection = (
            http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
            if self.tls is None
            else http.client.HTTPSConnection(
                "localhost", self.port, timeout=timeout, context=self.tls
            )
        )
        try:
            data = body.encode() if isinstance(body, str) else body
            connection.request(method, path, data, dict(headers or {}))
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()

    def send_json(self, method: str, path: str, value: object) -> Answer:
        """
        Send one request with a JSON body.
        """
        return self.request(
            method, path, json.dumps(value), {"Content-Type": "application/json"}
        )

    def new_pin(self) -> str:
        """
        Create a cluster and return its PIN.
        """
        answer = self.request("POST", CLUSTERS)
        assert answer.status == 201, answer.status
        PINS.add(answer.json["pin"])
        return answer.json["pin"]
