"""
Run what is written as a coroutine but never waits, without a reactor.
"""

from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def drive(coroutine: Coroutine[Any, Any, T]) -> T:
    """
    Return what a coroutine comes to.

    :raises RuntimeError: if it waits for something.
    """
    try:
        coroutine.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    coroutine.close()
    raise RuntimeError("a coroutine without a reactor must not wait")
