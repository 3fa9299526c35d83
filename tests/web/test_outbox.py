"""
What is written reaches the socket, in order and whatever happens meanwhile.
"""

from collections.abc import Callable

import pytest
from twisted.internet.abstract import FileDescriptor
from twisted.internet.error import ConnectionLost
from twisted.internet.testing import StringTransport

from cvmpair.web.outbox import Outbox
from tests.conftest import LogEvents


class Reactor:
    """
    Notes who wants to write.
    """

    def __init__(self) -> None:
        self.writers: set[FileDescriptor] = set()

    def addWriter(self, writer: FileDescriptor) -> None:
        self.writers.add(writer)

    def removeWriter(self, writer: FileDescriptor) -> None:
        self.writers.discard(writer)

    def removeReader(self, reader: FileDescriptor) -> None:
        pass


class Socket(FileDescriptor):
    """
    A socket with as much room as the test says.
    """

    def __init__(self) -> None:
        self.watch = Reactor()
        super().__init__(self.watch)
        self.connected = 1
        self.room = 1000
        self.sent = b""
        self.error: Exception | None = None

    def writeSomeData(self, data: bytes) -> int | BaseException:
        if self.error is not None:
            return self.error
        taken = bytes(data[: self.room])
        self.sent += taken
        self.room -= len(taken)
        return len(taken)

    @property
    def waits(self) -> bool:
        """
        Whether the reactor will write.
        """
        return self in self.watch.writers


@pytest.fixture
def turn() -> list[Callable[[], None]]:
    """
    The calls that the next turn of the reactor makes.
    """
    return []


@pytest.fixture
def outbox(turn: list[Callable[[], None]]) -> Outbox:
    return Outbox(turn.append)


def test_all_of_a_turn_is_sent_at_its_end(
    outbox: Outbox, turn: list[Callable[[], None]]
) -> None:
    sockets = [Socket() for _ in range(3)]
    for socket in sockets:
        outbox.write(socket, b"sesame")
    assert [socket.sent for socket in sockets] == [b""] * 3
    (send,) = turn
    send()
    assert [socket.sent for socket in sockets] == [b"sesame"] * 3
    assert not any(socket.waits for socket in sockets)
    outbox.write(sockets[0], b" open")
    turn[1]()
    assert sockets[0].sent == b"sesame open"


def test_the_reactor_sends_the_rest(
    outbox: Outbox, turn: list[Callable[[], None]]
) -> None:
    socket = Socket()
    socket.room = 4
    outbox.write(socket, b"sesame")
    turn.pop()()
    assert socket.waits
    # Behind what is there already.
    outbox.write(socket, b" open")
    assert turn == []
    socket.room = 1000
    socket.doWrite()
    socket.doWrite()
    assert socket.sent == b"sesame open"
    assert not socket.waits


def test_what_is_much_pauses_the_producer_until_it_is_sent(
    outbox: Outbox, turn: list[Callable[[], None]]
) -> None:
    socket, producer = Socket(), StringTransport()
    socket.registerProducer(producer, streaming=True)
    socket.bufferSize = 5
    outbox.write(socket, b"seven")
    assert producer.producerState == "producing"
    turn.pop()()
    outbox.write(socket, b"sesame")
    assert producer.producerState == "paused"
    socket.room = 4
    turn.pop()()
    assert (socket.waits, producer.producerState) == (True, "paused")
    socket.room = 1000
    socket.doWrite()
    assert producer.producerState == "producing"


def test_two_in_one_turn_keep_their_order(
    outbox: Outbox, turn: list[Callable[[], None]]
) -> None:
    socket = Socket()
    outbox.write(socket, b"sesame")
    outbox.write(socket, b" open")
    turn.pop()()
    assert socket.sent == b"sesame open"
    assert not socket.waits


def test_errors_are_for_the_reactor(
    outbox: Outbox, turn: list[Callable[[], None]]
) -> None:
    socket, other = Socket(), Socket()
    socket.error = ConnectionLost()
    outbox.write(socket, b"sesame")
    outbox.write(other, b"sesame")
    turn.pop()()
    assert socket.waits
    assert socket.doWrite() is socket.error
    assert other.sent == b"sesame"


def test_a_defect_of_one_is_not_one_of_the_others(
    outbox: Outbox, turn: list[Callable[[], None]], logged: LogEvents
) -> None:
    class Broken(Socket):
        aborted = False

        def doWrite(self) -> None:
            raise RuntimeError("sesame")

        def abortConnection(self) -> None:
            self.aborted = True

    broken, other = Broken(), Socket()
    outbox.write(broken, b"sesame")
    outbox.write(other, b"sesame")
    turn.pop()()
    assert broken.aborted
    assert other.sent == b"sesame"
    (line,) = logged.take(lambda text: "defect" in text)
    assert "error=RuntimeError" in line
    assert "sesame" not in line


def test_a_connection_that_is_closed_meanwhile_sends_it_first(
    outbox: Outbox, turn: list[Callable[[], None]]
) -> None:
    socket = Socket()
    outbox.write(socket, b"sesame")
    socket.loseConnection()
    turn.pop()()
    assert socket.sent == b"sesame"
    # The reactor ends it.
    assert socket.waits


def test_a_connection_that_is_lost_meanwhile_is_left_alone(
    outbox: Outbox, turn: list[Callable[[], None]]
) -> None:
    socket = Socket()
    outbox.write(socket, b"sesame")
    socket.connected = 0
    turn.pop()()
    outbox.write(socket, b"sesame")
    assert turn == []
    assert socket.sent == b""
    assert not socket.waits
