"""
The disk fails for a while: the daemon takes no changes meanwhile, and then goes on
without a restart.
"""

import resource
import time
from pathlib import Path

import pytest

from tests.e2e.daemon import CLUSTERS, Daemon
from tests.e2e.told import (
    DELETED,
    LARGE,
    LARGE_VALUE,
    ONE,
    RECOVERY,
    TWO,
    UNTOUCHED,
    USED,
    Client,
    crashed_state,
    held,
)
from tests.e2e.tracing import STATE, Fault, complaints, log_lines, traced
from tests.logs import MARKER
from tests.snapshots.states import Files, lay_out


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return crashed_state(tmp_path_factory.mktemp("saved"))


FULL = 40_000
"""
The size that no file may exceed, in bytes: less than a write of the large cluster,
more than the messages of the daemon.
"""


class Disk:
    """
    The room that a running daemon has for each of its files.
    """

    def __init__(self, daemon: Daemon) -> None:
        assert daemon.process is not None
        self._pid = daemon.process.pid
        _, self._hard = resource.prlimit(self._pid, resource.RLIMIT_FSIZE)

    def fill(self) -> None:
        resource.prlimit(self._pid, resource.RLIMIT_FSIZE, (FULL, self._hard))

    def make_room(self) -> None:
        limits = (self._hard, self._hard)
        resource.prlimit(self._pid, resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize("durability", ["synced", "periodic"])
def test_a_disk_that_was_full(tmp_path: Path, saved: Files, durability: str) -> None:
    directory = lay_out(tmp_path / "state", saved)
    options = [f"--durability={durability}"]
    if durability == "periodic":
        options.append("--snapshot-interval=0.1")
    with Daemon(directory, options=options) as daemon:
        client = Client(daemon, held(directory))
        disk = Disk(daemon)
        disk.fill()
        taken = 0
        while not client.refused:
            client.change(LARGE, ONE, ONE, f"{taken:0>{LARGE_VALUE}}")
            taken += 1
        assert daemon.request("GET", f"{CLUSTERS}/{UNTOUCHED}").status == 200
        assert daemon.request("POST", CLUSTERS).status == 503
        assert daemon.request("GET", f"{CLUSTERS}/{USED}/keys/{ONE}").status == 200
        # It would have recovered by now if it only had to open its files anew.
        time.sleep(1.5)
        assert daemon.request("POST", CLUSTERS).status == 503
        assert log_lines(daemon, "recovered") == []
        disk.make_room()
        client.patient = True
        client.await_recovery()
        client.look()
        client.add(USED, f"{MARKER}-four", f"{MARKER} 4")
        client.delete_key(USED, TWO)
        client.delete(DELETED)
        client.create()
        assert len(log_lines(daemon, "flush failed")) == 1
        assert len(log_lines(daemon, "recovered")) == 1
        if durability == "synced":
            daemon.kill()
        else:
            assert daemon.terminate() == 0
        assert complaints(daemon) == []
        assert client.check_state(directory) == client.known
        daemon.start()
        client.look()
        client.create()


def test_many_failures_in_a_row(tmp_path: Path, saved: Files) -> None:
    directory = lay_out(tmp_path / "state", saved)
    # strace counts them all, and has them fail from one number to another.
    fault = Fault("fdatasync", "20..27", "EIO")  # type: ignore[arg-type]
    with traced(directory, "many", fault) as daemon:
        client = Client(daemon, held(directory), patient=True)
        daemon.start()
        while not client.refused:
            client.add(USED, f"{MARKER}-{len(client.known)}", MARKER)
            client.create()
        assert len(log_lines(daemon, "flush failed")) == 1
        assert len(log_lines(daemon, "recovered")) == 1
        client.create()
        daemon.kill()
    assert client.possible is None or client.refused
    known = client.check_state(directory)
    with Daemon(directory) as again:
        Client(again, known).look()


def test_a_file_that_is_damaged_meanwhile(tmp_path: Path, saved: Files) -> None:
    directory = lay_out(tmp_path / "state", saved)
    file = directory / STATE
    with Daemon(directory) as daemon:
        client = Client(daemon, held(directory))
        disk = Disk(daemon)
        disk.fill()
        client.change(LARGE, ONE, ONE, f"{MARKER:0>{LARGE_VALUE}}")
        assert client.refused == 1
        # The first try comes at once, and merges what is in the log; the second
        # comes a second later.
        time.sleep(0.5)
        whole = file.read_bytes()
        file.write_bytes(whole.replace(MARKER.encode(), MARKER[::-1].encode()))
        disk.make_room()
        deadline = time.monotonic() + RECOVERY
        while not (reasons := log_lines(daemon, "still read-only")):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert all("is damaged" in reason for reason in reasons)
        assert daemon.request("POST", CLUSTERS).status == 503
        assert daemon.request("GET", f"{CLUSTERS}/{UNTOUCHED}").status == 200
        file.write_bytes(whole)
        client.patient = True
        client.await_recovery()
        client.look()
        client.create()
        assert daemon.terminate() == 0
    client.check_state(directory)
