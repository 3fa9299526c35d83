"""
Clients that look at what others change, at once or when it has changed, and note what
they were told.
"""

import json
import time
from collections.abc import Sequence

from attrs import define, field

from tests.e2e.reckoning import Change
from tests.e2e.writers import GONE, JSON, Client, Surprise, Writer

WAIT = 5
"""The seconds that a waiter waits at most."""


@define(eq=False)
class Reader(Client):
    """
    A client that reads what others are just about to write: what it sees must not
    be lost either.
    """

    writers: Sequence[Writer]
    seen: int = field(init=False, default=0)

    def step(self) -> None:
        changes = self.random.choice(self.writers).changes
        change = changes[-1] if changes else None
        if change is None or change.name is None or change.value is None:
            if not any(writer.running for writer in self.writers):
                raise ConnectionError
            # Let the others on.
            time.sleep(0)
            return
        status, body = self.ask("GET", f"/{change.pin}/keys/{change.name}")
        if status == 200 and json.loads(body)["value"] == change.value:
            if change.told is None:
                change.told = time.monotonic()
                self.seen += 1
        elif status not in (200, *GONE):
            raise Surprise(f"GET: {status}")


@define(eq=False)
class Waiter(Client):
    """
    A client that waits for what others are just about to write: what it is told must
    not be lost either.

    :ivar woken: how often it was told of a change before its time was over.
    :ivar seen: how many changes it was the first to be told of.
    """

    writers: Sequence[Writer]
    woken: int = field(init=False, default=0)
    seen: int = field(init=False, default=0)
    _tags: dict[str, str] = field(init=False, factory=dict)

    def step(self) -> None:
        writer = self.random.choice(self.writers)
        change = writer.changes[-1] if writer.changes else None
        if change is None:
            time.sleep(0.001)
            return
        one = change.name is not None and self.random.random() < 0.5
        path = f"/{change.pin}/keys" + (f"/{change.name}" if one else "")
        headers = {**JSON, "Prefer": f"wait={WAIT}"}
        if path in self._tags:
            headers["If-None-Match"] = self._tags[path]
        response = self.exchange("GET", path, None, headers)
        body = response.read()
        if response.status == 503:
            # In an orderly end those who wait are sent away.
            raise ConnectionError
        if response.status == 200:
            self.woken += "Preference-Applied" in response.headers
            self._tags[path] = response.headers["ETag"]
            told = json.loads(body)
            for key in [told] if one else told:
                self._learn(writer, change.pin, key["key"], key["value"])
        elif response.status in GONE:
            if not one:
                self._learn_end(writer, change.pin)
        elif response.status != 304:
            raise Surprise(f"GET that waits: {response.status}")

    def _learn(self, writer: Writer, pin: str, name: str, value: str) -> None:
        # The value says which change it is from.
        _, author, number = value.rstrip(".").split()
        if author == writer.name:
            change = writer.changes[int(number)]
            if (change.pin, change.name, change.value) != (pin, name, value):
                raise Surprise("a value that nobody gave to that key")
            self._mark(change)

    def _learn_end(self, writer: Writer, pin: str) -> None:
        for change in reversed(writer.changes):
            if change.pin == pin and change.name is None and change.value is None:
                self._mark(change)
                return
        if not writer.births[pin].may_be_over():
            raise Surprise("an end of a cluster that nobody has deleted")

    def _mark(self, change: Change) -> None:
        if change.told is None:
            change.told = time.monotonic()
            self.seen += 1
