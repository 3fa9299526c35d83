"""
What the service manager hears, at a real socket.
"""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import define, field
from twisted.internet.task import Clock

from cvmpair.services.supervision import STATUS_EVERY, Supervision
from tests.conftest import LogEvents

PROCESS = 4711


@define
class Manager:
    """
    The end of the service manager.
    """

    address: str
    _end: socket.socket = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._end = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._end.settimeout(0)
        self._end.bind(self.address.replace("@", "\0"))

    def close(self) -> None:
        self._end.close()

    def heard(self) -> list[list[str]]:
        """
        Return the assignments of each message since the last call.
        """
        messages = []
        while True:
            try:
                messages.append(self._end.recv(4096).decode().split("\n"))
            except BlockingIOError:
                return messages


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    path = str(tmp_path / "notify")
    manager = Manager(path if request.param == "path" else f"@{path}")
    yield manager
    manager.close()


@define
class Scene:
    """
    A daemon whose status can be set.
    """

    environ: dict[str, str]
    clock: Clock = field(factory=Clock)
    status: str = "1 clusters"
    supervision: Supervision = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.supervision = Supervision.from_environment(
            self.environ, PROCESS, clock=self.clock, status=lambda: self.status
        )


def test_a_life(manager: Manager) -> None:
    scene = Scene({"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "4000000"})
    assert manager.heard() == []
    scene.supervision.ready()
    assert manager.heard() == [["READY=1"], ["WATCHDOG=1", "STATUS=1 clusters"]]
    scene.clock.advance(1.9)
    assert manager.heard() == []
    scene.clock.advance(0.1)
    assert manager.heard() == [["WATCHDOG=1"]]
    scene.status = "1 clusters, read-only: full\nREADY=1"
    scene.clock.advance(2)
    assert manager.heard() == [
        ["WATCHDOG=1", "STATUS=1 clusters, read-only: full READY=1"]
    ]
    scene.supervision.stopping()
    assert manager.heard() == [["STOPPING=1", "STATUS=stopping"]]
    # An end that takes long is no hang, and keeps what it said.
    scene.clock.advance(2)
    assert manager.heard() == [["WATCHDOG=1"]]
    scene.supervision.stop()
    scene.clock.advance(60)
    assert manager.heard() == []
    assert scene.clock.getDelayedCalls() == []


@pytest.mark.parametrize(
    "more", [{}, {"WATCHDOG_USEC": "4000000", "WATCHDOG_PID": f"{PROCESS + 1}"}]
)
def test_without_a_watchdog_only_news_is_told(
    manager: Manager, more: dict[str, str]
) -> None:
    scene = Scene({"NOTIFY_SOCKET": manager.address, **more})
    scene.supervision.ready()
    assert manager.heard() == [["READY=1"], ["STATUS=1 clusters"]]
    scene.clock.pump([STATUS_EVERY] * 3)
    assert manager.heard() == []
    scene.status = "2 clusters"
    scene.clock.advance(STATUS_EVERY)
    assert manager.heard() == [["STATUS=2 clusters"]]
    scene.supervision.stop()


def test_a_watchdog_of_this_process(manager: Manager) -> None:
    environ = {"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": f"{PROCESS}"}
    scene = Scene({"NOTIFY_SOCKET": manager.address, **environ})
    scene.supervision.ready()
    manager.heard()
    scene.clock.pump([0.5] * 4)
    assert manager.heard() == [["WATCHDOG=1"]] * 4
    scene.supervision.stop()


def test_children_inherit_nothing() -> None:
    environ = {
        "NOTIFY_SOCKET": "@a",
        "WATCHDOG_USEC": "1",
        "WATCHDOG_PID": "1",
        "HOME": "/",
    }
    Scene(environ)
    assert environ == {"HOME": "/"}


@pytest.mark.parametrize("watchdog", ["", "0", "-5", "sesame", "1e6"])
def test_a_watchdog_that_is_none(manager: Manager, watchdog: str) -> None:
    scene = Scene({"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": watchdog})
    assert scene.supervision.watchdog is None


def test_without_a_manager_nothing_happens(logged: LogEvents) -> None:
    scene = Scene({"WATCHDOG_USEC": "1000000"})
    scene.supervision.ready()
    scene.supervision.stopping()
    scene.supervision.stop()
    assert scene.clock.getDelayedCalls() == []
    assert logged.texts() == []


def test_what_was_not_heard_is_told_again(tmp_path: Path, logged: LogEvents) -> None:
    path = str(tmp_path / "notify")
    scene = Scene({"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "4000000"})
    scene.supervision.ready()
    scene.clock.pump([2] * 5)
    (line,) = logged.texts()
    assert "service manager does not hear" in line
    assert "No such file" in line
    manager = Manager(path)
    scene.clock.advance(2)
    assert manager.heard() == [["READY=1", "WATCHDOG=1", "STATUS=1 clusters"]]
    scene.clock.advance(2)
    assert manager.heard() == [["WATCHDOG=1"]]
    manager.close()
    scene.supervision.stop()


def test_a_manager_that_is_slow_does_not_block(manager: Manager) -> None:
    scene = Scene({"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "4000000"})
    scene.supervision.ready()
    # More than its queue holds, however long that is.
    scene.clock.pump([2] * 5000)
    heard = manager.heard()
    assert 0 < len(heard) < 5000
    scene.clock.advance(2)
    assert manager.heard() == [["WATCHDOG=1"]]
    scene.supervision.stop()
