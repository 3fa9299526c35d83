"""
From the words of options to values; a :exc:`ValueError` says what they must be.
"""

import re
from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path
from typing import Final

from cvmpair.web.limits import Network

_UNITS: Final = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def whole_number(low: int, high: int) -> Callable[[str], int]:
    """
    Return a parser of whole numbers in a range.
    """

    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,15}", text) or not low <= int(text) <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return int(text)

    return parse


def duration(low: float, high: float) -> Callable[[str], float]:
    """
    Return a parser of durations in a range, in seconds.
    """

    def parse(text: str) -> float:
        parts = re.fullmatch(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)([smhd]?)", text)
        seconds = float(parts[1]) * _UNITS[parts[2]] if parts else -1.0
        if not low <= seconds <= high:
            raise ValueError(
                f"must be a duration from {low:.9g} to {high:.9g} seconds, "
                "as in 90, 90s, 15m, 24h or 7d"
            )
        return seconds

    return parse


def one_of(*words: str) -> Callable[[str], str]:
    """
    Return a parser of one of some words.
    """

    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(f"must be {' or '.join(words)}")
        return text

    return parse


def directory(text: str) -> Path:
    """
    Parse the path of a directory, which need not exist.
    """
    if not text or "\0" in text:
        raise ValueError("must be the path of a directory")
    return Path(text).absolute()


def network(text: str) -> Network:
    """
    Parse an address, or a network of them.
    """
    try:
        return ip_network(text)
    except ValueError:
        raise ValueError(
            "must be an IP address, as in 192.0.2.7, or a network whose address ends "
            "with zeros after its prefix, as in 192.0.2.8/30 or 2001:db8::/64"
        ) from None
