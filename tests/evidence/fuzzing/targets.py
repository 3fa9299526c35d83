"""
What is tried: functions of bytes that raise if something is wrong.
"""

from collections.abc import Callable, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from twisted.logger import LogEvent, LogLevel, globalLogPublisher

from cvmpair.core.book import ClusterBook
from cvmpair.core.codec import checksum, decode_record
from cvmpair.core.model import Key, Limits
from cvmpair.core.packing import (
    count_keys,
    deadline_of,
    ending_of,
    find_key,
    is_tombstone,
    pack,
    pack_tombstone,
    unpack,
    version_of,
    with_key,
)
from cvmpair.snapshots.errors import StateError
from cvmpair_agent.context.cluster import cluster_of
from cvmpair_agent.context.decoding import decode
from cvmpair_agent.context.grammar import parse
from cvmpair_agent.errors import ContextWrong
from tests.snapshots.states import (
    MARK,
    NAME,
    Content,
    Files,
    content_of,
    files_of,
    lay_out,
    opened,
    put,
)
from tests.web.test_lane_differential import KEY, PIN, Pair

CUT: Final = b"\xfe"
"""Where bytes of a connection come in another piece; no request has one."""

FLUSHED_LATER: Final = b"\xfd"
"""The first byte, if answers are to be held for a time."""


@contextmanager
def no_failure_logged():
    """
    Raise if something is logged that is no event but a failure.
    """
    failures: list[LogEvent] = []

    def observe(event: LogEvent) -> None:
        if "log_failure" in event or event.get("log_level") is LogLevel.critical:
            failures.append(event)

    globalLogPublisher.addObserver(observe)
    try:
        yield
    finally:
        globalLogPublisher.removeObserver(observe)
    assert not failures, failures


def requests(data: bytes) -> None:
    """
    Say bytes on a connection with the fast lane and on one without: what is answered,
    what becomes of the connection and of the book is the same, and no failure.
    """
    with no_failure_logged():
        pair = Pair(held=data.startswith(FLUSHED_LATER))
        for piece in data.removeprefix(FLUSHED_LATER).split(CUT):
            pair.say(piece)
        pair.flush()
        pair.change()
        pair.wait(11.0)
        pair.say(f"GET {KEY} HTTP/1.1\r\nHost: sesame\r\n\r\n".encode())
        pair.wait(70.0)
        said = pair.connections[0].transport.value()
        pair.end()
    assert b"HTTP/1.1 500 " not in said


def context(data: bytes) -> None:
    """
    Read user data as the agent does: a context, none, or one line of what is wrong.
    """
    with suppress(ContextWrong):
        text = decode(data)
        text.encode("utf-8", "surrogateescape")
        section = parse(text)
        if section is not None:
            cluster_of(section)


def record(data: bytes) -> None:
    """
    Load a record with a proper checksum: it is refused, or all agree on what it says.
    """
    text = data.decode("utf-8", "replace")
    checksum(PIN, text)
    try:
        packed = decode_record(text)
    except ValueError:
        return
    if is_tombstone(packed):
        ending = ending_of(packed)
        again = pack_tombstone(ending.reason, ending.ended, version_of(packed))
        assert ending_of(again) == ending
        assert version_of(again) == version_of(packed)
        return
    cluster = unpack(PIN, packed)
    assert unpack(PIN, pack(cluster)) == cluster
    assert deadline_of(packed) == cluster.deadline
    assert version_of(packed) == cluster.version
    assert count_keys(packed) == len(cluster.keys)
    for key in cluster.keys:
        assert find_key(packed, key.name) == cluster.find(key.name)
    new = Key(name="a" * 99, value='sesame",["', version=7)
    if cluster.find(new.name) is None:
        assert find_key(with_key(packed, new), new.name) == new
    ClusterBook(Limits()).load([(PIN, packed)])


@cache
def _good() -> tuple[TemporaryDirectory[str], Files, Content]:
    # Goes with the process.
    place = TemporaryDirectory(prefix="cvmpair-fuzzing-")
    state = opened(Path(place.name))
    state.write(put(1, *range(20), size=500), MARK)
    # What comes now is in the log only.
    state._checkpoint("TRUNCATE")
    state.write(put(2, 3, 20), MARK)
    return place, files_of(Path(place.name)), content_of(Path(place.name))


def state(data: bytes) -> None:
    """
    Load a state of which one file has these bytes in some place: it is what was
    written, or there is one line of what is wrong.

    The first byte says in which file, the next three where.
    """
    place, good, content = _good()
    name = sorted(good)[data[0] % len(good)] if data else NAME
    at = int.from_bytes(data[1:4]) % (len(good[name]) + 1)
    bad = good[name][:at] + data[4:] + good[name][at + len(data[4:]) :]
    lay_out(Path(place.name), {**good, name: bad})
    with suppress(StateError):
        assert content_of(Path(place.name)) == content


TARGETS: Final[Mapping[str, Callable[[bytes], None]]] = {
    "requests": requests,
    "context": context,
    "record": record,
    "state": state,
}
"""All of them, by the name of the folder of their corpus."""
