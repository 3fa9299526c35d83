"""
The comparison of the ledger finds what it is there to find.
"""

from collections.abc import Mapping

import pytest

from tests.e2e.reckoning import Change, Keys, reckon

BEFORE: dict[str, Keys] = {"old": {"a": "1"}}


def told(pin: str, name: str | None, value: str | None, at: float = 1.0) -> Change:
    return Change(pin=pin, name=name, value=value, told=at)


def in_flight(pin: str, name: str | None, value: str | None) -> Change:
    return Change(pin=pin, name=name, value=value)


CHANGES = [
    told("old", "a", "2"),
    told("old", "b", "1"),
    told("new", None, ""),
    told("new", "a", "1"),
    told("new", "b", "1"),
    told("new", "a", None),
    told("short", None, ""),
    told("short", None, None),
]
AFTER: dict[str, Keys | None] = {
    "old": {"a": "2", "b": "1"},
    "new": {"b": "1"},
    "short": None,
}


def test_all_is_well() -> None:
    assert reckon(BEFORE, CHANGES, AFTER) == []
    assert reckon(BEFORE, [], {"old": {"a": "1"}, "gone": None}) == []


@pytest.mark.parametrize("value", ["2", "3"])
def test_what_was_in_flight_may_have_happened(value: str) -> None:
    changes = [*CHANGES, in_flight("old", "a", "3")]
    assert reckon(BEFORE, changes, {**AFTER, "old": {"a": value, "b": "1"}}) == []


@pytest.mark.parametrize("keys", [{"b": "1"}, None])
def test_a_deletion_in_flight_may_have_happened(keys: Keys | None) -> None:
    changes = [*CHANGES, in_flight("new", None, None)]
    assert reckon(BEFORE, changes, {**AFTER, "new": keys}) == []


@pytest.mark.parametrize(
    ("found", "fault"),
    [
        ({"old": None}, "cluster old: lost"),
        ({"new": None}, "cluster new: lost"),
        ({"old": {"a": "2"}}, "cluster old: key b lost"),
        ({"old": {"a": "1", "b": "1"}}, "cluster old: key a has another value"),
        ({"old": {"a": "9", "b": "1"}}, "cluster old: key a has another value"),
        ({"new": {"a": "1", "b": "1"}}, "cluster new: key a back"),
        ({"new": {"b": "1", "c": "1"}}, "cluster new: key c back"),
        ({"short": {}}, "cluster short: back"),
    ],
)
def test_a_fault(found: Mapping[str, Keys | None], fault: str) -> None:
    (line,) = reckon(BEFORE, CHANGES, {**AFTER, **found})
    assert line.startswith(fault)


def test_a_cluster_that_nobody_touched_is_lost() -> None:
    assert reckon(BEFORE, [], {"old": None}) == ["cluster old: lost"]


def test_a_cluster_that_was_deleted_long_ago_is_back() -> None:
    faults = reckon({}, [], {"gone": {}})
    assert faults == ["cluster gone: back after it was deleted"]


def test_what_was_told_after_it_is_due_may_be_lost() -> None:
    changes = [
        told("old", "a", "2", at=1.0),
        told("old", "a", "3", at=2.0),
        told("old", "a", "4", at=3.0),
    ]
    for value, well in ("1", False), ("2", True), ("3", True), ("4", True):
        faults = reckon(BEFORE, changes, {"old": {"a": value}}, due=1.5)
        assert (faults == []) is well


def test_a_later_change_may_not_survive_an_earlier_one() -> None:
    changes = [told("old", "a", "2", at=2.0), told("new", None, "", at=2.0)]
    faults = reckon(BEFORE, changes, {"old": {"a": "1"}, "new": {}}, due=1.0)
    assert faults == ["each cluster could be so, but not all at the same moment"]


def test_a_cluster_may_not_be_of_two_moments() -> None:
    changes = [told("old", "a", "2", at=2.0), told("old", "b", "1", at=2.0)]
    (fault,) = reckon(BEFORE, changes, {"old": {"a": "1", "b": "1"}}, due=1.0)
    assert fault == "cluster old: each key could be so, but not all at the same moment"


def test_what_a_read_showed_may_not_be_lost() -> None:
    # The writer itself had no answer yet, but somebody has seen the value.
    changes = [in_flight("old", "a", "2")]
    changes[0].told = 1.0
    assert reckon(BEFORE, changes, {"old": {"a": "1"}}) != []
