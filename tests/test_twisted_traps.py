"""
Four things that Twisted 26.10 does not do for a server, and the tests that show that
the daemon does them: none of these tests may get lost.

Each names at least one against the daemon as a process, or against a connection of its
own, so that it fails if the remedy is taken out.
"""

import re
from importlib import import_module
from inspect import isfunction
from pathlib import Path

import pytest

TRAPS = {
    # twisted#2424: callLater() follows every step of the wall clock. The remedy is
    # reactor.seconds = time.monotonic, in the daemon and in the agent.
    "timers follow the wall clock": [
        "tests.e2e.test_clock.test_a_step_while_it_runs",
        "tests.e2e.test_clock.test_two_steps_while_it_runs",
        "tests.e2e.test_agent_clock.test_a_step_changes_no_waiting_time",
    ],
    # The timeout of a connection begins again with each byte. The remedy is a deadline
    # for the headers, and one for the body.
    "slow headers are never cut": [
        "tests.e2e.test_deadlines.test_slow_headers",
        "tests.e2e.test_deadlines.test_slow_body",
        "tests.e2e.test_deadlines.test_slow_second_request",
        "tests.web.test_channel.test_headers_that_come_slowly",
        "tests.web.test_channel.test_a_body_that_comes_slowly",
    ],
    # twisted#4898: a body of any size is taken, and put into a file in the reactor's
    # thread. The remedy is to count it as it comes.
    "bodies are unlimited": [
        "tests.e2e.test_limits.test_an_announced_body_is_refused_at_once",
        "tests.e2e.test_limits.test_a_chunked_body_is_refused_while_it_arrives",
        "tests.e2e.test_limits.test_who_does_not_listen_is_cut_off",
        "tests.e2e.test_limits.test_many_large_bodies_do_not_pile_up",
        "tests.web.test_channel.test_chunks_that_become_too_many",
    ],
    # While a request is pending there is no timeout, and no keepalive. The remedies are
    # the kernel's questions, and an end of every wait.
    "vanished long-pollers stay for ever": [
        "tests.e2e.test_waiting.test_the_kernel_asks_whether_a_waiter_is_still_there",
        "tests.services.test_keepalive.test_a_vanished_peer_is_found",
        "tests.web.test_waiting.test_a_long_wait_is_cut_short",
        "tests.web.test_waiting.test_a_client_that_goes_frees_everything",
    ],
}


@pytest.mark.parametrize("trap", TRAPS)
def test_its_tests_are_there(trap: str) -> None:
    for name in TRAPS[trap]:
        module, _, function = name.rpartition(".")
        found = getattr(import_module(module), function)
        assert isfunction(found)
        marks = {mark.name for mark in getattr(found, "pytestmark", [])}
        assert marks.isdisjoint({"skip", "skipif", "xfail"})


def test_no_twisted_with_known_smuggling_is_taken() -> None:
    """
    CVE-2022-24801, CVE-2023-46137 and CVE-2024-41671 are mended in 24.7.
    """
    setup = (Path(__file__).parents[1] / "setup.py").read_text()
    found = re.search(r'"twisted\[tls\]>=(\d+)\.(\d+)', setup)
    assert found is not None
    assert (int(found[1]), int(found[2])) >= (24, 7)
