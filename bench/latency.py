"""
How long a GET takes while clusters are created and flushed.

Requests are sent when they are due, not when the one before is answered, and their
time counts from then: a pause of the daemon shows in all that it delays.
"""

import asyncio
from statistics import median, quantiles

from attrs import define, field

from bench import servers, state
from bench.figures import Figure
from bench.plan import Plan
from bench.servers import PATIENCE, WrongAnswer
from bench.speed import CLUSTERS

HELD = 10_000
"""How many clusters there are to begin with."""

CREATIONS = 1000
GETS = 1000
"""Requests per second."""

CONNECTIONS = 16
TARGET = 20.0


def measure(plan: Plan) -> list[Figure]:
    """
    Create clusters and ask for a key, both at a fixed rate.

    :raises WrongAnswer: if a request is refused, or a cluster lost.
    """
    room = plan.room("latency")
    prepared = state.prepare(room / "state", HELD)
    path = prepared.first_key(HELD - 1).path
    p50, p99, slowest = [], [], []
    with servers.daemon(prepared.directory) as daemon:
        daemon.wait_for(prepared.first_key(0))
        for turn in range(plan.repetitions + 1):
            latencies = asyncio.run(_load(daemon.port, path, 2 * plan.seconds))
            if turn > 0:  # the first one warms up
                cuts = quantiles(latencies, n=100)
                p50.append(cuts[49])
                p99.append(cuts[98])
                slowest.append(max(latencies))
    created = CREATIONS * 2 * plan.seconds * (plan.repetitions + 1)
    kept, _ = state.count_kept(prepared.directory)
    if kept != HELD + created:
        raise WrongAnswer(f"{HELD + created} clusters were created, {kept} kept")
    return [
        Figure(
            f"p99 of GETs while {CREATIONS:,} clusters a second are created",
            p99,
            "{:.1f} ms",
            f"{GETS:,} GETs a second; median {median(p50):.1f} ms, "
            f"slowest {max(slowest):.0f} ms",
            at_most=TARGET,
            raw={"median": p50, "slowest": slowest},
        )
    ]


@define(eq=False)
class Pool:
    """
    Connections that send the same request at a fixed rate.

    :ivar latencies: milliseconds from when a request was due to its whole answer.
    """

    port: int
    request: bytes
    status: bytes
    latencies: list[float] = field(init=False, factory=list)

    async def run(self, rate: int, seconds: int) -> None:
        """
        Send requests for so many seconds, and wait for all answers.
        """
        free: asyncio.LifoQueue[Connection] = asyncio.LifoQueue()
        for _ in range(CONNECTIONS):
            free.put_nowait(await asyncio.open_connection("127.0.0.1", self.port))
        now = asyncio.get_running_loop().time
        begin = now()
        asked = []
        for number in range(rate * seconds):
            due = begin + number / rate
            if due > now():
                await asyncio.sleep(due - now())
            asked.append(asyncio.create_task(self._ask(free, due)))
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*asked)
        while not free.empty():
            free.get_nowait()[1].close()

    async def _ask(self, free: "asyncio.LifoQueue[Connection]", due: float) -> None:
        reader, writer = connection = await free.get()
        writer.write(self.request)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 " + self.status):
            raise WrongAnswer(f"not {self.status!r} but {head!r}")
        length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        await reader.readexactly(int(length))
        self.latencies.append((asyncio.get_running_loop().time() - due) * 1000)
        free.put_nowait(connection)


Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _load(port: int, path: str, seconds: int) -> list[float]:
    host = "HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    gets = Pool(port, f"GET {path} {host}\r\n".encode(), b"200 ")
    create = f"POST {CLUSTERS} {host}Content-Length: 0\r\n\r\n"
    creations = Pool(port, create.encode(), b"201 ")
    await asyncio.gather(gets.run(GETS, seconds), creations.run(CREATIONS, seconds))
    return gets.latencies
