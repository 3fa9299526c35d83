"""
Protected clusters of a real daemon: what a restart keeps, and what nothing shows.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.daemon import CLUSTERS, Answer, Daemon
from tests.logs import PINS


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    with Daemon(tmp_path / "state", ["--require-protected"]) as daemon:
        yield daemon


def create(daemon: Daemon) -> dict[str, str]:
    """
    Create a cluster without a body, and return its tokens and, as ``path``, its path.
    """
    answer = daemon.request("POST", CLUSTERS)
    assert answer.status == 201
    assert answer.headers["Cache-Control"] == "no-store"
    pin = answer.json["pin"]
    PINS.add(pin)
    return {**answer.json["tokens"], "path": f"{CLUSTERS}/{pin}"}


def ask(
    daemon: Daemon, method: str, path: str, token: str | None, **fields: object
) -> Answer:
    headers = {"Content-Type": "application/json"}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    return daemon.request(method, path, json.dumps(fields), headers)


def test_what_a_restart_keeps(daemon: Daemon) -> None:
    made = create(daemon)
    path, admin = made["path"], made["admin"]
    key = {"key": "sesame", "value": "open"}
    assert ask(daemon, "POST", f"{path}/keys", made["write"], **key).status == 201
    new = [
        ask(daemon, "POST", f"{path}/tokens", admin, scope="read", lifetime=life).json
        for life in (86400, 86400)
    ]
    revoked = ask(daemon, "DELETE", f"{path}/tokens/{new[0]['id']}", admin)
    assert revoked.status == 204
    said = ask(daemon, "GET", f"{path}/tokens", admin)
    secrets = [
        text.partition(".")[2]
        for text in (
            *(made[scope] for scope in ("read", "write", "admin")),
            *(token["token"] for token in new),
        )
    ]
    # Once with the changes in the log of SQLite, once with all in the file itself.
    for end in (daemon.kill, daemon.terminate):
        end()
        kept = b"".join(file.read_bytes() for file in daemon.state_dir.iterdir())
        assert new[1]["id"].encode() in kept
        assert not any(secret.encode() in kept for secret in secrets)
        daemon.start()
        again = ask(daemon, "GET", f"{path}/tokens", admin)
        assert (again.json, again.headers["ETag"]) == (said.json, said.headers["ETag"])
        for token, status in [
            (None, 401),
            (new[0]["token"], 401),
            (new[1]["token"], 200),
            (made["read"], 200),
        ]:
            assert ask(daemon, "GET", f"{path}/keys/sesame", token).status == status
        assert ask(daemon, "DELETE", path, made["write"]).status == 403
    assert ask(daemon, "DELETE", path, admin).status == 204


def test_all_are_protected_or_refused(daemon: Daemon) -> None:
    assert ask(daemon, "POST", CLUSTERS, None, protected=False).status == 403
    made = create(daemon)
    assert daemon.request("GET", made["path"]).status == 401
    other = create(daemon)
    assert ask(daemon, "GET", made["path"], other["admin"]).status == 401
    page = daemon.request("POST", "/").text
    assert page.count("cvm_cluster_token=") == 2


def test_no_secret_is_logged(daemon: Daemon) -> None:
    made = create(daemon)
    path = made["path"]
    for token in (made["read"], made["admin"], f"{made['read']}x", "sesame sesame"):
        for method, place in [
            ("GET", ""),
            ("POST", "/keys"),
            ("GET", f"/keys/{made['read'].partition('.')[2]}"),
            ("DELETE", f"/tokens/{made['read']}"),
            (
                "GET",
                f"/tokens/{token.partition(' ')[0]}?token={token.partition(' ')[0]}",
            ),
            ("POST", f"/{made['write']}"),
        ]:
            status = ask(daemon, method, path + place, token, value=token).status
            assert 200 <= status < 500
    assert daemon.terminate() == 0
    log = daemon.log.read_text()
    assert "/api/v1/clusters/<pin>/tokens/<token_id>" in log
    for scope in ("read", "write", "admin"):
        assert made[scope].partition(".")[2] not in log
