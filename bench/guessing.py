"""
``python -m bench.guessing``: whether the time of an answer tells more than the answer.

A daemon that remembers many endings is asked, one by one in a random order, for PINs
that have ended, for PINs that never were, and for such as differ from one that has
ended in their last character only. That a 410 says more than a 404 and so takes longer
is no secret: its status tells the same. What must not differ are the two kinds of 404,
and how much longer the 410 takes must not depend on how many endings there are.
"""

import argparse
import asyncio
import tempfile
import time
from pathlib import Path
from random import Random
from statistics import quantiles
from typing import Final

from bench import servers
from bench.clients import Connection
from bench.servers import Expected
from cvmpair.core.batch import Batch
from cvmpair.core.names import PIN_ALPHABET, PIN_LENGTH
from cvmpair.core.packing import pack_tombstone
from cvmpair.core.timeline import ClockMark
from cvmpair.snapshots.directory import FILE_NAME, prepare_directory
from cvmpair.snapshots.sqlite import StateFile

ENDED: Final = "410, ended"
UNKNOWN: Final = "404, unknown"
NEARLY: Final = "404, nearly"

Times = dict[str, list[float]]
"""What the answers took, in microseconds, by kind."""


def report(times: Times) -> str:
    """
    Return the percentiles of each kind, and how often it is slower than an unknown PIN.
    """
    lines = [f"{'':14}{'p10':>9}{'median':>9}{'p90':>9}  microseconds; slower than 404"]
    for name, values in times.items():
        cuts = quantiles(values, n=10)
        shown = "".join(f"{cuts[at]:9.1f}" for at in (0, 4, 8))
        share = _share_above(values, times[UNKNOWN])
        lines.append(f"{name:14}{shown}  in {share:.1%} of pairs")
    return "\n".join(lines)


def _share_above(some: list[float], others: list[float]) -> float:
    """
    Return how often one of some is above one of the others (Mann and Whitney's U).
    """
    marked = [(value, True) for value in some] + [(value, False) for value in others]
    ranks = sum(rank for rank, (_, mine) in enumerate(sorted(marked)) if mine)
    return (ranks - len(some) * (len(some) - 1) / 2) / (len(some) * len(others))


def prepare(directory: Path, count: int) -> list[str]:
    """
    Write a state that remembers so many endings, and return the PINs.
    """
    random, now = Random(count), time.time()
    mark = ClockMark(book=now, wall=now)
    prepare_directory(directory)
    file = StateFile(directory / FILE_NAME)
    file.create(mark)
    list(file.read())
    file.open()
    pins = [_draw(random) for _ in range(count)]
    records = {pin: pack_tombstone("expired", now, 7) for pin in pins}
    file.write(Batch(version=7, clusters=records, journal=dict.fromkeys(pins, 0)), mark)
    file.close()
    return pins


def _draw(random: Random) -> str:
    return "".join(random.choices(PIN_ALPHABET, k=PIN_LENGTH))


async def _ask(port: int, pins: list[str], count: int) -> Times:
    random = Random(0)
    times: Times = {ENDED: [], UNKNOWN: [], NEARLY: []}
    async with Connection(port) as connection:
        for _ in range(3 * count):
            kind = random.choice([*times])
            pin = _draw(random) if kind == UNKNOWN else random.choice(pins)
            if kind == NEARLY:
                pin = pin[:-1] + random.choice(PIN_ALPHABET.replace(pin[-1], ""))
            path = f"/api/v1/clusters/{pin}/keys/master_ip"
            begin = time.perf_counter()
            await connection.ask("GET", path, int(kind[:3]))
            times[kind].append((time.perf_counter() - begin) * 1e6)
    return times


def main() -> None:
    """
    Measure once and print the result.
    """
    parser = argparse.ArgumentParser(prog="python -m bench.guessing")
    parser.add_argument("--endings", type=int, default=100_000)
    parser.add_argument("--requests", type=int, default=10_000, help="of each kind")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cvmpair-guessing-") as name:
        directory = Path(name) / "state"
        pins = prepare(directory, given.endings)
        room = str(given.endings)
        with servers.daemon(directory, "--max-tombstones", room) as daemon:
            path = f"/api/v1/clusters/{pins[0]}"
            daemon.wait_for(Expected(path, None, status=410))
            print(f"{len(pins):,} endings, {given.requests:,} requests of each kind")
            print(report(asyncio.run(_ask(daemon.port, pins, given.requests))))
            print(f"the daemon's resident memory is {daemon.memory():.0f} MB")


if __name__ == "__main__":
    main()
