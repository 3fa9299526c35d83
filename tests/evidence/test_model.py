"""
The daemon without its files and its network, through changes, reads, waiters, expiry,
failures of the disk, steps of the wall clock, crashes and restarts.

No answer may reveal what a restart would not find, a restart has to find all that
was durable, and no step of the wall clock may move a deadline unless nobody could have
known of it: while no daemon ran, or in the moment before a crash.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from unittest.mock import patch

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule, run_state_machine_as_test
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from cvmpair.core.packing import ending_of, is_tombstone, pack
from cvmpair.core.tombstones import KEPT
from cvmpair.core.watchers import Watchers
from cvmpair.services.expiry import Expiry
from cvmpair.services.snapshotting import Snapshotting
from cvmpair.services.timekeeping import Timekeeping
from cvmpair.stores.memory import MemoryStore
from tests.evidence.amounts import amount
from tests.evidence.machine import Clocks, Disk, NotedTimeline
from tests.services.slow_backing import make_book
from tests.services.test_durability_machine import LIFETIME, Durability

STEPS = amount(ci=10_000, full=1_000_000)
DAY = 86400.0
SEEN = 2.0
"""After so many seconds a step has been seen."""

# The last one is taken for the way to 1970 and back.
JUMPS = st.sampled_from([30.0, -30.0, DAY, -DAY, 1.7e9, -1.7e9])


class Life(Durability):
    """
    :ivar ahead: by how many seconds book time is ahead of the true time: steps that
        nobody could know of change that, and nothing else.
    :ivar births: the book time of each creation.
    :ivar stepped: when the wall clock was last set, in true time.
    """

    done = 0

    def __init__(self) -> None:
        super().__init__()
        self.clocks = Clocks()
        self.backing = Disk()
        self.births: dict[str, float] = {}
        self.stepped = -SEEN
        self.counted = False
        self.ahead = self.clocks.skew
        self.begin()

    def begin(self) -> None:
        """
        Start as the daemon does.
        """
        self.clock = self.clocks.run
        self.open_questions = 0
        self.waiters.clear()
        self.book = make_book()
        self.watchers = Watchers(clock=self.clock, limit=1000)
        self.timeline = NotedTimeline(self.clocks)
        self.snapshotting = Snapshotting(
            book=self.book,
            backing=self.backing,
            timeline=self.timeline,
            clock=self.clock,
            in_thread=self.backing.in_thread,
            interval=None,
            tell=self.tell,
        )
        self.expiry = Expiry(
            book=self.book,
            timeline=self.timeline,
            clock=self.clock,
            expired=self.has_expired,
        )
        self.timekeeping = Timekeeping(
            timeline=self.timeline,
            clock=self.clock,
            want_mark=self.snapshotting.want_mark,
            needed=lambda: True,
        )
        self.store = MemoryStore(
            book=self.book,
            durability=self.snapshotting,
            timeline=self.timeline,
            lifetime=LIFETIME,
            changed=self.has_changed,
        )
        durable = self.backing.durable
        packed = {pin: pack(cluster) for pin, cluster in durable.items()}
        self.book.load({**packed, **self.backing.ended}.items())
        self.book.begin_run(self.backing.version_found)
        if self.backing.mark_found is not None:
            self.timeline.resume(self.backing.mark_found)
        self.last_change = dict.fromkeys(self.pins, 0)
        self.expiry.expire_now()
        self.backing.write(self.book.take_changes(), self.timeline.mark())
        self.expiry.changed()
        self.timekeeping.start()

    def book_time(self) -> float:
        """
        Return what book time has to be.
        """
        return self.clocks.true() + self.ahead

    def has_changed(self, pin: str) -> None:
        self.births.setdefault(pin, self.book_time())
        self.snapshotting.changed(pin)
        self.expiry.changed()

    def has_expired(self, pins: Sequence[str]) -> None:
        for pin in pins:
            # The packed record keeps times to less than a microsecond.
            assert self.book_time() > self.births[pin] + LIFETIME - 0.001, "early"
        self.expired.update(pins)
        self.snapshotting.expired(pins)
        for pin in self.pins:
            # That it expired follows from the time alone.
            if self.book.journal.pending(pin) == 0:
                self.last_change[pin] = 0

    def versions_told(self) -> Iterable[int]:
        for cluster in self.backing.durable.values():
            yield cluster.version
            yield from (key.version for key in cluster.keys)

    @invariant()
    def steps_are_counted(self) -> None:
        Life.done += self.counted
        self.counted = True

    @invariant()
    def no_step_moves_book_time(self) -> None:
        assert abs(self.timeline.now() - self.book_time()) < 0.001

    @invariant()
    def nothing_lives_on(self) -> None:
        for pin in self.pins:
            packed = self.book.packed(pin)
            if packed is not None and not is_tombstone(packed):
                # Deadlines are kept by whole seconds.
                assert self.book_time() <= self.births[pin] + LIFETIME + 1.001, "late"

    @rule(seconds=st.sampled_from([0.0, 0.0, 1.0, 3.0, 20.0]))
    def time_goes_on(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule(seconds=JUMPS)
    def clock_is_set(self, seconds: float) -> None:
        self.clocks.skew += seconds
        self.stepped = self.clocks.true()

    @rule()
    def all_is_written(self) -> None:
        self.let_all_happen()

    @rule(written=st.booleans(), down=st.sampled_from([0.0, 5.0, 100.0]))
    def crash(self, *, written: bool, down: float) -> None:
        known = self.backing.broken is None and not self.backing.busy
        known &= self.clocks.true() - self.stepped >= SEEN
        self.backing.crash(written=written)
        self.start_after(down, known=known)

    @rule(down=st.sampled_from([0.0, 5.0, 100.0]), seconds=st.just(0.0) | JUMPS)
    def stop(self, down: float, seconds: float) -> None:
        self.timekeeping.stop()
        self.expiry.stop()
        ended: list[object] = []
        Deferred.fromCoroutine(self.snapshotting.finish()).addBoth(ended.append)
        while self.backing.busy:
            self.backing.go_on()
        assert ended == [None]
        well = not self.backing.failed
        if well:
            assert self.snapshotting.unsaved() == set()
            assert self.open_questions == 0
        self.backing.crash(written=False)
        self.clocks.skew += seconds
        self.start_after(down, known=well and not seconds)

    def start_after(self, down: float, *, known: bool) -> None:
        """
        Begin a new process some time later.

        :param known: whether the state knows of all steps of the clock.
        """
        mark = self.backing.mark_found
        assert mark is not None
        step = self.clocks.skew - self.clocks.skews[mark]
        assert not (known and step), "a step is not noted in the state"
        away = self.clocks.true() + down + self.ahead - mark.book
        # Time that has passed is not known either if it was set back by more.
        self.ahead += max(step, -away)
        before, ended = dict(self.backing.durable), dict(self.backing.ended)
        self.clocks.boot(down)
        self.begin()
        for pin, cluster in before.items():
            if pin not in self.expired:
                assert self.book.cluster(pin) == cluster
        for pin, tombstone in ended.items():
            if self.book.packed(pin) != tombstone:
                over = ending_of(tombstone).ended + KEPT
                assert over <= self.timeline.now(), "an ending is forgotten"

    def teardown(self) -> None:
        self.timekeeping.stop()
        super().teardown()
        self.expiry.stop()


@contextmanager
def in_silence() -> Iterator[None]:
    """
    Log nothing of what is planted, a million times.
    """
    silent = Logger(observer=lambda _: None)
    with (
        patch.object(Snapshotting, "_log", silent),
        patch.object(Expiry, "_log", silent),
        patch.object(Timekeeping, "_log", silent),
    ):
        yield


def test_a_daemon_keeps_its_word() -> None:
    with in_silence():
        while Life.done < STEPS:
            run_state_machine_as_test(
                Life,
                settings=settings(
                    max_examples=200, stateful_step_count=50, database=None
                ),
            )
    print(f"{Life.done} steps")
