"""
The command line: from words to :class:`~cvmpair.settings.Settings`, with one clear
line for a wrong one.
"""

import sys
from collections.abc import Callable, Sequence
from typing import Any, Final, NoReturn, TypeVar

from twisted.python import usage

from cvmpair import __version__
from cvmpair.core.model import Limits
from cvmpair.parsers import (
    directory,
    duration,
    network,
    one_of,
    whole_number,
)
from cvmpair.settings import DEFAULT_ENDPOINT, Settings
from cvmpair.web.limits import HEADER_NAMES, ClientLimits, RequestLimits

T = TypeVar("T")


class CannotStart(SystemExit, Exception):
    """
    The end of the process, which was told why.

    It is an :class:`Exception` as well, because a ``twistd`` that goes into the
    background waits for ever for a child that is ended by a mere SystemExit.
    """

    def __str__(self) -> str:
        # It is what such a twistd shows of it, and no more than 70 characters of that.
        return "the line before this, from cvmpair, says why"


def fail(message: str, status: int) -> NoReturn:
    """
    End the process with one line on standard error.

    :param status: 2 for a wrong command line, 1 for anything else.
    """
    print(f"cvmpair: {message}", file=sys.stderr)
    raise CannotStart(status)


_PARAMETERS: Final[Sequence[tuple[str, str, str, Callable[[str], Any]]]] = (
    (
        "state-dir",
        "state",
        "Directory for the state; created if it is missing.",
        directory,
    ),
    (
        "durability",
        "synced",
        "'synced' answers when a change is on the disk, so nothing acknowledged is "
        "ever lost; 'periodic' answers at once, and a crash loses what came since "
        "the last snapshot.",
        one_of("synced", "periodic"),
    ),
    (
        "snapshot-interval",
        "10s",
        "With --durability periodic: the time between two snapshots, in seconds, or "
        "with a unit of s, m, h or d.",
        duration(0.1, 86400),
    ),
    (
        "pin-lifetime",
        "24h",
        "How long a PIN is valid, in seconds, or with a unit of s, m, h or d. Holds "
        "for PINs that are created from now on.",
        duration(1, 3650 * 86400),
    ),
    (
        "max-clusters",
        "1000000",
        "How many clusters there may be at the same time.",
        whole_number(1, 100_000_000),
    ),
    (
        "max-tombstones",
        "100000",
        "How many clusters that have ended are remembered, for 7 days each, to tell "
        "who still asks for them what happened; 0 remembers none.",
        whole_number(0, 10_000_000),
    ),
    (
        "max-keys",
        "64",
        "How many keys one cluster may have.",
        whole_number(1, 10_000),
    ),
    (
        "max-wait",
        "300s",
        "How long a request with 'Prefer: wait' may wait for what is not there yet, in "
        "seconds, or with a unit of s, m, h or d; 0 lets none wait.",
        duration(0, 86400),
    ),
    (
        "max-waiters",
        "20000",
        "How many requests may wait at the same time.",
        whole_number(1, 10_000_000),
    ),
    (
        "log-format",
        "text",
        "'json' writes the log as one JSON object a line, to the same file; 'text' "
        "leaves it as twistd or twist have it.",
        one_of("text", "json"),
    ),
    (
        "max-guesses",
        "20",
        "How many different PINs that never were one IPv4 address or IPv6 /64 may ask "
        "for in a minute; then it can use no PIN until some of that time is over. 0 is "
        "no limit.",
        whole_number(0, 10_000),
    ),
    (
        "max-creations",
        "60",
        "How many clusters one IPv4 address or IPv6 /64 may create in a minute; 0 is "
        "no limit.",
        whole_number(0, 1_000_000),
    ),
    (
        "max-connections",
        "0",
        "How many connections one IPv4 address or IPv6 /64 may have at the same time; "
        "0 is no limit.",
        whole_number(0, 10_000_000),
    ),
    (
        "max-waiters-per-address",
        "0",
        "How many requests of one IPv4 address or IPv6 /64 may wait at the same time; "
        "0 is no limit.",
        whole_number(0, 10_000_000),
    ),
    (
        "forwarded-header",
        "x-forwarded-for",
        "The header in which a trusted proxy says for whom it asks: 'x-forwarded-for' "
        "or 'forwarded'; the other one is ignored. It has to be the one that the proxy "
        "sets, or else clients can say whatever they like in it.",
        one_of(*HEADER_NAMES),
    ),
    (
        "max-body-size",
        "65536",
        "How large the body of a request may be, in bytes.",
        whole_number(256, 16 * 1024 * 1024),
    ),
    (
        "header-timeout",
        "10s",
        "How long the headers of a request may take to arrive, in seconds, or with a "
        "unit of s, m, h or d.",
        duration(0.1, 3600),
    ),
    (
        "body-timeout",
        "10s",
        "How long the body of a request may take to arrive, in seconds, or with a "
        "unit of s, m, h or d.",
        duration(0.1, 3600),
    ),
)


