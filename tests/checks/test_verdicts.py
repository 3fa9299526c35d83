"""
From facts to verdicts: each that there can be.
"""

import errno
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from cvmpair.checks.clock import ClockFacts, check_clock
from cvmpair.checks.keys import check_keys
from cvmpair.checks.limits import (
    LimitFacts,
    bytes_per_waiter,
    check_limits,
    check_proxies,
)
from cvmpair.checks.listening import ListenFacts, check_listening, check_saving
from cvmpair.checks.service import CertificateFacts, ServiceFacts, check_service
from cvmpair.checks.state import StateFacts, check_state
from cvmpair.checks.verdict import Level, Verdict
from cvmpair.core.timeline import ClockMark

GIB = 1024**3


def summed_up(verdicts: Any) -> dict[str, str]:
    """
    Return the levels, by what they are about; what is not well has a next step.
    """
    found: list[Verdict] = list(verdicts)
    assert all(verdict.text for verdict in found)
    assert all(bool(v.next_step) == (v.level is not Level.OK) for v in found)
    levels = {verdict.about: verdict.level.value for verdict in found}
    assert len(levels) == len(found)
    return levels


LISTEN: dict[str, Any] = {
    "option": "--listen",
    "words": "tcp:8080",
    "port": 8080,
    "user": "cvmpair",
    "owner": "cvmpair",
}
IN_USE = {"error": errno.EADDRINUSE, "reason": "in use"}


@pytest.mark.parametrize(
    ("changed", "level", "said"),
    [
        ({}, "ok", "free"),
        ({"port": 0}, "ok", "free"),
        ({"port": 65535}, "ok", "free"),
        ({"port": 65536}, "fail", "there is no port 65536"),
        ({"port": -1}, "fail", "there is no port -1"),
        ({**IN_USE, "daemon": 12, "is_own": True}, "ok", "daemon, process 12"),
        ({**IN_USE, "holders": ((7, "nginx"),)}, "fail", "process 7 (nginx)"),
        (
            {**IN_USE, "holders": ((7, "nginx"),), "daemon": 12},
            "fail",
            "process 7 (nginx)",
        ),
        ({**IN_USE}, "fail", "another process"),
        ({**IN_USE, "daemon": 12}, "warn", "perhaps by the daemon"),
        ({**IN_USE, "is_default": True}, "warn", "another process"),
        ({"port": 80, "error": errno.EACCES, "reason": "denied"}, "fail", "denied"),
        ({"port": None, "error": errno.EACCES, "reason": "closed"}, "fail", "closed"),
        ({"port": 80}, "ok", "free"),
        ({"port": 80, "user": "root", "owner": ""}, "ok", "free"),
        ({"port": 80, "user": "root"}, "warn", "runs as cvmpair"),
        ({"port": 80, "user": "root", "first_free": 0}, "ok", "free"),
    ],
)
def test_addresses(changed: dict[str, Any], level: str, said: str) -> None:
    (verdict,) = check_listening([ListenFacts(**{**LISTEN, **changed})])
    assert summed_up([verdict]) == {"--listen tcp:8080": level}
    assert said in verdict.text


@pytest.mark.parametrize(
    ("told", "runs", "tried", "level"),
    [
        ([None, ""], True, False, "ok"),
        (["", "it is full"], True, True, "fail"),
        ([None], True, False, "warn"),
        ([None], True, True, None),
        ([], False, False, None),
    ],
)
def test_saving(
    told: list[str | None], level: str | None, *, runs: bool, tried: bool
) -> None:
    addresses = [ListenFacts(**LISTEN, readiness=one) for one in told]
    found = summed_up(check_saving(addresses, runs=runs, tried=tried))
    assert found == ({} if level is None else {"saving": level})


STATE: dict[str, Any] = {
    "directory": "/state",
    "exists": True,
    "owner": "cvmpair",
    "user": "cvmpair",
    "mode": 0o700,
    "free": 2 * GIB,
    "described": "3 clusters",
}


