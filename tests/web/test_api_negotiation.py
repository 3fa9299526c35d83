"""
In which form the API answers, and which paths it has at all.
"""

import pytest

from cvmpair.web.api import CLUSTERS
from tests.web.caller import Caller
from tests.web.wire import Wire

TEXT = "text/plain; charset=utf-8"
JSON = "application/json"
PROBLEM = "application/problem+json"

PREFERENCES = [
    ("*/*", TEXT),
    ("text/*", TEXT),
    ("text/plain", TEXT),
    ("TEXT/PLAIN", TEXT),
    ("text/plain; charset=utf-8", TEXT),
    ("text/plain;format=flowed;q=0.5", TEXT),
    ("application/json", JSON),
    ("application/json; charset=utf-8", JSON),
    ("application/*", JSON),
    ("text/html, application/json;q=0.1", JSON),
    ("text/plain;q=0.5, application/json", JSON),
    ("text/plain, application/json;q=0.5", TEXT),
    ("text/plain;q=0, */*", JSON),
    ("application/json;q=0, */*;q=0.1", TEXT),
    ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", TEXT),
]
UNACCEPTABLE = ["text/html", "image/*", "text/plain;q=0", "*/*;q=0", "sesame", ";;,,"]


@pytest.mark.parametrize(("accept", "media_type"), PREFERENCES)
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH"])
def test_a_key_has_two_forms(
    caller: Caller, key: str, method: str, accept: str, media_type: str
) -> None:
    fields = {"key": "sesame", "value": "open"}
    answer = caller.send(method, key, fields, {"Accept": accept})
    assert answer.status == 200
    assert answer.headers["Content-Type"] == media_type
    if media_type == JSON:
        assert answer.body == b'{"key":"sesame","value":"open"}'
    else:
        assert answer.body == b"sesame: open"


def test_without_accept_a_key_is_text(wire: Wire, key: str) -> None:
    answer = wire.ask("GET", key)
    assert answer.headers["Content-Type"] == TEXT
    assert answer.body == b"sesame: open"


@pytest.mark.parametrize("accept", UNACCEPTABLE)
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH"])
def test_neither_form_of_a_key_fits(
    wire: Wire, caller: Caller, key: str, method: str, accept: str
) -> None:
    version = wire.book.version
    fields = {"key": "sesame", "value": "shut"}
    answer = caller.send(method, key, fields, {"Accept": accept})
    assert answer.status == 406
    assert answer.headers["Content-Type"] == PROBLEM
    if method != "HEAD":
        assert "text/plain or application/json only" in answer.json["detail"]
    assert wire.book.version == version


@pytest.mark.parametrize("accept", ["text/plain", *UNACCEPTABLE])
def test_all_else_is_json_only(
    wire: Wire, caller: Caller, cluster: str, accept: str
) -> None:
    version = wire.book.version
    for method, path in (
        ("POST", CLUSTERS),
        ("GET", cluster),
        ("GET", f"{cluster}/keys"),
        ("POST", f"{cluster}/keys"),
    ):
        fields = {"key": "sesame", "value": "open"}
        answer = caller.send(method, path, fields, {"Accept": accept})
        assert answer.status == 406
    assert wire.book.version == version


@pytest.mark.parametrize("accept", UNACCEPTABLE)
def test_a_deletion_has_no_form(caller: Caller, key: str, accept: str) -> None:
    assert caller.ask("DELETE", key, headers={"Accept": accept}).status == 204


@pytest.mark.parametrize(
    "accept",
    ["*/*", "application/json", "application/problem+json", "application/*", "a/b"],
)
def test_a_problem(caller: Caller, cluster: str, accept: str) -> None:
    path = f"{cluster}/keys"
    headers = {"Accept": accept}
    for answer in (
        caller.ask("DELETE", path, headers=headers),
        caller.ask("GET", f"{path}/", headers=headers),
    ):
        assert answer.headers["Content-Type"] == PROBLEM
        assert answer.headers["Vary"] == "Accept"
        assert set(answer.json) == {"type", "title", "status", "detail"}
        assert answer.json["status"] == answer.status
        assert answer.headers["Content-Length"] == str(len(answer.body))


def test_a_problem_for_a_client_that_takes_text_only(
    caller: Caller, cluster: str
) -> None:
    answer = caller.ask(
        "GET", f"{cluster}/keys/sesame", headers={"Accept": "text/plain"}
    )
    assert answer.status == 404
    assert answer.headers["Content-Type"] == TEXT
    assert answer.body.startswith(b"The cluster has no such key, or not yet: ")
    assert answer.body.count(b"\n") == 1


def test_wrong_fields_are_one_line_of_text_too(caller: Caller, key: str) -> None:
    answer = caller.send("PUT", key, {"key": " "}, {"Accept": "text/plain"})
    assert answer.status == 400
    assert answer.body.decode() == (
        "Some fields are missing or wrong; see errors. "
        "key: This field may not be blank. value: This field is required.\n"
    )


@pytest.mark.parametrize(
    "path",
    [
        f"{CLUSTERS}/",
        f"{CLUSTERS}//",
        "//api/v1/clusters",
        "/api//v1/clusters",
        "/api/v1/",
        "/api/v2/clusters",
        "/api/v1/clusters/%2e%2e/clusters",
        "/api/v1/clusters%2F",
        "/api/v1%2Fclusters/",
        "/api/v1/clusters/%00",
        "/api/v1/clusters/%ff%fe",
        "/api/v1/clusters;sesame",
        "*",
        "sesame",
        "http://sesame.example/sesame",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS"])
def test_a_path_of_no_resource(wire: Wire, method: str, path: str) -> None:
    answer = wire.ask(method, path)
    assert answer.status == 404
    assert answer.headers["Content-Type"] == PROBLEM
    assert "Location" not in answer.headers


@pytest.mark.parametrize(
    "end",
    [
        "/",
        "//",
        "/keys/",
        "//keys",
        "/keys//",
        "/sesame",
        "%2Fkeys",
        "%2fkeys",
        "/keys%2F",
    ],
)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_a_path_below_a_cluster_is_taken_literally(
    caller: Caller, wire: Wire, cluster: str, method: str, end: str
) -> None:
    answer = wire.ask(method, f"{cluster}{end}")
    assert answer.status == 404
    assert answer.json["type"] == "/problems#no-such-resource"
    assert "Location" not in answer.headers
    assert caller.ask("GET", cluster).status == 200


def test_a_query_makes_no_difference(caller: Caller, key: str) -> None:
    assert caller.ask("GET", f"{key}?sesame=1&sesame").body == b"sesame: open"


def test_no_cache_keeps_that_there_is_no_key_yet(caller: Caller, cluster: str) -> None:
    """
    A 404 may be kept unless it says otherwise (RFC 9111, section 4.2.2), and a
    worker polls through whatever proxy its site has.
    """
    answer = caller.ask("GET", f"{cluster}/keys/sesame")
    assert answer.status == 404
    assert answer.headers["Cache-Control"] == "no-store"


def test_no_cache_keeps_what_is_said_of_a_cluster(
    caller: Caller, cluster: str, key: str
) -> None:
    for path in (cluster, f"{cluster}/keys", key):
        answer = caller.ask("GET", path)
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Vary"] == "Accept"


@pytest.mark.parametrize("origin", ["http://sesame.example", "HTTPS://[::1]:8443"])
def test_a_target_may_be_a_whole_url(wire: Wire, origin: str) -> None:
    answer = wire.ask("POST", f"{origin}{CLUSTERS}")
    assert answer.status == 201
