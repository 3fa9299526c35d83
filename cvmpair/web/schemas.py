"""
The parts of the OpenAPI document that operations have in common: what is in a body and
in a header.
"""

from typing import Any, Final

from cvmpair.core.names import (
    MAX_KEY_NAME_LENGTH,
    MAX_VALUE_BYTES,
    PIN_LENGTH,
)
from cvmpair.web.problems import PROBLEM_TYPES

Part = dict[str, Any]

_NAME: Final = f"[A-Za-z0-9_-]{{1,{MAX_KEY_NAME_LENGTH}}}"
_TAG: Final = r'(W/)?"[!#-~]*"'
_TAGS: Final[Part] = {
    "anyOf": [
        {"const": "*"},
        {"type": "string", "pattern": rf"^{_TAG}( *, *{_TAG})*$", "examples": ['"17"']},
    ]
}

PIN: Final[Part] = {"type": "string", "pattern": f"^[a-z0-9]{{{PIN_LENGTH}}}$"}
NAME: Final[Part] = {"type": "string", "pattern": f"^{_NAME}$"}
_TIME: Final[Part] = {"type": "string", "format": "date-time"}

_NEW_NAME: Final[Part] = {
    "type": ["string", "integer"],
    "pattern": rf"^\s*{_NAME}\s*$",
    "description": "White space around it is removed; a number becomes text.",
}
_NEW_VALUE: Final[Part] = {
    "type": ["string", "number"],
    "pattern": r"^[^\x00]*[^\s\x00][^\x00]*$",
    "maxLength": MAX_VALUE_BYTES,
    "description": f"At most {MAX_VALUE_BYTES} bytes of UTF-8. White space around it "
    "is removed; a number becomes text.",
}


def _object(required: list[str], **properties: Part) -> Part:
    return {"type": "object", "required": required, "properties": properties}


SCHEMAS: Final[Part] = {
    "Document": {"type": "object", "required": ["openapi", "info", "paths"]},
    "NewCluster": {"type": "object"},
    "Cluster": _object(
        ["pin", "creation_time", "expiration_time"],
        pin=PIN,
        creation_time=_TIME,
        expiration_time=_TIME,
    ),
    "Key": _object(
        ["key", "value"], key=NAME, value={"type": "string", "minLength": 1}
    ),
    "Keys": {"type": "array", "items": {"$ref": "#/components/schemas/Key"}},
    "KeyLine": {
        "type": "string",
        "pattern": f"^{_NAME}: ",
        "description": "The name, a colon, a space, and the value; no line break.",
    },
    "NewKey": _object(["key", "value"], key=_NEW_NAME, value=_NEW_VALUE),
    "KeyChange": _object([], key=_NEW_NAME, value=_NEW_VALUE),
    "Problem": _object(
        ["type", "title", "status", "detail"],
        type={"enum": [f"/problems#{kind.name}" for kind in PROBLEM_TYPES.values()]},
        title={"type": "string"},
        status={"enum": sorted({kind.status for kind in PROBLEM_TYPES.values()})},
        detail={"type": "string", "description": "What is wrong, and what to do."},
        errors={
            "type": "object",
            "description": "By field, what is wrong with it.",
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
        },
        limit={"type": "integer", "description": "What the limit is."},
    ),
    "ProblemLine": {"type": "string", "description": "The detail, in one line."},
}
"""What is in the bodies."""


def _header(text: str, **schema: object) -> Part:
    return {"description": text, "required": True, "schema": schema}


HEADERS: Final[Part] = {
    "ETag": _header(
        "The version, which every change makes another one.",
        type="string",
        pattern='^"[0-9a-f]+"$',
    ),
    "Vary": _header("Always the same.", type="string", const="Accept"),
    "Cache-Control": _header("What a cache may do.", type="string"),
    "Location": _header("The path of what was created.", type="string"),
    "Allow": _header("The methods that there are.", type="string"),
    "Retry-After": _header(
        "The seconds after which to try again.", type="integer", minimum=0
    ),
    "Preference-Applied": {
        "description": "wait=SECONDS, if the answer waited or would have waited.",
        "schema": {"type": "string", "pattern": "^wait=[0-9]+$"},
    },
}
"""Those of the answers."""


def _of_request(text: str, schema: Part) -> Part:
    return {"in": "header", "required": False, "description": text, "schema": schema}


PARAMETERS: Final[Part] = {
    "pin": {
        "name": "pin",
        "in": "path",
        "required": True,
        "description": "The PIN of the cluster. It is a secret.",
        "schema": PIN,
    },
    "name": {
        "name": "name",
        "in": "path",
        "required": True,
        "description": "The name of the key.",
        "schema": NAME,
    },
    "If-Match": {
        "name": "If-Match",
        **_of_request(
            "Only if it has one of these versions; else 412.",
            _TAGS,
        ),
    },
    "If-None-Match": {
        "name": "If-None-Match",
        **_of_request(
            "Only if it has none of these versions; else 304 to a GET, 412 to others.",
            _TAGS,
        ),
    },
    "Prefer": {
        "name": "Prefer",
        **_of_request(
            "wait=SECONDS: the answer may wait for a key that is not there yet or, "
            "with If-None-Match, for another version (RFC 7240).",
            {"type": "string", "examples": ["wait=60"]},
        ),
    },
}
"""Those of the requests."""
