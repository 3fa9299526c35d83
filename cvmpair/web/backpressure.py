"""
Clients that ask and do not take the answers: no more is made for them than what one
answer needs, and they are cut. So are those that say too much while they wait.

Twisted by itself answers all requests that came in one piece, up to 64 KiB of them,
whether or not the answers are read, and cuts such a client after more than a minute.
Where too much comes behind a request it reads no more, and so would not hear for the
whole of a long wait that the client has gone.
"""

from typing import Any, Final

from twisted.internet.protocol import connectionDone
from twisted.protocols.tls import BufferingTLSTransport
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel

BUFFER_SIZE: Final = 16 * 1024
"""
The bytes that are read at once, and those that may be unsent while more are made.

Twisted's own number is 64 KiB, which for thousands of clients is a lot of memory.
"""


class BackpressuredChannel(HTTPChannel):
    """
    A connection that takes up no request while answers wait to be read, and keeps
    little of what comes while a client waits for news.
    """

    transport: Any
    factory: Any
    # A flag of LineReceiver: what has come already stays where it is.
    paused = False

    def connectionMade(self) -> None:
        socket = self.transport
        if isinstance(socket, BufferingTLSTransport):
            # What it wraps is what reads and has the producer pause; before, it gathers
            # answers by itself.
            gathered: Any = socket._aggregator  # noqa: SLF001
            gathered.MAX_BUFFER_SIZE = gathered._bufferLeft = BUFFER_SIZE  # noqa: SLF001
            socket = socket.transport
        socket.bufferSize = BUFFER_SIZE
        super().connectionMade()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        super().connectionLost(reason)
        self.factory.unsent.forget(self)

    @property
    def waits(self) -> bool:
        """
        Whether its client waits for news.
        """
        return any(request.waits for request in self.requests)

    def rawDataReceived(self, data: bytes) -> None:
        if self._handlingRequest and self.waits:
            kept = sum(map(len, self._dataBuffer))
            if kept + len(data) > BUFFER_SIZE:
                self.transport.abortConnection()
                return
        super().rawDataReceived(data)

    def write(self, data: bytes) -> None:
        super().write(data)
        if self.paused:
            # TLS has it pause at the beginning of a long answer.
            self.factory.unsent.watch(self)

    def pauseProducing(self) -> None:
        super().pauseProducing()
        # Twisted leaves this out while a request is being handled, which is when nearly
        # all answers are written, and would read on for ever.
        self._networkProducer.pauseProducing()
        self.paused = True
        self.factory.unsent.watch(self)

    def resumeProducing(self) -> None:
        self.paused = False
        self.factory.unsent.forget(self)
        super().resumeProducing()
        if self._buffer:
            # Requests that had come already.
            self.dataReceived(b"")

    def loseConnection(self) -> None:
        # What is unsent goes first, and over TLS the client has to agree.
        self.factory.unsent.watch(self)
        super().loseConnection()

    def unsent(self) -> int:
        """
        Return how many bytes of answers the kernel has not taken yet.
        """
        # Of what is no socket, nothing is known to be unsent.
        buffered = len(getattr(self.transport, "dataBuffer", b""))
        new: int = getattr(self.transport, "_tempDataLen", 0)
        sent: int = getattr(self.transport, "offset", 0)
        return buffered + new - sent

    def cut(self) -> None:
        """
        End the connection, whatever is unsent.
        """
        secured = isinstance(self.transport, BufferingTLSTransport)
        if secured and not self.unsent():
            # The client has not agreed, but what the kernel has may be on its way.
            self.transport.transport.loseConnection()
        else:
            self.transport.abortConnection()
