"""
A disk without room, and then with room again: what is there is read meanwhile, nothing
is changed, and then all goes on.
"""

import errno
import os
import subprocess
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from random import Random

import pytest

from tests.e2e.daemon import CLUSTERS, Daemon
from tests.e2e.told import (
    LARGE,
    LARGE_VALUE,
    ONE,
    UNTOUCHED,
    Client,
    crashed_state,
    held,
)
from tests.e2e.tracing import complaints
from tests.evidence.amounts import amount
from tests.snapshots.states import lay_out

CYCLES = amount(ci=2, full=100)
LONGEST = amount(ci=1, full=8)
"""The seconds that the disk is full at most: so that it is tried less often, too."""

SIZE = 2_000_000


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """
    A small file system of its own.
    """
    place = tmp_path / "disk"
    place.mkdir()
    options = ["-o", f"size={SIZE},mode=0700"]
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", *options, "cvmpair-test", str(place)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("only root may mount a file system")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill_up(disk: Path) -> Path:
    """
    Leave no room, and return the file that takes what there was.
    """
    ballast = disk / "ballast"
    descriptor = os.open(ballast, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):  # noqa: PT012
        while True:
            os.write(descriptor, bytes(4096))
    os.close(descriptor)
    return ballast


def exhaust(disk: Path, client: Client) -> Path:
    """
    Change things until there is no room for that, and return what takes it.
    """
    numbers = count()
    while True:
        fill_up(disk)
        client.patient, before = False, client.refused
        while client.refused == before:
            client.change(LARGE, ONE, ONE, f"{next(numbers):0>{LARGE_VALUE}}")
        ballast = fill_up(disk)
        time.sleep(0.2)
        if not client.can_change():
            return ballast
        # It found room once it had merged its log.
        client.patient = True
        client.look()


def test_a_full_disk(tmp_path: Path, disk: Path) -> None:
    random = Random(5)
    directory = lay_out(disk / "state", crashed_state(lay_out(tmp_path / "saved", {})))
    took: list[float] = []
    with Daemon(directory) as daemon:
        client = Client(daemon, held(directory))
        for _ in range(CYCLES):
            ballast = exhaust(disk, client)
            assert daemon.request("GET", f"{CLUSTERS}/{UNTOUCHED}/keys").status == 200
            time.sleep(random.uniform(0, LONGEST))
            assert daemon.request("GET", f"{CLUSTERS}/{UNTOUCHED}/keys").status == 200
            answer = daemon.request("POST", CLUSTERS)
            assert answer.status == 503
            assert int(answer.headers["Retry-After"]) > 0
            ballast.unlink()
            room = time.monotonic()
            client.patient = True
            client.await_recovery()
            took.append(time.monotonic() - room)
            client.look()
            client.create()
            if random.random() < 0.2:
                daemon.kill()
                client.check_state(directory)
                daemon.start()
                client.look()
        assert complaints(daemon) == []
        assert daemon.terminate() == 0
    client.check_state(directory)
    print(f"{CYCLES} times full, went on after {max(took):.2f} s at most")
