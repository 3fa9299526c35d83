"""
What Prometheus itself makes of the alerts, and of the figures that they ask for.
"""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from cvmpair.web.metrics import Metrics
from tests.e2e.daemon import ROOT, Daemon, free_port
from tests.e2e.test_admin import look

RULES = ROOT / "etc/prometheus/cvmpair.rules.yml"
DASHBOARD = ROOT / "etc/grafana/cvmpair.json"
PROMTOOL = "promtool"

JOB = '{job="cvmpair",instance="one"}'


def of(**labels: str) -> str:
    return ",".join(f'{name}="{value}"' for name, value in labels.items())


def rejected(limit: str) -> str:
    return f"cvmpair_rejected_total{{{of(job='cvmpair', instance='one', limit=limit)}}}"


FAILED = f"cvmpair_requests_total{{{of(instance='one', route='/', status='500')}}}"


def flushes(most: str) -> str:
    return f"cvmpair_flush_seconds_bucket{{{of(instance='one', le=most)}}}"


CASES: dict[str, list[dict[str, str]]] = {
    "CvmpairDown": [{f"up{JOB}": "1x5 0x30"}],
    "CvmpairReadOnly": [{f"cvmpair_read_only{JOB}": "0x5 1x30"}],
    # The first 500 of a run is a figure that was not there before.
    "CvmpairDefects": [{FAILED: "_x25 1x10"}, {FAILED: "1x25 2x10"}],
    "CvmpairSlowFlushes": [
        {flushes(most): "0+60x40" for most in ("1", "+Inf")} | {flushes("0.5"): "0x40"}
    ],
    "CvmpairFull": [{rejected("clusters"): "0x25 1x10"}],
    "CvmpairTooManyWaiters": [{rejected("max-waiters"): "0x25 1x10"}],
    "CvmpairGuesses": [{rejected("guesses"): "0x25 5x10"}],
    "CvmpairExpiryLate": [{f"cvmpair_expiry_lag_seconds{JOB}": "0x5 61x30"}],
}
"""What each alert is about, by the minute, for half an hour."""

QUIET: dict[str, str] = {
    f"up{JOB}": "1x40",
    f"cvmpair_read_only{JOB}": "0x40",
    FAILED: "3x40",
    flushes("0.5"): "0+60x40",
    flushes("+Inf"): "0+60x40",
    rejected("clusters"): "7x40",
    rejected("guesses"): "7x40",
    rejected("max-waiters"): "7x40",
    f"cvmpair_expiry_lag_seconds{JOB}": "1x40",
}
"""Nothing that anybody has to know of."""

FIRING = [(name, case) for name, cases in CASES.items() for case in cases]


def promtool(*words: object, fed: str = "") -> str:
    """
    Have it check something, and return what it says.
    """
    done = subprocess.run(
        [PROMTOOL, *map(str, words)],
        input=fed,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def alerts() -> dict[str, dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def evaluate(place: Path, series: dict[str, str], expected: dict[str, Any]) -> str:
    tests = {
        "rule_files": [str(RULES)],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [
                    {"series": name, "values": values}
                    for name, values in series.items()
                ],
                "alert_rule_test": [
                    {"eval_time": "30m", "alertname": name, "exp_alerts": fired}
                    for name, fired in expected.items()
                ],
            }
        ],
    }
    path = place / "tests.yml"
    path.write_text(yaml.safe_dump(tests))
    return promtool("test", "rules", path)


def firing(rule: dict[str, Any], series: dict[str, str]) -> dict[str, Any]:
    labels = dict(re.findall(r'(\w+)="([^"]*)"', next(iter(series))))
    if "sum by (instance, limit)" in rule["expr"]:
        labels.pop("job")
    elif "sum by (instance" in rule["expr"]:
        labels = {"instance": "one"}
    summary = rule["annotations"]["summary"].replace("{{ $labels.instance }}", "one")
    return {
        "exp_labels": {**labels, **rule["labels"]},
        "exp_annotations": {"summary": summary},
    }


def test_each_alert_is_tried() -> None:
    assert alerts().keys() == CASES.keys()
    assert "SUCCESS" in promtool("check", "rules", RULES)


@pytest.mark.parametrize(("name", "series"), FIRING)
def test_an_alert(tmp_path: Path, name: str, series: dict[str, str]) -> None:
    expected = {other: [] for other in CASES} | {name: [firing(alerts()[name], series)]}
    evaluate(tmp_path, series, expected)


def test_no_alert(tmp_path: Path) -> None:
    evaluate(tmp_path, QUIET, {name: [] for name in CASES})


def test_what_is_counted_begins_with_nothing() -> None:
    # What has no 0 before its 1 has not increased.
    limits = {
        sample.labels["limit"]: sample.value
        for family in text_string_to_metric_families(Metrics().render().decode())
        for sample in family.samples
        if sample.name == "cvmpair_rejected_total"
    }
    assert {"clusters", "keys", "tokens", "guesses", "creations"} <= limits.keys()
    assert set(limits.values()) == {0.0}


def test_figures_of_a_daemon(tmp_path: Path) -> None:
    port = free_port()
    options = [f"--admin-listen=tcp:{port}:interface=127.0.0.1"]
    with Daemon(tmp_path / "state", options=options) as daemon:
        daemon.new_pin()
        text = look(port, "/metrics")[1]
    assert promtool("check", "metrics", fed=text) == ""
    there = {
        name
        for family in text_string_to_metric_families(text)
        for name in (family.name, *(sample.name for sample in family.samples))
    }
    panels = json.loads(DASHBOARD.read_text())["panels"]
    asked = [target["expr"] for panel in panels for target in panel["targets"]]
    asked += [rule["expr"] for rule in alerts().values()]
    names = set(re.findall(r"(?:cvmpair|process)_[a-z_]+", " ".join(asked)))
    assert len(names) > 5
    assert {re.sub("_total$|_bucket$", "", name) for name in names} <= there
