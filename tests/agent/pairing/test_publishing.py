"""
The master publishes once, and is the only one.
"""

import pytest

from cvmpair.client.errors import NoAnswer
from cvmpair_agent.errors import AnotherMaster, NotInTime, PinGone, Unreachable
from cvmpair_agent.pairing.publishing import publish
from cvmpair_agent.pairing.service import MASTER_IP
from tests.agent.pairing.machine import Machine, Running, run, unreachable

OURS = "sesame-1.example"
OTHERS = "sesame-2.example"


def published(machine: Machine, value: str = OURS) -> Running:
    return run(
        publish(
            machine.asking,
            machine.service,
            pin=machine.pin,
            key=MASTER_IP,
            value=value,
        )
    )


def test_it_is_published(machine: Machine) -> None:
    assert published(machine).done == [None]
    assert machine.read(MASTER_IP) == OURS
    assert machine.log.getvalue() == ""


def test_a_master_that_was_interrupted_begins_again(machine: Machine) -> None:
    machine.add(MASTER_IP, OURS)
    assert published(machine).done == [None]


def test_a_second_master_is_refused_at_once(machine: Machine) -> None:
    machine.add(MASTER_IP, OTHERS)
    assert isinstance(published(machine).error, AnotherMaster)
    assert machine.read(MASTER_IP) == OTHERS


def test_a_pin_that_is_gone_is_an_end_at_once(machine: Machine) -> None:
    machine.delete()
    running = published(machine)
    assert isinstance(running.error, PinGone)
    assert machine.pin not in str(running.error)
    assert machine.service.asked == ["add master_ip", "has_cluster"]


def test_a_service_that_is_away_is_asked_again(machine: Machine) -> None:
    machine.service.fault = unreachable
    running = published(machine)
    machine.pass_time(running, tries=3)
    assert not running.over
    machine.service.fault = lambda: None
    machine.pass_time(running)
    assert running.done == [None]
    assert machine.log.getvalue().splitlines() == [
        "cvmpair-agent: waiting for the service to take master_ip: the service "
        "cannot be reached: it refuses connections",
        "cvmpair-agent: waited 2 min 0 s for the service to take master_ip",
    ]


def test_the_answer_to_a_post_that_worked_may_be_lost(machine: Machine) -> None:
    def take_it_and_say_nothing() -> None:
        machine.service.fault = lambda: None
        machine.add(MASTER_IP, OURS)
        raise NoAnswer("the connection was lost")

    machine.service.fault = take_it_and_say_nothing
    running = published(machine)
    machine.pass_time(running)
    assert running.done == [None]


def test_what_another_master_took_back(machine: Machine) -> None:
    machine.add(MASTER_IP, OTHERS)

    def take_back() -> None:
        if machine.service.asked[-1].startswith("key"):
            machine.service.fault = lambda: None
            machine.delete(MASTER_IP)

    machine.service.fault = take_back
    running = published(machine)
    machine.pass_time(running)
    assert running.done == [None]
    assert machine.read(MASTER_IP) == OURS


def test_a_pin_that_goes_while_another_master_is_compared(machine: Machine) -> None:
    machine.add(MASTER_IP, OTHERS)

    def delete() -> None:
        if machine.service.asked[-1].startswith("key"):
            machine.service.fault = lambda: None
            machine.delete()

    machine.service.fault = delete
    assert isinstance(published(machine).error, PinGone)


@pytest.mark.parametrize("answers", [False, True])
def test_it_gives_up(machine: Machine, *, answers: bool) -> None:
    if answers:
        machine.wire.disk.writable = False
    else:
        machine.service.fault = unreachable
    running = published(machine)
    machine.pass_time(running)
    expected = NotInTime if answers else Unreachable
    assert type(running.error) is expected
    assert "tries" in str(running.error)
    assert machine.clock.seconds() <= machine.asking.seconds
