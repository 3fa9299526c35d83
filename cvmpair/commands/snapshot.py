"""
``cvmpair snapshot``: a state as a file of lines, and back.
"""

import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from shutil import copyfileobj
from tempfile import TemporaryFile, gettempdir
from typing import Any, BinaryIO, Final

from cvmpair.commands import output
from cvmpair.snapshots.errors import StateError, WriteFailed
from cvmpair.snapshots.export import ExportReader
from cvmpair.snapshots.summary import Contents
from cvmpair.snapshots.transfer import export_state, import_state, read_state, verify
from cvmpair_agent.errors import AgentError, ContextWrong
from cvmpair_agent.files.replacing import new_file

STANDARD: Final = "-"

_EPILOG: Final = """\
An export has every PIN and every value in it: it is as secret as the state. All that
was acknowledged before it began is in it. Keep the clocks of both machines right: PINs
expire when they would have.
"""

VALID_AGAIN: Final = (
    "tokens that were revoked and clusters that were deleted since the export are "
    "valid again: revoke and delete them again"
)


def add_snapshot(commands: Any) -> None:
    """
    Add the command to those of a parser.
    """
    snapshot = commands.add_parser(
        "snapshot",
        help="write the state of a daemon to a file, and read it back",
        description="Write the state of a daemon to a file of JSON lines, or read one.",
        epilog=_EPILOG,
    )
    actions = snapshot.add_subparsers(dest="action", metavar="ACTION", required=True)
    export = actions.add_parser(
        "export",
        help="write a state to a file, also while its daemon runs",
        description="Write a state to a file, also while its daemon runs.",
        epilog=_EPILOG,
    )
    _add_directory(export, required=True)
    export.add_argument(
        "--output",
        metavar="FILE",
        help="the file to write, with mode 0600; - is standard output, also if that is "
        "a terminal [default: standard output]",
    )
    bring = actions.add_parser(
        "import",
        help="make a new state of such a file",
        description="Make a new state of an export, whole or not at all.",
        epilog=_EPILOG,
    )
    _add_directory(bring, required=True)
    bring.add_argument("file", metavar="FILE", help="the export; - is standard input")
    check = actions.add_parser(
        "verify",
        help="read a state or an export as the daemon would, and change nothing",
        description="Read a state or an export to its end, and say whether it is good.",
    )
    what = check.add_mutually_exclusive_group(required=True)
    _add_directory(what, required=False)
    what.add_argument(
        "file", metavar="FILE", nargs="?", help="an export; - is standard input"
    )


def _add_directory(parser: Any, *, required: bool) -> None:
    parser.add_argument(
        "--state-dir",
        metavar="DIRECTORY",
        type=Path,
        # A group of which one is required says so itself.
        **({"required": True} if required else {}),
        help="the state directory, as the daemon has it",
    )


def run(options: Namespace) -> None:
    """
    Do what the command line says.

    :raises AgentError: if that fails.
    """
    try:
        if options.action == "export":
            _export(options.state_dir, options.output)
        elif options.action == "import":
            with _opened(options.file) as file:
                contents = import_state(options.state_dir, _name(options.file), file)
            _say(f"imported {_described(contents)}")
            print(f"cvmpair: {VALID_AGAIN}", file=sys.stderr)
        else:
            if options.file is None:
                contents = read_state(options.state_dir, verify)
            else:
                with _opened(options.file) as file:
                    contents = verify(ExportReader(_name(options.file), file))
            _say(f"OK: {_described(contents)}")
    except (StateError, WriteFailed) as error:
        raise AgentError(str(error)) from None
    except ValueError:
        raise ContextWrong("a path cannot have a null character in it.") from None


def _say(line: str) -> None:
    with output.naming(output.STANDARD_OUTPUT):
        print(line, flush=True)


def _export(directory: Path, place: str | None) -> None:
    path = None if place in {None, STANDARD} else Path(str(place))
    if place is None and sys.stdout.isatty():
        raise ContextWrong(
            "An export has every PIN and value in it, so it is not written to a "
            "terminal: name a file with --output, or --output - if it is to be."
        )
    if path is not None:
        output.check(path, is_directory=False)
    if path is not None and (path.is_file() or not path.exists()):
        with new_file(path.resolve()) as file:
            contents = export_state(directory, file)
    else:
        # Who reads slowly must not keep the daemon from merging its log meanwhile, and
        # nobody is to get a part.
        with TemporaryFile() as spool:
            with output.naming(f"temporary file in {gettempdir()}"):
                contents = export_state(directory, spool)
                spool.seek(0)
            with output.naming(path or output.STANDARD_OUTPUT):
                if path is None:
                    copyfileobj(spool, sys.stdout.buffer)
                    sys.stdout.buffer.flush()
                else:
                    with path.open("wb") as file:
                        copyfileobj(spool, file)
    print(f"cvmpair: exported {_described(contents)}", file=sys.stderr)


@contextmanager
def _opened(name: str) -> Iterator[BinaryIO]:
    """
    Yield a file that can be read more than once.
    """
    with sys.stdin.buffer if name == STANDARD else Path(name).open("rb") as given:
        if given.seekable():
            yield given
            return
        with TemporaryFile() as spool:
            with output.naming(f"temporary file in {gettempdir()}"):
                copyfileobj(given, spool)
                spool.seek(0)
            yield spool


def _name(file: str) -> str:
    return "on standard input" if file == STANDARD else file


def _described(contents: Contents) -> str:
    saved = datetime.fromtimestamp(contents.summary.wall_time, UTC)
    return f"{contents}, saved {saved:%Y-%m-%dT%H:%M:%SZ}"
