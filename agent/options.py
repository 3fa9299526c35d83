"""
The command line of the agent.
"""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from attrs import frozen

from cvmpair import __version__
from cvmpair.core.budget import DELAY, JITTER, TRIES
from cvmpair.core.fingerprint import check_fingerprint
from cvmpair_agent.arguments import Parser
from cvmpair_agent.userdata.source import Kind

TIMEOUT: Final = 30 * 60.0
"""How long all of a run may take, in seconds: less than the 40 minutes after which
systemd ends ``cvmpair-context.service``."""

EXIT_CODES: Final = """\
exit codes:
  0  done, or nothing to do        4  another machine is the master
  1  any other failure             5  the service does not allow it
  2  wrong usage, or a context     6  gave up: it did not come in time
     that is wrong or unreadable   8  the service cannot be reached or trusted
  3  the service does not        130  ended by a signal
     know the PIN
"""

_UNITS: Final = {"": 1, "s": 1, "m": 60, "h": 3600}
_TIME: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)([smh]?)")


@frozen(kw_only=True)
class Options:
    """
    What was said on the command line; see the help of each there.

    :ivar delay: in seconds, as ``jitter`` and ``timeout`` are.
    """

    command: str
    root: Path
    context_file: Path | None = None
    source_order: Sequence[str] | None = None
    metadata_server: str | None = None
    injected_files: Sequence[str] | None = None
    export: bool = False
    patch: Sequence[str] | None = None
    address: str | None = None
    interface: str | None = None
    ip_from_metadata: str | None = None
    ca_file: str | None = None
    service_fingerprint: str | None = None
    tries: int = TRIES
    delay: float = DELAY
    jitter: float = JITTER
    timeout: float = TIMEOUT


def parse(arguments: Sequence[str] | None = None) -> Options:
    """
    Return the options, or end the process with the exit code for wrong usage.
    """
    return Options(**vars(parser().parse_args(arguments)))


def parser() -> Parser:
    """
    Return the parser of the command line.
    """
    top = Parser(
        prog="cvmpair-agent",
        description="Pair the machines of a cluster while they boot.",
        epilog=EXIT_CODES,
    )
    top.add_argument(
        "--version", action="version", version=f"cvmpair-agent {__version__}"
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    made = {
        name: commands.add_parser(
            name,
            help=text,
            description=f"{text[0].upper()}{text[1:]}.",
            epilog=EXIT_CODES,
        )
        for name, text in {
            "pair": "publish the address of this machine, if it is the master, or "
            "wait for that of the master, and put it into the context",
            "ready": "announce that this machine, if it is the master, has booted",
            "apply": "put the address of the master into the context again, without "
            "the network",
            "source": "say where this machine has its user data, and what they are",
            "status": "say what is known of the pairing of this machine",
        }.items()
    }
    for command in made.values():
        command.add_argument(
            "--root",
            metavar="DIR",
            type=Path,
            default=Path("/"),
            help="where the files of the machine are: its user data, those of "
            "--patch, --injected-file and an absolute --context-file, and what is kept "
            "of the pairing; not that of --ca-file (default: /)",
        )
    for name in ("pair", "source"):
        _add_sources(made[name])
    for name in ("pair", "apply"):
        made[name].add_argument(
            "--patch",
            metavar="PATH",
            type=_absolute,
            action="append",
            help="a file in which to replace the placeholder, may have wild cards and "
            "be given again (default: those of cloud-init and amiconfig that exist)",
        )
    for name in ("pair", "ready"):
        _add_waiting(made[name])
    _add_address(made["pair"])
    made["source"].add_argument(
        "--export",
        action="store_true",
        help="print the values as _UCONTEXT_NAME=VALUE, quoted for a shell",
    )
    return top


def _add_sources(command: argparse.ArgumentParser) -> None:
    add = command.add_argument_group("where the context is").add_argument
    add(
        "--context-file",
        metavar="FILE",
        type=Path,
        help="take the context from this file and look nowhere else",
    )
    add(
        "--source-order",
        metavar="LIST",
        type=_words,
        help="the sources to look at, by name or kind, with commas between them "
        f"(default: {','.join(kind.value for kind in Kind)})",
    )
    add(
        "--metadata-server",
        metavar="URL",
        help="ask this metadata server instead of those where clouds have theirs, "
        "such as http://169.254.169.254",
    )
    add(
        "--injected-file",
        dest="injected_files",
        metavar="PATH",
        type=_absolute,
        action="append",
        help="a file that the cloud may have put onto the disk, may be given again "
        "(default: /cernvm/extra-user-data and the seed of NoCloud)",
    )


def _add_waiting(command: argparse.ArgumentParser) -> None:
    add = command.add_argument_group("the service").add_argument
    add(
        "--ca-file",
        metavar="FILE",
        help="trust the authorities in this PEM file instead of the system's",
    )
    add(
        "--service-fingerprint",
        metavar="SHA256",
        type=_fingerprint,
        help="trust only the server that has the key with this fingerprint, "
        "sha256:..., whoever signed for it (default: what the context says)",
    )
    add(
        "--tries",
        metavar="N",
        type=_count,
        default=TRIES,
        help=f"how often to ask for one thing (default: {TRIES})",
    )
    add(
        "--delay",
        metavar="TIME",
        type=_time,
        default=DELAY,
        help=f"the least time between two tries (default: {DELAY:g}s)",
    )
    add(
        "--jitter",
        metavar="TIME",
        type=_time,
        default=JITTER,
        help=f"by chance, up to so much is added to it (default: {JITTER:g}s)",
    )
    add(
        "--timeout",
        metavar="TIME",
        type=_time,
        default=TIMEOUT,
        help="how long the agent may wait in all, in seconds or with a unit: 90, 15m "
        f"(default: {TIMEOUT / 60:g}m)",
    )


def _add_address(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group(
        "the address of a master",
        "By default it is the one from which the machine reaches the service.",
    )
    add = group.add_mutually_exclusive_group().add_argument
    add("--address", metavar="HOST", help="an IP address or a host name")
    add(
        "--interface",
        metavar="NAME",
        help="the address of this interface, such as eth1",
    )
    add(
        "--ip-from-metadata",
        metavar="SCOPE",
        nargs="?",
        const="local",
        choices=["local", "public"],
        help="what the metadata server says: local (default) or public",
    )


def _words(text: str) -> Sequence[str]:
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not words:
        raise argparse.ArgumentTypeError("must name a source")
    return words


def _absolute(text: str) -> str:
    if not text.startswith("/"):
        raise argparse.ArgumentTypeError("must be a path that begins with /")
    return text


def _fingerprint(text: str) -> str:
    try:
        return check_fingerprint(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"it {error}") from None


def _count(text: str) -> int:
    if not re.fullmatch("[0-9]{1,7}", text) or not 1 <= int(text) <= 10**6:
        raise argparse.ArgumentTypeError("must be a whole number from 1 to 1000000")
    return int(text)


def _time(text: str) -> float:
    found = _TIME.fullmatch(text)
    if found is None:
        raise argparse.ArgumentTypeError(
            "must be a time in seconds, or with a unit, as in 90, 90s, 15m or 2h"
        )
    return float(found[1]) * _UNITS[found[2]]
