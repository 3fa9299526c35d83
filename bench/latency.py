"""
How long GETs take while clusters are created and flushed.
"""

import asyncio
import gc
import time
from pathlib import Path
from statistics import median, quantiles

from attrs import frozen

from bench import servers, state
from bench.clients import ask_steadily
from bench.figures import Figure
from bench.plan import Plan
from bench.servers import Server

CREATIONS_A_SECOND = 1000
GETS_A_SECOND = 500
CONNECTIONS = 32
"""As many ask for keys, and as many create."""

PATHS = 10_000
"""For the keys of so many clusters they ask."""

TARGET = 20.0
"""The milliseconds that 99 of 100 GETs may take at most."""


@frozen(kw_only=True)
class Latency:
    """
    What was measured.

    :ivar creations: how many a second were answered.
    :ivar waits: what each GET took, in seconds.
    """

    creations: float
    waits: list[float]

    def percentile(self, percent: int) -> float:
        """
        Return the seconds that so many of a hundred GETs took at most.
        """
        return quantiles(self.waits, n=100)[percent - 1]


def repeat(plan: Plan) -> list[Figure]:
    """
    Measure some times with as many clusters as GETs ask for.

    :raises WrongAnswer: if one answer is not the right one.
    """
    turns = [
        measure(plan.room(f"latency{turn}"), clusters=PATHS, seconds=2 * plan.seconds)
        for turn in range(plan.repetitions)
    ]
    percentiles = {
        percent: [turn.percentile(percent) * 1000 for turn in turns]
        for percent in (50, 99)
    }
    creations = [turn.creations for turn in turns]
    return [
        Figure(
            f"p99 of GETs while {CREATIONS_A_SECOND:,} clusters a second are created",
            percentiles[99],
            "{:.1f} ms",
            f"{GETS_A_SECOND} GETs a second, their median "
            f"{median(percentiles[50]):.1f} ms; {median(creations):,.0f} creations",
            at_most=TARGET,
            raw={"median, ms": percentiles[50], "creations a second": creations},
        )
    ]


def measure(
    directory: Path,
    *,
    clusters: int,
    seconds: int,
    creations_a_second: int = CREATIONS_A_SECOND,
) -> Latency:
    """
    Start the daemon with some clusters, and ask for keys of them while more come.

    :raises WrongAnswer: if one answer is not the right one.
    """
    prepared = state.prepare(directory / f"latency{clusters}", clusters)
    limit = clusters + 2 * creations_a_second * (seconds + 1)
    with servers.daemon(prepared.directory, "--max-clusters", str(limit)) as daemon:
        daemon.wait_for(prepared.first_key(0))
        return asyncio.run(_ask(daemon, prepared, seconds, creations_a_second))


async def _ask(
    daemon: Server, prepared: state.Prepared, seconds: int, creations: int
) -> Latency:
    # The pauses of this process are not those of the daemon.
    gc.freeze()
    gc.disable()
    count = min(len(prepared.pins), PATHS)
    paths = [prepared.first_key(number).path for number in range(count)]
    begin = time.monotonic()
    waits, created = await asyncio.gather(
        ask_steadily(
            daemon,
            lambda one, number: one.ask("GET", paths[number % count], 200),
            rate=GETS_A_SECOND,
            seconds=seconds,
            connections=CONNECTIONS,
        ),
        ask_steadily(
            daemon,
            lambda one, _: one.ask("POST", "/api/v1/clusters", 201),
            rate=creations,
            seconds=seconds,
            connections=CONNECTIONS,
        ),
    )
    gc.enable()
    return Latency(creations=len(created) / (time.monotonic() - begin), waits=waits)
