"""
What a crash may leave of a state that was being written.

The end of a process leaves a beginning of the bytes that it was writing. A power
failure leaves of all sectors that were not synchronised some as they were before
and some as they are after, and may not have seen the end of the file; but what was
synchronised before the first of them was written is there.
"""

from collections.abc import Iterator
from random import Random

from tests.snapshots.states import NAME, Files

LOG = f"{NAME}-wal"
NOTE = f"{NAME}-note"
HEADER = 32
"""The size of the header of the log, which is synchronised before the first frame."""

_SECTOR = 512


def cut(before: bytes, after: bytes, length: int) -> bytes:
    """
    Return what is there when only so many bytes were written.
    """
    return after[:length] + before[length:]


def mixed(random: Random, before: bytes, after: bytes) -> bytes:
    """
    Return some sectors as they were and some as they are.
    """
    size = max(len(before), len(after))
    old, new = before.ljust(size, b"\0"), after.ljust(size, b"\0")
    mixture = b"".join(
        random.choice((old, new))[start : start + _SECTOR]
        for start in range(0, size, _SECTOR)
    )
    return mixture[: random.randint(min(len(before), len(after)), size)]


def torn_writes(random: Random, before: Files, after: Files) -> Iterator[Files]:
    """
    Yield what crashes may leave while a transaction goes into the log, and before
    it is noted; the last is the one where it is all there.
    """
    old, new = before.get(LOG, b""), after[LOG]
    if old[:HEADER] != new[:HEADER]:
        for length in (random.randrange(HEADER), HEADER):
            # Of a new log. That of an old one is within one sector.
            yield {**before, LOG: new[:length] if not old else cut(old, new, HEADER)}
        yield {**before, LOG: old or bytes(HEADER)}
        old = cut(old, new, HEADER)
    changed = [at for at in range(len(new)) if old[at : at + 1] != new[at : at + 1]]
    for _ in range(3):
        yield {**before, LOG: cut(old, new, random.choice(changed))}
        yield {**before, LOG: mixed(random, old, new)}
    yield {**before, LOG: new}


def torn_merges(random: Random, before: Files, after: Files) -> Iterator[Files]:
    """
    Yield what crashes may leave while the log is merged into the file, or after.
    """
    new = after[NAME]
    for _ in range(3):
        yield {**before, NAME: mixed(random, before[NAME], new)}
    yield {**before, NAME: new}
    if not after.get(LOG):
        yield {**before, NAME: new, LOG: b""}
        yield {name: one for name, one in before.items() if name != LOG} | {NAME: new}
    yield after


def without_note(files: Files) -> Files:
    """
    Return these files with a note that a power failure has lost.
    """
    return {name: one for name, one in files.items() if name != NOTE}
