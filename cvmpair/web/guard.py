"""
What one client may do: who it is, and whether that was too much.

Who guesses PINs learns from each answer whether there is such a cluster; twenty
answers a minute are of no use to him. To answer only the wrong ones with 429 would
tell him the right ones. So once a client has asked for :attr:`Quota.limit` PINs that
never were, it can name no other PIN, right or wrong, until one of those is a minute
old. The wrong ones themselves it may name again and again, and each counts once: a
thousand machines with one typing error behind one address are one guess. A cluster
that has ended is no guess, whoever waits already goes on waiting, and whoever has a
token of a cluster needs not guess its PIN.
"""

from collections.abc import Callable
from hashlib import blake2b
from itertools import count
from typing import Final

from attrs import define, field, frozen
from twisted.internet.interfaces import IAddress
from twisted.logger import Logger
from twisted.web.http_headers import Headers

from cvmpair.core.clients import Address, Client, client_at, read_address
from cvmpair.core.pseudonym import new_pseudonym_key
from cvmpair.core.quota import Quota, Tally
from cvmpair.web.forwarded import asking_for
from cvmpair.web.limits import ClientLimits

MARK_BYTES: Final = 8

MAX_TOLD: Final = 10_000
"""How many refused clients are remembered at the same time, not to log them again."""

UNLIMITED: Final = ClientLimits(guesses=0, creations=0)


@frozen
class Peer:
    """
    Who is at the other end of a connection.

    :ivar client: ``None`` if it has no address, as on a UNIX socket.
    :ivar trusted: whether it is a proxy that says for whom it asks.
    """

    client: Client | None
    trusted: bool


@define(eq=False, kw_only=True)
class Guard:
    """
    The limits of all clients.

    :ivar seconds: a clock.
    :ivar key: makes the marks of PINs; without it nobody finds the PIN of one.
    :ivar refused: is called with the name of the limit for each refusal.
    """

    _log = Logger()

    limits: ClientLimits = UNLIMITED
    seconds: Callable[[], float]
    key: bytes = field(factory=new_pseudonym_key, repr=False)
    refused: Callable[[str], None] = lambda _: None
    guesses: Quota = field(init=False)
    creations: Quota = field(init=False)
    connections: Tally = field(init=False)
    waiters: Tally = field(init=False)
    _serial: "count[int]" = field(init=False, factory=count)
    _disbelieved: bool = field(init=False, default=False)
    # What the log was told: each client and limit once a minute.
    _told: Quota = field(
        init=False, factory=lambda: Quota(name="told", limit=1, clients=MAX_TOLD)
    )

    def __attrs_post_init__(self) -> None:
        limits, refused = self.limits, self._refuse
        self.guesses = Quota(name="guesses", limit=limits.guesses, refused=refused)
        self.creations = Quota(
            name="creations", limit=limits.creations, refused=refused
        )
        self.connections = Tally(
            name="connections", limit=limits.connections, refused=refused
        )
        self.waiters = Tally(name="waiters", limit=limits.waiters, refused=refused)

    def size(self) -> int:
        """
        Return how many clients are remembered for what they did in the last minute.
        """
        now = self.seconds()
        return self.guesses.size(now) + self.creations.size(now)

    def peer(self, address: IAddress) -> Peer:
        """
        Return who a connection comes from.
        """
        host = read_address(getattr(address, "host", ""))
        if host is None:
            return Peer(None, trusted=False)
        return Peer(client_at(host), self._trusted(host))

    def client(self, peer: Peer, headers: Headers) -> Client | None:
        """
        Return who made a request: who the peer is, or for whom it says that it asks.
        """
        address, name = None, self.limits.forwarded_header
        if peer.trusted:
            address = asking_for(headers, name, self._trusted)
        elif peer.client and not self._disbelieved and headers.hasHeader(name):
            self._disbelieved = True
            self._log.warn(
                "disbelieved header={header} (a peer that is no --trusted-proxy sent "
                "it; if that is your reverse proxy, all its clients count as one)",
                header=name,
            )
        return peer.client if address is None else client_at(address)

    def check_guess(
        self, client: Client | None, pin: str, is_proven: Callable[[], bool]
    ) -> None:
        """
        Let a client name a PIN, right or wrong.

        :param is_proven: says whether it proves that it knows the cluster.

        :raises TooManyRequests: if it has named too many wrong ones.
        """
        if client in self.guesses.exhausted and not is_proven():
            self.guesses.check(client, self._mark(pin), self.seconds())

    def count_guess(self, client: Client | None, pin: str) -> None:
        """
        Take notice that a client has named a PIN that never was.
        """
        if self.guesses.limit:
            self.guesses.count(client, self._mark(pin), self.seconds())

    def count_creation(self, client: Client | None) -> None:
        """
        Let a client create a cluster.

        :raises TooManyRequests: if it has created too many.
        """
        # No two are the same thing.
        serial, now = next(self._serial), self.seconds()
        self.creations.check(client, serial, now)
        self.creations.count(client, serial, now)

    def overloaded(self, limit: str) -> None:
        """
        Take notice that something was refused for a limit of the whole service.
        """
        self._refuse(limit, "any")

    def _refuse(self, limit: str, client: Client) -> None:
        self.refused(limit)
        what, serial, now = f"{limit} {client}", next(self._serial), self.seconds()
        if not self._told.allows(what, serial, now):
            return
        self._told.count(what, serial, now)
        self._log.warn(
            "refused limit={limit} client={client} (told once a minute)",
            limit=limit,
            client=client,
        )

    def _trusted(self, address: Address) -> bool:
        return any(address in network for network in self.limits.trusted_proxies)

    def _mark(self, pin: str) -> int:
        digest = blake2b(pin.encode(), digest_size=MARK_BYTES, key=self.key).digest()
        return int.from_bytes(digest)
