"""
Clients that use the same keys as fast as they can while the daemon is killed, and what
each of them was told.
"""

import http.client
import json
import threading
import time
from collections.abc import Sequence
from random import Random

from attrs import define, field

from tests.e2e.daemon import CLUSTERS, Daemon
from tests.evidence.linearizability import Kind, Operation, Outcome
from tests.logs import MARKER

METHODS = {
    Kind.ADD: "POST",
    Kind.CHANGE: "PUT",
    Kind.DELETE: "DELETE",
    Kind.READ: "GET",
}
OUTCOMES = {
    200: Outcome.DONE,
    201: Outcome.DONE,
    204: Outcome.DONE,
    404: Outcome.MISSING,
    409: Outcome.EXISTS,
    412: Outcome.OTHER,
    503: Outcome.UNKNOWN,
}
KINDS = (Kind.ADD, *[Kind.CHANGE] * 4, Kind.DELETE, *[Kind.READ] * 2)


@define(eq=False)
class Histories:
    """
    What is done with each key of a cluster, by many clients.

    Every value is written once at most, so an ``ETag`` stands for a value.

    :ivar length: how many operations each history gets.
    :ivar tags: by value, and
    :ivar values: by tag, as they were told.
    :ivar last: the value that somebody was told last, by key.
    :ivar failures: what ended clients before their time.
    """

    daemon: Daemon
    pin: str
    keys: Sequence[str]
    length: int
    histories: dict[str, list[Operation]] = field(init=False)
    tags: dict[str, str] = field(init=False, factory=dict)
    values: dict[str, str] = field(init=False, factory=dict)
    last: dict[str, str] = field(init=False, factory=dict)
    confused: list[str] = field(init=False, factory=list)
    failures: list[Exception] = field(init=False, factory=list)
    _left: list[str] = field(init=False)
    _lock: threading.Lock = field(init=False, factory=threading.Lock)

    def __attrs_post_init__(self) -> None:
        self.histories = {key: [] for key in self.keys}
        self._left = [key for key in self.keys for _ in range(self.length)]

    @property
    def left(self) -> int:
        """
        How many operations are still to be begun.
        """
        return len(self._left)

    def next_key(self) -> str | None:
        with self._lock:
            return self._left.pop() if self._left else None

    def learn(self, key: str, value: str, tag: str) -> None:
        """
        Take notice of the tag of a value; it never has another, nor another it.
        """
        with self._lock:
            self.last[key] = value
            if (
                self.tags.setdefault(value, tag) != tag
                or self.values.setdefault(tag, value) != value
            ):
                self.confused.append(f"{value} and {tag}")


@define(eq=False)
class User:
    """
    One client, in a thread of its own.
    """

    histories: Histories
    number: int
    random: Random
    _count: int = field(init=False, default=0)
    _connection: http.client.HTTPConnection = field(init=False)

    def run(self) -> None:
        try:
            self._run()
        except Exception as failure:
            self.histories.failures.append(failure)

    def _run(self) -> None:
        self._connection = http.client.HTTPConnection(
            "127.0.0.1", self.histories.daemon.port, timeout=60
        )
        while (key := self.histories.next_key()) is not None:
            self.histories.histories[key].append(self._operate(key))
        self._connection.close()

    def _connect(self) -> None:
        while self._connection.sock is None:
            try:
                self._connection.connect()
            except OSError:
                # It is being started again.
                time.sleep(0.01)

    def _operate(self, key: str) -> Operation:
        kind = self.random.choice(KINDS)
        self._count += 1
        value = f"{MARKER} {self.number} {self._count}"
        compare = kind in (Kind.CHANGE, Kind.DELETE) and self.random.random() < 0.6
        expected = self.histories.last.get(key) if compare else None
        self._connect()
        begun = time.monotonic()
        try:
            status, body, tag = self._ask(kind, key, value, expected)
        except (OSError, http.client.HTTPException):
            self._connection.close()
            return Operation(
                kind=kind,
                value=value,
                expected=expected,
                outcome=Outcome.UNKNOWN,
                begun=begun,
            )
        ended = time.monotonic()
        outcome = OUTCOMES[status]
        if outcome is Outcome.DONE and kind is not Kind.DELETE:
            if kind is Kind.READ:
                value = json.loads(body)["value"]
            self.histories.learn(key, value, tag)
        return Operation(
            kind=kind,
            value=value,
            expected=expected,
            outcome=outcome,
            begun=begun,
            **({} if outcome is Outcome.UNKNOWN else {"ended": ended}),
        )

    def _ask(
        self, kind: Kind, key: str, value: str, expected: str | None
    ) -> tuple[int, bytes, str]:
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        if expected is not None:
            headers["If-Match"] = self.histories.tags[expected]
        path = f"{CLUSTERS}/{self.histories.pin}/keys"
        body = None
        if kind in (Kind.ADD, Kind.CHANGE):
            body = json.dumps({"key": key, "value": value})
        if kind is not Kind.ADD:
            path += f"/{key}"
        self._connection.request(METHODS[kind], path, body, headers)
        response = self._connection.getresponse()
        return response.status, response.read(), response.headers.get("ETag", "")
