"""
Every recorded exchange with the original service, held with the real daemon.
"""

import json
import re
from collections.abc import Iterator

import pytest

from tests.e2e.daemon import CLUSTERS, Answer, Daemon
from tests.e2e.differences import GENERAL, SINGLE, UNRECORDED, Unrecorded
from tests.e2e.exchange import (
    Aspect,
    Exchange,
    compare,
    is_error,
    methods,
    scenarios,
)

SCENARIOS = scenarios()
EXCHANGES = [exchange for steps in SCENARIOS.values() for exchange in steps]
# A path that no route of the original matched allows nothing.
ROUTED = [exchange for exchange in EXCHANGES if exchange.recorded.allow]


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with Daemon(tmp_path_factory.mktemp("replay") / "state") as daemon:
        yield daemon


def hold(daemon: Daemon, exchange: Exchange, pin: str) -> Answer:
    return daemon.request(
        exchange.method,
        exchange.path.replace("{PIN}", pin),
        exchange.content,
        exchange.headers,
    )


def expected(scenario: str, number: int, exchange: Exchange) -> set[Aspect]:
    """
    Return the respects in which an exchange should differ.
    """
    aspects: set[Aspect] = set()
    for difference in GENERAL:
        if difference.applies(exchange):
            aspects |= difference.aspects
    single = SINGLE.get((scenario, number))
    return aspects | single.aspects if single else aspects


def check_error(exchange: Exchange, answer: Answer) -> None:
    """
    See to it that a refusal is one of ours.
    """
    if exchange.wants_text:
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert re.fullmatch(r"[^\n]+\n", answer.text)
        return
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert {"type", "title", "status", "detail"} <= answer.json.keys()
    assert answer.json["status"] == answer.status
    if exchange.recorded.status == 400:
        recorded = json.loads(exchange.recorded.body)
        if "detail" in recorded:
            assert answer.json["detail"] == recorded["detail"]
        else:
            assert answer.json["errors"] == recorded


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_scenario(daemon: Daemon, scenario: str) -> None:
    pin = daemon.new_pin()
    for number, exchange in enumerate(SCENARIOS[scenario], 1):
        answer = hold(daemon, exchange, pin)
        found = set(compare(exchange, answer, pin))
        assert found == expected(scenario, number, exchange), f"step {number}"
        if is_error(exchange):
            check_error(exchange, answer)


def test_the_creation_itself(daemon: Daemon) -> None:
    # The record begins with clusters that were created already.
    answer = daemon.request("POST", CLUSTERS)
    assert answer.status == 201
    assert answer.headers["Content-Type"] == "application/json"
    read = daemon.request("GET", f"{CLUSTERS}/{answer.json['pin']}")
    assert read.json == answer.json


@pytest.mark.parametrize("path", sorted({exchange.path for exchange in ROUTED}))
def test_options_allow_what_the_original_did(daemon: Daemon, path: str) -> None:
    pin = daemon.new_pin()
    recorded = {exchange.recorded.allow for exchange in ROUTED if exchange.path == path}
    answer = daemon.request("OPTIONS", path.replace("{PIN}", pin))
    assert {methods(answer.headers.get("Allow", ""))} == recorded


def test_the_difference_of_each_list_entry_exists() -> None:
    assert all(any(map(difference.applies, EXCHANGES)) for difference in GENERAL)
    for scenario, number in SINGLE:
        assert 1 <= number <= len(SCENARIOS[scenario])


@pytest.mark.parametrize("difference", UNRECORDED, ids=lambda each: each.original)
def test_unrecorded(daemon: Daemon, difference: Unrecorded) -> None:
    pin = daemon.new_pin()
    for name in "sesame-a", "sesame-b":
        key = {"key": name, "value": "sesame"}
        assert daemon.send_json("POST", f"{CLUSTERS}/{pin}/keys", key).status == 201
    method, path, fields = difference.request
    answer = daemon.send_json(method, path.replace("{PIN}", pin), fields)
    assert answer.status == difference.status
