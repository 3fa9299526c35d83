"""
The command ``cvmpair``: a thin layer over :mod:`cvmpair.commands`.

What Twisted has to do with is imported only where the network is needed.
"""

import argparse
import os
import re
import sys
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, Final, NoReturn, TypeVar

from cvmpair import __version__
from cvmpair.commands.cluster import KnownCluster
from cvmpair.commands.context import ROLES, ContextCommand
from cvmpair.commands.doctor import add_doctor
from cvmpair.commands.doctor import run as run_doctor
from cvmpair.commands.snapshot import add_snapshot
from cvmpair.commands.snapshot import run as run_snapshot
from cvmpair.contexts.block import service_url
from cvmpair.contexts.formats import FORMATS
from cvmpair.core.fingerprint import check_fingerprint
from cvmpair_agent.errors import AgentError, ContextWrong

T = TypeVar("T")

SERVICE_URL: Final = "CVMPAIR_SERVICE_URL"

_FORMATS: Final = "\n".join(
    f"  {name:12}{target.about}" for name, target in FORMATS.items()
)
_CONTEXT: Final = f"""\
formats:
{_FORMATS}

A base that cloud-init reads as something (#cloud-config, #!) becomes a part of a MIME
message; only raw refuses it. Standard error tells the size, and the command to go on
with.

The PIN is a secret: whoever has it can take part in the cluster, unless that is
protected; then the tokens are the secrets. Programs on the machine, and its cloud, can
read what is given to it.
"""


