"""
What each kind of metadata server is asked, and what is taken for its answer.
"""

import base64
import json
from collections.abc import Callable

import pytest
import pytest_twisted

from cvmpair_agent.userdata.azure import Azure
from cvmpair_agent.userdata.cloudstack import CloudStack
from cvmpair_agent.userdata.drive import drive
from cvmpair_agent.userdata.ec2 import Ec2
from cvmpair_agent.userdata.exchange import Reply
from cvmpair_agent.userdata.gce import Gce, GceCernVm
from cvmpair_agent.userdata.http import DirectHttp
from cvmpair_agent.userdata.metadata import MetadataSource
from cvmpair_agent.userdata.openstack import OpenStack
from cvmpair_agent.userdata.source import Kind, SourceUnusable
from tests.agent.userdata.servers import NOT_FOUND, SILENCE, Asked, FakeServer, reply

Serve = Callable[..., FakeServer]

DATA = b"\x1f\x8bsesame \xff"
BASE64 = base64.b64encode(DATA)

USER_DATA = "/latest/user-data"
TOKEN = "/latest/api/token"
ATTRIBUTES = "/computeMetadata/v1/instance/attributes"
INSTANCE = "/metadata/instance?api-version=2021-08-01&extended=true"

SOURCES = {
    Ec2: USER_DATA,
    OpenStack: "/openstack/latest/user_data",
    Gce: f"{ATTRIBUTES}/user-data",
    GceCernVm: f"{ATTRIBUTES}/cvm-user-data",
    Azure: INSTANCE,
    CloudStack: USER_DATA,
}
every_source = pytest.mark.parametrize(
    ("source", "target"), SOURCES.items(), ids=lambda it: getattr(it, "name", "")
)


def google(body: bytes) -> bytes:
    return reply(body, Metadata_Flavor="Google", Content_Type="application/text")


def azure(user_data: bytes) -> bytes:
    return reply(json.dumps({"compute": {"userData": user_data.decode()}}).encode())


def good(source: type[MetadataSource]) -> bytes:
    return {
        Gce: google(DATA),
        GceCernVm: google(BASE64),
        Azure: azure(BASE64),
    }.get(source, reply(DATA, Content_Type="application/octet-stream"))


async def objection(source: MetadataSource) -> str:
    with pytest.raises(SourceUnusable) as caught:
        await source.look()
    assert "sesame" not in str(caught.value)
    assert "c2VzYW1l" not in str(caught.value)
    return str(caught.value)


@every_source
@pytest_twisted.ensureDeferred
async def test_what_it_holds(
    serve: Serve, http: DirectHttp, source: type[MetadataSource], target: str
) -> None:
    server = serve({target: good(source)})
    (data,) = await source(http, server.base).look()
    assert (data.source, data.data) == (source.name, DATA)
    assert data.place == f"{server.base}{target}"
    assert source.kind is Kind.METADATA
    assert "sesame" not in repr(data)


@every_source
@pytest_twisted.ensureDeferred
async def test_nothing_there(
    serve: Serve, http: DirectHttp, source: type[MetadataSource], target: str
) -> None:
    assert await source(http, serve().base).look() == []
    # An error page of a metadata server may well be HTML.
    assert await source(http, serve({target: NOT_FOUND}).base).look() == []


@every_source
@pytest_twisted.ensureDeferred
async def test_an_empty_answer(
    serve: Serve, http: DirectHttp, source: type[MetadataSource], target: str
) -> None:
    empty = azure(b"") if source is Azure else google(b"")
    assert await source(http, serve({target: empty}).base).look() == []


@every_source
@pytest.mark.parametrize("content_type", ["text/html", "Text/HTML; charset=sesame"])
@pytest_twisted.ensureDeferred
async def test_a_captive_portal(
    serve: Serve,
    http: DirectHttp,
    source: type[MetadataSource],
    target: str,
    content_type: str,
) -> None:
    page = reply(
        b"<p>sesame", Content_Type=content_type, Server="x", Metadata_Flavor="Google"
    )
    server = serve({target: page, TOKEN: page})
    assert "web page" in await objection(source(http, server.base))


