"""
treq as a client of the site, without a network in between.
"""

import json
from collections.abc import Mapping

from attrs import define, field
from treq.testing import StubTreq
from twisted.internet.defer import Deferred

from tests.web.wire import Answer, Wire


def assert_wrong(answer: Answer, errors: dict[str, list[str]]) -> None:
    """
    See that the answer gives these reasons.
    """
    assert answer.status == 400
    assert answer.json["type"] == "/problems#invalid-fields"
    assert answer.json["errors"] == errors


@define(eq=False)
class Caller:
    """
    A client that knows HTTP from treq alone.
    """

    wire: Wire
    _treq: StubTreq = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._treq = StubTreq(self.wire.site.resource)
        # StubTreq puts a plain Site around a resource; ours has requests of its own.
        self._treq._agent._serverFactory = self.wire.site

    def ask(
        self,
        method: str,
        path: str,
        body: str | bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """
        Send one request, and return the answer, which has to be there at once.
        """
        done: list[Answer] = []
        asking = Deferred.fromCoroutine(self._ask(method, path, body, headers or {}))
        asking.addCallback(done.append)
        (answer,) = done
        return answer

    def send(
        self,
        method: str,
        path: str,
        value: object,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """
        Send one request with a JSON body.
        """
        fields = {"Content-Type": "application/json"} | dict(headers or {})
        return self.ask(method, path, json.dumps(value), fields)

    def post(self, path: str, body: str | bytes, media_type: str) -> Answer:
        """
        Send a body as it is.
        """
        headers = {"Content-Type": media_type, "Accept": "application/json"}
        return self.ask("POST", path, body, headers)

    def add(self, cluster: str, key: str, value: str) -> Answer:
        """
        Add a key.
        """
        return self.send("POST", f"{cluster}/keys", {"key": key, "value": value})

    async def _ask(
        self,
        method: str,
        path: str,
        body: str | bytes | None,
        headers: Mapping[str, str],
    ) -> Answer:
        url = f"http://sesame.example{path}"
        response = await self._treq.request(
            method, url, data=body, headers=dict(headers)
        )
        answered = {
            name.decode(): b", ".join(values).decode()
            for name, values in response.headers.getAllRawHeaders()
        }
        # Twisted's client takes this one for itself, except in the answer to HEAD.
        answered.setdefault("Content-Length", str(response.length))
        return Answer(response.code, answered, await self._treq.content(response))
