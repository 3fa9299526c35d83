"""
Protected clusters: who may do what, by every method of every resource.
"""

from collections.abc import Mapping
from itertools import product

import pytest
from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from cvmpair.core.tokens import MAX_TOKENS, SCOPES
from cvmpair.web.api import CLUSTERS
from tests.web.caller import Caller, assert_wrong
from tests.web.wire import Answer, Wire

REQUESTS = {
    "GET": ("read", 200),
    "HEAD": ("read", 200),
    "DELETE": ("admin", 204),
    "GET /keys": ("read", 200),
    "HEAD /keys": ("read", 200),
    "POST /keys": ("write", 201),
    "GET /keys/sesame": ("read", 200),
    "HEAD /keys/sesame": ("read", 200),
    "PUT /keys/sesame": ("write", 200),
    "PATCH /keys/sesame": ("write", 200),
    "DELETE /keys/sesame": ("write", 204),
    "GET /tokens": ("admin", 200),
    "HEAD /tokens": ("admin", 200),
    "POST /tokens": ("admin", 201),
    "DELETE /tokens/ID": ("admin", 204),
}
"""What each needs, and what it then gets."""

SHOWN = ["none", "basic", "malformed", "unknown", "expired", "revoked", "other's"]
"""What is worth nothing."""

TOKEN = {"scope": "read", "lifetime": 60}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@define(eq=False)
class Scene:
    """
    A protected cluster with a key, and tokens of all kinds.

    :ivar headers: by scope, and by what is wrong with them.
    """

    clock: Clock
    wire: Wire = field(init=False)
    caller: Caller = field(init=False)
    path: str = field(init=False)
    headers: dict[str, Mapping[str, str]] = field(init=False)
    spare: str = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.wire = Wire(self.clock)
        self.caller = Caller(self.wire)
        made, other = self.create(), self.create()
        self.path = made.headers["Location"]
        self.headers = {
            scope: bearer(token) for scope, token in made.json["tokens"].items()
        }
        brief = self.new_token(scope="admin", lifetime=10).json
        revoked = self.new_token(scope="admin").json
        self.spare = self.new_token(scope="read").json["id"]
        self.headers |= {
            "none": {},
            "basic": {"Authorization": "Basic c2VzYW1lOnNlc2FtZQ=="},
            "malformed": {"Authorization": "Bearer"},
            "unknown": bearer(f"{self.spare}.{'s' * 43}"),
            "expired": bearer(brief["token"]),
            "revoked": bearer(revoked["token"]),
            "other's": bearer(other.json["tokens"]["admin"]),
        }
        self.ask("POST /keys", "write", {"key": "sesame", "value": "open"})
        self.ask(f"DELETE /tokens/{revoked['id']}", "admin")
        self.clock.advance(10)

    def create(self) -> Answer:
        return self.caller.send("POST", CLUSTERS, {"protected": True})

    def new_token(self, **fields: object) -> Answer:
        return self.ask("POST /tokens", "admin", fields)

    def ask(
        self, words: str, who: str, fields: Mapping[str, object] | None = None
    ) -> Answer:
        method, _, path = words.partition(" ")
        path = self.path + path.replace("ID", getattr(self, "spare", ""))
        headers = self.headers[who]
        if method in ("POST", "PUT", "PATCH"):
            if fields is None:
                name = "sesame" if path.endswith("sesame") else "sesame-b"
                key = {"key": name, "value": "shut"}
                fields = TOKEN if path.endswith("/tokens") else key
            return self.caller.send(method, path, fields, headers)
        return self.caller.ask(method, path, headers=headers)

    def state(self) -> str | None:
        return self.wire.book.packed(self.path.rpartition("/")[2])


@pytest.fixture
def scene(clock: Clock) -> Scene:
    return Scene(clock)


