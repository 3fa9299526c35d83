"""
The errors of the operator's command that no agent has.
"""

from cvmpair_agent.errors import AgentError


class Failed(AgentError):
    """
    It was tried, and is not to be had.
    """
