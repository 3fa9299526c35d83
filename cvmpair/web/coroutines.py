"""
Handlers that seldom have to wait.
"""

from collections.abc import Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import Deferred

T = TypeVar("T")


def run(coroutine: Coroutine[Deferred[Any], Any, T]) -> T | Deferred[T]:
    """
    Run a coroutine as far as it goes, and return its result if that is to the end.

    A Deferred for each would take longer than what most handlers do.

    :return: a Deferred only for one that waits. To cancel it cancels what it waits
        for.
    """
    try:
        awaited = coroutine.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    return Deferred.fromCoroutine(_resume(coroutine, awaited))


async def _resume(
    coroutine: Coroutine[Deferred[Any], Any, T], awaited: Deferred[Any]
) -> T:
    while True:
        try:
            try:
                result = await awaited
            except Exception as error:
                awaited = coroutine.throw(error)
            else:
                awaited = coroutine.send(result)
        except StopIteration as end:
            final: T = end.value
            return final
