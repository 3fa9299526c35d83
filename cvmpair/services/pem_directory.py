"""
The directory of a ``tls:`` endpoint, before Twisted reads it.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)
from twisted.internet.endpoints import _parse
from twisted.python.filepath import FilePath

_CERTIFICATE: Final = re.compile(
    rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL
)
_KEY: Final = re.compile(
    rb"-----BEGIN [A-Z ]*PRIVATE KEY-----.+?-----END [A-Z ]*PRIVATE KEY-----", re.DOTALL
)


def check_pem_directory(words: str) -> None:
    """
    See whether Twisted comes to an end with the directory that an endpoint names.

    It looks for the issuer of each certificate, and for the issuer of that, and where
    one is its own issuer it does so for ever, with more and more memory
    (``twisted.protocols._sni``, 26.10). Nobody needs the certificate of a root
    authority from the server: who trusts it has it.

    :param words: an endpoint string; of others than ``tls:`` nothing is looked at.
    :raises ValueError: with the file that must not be there; also if there is no such
        directory, which Twisted would find out when somebody connects.
    """
    parse: Any = _parse
    (kind, *rest), named = parse(words)
    place = named.get("path") or next(iter(rest), None)
    if kind != "tls" or not place:
        return
    if not FilePath(place).isdir():
        raise ValueError(f"{place} is no directory")
    texts = dict(_texts(place))
    keys = {
        _named(load_pem_private_key(blob, None).public_key())
        for text in texts.values()
        for blob in _KEY.findall(text)
    }
    for path, text in texts.items():
        for blob in _CERTIFICATE.findall(text):
            certificate = x509.load_pem_x509_certificate(blob)
            itself = certificate.issuer == certificate.subject
            if itself and _named(certificate.public_key()) not in keys:
                raise ValueError(
                    f"{path} has the certificate of a root authority, and Twisted "
                    "would look for its issuer for ever; take it out of the directory"
                )


def _texts(place: str) -> Iterator[tuple[str, bytes]]:
    for file in FilePath(place).walk():
        if file.basename().endswith(".pem") and file.isfile():
            yield file.path, file.getContent()


def _named(key: Any) -> bytes:
    named: bytes = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return named
