"""
What people see while the agent waits.
"""

from contextlib import suppress
from typing import Any, Final, Protocol, TextIO

from attrs import define, field
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

COLUMNS: Final = 79
"""How long the line on a terminal may be; a longer one could not be taken back."""

PREFIX: Final = "cvmpair-agent: "
"""As before all that the agent says."""

ERASE: Final = "\r\x1b[K"
"""Go to the beginning of the line and erase it (ECMA-48)."""


class Progress(Protocol):
    """
    Somebody to whom to tell how it goes.
    """

    def begin(self, what: str) -> None:
        """
        Say what is asked for now.
        """

    def wait(self, reason: str) -> None:
        """
        Say why it is not there yet.
        """

    def end(self) -> None:
        """
        Say that it is no longer asked for.
        """


def progress_on(stream: TextIO, clock: IReactorTime) -> Progress:
    """
    Return a progress that fits the stream: a terminal or a log.
    """
    if stream.isatty():
        return TerminalProgress(stream=stream, clock=clock)
    return LogProgress(stream=stream, clock=clock)


def duration(seconds: float) -> str:
    """
    Return seconds as people say them.
    """
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


@define(eq=False, kw_only=True)
class TerminalProgress:
    """
    One line that says each second what is waited for, why, and for how long.
    """

    stream: TextIO
    clock: IReactorTime
    _what: str = field(init=False, default="")
    _reason: str = field(init=False, default="")
    _begun: float = field(init=False, default=0.0)
    _each_second: Any = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._each_second = LoopingCall(self._show)
        self._each_second.clock = self.clock

    def begin(self, what: str) -> None:
        self._what, self._reason = what, ""
        self._begun = self.clock.seconds()

    def wait(self, reason: str) -> None:
        self._reason = reason
        if self._each_second.running:
            self._show()
        else:
            self._each_second.start(1.0)

    def end(self) -> None:
        if self._each_second.running:
            self._each_second.stop()
            _write(self.stream, ERASE)

    def _show(self) -> None:
        waited = duration(self.clock.seconds() - self._begun)
        line = f"{PREFIX}waiting for {self._what} for {waited}: {self._reason}"
        _write(self.stream, ERASE + line[:COLUMNS])


@define(eq=False, kw_only=True)
class LogProgress:
    """
    One line for each change, however often it is asked.
    """

    stream: TextIO
    clock: IReactorTime
    _what: str = field(init=False, default="")
    _reason: str = field(init=False, default="")
    _begun: float = field(init=False, default=0.0)

    def begin(self, what: str) -> None:
        self._what, self._reason = what, ""
        self._begun = self.clock.seconds()

    def wait(self, reason: str) -> None:
        if reason != self._reason:
            self._reason = reason
            self._log(f"waiting for {self._what}: {reason}")

    def end(self) -> None:
        if self._reason:
            waited = duration(self.clock.seconds() - self._begun)
            self._log(f"waited {waited} for {self._what}")

    def _log(self, line: str) -> None:
        _write(self.stream, f"{PREFIX}{line}\n")


def _write(stream: TextIO, text: str) -> None:
    # That nobody looks any more is no reason to stop waiting for the master.
    with suppress(OSError):
        stream.write(text)
        stream.flush()