@pytest.mark.parametrize(("words", "scope"), list(product(REQUESTS, SCOPES)))
def test_each_method_with_each_scope(scene: Scene, words: str, scope: str) -> None:
    needed, status = REQUESTS[words]
    before = scene.state()
    answer = scene.ask(words, scope)
    if SCOPES.index(scope) >= SCOPES.index(needed):
        assert answer.status == status
        assert (scene.state() != before) == (words[0] in "PD")
        return
    assert answer.status == 403
    assert answer.headers["WWW-Authenticate"] == (
        f'Bearer realm="cvmpair", error="insufficient_scope", scope="{needed}"'
    )
    assert scene.state() == before
    if not words.startswith("HEAD"):
        assert answer.json["type"] == "/problems#token-insufficient"


@pytest.mark.parametrize(("words", "shown"), list(product(REQUESTS, SHOWN)))
def test_each_method_without_a_token(scene: Scene, words: str, shown: str) -> None:
    before = scene.state()
    answer = scene.ask(words, shown)
    challenge = 'Bearer realm="cvmpair"'
    status, name = 401, "token-needed"
    if shown == "malformed":
        status, name = 400, "token-malformed"
        challenge += ', error="invalid_request"'
    elif shown not in ("none", "basic"):
        challenge += ', error="invalid_token"'
    assert (answer.status, answer.headers["WWW-Authenticate"]) == (status, challenge)
    assert answer.headers["Cache-Control"] == "no-store"
    assert "ETag" not in answer.headers
    assert scene.state() == before
    if not words.startswith("HEAD"):
        assert answer.json["type"] == f"/problems#{name}"


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ("Bearer {}", 200),
        ("bearer {}", 200),
        ("BEARER   {}", 200),
        ("Bearer {} ", 200),
        ("Bearer {}, Bearer {}", 400),
        ("Bearer {} {}", 400),
        ("Bearer  ", 400),
        ("Bearer {}\xe9", 400),
        ("Bearer {}=", 401),
        ("Bearer x{}", 401),
        ("Bearer\t{}", 401),
        ("Bearerx {}", 401),
        ("{}", 401),
        ("", 401),
    ],
)
def test_how_a_token_is_sent(scene: Scene, form: str, status: int) -> None:
    token = scene.headers["read"]["Authorization"].removeprefix("Bearer ")
    headers = {"Authorization": form.format(token, token)}
    assert scene.wire.ask("GET", scene.path, headers).status == status


def test_a_token_is_sent_once(scene: Scene) -> None:
    line = f"Authorization: {scene.headers['read']['Authorization']}\r\n"
    request = f"GET {scene.path} HTTP/1.1\r\nHost: h\r\n{line}{line}\r\n"
    assert b" 400 " in scene.wire.send(request.encode()).value()


def test_what_a_protected_cluster_says(scene: Scene) -> None:
    made = scene.create()
    assert made.status == 201
    assert made.headers["Cache-Control"] == "no-store"
    tokens = made.json.pop("tokens")
    assert list(tokens) == ["read", "write", "admin"]
    said = scene.ask("GET", "read").json
    assert said["protected"] is True
    assert said.keys() == {"pin", "creation_time", "expiration_time", "protected"}
    for words in ("GET", "GET /keys", "GET /keys/sesame", "GET /tokens"):
        text = scene.ask(words, "admin").body.decode()
        for headers in scene.headers.values():
            secret = headers.get("Authorization", "").partition(".")[2]
            assert not secret or secret not in text


def test_the_list_of_tokens(scene: Scene) -> None:
    answer = scene.ask("GET /tokens", "admin")
    scopes = [token["scope"] for token in answer.json]
    # The expired one is not gone before tokens are written.
    assert scopes == ["read", "write", "admin", "admin", "read"]
    assert answer.json[0].keys() == {"id", "scope", "creation_time", "expiration_time"}
    end = scene.ask("GET", "read").json["expiration_time"]
    assert [token["expiration_time"] == end for token in answer.json] == [
        *[True] * 3,
        False,
        True,
    ]
    assert answer.json[3]["expiration_time"] == "2027-01-15T08:00:10.000000Z"
    scene.new_token(scope="write")
    scopes = [token["scope"] for token in scene.ask("GET /tokens", "admin").json]
    assert scopes == ["read", "write", "admin", "read", "write"]


