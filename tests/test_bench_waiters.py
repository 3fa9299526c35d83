"""
The many waiting clients of the benchmark: a wake-up that is refused, wrong, too early
or lost ends it.
"""

import asyncio
from functools import partial
from pathlib import Path

import pytest

from bench import peers, waiters
from bench.servers import WrongAnswer
from bench.waiters import Question, Waiters, body_of
from bench.waiting import Held, etcd_round, hold

COUNT = 40
QUESTION = Question(b"GET / HTTP/1.1\r\n\r\n", b"sesame")
WRITE = b"POST / HTTP/1.1\r\n\r\n"
RIGHT = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsesame"
CREATED = b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"


class Fake:
    """
    A server that says something to those who ask, and something to those who wait.
    """

    def __init__(
        self, *, first: bytes = b"", then: bytes = RIGHT, written: bytes = CREATED
    ) -> None:
        self.first = first
        self.then = then
        self.written = written
        self.lost = 0
        self.broken = 0
        self._waiting: list[asyncio.StreamWriter] = []
        self._arrivals = asyncio.Semaphore(0)

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        if request == WRITE:
            writer.write(self.written)
            for waiter in self._waiting[self.lost :]:
                waiter.write(self.then)
        else:
            self._waiting.append(writer)
            self._arrivals.release()
            if len(self._waiting) <= self.broken:
                writer.close()
            else:
                writer.write(self.first)

    async def wait_for(self, count: int) -> None:
        for _ in range(count):
            await self._arrivals.acquire()


def told(fake: Fake, question: Question = QUESTION) -> float:
    async def run() -> float:
        server = await asyncio.start_server(fake.serve, "127.0.0.1", 0)
        async with server:
            with Waiters(server.sockets[0].getsockname()[1]) as clients:
                await clients.join(COUNT, question, lambda: None)
                await fake.wait_for(COUNT)
                return await clients.wake(WRITE)

    return asyncio.run(run())


def test_all_are_told() -> None:
    assert told(Fake()) > 0


def test_answers_in_chunks_after_their_headers() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    fake = Fake(first=head, then=b"6\r\nsesame\r\n0\r\n\r\n")
    assert told(fake, Question(QUESTION.request, b"sesame", head_first=True)) > 0


@pytest.mark.parametrize(
    ("fake", "reason"),
    [
        (Fake(first=RIGHT), "was told"),
        (Fake(first=RIGHT.replace(b"200 OK", b"503 Busy")), "was told .*503"),
        (Fake(then=RIGHT.replace(b"sesame", b"simsim")), "was told .*simsim"),
        (Fake(then=RIGHT.replace(b"200 OK", b"404 Gone")), "was told .*404"),
        (Fake(written=CREATED.replace(b"201", b"503")), "the write was refused"),
    ],
)
def test_wrong_answers_end_it(fake: Fake, reason: str) -> None:
    with pytest.raises(WrongAnswer, match=reason):
        told(fake)


def test_a_broken_connection_ends_it() -> None:
    fake = Fake()
    fake.broken = 1
    with pytest.raises(WrongAnswer, match="the connection of a waiter broke"):
        told(fake)


def test_a_lost_wake_up_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiters, "PATIENCE", 0.5)
    fake = Fake()
    fake.lost = 1
    with pytest.raises(WrongAnswer, match="not all waiters were told"):
        told(fake)


def test_waiters_that_are_not_taken_end_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiters, "PATIENCE", 0.5)
    with pytest.raises(WrongAnswer, match="not all waiters were taken"):
        told(Fake(), Question(QUESTION.request, b"sesame", head_first=True))


def test_those_whose_server_is_gone_come_back() -> None:
    async def run() -> float:
        fake = Fake()
        fake.broken = COUNT
        server = await asyncio.start_server(fake.serve, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            with Waiters(port, jitter=0.1) as clients:
                await clients.join(COUNT, QUESTION, lambda: None)
                await clients.come_back(COUNT)
                await fake.wait_for(2 * COUNT)
                fake.lost = COUNT
                return await clients.wake(WRITE)

    assert asyncio.run(run()) > 0


@pytest.mark.parametrize(
    ("received", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Le", None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", None),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc", b"abc"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n", None),
    ],
)
def test_an_answer_counts_when_it_is_complete(
    received: bytes, body: bytes | None
) -> None:
    assert body_of(received) == body


@pytest.mark.skipif(not peers.present(["etcd"])[0], reason="etcd is not installed")
def test_etcd_holds_waiters(tmp_path: Path) -> None:
    held = Held()
    with peers.etcd(tmp_path) as etcd:
        etcd.wait_for(peers.ETCD_HEALTHY)
        rounds = partial(etcd_round, "enico1qq0oey")
        asyncio.run(hold(etcd, peers.ETCD_HEALTHY, rounds, COUNT, held))
        etcd.check(peers.etcd_get("enico1qq0oey/measured", "10.0.0.1"))
    assert len(held.told) == len(held.memory) == 1


@pytest.mark.skipif(not peers.present(["nginx"])[0], reason="nginx is not installed")
def test_nginx_says_a_constant(tmp_path: Path) -> None:
    expected = peers.Expected("/any/path", "sesame: 1")
    with peers.nginx("sesame: 1", tmp_path) as nginx:
        nginx.wait_for(expected)


@pytest.mark.skipif(not peers.present(["redis"])[0], reason="Redis is not installed")
def test_redis_loads_what_it_saved(tmp_path: Path) -> None:
    (tmp_path / "commands").write_text("HSET a b c\r\nHSET d e f\r\n")
    with peers.redis(tmp_path) as redis:
        redis.wait_for(peers.Expected("PING", "+PONG"))
        redis.fill(tmp_path / "commands")
    with peers.redis(tmp_path) as redis:
        redis.wait_for(peers.Expected("DBSIZE", ":2"))
