"""
The agent's errors: each ends the process with one line and its own exit code.

The text never holds a PIN, a value or user data: it goes to logs.
"""

from typing import ClassVar


class AgentError(Exception):
    """
    The parent of them all; by itself, whatever has no code of its own.
    """

    exit_code: ClassVar[int] = 1


class ContextWrong(AgentError):
    """
    The context, or the command line, says something that cannot be followed.
    """

    exit_code = 2


class PinGone(AgentError):
    """
    The service does not know the PIN, or no longer.
    """

    exit_code = 3


class AnotherMaster(AgentError):
    """
    Another machine has published what this one was to publish.
    """

    exit_code = 4


class NotAllowed(AgentError):
    """
    The service does not allow it.
    """

    exit_code = 5


class NotInTime(AgentError):
    """
    The service answers, but what was waited for did not come in time.
    """

    exit_code = 6


class Unreachable(AgentError):
    """
    The service could not be reached.
    """

    exit_code = 8
