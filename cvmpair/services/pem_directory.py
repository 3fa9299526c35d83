"""
The directory of a ``tls:`` endpoint, before Twisted reads it.

Twisted says of none of the files that it is the one that is wrong, and leaves out what
it cannot make use of, so that a host name is without its certificate.
"""

from collections.abc import Iterator
from typing import Any

from attrs import define, field
from cryptography import x509
from twisted.internet.endpoints import _parse
from twisted.python.filepath import FilePath

from cvmpair.services.pem_file import CERTIFICATE, PEMFile, comparable, is_key


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
    files = [_Contents(file) for file in _files(place)]
    keys = {key for file in files for key in file.keys}
    certified = {
        comparable(certificate.public_key())
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
class _Contents:
    """
    What Twisted can use of a file.

    :ivar keys: the public parts of the private keys in it.
    :raises ValueError: if something in it is of no use.
    """

    file: PEMFile
    certificates: list[x509.Certificate] = field(init=False, factory=list)
    keys: list[bytes] = field(init=False, factory=list)

    def __attrs_post_init__(self) -> None:
        for label, block in self.file.blocks():
            if label == CERTIFICATE:
                self.certificates.append(self.file.certificate(block))
            elif is_key(label):
                self.keys.append(self.file.key(block))
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

    @property
    def path(self) -> str:
        return self.file.path


def _check_roots(file: _Contents, keys: set[bytes]) -> None:
    """
    See whether Twisted comes to an end with the certificates of a file.

    It looks for the issuer of each certificate, and for the issuer of that, and where
    one is its own issuer it does so for ever, with more and more memory
    (``twisted.protocols._sni``, 26.10). Nobody needs the certificate of a root
    authority from the server: who trusts it has it.
    """
    for certificate in file.certificates:
        itself = certificate.issuer == certificate.subject
        if itself and comparable(certificate.public_key()) not in keys:
            raise ValueError(
                f"{file.path} has the certificate of a root authority, and Twisted "
                "would look for its issuer for ever; take it out of the directory"
            )


def _files(place: str) -> Iterator[PEMFile]:
    for file in FilePath(place).walk():
        if not file.basename().endswith(".pem"):
            continue
        if file.isfile():
            try:
                yield PEMFile(file.path, file.getContent())
            except OSError as error:
                raise ValueError(f"{file.path}: {error.strerror}") from None
        elif file.islink() and not file.exists():
            raise ValueError(
                f"{file.path} is a link to a file that is not there, or in a directory "
                "that is closed to the daemon's user"
            )
