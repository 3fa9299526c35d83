"""
The API as a document of OpenAPI 3.1, made from the same limits and problems that the
daemon obeys.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from attrs import define, field

from cvmpair import __version__
from cvmpair.core.errors import TokenNeeded
from cvmpair.web.bodies import FORM
from cvmpair.web.errors import MethodNotAllowed
from cvmpair.web.negotiation import JSON, PROBLEM, TEXT
from cvmpair.web.operations import EVERYWHERE, OPERATIONS, Operation, Problems
from cvmpair.web.problems import PROBLEM_TYPES, TEMPORARY
from cvmpair.web.schemas import HEADERS, PARAMETERS, SCHEMAS, Part

VERSION: Final = "3.1.0"

_NAMES: Final = re.compile(r"<(\w+)>")

_FOLLOWING: Final = {
    "createCluster": (
        {"pin": "$response.body#/pin"},
        ("getCluster", "getKeys", "addKey", "deleteCluster"),
    ),
    "addKey": (
        {"pin": "$request.path.pin", "name": "$response.body#/key"},
        ("getKey", "putKey", "patchKey", "deleteKey"),
    ),
}
"""What can be done with what was created, and from where it is named."""


def document() -> bytes:
    """
    Return the document, as JSON.
    """
    refusals, paths = _Refusals(), defaultdict[str, Part](dict)
    for operation in OPERATIONS:
        item = paths[_NAMES.sub(r"{\1}", operation.path)]
        if names := _NAMES.findall(operation.path):
            item["parameters"] = [_ref("parameters", name) for name in names]
        item[operation.method.lower()] = _operation(operation, refusals)
        if operation.method == "GET":
            item["head"] = _head(operation, refusals)
        item["options"] = _options(operation, refusals)
    # It answers what is no operation, and so belongs to none.
    refusals.name_of((MethodNotAllowed,))
    content: Part = {
        "openapi": VERSION,
        "info": {
            "title": "cvmpair",
            "version": __version__,
            "summary": "Boot any set of machines into one cluster with one short PIN.",
            "description": "HEAD is the same as GET without its content. A method "
            "that a resource does not have is answered with 405 and Allow. What each "
            "type of a problem means, and what to do, is at /problems.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": SCHEMAS,
            "headers": HEADERS,
            "parameters": PARAMETERS,
            "responses": refusals.responses,
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token of the cluster, if it is protected.",
                }
            },
        },
        # Only protected clusters need one.
        "security": [{}, {"token": []}],
    }
    return json.dumps(content, indent=1).encode() + b"\n"


@define(eq=False)
class _Refusals:
    """
    The answers that are problems; the operations share them.
    """

    responses: Part = field(factory=dict)

    def by_status(self, errors: Iterable[type[Exception]]) -> dict[str, str]:
        """
        Return the names of the answers to these errors.
        """
        together: dict[int, Problems] = defaultdict(tuple)
        for error in errors:
            together[PROBLEM_TYPES[error].status] += (error,)
        return {str(code): self.name_of(together[code]) for code in sorted(together)}

    def name_of(self, errors: Problems) -> str:
        """
        Return the name of the answer to errors of the same status.
        """
        kinds = [PROBLEM_TYPES[error] for error in errors]
        name = ".".join(kind.name for kind in kinds)
        headers = ["Vary", "Cache-Control"]
        if MethodNotAllowed in errors:
            headers.append("Allow")
        if all(error is TokenNeeded for error in errors):
            headers.append("WWW-Authenticate")
        if all(error in TEMPORARY for error in errors):
            headers.append("Retry-After")
        types = [f"/problems#{kind.name}" for kind in kinds]
        this = {"properties": {"type": {"enum": types}}}
        schema = {"allOf": [_ref("schemas", "Problem"), this]}
        self.responses[name] = {
            "description": "; ".join(f"{kind.name}: {kind.title}" for kind in kinds),
            "headers": _refs("headers", headers),
            "content": {PROBLEM: {"schema": schema}, **_content(ProblemLine=TEXT)},
        }
        return name


def _ref(kind: str, name: str) -> Part:
    return {"$ref": f"#/components/{kind}/{name}"}


def _refs(kind: str, names: Iterable[str]) -> Part:
    return {name: _ref(kind, name) for name in names}


def _content(**types: str) -> Part:
    return {kind: {"schema": _ref("schemas", name)} for name, kind in types.items()}


def _operation(operation: Operation, refusals: _Refusals) -> Part:
    part: Part = {
        "operationId": operation.name,
        "summary": operation.summary,
        "parameters": [_ref("parameters", name) for name in operation.headers],
        "responses": _responses(operation, refusals),
    }
    if operation.body is not None:
        schema = {"schema": _ref("schemas", operation.body)}
        part["requestBody"] = {
            "required": operation.must,
            "content": {JSON: schema, FORM: schema},
        }
    return part


def _responses(operation: Operation, refusals: _Refusals) -> Part:
    headers = _refs("headers", operation.told)
    if "Prefer" in operation.headers:
        headers |= _refs("headers", ["Preference-Applied"])
    success: Part = {"description": "Done.", "headers": headers}
    if operation.content:
        success["content"] = _content(**operation.content)
    if operation.name in _FOLLOWING:
        names, following = _FOLLOWING[operation.name]
        success["links"] = {
            name: {"operationId": name, "parameters": names} for name in following
        }
    responses: Part = {str(operation.status): success}
    if operation.method == "GET":
        responses["304"] = {
            "description": "It has the version that the client knows.",
            "headers": headers,
        }
    names = refusals.by_status((*operation.problems, *EVERYWHERE))
    return responses | {code: _ref("responses", name) for code, name in names.items()}


def _head(operation: Operation, refusals: _Refusals) -> Part:
    part = _operation(operation, refusals)
    responses = {code: {"description": "As to GET."} for code in part["responses"]}
    name = f"{operation.name}Headers"
    return {**part, "operationId": name, "responses": responses}


def _options(operation: Operation, refusals: _Refusals) -> Part:
    done = {"description": "Done.", "headers": _refs("headers", ["Allow"])}
    names = refusals.by_status(EVERYWHERE)
    wrong = {code: _ref("responses", name) for code, name in names.items()}
    return {
        "operationId": "options" + re.sub(r"\W+", "_", operation.path),
        "summary": "Tell which methods there are.",
        "responses": {"204": done, **wrong},
    }
