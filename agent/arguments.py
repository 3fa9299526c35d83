"""
Command lines: what is wrong with one is said in one line.
"""

import argparse
import re
from typing import Any, Final, NoReturn

from cvmpair.core.names import is_pin

_CHOICE: Final = re.compile(r"invalid choice: '([a-z-]{1,20})'")
"""A word that was given where only some are known, and which may be shown."""

_VALUE: Final = re.compile(r""":? (['"]).*?\1(?= \(choose from|$)""", re.DOTALL)
"""A word that was given, at the end of what argparse says or before the choices."""


_ONE_OF: Final = re.compile("one of the arguments (.*) is required")


class Parser(argparse.ArgumentParser):
    """
    Ends the process with status 2 for wrong words, and repeats no value that may be a
    PIN or a token, for boots are logged.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(
            # A later release may have another option of that beginning.
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            **options,
        )

    def error(self, message: str) -> NoReturn:
        if message.startswith("unrecognized arguments"):
            unknown = re.findall(r"(?<!\S)--[a-z-]+", message)
            message = f"unexpected words {' '.join(unknown)}".rstrip()
        message = message.replace("ignored explicit argument", "it takes no value")
        if needed := _ONE_OF.fullmatch(message):
            message = f"{' or '.join(needed[1].split())} is required"
        program, *_ = self.prog.split()
        said = " ".join(_VALUE.sub("", message).split())
        if (word := _CHOICE.search(message)) and not is_pin(word[1]):
            said = said.replace("invalid choice", f"invalid choice {word[1]}", 1)
        self.exit(2, f"{program}: {said}; see {self.prog} --help\n")
