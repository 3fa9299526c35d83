"""
A machine that is new for every test.
"""

import pytest
from twisted.internet.task import Clock

from tests.agent.pairing.machine import Machine


@pytest.fixture
def machine(clock: Clock) -> Machine:
    """
    The machine.
    """
    return Machine(clock)
