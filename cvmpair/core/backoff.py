"""
How long to wait between two tries: endless sequences of seconds.
"""

from collections.abc import Callable, Iterator


def steady(delay: float, jitter: float, random: Callable[[], float]) -> Iterator[float]:
    """
    Yield the same delay for ever, each time with a part of ``jitter`` added.

    :param delay: in seconds, as ``jitter`` is.
    :param random: returns a number from 0 to 1. Without chance the machines that
        booted together would ask together for ever.
    """
    while True:
        yield delay + jitter * random()


def exponential(
    first: float, ceiling: float, random: Callable[[], float] | None = None
) -> Iterator[float]:
    """
    Yield delays of which each is twice the one before, up to a ceiling.

    :param first: in seconds, as ``ceiling`` is.
    :param random: returns a number from 0 to 1; by that, each delay is up to half
        as long.
    """
    delay = first
    while True:
        delay = min(delay, ceiling)
        yield delay if random is None else delay * (1 - random() / 2)
        delay *= 2
