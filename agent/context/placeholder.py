"""
The text in a context that stands for the master's address.
"""

from typing import Final

PLACEHOLDER: Final = b"###MASTER_IP_PLACEHOLDER###"


def replace(data: bytes, address: str) -> bytes:
    """
    Return the data with the address instead of every placeholder, as it is: no
    character of it means anything.
    """
    return data.replace(PLACEHOLDER, address.encode())
