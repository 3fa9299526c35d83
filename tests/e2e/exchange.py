"""
One request to the original service with the answer that was recorded, and how
ours compares with it.
"""

import json
import re
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Any, Self

from attrs import frozen

from tests.e2e.daemon import Answer

RECORDS = Path(__file__).parents[1] / "data" / "original-service.json"


class Aspect(Enum):
    """
    A respect in which two answers can differ.
    """

    STATUS = "status"
    MEDIA_TYPE = "media type"
    PARAMETERS = "parameters of the media type"
    ALLOW = "methods allowed"
    BODY = "body"
    TIMES = "zone of times"


@frozen(kw_only=True)
class Recorded:
    """
    What the original answered.

    :ivar allow: the methods in ``Allow``.
    """

    status: int
    media_type: str
    allow: frozenset[str]
    body: str


@frozen(kw_only=True)
class Exchange:
    """
    One step of a scenario; ``{PIN}`` stands for the PIN of a fresh cluster.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    content: str | None
    recorded: Recorded

    @classmethod
    def load(cls, step: Mapping[str, Any]) -> Self:
        """
        Return a step of the record.
        """
        request, response = step["request"], step["response"]
        return cls(
            method=request["method"],
            path=request["path"],
            headers=request.get("headers", {}),
            content=request.get("body"),
            recorded=Recorded(
                status=response["status"],
                media_type=response["content_type"],
                allow=methods(response["allow"]),
                body=response["body"],
            ),
        )

    @property
    def wants_text(self) -> bool:
        """
        Whether the client accepts nothing but text.
        """
        return self.headers.get("Accept") == "text/plain"


def scenarios() -> dict[str, list[Exchange]]:
    """
    Return the whole record, by the names of the scenarios.
    """
    return {
        scenario["scenario"]: [Exchange.load(step) for step in scenario["steps"]]
        for scenario in json.loads(RECORDS.read_text())
    }


def is_error(exchange: Exchange) -> bool:
    """
    Say whether the original refused the request.
    """
    return exchange.recorded.status >= 400


def methods(allow: str) -> frozenset[str]:
    """
    Return what an ``Allow`` header lists.
    """
    return frozenset(word.strip() for word in allow.split(",") if word.strip())


def compare(exchange: Exchange, answer: Answer, pin: str) -> Iterator[Aspect]:
    """
    Yield each respect in which our answer is not the recorded one.
    """
    recorded = exchange.recorded
    if answer.status != recorded.status:
        yield Aspect.STATUS
    media_type, _, parameters = answer.headers.get("Content-Type", "").partition(";")
    if media_type != recorded.media_type:
        yield Aspect.MEDIA_TYPE
    if parameters:
        yield Aspect.PARAMETERS
    if methods(answer.headers.get("Allow", "")) != recorded.allow:
        yield Aspect.ALLOW
    yield from _compare_bodies(recorded.body.replace("{PIN}", pin), answer)


def _compare_bodies(recorded: str, answer: Answer) -> Iterator[Aspect]:
    try:
        theirs, ours = json.loads(recorded), answer.json
    except ValueError:
        if recorded != answer.text:
            yield Aspect.BODY
        return
    if isinstance(theirs, dict) and answer.status < 400:
        # A success may have further members.
        ours = {name: value for name, value in ours.items() if name in theirs}
        if "creation_time" in theirs and "creation_time" in ours:
            time = theirs.pop("creation_time"), ours.pop("creation_time")
            if _zone(time[0]) != _zone(time[1]):
                yield Aspect.TIMES
    if theirs != ours:
        yield Aspect.BODY


def _zone(time: str) -> str:
    return re.fullmatch(r"[-0-9]{10}T[0-9:]{8}\.[0-9]{6}(Z|[-+][0-9:]{5})", time)[1]
