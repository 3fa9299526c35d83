"""
``source``: what user data there are, and where.
"""

from collections.abc import Callable

from cvmpair_agent.commands.local import Say, sources_of
from cvmpair_agent.context.shell import export
from cvmpair_agent.errors import AgentError
from cvmpair_agent.options import Options
from cvmpair_agent.userdata.machine import Network
from cvmpair_agent.userdata.search import Search, search


async def source(
    options: Options,
    network: Network | None,
    say: Say,
    write: Callable[[str], object],
) -> None:
    """
    Look at the sources, and show what is there, or export it for a shell.

    :param write: writes to standard output.

    :raises AgentError: if there is no context with a PIN.
    """
    came = await search(sources_of(options, network))
    if options.export:
        for line in _verdicts(came):
            say(line)
    else:
        write("".join(f"{line}\n" for line in _verdicts(came)))
    if came.found is None:
        raise AgentError("No source has a ucernvm section with a PIN.")
    for warning in came.found.cluster.warnings:
        say(warning)
    if options.export:
        write(export(came.found.section))


def _verdicts(came: Search) -> list[str]:
    width = max((len(looked.name) for looked in came.looked), default=0)
    return [
        f"{looked.name:{width}}  {looked.verdict}"
        + (f"  ({looked.place})" if looked.place else "")
        for looked in came.looked
    ]
