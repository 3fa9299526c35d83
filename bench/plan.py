"""
How much is measured.
"""

from collections.abc import Collection
from pathlib import Path

from attrs import frozen


@frozen(kw_only=True)
class Plan:
    """
    What all parts of the benchmark have to know.

    :ivar directory: on the disk that the state is to use.
    :ivar seconds: the length of each run of wrk.
    :ivar repetitions: how often each figure is measured.
    :ivar clusters: the most clusters that a daemon holds.
    :ivar waiters: how many wait on one key.
    :ivar agents: how many agents wait for one master.
    :ivar peers: those that the daemon is compared with, beside the bare resource.
    """

    directory: Path
    seconds: int
    repetitions: int
    clusters: int
    waiters: int
    agents: int
    peers: Collection[str]

    def room(self, name: str) -> Path:
        """
        Return a new directory for one part.
        """
        room = self.directory / name
        room.mkdir()
        return room


FULL = {
    "seconds": 2,
    "repetitions": 5,
    "clusters": 1_000_000,
    "waiters": 10_000,
    "agents": 200,
}
"""
What the targets are meant for.
"""

QUICK = {
    "seconds": 1,
    "repetitions": 2,
    "clusters": 100_000,
    "waiters": 2_000,
    "agents": 20,
}
