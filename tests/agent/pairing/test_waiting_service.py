"""
The worker in front of a service that can wait for it.
"""

import pytest
from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from cvmpair.client.errors import NoAnswer, RetryLater, WaitedInVain
from cvmpair.core.errors import KeyNotFound
from cvmpair_agent.errors import NotInTime, PinGone
from cvmpair_agent.pairing.service import MASTER_IP, MASTER_READY, READY
from cvmpair_agent.pairing.waiting import (
    FIRST_WAIT,
    RECONNECT,
    wait_for_key,
    wait_for_master,
)
from tests.agent.pairing.machine import DELAY, Machine, Running, run

ADDRESS = "sesame.example"
WAIT = int(DELAY)


@pytest.fixture
def waiting_machine(machine: Machine) -> Machine:
    machine.service.waits = True
    return machine


def pass_seconds(machine: Machine, running: Running, count: int) -> None:
    for _ in range(count * 2):
        if not running.over:
            machine.clock.advance(0.5)
            machine.exchange()


def test_the_worker_is_told_at_once(waiting_machine: Machine) -> None:
    machine = waiting_machine
    running = run(wait_for_master(machine.asking, machine.service, machine.pin))
    pass_seconds(machine, running, 200)
    assert len(machine.wire.watchers) == 1
    machine.add(MASTER_IP, ADDRESS)
    machine.add(MASTER_READY, READY)
    now = machine.clock.seconds()
    machine.exchange()
    assert running.done == [ADDRESS]
    assert machine.clock.seconds() == now
    asked = machine.service.asked
    # One short wait, then long ones, and each time whether the PIN is still known.
    assert asked.count(f"key {MASTER_READY}") <= 2 + 200 // WAIT
    assert asked.count("has_cluster") < asked.count(f"key {MASTER_READY}")
    assert machine.log.getvalue().splitlines()[0] == (
        "cvmpair-agent: waiting for master_ready: the master has not published it yet"
    )


def test_a_pin_that_goes_is_told_at_once(waiting_machine: Machine) -> None:
    machine = waiting_machine
    running = run(wait_for_master(machine.asking, machine.service, machine.pin))
    pass_seconds(machine, running, 10)
    machine.delete()
    now = machine.clock.seconds()
    machine.exchange()
    assert isinstance(running.error, PinGone)
    assert machine.clock.seconds() == now


def test_a_wait_is_a_try(waiting_machine: Machine) -> None:
    machine = waiting_machine
    machine.asking.tries = 3
    running = run(wait_for_master(machine.asking, machine.service, machine.pin))
    pass_seconds(machine, running, 2 * WAIT)
    assert not running.over
    pass_seconds(machine, running, 3)
    assert isinstance(running.error, NotInTime)
    assert "after 3 tries in 1 min 1 s" in str(running.error)


@define(eq=False)
class Scripted:
    """
    A service whose answers come when the test says.
    """

    waits: list[int] = field(factory=list)
    answer: Deferred[str] = field(factory=Deferred)

    async def has_cluster(self, _pin: str) -> bool:
        return True

    async def key(self, _pin: str, _name: str, wait: int = 0) -> str:
        self.waits.append(wait)
        self.answer = Deferred()
        return await self.answer

    async def add_key(self, _pin: str, _name: str, _value: str) -> None:
        raise AssertionError("a worker adds nothing")


@define(eq=False)
class Scene:
    """
    A worker in front of a scripted service.
    """

    machine: Machine
    service: Scripted = field(factory=Scripted)
    running: Running = field(init=False)

    def __attrs_post_init__(self) -> None:
        machine = self.machine
        self.running = run(
            wait_for_key(machine.asking, self.service, machine.pin, "sesame")
        )

    @property
    def clock(self) -> Clock:
        return self.machine.clock

    def fail_after(self, seconds: float, error: Exception) -> None:
        self.clock.advance(seconds)
        self.service.answer.errback(error)
        self.clock.advance(0)

    def succeed(self) -> None:
        self.service.answer.callback("open")
        assert self.running.done == ["open"]


