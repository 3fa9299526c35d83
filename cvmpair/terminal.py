"""
Where whoever starts the daemon sees why it cannot start.
"""

import os
import sys
from collections.abc import Mapping
from typing import NoReturn, Self, TextIO

from attrs import define
from twisted.python.usage import Options

from cvmpair.options import CannotStart


@define(eq=False, kw_only=True)
class Terminal:
    """
    The standard error that there was at first: once ``twistd`` logs, the log has taken
    its place, and in the background there is none.

    :ivar is_logged: whether the log comes out there as well.
    """

    is_logged: bool = False
    _stream: TextIO
    _is_own: bool = False

    @classmethod
    def of(cls, launcher: Options | None) -> Self:
        """
        Return that of this process.

        :param launcher: the options of ``twistd`` or ``twist``.
        """
        options: Mapping[str, object] = launcher or {}
        if not options.get("nodaemon", True):
            # The process that goes into the background closes its own.
            return cls(stream=os.fdopen(os.dup(2), "w", buffering=1), is_own=True)
        elsewhere = [options.get(name) for name in ("syslog", "logger")]
        is_logged = (
            options.get("logfile") in {None, "", "-"}
            and not any(elsewhere)
            and options.get("logFile", sys.stdout) is sys.stdout
            and _is_standard_output()
        )
        return cls(is_logged=is_logged, stream=sys.__stderr__ or sys.stderr)

    def fail(self, message: str, status: int) -> NoReturn:
        """
        End the process with one line there, and one in the log if that is elsewhere.

        :param status: the exit code.
        """
        line = f"cvmpair: {message}"
        print(line, file=self._stream)
        if sys.stderr is not self._stream and not self.is_logged:
            print(line, file=sys.stderr)
        raise CannotStart(status)

    def leave(self) -> None:
        """
        Let go of it, once the daemon has started.
        """
        if self._is_own:
            self._stream.close()


def _is_standard_output() -> bool:
    try:
        return os.path.samestat(os.fstat(1), os.fstat(2))
    except OSError:
        return False
