"""
Ten thousand connections in one process that wait for an answer each.

They share one epoll object, which asyncio watches as a whole: a transport and a
protocol for each would cost this client more than the server.
"""

import asyncio
import re
import select
import socket
import time
from collections.abc import Callable
from random import Random
from typing import Self

from attrs import define, frozen

from bench.servers import WrongAnswer

PATIENCE = 60.0
"""The seconds within which all have to be told."""

_AT_ONCE = 32
"""How many connections are opened at a time; Twisted's listeners queue 50."""

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_ENOUGH = 1 << 16


@frozen
class Question:
    """
    What all of them ask.

    :ivar text: what the body of the answer has to contain.
    :ivar head_first: whether the server sends the headers when it begins to wait.
    """

    request: bytes
    text: bytes
    head_first: bool = False


@define(eq=False)
class _Waiter:
    connection: socket.socket
    received: bytes = b""


class Waiters:
    """
    Clients of one server; to be used as a context manager.

    :param jitter: the seconds after which at most a client comes back whose connection
        broke; ``None`` if none may break.
    """

    def __init__(self, port: int, *, jitter: float | None = None) -> None:
        self._address = ("127.0.0.1", port)
        self._jitter = jitter
        self._random = Random(port)
        self._epoll = select.epoll()
        self._waiters: dict[int, _Waiter] = {}
        self._away: set[asyncio.Task[None]] = set()
        self._losses = 0
        self._question: Question | None = None
        self._written = False
        self._heads = 0
        self._missing = 0
        self._end = 0.0
        self._failure: WrongAnswer | None = None

    def __enter__(self) -> Self:
        asyncio.get_running_loop().add_reader(self._epoll.fileno(), self._read)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.get_running_loop().remove_reader(self._epoll.fileno())
        for task in self._away:
            task.cancel()
        for waiter in self._waiters.values():
            waiter.connection.close()
        self._epoll.close()

    async def join(
        self, count: int, question: Question, breathe: Callable[[], object]
    ) -> None:
        """
        Have so many more wait, each on a connection of its own.

        :param breathe: returns when the server has taken what was sent to it.
        """
        self._begin(question)
        for begun in range(0, count, _AT_ONCE):
            for _ in range(min(_AT_ONCE, count - begun)):
                self._send(await self._connect())
            breathe()
        await self._taken()

    async def ask(self, question: Question) -> None:
        """
        Have all of them wait again.

        The server may still have to read what they sent.
        """
        self._begin(question)
        for waiter in self._waiters.values():
            self._send(waiter)
        await self._taken()

    def _begin(self, question: Question) -> None:
        self._question, self._written, self._heads = question, False, 0

    async def _taken(self) -> None:
        assert self._question
        if self._question.head_first:
            await self._until(lambda: self._heads == len(self._waiters), "were taken")

    async def come_back(self, count: int) -> None:
        """
        Wait until so many have lost their connection, and asked again.
        """
        await self._until(lambda: self._losses >= count and not self._away, "came back")

    async def wake(self, write: bytes) -> float:
        """
        Send the request that they all wait for.

        :returns: the seconds from then to the last answer.

        :raises WrongAnswer: if one is refused, or is told something else or nothing.
        """
        with socket.create_connection(self._address) as writer:
            writer.settimeout(PATIENCE)
            self._missing, self._written = len(self._waiters), True
            begin = time.monotonic()
            writer.sendall(write)
            await self._until(lambda: self._missing == 0, "were told")
            answer = writer.recv(_ENOUGH)
        if not answer.startswith(b"HTTP/1.1 20"):
            raise WrongAnswer(f"the write was refused: {answer!r}")
        return self._end - begin

    async def _until(self, done: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not done():
            if self._failure:
                raise self._failure
            if time.monotonic() > deadline:
                raise WrongAnswer(f"not all waiters {what} in {PATIENCE:g} seconds")
            await asyncio.sleep(0.005)

    async def _connect(self) -> _Waiter:
        connection = socket.socket()
        connection.settimeout(0)
        try:
            await asyncio.get_running_loop().sock_connect(connection, self._address)
        except BaseException:
            connection.close()
            raise
        waiter = self._waiters[connection.fileno()] = _Waiter(connection)
        self._epoll.register(connection.fileno(), select.EPOLLIN)
        return waiter

    def _send(self, waiter: _Waiter) -> None:
        assert self._question
        waiter.received = b""
        waiter.connection.send(self._question.request)

    def _read(self) -> None:
        for descriptor, _ in self._epoll.poll(0):
            waiter = self._waiters[descriptor]
            try:
                data = waiter.connection.recv(_ENOUGH)
            except OSError:
                data = b""
            if data:
                waiter.received += data
                self._look(waiter)
            else:
                self._lose(descriptor)

    def _look(self, waiter: _Waiter) -> None:
        assert self._question
        body = body_of(waiter.received)
        if body is None:
            self._heads += waiter.received.endswith(b"\r\n\r\n")
        elif not (
            self._written
            and waiter.received.startswith(b"HTTP/1.1 200 ")
            and self._question.text in body
        ):
            self._fail(f"a waiter was told {waiter.received!r}")
        else:
            self._missing -= 1
            self._end = time.monotonic()

    def _lose(self, descriptor: int) -> None:
        self._waiters.pop(descriptor).connection.close()
        self._losses += 1
        if self._jitter is None:
            self._fail("the connection of a waiter broke")
        else:
            task = asyncio.create_task(self._return(self._jitter))
            self._away.add(task)
            task.add_done_callback(self._away.discard)

    async def _return(self, jitter: float) -> None:
        while True:
            await asyncio.sleep(self._random.random() * jitter)
            try:
                self._send(await self._connect())
            except OSError:  # it does not listen yet
                continue
            return

    def _fail(self, text: str) -> None:
        self._failure = self._failure or WrongAnswer(text)


def body_of(received: bytes) -> bytes | None:
    """
    Return the body of an answer, or ``None`` as long as it is not complete.
    """
    head, gap, body = received.partition(b"\r\n\r\n")
    if not gap:
        return None
    if length := _LENGTH.search(head):
        return body if len(body) >= int(length[1]) else None
    return body if body.endswith(b"\r\n0\r\n\r\n") else None
