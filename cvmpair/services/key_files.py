"""
Files with the private keys of TLS endpoints, and who may read them.
"""

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from twisted.internet.endpoints import _parse
from twisted.python.filepath import FilePath

from cvmpair.services.ssl_files import ssl_files

MARK: Final = b"PRIVATE KEY-----"
"""What a private key in PEM begins with, of whatever kind it is (RFC 7468)."""


def exposed_keys(words: str) -> Iterator[tuple[Path, int]]:
    """
    Yield each private key of an endpoint that every user may read, with its mode.

    One that a group may read is meant so: the daemon's, or that of its certificates.

    :param words: an endpoint string; files that cannot be read are left out.
    """
    for file in _key_files(words):
        try:
            mode = stat.S_IMODE(file.stat().st_mode)
            if mode & stat.S_IROTH and MARK in file.read_bytes():
                yield file, mode
        except OSError:
            continue


def _key_files(words: str) -> Iterator[Path]:
    # As Twisted's own parsers of "ssl:" and "tls:" take them.
    if files := ssl_files(words):
        yield Path(files["privateKey"])
    parse: Any = _parse
    (kind, *rest), named = parse(words)
    if kind == "tls" and (place := named.get("path") or next(iter(rest), None)):
        for file in FilePath(place).walk():
            if file.basename().endswith(".pem"):
                yield Path(file.path)
