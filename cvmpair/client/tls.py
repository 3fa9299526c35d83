"""
HTTPS: which certificates are trusted, and in one line why one is not.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from attrs import define, field, frozen
from OpenSSL.crypto import FILETYPE_ASN1, X509, dump_publickey
from OpenSSL.SSL import (
    VERIFY_FAIL_IF_NO_PEER_CERT,
    VERIFY_PEER,
    Connection,
    Context,
    Error,
    X509VerificationCodes,
)
from service_identity import CertificateError, VerificationError
from service_identity.hazmat import (
    DNS_ID,
    IPAddress_ID,
    ServiceID,
    verify_service_identity,
)
from service_identity.pyopenssl import extract_patterns
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import CertificateOptions
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from twisted.web.iweb import IPolicyForHTTPS
from zope.interface import implementer

from cvmpair.client.errors import ClientError, NoAnswer, Untrusted
from cvmpair.core.fingerprint import fingerprint

CLOCKS: Final = {
    X509VerificationCodes.ERR_CERT_NOT_YET_VALID: "is not valid yet",
    X509VerificationCodes.ERR_CERT_HAS_EXPIRED: "has expired",
}
"""What the clock of this machine decides, and may decide otherwise once it is set."""


Seen = Callable[[str], object]


def https_policy(
    ca_file: str | None, pinned: str | None = None, seen: Seen | None = None
) -> IPolicyForHTTPS:
    """
    Return a policy that trusts the platform's authorities, those of a file, or one key.

    :param ca_file: a PEM file, trusted instead of the platform's.
    :param pinned: the fingerprint of the only key to trust. Its certificate may then be
        signed by anybody, for any name and time: whoever has the key is the server.
    :param seen: is told the fingerprint of each server that is trusted.

    :raises ValueError: if the file cannot be used; the text says why.
    """
    context = CertificateOptions().getContext()
    if ca_file is None:
        context.set_default_verify_paths()
    else:
        try:
            # OpenSSL would not say why it cannot.
            Path(ca_file).open("rb").close()
            context.load_verify_locations(ca_file)
        except OSError as error:
            raise ValueError(
                f"--ca-file {ca_file!r} cannot be read: {error.strerror}."
            ) from None
        except Error:
            raise ValueError(
                f"--ca-file {ca_file!r} cannot be read as certificates of "
                "authorities; it has to be a file with one or more of them in PEM form."
            ) from None
    return _Policy(context, pinned, seen)


@implementer(IPolicyForHTTPS)
@frozen
class _Policy:
    context: Context
    pinned: str | None
    seen: Seen | None

    def creatorForNetloc(
        self, hostname: bytes, _port: int
    ) -> IOpenSSLClientConnectionCreator:
        return _Creator(self.context, hostname.decode("ascii"), self.pinned, self.seen)


@implementer(IOpenSSLClientConnectionCreator)
@frozen
class _Creator:
    """
    Does what Twisted's own does, but says why a certificate was refused, and refuses
    one without any name as well.
    """

    context: Context
    host: str
    pinned: str | None
    seen: Seen | None

    def clientConnectionForTLS(
        self,
        tlsProtocol: TLSMemoryBIOProtocol,  # noqa: N803
    ) -> Connection:
        connection = Connection(self.context)
        name: ServiceID
        if isIPAddress(self.host) or isIPv6Address(self.host):
            name = IPAddress_ID(self.host)
        else:
            name = DNS_ID(self.host)
            connection.set_tlsext_host_name(self.host.encode("ascii"))
        connection.set_verify(
            VERIFY_PEER | VERIFY_FAIL_IF_NO_PEER_CERT,
            _Verifier(name, self.host, self.pinned, self.seen, tlsProtocol),
        )
        return connection


@define(eq=False)
class _Verifier:
    """
    Is asked about each certificate of the chain, the server's own last.

    :ivar protocol: what to end; forgotten with the last call, for it refers to the
        connection that refers to this.
    """

    name: ServiceID
    host: str
    pinned: str | None
    seen: Seen | None = field(repr=False)
    protocol: TLSMemoryBIOProtocol | None = field(repr=False)

    def __call__(
        self, _connection: Connection, cert: X509, code: int, depth: int, ok: int
    ) -> bool:
        # OpenSSL takes an exception for nothing at all.
        try:
            objection = self._judge(cert, code, depth, trusted=bool(ok))
        except Exception:
            objection = Untrusted(
                "The certificate of the service cannot be checked",
                "Have another one issued",
            )
        if objection is not None and self.protocol is not None:
            self.protocol.failVerification(Failure(objection))
        if objection is not None or depth == 0:
            self.protocol = None
        return objection is None

    def _judge(
        self, cert: X509, code: int, depth: int, *, trusted: bool
    ) -> ClientError | None:
        if self.pinned is None and not trusted:
            return self._objection(code)
        if depth > 0:
            return None
        key = fingerprint(dump_publickey(FILETYPE_ASN1, cert.get_pubkey()))
        if self.pinned is None:
            objection = self._check_name(cert)
        else:
            objection = self._check_key(key)
        if objection is None and self.seen is not None:
            self.seen(key)
        return objection

    def _objection(self, code: int) -> ClientError:
        if code in CLOCKS:
            return NoAnswer(
                f"by the clock of this machine its certificate {CLOCKS[code]}"
            )
        return Untrusted(
            "The certificate of the service is not signed by an authority that this "
            "machine trusts",
            "If its authority is a private one, name the file with that authority's "
            "certificate by --ca-file",
        )

    def _check_key(self, key: str) -> ClientError | None:
        if key == self.pinned:
            return None
        return Untrusted(
            f"Wrong key: expected {self.pinned}, but the server has {key}",
            "Either this is not the service, or it was given a new key: compare with "
            "the fingerprint that its operator tells or its log shows, and only if "
            "that is the server's, write it into the context "
            "(cvm_service_fingerprint) or give it with --service-fingerprint",
        )

    def _check_name(self, cert: X509) -> ClientError | None:
        try:
            verify_service_identity(extract_patterns(cert), [self.name], [])
        except (VerificationError, CertificateError):
            return Untrusted(
                f"The certificate of the service is not one for {self.host}",
                "Check the service's URL, or have the certificate issued for that name",
            )
        return None
