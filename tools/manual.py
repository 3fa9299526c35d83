"""
The manual pages of all commands, made from the parsers of their command lines.

What a parser of argparse knows is nowhere public; the private names are old ones.

``python -m tools.manual DIRECTORY`` writes them.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from cvmpair import __version__
from cvmpair.commands.parser import parser
from cvmpair.options import Options
from cvmpair_agent import options as agent
from tools.wheels import epoch

WIDTH: Final = 74
"""Of what is shown as it is, in characters; a terminal has at least 80."""

DAEMON: Final = "twistd --nodaemon --pidfile= cvmpair"
DAEMON_NOTES: Final = """\
It runs in Twisted's twistd, which has options of its own: see "twistd --help". \
/opt/cvmpair/bin/twistd is the one of an installation in /opt/cvmpair. As a service it \
is cvmpair.service of systemd, which takes CVMPAIR_LISTEN and CVMPAIR_OPTIONS from \
/etc/default/cvmpair and keeps its state in /var/lib/cvmpair.

It exits with 0 after an orderly stop, with 2 if its options are wrong, and with 1 if \
anything else keeps it from running; one line on standard error says what."""


def escaped(text: str) -> str:
    """
    Return a text so that roff takes no character of it for its own.
    """
    lines = text.replace("\\", "\\e").replace("-", "\\-").splitlines()
    return "\n".join(f"\\&{line}" if line[:1] in {".", "'"} else line for line in lines)


def entry(heading: str, text: str) -> str:
    """
    Return an item of a list.
    """
    return f".TP\n.B {escaped(heading)}\n{escaped(' '.join(text.split()))}\n"


def verbatim(text: str) -> str:
    """
    Return lines that stay as they are.
    """
    return f".PP\n.nf\n{escaped(text.strip())}\n.fi\n"


def page(name: str, section: int, summary: str, body: str) -> str:
    """
    Return a page.

    :param summary: what ``whatis`` says of it.
    """
    date = datetime.fromtimestamp(epoch(), UTC).date()
    others = [f"{other}({PAGES[other]})" for other in PAGES if other != name]
    return (
        f'.TH {escaped(name.upper())} {section} "{date}" "cvmpair {__version__}"\n'
        f".SH NAME\n{escaped(name)} \\- {escaped(summary)}\n{body}"
        f".SH SEE ALSO\n{escaped(', '.join(others))}\n"
    )


def commands(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """
    Yield the parsers of the commands of a parser, and of theirs.
    """
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield command
                yield from commands(command)


def usage(parser: argparse.ArgumentParser) -> str:
    """
    Return how a command is written.
    """
    parser.formatter_class = partial(argparse.RawDescriptionHelpFormatter, width=WIDTH)
    formatter = parser._get_formatter()
    formatter.add_usage(
        parser.usage, parser._actions, parser._mutually_exclusive_groups, prefix=""
    )
    return verbatim(formatter.format_help())


def arguments(parser: argparse.ArgumentParser) -> str:
    """
    Return the options of a command and its other arguments, group by group.
    """
    formatter = parser._get_formatter()
    text = ""
    for group in parser._action_groups:
        if group.title not in {"options", "positional arguments"}:
            about = f"{group.title}: {group.description or ''}".removesuffix(": ")
            text += f".PP\n{escaped(about[:1].upper() + about[1:])}\n"
        for action in group._group_actions:
            if isinstance(action, argparse._SubParsersAction | argparse._HelpAction):
                continue
            value = formatter._format_args(
                action,
                formatter._get_default_metavar_for_optional(action),
            )
            words = ", ".join(action.option_strings) or action.dest
            explained = formatter._expand_help(action) if action.help else ""
            text += entry(f"{words} {value}".strip(), explained)
    return text


def of_argparse(parser: argparse.ArgumentParser) -> str:
    """
    Return the page of a command that argparse parses, with those that it has below.
    """
    about = " ".join((parser.description or "").split())
    body = f".SH SYNOPSIS\n{usage(parser)}.SH DESCRIPTION\n{escaped(about)}\n"
    if parser.epilog:
        body += verbatim(parser.epilog)
    body += f".SH OPTIONS\n{arguments(parser)}.SH COMMANDS\n"
    for command in commands(parser):
        body += f'.SS "{escaped(command.prog)}"\n'
        body += f"{escaped(command.description or '')}\n{usage(command)}"
        body += arguments(command)
        if command.epilog and command.epilog != parser.epilog:
            body += verbatim(command.epilog)
    summary = about[:1].lower() + about[1:].rstrip(".")
    return page(parser.prog, PAGES[parser.prog], summary, body)


def of_daemon() -> str:
    """
    Return the page of the daemon, whose options Twisted parses.
    """
    options = Options()
    body = f".SH SYNOPSIS\n.B {escaped(DAEMON)}\n{escaped(options.synopsis)}\n"
    body += f".SH DESCRIPTION\n{escaped(options.longdesc)}\n"
    body += f".PP\n{escaped(DAEMON_NOTES)}\n.SH OPTIONS\n"
    for long in sorted(options.longOpt):
        name = long.rstrip("=")
        heading = f"--{name} {name.upper()}" if long.endswith("=") else f"--{name}"
        text = options.docs.get(name, "")
        default = options.defaults.get(name)
        if isinstance(default, str) and default:
            text += f" [default: {default}]"
        body += entry(heading, text)
    name = "twistd-cvmpair"
    return page(name, PAGES[name], "the daemon of the cluster pairing service", body)


PAGES: Final[Mapping[str, int]] = {
    "cvmpair": 1,
    "cvmpair-agent": 1,
    "twistd-cvmpair": 8,
}
"""The name of each page and its section."""


def pages() -> dict[str, str]:
    """
    Return all pages by the names of their files.
    """
    made = (of_argparse(parser()), of_argparse(agent.parser()), of_daemon())
    names = (f"{name}.{section}" for name, section in PAGES.items())
    return dict(zip(names, made, strict=True))


def write(directory: Path) -> None:
    """
    Write all pages into the directories of their sections.
    """
    for name, text in pages().items():
        folder = directory / f"man{name[-1]}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
