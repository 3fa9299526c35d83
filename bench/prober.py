"""
A client that asks again and again, to see that a server has time for it.
"""

import threading
import time
from types import TracebackType
from typing import Self

from bench.servers import Expected, Server, WrongAnswer

INTERVAL = 0.02
"""The seconds between an answer and the next question."""


class Prober:
    """
    A thread that asks, with a new connection each time; a context manager.

    :ivar first: when the first answer came, by the monotonic clock.
    :ivar latencies: the seconds that each answer took.
    """

    def __init__(self, server: Server, known: Expected) -> None:
        self._server = server
        self._known = known
        self._stopped = threading.Event()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run)
        self.first = 0.0
        self.latencies: list[float] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopped.set()
        self._thread.join()
        if self._failure:
            raise WrongAnswer(f"another client: {self._failure}") from self._failure

    def _run(self) -> None:
        try:
            self._server.wait_for(self._known)
            self.first = time.monotonic()
            while not self._stopped.wait(INTERVAL):
                begin = time.monotonic()
                self._server.check(self._known)
                self.latencies.append(time.monotonic() - begin)
        except (OSError, WrongAnswer) as error:
            self._failure = error
