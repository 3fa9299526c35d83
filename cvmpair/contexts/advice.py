"""
What people are told of a context that is legal and will not do what they want.
"""

import re
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from cvmpair_agent.context.cluster import DEFAULT_SERVICE_URL, ClusterContext, Role
from cvmpair_agent.context.grammar import Section
from cvmpair_agent.context.placeholder import PLACEHOLDER
from cvmpair_agent.context.service_url import IN_CLEAR, is_in_clear

_PLACEHOLDER: Final = PLACEHOLDER.decode()

NO_PLACEHOLDER: Final = (
    f"The worker's context has no {_PLACEHOLDER}, so the master's address will stand "
    "nowhere in it."
)
NO_SERVICE_URL: Final = (
    f"No service URL is given; agents will ask {DEFAULT_SERVICE_URL}."
)
COMMENT: Final = (
    f"A {_PLACEHOLDER} follows a blank and no quote is before it: to YAML and to a "
    "shell the rest of that line is a comment. Put the whole of it in quotes, as in "
    f"- 'join \"{_PLACEHOLDER}\"'."
)
TOO_EARLY: Final = (
    f"A {_PLACEHOLDER} seems to be in bootcmd, which runs before any machine can know "
    "the address; use runcmd."
)
LOOPBACK: Final = (
    "The service URL names this machine itself, where no other machine finds the "
    "service."
)

_comment: Final = re.compile(
    rf"^[^\n\"'#]*[ \t]{re.escape(_PLACEHOLDER)}", re.MULTILINE
).search
_has_comments: Final = re.compile("^#(!|cloud-config)", re.MULTILINE).search
_bootcmd: Final = re.compile(
    rf"^bootcmd:[^\n]*\n(?:[ \t-][^\n]*\n|\n)*?[ \t-][^\n]*{re.escape(_PLACEHOLDER)}",
    re.MULTILINE,
).search


def advice(text: str, section: Section, cluster: ClusterContext) -> tuple[str, ...]:
    """
    Return the warnings that a context deserves, in words for people.

    :param text: the context as an agent reads it.
    """
    deserved = {
        NO_SERVICE_URL: section.get("cvm_service_url") is None,
        LOOPBACK: _is_loopback(urlsplit(cluster.service_url).hostname or ""),
        IN_CLEAR: cluster.token is not None and is_in_clear(cluster.service_url),
        NO_PLACEHOLDER: cluster.role is Role.WORKER and _PLACEHOLDER not in text,
        COMMENT: bool(_has_comments(text) and _comment(text)),
        TOO_EARLY: _bootcmd(text) is not None,
    }
    return tuple(warning for warning, is_deserved in deserved.items() if is_deserved)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
