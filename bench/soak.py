"""
``python -m bench.soak``: clusters come and go, and nothing may stay of them.

The daemon lets each expire after a minute, and remembers the last that did. Once the
first are forgotten, as many go as come, and from then on its memory and its
descriptors have to stay what they are.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from attrs import frozen

from bench import servers
from bench.clients import Connection, ask_steadily
from bench.servers import Expected, Server, WrongAnswer

LIFETIME = 60
WARM_UP = LIFETIME + 30
"""After so many seconds nothing grows any more."""

REMEMBERED = 15
"""As many clusters have a tombstone as end in so many seconds."""

ROUND = 5
"""The seconds of one round; each has connections of its own."""

CONNECTIONS = 64
TOLERANCE = 1.05
"""The memory of the last rounds may be so many times that of the first."""

CLUSTERS = "/api/v1/clusters"


@frozen(kw_only=True)
class Sample:
    """
    What the daemon had after a round, when all connections were closed.

    :ivar seconds: since the beginning.
    :ivar memory: its resident set, in MB.
    """

    seconds: float
    created: int
    memory: float
    descriptors: int


def check(samples: Sequence[Sample]) -> str:
    """
    Compare what there was after the warm-up and at the end, and say it in a line.

    :raises WrongAnswer: if it has become more.
    """
    warm = [sample for sample in samples if sample.seconds >= WARM_UP]
    third = len(warm) // 3
    if not third:
        raise WrongAnswer("too short: nothing can be compared; let more clusters come")
    first, last = warm[:third], warm[-third:]
    before, after = (max(one.memory for one in some) for some in (first, last))
    told = f"{before:.1f} MB and then {after:.1f} MB"
    if after > before * TOLERANCE:
        raise WrongAnswer(f"memory grows: {told}")
    before, after = (min(one.descriptors for one in some) for some in (first, last))
    told += f", {before} descriptors and then {after}"
    if after > before:
        raise WrongAnswer(f"descriptors are left open: {told}")
    return f"{last[-1].created} clusters came and went: {told}"


def soak(directory: Path, *, clusters: int, rate: int) -> list[Sample]:
    """
    Create so many clusters with a key each, and return what the daemon had meanwhile.

    :param rate: the clusters per second.

    :raises WrongAnswer: if one does not expire, or does so early, or is not forgotten.
    """
    samples: list[Sample] = []
    pins: list[str] = []
    options = [
        *("--pin-lifetime", str(LIFETIME)),
        *("--max-tombstones", str(rate * REMEMBERED)),
    ]
    with servers.daemon(directory / "soak", *options) as daemon:
        daemon.wait_for(Expected("/", None))
        begin = time.monotonic()
        while len(pins) < clusters:
            pins += asyncio.run(_create(daemon, rate))
            daemon.check(Expected(f"{CLUSTERS}/{pins[-1]}/keys/sesame", "sesame: one"))
            # The daemon notices in its next turn that the connections are closed.
            time.sleep(0.1)
            samples.append(
                Sample(
                    seconds=time.monotonic() - begin,
                    created=len(pins),
                    memory=daemon.memory(),
                    descriptors=daemon.descriptors(),
                )
            )
            print(samples[-1], flush=True)
            if samples[-1].seconds > WARM_UP:
                # It has come a round more than a life ago.
                ended = pins[-(LIFETIME // ROUND + 1) * rate * ROUND]
                for pin, status in (ended, 410), (pins[0], 404):
                    daemon.check(Expected(f"{CLUSTERS}/{pin}", None, status=status))
    return samples


async def _create(daemon: Server, rate: int) -> list[str]:
    pins: list[str] = []

    async def create(connection: Connection, _: int) -> None:
        pin = json.loads(await connection.ask("POST", CLUSTERS, 201))["pin"]
        form = "key=sesame&value=one"
        await connection.ask("POST", f"{CLUSTERS}/{pin}/keys", 201, form)
        pins.append(pin)

    await ask_steadily(
        daemon, create, rate=rate, seconds=ROUND, connections=CONNECTIONS
    )
    return pins


def main() -> None:
    """
    Soak, and end with an error if something has grown.
    """
    parser = argparse.ArgumentParser(
        prog="python -m bench.soak", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--clusters", type=int, default=120_000)
    parser.add_argument("--rate", type=int, default=1000, help="clusters per second")
    parser.add_argument("--directory", default="/var/tmp")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(
        prefix="cvmpair-soak-", dir=given.directory
    ) as name:
        samples = soak(Path(name).absolute(), clusters=given.clusters, rate=given.rate)
    print(check(samples))


if __name__ == "__main__":
    try:
        main()
    except WrongAnswer as error:
        sys.exit(f"soak: {error}")
