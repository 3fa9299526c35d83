"""
A thousand who begin to wait while what they wait for is written: nobody is forgotten,
and nobody sees an older version after a newer one.

On the whole site, in the fast lane and on the ordinary way, with a backing that writes
when it likes. The numbers come from the
environment; ``make races`` runs the full ones.
"""

import os
from collections import Counter
from random import Random
from typing import Any

import pytest
from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from cvmpair.core.watchers import Watchers
from cvmpair.stores.memory import MemoryStore
from cvmpair.web.api import CLUSTERS, KEY, PairingAPI
from cvmpair.web.dispatch import Dispatch
from cvmpair.web.guard import Guard
from cvmpair.web.lane import Lane
from cvmpair.web.limits import RequestLimits
from cvmpair.web.message import Dates
from cvmpair.web.outbox import Outbox
from cvmpair.web.page import Page
from cvmpair.web.request_log import RequestCounts, RequestLog
from cvmpair.web.root import Root
from cvmpair.web.site import PairingSite
from cvmpair.web.waiting import Waiting
from tests.services.slow_backing import SlowBacking, make_book, make_snapshotting
from tests.web.connection import Connection

ROUNDS = int(os.environ.get("CVMPAIR_RACES", "5"))
WAITERS = int(os.environ.get("CVMPAIR_RACERS", "200"))
CHANGES = 5


@define(eq=False)
class Site:
    """
    A site over a store whose backing is slow.

    :ivar in_lane: what was answered in the lane, by method, route and status.
    """

    has_lane: bool
    clock: Clock = field(factory=Clock)
    backing: SlowBacking = field(factory=SlowBacking)
    site: PairingSite = field(init=False)
    store: MemoryStore = field(init=False)
    watchers: Watchers = field(init=False)
    counts: RequestCounts = field(init=False)
    in_lane: Counter[Any] = field(init=False, factory=Counter)

    def __attrs_post_init__(self) -> None:
        book = make_book()
        self.watchers = Watchers(clock=self.clock, limit=WAITERS)
        snapshotting = make_snapshotting(
            book, self.backing, self.clock, tell=self.watchers.tell
        )
        self.store = MemoryStore(
            book=book,
            durability=snapshotting,
            timeline=snapshotting.timeline,
            lifetime=1e6,
            changed=snapshotting.changed,
        )
        waiting = Waiting(store=self.store, watchers=self.watchers, max_wait=300)
        api = PairingAPI(self.store, waiting)
        guard = Guard(seconds=self.clock.seconds)
        self.counts = RequestCounts(self.clock, self.in_lane.update)
        lane = Lane(
            store=self.store,
            waiting=waiting,
            guard=guard,
            outbox=Outbox(lambda call: call()),
            counts=self.counts,
            dates=Dates(self.clock.seconds),
        )
        self.site = PairingSite(
            Root(api=Dispatch(api.app), page=Dispatch(Page(self.store).app)),
            limits=RequestLimits(),
            # Nobody reads the lines, which would fill the memory.
            request_log=RequestLog(lambda _: None),
            reactor=self.clock,
            guard=guard,
            lane=lane if self.has_lane else None,
        )

    def do(self, asking: Any) -> list[Any]:
        done: list[Any] = []
        Deferred.fromCoroutine(asking).addCallback(done.append)
        return done

    def go_on(self) -> None:
        self.clock.advance(0)
        if self.backing.busy:
            self.backing.go_on()

    def settle(self) -> None:
        self.go_on()
        while self.backing.busy:
            self.go_on()
        self.clock.advance(0)


@define(eq=False)
class Follower:
    """
    One who follows a key: asks for another version than the last that he saw.
    """

    site: Site
    path: str
    seen: list[int] = field(factory=list)
    _connection: Connection = field(init=False)
    _asked: bool = field(init=False, default=False)

    def __attrs_post_init__(self) -> None:
        self._connection = Connection(self.site.site, self.site.clock)

    def go_on(self) -> None:
        """
        Read the answer, if there is one, and ask for the next.
        """
        if self._asked and not self._connection.transport.value():
            return
        if self._asked:
            answer = self._connection.answer()
            assert answer.status == 200
            version = int(answer.headers["ETag"].strip('"'))
            assert version <= self.site.backing.version, "not durable"
            self.seen.append(version)
        known = f'If-None-Match: "{self.seen[-1]}"\r\n' if self.seen else ""
        self._connection.transport.clear()
        head = f"GET {self.path} HTTP/1.1\r\nHost: sesame\r\nPrefer: wait=300"
        self._connection.channel.dataReceived(f"{head}\r\n{known}\r\n".encode())
        self._asked = True

    def hang_up(self) -> None:
        self._connection.hang_up()


@define(eq=False)
class Race:
    """
    One round: everything happens, in an order that chance makes.
    """

    random: Random
    site: Site
    written: list[list[Any]] = field(factory=list)
    asked: int = 0
    followers: list[Follower] = field(init=False)
    pin: str = field(init=False)

    def __attrs_post_init__(self) -> None:
        made = self.site.do(self.site.store.create())
        self.site.settle()
        self.pin = made[0].pin
        path = f"{CLUSTERS}/{self.pin}/keys/sesame"
        self.followers = [Follower(self.site, path) for _ in range(WAITERS)]

    def run(self) -> None:
        steps = [self.ask, self.ask, self.write, self.site.go_on, self.read]
        while self.asked < WAITERS or len(self.written) < CHANGES:
            self.random.choice(steps)()
        for _ in range(CHANGES + 1):
            self.site.settle()
            for follower in self.followers:
                follower.go_on()

    def ask(self) -> None:
        more = self.random.randrange(WAITERS // 5)
        for follower in self.followers[self.asked : self.asked + more]:
            follower.go_on()
        self.asked = min(WAITERS, self.asked + more)

    def write(self) -> None:
        store, count = self.site.store, len(self.written)
        if not count:
            self.written.append(self.site.do(store.add_key(self.pin, "sesame", "0")))
        elif count < CHANGES:
            change = store.change_key(self.pin, "sesame", value=str(count))
            self.written.append(self.site.do(change))

    def read(self) -> None:
        for follower in self.followers[: self.asked]:
            if self.random.random() < 0.5:
                follower.go_on()

    def check(self) -> None:
        versions = [key.version for (key,) in self.written]
        assert versions == sorted(versions)
        for follower in self.followers:
            assert follower.seen == sorted(set(follower.seen))
            assert set(follower.seen) <= set(versions)
            assert follower.seen[-1] == versions[-1], "forgotten"
        # Each has asked for the next.
        assert len(self.site.watchers) == WAITERS
        for follower in self.followers:
            follower.hang_up()
        assert len(self.site.watchers) == 0
        self.check_counts()
        assert self.site.clock.getDelayedCalls() == []

    def check_counts(self) -> None:
        """
        See that all were answered in the lane, if there is one.
        """
        self.site.counts.write()
        answered = sum(len(follower.seen) for follower in self.followers)
        get = ("GET", KEY)
        expected = {(get, 200): answered, (get, "aborted"): WAITERS}
        assert self.site.in_lane == (expected if self.site.has_lane else {})


@pytest.mark.parametrize("has_lane", [True, False], ids=["lane", "ordinary"])
def test_nobody_is_forgotten(*, has_lane: bool) -> None:
    for seed in range(ROUNDS):
        race = Race(Random(seed), Site(has_lane=has_lane))
        race.run()
        race.check()