def test_a_new_token(scene: Scene) -> None:
    before = scene.ask("GET", "read").headers["ETag"]
    answer = scene.new_token(scope="write", lifetime=5)
    assert answer.headers["Location"] == f"{scene.path}/tokens/{answer.json['id']}"
    assert answer.headers["ETag"] != before
    assert answer.json["token"].startswith(f"{answer.json['id']}.")
    assert answer.json["expiration_time"] == "2027-01-15T08:00:15.000000Z"
    scene.headers["new"] = bearer(answer.json["token"])
    assert scene.ask("GET", "new").status == 200
    scene.clock.advance(5)
    assert scene.ask("GET", "new").status == 401


def test_no_token_outlives_its_cluster(scene: Scene) -> None:
    end = scene.ask("GET", "read").json["expiration_time"]
    for lifetime in ("99999999", 99999999.0):
        answer = scene.new_token(scope="read", lifetime=lifetime)
        assert answer.json["expiration_time"] == end


def test_changes_of_tokens_may_be_conditional(scene: Scene) -> None:
    scene.headers["stale"] = scene.headers["admin"] | {"If-Match": '"1"'}
    assert scene.ask("POST /tokens", "stale").status == 412
    assert scene.ask("DELETE /tokens/ID", "stale").status == 412


def test_a_cluster_may_lose_all_its_tokens(scene: Scene) -> None:
    tokens = scene.ask("GET /tokens", "admin").json
    mine = scene.headers["admin"]["Authorization"][7:15]
    ids = [token["id"] for token in tokens if token["expiration_time"] > "2027-01-16"]
    for token_id in sorted(ids, key=mine.__eq__):
        assert scene.ask(f"DELETE /tokens/{token_id}", "admin").status == 204
    for who in ("read", "write", "admin", "none"):
        assert scene.ask("GET", who).status == 401
    assert scene.state() is not None


def test_a_token_that_is_not_there(scene: Scene) -> None:
    assert scene.ask("DELETE /tokens/ID", "admin").status == 204
    for token_id in ("ID", "missing0", "%C3%A9", "a.b"):
        answer = scene.ask(f"DELETE /tokens/{token_id}", "admin")
        assert answer.status == 404


def test_the_number_of_tokens_is_limited(scene: Scene) -> None:
    while (answer := scene.new_token(scope="read")).status == 201:
        pass
    assert (answer.status, answer.json["limit"]) == (507, MAX_TOKENS)
    assert answer.json["type"] == "/problems#too-many-tokens"
    assert "Revoke one" in answer.json["detail"]
    # The expired one does not count.
    assert len(scene.ask("GET /tokens", "admin").json) == MAX_TOKENS


@pytest.mark.parametrize(
    ("fields", "errors"),
    [
        ({}, {"scope"}),
        ({"scope": "all"}, {"scope"}),
        ({"scope": None}, {"scope"}),
        ({"scope": ["read"]}, {"scope"}),
        ({"scope": "read", "lifetime": 0}, {"lifetime"}),
        ({"scope": "read", "lifetime": -1}, {"lifetime"}),
        ({"scope": "read", "lifetime": 1.5}, {"lifetime"}),
        ({"scope": "read", "lifetime": "1h"}, {"lifetime"}),
        ({"scope": "read", "lifetime": None}, {"lifetime"}),
        ({"scope": "read", "lifetime": True}, {"lifetime"}),
        ({"scope": "", "lifetime": "\u0661"}, {"scope", "lifetime"}),
        ({"scope": "read", "lifetme": 2}, {"non_field_errors"}),
        ({"sesame": "read"}, {"scope", "non_field_errors"}),
    ],
)
def test_what_a_token_cannot_be(
    scene: Scene, fields: dict[str, object], errors: set[str]
) -> None:
    before = scene.state()
    answer = scene.new_token(**fields)
    assert answer.status == 400
    assert answer.json["errors"].keys() == errors
    assert b"sesame" not in answer.body
    assert scene.state() == before


