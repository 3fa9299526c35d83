"""
A file with certificates and private keys in PEM form, and what is wrong with it.

Twisted and OpenSSL say of no file that it is the one that is wrong.
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

CERTIFICATE: Final = "CERTIFICATE"

_BLOCK: Final = re.compile(
    rb"^-----BEGIN ([^\r\n]*?)-----.*?(?=^-----BEGIN|\Z)", re.DOTALL | re.MULTILINE
)
"""What Twisted takes for an object: from one beginning to the next (RFC 7468)."""


def is_key(label: str) -> bool:
    """
    Say whether an object of this label is a private key.
    """
    return label.endswith("PRIVATE KEY")


def comparable(key: Any) -> bytes:
    """
    Return a public key in a form in which it can be compared.
    """
    found: bytes = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return found


@define(eq=False)
class PEMFile:
    """
    What is in a file; each method raises :exc:`ValueError`, with its path and what is
    wrong, if something in it is of no use.
    """

    path: str
    text: bytes = field(repr=False)

    def blocks(self) -> Iterator[tuple[str, bytes]]:
        """
        Yield each object, with its label.
        """
        for block in _BLOCK.finditer(self.text):
            label = block[1].decode("ascii", "replace")
            if b"-----END %b-----" % block[1] not in block[0]:
                raise ValueError(f"{self.path} is cut off: its {label} has no end")
            yield label, block[0]

    def certificate(self, block: bytes) -> x509.Certificate:
        """
        Return the certificate that an object is.
        """
        try:
            return x509.load_pem_x509_certificate(block)
        except ValueError:
            raise ValueError(
                f"{self.path} has a certificate that is damaged; install it anew"
            ) from None

    def key(self, block: bytes) -> bytes:
        """
        Return the public part of the private key that an object is.
        """
        try:
            return comparable(load_pem_private_key(block, None).public_key())
        except TypeError:
            raise ValueError(
                f"{self.path} has a private key with a passphrase, for which there is "
                "nobody to ask; store it without"
            ) from None
        except (ValueError, UnsupportedAlgorithm):
            raise ValueError(
                f"{self.path} has a private key that is damaged; install it anew"
            ) from None
