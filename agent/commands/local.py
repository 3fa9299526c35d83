"""
What the machine knows by itself: its record, its files, and local sources.
"""

from collections.abc import Callable

from cvmpair_agent.context.cluster import ClusterContext
from cvmpair_agent.errors import AgentError
from cvmpair_agent.files.instance import identify
from cvmpair_agent.files.patching import patch
from cvmpair_agent.files.record import Record, read_record
from cvmpair_agent.files.root import Root
from cvmpair_agent.options import Options
from cvmpair_agent.userdata.cloud_init import CloudInit
from cvmpair_agent.userdata.context_file import ContextFile
from cvmpair_agent.userdata.drive import drive
from cvmpair_agent.userdata.injected import PATHS
from cvmpair_agent.userdata.machine import Machine, Network
from cvmpair_agent.userdata.search import search
from cvmpair_agent.userdata.source import Source

Say = Callable[[str], object]
"""Tells people something, in one line."""


def sources_of(options: Options, network: Network | None) -> list[Source]:
    """
    Return the sources to look at.

    :raises ContextWrong: if the command line names one that there is not.
    """
    root = Root(options.root)
    if options.context_file is not None:
        # Who names a file does not want to hear of another source.
        path = options.context_file
        if path.is_absolute():
            path = root.locate(str(path))
        return [ContextFile(path=path)]
    # The rest is only loaded if it is needed: a machine that boots is in a hurry.
    from cvmpair_agent.userdata.catalogue import sources  # noqa: PLC0415
    from cvmpair_agent.userdata.order import DEFAULT_ORDER  # noqa: PLC0415

    machine = Machine(
        root=root, injected=options.injected_files or PATHS, network=network
    )
    return sources(machine, options.source_order or DEFAULT_ORDER)


def own_record(root: Root, say: Say) -> Record | None:
    """
    Return the record of this very machine, not of one it was copied from.
    """
    record = read_record(root, say)
    if record is None or record.instance == identify(root):
        return record
    say("This machine is a copy of one that had paired, and pairs for itself.")
    return None


def fits(record: Record, cluster: ClusterContext) -> bool:
    """
    Say whether a record is of that cluster and role, and of what goes with them: a
    token goes to no other service than the context names now.
    """
    return all(
        getattr(record, name) == getattr(cluster, name)
        for name in ("pin", "role", "service_url", "token", "fingerprint")
    )


def put_address(options: Options, address: str, say: Say) -> None:
    """
    Put the master's address into the context.

    :raises AgentError: if that fails for a file; the others are done.
    """
    patched = patch(Root(options.root), options.patch, address)
    for path in patched.changed:
        say(f"put the address of the master into {path}")
    if not patched.changed:
        say(
            "no file has a placeholder to replace; what is compressed or in base64 is "
            "not looked into"
        )


def apply(options: Options, say: Say) -> None:
    """
    Put the address that is known into the context again.

    :raises AgentError: if none is known for the context that the machine has now.
    """
    record = own_record(Root(options.root), say)
    if record is None:
        raise AgentError("This machine has not paired; run `cvmpair-agent pair` first.")
    found = drive(search([CloudInit(root=Root(options.root))])).found
    if found is not None and not fits(record, found.cluster):
        raise AgentError(
            "The context has changed since this machine paired; run "
            "`cvmpair-agent pair` again."
        )
    put_address(options, record.master, say)
