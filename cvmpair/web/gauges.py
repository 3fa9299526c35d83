"""
The figures that are asked for when they are shown.
"""

import math
from collections.abc import Callable

from cvmpair.core.book import ClusterBook
from cvmpair.core.descriptors import Descriptors
from cvmpair.core.timeline import Timeline
from cvmpair.core.watchers import Watchers
from cvmpair.web.guard import Guard
from cvmpair.web.metrics import Metrics


def add_gauges(
    metrics: Metrics,
    *,
    book: ClusterBook,
    watchers: Watchers,
    timeline: Timeline,
    descriptors: Descriptors,
    guard: Guard,
    is_read_only: Callable[[], bool],
) -> None:
    """
    Have metrics tell what there is.
    """
    show = metrics.gauge
    show("clusters", "Clusters that there are.", lambda: len(book))
    show("keys", "Keys that they have.", lambda: book.keys)
    show(
        "tombstones",
        "Clusters that have ended and are remembered.",
        lambda: book.tombstones,
    )
    show("connections", "Connections that are open.", lambda: descriptors.taken)
    show("waiters", "Requests that wait.", lambda: len(watchers))
    show(
        "tracked_clients",
        "Clients that guessed or created in the last minute, as far as counted.",
        guard.size,
    )
    show(
        "expiry_lag_seconds",
        "How long the cluster that is next to expire is overdue.",
        lambda: max(0.0, timeline.now() - (book.next_deadline() or math.inf)),
    )
    show("read_only", "1 while nothing can be saved, else 0.", is_read_only)
