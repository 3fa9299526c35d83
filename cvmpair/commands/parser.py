"""
The words of the command ``cvmpair``.
"""

from typing import Final

from cvmpair import __version__
from cvmpair.commands.context import ROLES
from cvmpair.commands.doctor import add_doctor
from cvmpair.commands.snapshot import add_snapshot
from cvmpair.contexts.formats import FORMATS
from cvmpair_agent.arguments import Parser

SERVICE_URL: Final = "CVMPAIR_SERVICE_URL"
"""The variable that names the service where no option does."""

_EXIT_CODES: Final = """\
exit codes:
  0  done                          5  the service does not allow it
  1  any other failure             8  the service cannot be reached or trusted
  2  wrong usage, file or base   130  ended by a signal
"""

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


def parser() -> Parser:
    """
    Return the parser of the command line.
    """
    top = Parser(
        prog="cvmpair",
        description="Boot any set of machines into one cluster.",
        epilog=_EXIT_CODES,
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
        help="read the PIN, the tokens, the service URL and the fingerprint from a "
        "file with what `cvmpair new --json` has printed; - is standard input",
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