@pytest.fixture
def scene(machine: Machine) -> Scene:
    return Scene(machine)


def test_it_is_asked_again_at_once_after_a_wait(scene: Scene) -> None:
    scene.fail_after(FIRST_WAIT, WaitedInVain())
    scene.fail_after(WAIT, WaitedInVain())
    assert scene.service.waits == [FIRST_WAIT, WAIT, WAIT]
    scene.succeed()


def test_who_waits_only_shortly_is_asked_again_at_once(scene: Scene) -> None:
    scene.fail_after(FIRST_WAIT, WaitedInVain(FIRST_WAIT))
    for _ in range(10):
        scene.fail_after(3, WaitedInVain(3))
    assert len(scene.service.waits) == 1 + 10 + 1
    # All of it was one try of the length that a longer wait would have had, and the
    # next has begun.
    assert scene.service.waits[1:] == [*range(WAIT, 0, -3), WAIT]
    scene.succeed()


def test_short_waits_use_up_no_tries(scene: Scene) -> None:
    scene.fail_after(FIRST_WAIT, WaitedInVain(FIRST_WAIT))
    asked = len(scene.service.waits)
    while not scene.running.over and len(scene.service.waits) < asked + 400:
        scene.fail_after(3, WaitedInVain(3))
    assert not scene.running.over
    scene.succeed()


@pytest.mark.parametrize("granted", [0, 3])
def test_who_claims_to_wait_shortly_and_does_not_is_polled(
    scene: Scene, granted: int
) -> None:
    scene.fail_after(FIRST_WAIT, WaitedInVain(FIRST_WAIT))
    scene.fail_after(0.01, WaitedInVain(granted))
    assert len(scene.service.waits) == 2
    scene.clock.advance(DELAY - 1)
    assert len(scene.service.waits) == 2
    scene.clock.advance(1)
    assert len(scene.service.waits) == 3
    scene.succeed()


@pytest.mark.parametrize("before", [0, 1])
def test_who_only_claims_to_wait_is_polled(scene: Scene, before: int) -> None:
    for _ in range(before):
        scene.fail_after(FIRST_WAIT, WaitedInVain())
    scene.fail_after(0.01, WaitedInVain())
    asked = len(scene.service.waits)
    scene.clock.advance(DELAY - 1)
    assert len(scene.service.waits) == asked
    scene.clock.advance(1)
    assert len(scene.service.waits) == asked + 1
    scene.succeed()


def test_who_cannot_wait_is_polled(scene: Scene) -> None:
    # Even one that takes its time.
    scene.fail_after(10, KeyNotFound())
    scene.clock.advance(DELAY - 1)
    assert scene.service.waits == [FIRST_WAIT]
    scene.clock.advance(1)
    assert scene.service.waits == [FIRST_WAIT, FIRST_WAIT]
    scene.succeed()


@pytest.mark.parametrize("error", [NoAnswer("lost"), RetryLater("503", 2.0)])
def test_a_service_that_starts_again_is_found_soon(
    scene: Scene, error: Exception
) -> None:
    scene.fail_after(FIRST_WAIT, WaitedInVain())
    scene.fail_after(20, error)
    assert len(scene.service.waits) == 2
    scene.clock.advance(sum(RECONNECT))
    assert len(scene.service.waits) == 3
    # It is not there yet: now with patience.
    scene.fail_after(0.01, NoAnswer("refused"))
    scene.clock.advance(DELAY - 1)
    assert len(scene.service.waits) == 3
    scene.clock.advance(1)
    scene.succeed()


def test_a_service_with_too_many_waiters_is_left_alone(scene: Scene) -> None:
    scene.fail_after(0.01, RetryLater("503", DELAY + 10))
    scene.clock.advance(DELAY + 9)
    assert len(scene.service.waits) == 1
    scene.clock.advance(1)
    assert len(scene.service.waits) == 2
    scene.succeed()
