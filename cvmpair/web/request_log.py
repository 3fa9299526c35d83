"""
The log of requests: one line each.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

_LINE: Final = (
    "request method={method} route={route} status={status} ms={ms:.1f} bytes={size} "
    "cluster={cluster}"
)


class RequestLog:
    """
    Logs the requests that end in the same turn of the reactor as one event.

    To log an event takes Twisted nearly as long as the rest of the answer to a GET
    takes us. Under load many requests share one; at any other time each has its own.
    """

    _log = Logger()

    def __init__(
        self,
        later: Callable[[Callable[[], None]], object],
        logged: Callable[[Sequence[Mapping[str, Any]]], None] = lambda _: None,
    ) -> None:
        """
        :param later: makes a call in the next turn of the reactor.
        :param logged: is called with the requests of each event.
        """
        self._later = later
        self._logged = logged
        self._requests: list[Mapping[str, Any]] = []

    def add(
        self,
        *,
        status: object,
        method: str = "-",
        route: str = "-",
        ms: float = 0.0,
        size: int = 0,
        cluster: str = "-",
    ) -> None:
        """
        Take notice of a request that has ended.

        :param ms: how long its answer took.
        :param size: the bytes of its answer.
        :param cluster: what stands for the PIN.
        """
        self._requests.append(
            {
                "method": method,
                "route": route,
                "status": status,
                "ms": ms,
                "size": size,
                "cluster": cluster,
            }
        )
        if len(self._requests) == 1:
            self._later(self.write)

    def write(self) -> None:
        """
        Log what has ended up to now.
        """
        requests, self._requests = self._requests, []
        if requests:
            lines = "\n".join([_LINE.format(**request) for request in requests])
            self._log.info("{lines}", lines=lines, requests=requests)
            self._logged(requests)


Kind = tuple[str, str]
"""A method, and the pattern of a path."""


class RequestCounts:
    """
    Counts the requests that are too many for a line each, and logs once a second how
    many ended with which status.
    """

    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        counted: Callable[[Mapping[tuple[Kind, object], int]], None] = lambda _: None,
    ) -> None:
        """
        :param counted: is called once a second as well, with the counts.
        """
        self._clock = clock
        self._counted = counted
        self._counts: Counter[tuple[Kind, object]] = Counter()
        self._since = 0.0
        self._due: IDelayedCall | None = None

    def add(self, kind: Kind, status: object) -> None:
        """
        Take notice of a request that has ended.
        """
        self._counts[kind, status] += 1
        if self._due is None:
            self._since = self._clock.seconds()
            self._due = self._clock.callLater(1.0, self.write)

    def write(self) -> None:
        """
        Log what has ended up to now.
        """
        if self._due is None:
            return
        if self._due.active():
            self._due.cancel()
        self._due = None
        counts, self._counts = self._counts, Counter()
        self._counted(counts)
        for method, route in sorted({kind for kind, _ in counts}):
            by_status = {
                f"status_{status}": count
                for (kind, status), count in counts.items()
                if kind == (method, route)
            }
            words = " ".join(f"{name}={by_status[name]}" for name in sorted(by_status))
            self._log.info(
                "requests method={method} route={route} seconds={seconds:.1f} {words}",
                method=method,
                route=route,
                seconds=self._clock.seconds() - self._since,
                words=words,
                counts=by_status,
            )
