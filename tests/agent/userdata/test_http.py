"""
One exchange: with whom, how long, and how much of it.
"""

import traceback
import tracemalloc
from collections.abc import Callable

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater

from cvmpair_agent.userdata.http import MAX_ANSWER, TRIES, DirectHttp
from cvmpair_agent.userdata.source import SourceUnusable
from tests.agent.userdata.servers import SILENCE, FakeServer, reply

Serve = Callable[..., FakeServer]

SHORT = 0.2
"""A cap for servers that would never answer, in seconds."""


async def objection(http: DirectHttp, url: str, seconds: float = 10.0) -> str:
    with pytest.raises(SourceUnusable) as caught:
        await http.fetch(url, seconds=seconds)
    shown = "".join(traceback.format_exception(caught.value))
    assert "sesame" not in shown
    assert str(caught.value).startswith(f"{url}: ")
    return str(caught.value).removeprefix(f"{url}: ")


@pytest_twisted.ensureDeferred
async def test_an_answer(serve: Serve, http: DirectHttp) -> None:
    server = serve({"/x?a=b": reply(b"sesame", Content_Type="text/plain", X_A="1")})
    answer = await http.fetch(f"{server.base}/x?a=b", headers={"X-Token": "t"})
    assert (answer.status, answer.body) == (200, b"sesame")
    assert answer.headers["content-type"] == "text/plain"
    assert answer.headers["x-a"] == "1"
    assert "sesame" not in repr(answer)
    (asked,) = server.asked
    assert (asked.method, asked.headers["x-token"]) == ("GET", "t")
    assert asked.headers["host"] == server.base.removeprefix("http://")
    assert asked.headers["accept-encoding"] == "identity"
    assert asked.headers["connection"] == "close"


@pytest_twisted.ensureDeferred
async def test_a_put_has_an_empty_body(serve: Serve, http: DirectHttp) -> None:
    server = serve({"/x": reply(b"token")})
    assert (await http.fetch(f"{server.base}/x", method="PUT")).body == b"token"
    (asked,) = server.asked
    assert (asked.method, asked.headers["content-length"]) == ("PUT", "0")


@pytest_twisted.ensureDeferred
async def test_ipv6(serve: Serve, http: DirectHttp) -> None:
    server = serve({"/x": reply(b"sesame")}, interface="::1")
    assert (await http.fetch(f"{server.base}/x")).body == b"sesame"
    assert server.asked[0].headers["host"] == server.base.removeprefix("http://")


@pytest_twisted.ensureDeferred
async def test_a_host_name(serve: Serve, http: DirectHttp) -> None:
    server = serve({"/x": reply(b"sesame")})
    base = server.base.replace("127.0.0.1", "localhost")
    assert (await http.fetch(f"{base}/x")).body == b"sesame"


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"6\r\nsesame\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsesame and more",
    ],
)
@pytest_twisted.ensureDeferred
async def test_framings(serve: Serve, http: DirectHttp, raw: bytes) -> None:
    assert (await http.fetch(f"{serve({'/x': raw}).base}/x")).body == b"sesame"


@pytest_twisted.ensureDeferred
async def test_a_body_that_ends_with_its_connection(
    serve: Serve, http: DirectHttp
) -> None:
    server = serve({"/x": b"HTTP/1.0 200 OK\r\n\r\nsesame"})
    server.hang_up = True
    assert (await http.fetch(f"{server.base}/x")).body == b"sesame"


@pytest_twisted.ensureDeferred
async def test_no_redirect_is_followed(serve: Serve, http: DirectHttp) -> None:
    target = serve({"/y": reply(b"sesame")})
    moved = reply(b"", "302 Found", Location=f"{target.base}/y")
    server = serve({"/x": moved})
    assert (await http.fetch(f"{server.base}/x")).status == 302
    assert target.asked == []


@pytest_twisted.ensureDeferred
async def test_no_proxy_is_used(
    serve: Serve, http: DirectHttp, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = serve()
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy.base)
    monkeypatch.delenv("no_proxy", raising=False)
    server = serve({"/x": reply(b"sesame")})
    assert (await http.fetch(f"{server.base}/x")).body == b"sesame"
    assert proxy.asked == []


@pytest_twisted.ensureDeferred
async def test_no_cookie_is_kept(serve: Serve, http: DirectHttp) -> None:
    server = serve({"/x": reply(b"", Set_Cookie="a=sesame")})
    await http.fetch(f"{server.base}/x")
    await http.fetch(f"{server.base}/x")
    assert "cookie" not in server.asked[1].headers


