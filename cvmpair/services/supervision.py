"""
What the service manager is told: whether the daemon is ready, alive, ending, and what
it does. The protocol is that of sd_notify(3): datagrams to a socket that systemd names.
"""

import socket
from collections.abc import Callable, MutableMapping
from typing import Final, Self

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

STATUS_EVERY: Final = 5.0
"""The longest time, in seconds, until a change of the status is told."""

NOTIFY_SOCKET: Final = "NOTIFY_SOCKET"
WATCHDOG_USEC: Final = "WATCHDOG_USEC"
WATCHDOG_PID: Final = "WATCHDOG_PID"


def _microseconds(text: str) -> float | None:
    return int(text) / 1e6 if text.isdecimal() and int(text) > 0 else None


@define(eq=False, kw_only=True)
class Supervision:
    """
    Tells the service manager how the daemon is; does nothing if there is none.

    :ivar status: says in one line what the daemon does.
    :ivar address: of the manager's socket; a leading ``@`` stands for the abstract name
        space. Empty if there is no manager that wants to be told.
    :ivar watchdog: the seconds of silence after which the manager takes the daemon for
        hung, or ``None`` if it never does. It hears from it twice as often at least,
        from a timer of the reactor: one that turns no more is silent.
    """

    _log = Logger()

    clock: IReactorTime
    status: Callable[[], str]
    address: str = ""
    watchdog: float | None = None
    _untold: dict[str, str] = field(init=False, factory=dict)
    _status: str = field(init=False, default="")
    _lost: bool = field(init=False, default=False)
    _due: IDelayedCall | None = field(init=False, default=None)

    @classmethod
    def from_environment(
        cls,
        environ: MutableMapping[str, str],
        process: int,
        *,
        clock: IReactorTime,
        status: Callable[[], str],
    ) -> Self:
        """
        Take what systemd says out of the environment, so that no child inherits it.

        :param process: the number of this process; a watchdog may be another's.
        """
        address = environ.pop(NOTIFY_SOCKET, "")
        watchdog = _microseconds(environ.pop(WATCHDOG_USEC, ""))
        if environ.pop(WATCHDOG_PID, str(process)) != str(process):
            watchdog = None
        return cls(clock=clock, status=status, address=address, watchdog=watchdog)

    def ready(self) -> None:
        """
        Tell that the daemon answers, and from now on that it is alive.
        """
        if self.address:
            self._tell(READY="1")
            self._go_on()

    def stopping(self) -> None:
        """
        Tell that the daemon ends; it still has to be alive for that.
        """
        if self.address:
            self._tell(STOPPING="1", STATUS="stopping")

    def stop(self) -> None:
        """
        Tell nothing any more.
        """
        if self._due is not None:
            self._due.cancel()
            self._due = None

    def _go_on(self) -> None:
        half = STATUS_EVERY if self.watchdog is None else self.watchdog / 2
        self._due = self.clock.callLater(min(STATUS_EVERY, half), self._go_on)
        words = {} if self.watchdog is None else {"WATCHDOG": "1"}
        # Each line of a message is an assignment, so the status has to be one line.
        status = " ".join(self.status().split())
        if status != self._status:
            self._status = words["STATUS"] = status
        self._tell(**words)

    def _tell(self, **words: str) -> None:
        # What could not be told before comes with what is told now.
        self._untold |= words
        if not self._untold:
            return
        message = "\n".join(f"{name}={text}" for name, text in self._untold.items())
        name = f"\0{self.address[1:]}" if self.address[0] == "@" else self.address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
                # It is systemd that may be slow, and the reactor that must not be.
                manager.settimeout(0)
                manager.sendto(message.encode(), name)
        except OSError as error:
            if not self._lost:
                self._log.warn(
                    "service manager does not hear reason={reason!r} (it is tried "
                    "again and again)",
                    reason=error.strerror or str(error),
                )
            self._lost = True
        else:
            self._untold.clear()
            self._lost = False
