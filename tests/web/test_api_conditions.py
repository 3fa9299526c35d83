"""
``ETag``, ``If-Match`` and ``If-None-Match`` (RFC 9110, section 13.1).
"""

import pytest

from tests.web.caller import Caller
from tests.web.wire import Answer, Wire

FIELDS = {"key": "sesame", "value": "shut"}

MALFORMED = [
    "17",
    '"17',
    '17"',
    '"17" "18"',
    '*, "17"',
    "'17'",
    'w/"17"',
    'W/ "17"',
    '"1 7"',
    "",
    ",",
]


@pytest.fixture(params=["cluster", "keys", "key"])
def path(request: pytest.FixtureRequest, cluster: str, key: str) -> str:
    """
    A resource that can be read.
    """
    return {"cluster": cluster, "keys": f"{cluster}/keys", "key": key}[request.param]


def tag_of(caller: Caller, path: str) -> str:
    return caller.ask("GET", path).headers["ETag"]


def change(caller: Caller, path: str, headers: dict[str, str]) -> Answer:
    return caller.send("PUT", path, FIELDS, headers)


def test_a_tag_is_strong_and_stays_while_nothing_changes(
    caller: Caller, path: str
) -> None:
    tag = tag_of(caller, path)
    assert tag.strip('"').isdigit()
    assert tag == f'"{tag.strip(chr(34))}"'
    assert tag_of(caller, path) == tag


def test_a_change_of_a_key_changes_all_tags_above(
    caller: Caller, cluster: str, key: str
) -> None:
    paths = (cluster, f"{cluster}/keys", key)
    before = [tag_of(caller, path) for path in paths]
    changed = change(caller, key, {})
    after = [tag_of(caller, path) for path in paths]
    assert not set(before) & set(after)
    assert changed.headers["ETag"] == after[2]


def test_what_changes_nothing_keeps_the_tag(caller: Caller, key: str) -> None:
    tag = tag_of(caller, key)
    same = caller.send("PUT", key, {"key": "sesame", "value": "open"})
    assert same.headers["ETag"] == tag_of(caller, key) == tag


def test_another_key_does_not_change_the_tag(
    caller: Caller, cluster: str, key: str
) -> None:
    tag = tag_of(caller, key)
    caller.add(cluster, "sesame2", "open")
    assert tag_of(caller, key) == tag


@pytest.mark.parametrize("form", ["{}", "W/{}", '"17", {}', "{},", '"", W/{}', "*"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_not_modified(caller: Caller, path: str, form: str, method: str) -> None:
    tag = tag_of(caller, path)
    answer = caller.ask(method, path, headers={"If-None-Match": form.format(tag)})
    assert (answer.status, answer.body) == (304, b"")
    assert answer.headers["ETag"] == tag
    assert answer.headers["Vary"] == "Accept"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Content-Type" not in answer.headers


@pytest.mark.parametrize("value", ['"0"', '"sesame"', '"99", W/"98"', '""'])
def test_modified(caller: Caller, path: str, value: str) -> None:
    answer = caller.ask("GET", path, headers={"If-None-Match": value})
    assert answer.status == 200
    assert answer.body


def test_tags_are_compared_as_text_not_as_numbers(caller: Caller, path: str) -> None:
    padded = tag_of(caller, path).replace('"', '"0', 1)
    assert caller.ask("GET", path, headers={"If-None-Match": padded}).status == 200
    assert caller.ask("GET", path, headers={"If-Match": padded}).status == 412


def test_tags_may_come_in_several_lines(wire: Wire, caller: Caller, key: str) -> None:
    tag = tag_of(caller, key)
    head = f'GET {key} HTTP/1.1\r\nIf-None-Match: "17"\r\nIf-None-Match: {tag}\r\n\r\n'
    assert wire.send(head.encode()).value().startswith(b"HTTP/1.1 304 ")


@pytest.mark.parametrize("form", ["{}", '"17", {}', "*"])
def test_a_get_if_match_holds(caller: Caller, path: str, form: str) -> None:
    headers = {"If-Match": form.format(tag_of(caller, path))}
    assert caller.ask("GET", path, headers=headers).status == 200


@pytest.mark.parametrize("form", ["W/{}", '"17"', '"sesame"'])
def test_a_get_if_match_does_not_hold(caller: Caller, path: str, form: str) -> None:
    headers = {"If-Match": form.format(tag_of(caller, path))}
    answer = caller.ask("GET", path, headers=headers)
    assert answer.status == 412
    assert answer.json["type"] == "/problems#condition-failed"


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_compare_and_set(caller: Caller, key: str, method: str) -> None:
    tag = tag_of(caller, key)
    assert change(caller, key, {}).status == 200
    stale = caller.send(method, key, {**FIELDS, "value": "lost"}, {"If-Match": tag})
    assert stale.status == 412
    assert caller.ask("GET", key).body == b"sesame: shut"
    fresh = {"If-Match": tag_of(caller, key)}
    answer = caller.send(method, key, {**FIELDS, "value": "won"}, fresh)
    assert answer.status == (204 if method == "DELETE" else 200)
    assert (caller.ask("GET", key).status == 404) == (method == "DELETE")


@pytest.mark.parametrize("form", ["*", "{}", "W/{}"])
@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_a_change_if_none_match_does_not_hold(
    caller: Caller, key: str, method: str, form: str
) -> None:
    headers = {"If-None-Match": form.format(tag_of(caller, key))}
    assert caller.send(method, key, FIELDS, headers).status == 412
    assert caller.ask("GET", key).body == b"sesame: open"


def test_a_cluster_is_deleted_only_in_the_state_that_is_meant(
    caller: Caller, cluster: str, key: str
) -> None:
    tag = tag_of(caller, cluster)
    change(caller, key, {})
    assert caller.ask("DELETE", cluster, headers={"If-Match": tag}).status == 412
    fresh = {"If-Match": tag_of(caller, cluster)}
    assert caller.ask("DELETE", cluster, headers=fresh).status == 204


def test_a_key_is_added_only_in_the_state_that_is_meant(
    caller: Caller, cluster: str, key: str
) -> None:
    tag = tag_of(caller, cluster)
    change(caller, key, {})
    fields = {"key": "sesame2", "value": "open"}
    path = f"{cluster}/keys"
    assert caller.send("POST", path, fields, {"If-Match": tag}).status == 412
    assert caller.ask("GET", f"{path}/sesame2").status == 404
    fresh = {"If-Match": tag_of(caller, path)}
    assert caller.send("POST", path, fields, fresh).status == 201


@pytest.mark.parametrize("header", ["If-Match", "If-None-Match"])
@pytest.mark.parametrize("value", MALFORMED)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_malformed(
    caller: Caller, key: str, header: str, value: str, method: str
) -> None:
    answer = caller.send(method, key, FIELDS, {header: value})
    assert answer.status == 400
    assert answer.json["detail"].startswith(f"{header} must be * or a list")
    assert caller.ask("GET", key).body == b"sesame: open"


def test_what_is_not_there_has_no_state(caller: Caller, cluster: str) -> None:
    answer = change(caller, f"{cluster}/keys/sesame", {"If-Match": "*"})
    assert answer.status == 404
