"""
Which names and values the API takes, and what it says of the others.

The reasons are worded as in ``tests/data/original-service.json``.
"""

import pytest

from cvmpair.core.names import MAX_VALUE_BYTES
from tests.web.caller import Caller, assert_wrong
from tests.web.wire import Wire

REQUIRED = "This field is required."
BLANK = "This field may not be blank."
NULL = "This field may not be null."
NO_STRING = "Not a valid string."
NO_NAME = "A key name has 1 to 100 letters, digits, hyphens or underscores."
NUL = "Null characters are not allowed."
JSON = "application/json"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("", BLANK),
        (" \t\n", BLANK),
        (None, NULL),
        (True, NO_STRING),
        (False, NO_STRING),
        ({"sesame": 1}, NO_STRING),
        (["sesame"], NO_STRING),
        ([], NO_STRING),
        ("sesame\0", NUL),
        ("sesame\ud800", NO_STRING),
    ],
)
def test_wrong_values(
    wire: Wire, caller: Caller, change: tuple[str, str], value: object, reason: str
) -> None:
    version = wire.book.version
    fields = {"key": "sesame", "value": value}
    assert_wrong(caller.send(*change, fields), {"value": [reason]})
    assert wire.book.version == version


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", BLANK),
        (" ", BLANK),
        (None, NULL),
        (True, NO_STRING),
        ({}, NO_STRING),
        (1.5, NO_NAME),
        ("sesame sesame", NO_NAME),
        ("sesame/sesame", NO_NAME),
        ("sesame.", NO_NAME),
        ("s\xe9same", NO_NAME),
        ("sesame\0", NO_NAME),
        ("sesame\ud800", NO_NAME),
        ("\u0661", NO_NAME),
        ("s" * 101, NO_NAME),
    ],
)
def test_wrong_names(
    wire: Wire, caller: Caller, change: tuple[str, str], name: object, reason: str
) -> None:
    version = wire.book.version
    fields = {"key": name, "value": "open"}
    assert_wrong(caller.send(*change, fields), {"key": [reason]})
    assert wire.book.version == version


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_both_fields_are_required(caller: Caller, key: str, method: str) -> None:
    path = key.removesuffix("/sesame") if method == "POST" else key
    assert_wrong(caller.send(method, path, {"key": "sesame"}), {"value": [REQUIRED]})
    assert_wrong(caller.send(method, path, {"value": "open"}), {"key": [REQUIRED]})
    both = {"key": [REQUIRED], "value": [REQUIRED]}
    assert_wrong(caller.send(method, path, {"sesame": "open"}), both)


@pytest.mark.parametrize("name", ["s" * 100, "Sesame_-1", "-", "007"])
def test_legal_names(caller: Caller, cluster: str, name: str) -> None:
    answer = caller.add(cluster, name, "open")
    assert (answer.status, answer.json["key"]) == (201, name)
    read = caller.ask("GET", answer.headers["Location"])
    assert read.body.decode() == f"{name}: open"


@pytest.mark.parametrize("spelled", ["0", "-1", "7e1", "1.50", "1E+400", "-0.0"])
def test_numbers_become_text_as_they_are_spelled(
    caller: Caller, cluster: str, spelled: str
) -> None:
    body = f'{{"key": 12, "value": {spelled}}}'
    answer = caller.post(f"{cluster}/keys", body, JSON)
    assert answer.json == {"key": "12", "value": spelled}


def test_a_number_may_have_any_length(caller: Caller, cluster: str) -> None:
    digits = "1" * 10_000
    answer = caller.post(
        f"{cluster}/keys", f'{{"key":"sesame","value":{digits}}}', JSON
    )
    assert answer.json["value"] == digits


def test_white_space_around_a_field_goes(caller: Caller, cluster: str) -> None:
    answer = caller.add(cluster, " sesame\t", "\n open  \u2003sesame \r\n")
    assert answer.json == {"key": "sesame", "value": "open  \u2003sesame"}


@pytest.mark.parametrize("character", ["s", "\xe9", "\u20ac", "\U0001f511"])
def test_the_longest_value(caller: Caller, cluster: str, character: str) -> None:
    size = len(character.encode())
    longest = character * (MAX_VALUE_BYTES // size) + "s" * (MAX_VALUE_BYTES % size)
    assert caller.add(cluster, "sesame", longest).status == 201
    read = caller.ask("GET", f"{cluster}/keys/sesame").body.decode()
    assert read == f"sesame: {longest}"
    assert_wrong(
        caller.add(cluster, "sesame2", longest + "s"),
        {"value": ["A value has at most 16384 bytes of UTF-8; this one has 16385."]},
    )
