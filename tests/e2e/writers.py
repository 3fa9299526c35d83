"""
Clients that change clusters as fast as they can, and note what they were told.
"""

import http.client
import json
import threading
import time
from collections.abc import Mapping
from random import Random

from attrs import define, field, frozen

from tests.e2e.daemon import CLUSTERS
from tests.e2e.reckoning import Change, Keys
from tests.logs import MARKER, PINS

MOST_KEYS = 20
GONE = (404, 410)
JSON = {"Content-Type": "application/json", "Accept": "application/json"}


@frozen
class Birth:
    """
    Between which readings of the monotonic clock a cluster was created, and how long
    it lives.
    """

    earliest: float
    latest: float
    lifetime: float

    def may_be_over(self) -> bool:
        """
        Say whether it may have expired by now.
        """
        # After a crash the daemon goes by the wall clock, which may be slewed.
        return time.monotonic() > self.earliest + self.lifetime - 0.01


class Surprise(Exception):
    """
    The daemon answered what nobody could expect.
    """


@define(eq=False)
class Client:
    """
    A connection that stays open, in a thread of its own, until it is cut off.

    :ivar surprise: an answer that should not have been.
    """

    port: int
    random: Random
    surprise: Surprise | None = field(init=False, default=None)
    _connection: http.client.HTTPConnection = field(init=False)
    _thread: threading.Thread = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._connection = http.client.HTTPConnection(
            "127.0.0.1", self.port, timeout=60
        )
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def running(self) -> bool:
        """
        Whether it was not cut off yet.
        """
        return self._thread.is_alive()

    def start(self) -> None:
        """
        Begin.
        """
        self._connection.connect()
        self._thread.start()

    def join(self) -> None:
        """
        Wait until the client was cut off.

        :raises Surprise: if it ended for another reason.
        """
        self._thread.join()
        if self.surprise is not None:
            raise self.surprise

    def step(self) -> None:
        """
        Do one thing.
        """
        raise NotImplementedError

    def ask(
        self, method: str, path: str, fields: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]:
        """
        Send one request, and return the status and the body of the answer.
        """
        body = None if fields is None else json.dumps(fields)
        response = self.exchange(method, path, body, JSON)
        return response.status, response.read()

    def exchange(
        self, method: str, path: str, body: str | None, headers: Mapping[str, str]
    ) -> http.client.HTTPResponse:
        self._connection.request(method, CLUSTERS + path, body, headers)
        return self._connection.getresponse()

    def _run(self) -> None:
        try:
            while True:
                self.step()
        except Surprise as surprise:
            self.surprise = surprise
        except (OSError, http.client.HTTPException):
            # The daemon has gone.
            pass
        finally:
            self._connection.close()


@define(eq=False)
class Writer(Client):
    """
    A client with clusters of its own.

    :ivar name: tells its values from those of others.
    :ivar state: what it believes to be there.
    :ivar lifetime: of a cluster that it creates.
    :ivar births: of all clusters.
    :ivar changes: what it has asked for.
    """

    name: str
    state: dict[str, Keys]
    lifetime: float
    births: dict[str, Birth]
    changes: list[Change] = field(init=False, factory=list)
    _pins: list[str] = field(init=False)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        self._pins = list(self.state)

    def step(self) -> None:
        chance = self.random.random()
        if not self._pins or chance < 0.1:
            self._create()
            return
        # Mostly one of the newest, so that values change again and again.
        reach = 10 if self.random.random() < 0.9 else len(self._pins)
        place = self.random.randrange(max(0, len(self._pins) - reach), len(self._pins))
        pin = self._pins[place]
        keys = self.state[pin]
        if chance < 0.15:
            self._pins[place] = self._pins[-1]
            self._pins.pop()
            self._change(
                "DELETE", f"/{pin}", 204, Change(pin=pin, name=None, value=None)
            )
        elif keys and (chance < 0.65 or len(keys) >= MOST_KEYS):
            key = self.random.choice(list(keys))
            path = f"/{pin}/keys/{key}"
            if chance < 0.25:
                self._change("DELETE", path, 204, Change(pin=pin, name=key, value=None))
            else:
                change = Change(pin=pin, name=key, value=self._new_value())
                self._change("PUT", path, 200, change)
        else:
            key = f"{MARKER}-{self.name}-{len(self.changes)}"
            change = Change(pin=pin, name=key, value=self._new_value())
            self._change("POST", f"/{pin}/keys", 201, change)

    def _new_value(self) -> str:
        # Now and then one that fills pages of the state file.
        padding = "." * self.random.choice([0, 0, 0, 100, 5000])
        return f"{MARKER} {self.name} {len(self.changes)}{padding}"

    def _create(self) -> None:
        earliest = time.monotonic()
        status, body = self.ask("POST", "")
        if status != 201:
            raise Surprise(f"POST of a cluster: {status}")
        pin = json.loads(body)["pin"]
        PINS.add(pin)
        # Without an answer nobody knows the PIN, so there is nothing to note.
        told = time.monotonic()
        change = Change(pin=pin, name=None, value="", told=told)
        self.births[pin] = Birth(earliest, told, self.lifetime)
        self.changes.append(change)
        self.state[pin] = {}
        self._pins.append(pin)

    def _change(self, method: str, path: str, expected: int, change: Change) -> None:
        self.changes.append(change)
        fields = {"key": change.name or "", "value": change.value or ""}
        status, _ = self.ask(method, path, None if method == "DELETE" else fields)
        if status in GONE and self.births[change.pin].may_be_over():
            self.state.pop(change.pin)
            self._pins = list(self.state)
            return
        if status != expected:
            raise Surprise(f"{method}: {status} instead of {expected}")
        if change.told is None:
            change.told = time.monotonic()
        keys = change.applied(self.state[change.pin])
        if keys is None:
            del self.state[change.pin]
        else:
            self.state[change.pin] = keys
