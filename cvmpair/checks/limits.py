"""
What the machine allows, and what the daemon may come to need.
"""

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, IPv6Network
from typing import Final

from attrs import frozen

from cvmpair.checks.verdict import Verdict, fail, ok, warn

OTHER_FILES: Final = 512
"""
Descriptors for the state, for clients that do not wait, and for those that are sent
away (:mod:`cvmpair.core.descriptors`).
"""

WIDEST: Final = {4: 24, 6: 64}
"""By IP version, the bits that the networks of reverse proxies have at least."""

MIB: Final = 1024 * 1024
DAEMON: Final = 60 * MIB
UNSENT: Final = 64 * MIB
"""For answers that clients do not read."""
PER_WAITER: Final = 2_700
PER_WAITER_PROTECTED: Final = 11_300
PER_WAITER_TLS: Final = 28_100
PER_CLUSTER: Final = 320
"""In bytes, as measured by ``make bench`` or by hand; a cluster of two keys."""
PER_TOMBSTONE: Final = 250
"""Of a cluster that has ended and is remembered, about."""


@frozen(kw_only=True)
class LimitFacts:
    """
    What the machine allows.

    :ivar whose: whose limit of open files it is.
    :ivar open_files: how many; ``None`` if there is no limit.
    :ivar queue: how many connections the kernel lets wait to be accepted, at most.
    :ivar memory: the bytes that are available, with those that the daemon has already.
    """

    whose: str
    open_files: int | None
    queue: int | None
    memory: int | None


def check_limits(
    facts: LimitFacts,
    *,
    waiters: int,
    clusters: int,
    tombstones: int,
    backlog: int,
    per_waiter: int = PER_WAITER,
) -> Iterator[Verdict]:
    """
    Yield the verdicts about limits.

    :param waiters: how many requests may wait at the same time.
    :param clusters: how many clusters there may be.
    :param tombstones: how many that have ended may be remembered.
    :param backlog: how many connections the daemon lets wait to be accepted.
    :param per_waiter: the bytes that each of those takes.
    """
    yield _open_files(facts, waiters)
    about = "connections to accept"
    if facts.queue is None or facts.queue >= backlog:
        yield ok(about, f"{backlog} may wait")
    else:
        yield warn(
            about,
            f"{facts.queue} may wait, and the daemon would let {backlog}",
            f"sysctl -w net.core.somaxconn={backlog}",
        )
    if facts.memory is not None:
        need = DAEMON + UNSENT + waiters * per_waiter
        need += clusters * PER_CLUSTER + tombstones * PER_TOMBSTONE
        text = f"{facts.memory // MIB} MiB available, {need // MIB} MiB may be needed"
        if facts.memory < need:
            step = (
                "lower --max-clusters, --max-tombstones or --max-waiters, or add memory"
            )
            yield warn("memory", text, step)
        else:
            yield ok("memory", text)


def bytes_per_waiter(*, tls: bool, protected: bool) -> int:
    """
    Return what a request that waits takes, of the most costly kind there can be.

    :param tls: whether an endpoint speaks TLS.
    :param protected: whether all clusters are protected.
    """
    if tls:
        return PER_WAITER_TLS
    return PER_WAITER_PROTECTED if protected else PER_WAITER


def _open_files(facts: LimitFacts, waiters: int) -> Verdict:
    about, need = "open files", waiters + OTHER_FILES
    if facts.open_files is None:
        return ok(about, f"no limit for {facts.whose}")
    text = f"{facts.open_files} for {facts.whose}, {need} may be needed"
    step = (
        f"set LimitNOFILE={need} in its unit or 'ulimit -n {need}' before its start, "
        "or lower --max-waiters"
    )
    if facts.open_files < OTHER_FILES:
        return fail(about, text, step)
    if facts.open_files < need:
        return warn(about, text, step)
    return ok(about, text)


def check_proxies(networks: Iterable[IPv4Network | IPv6Network]) -> Iterator[Verdict]:
    """
    Yield the verdicts about the networks that are believed when they say who asks.
    """
    for network in networks:
        about = f"trusted proxy {network}"
        if network.prefixlen < WIDEST[network.version]:
            yield warn(
                about,
                "whoever is in this network can pass for any address",
                "name the proxies one by one with --trusted-proxy, and let no machine "
                "that boots be among them",
            )
        else:
            yield ok(about, "believed when it says for whom it asks")
