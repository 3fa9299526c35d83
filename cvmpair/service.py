"""
What ``twistd`` asks for: the daemon, made of options and of the world around it.

This is the only module that names the reactor.
"""

import os
import resource
import signal
import time
from collections.abc import Sequence
from typing import Any

from twisted.application.service import IService
from twisted.logger import ILogObserver

from cvmpair.daemon import Endpoints, PairingDaemon
from cvmpair.json_log import log_in_json
from cvmpair.options import Options, fail
from cvmpair.services.certificates import Certificates
from cvmpair.services.endpoints import endpoint_of, in_one_line
from cvmpair.terminal import Terminal

__all__ = ["Options", "makeService"]


def makeService(options: Options) -> IService:
    """
    Return the daemon; called by ``twistd`` and ``twist``.
    """
    from twisted.internet import reactor  # noqa: PLC0415

    clock: Any = reactor
    # The timers of the reactor would follow every step of the wall clock
    # (https://github.com/twisted/twisted/issues/2424).
    clock.seconds = time.monotonic
    certificates = Certificates()
    # By default it would end the process, and to load the state may take long.
    signal.signal(signal.SIGHUP, lambda *_: clock.callFromThread(certificates.renew))
    settings = options.settings
    return PairingDaemon(
        reactor=clock,
        settings=settings,
        endpoints=_endpoints(clock, "--listen", settings.listen),
        admin_endpoints=_endpoints(clock, "--admin-listen", settings.admin_listen),
        wall=time.time,
        environ=os.environ,
        process_id=os.getpid(),
        open_files=_open_files(),
        log_observer=_log_observer(options, clock),
        certificates=certificates,
        terminal=Terminal.of(options.parent),
    )


def _log_observer(options: Options, reactor: Any) -> ILogObserver | None:
    if not options.settings.json_log or options.parent is None:
        return None
    try:
        return log_in_json(options.parent, reactor)
    except ValueError as error:
        fail(f"--log-format {error}", 2)
    except OSError as error:
        fail(f"the log file cannot be opened: {in_one_line(error)}", 1)


def _open_files() -> int | None:
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if limit == resource.RLIM_INFINITY else limit


def _endpoints(reactor: Any, option: str, listen: Sequence[str]) -> Endpoints:
    try:
        return [(words, endpoint_of(reactor, words)) for words in listen]
    except ValueError as error:
        fail(f"{option} {error}", 2)
