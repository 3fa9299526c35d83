"""
The ledger: kill the daemon again and again while clients write, and see whether
anything is lost that they were told.

::

    python -m tests.e2e.ledger --cycles 1000
"""

import argparse
import atexit
import http.client
import json
import secrets
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from math import inf
from pathlib import Path
from random import Random

from attrs import define, field

from tests import logs
from tests.e2e.daemon import CLUSTERS, Daemon
from tests.e2e.readers import Reader, Waiter
from tests.e2e.reckoning import Keys, reckon
from tests.e2e.writers import GONE, Birth, Writer

WRITERS = 8
WAITERS = 4
INTERVAL = 0.3
"""The seconds between two snapshots, where it is not ``synced``."""

FLUSH = 2.0
"""The seconds that a flush may take on a busy machine."""

LIFETIMES = (86400.0, 5.0, 86400.0)
"""How many seconds clusters live: from one start to the next another time."""

LATE = 10.0
"""The seconds that a cluster may be there after its end, on a busy machine."""

SAMPLE = 25
"""How many clusters that were not touched lately are looked at each time."""


@define(eq=False)
class Account:
    """
    What one writer has, and what it had once.
    """

    state: dict[str, Keys] = field(factory=dict)
    gone: dict[str, None] = field(factory=dict)


