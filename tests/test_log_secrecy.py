"""
No log line holds a PIN, a key name or a value, whatever the daemon and the agent get.

What all the other tests logged is read when they have ended, see ``conftest.py``.
"""

import socket
from pathlib import Path

import pytest

from tests import logs
from tests.e2e.daemon import CLUSTERS, LAUNCHERS, Daemon
from tests.e2e.virtual_machine import RECORD, TWICE, user_data, virtual_machine
from tests.leaks import FORBIDDEN_TO_AGENTS, leaks, lines_in

SECRET = f"{'Zx9_-' * 8}abc"
"""In the form of those of tokens."""


def provoke(daemon: Daemon) -> None:
    """
    Have a daemon log as much as a client can make it.
    """
    keys = f"{CLUSTERS}/{daemon.new_pin()}/keys"
    for name, value in ("master_ip", "10.10.25.5"), ("sesame", "Sesame: open!"):
        key = {"key": name, "value": value}
        assert daemon.send_json("POST", keys, key).status == 201
        assert daemon.send_json("POST", keys, key).status == 409
        assert daemon.request("GET", f"{keys}/{name}?sesame=1").status == 200
        assert daemon.request("PATCH", f"{keys}/{name}/sesame").status == 404
        assert daemon.send_json("PUT", f"{keys}/{name}", {"value": ["sesame"]}).status
    headers = {"Host": "sesame", "Accept": "sesame/*", "If-Match": "sesame"}
    assert daemon.request("GET", f"{keys}/sesame", None, headers).status == 406
    for shown in f"Bearer abcd1234.{SECRET}", "Bearer sesame", "Basic c2VzYW1lOmE=":
        assert daemon.request("GET", keys, None, {"Authorization": shown}).status == 200
    assert daemon.request("SESAME", keys).status == 405
    assert daemon.request("GET", f"/sesame{keys}").status == 404
    assert daemon.request("POST", keys, '{"sesame', {"Content-Type": "sesame"}).status
    for request in (
        f"GET {keys}\r\n\r\n",
        "sesame\r\n\r\n",
        f"GET {keys} SESAME/1.1\r\n",
    ):
        with socket.create_connection(("127.0.0.1", daemon.port)) as connection:
            connection.sendall(request.encode())
            connection.shutdown(socket.SHUT_WR)
            connection.recv(1000)


@pytest.mark.parametrize(
    "line",
    [
        "request path=/api/v1/clusters/enico1qq0oey",
        "cluster 0a1b2c3d4e5f deleted",
        "key=enico1qq0oey",
        "value 'open Sesame'",
        "GET keys/master_ip",
        "GET keys/master_ready",
        "address=10.10.25.5",
        "within_a_word_knownonlyhere_and_more",
        f"Bearer abcd1234.{SECRET}",
        f"secret={SECRET!r}",
    ],
)
def test_a_leak_is_found(line: str) -> None:
    lines = ["started version=0.1.0", line, "stopped"]
    assert list(leaks(lines, {"knownonlyhere"[:12]})) == [line]


@pytest.mark.parametrize(
    "line",
    [
        "2026-11-20T12:54:08+0000 [cvmpair.web.site.PairingSite#info] request "
        "method=GET route=/api/v1/clusters/<pin>/keys/<name> status=200 ms=0.3 bytes=4 "
        "cluster=2632ecfc30",
        "started state=/tmp/pytest-of-user/pytest-12/test_something0/state",
        "bytes=123456789012 conservative",
    ],
)
def test_what_is_no_leak(line: str) -> None:
    assert list(leaks([line], set())) == []


def test_a_leak_in_a_file_is_found(tmp_path: Path) -> None:
    (tmp_path / "1.log").write_text("started\nstopped\n")
    (tmp_path / "2.log").write_bytes(b"started\n\xff sesame\nstopped\n")
    assert len(list(leaks(lines_in(tmp_path), set()))) == 1


LOGS = {
    "twistd": (LAUNCHERS["twistd"], ()),
    "twist": (LAUNCHERS["twist"], ()),
    # An event may have more in it than its text says.
    "twist in JSON": ((*LAUNCHERS["twist"], "--log-format=json"), ()),
    "our own JSON": (LAUNCHERS["twistd"], ("--log-format=json",)),
}
"""The words before and after ``cvmpair``, for each form of log."""


@pytest.mark.parametrize("form", LOGS)
def test_what_a_client_can_provoke(tmp_path: Path, form: str) -> None:
    launcher, options = LOGS[form]
    with Daemon(tmp_path / "state", options, launcher=launcher) as daemon:
        provoke(daemon)
        assert daemon.terminate() == 0
    lines = daemon.log.read_text().splitlines()
    assert any("/api/v1/clusters/<pin>/keys/<name>" in line for line in lines)
    assert list(leaks(lines, logs.PINS)) == []


def test_what_a_context_can_provoke(tmp_path: Path) -> None:
    with Daemon(tmp_path / "state") as daemon:
        pin = daemon.new_pin()
        right = user_data("master", daemon.url, pin)
        wrong = [
            f"[ucernvm-begin]\n{line}\n[ucernvm-end]\n"
            for line in (
                f"cvm_cluster_pin={pin}\ncvm_cluster_master=sesame",
                f"cvm_cluster_pin={pin}{pin}",
                f"cvm_cluster_pin={pin}\ncvm_service_url=https://sesame:{pin}@a",
                f"cvm_cluster_pin={pin}\n{pin} = sesame\nsesame",
                f"cvm_cluster_pin={pin}\ncvm_service_url={daemon.url}/sesame",
                f"cvm_cluster_pin={pin}\ncvm_cluster_token={SECRET}",
                f"cvm_cluster_pin={pin}\ncvm_cluster_token=abcd1234.{SECRET}",
            )
        ]
        for data in wrong:
            with virtual_machine(tmp_path / "root", data) as machine:
                commands = [
                    machine.start("pair", *TWICE),
                    machine.start("source", "--export"),
                ]
                for command in commands:
                    command.finish()
        with virtual_machine(tmp_path / "root", right) as machine:
            for words in (
                *(("pair", *TWICE), ("ready", *TWICE), ("ready", *TWICE)),
                *(("apply",), ("source",), ("source", "--export")),
            ):
                assert machine.run(*words).code == 0
        assert machine.run("status").code == 0
        machine.place(RECORD).write_text(f"sesame {pin}")
        assert "is ignored" in machine.run("status").said
    said = list(lines_in(logs.OUTPUTS))
    assert any("found the context" in line for line in said)
    assert any("Line 3 of the user data" in line for line in said)
    assert list(leaks(said, logs.PINS, FORBIDDEN_TO_AGENTS)) == []
    # A leak in there would have been found.
    for secret in pin, "sesame", SECRET:
        assert list(leaks([*said, secret], logs.PINS, FORBIDDEN_TO_AGENTS)) == [secret]
