"""
What there is to look at.
"""

from collections.abc import Sequence
from pathlib import Path

from attrs import frozen

from cvmpair_agent.files.root import Root
from cvmpair_agent.userdata.exchange import Http
from cvmpair_agent.userdata.injected import PATHS as INJECTED
from cvmpair_agent.userdata.metadata import Probe


@frozen(kw_only=True)
class Network:
    """
    What metadata servers are asked with.

    :ivar server: the base address of the one server to ask, instead of those where
        clouds have theirs.
    """

    http: Http
    probe: Probe
    server: str | None = None


@frozen(kw_only=True)
class Machine:
    """
    What sources look at.

    :ivar context_file: where the one that the command line names is, if it names one.
    :ivar injected: the paths on the machine where a cloud may have put user data.
    :ivar network: nothing if no metadata server is to be asked.
    """

    root: Root
    context_file: Path | None = None
    injected: Sequence[str] = INJECTED
    network: Network | None = None
