"""
``status``: what is known of the pairing.
"""

from collections.abc import Callable

from cvmpair_agent.commands.local import Say, own_record
from cvmpair_agent.context.cluster import Role
from cvmpair_agent.errors import AgentError
from cvmpair_agent.files.root import Root
from cvmpair_agent.options import Options


def status(options: Options, say: Say, write: Callable[[str], object]) -> None:
    """
    Show the record, without the PIN.

    :raises AgentError: if this machine has not paired.
    """
    record = own_record(Root(options.root), say)
    if record is None:
        raise AgentError("This machine has not paired.")
    write(f"role: {record.role.value}\n")
    write(f"service: {record.service_url}\n")
    write(f"master: {record.master}\n")
    if record.role is Role.MASTER:
        write(f"ready announced: {'yes' if record.ready else 'no'}\n")
