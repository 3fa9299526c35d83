"""
Every resource of the API with every method.
"""

import pytest
from twisted.internet.task import Clock

from cvmpair.core.names import is_pin
from cvmpair.web.api import CLUSTERS
from tests.web.caller import Caller, assert_wrong
from tests.web.wire import Wire

UNKNOWN = f"{CLUSTERS}/aaaaaaaaaaaa"

METHODS = {
    "clusters": {"POST"},
    "cluster": {"GET", "HEAD", "DELETE"},
    "keys": {"GET", "HEAD", "POST"},
    "key": {"GET", "HEAD", "PUT", "PATCH", "DELETE"},
}
VERBS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"]


@pytest.fixture
def paths(cluster: str, key: str) -> dict[str, str]:
    """
    The path of one resource of each kind.
    """
    return {
        "clusters": CLUSTERS,
        "cluster": cluster,
        "keys": f"{cluster}/keys",
        "key": key,
    }


def test_create_a_cluster(clock: Clock, wire: Wire, caller: Caller) -> None:
    # EPOCH, and half a second.
    clock.advance(0.5)
    answer = caller.ask("POST", CLUSTERS)
    assert answer.status == 201
    pin = answer.json["pin"]
    assert is_pin(pin)
    assert answer.json == {
        "pin": pin,
        "creation_time": "2027-01-15T08:00:00.500000Z",
        "expiration_time": "2027-01-16T08:00:00.500000Z",
    }
    assert answer.headers["Location"] == f"{CLUSTERS}/{pin}"
    assert wire.book.cluster(pin).keys == ()


def test_what_was_created_can_be_read(caller: Caller) -> None:
    made = caller.ask("POST", CLUSTERS)
    read = caller.ask("GET", made.headers["Location"])
    assert read.status == 200
    assert read.body == made.body
    assert read.headers["ETag"] == made.headers["ETag"]


def test_a_body_may_come_with_a_new_cluster(caller: Caller) -> None:
    assert caller.send("POST", CLUSTERS, {}).status == 201


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [("text/plain", "sesame", 415), ("application/json", "{sesame", 400)],
)
def test_a_bad_body_makes_no_cluster(
    wire: Wire, caller: Caller, content_type: str, body: str, status: int
) -> None:
    headers = {"Content-Type": content_type}
    assert caller.ask("POST", CLUSTERS, body, headers).status == status
    assert len(wire.book) == 0


def test_delete_a_cluster(wire: Wire, caller: Caller, cluster: str, key: str) -> None:
    answer = caller.ask("DELETE", cluster)
    assert (answer.status, answer.body) == (204, b"")
    assert len(wire.book) == 0
    for path in (cluster, f"{cluster}/keys", key):
        assert caller.ask("GET", path).status == 410
        assert caller.ask("HEAD", path).status == 410
    answer = caller.ask("DELETE", cluster)
    assert answer.status == 410
    # The clock of the wire shows this time at its beginning.
    assert answer.json["ended"] == "2027-01-15T08:00:00.000000Z"
    assert answer.json["reason"] == "deleted"
    assert "was deleted at 2027-01-15T08:00:00Z" in answer.json["detail"]


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
def test_every_method_is_told_of_the_end(
    caller: Caller, cluster: str, key: str, method: str
) -> None:
    assert caller.ask("DELETE", cluster).status == 204
    json = {"Content-Type": "application/json"}
    body = '{"key":"sesame","value":"open"}' if method[0] == "P" else None
    for path in (cluster, f"{cluster}/keys", key):
        answer = caller.ask(method, path, body, json if body else None)
        if answer.status != 405:
            assert answer.status == 410
            assert method == "HEAD" or answer.json["type"] == "/problems#cluster-gone"


def test_add_a_key(caller: Caller, cluster: str) -> None:
    answer = caller.add(cluster, "sesame", "10.10.25.5")
    assert answer.status == 201
    assert answer.body == b'{"key":"sesame","value":"10.10.25.5"}'
    assert answer.headers["Location"] == f"{cluster}/keys/sesame"
    read = caller.ask("GET", answer.headers["Location"])
    assert (read.status, read.body) == (200, b"sesame: 10.10.25.5")
    assert read.headers["ETag"] == answer.headers["ETag"]


def test_the_first_master_wins(caller: Caller, cluster: str) -> None:
    assert caller.add(cluster, "sesame", "10.1.1.1").status == 201
    answer = caller.add(cluster, "sesame", "10.1.1.2")
    assert answer.status == 409
    assert answer.json["type"] == "/problems#key-exists"
    read = caller.ask("GET", f"{cluster}/keys/sesame")
    assert read.body == b"sesame: 10.1.1.1"


def test_all_keys_come_in_the_order_of_their_creation(
    caller: Caller, cluster: str
) -> None:
    assert caller.ask("GET", f"{cluster}/keys").body == b"[]"
    for name in ("sesame-z", "sesame-a", "sesame-m"):
        caller.add(cluster, name, "open")
    keys = caller.ask("GET", f"{cluster}/keys").json
    assert [item["key"] for item in keys] == ["sesame-z", "sesame-a", "sesame-m"]
    assert keys[0] == {"key": "sesame-z", "value": "open"}


