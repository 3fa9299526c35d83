"""
Who waits for what.

Watchers are told of durable states only, one after the other. Whoever looks at the
present one and begins to wait does both in one turn of the reactor, so nothing is
missed in between. All who ask the same question are one group: a change is weighed
once for all of them, and each costs no timer and no Deferred.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Final, Protocol

from attrs import define, field, frozen
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from cvmpair.core.clients import Client
from cvmpair.core.errors import Stopping, TooManyWaiters
from cvmpair.core.packing import Packed, find_key, has_token, is_tombstone, version_of
from cvmpair.core.quota import Tally
from cvmpair.core.wheel import Wheel

SLICE: Final = 200
"""How many are told in one turn of the reactor, so that others get theirs."""

ALL_WAITERS: Final = "max-waiters"
"""The name of the limit of all who wait; that of one client's is ``waiters``."""

RETRY_AFTER: Final = 30.0
"""The seconds after which it makes sense to ask again where too many wait."""


@frozen(kw_only=True)
class Question:
    """
    What somebody waits for.

    :ivar name: of a key, or ``None`` to ask for the cluster with all its keys.
    :ivar known: the versions that are no news; ``None`` if none is, so that only the
        end of what is there can be.
    :ivar token: the id of the token that it takes, if it takes one.
    """

    pin: str
    name: str | None = None
    known: frozenset[int] | None = frozenset()
    token: str | None = None

    def is_news(self, packed: Packed | None) -> bool:
        """
        Say whether a state of the cluster ends the waiting: it has another version
        of what was asked for, or the cluster is gone, or the token is.

        That there is no such key is news to those who knew a version of it.
        """
        if packed is None or is_tombstone(packed):
            return True
        if self.token is not None and not has_token(packed, self.token):
            return True
        if self.name is None:
            version = version_of(packed)
        else:
            key = find_key(packed, self.name)
            if key is None:
                return self.known is None or bool(self.known)
            version = key.version
        return self.known is not None and version not in self.known


class Waiter(Protocol):
    """
    One who waits. One of these methods is called, once, in a later turn.
    """

    def told(self, packed: Packed | None) -> None:
        """
        Take the news: the cluster as it is, or its tombstone, or ``None`` if not even
        that is there.
        """

    def timed_out(self) -> None:
        """
        Take notice that there were no news in time.
        """

    def sent_away(self) -> None:
        """
        Take notice that the service stops.
        """


Call = Callable[[Waiter], None]


@define(eq=False)
class Place:
    """
    The place of one waiter, by which he can leave.
    """

    waiter: Waiter
    group: "_Group"
    client: Client | None
    tick: int = 0


@define(eq=False)
class _Group:
    """
    Those who wait for the same, in the order in which they came; without a question,
    those who wait no more and are to be told why.
    """

    question: Question | None
    places: dict[Place, None] = field(factory=dict)


@define(eq=False, kw_only=True)
class Watchers:
    """
    All who wait.

    :ivar limit: how many may wait at the same time.
    :ivar refused: is called with the name of the limit for each that is refused.
    :ivar shares: how many of them each client may be.
    """

    clock: IReactorTime
    limit: int
    shares: Tally = field(factory=lambda: Tally(name="waiters", limit=0))
    refused: Callable[[str], None] = lambda _: None
    _groups: dict[str, dict[Question, _Group]] = field(init=False, factory=dict)
    _wheel: Wheel[Place] = field(init=False)
    _woken: deque[tuple[Iterator[Place], _Group, Call]] = field(
        init=False, factory=deque
    )
    _turn: IDelayedCall | None = field(init=False, default=None)
    _count: int = field(init=False, default=0)
    _stopped: bool = field(init=False, default=False)

    def __attrs_post_init__(self) -> None:
        self._wheel = Wheel(clock=self.clock, due=self._time_out)

    def __len__(self) -> int:
        return self._count

    def wait(
        self,
        question: Question,
        seconds: float,
        waiter: Waiter,
        client: Client | None = None,
    ) -> Place:
        """
        Begin to wait.

        The caller has seen, in this same turn, that the durable state is no news; or
        that the state is not durable yet, and then will be told of.

        :param client: whose share of the room it is.

        :raises TooManyWaiters: if there is no room for one more.
        :raises TooManyRequests: if the client has no room left.
        :raises Stopping: after :meth:`stop`.
        """
        if self._stopped:
            raise Stopping
        if self._count >= self.limit:
            self.refused(ALL_WAITERS)
            raise TooManyWaiters(self.limit, RETRY_AFTER)
        self.shares.enter(client)
        groups = self._groups.setdefault(question.pin, {})
        group = groups.get(question)
        if group is None:
            group = groups[question] = _Group(question)
        place = Place(waiter, group, client)
        group.places[place] = None
        place.tick = self._wheel.add(place, seconds)
        self._count += 1
        return place

    def leave(self, place: Place) -> None:
        """
        End the waiting without a word, unless it has ended already.
        """
        if place in place.group.places:
            self._take(place)
            if not place.group.places:
                self._forget(place.group)

    def tell(self, clusters: Mapping[str, Packed | None]) -> None:
        """
        Tell those who wait what has become durable.

        :param clusters: by PIN, what :meth:`Waiter.told` takes.
        """
        for pin in self._groups.keys() & clusters.keys():
            packed = clusters[pin]
            for question, group in list(self._groups[pin].items()):
                if question.is_news(packed):
                    self._wake(group, _telling(packed))

    def stop(self) -> None:
        """
        Send all away, and let nobody wait any more.
        """
        self._stopped = True
        for groups in list(self._groups.values()):
            for group in list(groups.values()):
                self._wake(group, _send_away)

    def _time_out(self, places: list[Place]) -> None:
        over = _Group(None)
        for place in places:
            group = place.group
            # Those who have been woken already are told of that.
            if group.question is not None:
                del group.places[place]
                if not group.places:
                    self._forget(group)
                place.group = over
                over.places[place] = None
        self._wake(over, _time_out)

    def _wake(self, group: _Group, call: Call) -> None:
        self._forget(group)
        self._woken.append((iter(list(group.places)), group, call))
        if self._turn is None:
            self._turn = self.clock.callLater(0, self._call)

    def _call(self) -> None:
        self._turn = None
        left = SLICE
        try:
            while left and self._woken:
                places, group, call = self._woken[0]
                place = next(places, None)
                if place is None:
                    self._woken.popleft()
                elif place in group.places:
                    self._take(place)
                    left -= 1
                    call(place.waiter)
        finally:
            # Not even an error of one of them keeps the others waiting.
            if self._woken and self._turn is None:
                self._turn = self.clock.callLater(0, self._call)

    def _take(self, place: Place) -> None:
        del place.group.places[place]
        self._wheel.discard(place, place.tick)
        self._count -= 1
        self.shares.leave(place.client)

    def _forget(self, group: _Group) -> None:
        question, group.question = group.question, None
        if question is not None:
            groups = self._groups[question.pin]
            del groups[question]
            if not groups:
                del self._groups[question.pin]


def _telling(packed: Packed | None) -> Call:
    return lambda waiter: waiter.told(packed)


def _time_out(waiter: Waiter) -> None:
    waiter.timed_out()


def _send_away(waiter: Waiter) -> None:
    waiter.sent_away()
