"""
Many clients of one bad habit, in one process, and what became of them.

It prints a line when all are connected, and one of JSON when each was cut or the time
was over: how many there were, how many were cut, the statuses that they were told, and
the seconds from the connection to the cut.
"""

import errno
import json
import select
import socket
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from enum import StrEnum
from itertools import repeat

from attrs import define, field

from tests.e2e.daemon import CLUSTERS

PACE = 1.0
"""The seconds between two bytes of a slow client."""

AT_ONCE = 100
"""Connections that are opened between two looks at the others."""

SMALL_BUFFER = 4096
LARGE_PIECE = 16 * 1024


class Habit(StrEnum):
    """
    What is bad about a client.
    """

    SLOW_HEADERS = "slow-headers"
    SLOW_BODY = "slow-body"
    NEVER_READS = "never-reads"
    NEVER_READS_MUCH = "never-reads-much"

    @property
    def reads(self) -> bool:
        """
        Whether it reads what comes.
        """
        return self not in (Habit.NEVER_READS, Habit.NEVER_READS_MUCH)


@define(eq=False)
class Client:
    """
    One of them.

    :ivar cut: the seconds after which it was cut, if it was.
    """

    habit: Habit
    address: tuple[str, int]
    pieces: Iterator[bytes]
    connection: socket.socket = field(factory=socket.socket)
    begun: float = field(factory=time.monotonic)
    cut: float | None = None
    told: bytes = b""
    _unsent: bytes = b""

    def connect(self) -> None:
        if not self.habit.reads:
            self.connection.setsockopt(
                socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER
            )
        self.connection.settimeout(0)
        with suppress(BlockingIOError):
            self.connection.connect(self.address)

    def speak(self) -> None:
        """
        Send the next piece, or as many as there is room for.
        """
        try:
            while True:
                self._unsent = self._unsent or next(self.pieces)
                self._unsent = self._unsent[self.connection.send(self._unsent) :]
                if self.habit.reads:
                    return
        except BlockingIOError:
            pass
        except OSError as error:
            # It has not come to be connected yet.
            if error.errno != errno.ENOTCONN:
                self.end()

    def happened(self, events: int) -> None:
        """
        Take notice of what the network says.
        """
        try:
            if events & select.EPOLLIN and self.habit.reads:
                if data := self.connection.recv(65536):
                    self.told += data
                else:
                    self.end()
            elif events & (select.EPOLLHUP | select.EPOLLERR):
                self.end()
        except OSError:
            self.end()

    def end(self) -> None:
        self.cut = self.cut or time.monotonic() - self.begun
        self.connection.close()


def pieces_of(habit: Habit, pin: str) -> Iterator[bytes]:
    """
    Return what a client sends, piece by piece.
    """
    if habit is Habit.SLOW_HEADERS:
        yield f"GET {CLUSTERS}/{pin} HTTP/1.1\r\nX-Sesame: ".encode()
        yield from repeat(b"s")
    elif habit is Habit.SLOW_BODY:
        head = f"POST {CLUSTERS}/{pin}/keys HTTP/1.1\r\nHost: sesame\r\n"
        kind = "Content-Type: application/json\r\nContent-Length: 9000\r\n\r\n"
        yield f"{head}{kind}".encode()
        yield from repeat(b" ")
    else:
        name = "/sesame" if habit is Habit.NEVER_READS else ""
        ask = f"GET {CLUSTERS}/{pin}/keys{name} HTTP/1.1\r\nHost: sesame\r\n\r\n"
        yield from repeat(ask.encode() * (LARGE_PIECE // len(ask)))


def run(habit: Habit, port: int, pin: str, number: int, patience: float) -> None:
    """
    Have so many clients of a habit talk to a daemon until each is cut.

    :param patience: the seconds after which the rest are given up.
    """
    poll, clients = select.epoll(), dict[int, Client]()
    waiting: dict[int, Client] = {}
    deadline, turn = time.monotonic() + patience, 0.0
    while time.monotonic() < deadline and (len(clients) < number or waiting):
        for _ in range(min(AT_ONCE, number - len(clients))):
            client = Client(habit, ("127.0.0.1", port), pieces_of(habit, pin))
            client.connect()
            clients[len(clients)] = client
            waiting[client.connection.fileno()] = client
            # Else it would be told all the time that there is something to read.
            poll.register(client.connection, select.EPOLLIN if habit.reads else 0)
            if len(clients) == number:
                print("connected", flush=True)
        for file, events in poll.poll(0.05):
            waiting[file].happened(events)
            if waiting[file].cut is not None:
                del waiting[file]
        if time.monotonic() >= turn:
            turn = time.monotonic() + PACE
            for file, client in list(waiting.items()):
                client.speak()
                if client.cut is not None:
                    del waiting[file]
    ended = [client for client in clients.values() if client.cut is not None]
    statuses = Counter(client.told[9:12].decode() or "none" for client in ended)
    slowest = max((client.cut or 0.0 for client in ended), default=0.0)
    print(
        json.dumps(
            {
                "clients": number,
                "cut": len(ended),
                "told": statuses,
                "slowest": round(slowest, 1),
            }
        )
    )


if __name__ == "__main__":
    kind, port, pin, number, patience = sys.argv[1:]
    run(Habit(kind), int(port), pin, int(number), float(patience))
