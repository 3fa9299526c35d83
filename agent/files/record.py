"""
What this machine learned when it paired, kept for its next boots.

cloud-init writes its files anew at every boot, with the placeholder. The address is
put into them again from here, without the network.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from attrs import field, frozen

from cvmpair.core.fingerprint import check_fingerprint
from cvmpair.core.names import is_pin, is_token
from cvmpair_agent.context.cluster import Role
from cvmpair_agent.context.host import check_host
from cvmpair_agent.errors import AgentError
from cvmpair_agent.files.replacing import create_file, read_file, sync_directory
from cvmpair_agent.files.root import Root

DIRECTORY: Final = "/var/lib/cvmpair-agent"
PLACE: Final = f"{DIRECTORY}/pairing.json"
FORMAT: Final = 1


@frozen(kw_only=True)
class Record:
    """
    A pairing that succeeded.

    :ivar instance: the machine, as ``identify`` says; another one pairs for itself.
    :ivar service_url: of the service that knows the cluster.
    :ivar master: the address or name of the master.
    :ivar token: and fingerprint as the context had them.
    :ivar ready: whether this machine, a master, has announced that it is ready.
    """

    instance: str
    pin: str = field(repr=False)
    role: Role
    service_url: str
    master: str
    token: str | None = field(default=None, repr=False)
    fingerprint: str | None = None
    ready: bool = False


def read_record(root: Root, warn: Callable[[str], object]) -> Record | None:
    """
    Return the record of a machine, or None if it has none that can be read.

    :param warn: is told, in one line, if there is one that cannot.
    """
    try:
        return _from_plain(json.loads(read_file(root.locate(PLACE))))
    except FileNotFoundError:
        return None
    except OSError as error:
        reason = error.strerror or str(error)
    except (ValueError, KeyError, TypeError, RecursionError):
        # The text of these may quote what was read.
        reason = "it is damaged, or of another version"
    warn(f"{PLACE} is ignored, as if this machine had never paired: {reason}.")
    return None


def write_record(root: Root, record: Record) -> None:
    """
    Keep the record, readable for its owner only, instead of an earlier one.

    :raises AgentError: if that fails; then the earlier one is there as it was.
    """
    try:
        directory = root.locate(DIRECTORY)
        _prepare(directory)
        create_file(directory / Path(PLACE).name, _to_bytes(record))
    except OSError as error:
        raise AgentError(
            f"{PLACE} could not be written: {error.strerror or error}."
        ) from None


def forget_record(root: Root) -> None:
    """
    Remove the record, if there is one: it is of no use to this machine any more.

    :raises AgentError: if that fails.
    """
    try:
        place = root.locate(PLACE)
        place.unlink()
        sync_directory(place.parent)
    except FileNotFoundError:
        return
    except OSError as error:
        raise AgentError(
            f"{PLACE} could not be removed: {error.strerror or error}."
        ) from None


def _prepare(directory: Path) -> None:
    if not directory.is_dir():
        directory.parent.mkdir(parents=True, exist_ok=True)
        directory.mkdir(mode=0o700)
        sync_directory(directory.parent)
    os.chmod(directory, 0o700)  # noqa: PTH101


def _to_bytes(record: Record) -> bytes:
    plain = {
        "format": FORMAT,
        "instance": record.instance,
        "pin": record.pin,
        "role": record.role.value,
        "service_url": record.service_url,
        "master": record.master,
        "token": record.token,
        "fingerprint": record.fingerprint,
        "ready": record.ready,
    }
    return json.dumps(plain, indent=2).encode() + b"\n"


def _from_plain(plain: Any) -> Record:
    """
    :raises ValueError, KeyError, TypeError: if it is no record.
    """
    texts = ("instance", "pin", "role", "service_url", "master")
    types = {**dict.fromkeys(texts, str), "ready": bool}
    for name, type_ in types.items():
        if not isinstance(plain[name], type_):
            raise TypeError(name)
    if plain["format"] != FORMAT or not is_pin(plain["pin"]):
        raise ValueError
    # Earlier releases wrote neither.
    token, pinned = plain.get("token"), plain.get("fingerprint")
    if token is not None and not is_token(token):
        raise ValueError
    if not isinstance(pinned, str | None):
        raise TypeError
    return Record(
        instance=plain["instance"],
        pin=plain["pin"],
        role=Role(plain["role"]),
        service_url=plain["service_url"],
        master=check_host(plain["master"]),
        token=token,
        fingerprint=None if pinned is None else check_fingerprint(pinned),
        ready=plain["ready"],
    )