@every_source
@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Elsewhere"])
@pytest_twisted.ensureDeferred
async def test_a_redirecting_server(
    serve: Serve,
    http: DirectHttp,
    source: type[MetadataSource],
    target: str,
    status: str,
) -> None:
    goal = serve({target: good(source)})
    moved = reply(b"sesame", status, Location=f"{goal.base}{target}")
    server = serve({target: moved, TOKEN: moved})
    said = await objection(source(http, server.base))
    assert f"answered with status {status[:3]}" in said
    assert goal.asked == []


@every_source
@pytest.mark.parametrize("status", ["203 Other", "204 None", "400 Bad", "503 Busy"])
@pytest_twisted.ensureDeferred
async def test_another_status(
    serve: Serve,
    http: DirectHttp,
    source: type[MetadataSource],
    target: str,
    status: str,
) -> None:
    server = serve({target: reply(b"", status)})
    assert f"status {status[:3]}" in await objection(source(http, server.base))


# EC2


def needs_token(token: str) -> Callable[[Asked], bytes]:
    def answer(asked: Asked) -> bytes:
        given = asked.headers.get("x-aws-ec2-metadata-token")
        return reply(DATA) if given == token else reply(b"", "401 Unauthorized")

    return answer


@pytest_twisted.ensureDeferred
async def test_ec2_asks_with_a_token(serve: Serve, http: DirectHttp) -> None:
    server = serve({TOKEN: reply(b"token=="), USER_DATA: needs_token("token==")})
    (data,) = await Ec2(http, server.base).look()
    assert data.data == DATA
    assert server.targets() == [f"PUT {TOKEN}", f"GET {USER_DATA}"]
    assert server.asked[0].headers["x-aws-ec2-metadata-token-ttl-seconds"] == "60"


@pytest_twisted.ensureDeferred
async def test_ec2_asks_once_more_with_a_new_token(
    serve: Serve, http: DirectHttp
) -> None:
    tokens = iter([b"stale", b"fresh"])
    server = serve(
        {TOKEN: lambda _: reply(next(tokens)), USER_DATA: needs_token("fresh")}
    )
    (data,) = await Ec2(http, server.base).look()
    assert data.data == DATA
    assert server.targets() == [f"PUT {TOKEN}", f"GET {USER_DATA}"] * 2


@pytest_twisted.ensureDeferred
async def test_ec2_asks_only_once_more(serve: Serve, http: DirectHttp) -> None:
    server = serve(
        {TOKEN: reply(b"sesame-token"), USER_DATA: reply(b"", "401 Unauthorized")}
    )
    assert "status 401" in await objection(Ec2(http, server.base))
    assert server.targets() == [f"PUT {TOKEN}", f"GET {USER_DATA}"] * 2


@pytest.mark.parametrize(
    "answer",
    [
        reply(b"sesame", "400 Bad Request"),
        reply(b"", "403 Forbidden"),
        reply(b"", "405 Method Not Allowed"),
        reply(b"", "500 Oops"),
        reply(b""),
        reply(b"a\r\nHost: elsewhere"),
        reply("ä".encode()),
        SILENCE,
    ],
)
@pytest_twisted.ensureDeferred
async def test_ec2_without_tokens(
    serve: Serve, http: DirectHttp, answer: bytes
) -> None:
    server = serve({TOKEN: answer, USER_DATA: reply(DATA)})
    (data,) = await Ec2(http, server.base, token_seconds=0.2).look()
    assert data.data == DATA
    assert "x-aws-ec2-metadata-token" not in server.asked[1].headers
    assert server.asked[1].headers["host"] == server.base.removeprefix("http://")


def test_ec2_does_not_wait_long_for_a_token() -> None:
    asked = []

    class Hanging:
        async def fetch(self, url: str, *, seconds: float = 10.0, **_: object) -> Reply:
            asked.append((url.rpartition("/")[2], seconds))
            raise SourceUnusable(f"{url}: no whole answer")

    with pytest.raises(SourceUnusable):
        drive(Ec2(Hanging()).look())
    assert asked == [("token", 2.0), ("user-data", 10.0)]


# GCE


