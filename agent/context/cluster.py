"""
What the section says about the cluster: the PIN, the role, the service, and what the
machine and the service know each other by.
"""

from enum import Enum
from typing import Final

from attrs import field, frozen

from cvmpair.core.fingerprint import check_fingerprint
from cvmpair.core.names import PIN_LENGTH, is_pin, is_token
from cvmpair_agent.context.grammar import Entry, Section
from cvmpair_agent.context.service_url import check_service_url
from cvmpair_agent.errors import ContextWrong

DEFAULT_SERVICE_URL: Final = "https://cernvm-online.cern.ch"

TRUE: Final = frozenset({"yes", "on", "true", "1"})
FALSE: Final = frozenset({"no", "off", "false", "0", ""})


KEYS: Final = frozenset(
    {
        "cvm_cluster_pin",
        "cvm_cluster_master",
        "cvm_cluster_token",
        "cvm_service_url",
        "cvm_service_fingerprint",
    }
)
"""All there are of ours; the section has others, of CernVM's."""

OUR_PREFIXES: Final = ("cvm_cluster", "cvm_service")


class Role(Enum):
    """
    What a machine is in its cluster.
    """

    MASTER = "master"
    WORKER = "worker"


@frozen(kw_only=True)
class ClusterContext:
    """
    The cluster that a machine is to join.

    :ivar service_url: begins with ``http://`` or ``https://`` and has no slash at its
        end.
    :ivar token: what a protected cluster asks for, beside the PIN.
    :ivar fingerprint: of the key of the only server to trust.
    :ivar warnings: in words for people; no value is in them.
    """

    pin: str = field(repr=False)
    role: Role
    service_url: str
    token: str | None = field(default=None, repr=False)
    fingerprint: str | None = None
    warnings: tuple[str, ...] = ()


def cluster_of(section: Section) -> ClusterContext | None:
    """
    Return the cluster of a section, or None if it has no PIN.

    :raises ContextWrong: if a value cannot be followed, with its line and key.
    """
    pin = section.get("cvm_cluster_pin")
    if pin is None or not pin.value:
        return None
    if not is_pin(pin.value):
        raise _wrong(pin, f"is not a PIN: {PIN_LENGTH} lower-case letters and digits")
    url, warnings = _service_url(section.get("cvm_service_url"))
    return ClusterContext(
        pin=pin.value,
        role=_role(section.get("cvm_cluster_master")),
        service_url=url,
        token=_token(section.get("cvm_cluster_token")),
        fingerprint=_fingerprint(section.get("cvm_service_fingerprint"), url),
        warnings=section.warnings + _misspelt(section) + warnings,
    )


def _misspelt(section: Section) -> tuple[str, ...]:
    # A master of whom only this tells otherwise is a worker that waits in vain.
    return tuple(
        f"Line {entry.line}: there is no key {entry.key}; there are "
        f"{', '.join(sorted(KEYS))}."
        for entry in section.entries
        if entry.key.startswith(OUR_PREFIXES) and entry.key not in KEYS
    )


def _wrong(entry: Entry, reason: str) -> ContextWrong:
    return ContextWrong(f"Line {entry.line} of the user data: {entry.key} {reason}.")


def _role(entry: Entry | None) -> Role:
    if entry is None or entry.value.lower() in FALSE:
        return Role.WORKER
    if entry.value.lower() in TRUE:
        return Role.MASTER
    # To the original agents this was a worker, without a word.
    raise _wrong(entry, "is neither yes nor no (nor on, off, true, false, 1, 0)")


def _token(entry: Entry | None) -> str | None:
    if entry is None or not entry.value:
        return None
    if not is_token(entry.value):
        raise _wrong(
            entry, "is not a token: copy the whole of it, of the form ID.SECRET"
        )
    return entry.value


def _fingerprint(entry: Entry | None, url: str) -> str | None:
    if entry is None or not entry.value:
        return None
    if not url.startswith("https:"):
        raise _wrong(entry, "needs a cvm_service_url that begins with https://")
    try:
        return check_fingerprint(entry.value)
    except ValueError as error:
        raise _wrong(entry, str(error)) from None


def _service_url(entry: Entry | None) -> tuple[str, tuple[str, ...]]:
    if entry is None or not entry.value:
        return DEFAULT_SERVICE_URL, ()
    url = entry.value
    warnings: tuple[str, ...] = ()
    if "://" not in url:
        # urlsplit("host:8000") would take the host for the scheme.
        url = f"http://{url}"
        warnings = (
            f"Line {entry.line}: {entry.key} has no scheme and is taken as http://, "
            "which anybody on the way can read and change; write https:// if the "
            "service has it.",
        )
    try:
        return check_service_url(url), warnings
    except ValueError as error:
        raise _wrong(entry, str(error)) from None
