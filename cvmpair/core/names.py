"""
Legal PINs, key names, values and tokens, their limits, and new PINs.

The PIN and key name patterns are those that the original service routes.
"""

import re
import secrets
from collections.abc import Callable
from typing import Final

PIN_LENGTH: Final = 12
PIN_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz0123456789"
MAX_KEY_NAME_LENGTH: Final = 100
MAX_VALUE_BYTES: Final = 16 * 1024
"""The longest value, in bytes of UTF-8."""

_is_pin = re.compile(rf"[a-z0-9]{{{PIN_LENGTH}}}").fullmatch
_is_token = re.compile(r"[a-z0-9]{8}\.[A-Za-z0-9_-]{43}").fullmatch
_is_key_name = re.compile(rf"[A-Za-z0-9_-]{{1,{MAX_KEY_NAME_LENGTH}}}").fullmatch


def is_pin(text: str) -> bool:
    """
    Say whether ``text`` could name a cluster.
    """
    return _is_pin(text) is not None


def is_token(text: str) -> bool:
    """
    Say whether ``text`` could be a token: its id, a dot, its secret.
    """
    return _is_token(text) is not None


def new_pin(draw: Callable[[int], int] = secrets.randbelow) -> str:
    """
    Draw a PIN: 12 characters, 62 bits.

    :param draw: returns a number from 0 to below its argument, each as likely as any
        other; the default cannot be predicted.
    """
    return draw_word(PIN_LENGTH, draw)


def draw_word(length: int, draw: Callable[[int], int]) -> str:
    """
    Draw a word of the characters that PINs have.
    """
    number = draw(len(PIN_ALPHABET) ** length)
    word = ""
    for _ in range(length):
        number, place = divmod(number, len(PIN_ALPHABET))
        word += PIN_ALPHABET[place]
    return word


def key_name(text: str) -> str:
    """
    Return ``text`` as a key name, without the white space around it.

    :raises ValueError: with the reason, fit to be shown to whoever sent it.
    """
    name = text.strip()
    if not name:
        raise ValueError("This field may not be blank.")
    if not _is_key_name(name):
        raise ValueError(
            "A key name has 1 to "
            f"{MAX_KEY_NAME_LENGTH} letters, digits, hyphens or underscores."
        )
    return name


def key_value(text: str) -> str:
    """
    Return ``text`` as a value, without the white space around it.

    :raises ValueError: with the reason, fit to be shown to whoever sent it.
    """
    value = text.strip()
    if not value:
        raise ValueError("This field may not be blank.")
    if "\0" in value:
        raise ValueError("Null characters are not allowed.")
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        # A lone surrogate, which JSON can spell and UTF-8 cannot.
        raise ValueError("Not a valid string.") from None
    if size > MAX_VALUE_BYTES:
        raise ValueError(
            f"A value has at most {MAX_VALUE_BYTES} bytes of UTF-8; "
            f"this one has {size}."
        )
    return value
