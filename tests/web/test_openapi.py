"""
The document that describes the API says what the API does.
"""

import json
import re
from collections.abc import Mapping
from functools import partial
from typing import Any

import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import validate

from cvmpair.core.errors import InvalidFields
from cvmpair.core.names import MAX_VALUE_BYTES, is_pin, key_name
from cvmpair.web.api import OPENAPI, PairingAPI
from cvmpair.web.bodies import read_body
from cvmpair.web.fields import key_fields, token_fields
from cvmpair.web.openapi import document
from cvmpair.web.problems import PROBLEM_TYPES
from tests.web.caller import Caller

DOCUMENT = json.loads(document())
METHODS = {"get", "head", "post", "put", "patch", "delete", "options"}


def resolved(part: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in part:
        return part
    found = DOCUMENT
    for name in part["$ref"].removeprefix("#/").split("/"):
        found = found[name]
    return found


def problems_of(response: Mapping[str, Any]) -> set[str]:
    content = resolved(response).get("content", {}).get("application/problem+json")
    if content is None:
        return set()
    return set(content["schema"]["allOf"][1]["properties"]["type"]["enum"])


def test_it_is_valid() -> None:
    validate(DOCUMENT)
    assert DOCUMENT["openapi"].startswith("3.1.")


def test_it_has_all_routes_and_no_others() -> None:
    routed = {
        (re.sub(r"<(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in PairingAPI.app.url_map.iter_rules()
        for method in [*(rule.methods or ()), "OPTIONS"]
    }
    assert routed == {
        (path, method)
        for path, item in DOCUMENT["paths"].items()
        for method in item.keys() & METHODS
    }


def test_it_has_all_problems_and_no_others() -> None:
    answers = {
        (f"/problems#{kind.name}", str(kind.status)) for kind in PROBLEM_TYPES.values()
    }
    assert answers == {
        (problem, status)
        for item in DOCUMENT["paths"].values()
        for operation in item.keys() & METHODS
        for status, response in item[operation]["responses"].items()
        for problem in problems_of(response)
    } | {("/problems#method-not-allowed", "405")}


@pytest.mark.parametrize(
    "text", ["enico1qq0oey", "enico1qq0oe", "enico1qq0oeyy", "ENICO1QQ0OEY", ""]
)
def test_it_knows_what_a_pin_is(text: str) -> None:
    pattern = DOCUMENT["components"]["parameters"]["pin"]["schema"]["pattern"]
    assert bool(re.search(pattern, text)) is is_pin(text)


@pytest.mark.parametrize(
    "text", ["s", "s" * 100, "s" * 101, " sesame\n", "se same", "", "A-_9", "s.", "\n"]
)
def test_it_knows_what_a_key_may_be_called(text: str) -> None:
    name = DOCUMENT["components"]["schemas"]["NewKey"]["properties"]["key"]
    try:
        key_name(text)
    except ValueError:
        legal = False
    else:
        legal = True
    assert bool(re.search(name["pattern"], text)) is legal


def test_it_knows_how_long_a_value_may_be() -> None:
    for name in "NewKey", "KeyChange":
        value = DOCUMENT["components"]["schemas"][name]["properties"]["value"]
        assert value["maxLength"] == MAX_VALUE_BYTES


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("NewKey", {"key": "sesame", "value": "open", "other": "1"}),
        ("KeyChange", {}),
        ("KeyChange", {"value": "open", "other": "1"}),
        ("KeyChange", {"other": "1"}),
        ("NewToken", {"scope": "read", "lifetime": 2}),
        ("NewToken", {"scope": "read", "lifetme": 2}),
    ],
)
def test_it_knows_which_fields_a_body_may_have(
    name: str, fields: Mapping[str, object]
) -> None:
    read = {
        "NewKey": key_fields,
        "KeyChange": partial(key_fields, partial=True),
        "NewToken": token_fields,
    }[name]
    try:
        # As the body is read, where a number is text.
        read(read_body(b"application/json", json.dumps(fields).encode()))
    except InvalidFields:
        legal = False
    else:
        legal = True
    schema = DOCUMENT["components"]["schemas"][name]
    assert OAS31Validator(schema).is_valid(fields) is legal


def test_it_is_served_once_and_then_known(caller: Caller) -> None:
    answer = caller.ask("GET", OPENAPI)
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json == DOCUMENT
    headers = {"If-None-Match": answer.headers["ETag"]}
    again = caller.ask("GET", OPENAPI, headers=headers)
    assert (again.status, again.body) == (304, b"")
    assert caller.ask("GET", OPENAPI, headers={"Accept": "text/html"}).status == 406
    head = caller.ask("HEAD", OPENAPI)
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Length"] == str(len(document()))
