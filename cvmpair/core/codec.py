"""
What a record must look like to be taken over, with a format version.

A cluster, or the tombstone of one, is kept as one line of JSON text, without its PIN,
which names it wherever it is kept; :mod:`cvmpair.core.packing` reads and writes it.
"""

import re
from collections.abc import Sequence
from typing import Final
from zlib import crc32

from cvmpair.core.names import MAX_KEY_NAME_LENGTH, is_pin
from cvmpair.core.packing import (
    Packed,
    created_of,
    deadline_of,
    ending_of,
    is_protected,
    is_tombstone,
    key_names,
    unpack_tokens,
)
from cvmpair.core.timeline import FARTHEST

FORMAT: Final = 2
"""
The version of this format. The first had neither tokens nor tombstones, so all that it
has is in this one too.
"""

# To match a pattern takes a fifth of the time in which JSON is decoded. It knows the
# one spelling that packing writes, because packing finds keys by their spelling.
_EXPONENT: Final = r"e(?:\+[0-9]{2}|-[0-9]{2,3})"  # no more, so that it is finite
_SECONDS: Final = rf"-?(?:0|[1-9][0-9]{{0,16}})(?:\.[0-9]+)?(?:{_EXPONENT})?"
_VERSION: Final = r"(?:0|[1-9][0-9]{0,18})"
_NAME: Final = rf'"[A-Za-z0-9_-]{{1,{MAX_KEY_NAME_LENGTH}}}"'
_PLAIN: Final = r'[^"\\\x00-\x1f]*'
_ESCAPE: Final = r'\\(?:["\\bfnrt]|u00[01][0-9a-f])'
_VALUE: Final = rf'"{_PLAIN}(?:{_ESCAPE}{_PLAIN})*"'
_KEYS: Final = rf"(?:,\[{_NAME},{_VALUE},{_VERSION}\])*"
_SCOPE: Final = r'"(?:read|write|admin)"'
_TOKEN: Final = (
    rf'"[a-z0-9]{{8}}":\[{_SCOPE},"[0-9a-f]{{64}}",{_SECONDS},(?:{_SECONDS}|null)\]'
)
_TOKENS: Final = rf"(?:,\{{(?:{_TOKEN}(?:,{_TOKEN})*)?\}})?"
_CLUSTER: Final = rf"{_SECONDS},(?!-){_SECONDS},{_VERSION}{_KEYS}{_TOKENS}"
_TOMBSTONE: Final = rf'"(?:expired|deleted)",{_SECONDS},{_VERSION}'
_is_record: Final = re.compile(rf"\[(?:{_CLUSTER}|{_TOMBSTONE})\]").fullmatch


def decode_record(record: str) -> Packed:
    """
    Return the cluster or the tombstone that a record describes.

    :raises ValueError: if it is no record of this format.
    """
    if _is_record(record) is None:
        raise ValueError("not a record of a cluster or a tombstone")
    return record


def check_record(record: Packed) -> None:
    """
    See whether a daemon may have written a record that :func:`decode_record` has let
    pass. That takes as long again, so it is for those that come from elsewhere.

    :raises ValueError: if it has a key twice, or a time that is no date.
    """
    times: list[float | None]
    if is_tombstone(record):
        times = [ending_of(record).ended]
    else:
        names = key_names(record)
        if len(set(names)) < len(names):
            raise ValueError("a record with one key twice")
        times = [deadline_of(record), created_of(record)]
        if is_protected(record):
            tokens = unpack_tokens(record)
            times += [time for one in tokens for time in (one.created, one.expires)]
    if any(time is not None and abs(time) > FARTHEST for time in times):
        raise ValueError("a record with a time that is no date")


def checksums(pins: Sequence[str], records: Sequence[str]) -> list[int]:
    """
    Return the :func:`checksum` of each record; for many of them it takes a third of
    the time.

    :raises ValueError: if one of the PINs is none.
    """
    if not all(map(is_pin, pins)):
        raise ValueError("not a PIN")
    rows = map(" ".join, zip(pins, records, strict=True))
    return list(map(crc32, map(str.encode, rows)))


def checksum(pin: str, record: str) -> int:
    """
    Return the CRC-32 of a record under its PIN: no change of up to 32 bits in a
    row goes unseen.

    :raises ValueError: if the PIN is none.
    """
    if not is_pin(pin):
        raise ValueError("not a PIN")
    return crc32(f"{pin} {record}".encode())
