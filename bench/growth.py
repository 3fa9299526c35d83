"""
How cost grows, by the number of clusters and of waiters.
"""

import asyncio
from collections.abc import Sequence
from functools import partial

from bench import peers, servers, state
from bench.figures import Curve
from bench.plan import Plan
from bench.servers import Expected, Server
from bench.size import Size, start
from bench.speed import OURS
from bench.waiting import Held, Rounds, cvmpair_round, etcd_round, hold

CLUSTERS = (1, 10, 100, 1000, 10_000, 100_000, 1_000_000)
WAITERS = (10, 30, 100, 300, 1000, 3000, 10_000, 15_000)
TIMES = 3
"""How often each is measured, at most."""


def measure(plan: Plan) -> list[Curve]:
    """
    Measure at each size up to that of the plan; waiters half as many again.
    """
    return [*_by_clusters(plan), *_by_waiters(plan)]


def _by_clusters(plan: Plan) -> list[Curve]:
    room = plan.room("growth-clusters")
    sizes = {count: Size() for count in CLUSTERS if count <= plan.clusters}
    for _ in range(min(TIMES, plan.repetitions)):
        for count, size in sizes.items():
            start(state.shared(plan.directory, count), room, 1, size)
    return [
        Curve(
            "speed with many clusters",
            "clusters held",
            "GETs of a key per second",
            OURS,
            {count: size.rates for count, size in sizes.items()},
        ),
        Curve(
            "start with many clusters",
            "clusters held",
            "seconds to the first answer",
            OURS,
            {count: size.seconds for count, size in sizes.items()},
        ),
    ]


def _by_waiters(plan: Plan) -> list[Curve]:
    room = plan.room("growth-waiters")
    counts = [count for count in WAITERS if count <= plan.waiters * 1.5]
    tries = counts * min(TIMES, plan.repetitions)
    prepared = state.prepare(room / "state", len(tries))
    with servers.daemon(prepared.directory) as daemon:
        known = prepared.first_key(0)
        daemon.wait_for(known)
        rounds = [partial(cvmpair_round, pin) for pin in prepared.pins]
        curves = [_waking(OURS, daemon, known, tries, rounds)]
    if "etcd" in plan.peers:
        with peers.etcd(room) as etcd:
            known = peers.ETCD_HEALTHY
            etcd.wait_for(known)
            rounds = [partial(etcd_round, pin) for pin in prepared.pins]
            curves.append(_waking("etcd", etcd, known, tries, rounds))
    return curves


def _waking(
    label: str,
    server: Server,
    known: Expected,
    tries: Sequence[int],
    rounds: Sequence[Rounds],
) -> Curve:
    held = {count: Held() for count in tries}
    for count, each in zip(tries, rounds, strict=True):
        asyncio.run(hold(server, known, each, count, held[count]))
    points = {count: values.told for count, values in held.items()}
    return Curve(
        "waking many waiters",
        "waiters on one key",
        "seconds to wake all",
        label,
        points,
    )
