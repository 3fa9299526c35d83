"""
The client on real connections: certificates, servers that hang, and what is no HTTP.
"""

import gzip
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater

from cvmpair.client.errors import NoAnswer, Refused, Untrusted
from cvmpair.client.transport import http_client
from tests.client.asking import FOUND, PIN, Serve, ask, failure_of
from tests.client.authority import AUTHORITY, DAY, Authority
from tests.client.conversation import Canned


class Speech(Protocol):
    """
    Says the same to whoever has said something.
    """

    words: bytes
    close: bool

    def dataReceived(self, _data: bytes) -> None:
        self.transport.write(self.factory.words)
        if self.factory.close:
            self.transport.loseConnection()

    def connectionLost(self, _reason: Any = None) -> None:
        self.factory.lost.callback(None)


def speech(words: bytes, *, close: bool = True) -> Factory:
    factory = Factory.forProtocol(Speech)
    factory.words, factory.close = words, close
    factory.lost = Deferred()
    return factory


@pytest_twisted.ensureDeferred
async def test_http(serve: Serve) -> None:
    assert await ask(f"http://127.0.0.1:{serve(FOUND)}")


@pytest_twisted.ensureDeferred
async def test_http_over_ipv6(serve: Serve) -> None:
    assert await ask(f"http://[::1]:{serve(FOUND, interface='::1')}")


