"""
A small asyncio client: as little as it takes to ask at a given pace.
"""

import asyncio
import time
from collections.abc import Callable
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

    async def ask(self, method: str, path: str, status: int) -> bytes:
        """
        Return the body of an answer.

        :raises WrongAnswer: if it has another status.
        """
        length = "Content-Length: 0\r\n" if method == "POST" else ""
        self._writer.write(
            f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{length}\r\n".encode()
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
    request: Callable[[int], tuple[str, str, int]],
    *,
    rate: float,
    seconds: float,
    connections: int,
) -> list[float]:
    """
    Send requests at a pace that does not depend on the answers, and return how many
    seconds each took from the time when it was to be sent.

    :param request: returns method, path and status of the request of that number.
    :param rate: the requests per second, over all connections.
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
                await connection.ask(*request(number))
                waits.append(time.monotonic() - due)

    await asyncio.gather(*map(one, range(connections)))
    return waits