class Parser(argparse.ArgumentParser):
    """
    Says what is wrong in one line, and quotes no value: it may be a PIN.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            **options,
        )

    def error(self, message: str) -> NoReturn:
        unknown = re.findall(r"(?<!\S)--[a-z-]+", message)
        if message.startswith("unrecognized arguments"):
            message = f"unexpected words {' '.join(unknown)}".rstrip()
        message = re.sub(
            r""":? (['"]).*?\1(?= \(choose from|$)""", "", message, flags=re.DOTALL
        )
        self.exit(2, f"cvmpair: {message}; see {self.prog} --help\n")


def parser() -> Parser:
    """
    Return the parser of the command line.
    """
    top = Parser(
        prog="cvmpair", description="Boot any set of machines into one cluster."
    )
    top.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    new = commands.add_parser(
        "new",
        help="create a cluster and print its PIN",
        description="Create a cluster and print its PIN.",
    )
    _add_service(new)
    _add_creation(new)
    new.add_argument(
        "--json",
        action="store_true",
        help="print its times as well, as JSON, for --cluster-file of context",
    )
    context = commands.add_parser(
        "context",
        help="write what machines are to be given as user data",
        description="Put the PIN and the role into a context, for a cloud or a tool.",
        epilog=_CONTEXT,
    )
    _add_service(context)
    _add_context(context)
    _add_creation(context)
    add_snapshot(commands)
    _add_service(add_doctor(commands))
    return top


def _add_service(command: Parser) -> None:
    command.add_argument(
        "--service-url",
        metavar="URL",
        help=f"where the pairing service is [default: ${SERVICE_URL}]",
    )
    command.add_argument(
        "--ca-file",
        metavar="FILE",
        help="the authority of the service's certificate, in PEM form, if the system "
        "does not know it",
    )
    command.add_argument(
        "--service-fingerprint",
        metavar="SHA256",
        help="trust only the server that has the key with this fingerprint, "
        "sha256:..., whoever signed for it; put into contexts, too",
    )


def _add_creation(command: Parser) -> None:
    command.add_argument(
        "--protected",
        action="store_true",
        help="create a cluster in which the PIN alone allows nothing, with tokens to "
        "read, to write and for all else",
    )
    command.add_argument(
        "--pin-server",
        action="store_true",
        help="tell by which fingerprint machines know the server that created it",
    )


def _add_context(command: Parser) -> None:
    pins = command.add_mutually_exclusive_group(required=True)
    pins.add_argument(
        "--pin",
        help="the PIN; other users of this computer may see it here, so rather:",
    )
    pins.add_argument(
        "--pin-file",
        metavar="FILE",
        help="read the PIN from a file; - is standard input",
    )
    pins.add_argument(
        "--cluster-file",
        metavar="FILE",
        help="read the PIN, the tokens and the fingerprint from a file with what "
        "`cvmpair new --json` has printed; - is standard input",
    )
    pins.add_argument(
        "--new", action="store_true", help="create a cluster, and take its PIN"
    )
    command.add_argument(
        "--role",
        choices=list(ROLES),
        required=True,
        help="what the machine is; both writes NAME-master and NAME-worker",
    )
    command.add_argument(
        "--base",
        metavar="FILE",
        help="the context to put it into, also compressed, in base64, or a MIME "
        "message; - is standard input [default: an empty one]",
    )
    command.add_argument(
        "--format",
        choices=list(FORMATS),
        metavar="FORMAT",
        default="raw",
        help="one of the formats below [default: raw]",
    )
    command.add_argument(
        "--gzip", action="store_true", help="compress the context first"
    )
    command.add_argument(
        "--output",
        metavar="NAME",
        help="the file to write, with mode 0600 [default: standard output]",
    )


def run(options: argparse.Namespace, daemon: Sequence[str] = ()) -> None:
    """
    Do what the command line says.

    :param daemon: the words after ``--``, which are the daemon's.
    :raises AgentError: if that fails.
    """
    if options.command == "snapshot":
        run_snapshot(options)
        return
    word = options.service_url or os.environ.get(SERVICE_URL) or None
    url = None if word is None else service_url(word)
    if options.command == "doctor":
        _check_fingerprint(options, url)
        run_doctor(options, daemon, url)
        return
    asks = options.command == "new" or options.new
    if asks and url is None:
        raise ContextWrong(f"Name the service with --service-url or ${SERVICE_URL}.")
    if options.ca_file is not None and not asks:
        raise ContextWrong("--ca-file is of use only with --new.")
    _check_fingerprint(options, url)
    if options.command == "context":
        ContextCommand(
            options=options,
            service_url=url,
            create=lambda: _create(url or "", options),
        ).run()
        return
    cluster = _create(url or "", options)
    print(cluster.to_json() if options.json else cluster.to_lines(), flush=True)


def _check_fingerprint(options: argparse.Namespace, url: str | None) -> None:
    word = options.service_fingerprint
    wanted = word is not None or options.pin_server
    if wanted and url is not None and not url.startswith("https:"):
        raise ContextWrong(
            "--service-fingerprint and --pin-server need a service URL that begins "
            "with https://."
        )
    try:
        options.service_fingerprint = None if word is None else check_fingerprint(word)
    except ValueError as error:
        raise ContextWrong(f"--service-fingerprint {error}.") from None


def _create(url: str, options: argparse.Namespace) -> KnownCluster:
    from cvmpair.commands.new import create_cluster  # noqa: PLC0415  it imports Twisted

    return _wait_for(
        lambda reactor: create_cluster(
            reactor,
            url,
            ca_file=options.ca_file,
            pinned=options.service_fingerprint,
            pin_server=options.pin_server,
            protected=options.protected,
        )
    )


def _wait_for(ask: Callable[[Any], Coroutine[Any, Any, T]]) -> T:
    """
    Run the reactor until there is a result.
    """
    from twisted.internet.defer import Deferred  # noqa: PLC0415
    from twisted.internet.task import react  # noqa: PLC0415

    results: list[T] = []
    failures: list[Exception] = []

    async def main(reactor: Any) -> None:
        try:
            results.append(await ask(reactor))
        except Exception as failed:
            failures.append(failed)

    # It would end the process.
    with suppress(SystemExit):
        react(lambda reactor: Deferred.fromCoroutine(main(reactor)))
    if failures:
        raise failures[0]
    if not results:
        raise KeyboardInterrupt
    return results[0]


def _forget_output() -> None:
    """
    Keep what cannot be written from being tried again at exit.
    """
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def main(words: Sequence[str] | None = None) -> NoReturn:
    """
    Run the command and end the process; every failure is one line on standard error.
    """
    status = 0
    try:
        given = list(sys.argv[1:] if words is None else words)
        ours, daemon = given, []
        # argparse would take what follows for ours.
        if given[:1] == ["doctor"] and "--" in given:
            ours, daemon = given[: given.index("--")], given[given.index("--") + 1 :]
        run(parser().parse_args(ours), daemon)
    except AgentError as failed:
        print(f"cvmpair: {failed}", file=sys.stderr)
        status = failed.exit_code
    except OSError as failed:
        place = f"{failed.filename}: " if failed.filename else ""
        print(f"cvmpair: {place}{failed.strerror}", file=sys.stderr)
        _forget_output()
        status = 1
    except KeyboardInterrupt:
        status = 130
    raise SystemExit(status)


if __name__ == "__main__":
    main()
