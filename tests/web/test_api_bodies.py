"""
Which bodies the API takes, and what it says of the others.

The reasons are worded as in ``tests/data/original-service.json``.
"""

import encodings
import json

import pytest

from tests.web.caller import Caller, assert_wrong

REQUIRED = "This field is required."
BLANK = "This field may not be blank."
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize("value", ["[]", '"sesame"', "1", "null", "true"])
def test_json_that_is_no_object(caller: Caller, cluster: str, value: str) -> None:
    kind = type(json.loads(value, parse_int=str)).__name__
    reason = f"Invalid data. Expected a dictionary, but got {kind}."
    assert_wrong(
        caller.post(f"{cluster}/keys", value, JSON), {"non_field_errors": [reason]}
    )


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
    answer = caller.post(f"{cluster}/keys", body, JSON)
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
    answer = caller.post(f"{cluster}/keys", body, FORM)
    assert answer.json == {"key": "sesame", "value": "\xe9 &"}


def test_wrong_forms(caller: Caller, cluster: str) -> None:
    assert_wrong(
        caller.post(f"{cluster}/keys", "key=sesame&value=", FORM), {"value": [BLANK]}
    )
    assert_wrong(
        caller.post(f"{cluster}/keys", "", FORM),
        {"key": [REQUIRED], "value": [REQUIRED]},
    )
    broken = caller.post(f"{cluster}/keys", "key=sesame&value=%ff", FORM)
    assert (broken.status, broken.json["detail"]) == (
        400,
        "The form is not text in utf-8.",
    )
    many = caller.post(f"{cluster}/keys", "sesame=1&" * 101, FORM)
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
    answer = caller.post(
        f"{cluster}/keys", body, f"application/JSON ;charset={charset}"
    )
    assert (answer.status, answer.json["value"]) == (201, "\xe9")
    assert answer.body == '{"key":"sesame","value":"\xe9"}'.encode()


def test_ascii_is_ascii(caller: Caller, cluster: str) -> None:
    answer = caller.post(f"{cluster}/keys", b"\xe9", f"{JSON}; charset=us-ascii")
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
    caller.post(f"{cluster}/keys", "{}", f"{JSON}; charset=sesame-no-such-charset")
    assert len(encodings._cache) == before


def test_a_body_without_a_media_type(caller: Caller, change: tuple[str, str]) -> None:
    assert caller.ask(*change, b"{}").status == 415


def test_a_compressed_body_is_not_read(caller: Caller, cluster: str) -> None:
    answer = caller.ask(
        "POST",
        f"{cluster}/keys",
        b"sesame",
        {"Content-Type": JSON, "Content-Encoding": "gzip"},
    )
    assert answer.status == 415
