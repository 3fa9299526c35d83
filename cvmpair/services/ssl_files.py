"""
The files of an ``ssl:`` endpoint, before Twisted reads them.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from twisted.internet.endpoints import _parse

from cvmpair.services.pem_file import CERTIFICATE, PEMFile, comparable, is_key

DEFAULT_KEY: Final = "server.pem"
"""Where Twisted looks for the private key if nobody names a file."""

_WORDS: Final = (
    *("port", "privateKey", "certKey", "sslmethod", "interface", "backlog"),
    *("extraCertChain", "dhParameters"),
)
"""In the order in which they may stand without their names."""

_FILES: Final = ("privateKey", "certKey", "extraCertChain", "dhParameters")


def ssl_files(words: str) -> Mapping[str, str]:
    """
    Return the paths that an endpoint names, or Twisted adds, by what they are for.

    :param words: an endpoint string; others than ``ssl:`` have none.
    """
    parse: Any = _parse
    (kind, *rest), given = parse(words)
    if kind != "ssl":
        return {}
    given = {**dict(zip(_WORDS, rest, strict=False)), **given}
    given.setdefault("privateKey", DEFAULT_KEY)
    given.setdefault("certKey", given["privateKey"])
    return {name: given[name] for name in _FILES if name in given}


def check_ssl_files(words: str) -> None:
    """
    See whether Twisted can make use of each file of an endpoint.

    :param words: an endpoint string; of others than ``ssl:`` nothing is looked at.
    :raises ValueError: with the file that is wrong, and what about it.
    """
    files = {
        name: PEMFile(f"{name}={path}", _text(name, path, words))
        for name, path in ssl_files(words).items()
    }
    if not files:
        return
    if chain := files.get("extraCertChain"):
        for label, block in chain.blocks():
            if label == CERTIFICATE:
                chain.certificate(block)
    # Twisted takes the first certificate and the first key of both files together.
    both = files["certKey"], files["privateKey"]
    blocks = [(file, *block) for file in both for block in file.blocks()]
    keys = [(file, block) for file, label, block in blocks if is_key(label)]
    if not keys:
        raise ValueError(
            f"{both[1].path} has no private key in PEM form; name its file"
        )
    own = keys[0][0].key(keys[0][1])
    certificates = [
        (file, block) for file, label, block in blocks if label == CERTIFICATE
    ]
    if not certificates:
        raise ValueError(
            f"{both[0].path} has no certificate in PEM form; name its file as certKey"
        )
    file, block = certificates[0]
    if comparable(file.certificate(block).public_key()) != own:
        raise ValueError(
            f"{file.path} begins with a certificate that is not for the private key of "
            f"{keys[0][0].path}; put the server's own first, or name its key"
        )


def _text(name: str, path: str, words: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        reason = error.strerror
    if path == DEFAULT_KEY and DEFAULT_KEY not in words:
        raise ValueError(
            f"it names no file, and {path}, which Twisted takes then, cannot be read: "
            f"{reason}; name them, as in ssl:8443:privateKey=key.pem:certKey=cert.pem"
        )
    raise ValueError(f"{name}={path} cannot be read: {reason}")
