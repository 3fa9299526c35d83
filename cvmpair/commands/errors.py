"""
The errors of the operator's command that no agent has.
"""

from typing import ClassVar

from cvmpair_agent.errors import AgentError


class Denied(AgentError):
    """
    The service does not let this client do it.
    """

    exit_code: ClassVar[int] = 5


class Failed(AgentError):
    """
    It was tried, and is not to be had.
    """