@pytest.mark.parametrize("who", ["none", "malformed", "unknown", "other's", "basic"])
def test_a_cluster_that_is_not_protected_ignores_tokens(scene: Scene, who: str) -> None:
    scene.path = scene.caller.ask("POST", CLUSTERS).headers["Location"]
    fields = {"key": "sesame", "value": "open"}
    assert scene.ask("POST /keys", who, fields).status == 201
    for words, (_, status) in REQUESTS.items():
        if "tokens" not in words and not words.startswith("DELETE"):
            assert scene.ask(words, who).status == status
    assert "protected" not in scene.ask("GET", who).json
    for words in ("GET /tokens", "POST /tokens", "DELETE /tokens/ID"):
        answer = scene.ask(words, who)
        assert answer.status == 409
        assert answer.json["type"] == "/problems#not-protected"
    assert scene.ask("DELETE", who).status == 204


@pytest.mark.parametrize("require", [False, True])
@pytest.mark.parametrize(
    ("body", "media_type", "asked"),
    [
        ("", "", None),
        ("{}", "application/json", None),
        ('{"protected":true}', "application/json", True),
        ('{"protected":false}', "application/json", False),
        ("protected=true", "application/x-www-form-urlencoded", True),
        ("protected=false", "application/x-www-form-urlencoded", False),
        ("", "application/x-www-form-urlencoded", None),
    ],
)
def test_who_gets_a_protected_cluster(
    clock: Clock,
    require: bool,  # noqa: FBT001
    body: str,
    media_type: str,
    asked: bool | None,  # noqa: FBT001
) -> None:
    wire = Wire(clock, require_protected=require)
    answer = Caller(wire).post(CLUSTERS, body, media_type)
    if require and asked is False:
        assert answer.status == 403
        assert answer.json["type"] == "/problems#protection-required"
        assert len(wire.book) == 0
        return
    assert answer.status == 201
    assert ("tokens" in answer.json) is ("protected" in answer.json)
    assert ("tokens" in answer.json) is (require or asked is True)


@pytest.mark.parametrize(
    "value", ['"yes"', "1", "0", "null", '""', "[]", "{}", '"True"', "[true]"]
)
def test_what_protected_cannot_be(wire: Wire, value: str) -> None:
    body = f'{{"protected":{value}}}'
    answer = Caller(wire).post(CLUSTERS, body, "application/json")
    assert_wrong(answer, {"protected": ["Must be a valid boolean: true or false."]})
    assert len(wire.book) == 0


FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize("require", [False, True])
@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        # As curl sends it, if nobody tells it what it is.
        ('{"protected": true}', FORM),
        ('{"protected": true, "sesame": "a=b&c=d"}', FORM),
        ("protect=true", FORM),
        ("Protected=true", FORM),
        ("protected=true&sesame=1", FORM),
        ("protected", "text/plain"),
        ('{"protect": true}', "application/json"),
        ('{"protected": true, "sesame": 1}', "application/json"),
        ('{"": true}', "application/json"),
    ],
)
def test_whoever_asks_in_the_wrong_way_gets_nothing(
    clock: Clock,
    require: bool,  # noqa: FBT001
    body: str,
    media_type: str,
) -> None:
    wire = Wire(clock, require_protected=require)
    for path in (CLUSTERS, "/"):
        answer = Caller(wire).ask("POST", path, body, {"Content-Type": media_type})
        if media_type == "text/plain" and path == CLUSTERS:
            assert answer.status == 415
            continue
        assert answer.status == 400
        if path == CLUSTERS:
            (reason,) = answer.json["errors"]["non_field_errors"]
            for words in ("protected=true", "Content-Type: application/json"):
                assert words in reason
            assert "sesame" not in reason
    assert len(wire.book) == 0


