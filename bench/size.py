"""
Memory and start-up time, by the number of clusters.
"""

import time
from pathlib import Path

from attrs import field, frozen

from bench import servers, state
from bench.servers import Server


@frozen
class Size:
    """
    What was measured at each start.

    :ivar clusters: how many there are, with two keys each.
    :ivar memory: the resident sets after the first answer, in MB of 10^6 bytes.
    :ivar seconds: the times from the start of the process to its first answer.
    """

    clusters: int
    memory: list[float] = field(factory=list)
    seconds: list[float] = field(factory=list)


def measure(directory: Path, *, clusters: int, repetitions: int) -> Size:
    """
    Start the daemon some times with the same clusters.

    :raises WrongAnswer: if it does not know them all.
    """
    prepared = state.prepare(directory / f"size{clusters}", clusters)
    size = Size(clusters)
    for _ in range(repetitions):
        begin = time.monotonic()
        with servers.daemon(prepared.directory) as daemon:
            daemon.wait_for(prepared.first_key(clusters - 1))
            size.seconds.append(time.monotonic() - begin)
            size.memory.append(daemon.memory())
            _check(daemon, prepared)
    return size


def _check(daemon: Server, prepared: state.Prepared) -> None:
    for number in range(0, len(prepared.pins), max(1, len(prepared.pins) // 100)):
        daemon.check(prepared.first_key(number))
        daemon.check(prepared.key(number, state.SECOND_KEY, "true"))