@pytest_twisted.ensureDeferred
async def test_no_proxy(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "http_proxy", "HTTP_PROXY", "all_proxy":
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert await ask(f"http://127.0.0.1:{serve(FOUND)}")


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_https_with_a_private_authority(
    serve: Serve, ca_file: str, host: str
) -> None:
    port = serve(FOUND, AUTHORITY.issue("localhost", "127.0.0.1"))
    assert await ask(f"https://{host}:{port}", ca_file)


@pytest_twisted.ensureDeferred
async def test_an_unknown_authority(serve: Serve, tmp_path: Path) -> None:
    port = serve(FOUND, AUTHORITY.issue("localhost"))
    other = Authority("sesame authority").write(tmp_path / "other.pem")
    for ca_file in None, other:
        error = await failure_of(f"https://localhost:{port}", ca_file)
        assert isinstance(error, Untrusted)
        assert "not signed by an authority" in str(error)
        assert "--ca-file" in str(error)


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize(
    ("host", "names"),
    [
        ("localhost", ["pairing.example"]),
        ("localhost", ["127.0.0.1"]),
        ("localhost", []),
        ("127.0.0.1", ["localhost"]),
        ("127.0.0.1", ["127.0.0.2"]),
    ],
)
async def test_a_certificate_for_another_host(
    serve: Serve, ca_file: str, host: str, names: list[str]
) -> None:
    port = serve(FOUND, AUTHORITY.issue(*names))
    error = await failure_of(f"https://{host}:{port}", ca_file)
    assert isinstance(error, Untrusted)
    assert f"not one for {host}" in str(error)


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize(
    ("begin", "end", "reason"),
    [(-2 * DAY, -DAY, "has expired"), (DAY, 2 * DAY, "is not valid yet")],
)
async def test_what_may_be_the_clock_is_asked_again(
    serve: Serve, ca_file: str, begin: timedelta, end: timedelta, reason: str
) -> None:
    port = serve(FOUND, AUTHORITY.issue("localhost", begin=begin, end=end))
    error = await failure_of(f"https://localhost:{port}", ca_file)
    assert isinstance(error, NoAnswer)
    assert reason in error.reason


@pytest_twisted.ensureDeferred
async def test_another_host_is_another_host_whatever_the_clock(
    serve: Serve, ca_file: str
) -> None:
    tls = Authority("sesame stranger").issue("localhost", begin=DAY, end=2 * DAY)
    error = await failure_of(f"https://localhost:{serve(FOUND, tls)}", ca_file)
    assert isinstance(error, Untrusted)


@pytest_twisted.ensureDeferred
async def test_https_where_plain_http_is_spoken(serve: Serve, ca_file: str) -> None:
    port = serve(speech(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"))
    error = await failure_of(f"https://localhost:{port}", ca_file)
    assert isinstance(error, NoAnswer)
    assert "plain HTTP" in error.reason


@pytest_twisted.ensureDeferred
async def test_http_where_tls_is_spoken(serve: Serve) -> None:
    port = serve(FOUND, AUTHORITY.issue("localhost"))
    error = await failure_of(f"http://localhost:{port}")
    assert isinstance(error, NoAnswer)
    assert "it may speak TLS there" in error.reason


@pytest.mark.parametrize(
    "content", [None, b"", b"open sesame"], ids=["none", "empty", "other"]
)
def test_a_wrong_ca_file(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    reason = "No such file" if content is None else "PEM"
    with pytest.raises(ValueError, match=rf"--ca-file .*ca\.pem.*{reason}") as caught:
        http_client(reactor, "https://pairing.example", str(path))
    assert "sesame" not in str(caught.value)


@pytest_twisted.ensureDeferred
async def test_nobody_listens() -> None:
    error = await failure_of("http://127.0.0.1:1")
    assert isinstance(error, NoAnswer)
    assert "refuses connections" in error.reason


@pytest_twisted.ensureDeferred
async def test_a_host_that_there_is_not() -> None:
    error = await failure_of("http://sesame.invalid")
    assert isinstance(error, NoAnswer)
    assert "cannot be resolved" in error.reason


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize(
    "words",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Type: appl",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
        b"HTTP/1.1 100 Continue\r\n\r\n",
    ],
)
async def test_a_server_that_never_ends_its_answer(serve: Serve, words: bytes) -> None:
    server = speech(words, close=False)
    error = await failure_of(f"http://127.0.0.1:{serve(server)}", seconds=1.0)
    assert isinstance(error, NoAnswer)
    assert "within 1 s" in error.reason
    await server.lost.addTimeout(10, reactor)


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize(
    "words",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Type: appl",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
        b"SSH-2.0-sesame\r\nenico1qq0oey\r\n\r\n",
        b"HTTP/9.9 sesame sesame\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: sesame\r\n\r\n",
        b"\0" * 100_000,
    ],
)
async def test_a_server_that_breaks_off(serve: Serve, words: bytes) -> None:
    error = await failure_of(f"http://127.0.0.1:{serve(speech(words))}")
    assert isinstance(error, NoAnswer)


@pytest_twisted.ensureDeferred
async def test_an_answer_that_ends_with_the_connection(serve: Serve) -> None:
    words = b'HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n{"pin":"%s"}'
    assert await ask(f"http://127.0.0.1:{serve(speech(words % PIN.encode()))}")


@pytest_twisted.ensureDeferred
async def test_an_answer_without_an_end(serve: Serve) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
    server = speech(head + b" " * 100_000, close=False)
    assert isinstance(await failure_of(f"http://127.0.0.1:{serve(server)}"), Refused)
    await server.lost.addTimeout(10, reactor)


@pytest_twisted.ensureDeferred
async def test_nothing_is_expanded(serve: Serve) -> None:
    packed = Canned(
        200,
        gzip.compress(FOUND.body),
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    )
    assert isinstance(await failure_of(f"http://127.0.0.1:{serve(packed)}"), Refused)
    (request,) = packed.requests
    assert request.getHeader("Accept-Encoding") is None


@pytest_twisted.ensureDeferred
async def test_who_asks_can_give_up(serve: Serve) -> None:
    asked = ask(f"http://127.0.0.1:{serve(speech(b'', close=False))}")
    asking = Deferred.fromCoroutine(asked)
    await deferLater(reactor, 0.05, lambda: None)
    asking.cancel()
    with pytest.raises(CancelledError):
        await asking
