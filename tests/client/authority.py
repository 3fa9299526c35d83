"""
A private certificate authority.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path

from attrs import define, field
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from OpenSSL.crypto import X509, PKey
from twisted.internet.ssl import CertificateOptions

DAY = timedelta(days=1)


def fingerprint_of(certificate: x509.Certificate) -> str:
    """
    Return the fingerprint of the key that a certificate is for.
    """
    key = certificate.public_key().public_bytes(
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    )
    return f"sha256:{sha256(key).hexdigest()}"


@define(eq=False)
class Authority:
    """
    Issues certificates for servers.
    """

    name: str
    _key: EllipticCurvePrivateKey = field(
        init=False, factory=lambda: generate_private_key(SECP256R1())
    )
    _certificate: x509.Certificate = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._certificate = (
            self._builder(self._key, self.name, -DAY, DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(self._key, SHA256())
        )

    def write(self, path: Path) -> str:
        """
        Write the certificate of the authority to a file, and return its name.
        """
        path.write_bytes(self._certificate.public_bytes(Encoding.PEM))
        return str(path)

    def write_key(self, path: Path) -> None:
        """
        Write the key of the authority to a file.
        """
        path.write_bytes(
            self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        )

    def certificate(self) -> X509:
        """
        Return the certificate of the authority.
        """
        return X509.from_cryptography(self._certificate)

    def issue(
        self, *names: str, begin: timedelta = -DAY, end: timedelta = DAY
    ) -> CertificateOptions:
        """
        Return what a server of these names and addresses needs.

        :param begin: when the certificate becomes valid, from now.
        :param end: when it expires, likewise.
        """
        key = generate_private_key(SECP256R1())
        return CertificateOptions(
            privateKey=PKey.from_cryptography_key(key),
            certificate=X509.from_cryptography(self._issue(key, names, begin, end)),
        )

    def renew(self, old: CertificateOptions, *names: str) -> CertificateOptions:
        """
        Return another certificate for the same key.
        """
        key = old.privateKey.to_cryptography_key()
        return CertificateOptions(
            privateKey=old.privateKey,
            certificate=X509.from_cryptography(self._issue(key, names, -DAY, DAY)),
        )

    def issue_file(self, path: Path, *names: str) -> x509.Certificate:
        """
        Write a key and a certificate for these names to a file.
        """
        key = generate_private_key(SECP256R1())
        certificate = self._issue(key, names, -DAY, DAY)
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path.write_bytes(private + certificate.public_bytes(Encoding.PEM))
        return certificate

    def _issue(
        self,
        key: EllipticCurvePrivateKey,
        names: Sequence[str],
        begin: timedelta,
        end: timedelta,
    ) -> x509.Certificate:
        builder = self._builder(key, "sesame", begin, end)
        if names:
            alternative = x509.SubjectAlternativeName(map(_general, names))
            builder = builder.add_extension(alternative, critical=False)
        return builder.sign(self._key, SHA256())

    def _builder(
        self, key: EllipticCurvePrivateKey, name: str, begin: timedelta, end: timedelta
    ) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(_named(name))
            .issuer_name(_named(self.name))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + begin)
            .not_valid_after(now + end)
        )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


AUTHORITY = Authority("sesame authority")
