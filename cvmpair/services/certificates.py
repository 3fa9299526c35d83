"""
Renewed certificates: for new connections, and without an end to those that there are.

Neither endpoint of Twisted notices a renewal: ``ssl:`` reads its files once, and
``tls:`` its directory, unless a client asks for a name that is not in it.
"""

from typing import Any

from attrs import define, field
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from twisted.internet.endpoints import serverFromString
from twisted.internet.protocol import Factory, Protocol
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOFactory

from cvmpair.core.fingerprint import fingerprint
from cvmpair.services.endpoints import check_pem_files, in_one_line
from cvmpair.services.key_files import exposed_keys


@define(eq=False)
class Certificates:
    """
    Those of the ports that speak TLS.
    """

    _log = Logger()

    _ports: list[tuple[str, Any]] = field(init=False, factory=list)

    def opened(self, words: str, port: Any) -> None:
        """
        Look after a port, if it is one that speaks TLS.

        :param words: the endpoint string that it was opened by.
        :param port: a listening port of Twisted.
        """
        if isinstance(getattr(port, "factory", None), TLSMemoryBIOFactory):
            self._ports.append((words, port))
            self._read(words, port, "certificate unusable listen={words!r} {reason!r}")

    def has_one(self, words: str) -> bool:
        """
        Say whether the endpoint of these words speaks TLS.
        """
        return any(words == known for known, _ in self._ports)

    def renew(self) -> None:
        """
        Read all of them anew, for the connections that are made from now on.

        Where that fails, the one before stays.
        """
        if not self._ports:
            self._log.info("nothing to renew: no endpoint has a certificate")
        for words, port in self._ports:
            self._read(
                words,
                port,
                "certificate not renewed listen={words!r} reason={reason!r} (the one "
                "before stays)",
            )

    def _read(self, words: str, port: Any, complaint: str) -> None:
        try:
            creator = _creator(words)
            shown = _shown(creator)
        except Exception as error:
            self._log.error(complaint, words=words, reason=in_one_line(error))
            return
        before = port.factory
        port.factory = TLSMemoryBIOFactory(
            creator, isClient=False, wrappedFactory=before.wrappedFactory
        )
        # Factories count their ports. What both of them wrap is to see no end.
        port.factory.doStart()
        before.doStop()
        self._log.info("certificate listen={words!r} {shown}", words=words, shown=shown)
        for file, mode in exposed_keys(words):
            self._log.warn(
                "private key open to every user file={file!r} mode={mode} (chmod 0640, "
                "with a group that the daemon's user is in, or 0600)",
                file=str(file),
                mode=f"{mode:04o}",
            )


def _shown(creator: Any) -> str:
    """
    Return what people compare of a certificate: of several by host name, that which a
    client sees that names none.

    :raises ValueError: if there is none that can be used.
    """
    factory = TLSMemoryBIOFactory(
        creator, isClient=False, wrappedFactory=Factory.forProtocol(Protocol)
    )
    connection = creator.serverConnectionForTLS(factory.protocol(factory, Protocol()))
    found = connection.get_certificate(as_cryptography=True)
    if found is None:
        raise ValueError("there is no certificate for a host name, with its key")
    key = found.public_key().public_bytes(
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    )
    end = found.not_valid_after_utc.strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"fingerprint={fingerprint(key)} expires={end}"


@define(eq=False)
class _NoReactor:
    """
    Takes the place of the reactor for an endpoint that shall read its files, and say
    what it would listen with, but not listen.
    """

    creator: Any = None

    def listenSSL(
        self,
        _port: int,
        _factory: Factory,
        contextFactory: Any,  # noqa: N803
        **_: object,
    ) -> None:
        self.creator = contextFactory


def _creator(words: str) -> Any:
    """
    Have an endpoint read its certificates, and return what makes connections with them.

    :raises Exception: if that fails; of what kind depends on the endpoint.
    """
    check_pem_files(words)
    reactor = _NoReactor()
    endpoint: Any = serverFromString(reactor, words)
    # That of "tls:" has what that of "ssl:" would only give to the reactor.
    creator = getattr(endpoint, "connectionCreator", None)
    if creator is None:
        endpoint.listen(Factory())
        creator = reactor.creator
    if creator is None:
        raise ValueError("this kind of endpoint reads its certificate only once")
    return creator
