"""
The addresses at which the daemon is to listen, and who does so now.
"""

import os
import socket
import stat
from collections.abc import Iterator
from contextlib import closing, suppress
from errno import EACCES, EADDRINUSE, EEXIST
from pathlib import Path
from typing import Any, Final

from attrs import define, evolve, field
from twisted.internet.protocol import Factory

from cvmpair.checks.listening import PORTS, ListenFacts
from cvmpair.checks.state import StateFacts
from cvmpair.facts.readiness import readiness
from cvmpair.services.endpoints import TLS_KINDS, endpoint_of
from cvmpair.settings import DEFAULT_ENDPOINT, Settings

_LISTENS: Final = "0A"
"""The state of such a socket in proc_net_tcp(5)."""

ANY: Final = "0.0.0.0"  # noqa: S104

_PROC: Final = Path("/proc")


@define(eq=False)
class _Binding:
    """
    Takes the place of the reactor for an endpoint that shall say what it would bind.

    :ivar place: the interface and the port, or the path of a UNIX socket.
    """

    place: tuple[str, int] | str | None = field(init=False, default=None)

    def listenTCP(
        self, port: int, _factory: Factory, *, interface: str, **_: object
    ) -> None:
        self.place = (interface, port)

    listenSSL = listenTCP

    def listenUNIX(self, address: str, _factory: Factory, **_: object) -> None:
        self.place = address


def listening(settings: Settings, state: StateFacts) -> Iterator[ListenFacts]:
    """
    Find out about each address, but for those whose socket the daemon is given.

    It is bound for a moment, when nobody could connect, and a daemon that starts just
    then is not hindered.
    """
    for option, endpoints in (
        ("--listen", settings.listen),
        ("--admin-listen", settings.admin_listen),
    ):
        for words in endpoints:
            facts = ListenFacts(
                option=option,
                words=words,
                is_default=endpoints == (DEFAULT_ENDPOINT,),
                user=state.user,
                owner=state.owner,
                daemon=state.holder,
            )
            # What systemd will pass cannot be looked at.
            if not words.startswith("systemd:") and (found := _looked_at(facts)):
                yield found


def _looked_at(facts: ListenFacts) -> ListenFacts | None:
    binding = _Binding()
    try:
        endpoint: Any = endpoint_of(binding, facts.words)
    except ValueError:
        # That is told of it already.
        return None
    # That of "tls:" would ask for the reactor.
    inner = getattr(endpoint, "endpoint", endpoint)
    inner.listen(Factory()).addErrback(lambda _: None)
    if binding.place is None:
        return None
    if isinstance(binding.place, str):
        error, sockets = _try_path(Path(binding.place)), _unix_sockets(binding.place)
        exact = sockets
    else:
        interface, port = binding.place
        facts = evolve(facts, port=port, first_free=_first_free())
        if port not in PORTS:
            return facts
        error = _try_port(interface, port)
        sockets = _tcp_sockets(f":{port:04X}")
        exact = _tcp_sockets(f"{_address(interface)}:{port:04X}") if port else set()
    own = exact & _open_sockets(facts.daemon)
    if own and facts.option == "--admin-listen":
        tls = facts.words.partition(":")[0] in TLS_KINDS
        facts = evolve(facts, readiness=readiness(binding.place, tls=tls))
    if error is None:
        return evolve(facts, is_own=bool(own))
    return evolve(
        facts,
        error=error.errno or -1,
        reason=error.strerror or str(error),
        is_own=bool(own),
        holders=tuple(_holders(sockets)) if error.errno == EADDRINUSE else (),
    )


def _try_port(interface: str, port: int) -> OSError | None:
    family = socket.AF_INET6 if ":" in interface else socket.AF_INET
    try:
        with closing(socket.socket(family, socket.SOCK_STREAM)) as trial:
            # As Twisted does it.
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind((interface, port))
    except OSError as error:
        return error
    return None


def _try_path(path: Path) -> OSError | None:
    try:
        if not os.access(path.parent, os.W_OK | os.X_OK):
            path.parent.stat()
            return OSError(EACCES, f"{path.parent} is closed to it")
        if not path.exists():
            return None
        if not stat.S_ISSOCK(path.stat().st_mode):
            return OSError(EEXIST, "something else is there")
        with closing(socket.socket(socket.AF_UNIX)) as trial:
            trial.connect(str(path))
    except ConnectionRefusedError:
        # Somebody has left it behind.
        return None
    except OSError as error:
        return error
    return OSError(EADDRINUSE, "in use")


def _address(interface: str) -> str:
    """
    Return an address as the kernel has it in its table.
    """
    try:
        if ":" in interface:
            data = socket.inet_pton(socket.AF_INET6, interface)
        else:
            data = socket.inet_aton(socket.gethostbyname(interface or ANY))
    except OSError:
        return interface
    words = (data[start : start + 4] for start in range(0, len(data), 4))
    return "".join(f"{int.from_bytes(word, 'little'):08X}" for word in words)


def _tcp_sockets(ending: str) -> set[str]:
    """
    Return the inodes of the sockets that listen where an address ends so.
    """
    rows = [*_rows("net/tcp"), *_rows("net/tcp6")]
    return {
        row[9]
        for row in rows
        if row[1:2] and row[1].endswith(ending) and row[3] == _LISTENS
    }


def _unix_sockets(path: str) -> set[str]:
    names = {path, str(Path(path).absolute())}
    return {row[6] for row in _rows("net/unix") if row[7:8] and row[7] in names}


def _rows(name: str) -> Iterator[list[str]]:
    with suppress(OSError):
        for line in (_PROC / name).read_text(errors="replace").splitlines()[1:]:
            yield line.split()


def _open_sockets(process: int | None) -> set[str]:
    """
    Return the inodes of the sockets of a process, if this user may see them.
    """
    found = set()
    with suppress(OSError):
        for place in (_PROC / str(process) / "fd").iterdir():
            with suppress(OSError):
                kind, _, inode = str(place.readlink()).partition(":[")
                if kind == "socket":
                    found.add(inode[:-1])
    return found


def _holders(sockets: set[str]) -> Iterator[tuple[int, str]]:
    for place in _PROC.iterdir():
        if place.name.isdecimal() and sockets & _open_sockets(int(place.name)):
            with suppress(OSError):
                yield int(place.name), (place / "comm").read_text().strip()


def _first_free() -> int:
    try:
        return int((_PROC / "sys/net/ipv4/ip_unprivileged_port_start").read_text())
    except (OSError, ValueError):
        return 1024
