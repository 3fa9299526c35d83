"""
The daemon under a service manager: what it tells it, and the port that it is given.
"""

import os
import signal
import socket
from collections import Counter
from pathlib import Path
from threading import Event, Thread

import pytest

from tests.e2e.daemon import CLUSTERS, ROOT, Daemon, free_port
from tests.e2e.test_stop import await_

PATIENCE = 60.0

# systemd-socket-activate becomes what it starts; so this keeps the socket, and starts
# the daemon anew each time it has ended, until it fails.
KEEP = """
while setpriv --pdeathsig KILL sh -c 'export LISTEN_PID=$$; exec "$@"' - "$@"; do
    :
done
"""


@pytest.mark.parametrize("place", ["path", "abstract"])
def test_the_manager_is_told(tmp_path: Path, place: str) -> None:
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path if place == "path" else f"\0{path}")
        manager.settimeout(PATIENCE)
        address = path if place == "path" else f"@{path}"

        def await_word(word: str) -> None:
            while word not in manager.recv(4096).decode().split("\n"):
                pass

        daemon = Daemon(
            tmp_path / "state",
            environment={"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "400000"},
        )
        daemon.spawn()
        try:
            await_word("READY=1")
            # No try is in vain from now on.
            assert daemon.request("OPTIONS", CLUSTERS).status == 204
            await_word("WATCHDOG=1")
            daemon.new_pin()
            await_word("STATUS=1 clusters")
            assert daemon.process is not None
            daemon.process.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, daemon.process.pid, os.WSTOPPED | os.WNOWAIT)
            manager.settimeout(0)
            while True:
                try:
                    manager.recv(4096)
                except BlockingIOError:
                    break
            # Several pings would come in this time.
            manager.settimeout(1.5)
            with pytest.raises(TimeoutError):
                manager.recv(4096)
            manager.settimeout(PATIENCE)
            daemon.process.send_signal(signal.SIGCONT)
            await_word("WATCHDOG=1")
            daemon.process.send_signal(signal.SIGTERM)
            await_word("STOPPING=1")
            assert daemon.wait() == 0
        finally:
            daemon.kill()


def test_restarts_under_load_refuse_nobody(tmp_path: Path) -> None:
    port, state = free_port(), tmp_path / "state"
    daemon = Daemon(
        state,
        port=port,
        listen=["systemd:domain=INET:name=cvmpair"],
        prefix=[
            *["systemd-socket-activate", "-l", f"127.0.0.1:{port}"],
            *["--fdname=cvmpair", "-E", f"PYTHONPATH={ROOT}", "sh", "-c", KEEP, "-"],
        ],
    )
    seen: Counter[str] = Counter()
    enough = Event()

    def ask() -> None:
        while not enough.is_set():
            try:
                answer = daemon.request("OPTIONS", CLUSTERS, timeout=PATIENCE)
                seen[str(answer.status)] += 1
            except OSError as error:
                seen[type(error).__name__] += 1

    def owner() -> int:
        return int((state / "lock").read_text() or 0)

    def starts() -> int:
        return daemon.log.read_text().count(" started version=")

    with daemon:
        pin = daemon.new_pin()
        clients = [Thread(target=ask) for _ in range(8)]
        for client in clients:
            client.start()
        try:
            for before in (1, 2, 3):
                answered = seen["204"]
                await_(lambda before=before: starts() == before)
                await_(lambda answered=answered: seen["204"] > answered + 50)
                os.kill(owner(), signal.SIGTERM)
            await_(lambda: starts() == 4)
        finally:
            enough.set()
            for client in clients:
                client.join()
        assert daemon.request("GET", f"{CLUSTERS}/{pin}").status == 200
    assert seen["ConnectionRefusedError"] == 0
    assert seen["204"] > 150
    # Who had connected, but not asked yet, may lose its connection; it is rare.
    assert sum(seen.values()) - seen["204"] <= 3 * len(clients), seen


def test_a_socket_that_is_not_there(tmp_path: Path) -> None:
    for name in ("name=cvmpair", "index=0"):
        daemon = Daemon(tmp_path / "state", listen=[f"systemd:domain=INET:{name}"])
        daemon.spawn()
        assert daemon.wait() == 2
        (line,) = daemon.log.read_text().splitlines()
        assert "systemd passed no such socket" in line


def test_an_open_state_is_refused(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    state.chmod(0o755)
    daemon = Daemon(state, listen=["tcp:0:interface=127.0.0.1"])
    daemon.spawn()
    assert daemon.wait() == 1
    lines = [x for x in daemon.log.read_text().splitlines() if x.startswith("cvmpair")]
    assert len(lines) == 1
    assert "chmod 0700" in lines[0]
    assert "Traceback" not in daemon.log.read_text()
