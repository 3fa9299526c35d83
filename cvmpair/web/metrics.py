"""
Figures about the daemon, for Prometheus.

All of it happens in the reactor's thread. Requests are taken in batches from where the
log counts them already, so a request costs nothing here; the figures may be a second
old. No label holds anything that a client sent.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    generate_latest,
)

from cvmpair import __version__
from cvmpair.core.errors import CLIENT_LIMITS, SERVICE_LIMITS
from cvmpair.core.watchers import ALL_WAITERS
from cvmpair.web.api import CLUSTERS, KEYS, TOKENS
from cvmpair.web.request_log import Kind

_SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5, 60)
_FLUSH_SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 1, 5)
_FLUSH_CLUSTERS: Final = (0, 1, 3, 10, 30, 100, 300, 1000, 3000, 10000)

_LIMITS: Final = {408: "time", 413: "body-size", 431: "header-size"}
_FULL: Final = {CLUSTERS: "clusters", KEYS: "keys", TOKENS: "tokens"}


def limit_of(route: str, status: object) -> str | None:
    """
    Name the limit for which a request was refused, if its status tells; of those that
    hold for each client or for all, :meth:`Metrics.rejected` is told.
    """
    if status == 507:  # noqa: PLR2004
        return _FULL.get(route)
    return _LIMITS.get(status) if isinstance(status, int) else None


class Metrics:
    """
    All figures, in a registry of their own.
    """

    def __init__(self, *, process: bool = True) -> None:
        """
        :param process: whether to add those that the kernel has of this process.
        """
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "cvmpair_requests",
            "Requests that have ended; aborted: the client went away before.",
            ["method", "route", "status"],
            registry=registry,
        )
        self._seconds = Histogram(
            "cvmpair_request_seconds",
            "From the end of a request to the end of its answer, waiting included; "
            "without reads and additions of a key that took the fast lane.",
            ["method", "route"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._rejected = Counter(
            "cvmpair_rejected",
            "Requests that were refused for a limit.",
            ["limit"],
            registry=registry,
        )
        full = (*_FULL.values(), ALL_WAITERS)
        for limit in (*CLIENT_LIMITS, *SERVICE_LIMITS, *_LIMITS.values(), *full):
            # From the beginning: what has no 0 before its 1 has not increased.
            self._rejected.labels(limit)
        self._flush_seconds = Histogram(
            "cvmpair_flush_seconds",
            "How long it took to make a batch of changes durable.",
            buckets=_FLUSH_SECONDS,
            registry=registry,
        )
        self._flush_clusters = Histogram(
            "cvmpair_flush_clusters",
            "How many changed clusters such a batch had.",
            buckets=_FLUSH_CLUSTERS,
            registry=registry,
        )
        Info("cvmpair", "What runs.", registry=registry).info({"version": __version__})
        if process:
            ProcessCollector(registry=registry)

    def gauge(self, name: str, text: str, value: Callable[[], float]) -> None:
        """
        Add a figure that is asked for when it is shown.
        """
        Gauge(f"cvmpair_{name}", text, registry=self._registry).set_function(value)

    def logged(self, requests: Sequence[Mapping[str, Any]]) -> None:
        """
        Take notice of requests that have ended, as the log has them.
        """
        for request in requests:
            kind = request["method"], request["route"]
            self._count(kind, request["status"], 1)
            if request["method"] != "-":
                self._seconds.labels(*kind).observe(request["ms"] / 1000)

    def counted(self, counts: Mapping[tuple[Kind, object], int]) -> None:
        """
        Take notice of requests that were counted only.
        """
        for (kind, status), count in counts.items():
            self._count(kind, status, count)

    def rejected(self, limit: str) -> None:
        """
        Take notice that a client was refused something for one of its limits, or for
        one of the service's.
        """
        self._rejected.labels(limit).inc()

    def flushed(self, seconds: float, clusters: int) -> None:
        """
        Take notice of a batch that became durable.
        """
        self._flush_seconds.observe(seconds)
        self._flush_clusters.observe(clusters)

    def render(self) -> bytes:
        """
        Return all figures in the text format of Prometheus.
        """
        return generate_latest(self._registry)

    def _count(self, kind: Kind, status: object, count: int) -> None:
        method, route = kind
        self._requests.labels(method, route, str(status)).inc(count)
        if limit := limit_of(route, status):
            self._rejected.labels(limit).inc(count)
