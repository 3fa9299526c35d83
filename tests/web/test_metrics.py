"""
The figures: what is counted, and what no label says.
"""

from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families
from twisted.internet.task import Clock

from cvmpair.web.api import CLUSTERS, KEY, KEYS
from cvmpair.web.metrics import Metrics, limit_of
from cvmpair.web.request_log import RequestCounts, RequestLog


def samples(metrics: Metrics) -> Iterator[tuple[str, dict[str, str], float]]:
    for family in text_string_to_metric_families(metrics.render().decode()):
        for sample in family.samples:
            yield sample.name, sample.labels, sample.value


def total(metrics: Metrics, wanted: str, **labels: str) -> float:
    return sum(
        value
        for name, found, value in samples(metrics)
        if name == wanted and labels.items() <= found.items()
    )


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(process=False)


def test_requests_come_from_both_logs(metrics: Metrics, clock: Clock) -> None:
    log = RequestLog(lambda call: call(), metrics.logged)
    counts = RequestCounts(clock, metrics.counted)
    log.add(method="GET", route=KEY, status=200, ms=30)
    log.add(status=431)
    for _ in range(5):
        counts.add(("GET", KEY), 200)
    counts.add(("POST", KEYS), "aborted")
    assert total(metrics, "cvmpair_requests_total") == 2
    clock.advance(1)
    assert total(metrics, "cvmpair_requests_total", route=KEY, status="200") == 6
    assert total(metrics, "cvmpair_requests_total", status="aborted") == 1
    assert total(metrics, "cvmpair_requests_total") == 8
    assert total(metrics, "cvmpair_request_seconds_count") == 1
    assert total(metrics, "cvmpair_request_seconds_sum") == 0.03
    assert total(metrics, "cvmpair_rejected_total", limit="header-size") == 1


@pytest.mark.parametrize(
    ("route", "status", "limit"),
    [
        (CLUSTERS, 507, "clusters"),
        (KEYS, 507, "keys"),
        (KEY, 413, "body-size"),
        ("-", 408, "time"),
        # More than one limit can be the reason.
        (CLUSTERS, 429, None),
        (KEY, 503, None),
        (KEY, "aborted", None),
        (KEY, 200, None),
    ],
)
def test_limits(route: str, status: object, limit: str | None) -> None:
    assert limit_of(route, status) == limit


def test_limits_of_one_client(metrics: Metrics) -> None:
    for limit in ("guesses", "guesses", "waiters"):
        metrics.rejected(limit)
    assert total(metrics, "cvmpair_rejected_total", limit="guesses") == 2
    assert total(metrics, "cvmpair_rejected_total") == 3


def test_flushes_and_gauges(metrics: Metrics) -> None:
    metrics.flushed(0.25, 40)
    metrics.flushed(0.5, 2)
    metrics.gauge("clusters", "Clusters.", lambda: 7)
    assert total(metrics, "cvmpair_flush_seconds_sum") == 0.75
    assert total(metrics, "cvmpair_flush_clusters_sum") == 42
    assert total(metrics, "cvmpair_flush_clusters_bucket", le="3.0") == 1
    assert total(metrics, "cvmpair_clusters") == 7


def test_two_have_nothing_in_common(metrics: Metrics) -> None:
    metrics.flushed(1, 1)
    assert total(Metrics(process=False), "cvmpair_flush_seconds_count") == 0
    assert total(Metrics(), "process_resident_memory_bytes") > 0


def test_no_label_says_whose_cluster_it_was(metrics: Metrics) -> None:
    log = RequestLog(lambda call: call(), metrics.logged)
    log.add(method="GET", route=KEY, status=200, cluster="0123456789")
    assert b"0123456789" not in metrics.render()
