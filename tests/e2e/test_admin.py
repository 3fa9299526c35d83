"""
A daemon that is watched while it is used.
"""

import time
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.daemon import CLUSTERS, Daemon, free_port
from tests.logs import MARKER


def look(port: int, path: str) -> tuple[int, str]:
    opener = build_opener(ProxyHandler({}))
    try:
        with opener.open(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.read().decode()


def figures(text: str) -> dict[tuple[str, str, str], float]:
    return {
        (sample.labels["method"], sample.labels["route"], sample.labels["status"]): (
            sample.value
        )
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "cvmpair_requests_total"
    }


@pytest.mark.parametrize("durability", ["synced", "periodic"])
def test_the_numbers_add_up(tmp_path: Path, durability: str) -> None:
    port = free_port()
    options = [
        f"--admin-listen=tcp:{port}:interface=127.0.0.1",
        f"--durability={durability}",
        "--snapshot-interval=1h",
    ]
    with Daemon(tmp_path / "state", options=options) as daemon:
        pins = [daemon.new_pin() for _ in range(3)]
        for pin in pins:
            keys = f"{CLUSTERS}/{pin}/keys"
            key = {"key": MARKER, "value": MARKER}
            assert daemon.send_json("POST", keys, key).status == 201
            for _ in range(4):
                assert daemon.request("GET", f"{keys}/{MARKER}").status == 200
            assert look(port, "/metrics")[0] == 200
        assert look(port, "/livez") == (200, "alive\n")
        assert look(port, "/readyz") == (200, "ready\n")
        route = f"{CLUSTERS}/<pin>/keys/<name>"
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            text = look(port, "/metrics")[1]
            if figures(text).get(("GET", route, "200"), 0) >= 12:
                break
        found = figures(text)
        assert found["POST", CLUSTERS, "201"] == 3
        assert found["GET", route, "200"] == 12
        assert "\ncvmpair_clusters 3.0\n" in text
        assert "\ncvmpair_read_only 0.0\n" in text
        assert not any(word in text for word in (*pins, MARKER))
        for path in ("/livez", "/readyz", "/metrics"):
            assert daemon.request("GET", path).status == 404
        assert look(port, CLUSTERS)[0] == 404
        assert daemon.terminate() == 0
