"""
From the bytes of user data to the section in them.
"""

from cvmpair_agent.context.decoding import decode
from cvmpair_agent.context.grammar import Section, parse


def read_section(data: bytes) -> Section | None:
    """
    Return the ``ucernvm`` section of user data, or None if it has none.

    :raises ContextWrong: if the data cannot be decoded.
    """
    return parse(decode(data))
