"""
Many clients that wait for one key: how soon they are told, what they weigh, and how
they come back when the daemon is killed.
"""

import asyncio
import time
from collections.abc import Callable
from functools import partial
from statistics import median

from attrs import Factory, frozen

from bench import peers, servers, state
from bench.figures import Figure, ratios
from bench.plan import FULL, Plan
from bench.prober import Prober
from bench.servers import Expected, Server
from bench.speed import OURS
from bench.waiters import Question, Waiters

JITTER = 5.0
"""Clients whose daemon was killed come back within so many seconds."""

WAKE_TARGET = 0.2
RETURN_TARGET = 10.0

VALUE = "10.0.0.1"


@frozen
class Round:
    """
    What all wait for, and the request that ends it.
    """

    question: Question
    write: bytes


Rounds = Callable[[str], Round]


@frozen
class Held:
    """
    What a server took to hold its waiters, a value for each turn.

    :ivar told: the seconds from a write to the last answer.
    :ivar memory: KB of 10^3 bytes for each waiter.
    """

    told: list[float] = Factory(list)
    memory: list[float] = Factory(list)


@frozen
class Crash:
    """
    What was measured when the daemon was killed, in seconds, a value for each turn.

    :ivar down: until it answered again.
    :ivar waiting: until all waited again.
    :ivar slowest: the longest that another client had to wait for an answer after that.
    """

    down: list[float] = Factory(list)
    waiting: list[float] = Factory(list)
    slowest: list[float] = Factory(list)


def cvmpair_round(pin: str, name: str) -> Round:
    """
    Return a round in which the daemon is asked for a key that does not exist yet.
    """
    path = f"/api/v1/clusters/{pin}/keys"
    return Round(
        Question(
            _request(f"GET {path}/{name}", "Accept: text/plain", "Prefer: wait=300"),
            f"{name}: {VALUE}".encode(),
        ),
        _request(f"POST {path}", body=f"key={name}&value={VALUE}"),
    )


def etcd_round(pin: str, name: str) -> Round:
    """
    Return a round with the API v2 of etcd.
    """
    path = f"/v2/keys/{pin}/{name}"
    return Round(
        Question(
            _request(f"GET {path}?wait=true"),
            f'"value":"{VALUE}"'.encode(),
            head_first=True,
        ),
        _request(f"PUT {path}", body=f"value={VALUE}"),
    )


def measure(plan: Plan) -> list[Figure]:
    """
    Let each server hold its waiters in turn.

    :raises WrongAnswer: if one is refused, is told something else or nothing.
    """
    room = plan.room("waiting")
    prepared = state.prepare(room / "state", plan.repetitions)
    ours, theirs, crash = Held(), Held(), Crash()
    for turn, pin in enumerate(prepared.pins):
        with servers.daemon(prepared.directory) as daemon:
            known = prepared.first_key(turn)
            daemon.wait_for(known)
            rounds = partial(cvmpair_round, pin)
            asyncio.run(hold(daemon, known, rounds, plan.waiters, ours))
            asyncio.run(_kill(daemon, known, rounds("crash"), plan.waiters, crash))
        if "etcd" in plan.peers:
            with peers.etcd(plan.room(f"etcd{turn}")) as etcd:
                etcd.wait_for(peers.ETCD_HEALTHY)
                rounds = partial(etcd_round, pin)
                asyncio.run(
                    hold(etcd, peers.ETCD_HEALTHY, rounds, plan.waiters, theirs)
                )
    return _figures(plan, ours, theirs, crash)


async def hold(
    server: Server, known: Expected, rounds: Rounds, count: int, held: Held
) -> None:
    """
    Let so many clients wait for one key to warm up, and then for another.
    """
    before = server.memory()
    with Waiters(server.port) as waiters:
        part = rounds("warm-up")
        # When a later request is answered, the server has read what came before.
        await waiters.join(count, part.question, lambda: server.check(known))
        held.memory.append((server.memory() - before) * 1000 / count)
        await waiters.wake(part.write)
        part = rounds("measured")
        await waiters.ask(part.question)
        server.check(known)
        held.told.append(await waiters.wake(part.write))


async def _kill(
    daemon: Server, known: Expected, part: Round, count: int, crash: Crash
) -> None:
    with Waiters(daemon.port, jitter=JITTER) as waiters:
        await waiters.join(count, part.question, lambda: daemon.check(known))
        begin = time.monotonic()
        daemon.restart()
        with Prober(daemon, known) as prober:
            await waiters.come_back(count)
            await asyncio.to_thread(daemon.check, known)
            crash.waiting.append(time.monotonic() - begin)
        crash.down.append(prober.first - begin)
        crash.slowest.append(max(prober.latencies))
        await waiters.wake(part.write)


def _request(line: str, *headers: str, body: str = "") -> bytes:
    lines = [f"{line} HTTP/1.1", "Host: 127.0.0.1", *headers]
    if body:
        lines.append("Content-Type: application/x-www-form-urlencoded")
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", body]).encode()


def _figures(plan: Plan, ours: Held, theirs: Held, crash: Crash) -> list[Figure]:
    full = plan.waiters == FULL["waiters"]
    waiters = f"{plan.waiters:,} waiters"
    raw = {f"{OURS}, seconds": ours.told, "etcd, seconds": theirs.told}
    figures = [
        Figure(
            f"{waiters} on one key: write sent to last answer",
            ours.told,
            "{:.3f} s",
            at_most=WAKE_TARGET if full else None,
        ),
        Figure(f"memory for each of {waiters}", ours.memory, "{:.1f} KB", at_most=4),
    ]
    if theirs.told:
        figures[1:1] = [
            Figure(
                f"{waiters} on one key: etcd's time to ours",
                ratios(theirs.told, ours.told),
                "{:.2f}",
                f"{median(theirs.told):.3f} s to {median(ours.told):.3f} s",
                at_least=1.0,
                raw=raw,
            )
        ]
        figures.append(
            Figure(f"memory for each of {waiters} in etcd", theirs.memory, "{:.1f} KB")
        )
    return [
        *figures,
        Figure(
            f"{waiters} whose daemon is killed: until all wait again",
            crash.waiting,
            "{:.1f} s",
            f"they come back within {JITTER:g} s; it answers others after "
            f"{median(crash.down):.1f} s, then within {max(crash.slowest):.2f} s",
            at_most=RETURN_TARGET if full else None,
            raw={"down": crash.down, "slowest answer to others": crash.slowest},
        ),
    ]
