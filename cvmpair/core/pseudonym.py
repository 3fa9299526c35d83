"""
What stands for a PIN where it must not be seen.
"""

from hashlib import blake2b
from secrets import token_bytes
from typing import Final

KEY_BYTES: Final = 32


def new_pseudonym_key() -> bytes:
    """
    Draw a key for :class:`Pseudonyms`.
    """
    return token_bytes(KEY_BYTES)


class Pseudonyms:
    """
    Short keyed ids: the same PIN has the same id as long as the key is the
    same, and without the key nobody finds the PIN of an id, nor the id of a PIN.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of(self, pin: str) -> str:
        """
        Return 10 hexadecimal digits.
        """
        return blake2b(pin.encode(), digest_size=5, key=self._key).hexdigest()
