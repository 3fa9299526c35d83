"""
The worker waits for a master that is ready, and for its address.
"""

import pytest

from cvmpair.client.errors import Denied, NoAnswer, Refused, RetryLater, Untrusted
from cvmpair_agent.errors import AgentError, NotAllowed, NotInTime, PinGone, Unreachable
from cvmpair_agent.pairing.service import MASTER_IP, MASTER_READY, READY
from cvmpair_agent.pairing.waiting import wait_for_master
from tests.agent.pairing.machine import DELAY, Machine, Running, run, unreachable

ADDRESS = "sesame.example"


def waiting(machine: Machine) -> Running:
    return run(wait_for_master(machine.asking, machine.service, machine.pin))


def raising(error: Exception) -> object:
    def fault() -> None:
        raise error

    return fault


def test_a_master_that_is_there(machine: Machine) -> None:
    machine.add(MASTER_IP, ADDRESS)
    machine.add(MASTER_READY, READY)
    assert waiting(machine).done == [ADDRESS]
    assert machine.service.asked == ["key master_ready", "key master_ip"]


def test_a_master_that_comes(machine: Machine) -> None:
    running = waiting(machine)
    machine.pass_time(running, tries=4)
    machine.add(MASTER_IP, ADDRESS)
    machine.pass_time(running, tries=4)
    assert not running.over
    machine.add(MASTER_READY, READY)
    machine.pass_time(running)
    assert running.done == [ADDRESS]
    assert machine.log.getvalue().splitlines() == [
        "cvmpair-agent: waiting for master_ready: the master has not published it yet",
        "cvmpair-agent: waited 4 min 30 s for master_ready",
    ]


def test_an_address_that_comes_after_ready(machine: Machine) -> None:
    machine.add(MASTER_READY, READY)
    running = waiting(machine)
    machine.pass_time(running, tries=2)
    machine.add(MASTER_IP, ADDRESS)
    machine.pass_time(running)
    assert running.done == [ADDRESS]


@pytest.mark.parametrize("value", ["a/sesame", "sesame;x", "$(touch sesame)", "1.2.3"])
def test_what_is_no_address_is_not_taken(machine: Machine, value: str) -> None:
    machine.add(MASTER_IP, value)
    machine.add(MASTER_READY, READY)
    error = waiting(machine).error
    assert isinstance(error, AgentError)
    assert value not in str(error)


def test_a_pin_that_is_gone_is_an_end_at_once(machine: Machine) -> None:
    machine.delete()
    error = waiting(machine).error
    assert isinstance(error, PinGone)
    assert error.exit_code == 3
    assert "any more: it was deleted at 2027-01-15T08:00:00Z." in str(error)
    assert machine.clock.seconds() == 0


def test_a_pin_that_never_was(machine: Machine) -> None:
    machine.pin = "aaaaaaaaaaaa"
    error = waiting(machine).error
    assert isinstance(error, PinGone)
    assert "typing error" in str(error)


@pytest.mark.parametrize("ready", [False, True])
def test_a_pin_that_goes_while_the_worker_waits(
    machine: Machine, *, ready: bool
) -> None:
    if ready:
        machine.add(MASTER_READY, READY)
    running = waiting(machine)
    machine.pass_time(running, tries=3)
    assert not running.over
    machine.delete()
    machine.pass_time(running, tries=1)
    assert isinstance(running.error, PinGone)
    assert machine.pin not in str(running.error)


def test_the_service_goes_away_and_comes_back(machine: Machine) -> None:
    running = waiting(machine)
    machine.service.fault = unreachable
    machine.pass_time(running, tries=3)
    machine.service.fault = lambda: None
    machine.pass_time(running, tries=1)
    machine.add(MASTER_IP, ADDRESS)
    machine.add(MASTER_READY, READY)
    machine.pass_time(running)
    assert running.done == [ADDRESS]
    # One line for each change, not for each try.
    assert len(machine.log.getvalue().splitlines()) == 4


def test_no_master_comes(machine: Machine) -> None:
    running = waiting(machine)
    machine.pass_time(running)
    error = running.error
    assert type(error) is NotInTime
    assert "master_ready" in str(error)
    assert machine.service.asked.count("key master_ready") == 50


def test_one_deadline_for_both_keys(machine: Machine) -> None:
    machine.asking = type(machine.asking)(
        clock=machine.clock,
        progress=machine.asking.progress,
        delays=machine.asking.delays,
        seconds=10.5 * DELAY,
    )
    running = waiting(machine)
    machine.pass_time(running, tries=5)
    machine.add(MASTER_READY, READY)
    machine.pass_time(running)
    assert type(running.error) is NotInTime
    assert "master_ip" in str(running.error)
    assert machine.clock.seconds() <= 10.5 * DELAY


def test_a_service_that_never_says_a_thing(machine: Machine) -> None:
    machine.service.fault = unreachable
    running = waiting(machine)
    machine.pass_time(running)
    assert type(running.error) is Unreachable
    assert "refuses connections" in str(running.error)


def test_a_service_that_said_something_once(machine: Machine) -> None:
    def unreachable_later() -> None:
        if machine.service.asked[-1] == "key master_ip":
            unreachable()

    machine.add(MASTER_READY, READY)
    machine.service.fault = unreachable_later
    running = waiting(machine)
    machine.pass_time(running)
    assert type(running.error) is NotInTime


def test_the_service_asks_for_more_patience(machine: Machine) -> None:
    machine.service.fault = raising(RetryLater("it answered 503", 10 * DELAY))
    running = waiting(machine)
    machine.pass_time(running, tries=9)
    assert machine.service.asked == ["key master_ready"]
    machine.pass_time(running, tries=1)
    assert len(machine.service.asked) == 2
    machine.service.fault = lambda: None
    machine.add(MASTER_IP, ADDRESS)
    machine.add(MASTER_READY, READY)
    machine.pass_time(running)
    assert running.done == [ADDRESS]


def test_the_service_says_which_limit_there_is(machine: Machine) -> None:
    busy = RetryLater("it answered 429")
    busy.detail = "Too many PINs."
    machine.service.fault = raising(busy)
    running = waiting(machine)
    machine.pass_time(running, tries=1000)
    assert "it answered 429: Too many PINs." in str(running.error)
    assert machine.log.getvalue().splitlines()[0] == (
        "cvmpair-agent: waiting for master_ready: the service asks for patience: it "
        "answered 429: Too many PINs"
    )


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (Refused(301, "Redirects are not followed."), AgentError),
        (Denied(401, "A token is needed."), NotAllowed),
        (Denied(403, "The token is not enough."), NotAllowed),
        (Untrusted("The certificate is not signed", "Say who"), Unreachable),
    ],
)
def test_what_cannot_get_better_is_an_end_at_once(
    machine: Machine, error: Exception, kind: type[Exception]
) -> None:
    machine.service.fault = raising(error)
    running = waiting(machine)
    assert type(running.error) is kind
    assert str(running.error) == str(error)
    assert machine.clock.seconds() == 0


def test_a_certificate_that_is_not_valid_yet(machine: Machine) -> None:
    machine.add(MASTER_IP, ADDRESS)
    machine.add(MASTER_READY, READY)
    machine.service.fault = raising(NoAnswer("its certificate is not valid yet"))
    running = waiting(machine)
    machine.pass_time(running, tries=2)
    machine.service.fault = lambda: None
    machine.pass_time(running)
    assert running.done == [ADDRESS]