@define(eq=False)
class Ledger:
    """
    One daemon on one state directory, and the books of its writers.

    :ivar faults: all that was wrong so far.
    """

    state_dir: Path
    durability: str = "synced"
    seed: int = 0
    log: Path = field(factory=lambda: logs.new_log("ledger"))
    faults: list[str] = field(init=False, factory=list)
    cycles: int = field(init=False, default=0)
    told: int = field(init=False, default=0)
    seen: int = field(init=False, default=0)
    untold: int = field(init=False, default=0)
    woken: int = field(init=False, default=0)
    seen_waiting: int = field(init=False, default=0)
    expired: int = field(init=False, default=0)
    looked_at: int = field(init=False, default=0)
    daemon: Daemon = field(init=False)
    _random: Random = field(init=False)
    _accounts: list[Account] = field(init=False)
    _births: dict[str, Birth] = field(init=False, factory=dict)

    def __attrs_post_init__(self) -> None:
        self.daemon = Daemon(self.state_dir, log=self.log)
        self._random = Random(self.seed)
        self._accounts = [Account() for _ in range(WRITERS)]

    @property
    def summary(self) -> str:
        """
        The whole of it in one line.
        """
        clusters = sum(len(account.state) for account in self._accounts)
        return (
            f"ledger: {self.cycles} cycles {self.durability} seed {self.seed}: "
            f"{self.told} changes told, {self.seen} of them first by a read and "
            f"{self.seen_waiting} to who waited, {self.woken} waiters woken, "
            f"{self.untold} in flight; {clusters} clusters at the end, "
            f"{self.expired} expired, {self.looked_at} looked at; "
            f"{len(self.faults)} faults"
        )

    def cycle(
        self,
        number: signal.Signals = signal.SIGKILL,
        meanwhile: Callable[[], None] = lambda: None,
    ) -> None:
        """
        Let the writers write, end the daemon at a random moment, start it again,
        and compare.

        :param number: the signal that ends it.
        :param meanwhile: is called while no daemon runs.
        """
        if self.daemon.process is None:
            self._start()
        writers = [self._writer(i, account) for i, account in enumerate(self._accounts)]
        reader = Reader(self.daemon.port, Random(self._random.random()), writers)
        waiters = [
            Waiter(self.daemon.port, Random(self._random.random()), writers)
            for _ in range(WAITERS)
        ]
        clients = (*writers, reader, *waiters)
        for client in clients:
            client.start()
        orderly = number != signal.SIGKILL
        grace = 0.0 if orderly or self.durability == "synced" else INTERVAL + FLUSH
        time.sleep(grace + self._random.uniform(0.005, 0.5))
        ended = time.monotonic()
        status = self.daemon.end(number)
        if orderly and status != 0:
            self.faults.append(f"exit status {status} after {number.name}")
        for client in clients:
            client.join()
        meanwhile()
        self.cycles += 1
        self._start()
        due = ended - grace if grace else inf
        for account, writer in zip(self._accounts, writers, strict=True):
            self._settle(account, writer, due)
        self.seen += reader.seen
        self.seen_waiting += sum(waiter.seen for waiter in waiters)
        self.woken += sum(waiter.woken for waiter in waiters)

    def close(self) -> None:
        """
        Look at every cluster there ever was, and end the daemon.
        """
        for account in self._accounts:
            begun = time.monotonic()
            found = self._look([*account.state, *account.gone])
            self._bury(account, found, begun)
            self.faults += reckon(account.state, [], found)
        self.daemon.end(signal.SIGTERM)

    @property
    def _lifetime(self) -> float:
        return LIFETIMES[self.cycles % len(LIFETIMES)]

    def _start(self) -> None:
        self.daemon.options = [
            f"--durability={self.durability}",
            f"--snapshot-interval={INTERVAL}",
            f"--pin-lifetime={self._lifetime:g}s",
        ]
        self.daemon.start()

    def _writer(self, number: int, account: Account) -> Writer:
        random = Random(self._random.random())
        name = f"{self.cycles}-{number}"
        state, births = dict(account.state), self._births
        return Writer(self.daemon.port, random, name, state, self._lifetime, births)

    def _settle(self, account: Account, writer: Writer, due: float) -> None:
        told = sum(change.told is not None for change in writer.changes)
        self.told += told
        self.untold += len(writer.changes) - told
        touched = {change.pin for change in writer.changes}
        others = [pin for pin in account.state if pin not in touched]
        others += [pin for pin in account.gone if pin not in touched]
        sample = self._random.sample(others, min(SAMPLE, len(others)))
        begun = time.monotonic()
        found = self._look([*touched, *sample])
        over = self._bury(account, found, begun)
        changes = [change for change in writer.changes if change.pin not in over]
        self.faults += reckon(account.state, changes, found, due)
        for pin in touched - over:
            keys = found[pin]
            if keys is None:
                account.state.pop(pin, None)
                account.gone[pin] = None
            else:
                account.state[pin] = keys

    def _bury(
        self, account: Account, found: dict[str, Keys | None], begun: float
    ) -> set[str]:
        """
        Take those out of what was found that have expired, and return them.

        :param begun: when it was begun to look.
        """
        over = set()
        for pin, keys in found.items():
            birth = self._births[pin]
            if keys is None and birth.may_be_over() and pin not in account.gone:
                over.add(pin)
            elif keys is not None and begun > birth.latest + birth.lifetime + LATE:
                self.faults.append(f"cluster {pin}: alive after it has expired")
        for pin in over:
            del found[pin]
            account.state.pop(pin, None)
            account.gone[pin] = None
        self.expired += len(over)
        return over

    def _look(self, pins: Iterable[str]) -> dict[str, Keys | None]:
        connection = http.client.HTTPConnection("127.0.0.1", self.daemon.port)
        found: dict[str, Keys | None] = {}
        for pin in pins:
            connection.request("GET", f"{CLUSTERS}/{pin}/keys")
            response = connection.getresponse()
            body = json.loads(response.read())
            if response.status == 200:
                found[pin] = {key["key"]: key["value"] for key in body}
            else:
                assert response.status in GONE
                found[pin] = None
        connection.close()
        self.looked_at += len(found)
        return found


def main() -> int:
    """
    Run the ledger by hand.
    """
    atexit.register(logs.remove)
    parser = argparse.ArgumentParser(description="Kill the daemon again and again.")
    parser.add_argument("--cycles", type=int, default=20)
    parser.add_argument(
        "--durability", default="synced", choices=["synced", "periodic"]
    )
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cvmpair-ledger-") as directory:
        ledger = Ledger(
            Path(directory) / "state",
            arguments.durability,
            arguments.seed,
            Path(directory) / "daemon.log",
        )
        with ledger.daemon:
            while ledger.cycles < arguments.cycles and not ledger.faults:
                ledger.cycle()
            ledger.close()
    print(ledger.summary)
    for fault in ledger.faults:
        print(fault)
    return 1 if ledger.faults else 0


if __name__ == "__main__":
    sys.exit(main())
