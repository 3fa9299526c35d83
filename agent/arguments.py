"""
Command lines: what is wrong with one is said in one line.
"""

import argparse
import re
from typing import Any, Final, NoReturn

_VALUE: Final = re.compile(r""":? (['"]).*?\1(?= \(choose from|$)""", re.DOTALL)
"""A word that was given, at the end of what argparse says or before the choices."""


class Parser(argparse.ArgumentParser):
    """
    Ends the process with status 2 for wrong words, and repeats no value: it may be a
    PIN, and boots are logged.
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
        program, *_ = self.prog.split()
        said = " ".join(_VALUE.sub("", message).split())
        self.exit(2, f"{program}: {said}; see {self.prog} --help\n")
