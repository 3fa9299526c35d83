"""
The daemon as one Twisted service: what it is made of, its start and its end.
"""

import gc
import signal
from collections.abc import Callable, MutableMapping, Sequence
from functools import partial
from importlib.metadata import version
from typing import Any, Final

from attrs import define, field
from twisted.application.service import IServiceCollection, Service
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.internet.threads import deferToThreadPool
from twisted.logger import ILogObserver, Logger
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

from cvmpair import __version__
from cvmpair.core.book import ClusterBook
from cvmpair.core.descriptors import Descriptors
from cvmpair.core.pseudonym import Pseudonyms
from cvmpair.core.timeline import Timeline
from cvmpair.core.watchers import Watchers
from cvmpair.services.certificates import Certificates
from cvmpair.services.endpoints import in_one_line, why_not_bound
from cvmpair.services.expiry import Expiry
from cvmpair.services.keepalive import find_vanished_peers
from cvmpair.services.snapshotting import Snapshotting
from cvmpair.services.supervision import Supervision
from cvmpair.services.timekeeping import Timekeeping
from cvmpair.settings import Settings
from cvmpair.snapshots.directory import (
    FILE_NAME,
    DirectoryLock,
    prepare_directory,
)
from cvmpair.snapshots.errors import StateError, StateUnusable, WriteFailed
from cvmpair.snapshots.sqlite import StateFile
from cvmpair.stores.memory import MemoryStore
from cvmpair.terminal import Terminal
from cvmpair.web.admin import Admin
from cvmpair.web.gauges import add_gauges
from cvmpair.web.guard import Guard
from cvmpair.web.metrics import Metrics
from cvmpair.web.site import PairingSite
from cvmpair.web.sites import admin_site, pairing_site
from cvmpair.web.unsent import UnsentAnswers

Endpoints = Sequence[tuple[str, IStreamServerEndpoint]]
"""Where to listen, each with the words that named it."""

GC_THRESHOLDS: Final = (20_000, 20, 50)
"""How many objects more are made before each generation is looked through."""

PATIENCE: Final = 5.0
"""At the end, the seconds that clients have to take the answers they asked for."""