@pytest.mark.parametrize(
    ("changed", "not_ok"),
    [
        ({}, {}),
        ({"user": "root"}, {}),
        ({"described": ""}, {}),
        ({"holder": 12}, {}),
        ({"user": "sesame"}, {"state directory": "fail"}),
        ({"mode": 0o750}, {"state directory": "fail"}),
        ({"not_its": (("lock", "root"),)}, {"owner of the state": "fail"}),
        (
            {"not_its": (("lock", "root"),), "holder": 12},
            {"owner of the state": "warn"},
        ),
        ({"mode": 0o702}, {"state directory": "fail"}),
        ({"free": GIB // 2}, {"disk space": "warn"}),
        ({"free": GIB // 32}, {"disk space": "fail"}),
        ({"problem": "damaged", "next_step": "restore it"}, {"state file": "fail"}),
        ({"exists": False, "creatable": True}, {}),
        ({"exists": False}, {"state directory": "fail"}),
        (
            {"exists": False, "creatable": True, "in_the_way": "/state"},
            {"state directory": "fail"},
        ),
    ],
)
def test_state(changed: dict[str, Any], not_ok: dict[str, str]) -> None:
    found = summed_up(check_state(StateFacts(**(STATE | changed))))
    assert {about: level for about, level in found.items() if level != "ok"} == not_ok
    assert ("lock" in found) == ("state file" in found) == changed.get("exists", True)


def test_a_state_that_cannot_be_looked_at() -> None:
    facts = StateFacts(**(STATE | {"user": "other", "is_closed": True}))
    levels = {"state directory": "fail", "disk space": "ok", "lock": "warn"}
    assert summed_up(check_state(facts)) == levels


NOW = 1_000_000.0


def mark(book: float, wall: float) -> ClockMark:
    return ClockMark(book=NOW + book, wall=NOW + wall)


@pytest.mark.parametrize(
    ("changed", "not_ok"),
    [
        ({}, {}),
        ({"synchronised": False}, {"clock": "warn"}),
        ({"synchronised": None}, {"clock": "warn"}),
        ({"service": NOW - 3}, {}),
        ({"service": NOW - 6}, {"clock and service": "warn"}),
        ({"service": NOW + 6}, {"clock and service": "warn"}),
        ({"mark": mark(-60, -60.5)}, {}),
        ({"mark": mark(-3600, -60)}, {}),
        ({"mark": mark(60, 60)}, {"clock steps": "warn"}),
    ],
)
def test_clock(changed: dict[str, Any], not_ok: dict[str, str]) -> None:
    facts: dict[str, Any] = {"synchronised": True, "now": NOW}
    found = summed_up(check_clock(ClockFacts(**(facts | changed))))
    assert {about: level for about, level in found.items() if level != "ok"} == not_ok
    assert ("clock and service" in found) == ("service" in changed)
    assert ("clock steps" in found) == ("mark" in changed)


def test_a_step_is_told_with_its_size() -> None:
    facts = ClockFacts(synchronised=True, now=NOW, mark=mark(-3600, -60))
    (*_, steps) = check_clock(facts)
    assert steps.text.startswith("+3540 s since")


@pytest.mark.parametrize(
    ("changed", "not_ok"),
    [
        ({}, {}),
        ({"tried": True}, {}),
        ({"problem": "Connection refused"}, {"service": "fail"}),
        ({"allows": False}, {"service": "fail"}),
        ({"tried": True, "try_problem": "status 503"}, {"trial": "fail"}),
        ({"days": 15}, {}),
        ({"days": 13}, {"certificate's end": "warn"}),
        ({"days": -1, "not_trusted": "expired"}, {"*": "fail"}),
        ({"days": 90, "not_trusted": "self-signed"}, {"certificate": "fail"}),
    ],
)
def test_service(changed: dict[str, Any], not_ok: dict[str, str]) -> None:
    certificate = None
    words = dict(changed)
    if "days" in words:
        problem = words.pop("not_trusted", "")
        certificate = CertificateFacts(
            problem=problem,
            step="mend it" if problem else "",
            names=("a",),
            days=words.pop("days"),
            fingerprint="00",
        )
    given = {"status": 200, "allows": True} | words
    facts = ServiceFacts(url="http://h", certificate=certificate, **given)
    found = summed_up(check_service(facts))
    bad = {about: level for about, level in found.items() if level != "ok"}
    if "*" in not_ok:
        not_ok = {"certificate": "fail", "certificate's end": "fail"}
    assert bad == not_ok
    assert ("certificate's key" in found) == (certificate is not None)


@pytest.mark.parametrize(
    ("url", "protected", "warned"),
    [("http://h", True, True), ("http://h", False, False), ("https://h", True, False)],
)
def test_tokens_in_clear(url: str, *, protected: bool, warned: bool) -> None:
    facts = ServiceFacts(url=url, status=200, allows=True)
    found = summed_up(check_service(facts, protected=protected))
    assert found == {"service": "ok"} | ({"tokens": "warn"} if warned else {})


def test_keys() -> None:
    assert summed_up(check_keys([])) == {"private keys": "ok"}
    (verdict,) = check_keys([(Path("/a"), 0o644), (Path("/b"), 0o604)])
    assert verdict.level is Level.WARN
    assert verdict.text == "every user may read /a (mode 0644), /b (mode 0604)"
    assert verdict.next_step.startswith("chmod 0640 /a /b, with a group")


def test_no_service() -> None:
    assert summed_up(check_service(None)) == {"service": "warn"}


@pytest.mark.parametrize(
    ("changed", "not_ok"),
    [
        ({}, {}),
        ({"open_files": None, "queue": None, "memory": None}, {}),
        ({"open_files": 20_000}, {"open files": "warn"}),
        ({"open_files": 256}, {"open files": "fail"}),
        ({"queue": 128}, {"connections to accept": "warn"}),
        ({"memory": GIB // 8}, {"memory": "warn"}),
    ],
)
def test_limits(changed: dict[str, Any], not_ok: dict[str, str]) -> None:
    given = {"open_files": 65536, "queue": 4096, "memory": GIB} | changed
    facts = LimitFacts(whose="this shell", **given)
    found = summed_up(
        check_limits(
            facts, waiters=20_000, clusters=1_000_000, tombstones=100_000, backlog=1024
        )
    )
    assert {about: level for about, level in found.items() if level != "ok"} == not_ok
    assert ("memory" in found) == (given["memory"] is not None)


def test_what_is_remembered_takes_memory_too() -> None:
    facts = LimitFacts(whose="this shell", open_files=None, queue=None, memory=GIB)
    for tombstones, level in ((0, "ok"), (10_000_000, "warn")):
        found = check_limits(
            facts, waiters=1, clusters=1, tombstones=tombstones, backlog=1
        )
        assert summed_up(found)["memory"] == level


@pytest.mark.parametrize(
    ("kind", "level"),
    [((False, False), "ok"), ((False, True), "warn"), ((True, False), "warn")],
)
def test_waiters_that_cost_more(kind: tuple[bool, bool], level: str) -> None:
    facts = LimitFacts(whose="a", open_files=None, queue=None, memory=GIB // 4)
    each = bytes_per_waiter(tls=kind[0], protected=kind[1])
    counts = {"waiters": 20_000, "clusters": 1, "tombstones": 0, "backlog": 1}
    found = check_limits(facts, **counts, per_waiter=each)
    assert summed_up(found)["memory"] == level


@pytest.mark.parametrize(
    ("network", "level"),
    [
        ("10.0.0.0/8", "warn"),
        ("192.0.2.0/23", "warn"),
        ("192.0.2.0/24", "ok"),
        ("192.0.2.7", "ok"),
        ("0.0.0.0/0", "warn"),
        ("2001:db8::/63", "warn"),
        ("2001:db8::/64", "ok"),
        ("2001:db8::7", "ok"),
    ],
)
def test_proxies(network: str, level: str) -> None:
    found = summed_up(check_proxies([ip_network(network), ip_network("192.0.2.9")]))
    assert list(found.values()) == [level, "ok"]
