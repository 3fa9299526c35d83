"""
Waiting that ends.
"""

from typing import TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

T = TypeVar("T")


async def within(seconds: float, reactor: IReactorTime, work: Deferred[T]) -> T:
    """
    Return what some work comes to; it is cancelled when nobody waits for it any more.

    :raises twisted.internet.defer.TimeoutError: if it takes too long.
    """
    # Endpoints and agents that are cancelled fail with errors of their own, which
    # addTimeout does not know. So another Deferred is cancelled in their place.
    result: Deferred[T] = Deferred()
    work.chainDeferred(result)
    try:
        return await result.addTimeout(seconds, reactor)
    finally:
        work.cancel()
