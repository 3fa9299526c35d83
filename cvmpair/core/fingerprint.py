"""
The fingerprint of a server: by its public key, so that a renewed certificate for the
same key is the same server.

It is the hash of the SubjectPublicKeyInfo (RFC 5280, 4.1) in DER, as it is pinned by
kubeadm, curl and RFC 7469 too.
"""

import re
from hashlib import sha256

_is_fingerprint = re.compile("sha256:[0-9a-f]{64}").fullmatch


def fingerprint(public_key: bytes) -> str:
    """
    Return the fingerprint of a key, as ``sha256:`` and 64 hexadecimal digits.

    :param public_key: its SubjectPublicKeyInfo in DER.
    """
    return f"sha256:{sha256(public_key).hexdigest()}"


def check_fingerprint(text: str) -> str:
    """
    Return a fingerprint as :func:`fingerprint` writes it.

    :raises ValueError: if it is none. The text goes on after what names it.
    """
    if not _is_fingerprint(text.lower()):
        raise ValueError("is no fingerprint: sha256: and 64 hexadecimal digits")
    return text.lower()
