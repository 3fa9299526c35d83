"""
The daemon is killed again and again: nothing that a client was told is lost, whether
it has changed, read or waited for it.
"""

import secrets
from pathlib import Path

from tests.e2e.ledger import Ledger
from tests.evidence.amounts import amount

CYCLES = amount(ci=50, full=1000)


def test_nothing_that_was_told_is_lost(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "state", seed=secrets.randbelow(10**6))
    with ledger.daemon:
        for _ in range(CYCLES):
            ledger.cycle()
            assert ledger.faults == [], ledger.summary
        ledger.close()
    print(ledger.summary)
    assert ledger.faults == [], ledger.summary
    # There was something to go wrong: requests that were cut off, changes that were
    # seen before they were acknowledged, and ends that came by themselves.
    assert ledger.told > 10 * CYCLES
    assert min(ledger.untold, ledger.seen, ledger.seen_waiting, ledger.expired) > 0