@pytest.mark.parametrize("source", [Gce, GceCernVm])
@pytest_twisted.ensureDeferred
async def test_gce_has_a_header_of_its_own(
    serve: Serve, http: DirectHttp, source: type[MetadataSource]
) -> None:
    server = serve({SOURCES[source]: good(source)})
    assert await source(http, server.base).look()
    assert {asked.headers["metadata-flavor"] for asked in server.asked} == {"Google"}


@pytest.mark.parametrize("source", [Gce, GceCernVm])
@pytest.mark.parametrize("headers", [{}, {"Metadata_Flavor": "Amazon"}])
@pytest_twisted.ensureDeferred
async def test_gce_without_its_header(
    serve: Serve,
    http: DirectHttp,
    source: type[MetadataSource],
    headers: dict[str, str],
) -> None:
    server = serve({SOURCES[source]: reply(BASE64, **headers)})
    assert "Metadata-Flavor" in await objection(source(http, server.base))


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        (google(b"base64"), BASE64),
        (google(b"base64\n"), base64.encodebytes(DATA)),
        (google(b""), DATA),
        (google(b"plain"), DATA),
        (NOT_FOUND, DATA),
    ],
)
@pytest_twisted.ensureDeferred
async def test_gce_says_the_encoding(
    serve: Serve, http: DirectHttp, encoding: bytes, body: bytes
) -> None:
    target = SOURCES[Gce]
    server = serve({target: google(body), f"{target}-encoding": encoding})
    (data,) = await Gce(http, server.base).look()
    assert data.data == DATA


@pytest_twisted.ensureDeferred
async def test_gce_has_two_attributes_on_their_own(
    serve: Serve, http: DirectHttp
) -> None:
    server = serve(
        {SOURCES[Gce]: google(DATA), SOURCES[GceCernVm]: google(b"sesame!!")}
    )
    assert await Gce(http, server.base).look()
    assert "base64" in await objection(GceCernVm(http, server.base))


# Base64


WRONG_BASE64 = [b"sesame!", b"c2VzYW1lc", b"c2VzYW1", b"c2Vz=YW1l"]


@pytest.mark.parametrize("wrong", WRONG_BASE64)
@pytest_twisted.ensureDeferred
async def test_wrong_base64(serve: Serve, http: DirectHttp, wrong: bytes) -> None:
    gce = SOURCES[Gce]
    server = serve(
        {
            gce: google(wrong),
            f"{gce}-encoding": google(b"base64"),
            SOURCES[GceCernVm]: google(wrong),
            INSTANCE: azure(wrong),
        }
    )
    for source, target in (
        (Gce, gce),
        (GceCernVm, SOURCES[GceCernVm]),
        (Azure, INSTANCE),
    ):
        said = await objection(source(http, server.base))
        assert said == f"{server.base}{target}: is not valid base64"


# Azure


@pytest_twisted.ensureDeferred
async def test_azure_has_a_header_of_its_own(serve: Serve, http: DirectHttp) -> None:
    server = serve({INSTANCE: azure(BASE64)})
    await Azure(http, server.base).look()
    assert [asked.headers["metadata"] for asked in server.asked] == ["true"]


@pytest.mark.parametrize(
    "document",
    [
        b"sesame",
        b'{"compute": "sesame"}',
        b"[]",
        b"{}",
        b'{"compute": {"userData": ["sesame"]}}',
        b'{"compute": {"userData": "\xc3\xa4"}}',
        b'{"compute": {"userData": "sesame',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
    ids=range(9),
)
@pytest_twisted.ensureDeferred
async def test_azure_says_something_else(
    serve: Serve, http: DirectHttp, document: bytes
) -> None:
    server = serve({INSTANCE: reply(document, Content_Type="application/json")})
    said = await objection(Azure(http, server.base))
    assert said == f"{server.base}{INSTANCE}: is not the JSON that Azure answers"


@pytest.mark.parametrize("compute", [{}, {"userData": None}, {"userData": ""}])
@pytest_twisted.ensureDeferred
async def test_azure_without_user_data(
    serve: Serve, http: DirectHttp, compute: dict[str, None]
) -> None:
    server = serve({INSTANCE: reply(json.dumps({"compute": compute}).encode())})
    assert await Azure(http, server.base).look() == []
