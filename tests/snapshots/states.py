"""
States to write, and state directories to look at as files.
"""

import io
import string
from collections.abc import Iterable, Mapping
from pathlib import Path

from hypothesis import strategies as st

from cvmpair.core.batch import Batch
from cvmpair.core.model import Cluster, Key
from cvmpair.core.names import PIN_ALPHABET, PIN_LENGTH, key_value
from cvmpair.core.packing import Packed, is_tombstone, pack, unpack
from cvmpair.core.timeline import ClockMark
from cvmpair.snapshots.export import ExportReader
from cvmpair.snapshots.sqlite import StateFile
from tests.logs import MARKER

NAME = "cvmpair.db"
MARK = ClockMark(book=1_000_000_000.25, wall=1_000_000_000.5)

Content = dict[str, Cluster]
"""What a state holds, by PIN."""

Files = dict[str, bytes]
"""What a directory holds, by the name of the file."""


def _is_value(text: str) -> bool:
    try:
        return key_value(text) == text
    except ValueError:
        return False


times = st.floats(min_value=-2e10, max_value=2e10, allow_nan=False)
versions = st.integers(min_value=0, max_value=2**62)
pins = st.text(PIN_ALPHABET, min_size=PIN_LENGTH, max_size=PIN_LENGTH)
key_names = st.text(
    f"{string.ascii_letters}{string.digits}_-", min_size=1, max_size=100
)
values = st.text(st.characters(codec="utf-8"), min_size=1).filter(_is_value)
keys = st.builds(Key, name=key_names, value=values, version=versions)


def clusters(pin: st.SearchStrategy[str] = pins) -> st.SearchStrategy[Cluster]:
    """
    Return all that a cluster may be.
    """
    return st.builds(
        Cluster,
        pin=pin,
        created=times,
        lifetime=st.floats(min_value=1, max_value=3650 * 86400),
        version=versions,
        keys=st.lists(keys, max_size=5, unique_by=lambda key: key.name).map(tuple),
    )


def pin_number(number: int) -> str:
    """
    Return the PIN of a test's cluster of that number.
    """
    return f"{number:0{PIN_LENGTH}}"


def cluster(number: int, version: int, size: int = 20) -> Cluster:
    """
    Return a cluster with one key.

    :param size: of its value.
    """
    value = f"{MARKER}{version}-" * size
    return Cluster(
        pin=pin_number(number),
        created=MARK.book,
        lifetime=86400.0,
        version=version,
        keys=(Key(name=MARKER, value=value[:size], version=version),),
    )


def batch(version: int, changes: Mapping[str, Cluster | None]) -> Batch:
    """
    Return these changes as a batch.
    """
    clusters = {pin: one and pack(one) for pin, one in changes.items()}
    return Batch(version=version, clusters=clusters, journal=dict.fromkeys(changes, 0))


def content_of_batch(one: Batch) -> Content:
    """
    Return the clusters of a batch that removes none.
    """
    return by_pin((pin, packed) for pin, packed in one.clusters.items() if packed)


def put(version: int, *numbers: int, size: int = 20) -> Batch:
    """
    Return a batch that creates or replaces clusters.
    """
    new = [cluster(number, version, size) for number in numbers]
    return batch(version, {one.pin: one for one in new})


def opened(directory: Path) -> StateFile:
    """
    Return the state of a directory as a daemon has it once it has started.
    """
    state = StateFile(directory / NAME)
    state.create(MARK)
    by_pin(state.read())
    state.open()
    return state


def by_pin(found: Iterable[tuple[str, Packed]]) -> Content:
    """
    Return clusters by PIN, none of which may come twice, nor what is left of others.
    """
    records: dict[str, Packed] = {}
    for pin, packed in found:
        assert pin not in records
        records[pin] = packed
    return {
        pin: unpack(pin, packed)
        for pin, packed in records.items()
        if not is_tombstone(packed)
    }


def content_of(directory: Path) -> Content:
    """
    Return what a new daemon would read.
    """
    return by_pin(StateFile(directory / NAME).read())


def files_of(directory: Path) -> Files:
    """
    Return all files of a directory, as a crash would leave them.

    The index of the log is left out: it is no part of the state, and SQLite makes
    it anew.
    """
    return {
        path.name: path.read_bytes()
        for path in directory.iterdir()
        if not path.name.endswith("-shm")
    }


def lay_out(directory: Path, files: Files) -> Path:
    """
    Have a directory hold these files and no others.
    """
    directory.mkdir(mode=0o700, exist_ok=True)
    for path in directory.iterdir():
        path.unlink()
    for name, content in files.items():
        place = directory / name
        place.touch(mode=0o600)
        place.write_bytes(content)
    return directory


def reader(data: bytes) -> ExportReader:
    """
    Return what reads an export that consists of these bytes.
    """
    return ExportReader("it", io.BytesIO(data))