@define(eq=False, slots=False, kw_only=True)
class PairingDaemon(Service):
    """
    The whole of it.

    :ivar endpoints: where to listen, each with the words that named it.
    :ivar admin_endpoints: likewise, for :class:`~cvmpair.web.admin.Admin`.
    :ivar wall: the wall clock, in seconds since the epoch.
    :ivar environ: the environment, from which is taken what systemd says in it.
    :ivar process_id: of this process, which systemd may name in it.
    :ivar open_files: how many files the process may have open, if that is limited.
    :ivar log_observer: what ``twistd`` is to log with instead of its own.
    :ivar certificates: those of the endpoints.
    :ivar terminal: where to say why it cannot start.
    """

    _log = Logger()

    reactor: Any
    settings: Settings
    endpoints: Endpoints
    admin_endpoints: Endpoints = ()
    wall: Callable[[], float]
    environ: MutableMapping[str, str]
    process_id: int
    open_files: int | None = None
    log_observer: ILogObserver | None = None
    certificates: Certificates = field(factory=Certificates)
    terminal: Terminal
    _ports: list[IListeningPort] = field(init=False, factory=list)

    def __attrs_post_init__(self) -> None:
        settings, reactor = self.settings, self.reactor
        self._state = StateFile(settings.state_dir / FILE_NAME)
        self._threads = ThreadPool(1, 1, "cvmpair-state")
        self._book = ClusterBook(settings.limits)
        self._timeline = Timeline(reactor.seconds, self.wall)
        self._metrics = Metrics()
        self._guard = Guard(
            limits=settings.client_limits,
            seconds=reactor.seconds,
            refused=self._metrics.rejected,
        )
        self._watchers = Watchers(
            clock=reactor,
            limit=settings.max_waiters,
            shares=self._guard.waiters,
            refused=self._guard.overloaded,
        )
        self._snapshotting = Snapshotting(
            book=self._book,
            backing=self._state,
            timeline=self._timeline,
            clock=reactor,
            in_thread=lambda call: deferToThreadPool(reactor, self._threads, call),
            interval=settings.flush_interval,
            tell=self._watchers.tell,
            measured=self._metrics.flushed,
        )
        self._expiry = Expiry(
            book=self._book,
            timeline=self._timeline,
            clock=reactor,
            expired=self._snapshotting.expired,
        )
        self._timekeeping = Timekeeping(
            timeline=self._timeline,
            clock=reactor,
            want_mark=self._snapshotting.want_mark,
            needed=lambda: len(self._book) > 0,
        )
        self._supervision = Supervision.from_environment(
            self.environ, self.process_id, clock=reactor, status=self._status
        )
        store = MemoryStore(
            book=self._book,
            durability=self._snapshotting,
            timeline=self._timeline,
            lifetime=settings.pin_lifetime,
            changed=self._changed,
        )
        descriptors = Descriptors(self.open_files, self._guard.overloaded)
        add_gauges(
            self._metrics,
            book=self._book,
            watchers=self._watchers,
            timeline=self._timeline,
            descriptors=descriptors,
            guard=self._guard,
            is_read_only=self._snapshotting.is_read_only,
        )
        unsent = UnsentAnswers(clock=reactor, refused=self._guard.overloaded)
        self._site = pairing_site(
            reactor=reactor,
            store=store,
            watchers=self._watchers,
            max_wait=settings.max_wait,
            require_protected=settings.require_protected,
            limits=settings.request_limits,
            guard=self._guard,
            descriptors=descriptors,
            unsent=unsent,
            metrics=self._metrics,
        )
        self._admin_site = admin_site(
            reactor=reactor,
            admin=Admin(
                metrics=self._metrics, probe=self._snapshotting.probe, clock=reactor
            ),
            limits=settings.request_limits,
            descriptors=descriptors,
            unsent=unsent,
        )

    def _changed(self, pin: str) -> None:
        self._snapshotting.changed(pin)
        self._expiry.changed()

    def _status(self) -> str:
        clusters = f"{len(self._book)} clusters"
        failure = self._snapshotting.failure
        return f"{clusters}, read-only: {failure}" if failure else clusters

    def setServiceParent(self, parent: IServiceCollection) -> None:
        """
        Join the application, which twistd asks for its observer right after.
        """
        if self.log_observer is not None:
            application: Any = parent
            application.setComponent(ILogObserver, self.log_observer)
        super().setServiceParent(parent)

    def privilegedStartService(self) -> None:
        """
        Bind the ports, while the process may still bind low ones.
        """
        super().privilegedStartService()
        self._bind()

    def startService(self) -> None:
        """
        Load the state and begin to answer, or end the process with one line.
        """
        super().startService()
        try:
            self._load()
        except StateError as error:
            self.terminal.fail(in_one_line(error), 1)
        except WriteFailed as error:
            unusable = StateUnusable(self.settings.state_dir, str(error))
            self.terminal.fail(str(unusable), 1)
        # twist does not know the privileged start.
        self._bind()
        # From here on nothing may fail: the thread would keep the process alive.
        self._threads.start()
        self._expiry.changed()
        self._timekeeping.start()
        self.reactor.callWhenRunning(self._take_signals)
        self.reactor.callWhenRunning(self._supervision.ready)
        # What is here now stays until the end. The garbage collector need not go
        # through it again and again while everybody waits.
        gc.collect()
        gc.freeze()
        # Ten thousand who wait are as many objects again, and to wake them makes more:
        # by default it would go through all of them several times meanwhile.
        gc.set_threshold(*GC_THRESHOLDS)
        self._log.info(
            "started version={version} python_twisted={twisted} listen={listen} "
            "admin_listen={admin} state={state} durability={durability} "
            "clusters={clusters}",
            version=__version__,
            twisted=version("twisted"),
            listen=" ".join(words for words, _ in self.endpoints),
            admin=" ".join(words for words, _ in self.admin_endpoints) or "nowhere",
            state=str(self.settings.state_dir),
            durability="synced" if self.settings.flush_interval is None else "periodic",
            clusters=len(self._book),
        )
        self.terminal.leave()
        with_tls = [self.certificates.has_one(words) for words, _ in self.endpoints]
        if self.settings.require_protected and not any(with_tls):
            self._log.warn(
                "tokens in clear: no --listen endpoint speaks TLS (unless a proxy in "
                "front of them does, anybody on the way can read the tokens that "
                "--require-protected has everybody send)"
            )

    def stopService(self) -> Deferred[None]:
        """
        Stop in order: take no more requests, save, answer, close.
        """
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    def _load(self) -> None:
        prepare_directory(self.settings.state_dir)
        self._lock = DirectoryLock(self.settings.state_dir)
        self._state.create(self._timeline.mark())
        # If the file proves to be damaged at its very end, this process ends too, and
        # with it the book that was half loaded.
        self._book.load(self._state.read())
        summary = self._state.summary
        self._book.begin_run(summary.version)
        self._timeline.resume(summary.mark)
        self._site.pseudonyms = Pseudonyms(summary.pseudonym_key)
        self._expiry.expire_now()
        self._state.open()
        # Nobody asks yet, so this may block. It shows that the file can be written, and
        # keeps the versions of this run apart from those that a crash may have lost.
        self._state.write(self._book.take_changes(), self._timeline.mark())

    def _bind(self) -> None:
        if self._ports:
            return
        self._listen("--listen", self.endpoints, self._site)
        self._listen("--admin-listen", self.admin_endpoints, self._admin_site)

    def _listen(self, option: str, endpoints: Endpoints, site: PairingSite) -> None:
        for words, endpoint in endpoints:
            failures: list[Failure] = []
            endpoint.listen(site).addCallbacks(
                partial(self._opened, words), failures.append
            )
            for failure in failures:
                reason = why_not_bound(failure.value)
                self.terminal.fail(f"{option} {words!r} cannot be used: {reason}", 1)

    def _opened(self, words: str, port: IListeningPort) -> None:
        self._ports.append(port)
        find_vanished_peers(port)
        self.certificates.opened(words, port)

    def _take_signals(self) -> None:
        # Twisted's own handlers have the process end by the signal, once the service
        # has stopped; an orderly stop is a success.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end_well)

    def _end_well(self, *_: object) -> None:
        # Once is enough; who is impatient has SIGKILL.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        self.reactor.callFromThread(self.reactor.stop)

    async def _stop(self) -> None:
        self._log.info("stopping")
        self._supervision.stopping()
        for port in self._ports:
            await maybeDeferred(port.stopListening)
        self._timekeeping.stop()
        self._expiry.stop()
        self._watchers.stop()
        await self._snapshotting.finish()
        await self._site.wind_up(PATIENCE)
        await self._admin_site.wind_up(PATIENCE)
        await self._snapshotting.finish()
        if unsaved := self._snapshotting.unsaved():
            self._log.error(
                "state unsaved={count} (clusters whose last changes are given up)",
                count=len(unsaved),
            )
        self._threads.stop()
        try:
            self._state.close()
        except WriteFailed as error:
            self._log.error("state not merged reason={reason!r}", reason=str(error))
        self._lock.release()
        self._supervision.stop()
        self._log.info("stopped")
