"""
Memory, start-up time and speed with very many clusters, beside a Redis that holds as
many hashes.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from attrs import Factory, frozen

from bench import peers, servers, state
from bench.figures import Figure, ratios
from bench.load import run
from bench.plan import FULL, Plan
from bench.servers import Expected, Server

SAMPLE = 100_000
"""So many clusters are asked for, spread over all."""

MEMORY_TARGET = 420
START_TARGET = 6.0
SPEED_TARGET = 0.9

_LOADED = Expected("PING", "+PONG")


@frozen
class Size:
    """
    What was measured at each start.

    :ivar memory: the resident sets after the first answer, in MB of 10^6 bytes.
    :ivar seconds: the times from the start of the process to its first answer.
    :ivar rates: requests per second.
    """

    memory: list[float] = Factory(list)
    seconds: list[float] = Factory(list)
    rates: list[float] = Factory(list)


def measure(plan: Plan) -> list[Figure]:
    """
    Start each of them some times with the same clusters.

    :raises WrongAnswer: if one does not know them all.
    """
    room = plan.room("size")
    full = state.shared(plan.directory, plan.clusters)
    empty = state.shared(plan.directory, 1)
    ours, none, theirs = Size(), Size(), Size()
    if "redis" in plan.peers:
        _fill_redis(room, full)
    for _ in range(plan.repetitions):
        start(empty, room, plan.seconds, none)
        start(full, room, plan.seconds, ours)
        if "redis" in plan.peers:
            _start_redis(room, full, theirs)
    return _figures(plan, ours, none, theirs)


def start(prepared: state.Prepared, room: Path, seconds: int, size: Size) -> None:
    """
    Start the daemon, measure it, and end it.
    """
    paths = room / "paths"
    sample = _sample(prepared)
    paths.write_text("".join(f"{prepared.first_key(n).path}\n" for n in sample))
    begin = time.monotonic()
    with servers.daemon(prepared.directory) as daemon:
        daemon.wait_for(prepared.first_key(len(prepared.pins) - 1))
        size.seconds.append(time.monotonic() - begin)
        size.memory.append(daemon.memory())
        _check(daemon, prepared)
        run(daemon, "get.lua", "/", 1, paths)  # warms up
        size.rates.append(run(daemon, "get.lua", "/", seconds, paths).rate)


def _sample(prepared: state.Prepared) -> Sequence[int]:
    return range(0, len(prepared.pins), max(1, len(prepared.pins) // SAMPLE))


def _check(daemon: Server, prepared: state.Prepared) -> None:
    for number in range(0, len(prepared.pins), max(1, len(prepared.pins) // 100)):
        daemon.check(prepared.first_key(number))
        daemon.check(prepared.key(number, state.SECOND_KEY, "true"))


def _fill_redis(room: Path, prepared: state.Prepared) -> None:
    commands = room / "commands"
    with commands.open("w") as file:
        for number, pin in enumerate(prepared.pins):
            first = f"{state.FIRST_KEY} {state.address(number)}"
            file.write(f"HSET {pin} {first} {state.SECOND_KEY} true\r\n")
    with peers.redis(room) as redis:
        redis.wait_for(_LOADED)
        redis.fill(commands)
    commands.unlink()


def _start_redis(room: Path, prepared: state.Prepared, size: Size) -> None:
    begin = time.monotonic()
    with peers.redis(room) as redis:
        redis.wait_for(_LOADED)
        size.seconds.append(time.monotonic() - begin)
        size.memory.append(redis.memory())
        redis.wait_for(Expected("DBSIZE", f":{len(prepared.pins)}"))


def _figures(plan: Plan, ours: Size, none: Size, theirs: Size) -> list[Figure]:
    full = plan.clusters == FULL["clusters"]
    what = f"{plan.clusters:,} clusters of two keys"
    figures = [
        Figure(
            f"resident set with {what}",
            ours.memory,
            "{:.0f} MB",
            at_most=MEMORY_TARGET if full else None,
        ),
        Figure(
            f"start to first answer with {what}",
            ours.seconds,
            "{:.2f} s",
            at_most=START_TARGET if full else None,
        ),
        Figure(
            f"GET of a key with {what}: ratio to a daemon with one",
            ratios(ours.rates, none.rates),
            "{:.2f}",
            f"{median(ours.rates):,.0f}/s to {median(none.rates):,.0f}/s",
            at_least=SPEED_TARGET if full else None,
            raw={what: ours.rates, "one cluster": none.rates},
        ),
    ]
    if theirs.memory:
        hashes = f"{plan.clusters:,} hashes of two fields in Redis"
        figures += [
            Figure(f"resident set with {hashes}", theirs.memory, "{:.0f} MB"),
            Figure(f"start to first answer with {hashes}", theirs.seconds, "{:.2f} s"),
        ]
    return figures
