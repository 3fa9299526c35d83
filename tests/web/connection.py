"""
One connection to a site, byte by byte.
"""

from attrs import define, field
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IAddress
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransportWithDisconnection
from twisted.python.failure import Failure

from cvmpair.web.channel import PairingChannel
from cvmpair.web.site import PairingSite
from tests.web.wire import CLIENT, SERVER, Answer, read_answer


class HalfClosing(StringTransportWithDisconnection):
    """
    A connection that can be closed in one direction, as TCP can.

    :ivar written: whether the server has said that it will write no more.
    """

    written = False

    def loseWriteConnection(self) -> None:
        self.written = True

    def abortConnection(self) -> None:
        if self.connected:
            self.connected = False
            self.protocol.connectionLost(Failure(ConnectionLost()))


@define(eq=False)
class Connection:
    """
    A client that says exactly what the test says.
    """

    site: PairingSite
    clock: Clock
    peer: IAddress = CLIENT
    kind: type[HalfClosing] = HalfClosing
    transport: HalfClosing = field(init=False)
    channel: PairingChannel = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.transport = self.kind(hostAddress=SERVER, peerAddress=self.peer)
        self.channel = self.site.buildProtocol(self.peer)
        self.transport.protocol = self.channel
        self.channel.makeConnection(self.transport)

    @property
    def closed(self) -> bool:
        """
        Whether the server has closed it.
        """
        return not self.transport.connected

    def say(self, data: bytes) -> bytes:
        """
        Send bytes, and return what came back for them.
        """
        self.transport.clear()
        self.channel.dataReceived(data)
        return self.transport.value()

    def drip(self, data: bytes, seconds: float) -> None:
        """
        Send bytes one by one, each after some time.
        """
        for byte in data:
            self.clock.advance(seconds)
            if self.closed:
                return
            self.channel.dataReceived(bytes([byte]))

    def answer(self) -> Answer:
        """
        Return the answer that came last.
        """
        return read_answer(self.transport.value())

    def hang_up(self) -> None:
        """
        Close it from the client's side.
        """
        if self.transport.connected:
            self.transport.connected = False
            self.channel.connectionLost(Failure(ConnectionDone()))
