"""
The original service, as it was recorded.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attrs import define, field
from treq.testing import StubTreq
from twisted.web.resource import Resource
from twisted.web.server import Request

PIN = "enico1qq0oey"

RECORD = Path(__file__).parents[1] / "data/original-service.json"


@define(eq=False, slots=False)
class Recorded(Resource):
    """
    Answers the requests of one scenario, and no other, in its order.
    """

    isLeaf = True

    scenario: str
    first: int = 0
    _steps: Iterator[Any] = field(init=False)

    def __attrs_post_init__(self) -> None:
        Resource.__init__(self)
        for recorded in json.loads(RECORD.read_text()):
            if recorded["scenario"] == self.scenario:
                self._steps = iter(recorded["steps"][self.first :])

    def render(self, request: Request) -> bytes:
        step = next(self._steps)
        wanted, answer = step["request"], step["response"]
        path = wanted["path"].replace("{PIN}", PIN)
        assert (request.method.decode(), request.path.decode()) == (
            wanted["method"],
            path,
        )
        if "body" in wanted:
            assert request.getHeader("Content-Type") == "application/json"
            assert json.loads(request.content.read()) == json.loads(wanted["body"])
        if accept := wanted.get("headers", {}).get("Accept"):
            assert request.getHeader("Accept") == accept
        request.setResponseCode(answer["status"])
        request.setHeader("Content-Type", answer["content_type"])
        return answer["body"].replace("{PIN}", PIN).encode()

    def over(self) -> bool:
        """
        Say whether all of it was asked for.
        """
        return next(self._steps, None) is None

    def treq(self) -> StubTreq:
        """
        Return a treq that asks it.
        """
        return StubTreq(self)
