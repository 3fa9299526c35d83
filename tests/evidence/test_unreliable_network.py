"""
Machines pair over a network that does its worst, or say why they did not.
"""

import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.daemon import CLUSTERS, ROOT, Daemon, environment
from tests.e2e.parallel import check_all
from tests.e2e.virtual_machine import (
    AT_ONCE,
    Command,
    Ended,
    user_data,
    virtual_machine,
)
from tests.evidence.amounts import amount

PAIRINGS = amount(6, 200)
AT_THE_SAME_TIME = amount(3, 6)
SEED = 20261121
PROXY = (sys.executable, "-m", "tests.evidence.unreliable")
ADDRESS = "10.10.25.5"
MOST_SECONDS = 300.0

FEW = ("--delay=0.1", "--jitter=0", "--tries=2")
"""So few that some give up."""

GAVE_UP = {6, 8}
"""The exit codes of one that gave up: not in time, or not reached."""


@contextmanager
def unreliable(daemon: Daemon) -> Iterator[tuple[str, Counter[str]]]:
    """
    Give the URL of a daemon over such a network, and afterwards what was done to it.
    """
    had: Counter[str] = Counter()
    with subprocess.Popen(
        [
            sys.executable,
            "-m",
            "tests.evidence.unreliable",
            str(daemon.port),
            str(SEED),
        ],
        stdout=subprocess.PIPE,
        env=environment(),
        cwd=ROOT,
    ) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}", had
        finally:
            process.terminate()
        had.update(json.loads(process.stdout.read()))


def test_all_pair_or_say_why(tmp_path: Path) -> None:
    ends: Counter[int] = Counter()

    def pair(number: int) -> None:
        pin = daemon.new_pin()
        place = tmp_path / str(number)
        place.mkdir()
        # Every other one has all the time that it needs.
        pace = AT_ONCE if number % 2 else FEW
        with (
            virtual_machine(place / "master", user_data("master", url, pin)) as master,
            virtual_machine(place / "worker", user_data("worker", url, pin)) as worker,
        ):
            waiting = worker.start("pair", *pace)
            ended = [
                at_its_end(master.start("pair", *pace, f"--address={ADDRESS}")),
                at_its_end(master.start("ready", *pace)),
                at_its_end(waiting),
            ]
            for machine, one in (master, ended[0]), (worker, ended[2]):
                if one.code == 0:
                    machine.check_patched(ADDRESS)
                else:
                    machine.check_untouched()
        for one in ended:
            check(one, patient=pace is AT_ONCE)
            ends[one.code] += 1
        if pace is AT_ONCE:
            key = daemon.request("GET", f"{CLUSTERS}/{pin}/keys/master_ip")
            assert key.text == f"master_ip: {ADDRESS}"

    with Daemon(tmp_path / "state") as daemon:
        with unreliable(daemon) as (url, had):
            numbers = list(range(PAIRINGS))
            random.Random(SEED).shuffle(numbers)
            check_all(numbers, pair, AT_THE_SAME_TIME)
        print(f"{PAIRINGS} pairings, exit codes of the agents: {dict(ends)}")
        print(f"connections: {dict(had)}")
        assert len(had) > 1
        assert daemon.terminate() == 0
        log = daemon.log.read_text()
        assert "Traceback" not in log
        assert "#critical" not in log


def at_its_end(command: Command) -> Ended:
    """
    Wait for the end of a command, which takes 15 seconds for each silent exchange.
    """
    command.process.wait(MOST_SECONDS)
    return command.finish()


def check(ended: Ended, *, patient: bool) -> None:
    """
    See to it that a command ended right, or that it had few tries and says why not.
    """
    if ended.code == 0:
        return
    assert not patient, ended.said
    assert ended.code in GAVE_UP, ended.said
    assert ended.reason.startswith("Gave up waiting for "), ended.said
