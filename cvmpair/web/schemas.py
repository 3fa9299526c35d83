"""
The parts of the OpenAPI document that operations have in common: what is in a body and
in a header.
"""

from typing import Any, Final

from cvmpair.core.errors import REASONS
from cvmpair.core.names import (
    MAX_KEY_NAME_LENGTH,
    MAX_VALUE_BYTES,
    PIN_LENGTH,
)
from cvmpair.core.tokens import SCOPES
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


_SCOPE: Final[Part] = {"enum": list(SCOPES)}
_TOKEN: Final[Part] = {
    "type": "string",
    "pattern": r"^[a-z0-9]{8}\.[A-Za-z0-9_-]{43}$",
    "description": "It is a secret, and told only once.",
}
_CLUSTER: Final = ["pin", "creation_time", "expiration_time"]
_OF_CLUSTER: Final[Part] = {
    "pin": PIN,
    "creation_time": _TIME,
    "expiration_time": _TIME,
    "protected": {"const": True},
}
_OF_TOKEN: Final[Part] = {
    "id": {"type": "string", "pattern": "^[a-z0-9]{8}$"},
    "scope": _SCOPE,
    "creation_time": _TIME,
    "expiration_time": _TIME,
}


def _object(required: list[str], **properties: Part) -> Part:
    return {"type": "object", "required": required, "properties": properties}


SCHEMAS: Final[Part] = {
    "Document": {"type": "object", "required": ["openapi", "info", "paths"]},
    # Who asks for protection, or a short life, by another name is not to think that he
    # has got it.
    "NewCluster": _object([], protected={"type": "boolean"})
    | {"additionalProperties": False},
    "Cluster": _object(_CLUSTER, **_OF_CLUSTER),
    "CreatedCluster": _object(
        _CLUSTER,
        **_OF_CLUSTER,
        tokens=_object(list(SCOPES), **dict.fromkeys(SCOPES, _TOKEN)),
    ),
    "Tokens": {"type": "array", "items": _object(list(_OF_TOKEN), **_OF_TOKEN)},
    "CreatedToken": _object([*_OF_TOKEN, "token"], **_OF_TOKEN, token=_TOKEN),
    "NewToken": _object(
        ["scope"],
        scope=_SCOPE,
        lifetime={
            "type": "integer",
            "minimum": 1,
            "maximum": 10**12 - 1,
            "description": "In seconds. No token outlives its cluster.",
        },
    )
    | {"additionalProperties": False},
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
    # Others than these alone are refused; nothing at all is a change of nothing.
    "KeyChange": _object([], key=_NEW_NAME, value=_NEW_VALUE)
    | {
        "anyOf": [
            {"required": ["key"]},
            {"required": ["value"]},
            {"maxProperties": 0},
        ]
    },
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
        limit={
            "type": ["integer", "string"],
            "description": "What the limit is, or for 429 its name.",
        },
        reason={
            "enum": list(REASONS),
            "description": "What happened to a cluster that has ended.",
        },
        ended=_TIME | {"description": "When that was."},
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
    "WWW-Authenticate": _header("That it takes a bearer token.", type="string"),
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
    "token_id": {
        "name": "token_id",
        "in": "path",
        "required": True,
        "description": "The part of the token before the dot.",
        "schema": _OF_TOKEN["id"],
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
