"""
The directory of a ``tls:`` endpoint, before Twisted reads it.

Twisted says of none of the files that it is the one that is wrong, and leaves out what
it cannot make use of, so that a host name is without its certificate.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

from attrs import define, field
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)
from twisted.internet.endpoints import _parse
from twisted.python.filepath import FilePath

_BLOCK: Final = re.compile(
    rb"^-----BEGIN ([^\r\n]*?)-----.*?(?=^-----BEGIN|\Z)", re.DOTALL | re.MULTILINE
)
"""What Twisted takes for an object: from one beginning to the next (RFC 7468)."""


def check_pem_directory(words: str) -> None:
    """
    See whether Twisted can make use of each file of the directory of an endpoint.

    :param words: an endpoint string; of others than ``tls:`` nothing is looked at.
    :raises ValueError: with the file that is wrong, and what about it; also if there is
        no such directory, which Twisted would find out when somebody connects.
    """
    parse: Any = _parse
    (kind, *rest), named = parse(words)
    place = named.get("path") or next(iter(rest), None)
    if kind != "tls" or not place:
        return
    if not FilePath(place).isdir():
        raise ValueError(f"{place} is no directory")
    files = [_PEMFile(path, text) for path, text in _texts(place)]
    keys = {key for file in files for key in file.keys}
    certified = {
        _named(certificate.public_key())
        for file in files
        for certificate in file.certificates
    }
    for file in files:
        _check_roots(file, keys)
        if not certified.issuperset(file.keys):
            raise ValueError(
                f"{file.path} has a private key whose certificate is in no file of the "
                "directory; put both there, or take it out"
            )


@define(eq=False)
class _PEMFile:
    """
    What is in a file.

    :ivar keys: the public parts of the private keys in it.
    :raises ValueError: if something in it is of no use.
    """

    path: str
    text: bytes = field(repr=False)
    certificates: list[x509.Certificate] = field(init=False, factory=list)
    keys: list[bytes] = field(init=False, factory=list)

    def __attrs_post_init__(self) -> None:
        for block in _BLOCK.finditer(self.text):
            label = block[1].decode("ascii", "replace")
            if b"-----END %b-----" % block[1] not in block[0]:
                raise ValueError(f"{self.path} is cut off: its {label} has no end")
            if label == "CERTIFICATE":
                self.certificates.append(self._certificate(block[0]))
            elif label.endswith("PRIVATE KEY"):
                self.keys.append(self._key(block[0]))
            else:
                raise ValueError(
                    f"{self.path} has something of the kind {label!r} in it, and only "
                    "certificates and private keys can be there; take it out"
                )
        if not self.certificates and not self.keys:
            raise ValueError(
                f"{self.path} has neither a certificate nor a private key in PEM form; "
                "take it out, or give it another name"
            )

    def _certificate(self, block: bytes) -> x509.Certificate:
        try:
            return x509.load_pem_x509_certificate(block)
        except ValueError:
            raise ValueError(
                f"{self.path} has a certificate that is damaged; install it anew"
            ) from None

    def _key(self, block: bytes) -> bytes:
        try:
            return _named(load_pem_private_key(block, None).public_key())
        except TypeError:
            raise ValueError(
                f"{self.path} has a private key with a passphrase, for which there is "
                "nobody to ask; store it without"
            ) from None
        except (ValueError, UnsupportedAlgorithm):
            raise ValueError(
                f"{self.path} has a private key that is damaged; install it anew"
            ) from None


def _check_roots(file: _PEMFile, keys: set[bytes]) -> None:
    """
    See whether Twisted comes to an end with the certificates of a file.

    It looks for the issuer of each certificate, and for the issuer of that, and where
    one is its own issuer it does so for ever, with more and more memory
    (``twisted.protocols._sni``, 26.10). Nobody needs the certificate of a root
    authority from the server: who trusts it has it.
    """
    for certificate in file.certificates:
        itself = certificate.issuer == certificate.subject
        if itself and _named(certificate.public_key()) not in keys:
            raise ValueError(
                f"{file.path} has the certificate of a root authority, and Twisted "
                "would look for its issuer for ever; take it out of the directory"
            )


def _texts(place: str) -> Iterator[tuple[str, bytes]]:
    for file in FilePath(place).walk():
        if not file.basename().endswith(".pem"):
            continue
        if file.isfile():
            try:
                yield file.path, file.getContent()
            except OSError as error:
                raise ValueError(f"{file.path}: {error.strerror}") from None
        elif file.islink() and not file.exists():
            raise ValueError(
                f"{file.path} is a link to a file that is not there, or in a directory "
                "that is closed to the daemon's user"
            )


def _named(key: Any) -> bytes:
    named: bytes = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return named
