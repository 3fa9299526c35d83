"""
Which bodies and fields the API takes, and what it says of the others.

The reasons are worded as in ``tests/data/original-service.json``.
"""

import encodings
import json

import pytest

from cvmpair.core.names import MAX_VALUE_BYTES
from tests.web.caller import Caller
from tests.web.wire import Answer, Wire

REQUIRED = "This field is required."
BLANK = "This field may not be blank."
NULL = "This field may not be null."
NO_STRING = "Not a valid string."
NO_NAME = "A key name has 1 to 100 letters, digits, hyphens or underscores."
NUL = "Null characters are not allowed."
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture(params=["POST", "PUT", "PATCH"])
def change(request: pytest.FixtureRequest, key: str) -> tuple[str, str]:
    """
    A method and a path that take a body with the fields of a key.
    """
    path = key.removesuffix("/sesame") if request.param == "POST" else key
    return request.param, path


def post(caller: Caller, cluster: str, body: str | bytes, media_type: str) -> Answer:
    return caller.ask(
        "POST", f"{cluster}/keys", body, {"Content-Type": media_type, "Accept": JSON}
    )


def assert_wrong(answer: Answer, errors: dict[str, list[str]]) -> None:
    assert answer.status == 400
    assert answer.json["type"] == "/problems#invalid-fields"
    assert answer.json["errors"] == errors


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
    answer = post(caller, cluster, body, JSON)
    assert answer.json == {"key": "12", "value": spelled}


def test_a_number_may_have_any_length(caller: Caller, cluster: str) -> None:
    digits = "1" * 10_000
    answer = post(caller, cluster, f'{{"key":"sesame","value":{digits}}}', JSON)
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


@pytest.mark.parametrize("value", ["[]", '"sesame"', "1", "null", "true"])
def test_json_that_is_no_object(caller: Caller, cluster: str, value: str) -> None:
    kind = type(json.loads(value, parse_int=str)).__name__
    reason = f"Invalid data. Expected a dictionary, but got {kind}."
    assert_wrong(post(caller, cluster, value, JSON), {"non_field_errors": [reason]})


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (
            "{bad",
            "JSON parse error - Expecting property name enclosed in double quotes: "
            "line 1 column 2 (char 1)",
        ),
        ("", "JSON parse error - Expecting value: line 1 column 1 (char 0)"),
        ('{"value": NaN}', "JSON parse error - NaN is not JSON"),
        ('{"value": -Infinity}', "JSON parse error - -Infinity is not JSON"),
        ('{"key": "sesame"} 1', "JSON parse error - Extra data"),
        ('{"key": "\n"}', "JSON parse error - Invalid control character"),
        ("[" * 60_000, "JSON parse error - nested too deeply"),
        (b"\xff\xfe", "The body is not text in utf-8."),
        (b'{"key": "\xed\xa0\x80"}', "The body is not text in utf-8."),
    ],
)
def test_broken_json(
    caller: Caller, cluster: str, body: str | bytes, detail: str
) -> None:
    answer = post(caller, cluster, body, JSON)
    assert answer.status == 400
    assert answer.json["type"] == "/problems#bad-request"
    assert answer.json["detail"].startswith(detail)


@pytest.mark.parametrize(
    "body",
    [
        "key=sesame&value=%C3%A9+%26",
        "value=%c3%a9%20%26&key=sesame&other=",
        "key=first&key=sesame&value=\xe9+%26",
    ],
)
def test_a_form(caller: Caller, cluster: str, body: str) -> None:
    answer = post(caller, cluster, body, FORM)
    assert answer.json == {"key": "sesame", "value": "\xe9 &"}


def test_wrong_forms(caller: Caller, cluster: str) -> None:
    assert_wrong(post(caller, cluster, "key=sesame&value=", FORM), {"value": [BLANK]})
    assert_wrong(
        post(caller, cluster, "", FORM), {"key": [REQUIRED], "value": [REQUIRED]}
    )
    broken = post(caller, cluster, "key=sesame&value=%ff", FORM)
    assert (broken.status, broken.json["detail"]) == (
        400,
        "The form is not text in utf-8.",
    )
    many = post(caller, cluster, "sesame=1&" * 101, FORM)
    assert (many.status, many.json["detail"]) == (
        400,
        "The form has more than 100 fields.",
    )


@pytest.mark.parametrize(
    ("charset", "codec"),
    [
        ("utf-8", "utf-8"),
        ("UTF8", "utf-8"),
        ('"utf-8"', "utf-8"),
        ("iso-8859-1", "latin-1"),
        ("ISO_8859-1", "latin-1"),
        ("windows-1252", "cp1252"),
        ("utf-16", "utf-16"),
    ],
)
def test_charsets(caller: Caller, cluster: str, charset: str, codec: str) -> None:
    body = '{"key": "sesame", "value": "\xe9"}'.encode(codec)
    answer = post(caller, cluster, body, f"application/JSON ;charset={charset}")
    assert (answer.status, answer.json["value"]) == (201, "\xe9")
    assert answer.body == '{"key":"sesame","value":"\xe9"}'.encode()


def test_ascii_is_ascii(caller: Caller, cluster: str) -> None:
    answer = post(caller, cluster, b"\xe9", f"{JSON}; charset=us-ascii")
    assert answer.json["detail"] == "The body is not text in ascii."


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/jsonp",
        "application/json+sesame",
        "multipart/form-data; boundary=sesame",
        "application/json; charset=sesame",
        "application/json; charset=hex",
        "application/json; charset=punycode",
        "application/json; charset=../../sesame",
        "sesame",
        ";",
    ],
)
def test_unsupported_media_types(
    caller: Caller, change: tuple[str, str], content_type: str
) -> None:
    body = b'{"key": "sesame", "value": "open"}'
    answer = caller.ask(*change, body, {"Content-Type": content_type})
    assert answer.status == 415
    assert answer.json["type"] == "/problems#unsupported-media-type"


def test_no_charset_is_remembered(caller: Caller, cluster: str) -> None:
    # Python's own table of codecs grows with every name that is looked up in it.
    before = len(encodings._cache)
    post(caller, cluster, "{}", f"{JSON}; charset=sesame-no-such-charset")
    assert len(encodings._cache) == before


def test_a_body_without_a_media_type(caller: Caller, change: tuple[str, str]) -> None:
    assert caller.ask(*change, b"{}").status == 415
