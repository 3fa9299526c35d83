"""
Eight clients share keys while the daemon is killed: each key behaves as if there were
one copy of it, and what was compared and set, read or deleted in some order.
"""

import secrets
import threading
import time
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from tests.e2e.daemon import Daemon
from tests.evidence import history
from tests.evidence.amounts import amount
from tests.evidence.history import Histories, User
from tests.evidence.linearizability import Outcome, linearizable
from tests.logs import MARKER

CLIENTS = 8
KEYS = 10
LENGTH = 50
HISTORIES = amount(ci=20, full=1000)


def one_round(daemon: Daemon, random: Random) -> Histories:
    """
    Have clients do their operations, with two kills among them.
    """
    keys = [f"{MARKER}-{number}" for number in range(KEYS)]
    histories = Histories(daemon, daemon.new_pin(), keys, LENGTH)
    users = [
        User(histories, number, Random(random.random())) for number in range(CLIENTS)
    ]
    threads = [threading.Thread(target=user.run, daemon=True) for user in users]
    # Two kills for one key would leave so much unknown that nobody can try it all.
    moments = [random.randrange(300, 450), random.randrange(50, 200)]
    for thread in threads:
        thread.start()
    for moment in moments:
        while histories.left > moment and any(map(threading.Thread.is_alive, threads)):
            time.sleep(0.0005)
        if histories.failures:
            break
        daemon.kill()
        daemon.start()
    for thread in threads:
        thread.join()
    for failure in histories.failures:
        raise failure
    return histories


def test_each_key_behaves_like_one_copy(tmp_path: Path) -> None:
    seed = secrets.randbelow(10**6)
    random = Random(seed)
    outcomes: Counter[str] = Counter()
    with Daemon(tmp_path / "state") as daemon:
        for _ in range(HISTORIES // KEYS):
            done = one_round(daemon, random)
            assert not done.confused, f"a tag stands for two values, seed {seed}"
            for key, operations in done.histories.items():
                assert len(operations) == LENGTH
                assert linearizable(operations), f"{key}, seed {seed}: {operations}"
                outcomes.update(
                    f"{one.kind.value}{' if' * bool(one.expected)}: {one.outcome.value}"
                    for one in operations
                )
    print(f"{HISTORIES} histories, seed {seed}: {dict(outcomes)}")
    # All that can be told was told, and some clients were told nothing.
    told = {outcome.rpartition(" ")[2] for outcome in outcomes}
    assert told == {outcome.value for outcome in Outcome}


def test_a_status_that_is_not_documented_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if there were none, so all clients end at once.
    monkeypatch.setattr(history, "OUTCOMES", {})
    with Daemon(tmp_path / "state") as daemon, pytest.raises(KeyError):
        one_round(daemon, Random(1))
