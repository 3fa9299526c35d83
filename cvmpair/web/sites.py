"""
The sites of a daemon: for those who pair, and for those who run it.
"""

from typing import Any

from cvmpair.core.descriptors import Descriptors
from cvmpair.core.watchers import Watchers
from cvmpair.stores.protocol import ClusterStore
from cvmpair.web.admin import Admin
from cvmpair.web.api import PairingAPI
from cvmpair.web.dispatch import Dispatch
from cvmpair.web.guard import Guard
from cvmpair.web.lane import Lane
from cvmpair.web.limits import RequestLimits
from cvmpair.web.message import Dates
from cvmpair.web.metrics import Metrics
from cvmpair.web.outbox import Outbox
from cvmpair.web.page import Page
from cvmpair.web.request_log import RequestCounts, RequestLog
from cvmpair.web.root import Root
from cvmpair.web.site import PairingSite
from cvmpair.web.unsent import UnsentAnswers
from cvmpair.web.waiting import Waiting


def pairing_site(
    *,
    reactor: Any,
    store: ClusterStore,
    watchers: Watchers,
    max_wait: float,
    require_protected: bool,
    limits: RequestLimits,
    guard: Guard,
    descriptors: Descriptors,
    unsent: UnsentAnswers,
    metrics: Metrics,
) -> PairingSite:
    """
    Return the API and the page, with a fast lane.
    """
    waiting = Waiting(store=store, watchers=watchers, max_wait=max_wait)
    api = PairingAPI(store, waiting, require_protected)
    page = Page(store, require_protected)
    return PairingSite(
        Root(api=Dispatch(api.app), page=Dispatch(page.app)),
        limits=limits,
        request_log=RequestLog(lambda call: reactor.callLater(0, call), metrics.logged),
        reactor=reactor,
        guard=guard,
        descriptors=descriptors,
        unsent=unsent,
        lane=Lane(
            store=store,
            waiting=waiting,
            guard=guard,
            outbox=Outbox(lambda call: reactor.callLater(0, call)),
            counts=RequestCounts(reactor, metrics.counted),
            dates=Dates(reactor.seconds),
        ),
    )


def admin_site(
    *,
    reactor: Any,
    admin: Admin,
    limits: RequestLimits,
    descriptors: Descriptors,
    unsent: UnsentAnswers,
) -> PairingSite:
    """
    Return the administration, which is answered when others can take nobody else.
    """
    return PairingSite(
        Dispatch(admin.app),
        limits=limits,
        request_log=RequestLog(lambda call: reactor.callLater(0, call)),
        reactor=reactor,
        descriptors=descriptors,
        unsent=unsent,
        privileged=True,
    )