@pytest.mark.parametrize("words", REQUESTS)
def test_no_refusal_before_what_calls_for_it_is_durable(
    scene: Scene, words: str
) -> None:
    held: Deferred[None] = Deferred()
    scene.wire.disk.flushed = held
    method, _, path = words.partition(" ")
    key = '{"key":"sesame-b","value":"shut"}'
    body = '{"scope":"read"}' if path == "/tokens" else key
    request = (
        f"{method} {scene.path}{path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    )
    sent = scene.wire.send(request.encode())
    assert sent.value() == b""
    held.callback(None)
    assert b" 401 " in sent.value()


@pytest.mark.parametrize("site", ["cross-site", "same-site", "sesame", ""])
@pytest.mark.parametrize(
    "method_path", [words for words in REQUESTS if words[0] in "PD"]
)
def test_another_site_changes_nothing(
    scene: Scene, site: str, method_path: str
) -> None:
    before = scene.state()
    scene.headers["browser"] = scene.headers["admin"] | {"Sec-Fetch-Site": site}
    answer = scene.ask(method_path, "browser")
    assert answer.status == 403
    assert answer.json["type"] == "/problems#cross-site"
    assert scene.state() == before


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize("words", [words for words in REQUESTS if words[0] in "GH"])
def test_another_site_names_no_pin(scene: Scene, site: str, words: str) -> None:
    scene.headers["browser"] = scene.headers["admin"] | {"Sec-Fetch-Site": site}
    scene.headers["browser"] |= {"Sec-Fetch-Mode": "navigate"}
    assert scene.ask(words, "browser").status == 403


HERE = [
    ("http://sesame.example", "sesame.example"),
    ("http://sesame.example:80", "sesame.example"),
    ("http://Sesame.example", "sesame.example:80"),
    ("http://sesame.example:8080", "SESAME.example:8080"),
    ("http://[2001:db8::1]:8080", "[2001:db8::1]:8080"),
    # A proxy ended TLS.
    ("https://sesame.example", "sesame.example"),
    ("https://sesame.example:443", "sesame.example"),
    ("https://sesame.example:8443", "sesame.example:8443"),
]
"""Origin and Host, as a browser sends them."""

ELSEWHERE = [
    ("null", "sesame.example"),
    ("", "sesame.example"),
    ("sesame.example", "sesame.example"),
    ("http://", "sesame.example"),
    ("http://evil.example", "sesame.example"),
    ("http://sesame.example.evil.example", "sesame.example"),
    ("http://evil.sesame.example", "sesame.example"),
    ("http://sesame.example:8080", "sesame.example"),
    ("http://sesame.example:443", "sesame.example"),
    ("http://sesame.example:8081", "sesame.example:8080"),
    ("https://sesame.example", "sesame.example:80"),
    ("file://sesame.example", "sesame.example"),
    ("https://sesame.example, http://evil.example", "sesame.example"),
]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "GET"])
@pytest.mark.parametrize(("origin", "host"), [*HERE, *ELSEWHERE])
def test_a_browser_without_tls_says_only_the_origin(
    scene: Scene, method: str, origin: str, host: str
) -> None:
    path = scene.path + ("/keys" if method == "POST" else "/keys/sesame")
    token = scene.headers["write"]["Authorization"]
    before = scene.state()
    body = '{"key":"sesame","value":"shut"}'
    request = (
        f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\n"
        f"Authorization: {token}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    )
    status = int(scene.wire.send(request.encode()).value().split()[1])
    assert (status == 403) is ((origin, host) in ELSEWHERE)
    assert status in (200, 201, 204, 403, 409)
    if status == 403:
        assert scene.state() == before


def test_the_origin_does_not_count_where_the_browser_says_more(scene: Scene) -> None:
    shown = {"Origin": "https://sesame.example", "Sec-Fetch-Site": "same-origin"}
    scene.headers["browser"] = scene.headers["write"] | shown
    assert scene.ask("PUT /keys/sesame", "browser").status == 200


@pytest.mark.parametrize("path", [CLUSTERS, "/"])
def test_no_page_without_tls_has_a_browser_create_anything(
    wire: Wire, path: str
) -> None:
    for origin in ("http://evil.example", "null"):
        assert wire.ask("POST", path, {"Origin": origin}).status == 403
    assert len(wire.book) == 0
    own = {"Origin": "http://sesame.example:8080"}
    assert wire.ask("POST", path, own).status == 201


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_the_own_site_and_the_user_may(scene: Scene, site: str) -> None:
    scene.headers["browser"] = scene.headers["admin"] | {"Sec-Fetch-Site": site}
    for words, (_, status) in REQUESTS.items():
        if words != "DELETE":
            assert scene.ask(words, "browser").status == status
    assert scene.ask("GET", "browser").status == 200
