"""
One line of ``cvmpair doctor``.
"""

from enum import Enum

from attrs import frozen


class Level(Enum):
    """
    How it is: a warning can wait, a failure keeps the daemon from its work.
    """

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@frozen(kw_only=True)
class Verdict:
    """
    What was looked at, how it is, and what to do about it.

    :ivar next_step: empty where nothing is to be done.
    """

    about: str
    level: Level
    text: str
    next_step: str = ""


def ok(about: str, text: str) -> Verdict:
    """
    Return a verdict about what is well.
    """
    return Verdict(about=about, level=Level.OK, text=text)


def warn(about: str, text: str, next_step: str) -> Verdict:
    """
    Return a verdict about what should be otherwise.
    """
    return Verdict(about=about, level=Level.WARN, text=text, next_step=next_step)


def fail(about: str, text: str, next_step: str) -> Verdict:
    """
    Return a verdict about what must be otherwise.
    """
    return Verdict(about=about, level=Level.FAIL, text=text, next_step=next_step)
