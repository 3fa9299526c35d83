"""
The addresses at which the daemon is to listen.
"""

from collections.abc import Iterator, Sequence
from errno import EACCES, EADDRINUSE, EADDRNOTAVAIL
from typing import Final

from attrs import frozen

from cvmpair.checks.verdict import Verdict, fail, ok, warn

PORTS: Final = range(1 << 16)

_STEPS: Final = {
    EACCES: "name a port from 1024 on, have systemd hold it (see cvmpair.socket), or "
    "give the daemon CAP_NET_BIND_SERVICE",
    EADDRNOTAVAIL: "name an address of this machine as interface, or leave it out",
}


@frozen(kw_only=True)
class ListenFacts:
    """
    What was found out about one address.

    :ivar option: the option that names it.
    :ivar words: the endpoint string.
    :ivar is_default: whether nobody has named it.
    :ivar port: ``None`` for a UNIX socket.
    :ivar first_free: the first port that needs no privilege.
    :ivar user: the name of the user who asks.
    :ivar owner: that of the daemon's, as far as it is known.
    :ivar error: the errno with which it cannot be bound, or 0.
    :ivar reason: what the system says about that.
    :ivar holders: the processes that listen there, by their ids, as far as this user
        may see them.
    :ivar daemon: the process of the daemon, if it runs.
    :ivar is_own: whether it is the daemon that listens there.
    :ivar readiness: what the daemon says there against its being able to save; empty if
        nothing, and ``None`` if it was not asked.
    """

    option: str
    words: str
    is_default: bool = False
    port: int | None = None
    first_free: int = 1024
    user: str
    owner: str = ""
    error: int = 0
    reason: str = ""
    holders: tuple[tuple[int, str], ...] = ()
    daemon: int | None = None
    is_own: bool = False
    readiness: str | None = None


def check_listening(addresses: Sequence[ListenFacts]) -> Iterator[Verdict]:
    """
    Yield the verdict about each address.
    """
    for facts in addresses:
        yield _verdict(f"{facts.option} {facts.words}", facts)


def check_saving(
    addresses: Sequence[ListenFacts], *, runs: bool, tried: bool
) -> Iterator[Verdict]:
    """
    Yield the verdict about whether a daemon that runs can save.

    :param runs: whether there is one.
    :param tried: whether something else has it save.
    """
    told = [facts.readiness for facts in addresses if facts.readiness is not None]
    if any(told):
        yield fail(
            "saving",
            f"the daemon cannot save: {next(filter(None, told))}",
            "read what its log says about it, and see whether its disk is full",
        )
    elif told:
        yield ok("saving", "the daemon has saved something just now")
    elif runs and not tried:
        yield warn(
            "saving",
            "nobody has asked the daemon whether it can save",
            "name its --admin-listen after --, or use --try, which creates a PIN",
        )


def _verdict(about: str, facts: ListenFacts) -> Verdict:
    port, user = facts.port, facts.user
    if port is not None and port not in PORTS:
        return fail(about, f"there is no port {port}", f"name one up to {PORTS[-1]}")
    if facts.is_own:
        return ok(about, f"held by the daemon, process {facts.daemon}")
    if facts.error == EADDRINUSE:
        return _in_use(about, facts)
    if facts.error:
        step = "" if port is None else _STEPS.get(facts.error, "")
        return fail(
            about,
            f"cannot be bound as {user}: {facts.reason}",
            step or f"see to it that {user} can listen there, or name another",
        )
    privileged = port is not None and 0 < port < facts.first_free
    if privileged and user == "root" and facts.owner not in {"", "root"}:
        text = f"free, but for root only, and the daemon runs as {facts.owner}"
        return warn(about, text, _STEPS[EACCES])
    return ok(about, "free")


def _in_use(about: str, facts: ListenFacts) -> Verdict:
    if facts.holders:
        names = (f"process {process} ({name})" for process, name in facts.holders)
        text = f"held by {', '.join(names)}"
    elif facts.daemon is not None:
        text = f"in use, perhaps by the daemon: {facts.user} cannot see by whom"
        return warn(about, text, "ask as root, or as the user whom the daemon runs as")
    else:
        text = "in use by another process"
    if facts.is_default:
        return warn(about, text, "name the daemon's own with --listen")
    return fail(about, text, "stop what listens there, or name another")
