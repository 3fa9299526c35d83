"""
Protected clusters of a real daemon: what a restart keeps, and what nothing shows.
"""

import json
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.client.authority import Authority
from tests.e2e.daemon import CLUSTERS, Answer, Daemon, free_port
from tests.e2e.test_listening import ssl_endpoint
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


def tls(directory: Path, port: int) -> str:
    Authority("authority").issue_file(directory / "localhost.pem", "localhost")
    return ssl_endpoint(directory, port)


def plain(_directory: Path, port: int) -> str:
    return f"tcp:{port}:interface=127.0.0.1"


@pytest.mark.parametrize(
    ("public", "admin", "options", "warned"),
    [
        (plain, tls, ["--require-protected"], 1),
        (tls, plain, ["--require-protected"], 0),
        (plain, tls, [], 0),
    ],
)
def test_a_daemon_that_has_tokens_sent_in_clear_says_so(
    tmp_path: Path,
    public: Callable[[Path, int], str],
    admin: Callable[[Path, int], str],
    options: list[str],
    warned: int,
) -> None:
    port = free_port()
    context = ssl.create_default_context() if public is tls else None
    if context is not None:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    daemon = Daemon(
        tmp_path / "state",
        [*options, f"--admin-listen={admin(tmp_path, free_port())}"],
        port=port,
        listen=[public(tmp_path, port)],
        tls=context,
    )
    with daemon:
        lines = daemon.log.read_text().splitlines()
    assert sum("warn] tokens in clear: no --listen" in line for line in lines) == warned