def test_put_changes_a_key(caller: Caller, key: str) -> None:
    answer = caller.send("PUT", key, {"key": "sesame", "value": "shut"})
    assert (answer.status, answer.body) == (200, b"sesame: shut")
    assert caller.ask("GET", key).body == b"sesame: shut"


@pytest.mark.parametrize(
    ("fields", "name", "value"),
    [
        ({"value": "shut"}, "sesame", "shut"),
        ({"key": "sesame2"}, "sesame2", "open"),
        ({"key": "sesame2", "value": "shut"}, "sesame2", "shut"),
        ({"value": "shut", "other": "1"}, "sesame", "shut"),
        ({}, "sesame", "open"),
    ],
)
def test_patch_takes_any_field(
    caller: Caller, key: str, fields: object, name: str, value: str
) -> None:
    answer = caller.send("PATCH", key, fields, {"Accept": "application/json"})
    assert answer.status == 200
    assert answer.json == {"key": name, "value": value}
    assert caller.ask("GET", key).status == (200 if name == "sesame" else 404)


def test_patch_with_other_fields_alone_is_refused(caller: Caller, key: str) -> None:
    before = caller.ask("GET", key)
    reason = "What can be changed is key and value, and it has neither."
    answer = caller.send("PATCH", key, {"valu": "shut"})
    assert_wrong(answer, {"non_field_errors": [reason]})
    assert caller.ask("GET", key).headers["ETag"] == before.headers["ETag"]


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_a_rename_never_takes_the_name_of_another(
    caller: Caller, cluster: str, key: str, method: str
) -> None:
    caller.add(cluster, "sesame2", "other")
    answer = caller.send(method, key, {"key": "sesame2", "value": "shut"})
    assert answer.status == 409
    assert caller.ask("GET", f"{cluster}/keys").json == [
        {"key": "sesame", "value": "open"},
        {"key": "sesame2", "value": "other"},
    ]


def test_a_renamed_key_keeps_its_place(caller: Caller, cluster: str, key: str) -> None:
    caller.add(cluster, "sesame2", "other")
    caller.send("PATCH", key, {"key": "sesame3"})
    keys = caller.ask("GET", f"{cluster}/keys").json
    assert [item["key"] for item in keys] == ["sesame3", "sesame2"]


def test_delete_a_key(caller: Caller, cluster: str, key: str) -> None:
    assert caller.ask("DELETE", key).status == 204
    assert caller.ask("DELETE", key).status == 404
    assert caller.ask("GET", f"{cluster}/keys").body == b"[]"


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE"])
def test_a_key_that_is_not_there(caller: Caller, cluster: str, method: str) -> None:
    fields = {"key": "sesame", "value": "open"}
    answer = caller.send(method, f"{cluster}/keys/sesame", fields)
    assert answer.status == 404
    if method != "HEAD":
        assert answer.json["type"] == "/problems#no-such-key"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *[(method, UNKNOWN) for method in ("GET", "DELETE")],
        *[(method, f"{UNKNOWN}/keys") for method in ("GET", "POST")],
        *[
            (method, f"{UNKNOWN}/keys/sesame")
            for method in ("GET", "PUT", "PATCH", "DELETE")
        ],
        ("GET", f"{CLUSTERS}/UPPERCASE123"),
        ("GET", f"{CLUSTERS}/sesame"),
        ("DELETE", f"{CLUSTERS}/aaaaaaaaaaaaa"),
    ],
)
def test_a_cluster_that_is_not_there(caller: Caller, method: str, path: str) -> None:
    answer = caller.send(method, path, {"key": "sesame", "value": "open"})
    assert answer.status == 404
    assert answer.json["type"] == "/problems#no-such-cluster"


@pytest.mark.parametrize("kind", METHODS)
@pytest.mark.parametrize("method", VERBS)
def test_allow(
    caller: Caller, paths: dict[str, str], cluster: str, kind: str, method: str
) -> None:
    allowed = ", ".join(sorted({*METHODS[kind], "OPTIONS"}))
    options = caller.ask("OPTIONS", paths[kind])
    assert (options.status, options.body) == (204, b"")
    assert options.headers["Allow"] == allowed
    before = caller.ask("GET", f"{cluster}/keys")
    fields = {} if kind == "clusters" else {"key": "sesame2", "value": "shut"}
    answer = caller.send(method, paths[kind], fields)
    if method in METHODS[kind]:
        assert answer.status in (200, 201, 204)
        return
    assert (answer.status, answer.headers["Allow"]) == (405, allowed)
    assert answer.headers["Content-Type"] == "application/problem+json"
    if method != "HEAD":
        assert answer.json["detail"] == f'Method "{method}" not allowed.'
    after = caller.ask("GET", f"{cluster}/keys")
    assert after.headers["ETag"] == before.headers["ETag"]


@pytest.mark.parametrize("kind", ["cluster", "keys", "key"])
@pytest.mark.parametrize("accept", ["*/*", "text/html"])
def test_head_is_get_without_its_body(
    caller: Caller, paths: dict[str, str], kind: str, accept: str
) -> None:
    head = caller.ask("HEAD", paths[kind], headers={"Accept": accept})
    get = caller.ask("GET", paths[kind], headers={"Accept": accept})
    assert head.body == b""
    assert get.body
    assert (head.status, head.headers) == (get.status, get.headers)
    assert get.headers["Content-Length"] == str(len(get.body))
