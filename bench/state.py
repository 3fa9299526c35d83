"""
State directories with as many clusters as a measurement needs.

They are written by the daemon's own parts, without its API: a million clusters
would take it too long.
"""

import time
from functools import cache
from pathlib import Path
from random import Random

from attrs import frozen

from bench.servers import Expected
from cvmpair.core.book import ClusterBook
from cvmpair.core.model import Limits
from cvmpair.core.names import PIN_ALPHABET, PIN_LENGTH
from cvmpair.core.packing import count_keys, is_tombstone
from cvmpair.core.timeline import ClockMark
from cvmpair.snapshots.directory import FILE_NAME, prepare_directory
from cvmpair.snapshots.sqlite import StateFile

LIFETIME = 86400.0
AGE = LIFETIME / 2
"""The oldest of the clusters was created so many seconds ago."""

BATCH = 10_000
KEYS = 2
"""How many keys each cluster gets: what a master publishes."""

FIRST_KEY = "master_ip"
SECOND_KEY = "master_ready"


@frozen
class Prepared:
    """
    A state directory and what is in it.

    :ivar pins: of all clusters, in the order of their creation.
    """

    directory: Path
    pins: list[str]

    def first_key(self, number: int) -> Expected:
        """
        Return the request for the first key of a cluster.
        """
        return self.key(number, FIRST_KEY, address(number))

    def key(self, number: int, name: str, value: str) -> Expected:
        """
        Return the request for a key of a cluster.
        """
        path = f"/api/v1/clusters/{self.pins[number]}/keys/{name}"
        return Expected(path, f"{name}: {value}")


def address(number: int) -> str:
    """
    Return one of a million addresses of the same length.
    """
    return ".".join(
        ["10", *(str(100 + number // factor % 100) for factor in (10_000, 100, 1))]
    )


def first_text(number: int) -> str:
    """
    Return what the daemon says of the first key of a cluster.
    """
    return f"{FIRST_KEY}: {address(number)}"


def prepare(directory: Path, count: int) -> Prepared:
    """
    Write a state of ``count`` clusters with two keys each.

    PINs are drawn from a fixed seed, so each run measures the same.
    """
    random = Random(count)
    book = ClusterBook(
        Limits(clusters=count),
        lambda: "".join(random.choices(PIN_ALPHABET, k=PIN_LENGTH)),
    )
    now = time.time()
    mark = ClockMark(book=now, wall=now)
    prepare_directory(directory)
    file = StateFile(directory / FILE_NAME)
    file.create(mark)
    book.load(file.read())
    book.begin_run(file.summary.version)
    file.open()
    pins = []
    for number in range(count):
        cluster = book.create(now - AGE * (1 - number / count), LIFETIME)
        book.add_key(cluster.pin, FIRST_KEY, address(number))
        book.add_key(cluster.pin, SECOND_KEY, "true")
        pins.append(cluster.pin)
        if number % BATCH == BATCH - 1 or number == count - 1:
            file.write(book.take_changes(), mark)
            file.tidy()
    file.close()
    return Prepared(directory, pins)


@cache
def shared(directory: Path, count: int) -> Prepared:
    """
    Write such a state once for all who only read it.
    """
    return prepare(directory / f"clusters{count}", count)


def count_kept(directory: Path) -> tuple[int, int]:
    """
    Return how many clusters and how many keys the file of a state directory holds.
    """
    clusters = keys = 0
    for _, packed in StateFile(directory / FILE_NAME).read():
        if is_tombstone(packed):
            continue
        clusters += 1
        keys += count_keys(packed)
    return clusters, keys
