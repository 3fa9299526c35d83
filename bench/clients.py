"""
A small asyncio client: as little as it takes to ask at a given pace.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Self

from attrs import define, field

from bench.servers import Server, WrongAnswer


@define(eq=False)
class Connection:
    """
    One connection that is kept.
    """

    port: int
    _reader: asyncio.StreamReader = field(init=False)
    _writer: asyncio.StreamWriter = field(init=False)

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection(
            "127.0.0.1", self.port
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()

    async def ask(self, method: str, path: str, status: int, form: str = "") -> bytes:
        """
        Return the body of an answer.

        :param form: the body of the request.

        :raises WrongAnswer: if the answer has another status.
        """
        about = "Content-Type: application/x-www-form-urlencoded\r\n" if form else ""
        if method == "POST":
            about += f"Content-Length: {len(form)}\r\n"
        self._writer.write(
            f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{about}\r\n{form}".encode()
        )
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        (size,) = (
            int(line.partition(b":")[2])
            for line in head.split(b"\r\n")
            if line.startswith(b"content-length:")
        )
        body = await self._reader.readexactly(size)
        if int(head.split(b" ", 2)[1]) != status:
            raise WrongAnswer(f"not {status} for {method}: {head!r}")
        return body


async def ask_steadily(
    server: Server,
    ask: Callable[[Connection, int], Awaitable[object]],
    *,
    rate: float,
    seconds: float,
    connections: int,
) -> list[float]:
    """
    Ask at a pace that does not depend on the answers, and return how many seconds each
    took from the time when it was to be sent.

    :param ask: asks what is to be asked at that number.
    :param rate: how many are asked per second, over all connections.
    """
    count = int(rate * seconds)
    begin = time.monotonic() + 0.1
    waits: list[float] = []

    async def one(first: int) -> None:
        async with Connection(server.port) as connection:
            for number in range(first, count, connections):
                due = begin + number / rate
                # A timer that goes off late is no fault of the server, but a
                # connection that still waits for the answer before is.
                if (early := due - time.monotonic()) > 0:
                    await asyncio.sleep(early)
                    due = time.monotonic()
                await ask(connection, number)
                waits.append(time.monotonic() - due)

    await asyncio.gather(*map(one, range(connections)))
    return waits
