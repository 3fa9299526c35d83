"""
What a client was told, to be compared with what there is.
"""

import http.client
import time
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

from attrs import define, field

from cvmpair.core.model import Cluster, Key
from cvmpair.core.timeline import ClockMark
from tests.e2e.daemon import CLUSTERS, Answer, Daemon
from tests.logs import MARKER, PINS
from tests.snapshots.states import Files, batch, content_of, files_of, opened

Held = dict[str, dict[str, str]]
"""The values by the names of the keys by the PINs."""

UNKNOWN = "?"
"""Stands for a PIN that no client was told."""

UNTOUCHED, USED, DELETED, LARGE = (
    f"{name:0<12}" for name in ("untouched", "used", "deleted", "large")
)
ONE, TWO, THREE = (f"{MARKER}-{number}" for number in ("one", "two", "three"))

RECOVERY = 60.0
"""The seconds that a daemon has to recover."""

LARGE_VALUE = 16_000
"""The size of each value of the large cluster."""


def crashed_state(directory: Path) -> Files:
    """
    Return the state of a daemon that crashed, with most of it in the log.
    """
    now = time.time()
    state = opened(directory)
    for version, pin in enumerate((UNTOUCHED, USED, DELETED, LARGE), 1):
        value = f"{MARKER:x<{LARGE_VALUE}}" if pin == LARGE else MARKER
        keys = [
            Key(name=name, value=value, version=version) for name in (ONE, TWO, THREE)
        ]
        cluster = Cluster(
            pin=pin, created=now, lifetime=86400.0, version=version, keys=tuple(keys)
        )
        state.write(batch(version, {pin: cluster}), ClockMark(book=now, wall=now))
    files = files_of(directory)
    state.close()
    return files


def held(directory: Path) -> Held:
    """
    Return what a state holds.
    """
    return {
        pin: {key.name: key.value for key in cluster.keys}
        for pin, cluster in content_of(directory).items()
    }


@define(eq=False)
class Client:
    """
    The one client of a daemon.

    :ivar known: what there is, as it was told.
    :ivar possible: what there may be instead: there is no telling whether a change
        that failed was made, until it is seen.
    :ivar refused: how often the daemon could not save a change.
    :ivar patient: whether to wait then until it can.
    """

    daemon: Daemon
    known: Held
    patient: bool = False
    possible: Held | None = field(init=False, default=None)
    refused: int = field(init=False, default=0)

    def create(self) -> None:
        def change(held: Held, answer: Answer | None) -> None:
            held[answer.json["pin"] if answer else UNKNOWN] = {}
            if answer:
                PINS.add(answer.json["pin"])

        self._send("POST", CLUSTERS, None, change)

    def delete(self, pin: str) -> None:
        self._send("DELETE", f"{CLUSTERS}/{pin}", None, lambda held, _: held.pop(pin))

    def add(self, pin: str, name: str, value: str) -> None:
        def change(held: Held, _: Answer | None) -> None:
            held[pin][name] = value

        path = f"{CLUSTERS}/{pin}/keys"
        self._send("POST", path, {"key": name, "value": value}, change)

    def change(self, pin: str, name: str, new_name: str, value: str) -> None:
        def change(held: Held, _: Answer | None) -> None:
            del held[pin][name]
            held[pin][new_name] = value

        path = f"{CLUSTERS}/{pin}/keys/{name}"
        self._send("PUT", path, {"key": new_name, "value": value}, change)

    def delete_key(self, pin: str, name: str) -> None:
        path = f"{CLUSTERS}/{pin}/keys/{name}"
        self._send("DELETE", path, None, lambda held, _: held[pin].pop(name))

    def look(self) -> None:
        """
        Read everything back; only what is in doubt may be refused.
        """
        for pin in {*self.known, DELETED} - {UNKNOWN}:
            answer = self.daemon.request("GET", f"{CLUSTERS}/{pin}/keys")
            if answer.status == 200:
                shown = {item["key"]: item["value"] for item in answer.json}
                self._learn(pin, shown)
            elif answer.status in (404, 410):
                self._learn(pin, None)
            else:
                assert answer.status == 503
                assert not self.patient, "it is refused although it was mended"
                assert self.possible is not None, "it is refused without a reason"
                assert self.known.get(pin) != self.possible.get(pin)

    def _learn(self, pin: str, shown: dict[str, str] | None) -> None:
        """
        See whether a cluster is what it may be; once what was in doubt is seen, it
        is known.
        """
        if self.possible is None or self.known.get(pin) == self.possible.get(pin):
            assert shown == self.known.get(pin), "what was acknowledged is gone"
            return
        assert self.patient, "a change was made although it was refused"
        assert shown in (self.known.get(pin), self.possible.get(pin))
        if shown == self.possible.get(pin):
            self.known = self.possible
        self.possible = None

    def can_change(self) -> bool:
        """
        Say whether changes are taken, which a change that changes nothing shows.
        """
        path = f"{CLUSTERS}/{UNTOUCHED}/keys/{ONE}"
        body = {"key": ONE, "value": self.known[UNTOUCHED][ONE]}
        status = self.daemon.send_json("PUT", path, body).status
        assert status in (200, 503)
        return status == 200

    def await_recovery(self) -> None:
        """
        Wait until changes are taken.
        """
        deadline = time.monotonic() + RECOVERY
        while not self.can_change():
            assert time.monotonic() < deadline, "it does not recover"
            time.sleep(0.02)

    def check_state(self, directory: Path) -> Held:
        """
        See whether a state is what there may be, and return what of it is known.
        """
        found = {
            pin if pin in self.known else UNKNOWN: keys
            for pin, keys in held(directory).items()
        }
        assert found in (self.known, self.possible)
        return {pin: keys for pin, keys in found.items() if pin != UNKNOWN}

    def _send(
        self,
        method: str,
        path: str,
        body: object,
        change: Callable[[Held, Answer | None], object],
    ) -> None:
        try:
            if body is None:
                answer = self.daemon.request(method, path)
            else:
                answer = self.daemon.send_json(method, path, body)
        except (OSError, http.client.HTTPException):
            # It has ended, with the change or without.
            self.possible = deepcopy(self.known)
            change(self.possible, None)
            raise
        if answer.status in (200, 201, 204):
            assert self.patient or self.possible is None, "it took a change"
            change(self.known, answer)
            if self.possible is not None:
                change(self.possible, answer)
            return
        assert answer.status == 503
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.json["type"] == "/problems#read-only"
        assert int(answer.headers["Retry-After"]) > 0
        self.refused += 1
        if self.possible is None:
            self.possible = deepcopy(self.known)
            change(self.possible, None)
        if self.patient:
            self.await_recovery()
            self.look()
