"""
Answers on their way to the sockets.
"""

from collections.abc import Callable
from typing import Any

from twisted.internet.abstract import FileDescriptor
from twisted.python.failure import Failure

from cvmpair.web.problems import log_defect


class Outbox:
    """
    Sends what was written in one turn of the reactor at its end.

    Nearly always the kernel takes all of it, at once. To have the reactor wait until
    the socket is writable takes two more system calls and another turn. To send each
    answer right away would wake a client for each, while it is about to be woken
    anyway.
    """

    def __init__(self, later: Callable[[Callable[[], None]], object]) -> None:
        """
        :param later: makes a call in the next turn of the reactor.
        """
        self._later = later
        self._transports: list[Any] = []

    def write(self, transport: FileDescriptor, data: bytes) -> None:
        """
        Do what ``transport.write()`` does, only sooner.
        """
        if not transport.connected or transport.dataBuffer or transport._tempDataBuffer:  # noqa: SLF001
            transport.write(data)
            return
        # As write() does it, but for the call of startWriting(). Whatever else happens
        # to the transport meanwhile finds the data where it looks for them.
        transport._tempDataBuffer.append(data)  # noqa: SLF001
        transport._tempDataLen += len(data)  # noqa: SLF001
        if len(data) > transport.bufferSize:
            transport._maybePauseProducer()  # noqa: SLF001
        self._transports.append(transport)
        if len(self._transports) == 1:
            self._later(self._send)

    def _send(self) -> None:
        transports, self._transports = self._transports, []
        for transport in transports:
            try:
                # What is left, or went wrong, is for the reactor.
                if transport.connected and (
                    transport.doWrite() is not None or transport.dataBuffer
                ):
                    transport.startWriting()
            except Exception:
                # Others have something to send too.
                log_defect(Failure(), "-")
                transport.abortConnection()
