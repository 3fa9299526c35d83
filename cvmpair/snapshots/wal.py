"""
What SQLite would not say of its write-ahead log.

SQLite ends its recovery silently at the first frame that does not fit its
checksum. That is right for the last transaction, which a crash may have torn
before it was acknowledged. But every commit here is synchronised before the
next begins, so whole transactions behind such a frame mean that an
acknowledged one was damaged later.

The layout is that of section 4 of https://www.sqlite.org/fileformat2.html.
"""

from pathlib import Path
from struct import Struct, unpack
from typing import BinaryIO, Final

from attrs import frozen

_HEADER: Final = Struct(">8I")
_FRAME_HEADER: Final = Struct(">6I")
_MAGIC: Final = 0x377F0682
"""Its lowest bit says in which byte order the checksums are computed."""

_SECTOR: Final = 512
"""What a disk writes as a whole, at least."""


@frozen(kw_only=True)
class LogCheck:
    """
    What the log holds.

    :ivar readable: how many transactions SQLite will recover.
    :ivar lost: how many end behind the first frame that it will not read; one at
        most can be the work of a crash.
    """

    readable: int
    lost: int


def _checksum(order: str, data: bytes, first: int, second: int) -> tuple[int, int]:
    words = unpack(f"{order}{len(data) // 4}I", data)
    for even, odd in zip(words[::2], words[1::2], strict=True):
        first = (first + even + second) & 0xFFFFFFFF
        second = (second + odd + first) & 0xFFFFFFFF
    return first, second


def check_log(path: Path) -> LogCheck:
    """
    Read a write-ahead log without changing it.

    :raises ValueError: if its header is damaged.
    """
    try:
        log = path.open("rb")
    except FileNotFoundError:
        return LogCheck(readable=0, lost=0)
    with log:
        return _check(log)


def _check(log: BinaryIO) -> LogCheck:
    header = log.read(_HEADER.size)
    if len(header) < _HEADER.size:
        # Not begun, or a crash cut off its beginning.
        return LogCheck(readable=0, lost=0)
    if not header.strip(b"\0") and not log.read(1):
        # Grown by a crash before the first byte came. Frames come only once the
        # header is synchronised.
        return LogCheck(readable=0, lost=0)
    magic, _, page_size, _, salt_1, salt_2, first, second = _HEADER.unpack(header)
    order = ">" if magic & 1 else "<"
    if magic & ~1 != _MAGIC or (first, second) != _checksum(order, header[:24], 0, 0):
        raise ValueError("the header of its log is damaged")
    readable = lost = 0
    intact = True
    start = _HEADER.size
    while len(frame := log.read(_FRAME_HEADER.size + page_size)) > _FRAME_HEADER.size:
        _, commit_size, frame_1, frame_2, expected_1, expected_2 = _FRAME_HEADER.unpack(
            frame[: _FRAME_HEADER.size]
        )
        # Frames of an earlier use of the same log carry other salts.
        current = written = (frame_1, frame_2) == (salt_1, salt_2)
        if intact:
            whole = len(frame) == _FRAME_HEADER.size + page_size
            if whole:
                first, second = _checksum(order, frame[:8], first, second)
                first, second = _checksum(order, frame[24:], first, second)
            # The salts are not in the sum, but what it began with is: a frame that
            # fits is of this use even if its salts do not say so.
            fits = whole and (first, second) == (expected_1, expected_2)
            intact, written = current and fits, current or fits
        # Half of a header that lies across two sectors may be of an earlier use.
        torn = not intact and start % _SECTOR + _FRAME_HEADER.size > _SECTOR
        if commit_size and written and not torn:
            readable, lost = readable + intact, lost + (not intact)
        start += len(frame)
    return LogCheck(readable=readable, lost=lost)
