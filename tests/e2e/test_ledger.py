"""
Nothing that a client was told is lost when the daemon is stopped, or is killed while
it promises less; ``tests/evidence`` has the greater promise.
"""

import secrets
import shutil
import signal
from pathlib import Path

import pytest

from tests.e2e.ledger import Ledger


def check(ledger: Ledger) -> None:
    """
    See to it that nothing is wrong, and that there was something to go wrong.
    """
    ledger.close()
    assert ledger.faults == [], ledger.summary
    assert ledger.told > 20
    print(ledger.summary)


def new_ledger(tmp_path: Path, durability: str) -> Ledger:
    return Ledger(tmp_path / "state", durability, secrets.randbelow(10**6))


def test_periodic_loses_nothing_older_than_the_interval(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path, "periodic")
    with ledger.daemon:
        for _ in range(2):
            ledger.cycle()
        check(ledger)


@pytest.mark.parametrize("durability", ["synced", "periodic"])
def test_an_orderly_stop_loses_nothing(tmp_path: Path, durability: str) -> None:
    ledger = new_ledger(tmp_path, durability)
    with ledger.daemon:
        for number in signal.SIGTERM, signal.SIGINT:
            ledger.cycle(number)
        check(ledger)
    log = ledger.log.read_text()
    assert log.count("PairingDaemon#info] stopping") == 3
    assert log.count("PairingDaemon#info] stopped") == 3


def test_the_ledger_bites(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path, "synced")
    state, copy = ledger.state_dir, tmp_path / "copy"

    def save() -> None:
        shutil.copytree(state, copy)

    def restore() -> None:
        shutil.rmtree(state)
        copy.rename(state)

    with ledger.daemon:
        ledger.cycle(meanwhile=save)
        ledger.cycle()
        ledger.cycle()
        assert ledger.faults == []
        ledger.cycle(meanwhile=restore)
        assert any("lost" in fault for fault in ledger.faults)
