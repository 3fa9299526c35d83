"""
What a request body says: fields by name.
"""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Final
from urllib.parse import parse_qsl

from twisted.web.iweb import IRequest
from werkzeug.http import parse_options_header

from cvmpair.core.errors import InvalidFields
from cvmpair.web.errors import BadRequest, UnsupportedMediaType
from cvmpair.web.negotiation import JSON

FORM: Final = "application/x-www-form-urlencoded"

MAX_FORM_FIELDS: Final = 100

# By the names that they go by, not by those of Python's codecs: Python keeps each
# name that it was ever asked for, be it none.
_CHARSETS: Final[Mapping[str, str]] = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "us-ascii": "ascii",
    "ascii": "ascii",
    "iso-8859-1": "iso-8859-1",
    "latin1": "iso-8859-1",
    "latin-1": "iso-8859-1",
    "windows-1252": "windows-1252",
    "cp1252": "windows-1252",
    "utf-16": "utf-16",
}


def read_fields(request: IRequest) -> Mapping[str, object]:
    """
    Return the fields of a JSON or form body.

    JSON numbers become text, exactly as they are spelled.

    :raises UnsupportedMediaType: if the body is neither, or compressed.
    :raises BadRequest: if it is broken.
    :raises InvalidFields: if it is JSON, but not an object.
    """
    if (request.getHeader(b"Content-Encoding") or b"identity").lower() != b"identity":
        raise UnsupportedMediaType
    content_type = request.getHeader(b"Content-Type") or b""
    return read_body(content_type, request.content.read())


def read_form(request: IRequest) -> Mapping[str, object]:
    """
    Return the fields of a form of ours, whatever its media type is called.

    :raises BadRequest: if it is broken.
    """
    return read_body(FORM.encode(), request.content.read())


def read_body(content_type: bytes, body: bytes) -> Mapping[str, object]:
    """
    Return the fields of a body that is not compressed.

    :raises: the same errors.
    """
    media_type, charset = _content_type(content_type)
    if media_type not in (JSON, FORM):
        raise UnsupportedMediaType
    text = _decode(body, charset)
    return _read_json(text) if media_type == JSON else _read_form(text)


# As for what clients accept, a handful of headers make up all the traffic.
@lru_cache(maxsize=1024)
def _content_type(header: bytes) -> tuple[str, str]:
    media_type, options = parse_options_header(header.decode("latin-1"))
    return media_type.strip().lower(), options.get("charset", "utf-8")


def _decode(body: bytes, charset: str) -> str:
    name = _CHARSETS.get(charset.strip().lower().replace("_", "-"))
    if name is None:
        raise UnsupportedMediaType
    try:
        return body.decode(name)
    except UnicodeDecodeError:
        raise BadRequest(f"The body is not text in {name}.") from None


def _read_json(text: str) -> Mapping[str, object]:
    try:
        fields = _parse(text)
    except json.JSONDecodeError as error:
        raise BadRequest(f"JSON parse error - {error}") from None
    except RecursionError:
        raise BadRequest("JSON parse error - nested too deeply") from None
    if not isinstance(fields, dict):
        kind = type(fields).__name__
        reason = f"Invalid data. Expected a dictionary, but got {kind}."
        raise InvalidFields({"non_field_errors": [reason]})
    return fields


def _refuse_constant(constant: str) -> None:
    raise json.JSONDecodeError(f"{constant} is not JSON", "", 0)


_parse: Final = json.JSONDecoder(
    parse_int=str, parse_float=str, parse_constant=_refuse_constant
).decode


def _read_form(text: str) -> Mapping[str, object]:
    try:
        return dict(
            parse_qsl(
                text,
                keep_blank_values=True,
                errors="strict",
                max_num_fields=MAX_FORM_FIELDS,
            )
        )
    except UnicodeDecodeError:
        raise BadRequest("The form is not text in utf-8.") from None
    except ValueError:
        raise BadRequest(f"The form has more than {MAX_FORM_FIELDS} fields.") from None
