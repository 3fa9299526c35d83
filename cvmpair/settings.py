"""
What the daemon is to do, once its command line is understood.
"""

from pathlib import Path
from typing import Final

from attrs import field, frozen

from cvmpair.core.model import Limits
from cvmpair.web.limits import ClientLimits, RequestLimits

DEFAULT_ENDPOINT: Final = "tcp:8080:interface=127.0.0.1"


@frozen(kw_only=True)
class Settings:
    """
    What the daemon is to do.

    :ivar listen: endpoint strings of Twisted.
    :ivar admin_listen: those of the administration.
    :ivar flush_interval: the seconds between two snapshots, or ``None`` to hold
        back every answer until it is durable.
    :ivar pin_lifetime: in seconds.
    :ivar require_protected: whether every new cluster is protected.
    :ivar max_wait: how long a request may wait, in seconds.
    :ivar max_waiters: how many may do so at the same time.
    :ivar json_log: whether the log is one of JSON lines.
    """

    listen: tuple[str, ...] = (DEFAULT_ENDPOINT,)
    admin_listen: tuple[str, ...] = ()
    state_dir: Path
    flush_interval: float | None = None
    pin_lifetime: float = 86400.0
    require_protected: bool = False
    max_wait: float = 300.0
    max_waiters: int = 20_000
    json_log: bool = False
    limits: Limits = field(factory=Limits)
    request_limits: RequestLimits = field(factory=RequestLimits)
    client_limits: ClientLimits = field(factory=ClientLimits)
