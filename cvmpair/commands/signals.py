"""
Signals that end a command, which first removes what it has written half.
"""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, NoReturn

NUMBERS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def first_signal(handler: Callable[[int], None]) -> Iterator[None]:
    """
    Have the first signal that would end the process call ``handler``.

    It may raise. What comes later is ignored, and so is what was before, as under
    ``nohup``.
    """
    before = {
        number: old
        for number in NUMBERS
        if (old := signal.getsignal(number)) is not signal.SIG_IGN
    }

    def handle(number: int, _frame: object) -> None:
        for each in before:
            signal.signal(each, signal.SIG_IGN)
        handler(number)

    for number in before:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def end_by(number: int) -> NoReturn:
    """
    End the process, with the exit code that shells have for a signal.
    """
    raise SystemExit(128 + number)