class Options(usage.Options):
    """
    The options of ``twistd cvmpair`` and ``twist cvmpair``.

    :ivar settings: what they come to, once they are parsed.
    """

    optParameters = [
        [name, None, default, text] for name, default, text, _ in _PARAMETERS
    ]
    optFlags = [
        [
            "require-protected",
            None,
            "Create protected clusters only: their PIN alone does nothing, each "
            "machine needs a token. Old images send none.",
        ]
    ]
    synopsis = "[options]"
    longdesc = "Serve cluster pairing: boot machines into one cluster with one PIN."

    settings: Settings

    def __init__(self) -> None:
        super().__init__()
        self["listen"] = []
        self["admin-listen"] = []
        self["trusted-proxy"] = []
        for name in "listen", "admin-listen", "trusted-proxy":
            self.docs[name] = " ".join(self.docs[name].split())

    def opt_listen(self, endpoint: str) -> None:
        """
        Where to listen, as an endpoint string of Twisted; may be given more than
        once. For TLS: ssl:8443:privateKey=key.pem:certKey=cert.pem or
        tls:DIRECTORY:port=8443. [default: tcp:8080:interface=127.0.0.1]
        """
        self["listen"].append(endpoint)

    def opt_admin_listen(self, endpoint: str) -> None:
        """
        Where to answer /livez, /readyz and /metrics, as an endpoint string of
        Twisted; may be given more than once. [default: nowhere]
        """
        self["admin-listen"].append(endpoint)

    def opt_trusted_proxy(self, addresses: str) -> None:
        """
        The address of a reverse proxy, or a small network that has nothing but them,
        as in 192.0.2.8/30, that is believed when it says for whom it asks; may be given
        more than once. Whoever is in this network can pass for any address, so no
        machine that boots may be in it. [default: none]
        """
        self["trusted-proxy"].append(addresses)

    def opt_version(self) -> NoReturn:
        """
        Print the version and exit.
        """
        print(f"cvmpair {__version__}")
        raise SystemExit(0)

    def parseArgs(self, *words: str) -> None:
        if words:
            raise usage.UsageError(f"unexpected argument {words[0]!r}; see --help")

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        # twistd would print the whole help for a wrong option, and exit with 0.
        try:
            super().parseOptions(options)
        except usage.UsageError as error:
            fail(str(error), 2)

    def postOptions(self) -> None:
        values = {
            name: _parsed(name, parse, self[name]) for name, _, _, parse in _PARAMETERS
        }
        proxies = [
            _parsed("trusted-proxy", network, text) for text in self["trusted-proxy"]
        ]
        periodic = values["durability"] == "periodic"
        self.settings = Settings(
            listen=tuple(self["listen"]) or (DEFAULT_ENDPOINT,),
            admin_listen=tuple(self["admin-listen"]),
            state_dir=values["state-dir"],
            flush_interval=values["snapshot-interval"] if periodic else None,
            pin_lifetime=values["pin-lifetime"],
            require_protected=bool(self["require-protected"]),
            max_wait=values["max-wait"],
            max_waiters=values["max-waiters"],
            json_log=values["log-format"] == "json",
            limits=Limits(
                clusters=values["max-clusters"],
                keys_per_cluster=values["max-keys"],
                tombstones=values["max-tombstones"],
            ),
            request_limits=RequestLimits(
                body_size=values["max-body-size"],
                header_timeout=values["header-timeout"],
                body_timeout=values["body-timeout"],
            ),
            client_limits=ClientLimits(
                guesses=values["max-guesses"],
                creations=values["max-creations"],
                connections=values["max-connections"],
                waiters=values["max-waiters-per-address"],
                trusted_proxies=tuple(proxies),
                forwarded_header=values["forwarded-header"],
            ),
        )


def _parsed(name: str, parse: Callable[[str], T], text: str) -> T:
    try:
        return parse(text)
    except ValueError as error:
        raise usage.UsageError(f"--{name} {error}, not {text!r}") from None