@pytest.mark.parametrize(
    ("head", "flood"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2147483648\r\n\r\n", b"x" * 65536),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"10000\r\n" + b"x" * 65536 + b"\r\n",
        ),
        (b"HTTP/1.0 200 OK\r\n\r\n", b"x" * 65536),
        (b"HTTP/1.1 200 OK\r\n", b"X-Header: sesame\r\n" * 1024),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 2147483648\r\n\r\n", b"x" * 65536),
        (b"HTTP/1.1 200 OK\r\n", b"x" * 65536),
    ],
    ids=["claimed", "chunked", "no-length", "headers", "an-error", "one-header"],
)
@pytest_twisted.ensureDeferred
async def test_a_flood_is_cut_off(
    serve: Serve, http: DirectHttp, head: bytes, flood: bytes
) -> None:
    server = serve({"/x": head}, flood=flood)
    tracemalloc.start()
    try:
        said = await objection(http, f"{server.base}/x")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert said in {
        f"the answer is larger than {MAX_ANSWER} bytes",
        # Twisted itself takes no header line of such a length.
        "the answer broke off, or is not HTTP",
    }
    assert peak < 16 * MAX_ANSWER
    # What lies in the buffers of the sockets was sent, and not taken.
    assert server.sent < 64 * MAX_ANSWER


@pytest_twisted.ensureDeferred
async def test_the_largest_answer(serve: Serve, http: DirectHttp) -> None:
    room = MAX_ANSWER - len(reply(b"x" * 1_000_000)) + 1_000_000
    server = serve(
        {"/fits": reply(b"x" * room), "/too-large": reply(b"x" * (room + 1))}
    )
    assert len((await http.fetch(f"{server.base}/fits")).body) == room
    assert "larger" in await objection(http, f"{server.base}/too-large")


@pytest.mark.parametrize(
    "raw",
    [
        SILENCE,
        b"HTTP/1.1 200",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nsesame",
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_server_that_hangs(serve: Serve, http: DirectHttp, raw: bytes) -> None:
    server = serve({"/x": raw})
    said = await objection(http, f"{server.base}/x", SHORT)
    assert said == "no whole answer within 0.2 s"
    await server.gone()


@pytest_twisted.ensureDeferred
async def test_a_server_that_trickles(serve: Serve, http: DirectHttp) -> None:
    server = serve({"/x": b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"})
    server.trickle = b"s"
    said = await objection(http, f"{server.base}/x", SHORT)
    assert said == "no whole answer within 0.2 s"
    await server.gone()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.2 sesame\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nsesame",
        b"HTTP/1.1 200 OK\r\nContent-Length: sesame\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nsesame\r\n",
    ],
)
@pytest_twisted.ensureDeferred
async def test_what_is_no_answer(serve: Serve, http: DirectHttp, raw: bytes) -> None:
    server = serve({"/x": raw})
    server.hang_up = True
    said = await objection(http, f"{server.base}/x")
    assert said == "the answer broke off, or is not HTTP"


@pytest_twisted.ensureDeferred
async def test_nobody_listens(serve: Serve, http: DirectHttp) -> None:
    server = serve()
    base = server.base
    await server.port.stopListening()
    assert await objection(http, f"{base}/x") == "cannot be reached"


@pytest_twisted.ensureDeferred
async def test_it_can_be_cancelled(serve: Serve, http: DirectHttp) -> None:
    server = serve({"/x": SILENCE})
    exchange = Deferred.fromCoroutine(http.fetch(f"{server.base}/x"))
    while not server.asked:
        await deferLater(reactor, 0.01, lambda: None)
    exchange.cancel()
    with pytest.raises(CancelledError):
        await exchange
    await server.gone()


@pytest_twisted.ensureDeferred
async def test_a_busy_server_is_asked_again(serve: Serve, http: DirectHttp) -> None:
    busy = [reply(b"", status) for status in ("503 Busy", "500 Oops", "408 Timeout")]
    answers = iter([*busy, reply(b"sesame")])
    server = serve({"/": lambda _: next(answers)})
    found = await http.fetch(f"{server.base}/")
    assert (found.status, found.body) == (200, b"sesame")


@pytest_twisted.ensureDeferred
async def test_a_server_that_stays_busy(serve: Serve, http: DirectHttp) -> None:
    server = serve({"/": reply(b"", "503 Busy")})
    assert (await http.fetch(f"{server.base}/")).status == 503
    assert len(server.asked) == TRIES


@pytest_twisted.ensureDeferred
async def test_a_refusal_is_final(serve: Serve, http: DirectHttp) -> None:
    server = serve({"/": reply(b"", "403 Forbidden")})
    assert (await http.fetch(f"{server.base}/")).status == 403
    assert len(server.asked) == 1
