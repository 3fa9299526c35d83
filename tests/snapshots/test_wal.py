"""
The log: no crash makes a state refused, and nothing else goes unseen.
"""

import sqlite3
import struct
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from cvmpair.snapshots.errors import StateDamaged
from cvmpair.snapshots.sqlite import StateFile
from cvmpair.snapshots.wal import LogCheck, check_log
from tests.snapshots.crashes import (
    HEADER,
    LOG,
    torn_merges,
    torn_writes,
    without_note,
)
from tests.snapshots.states import (
    MARK,
    NAME,
    Content,
    Files,
    batch,
    cluster,
    content_of,
    files_of,
    lay_out,
    opened,
    pin_number,
    put,
)

FRAME = 24 + 4096


class Life:
    """
    The life of a state: writes, merges, ends and crashes, each of which is looked
    at as every kind of crash would leave it.
    """

    def __init__(self, directory: Path, random: Random) -> None:
        self.random = random
        self.here = lay_out(directory / "here", {})
        self.there = lay_out(directory / "there", {})
        self.model: Content = {}
        self.version = 0
        self.looked = 0
        self.open()

    def open(self) -> None:
        self.state = opened(self.here)
        # Now and then so few that pages go into the log before the transaction ends.
        pages = self.random.choice((5, 1000))
        self.state._execute(f"PRAGMA cache_size = {pages}")

    def expect(self, files: Files, *allowed: Content) -> None:
        self.looked += 1
        assert content_of(lay_out(self.there, files)) in allowed

    def write(self) -> None:
        random = self.random
        numbers = random.sample(range(12), random.randint(1, 4))
        self.version += 1
        changes = {
            pin_number(number): random.choice(
                [
                    None,
                    *[cluster(number, self.version, random.choice((9, 900, 9000)))] * 3,
                ]
            )
            for number in numbers
        }
        before, old = files_of(self.here), self.model
        self.state.write(batch(self.version, changes), MARK)
        after = files_of(self.here)
        self.model = {pin: one for pin, one in {**old, **changes}.items() if one}
        for files in torn_writes(random, before, after):
            whole = files[LOG] == after[LOG]
            self.expect(files, self.model if whole else old)
            self.expect(without_note(files), self.model if whole else old)
        self.expect(after, self.model)

    def merge(self) -> None:
        before = files_of(self.here)
        self.state._checkpoint("PASSIVE")
        for files in torn_merges(self.random, before, files_of(self.here)):
            self.expect(files, self.model)

    def end(self) -> None:
        before = files_of(self.here)
        self.state.close()
        after = files_of(self.here)
        assert list(after) == [NAME]
        for files in torn_merges(self.random, before, after):
            self.expect(files, self.model)
        self.open()

    def crash(self) -> None:
        """
        Lose the power in the middle of a write, and go on with what is left.
        """
        before = files_of(self.here)
        self.version += 1
        self.state.write(put(self.version, *range(6), size=9000), MARK)
        images = [*torn_writes(self.random, before, files_of(self.here))]
        self.state.close()
        left = without_note(self.random.choice(images))
        lay_out(self.here, left)
        before = files_of(self.here)
        self.model = content_of(self.here)
        self.open()
        for files in torn_merges(self.random, before, files_of(self.here)):
            self.expect(files, self.model)


@pytest.mark.parametrize("seed", range(4))
def test_no_crash_makes_a_state_refused(tmp_path: Path, seed: int) -> None:
    life = Life(tmp_path, Random(seed))
    steps = [life.write] * 14 + [life.merge] * 3 + [life.end] + [life.crash] * 2
    for _ in range(80):
        life.random.choice(steps)()
    life.state.close()
    assert content_of(life.here) == life.model
    assert life.looked > 600


def test_two_torn_writes_in_a_row(tmp_path: Path) -> None:
    # The end of the first one must not lie in the log behind the second one: they
    # would look like two writes that were lost.
    files: Files = {}
    for version in (1, 2):
        state = opened(lay_out(tmp_path / f"run{version}", files))
        state.write(put(version, version), MARK)
        begun = files_of(state.path.parent)
        state.write(put(version + 10, *range(10, 16), size=9000 // version), MARK)
        torn = bytearray(files_of(state.path.parent)[LOG])
        torn[len(begun[LOG]) + 100] ^= 1
        files = {**begun, LOG: bytes(torn)}
        state.close()
    assert set(content_of(lay_out(tmp_path / "end", files))) == {
        pin_number(1),
        pin_number(2),
    }


# The rest compares with SQLite itself, on a database that counts its transactions.


class Counted:
    """
    A database whose one number is that of its transactions.
    """

    def __init__(self, directory: Path) -> None:
        self.path = directory / NAME
        self.connection = sqlite3.connect(self.path, isolation_level=None)
        for statement in (
            "PRAGMA journal_mode = WAL",
            "PRAGMA wal_autocheckpoint = 0",
            "CREATE TABLE counted (number)",
            "CREATE TABLE filling (content)",
            "INSERT INTO counted VALUES (0)",
            "PRAGMA wal_checkpoint(TRUNCATE)",
        ):
            self.connection.execute(statement)
        self.number = 0
        self.before_log = 0

    def commit(self, size: int) -> None:
        old = self.files().get(LOG, b"")
        self.connection.execute("BEGIN")
        self.connection.execute("UPDATE counted SET number = number + 1")
        if size:
            self.connection.execute(
                "INSERT INTO filling VALUES (randomblob(?))", (size,)
            )
        self.connection.execute("COMMIT")
        if self.files()[LOG][:HEADER] != old[:HEADER]:
            self.before_log = self.number
        self.number += 1

    def files(self) -> Files:
        return files_of(self.path.parent)


def recovered(directory: Path) -> int:
    """
    Return the number of transactions that SQLite finds.
    """
    connection = sqlite3.connect(directory / NAME)
    try:
        return connection.execute("SELECT number FROM counted").fetchone()[0]
    finally:
        connection.close()


@pytest.fixture
def counted(tmp_path: Path) -> Iterator[Counted]:
    counted = Counted(lay_out(tmp_path / "counted", {}))
    yield counted
    counted.connection.close()


def check(directory: Path, files: Files) -> LogCheck:
    return check_log(lay_out(directory / "copy", files) / LOG)


@pytest.mark.parametrize("seed", range(3))
def test_it_reads_as_much_as_sqlite(
    counted: Counted, tmp_path: Path, seed: int
) -> None:
    random = Random(seed)
    for _ in range(60):
        if random.random() < 0.2:
            counted.connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        counted.commit(random.choice((0, 10, 3000, 20000)))
        files = counted.files()
        found = check(tmp_path, files)
        assert found == LogCheck(readable=counted.number - counted.before_log, lost=0)
        damaged = bytearray(files[LOG])
        damaged[random.randrange(HEADER, len(damaged))] ^= 1 << random.randrange(8)
        length = random.choice((len(damaged), random.randrange(len(damaged))))
        files = {**files, LOG: bytes(damaged[:length])}
        found = check(tmp_path, files)
        if found.readable:
            # Otherwise the number is that of the last merge, which nobody counts here.
            assert found.readable == recovered(tmp_path / "copy") - counted.before_log


def big_endian(log: bytes) -> bytes:
    """
    Return a log as a machine of the other byte order would have written it.
    """
    sums = (0, 0)

    def add(data: bytes) -> bytes:
        nonlocal sums
        first, second = sums
        for even, odd in struct.iter_unpack(">2I", data):
            first = (first + even + second) % 2**32
            second = (second + odd + first) % 2**32
        sums = first, second
        return struct.pack(">2I", first, second)

    header = struct.pack(">I", 0x377F0683) + log[4:24]
    parts = [header, add(header)]
    for start in range(HEADER, len(log), FRAME):
        frame = log[start : start + FRAME]
        add(frame[:8])
        parts += [frame[:16], add(frame[24:]), frame[24:]]
    return b"".join(parts)


def test_both_byte_orders(counted: Counted, tmp_path: Path) -> None:
    for _ in range(3):
        counted.commit(5000)
    files = {**counted.files(), LOG: big_endian(counted.files()[LOG])}
    assert check(tmp_path, files) == LogCheck(readable=3, lost=0)
    assert recovered(tmp_path / "copy") == 3


def test_no_log(tmp_path: Path) -> None:
    assert check_log(tmp_path / LOG) == LogCheck(readable=0, lost=0)


@pytest.mark.parametrize("begun", [b"", b"\x37", bytes(HEADER), b"\x37" + bytes(30)])
def test_a_log_that_was_never_begun(tmp_path: Path, begun: bytes) -> None:
    assert check(tmp_path, {LOG: begun}) == LogCheck(readable=0, lost=0)


def test_a_damaged_header(counted: Counted, tmp_path: Path) -> None:
    counted.commit(10)
    log = counted.files()[LOG]
    for position in range(HEADER):
        damaged = bytearray(log)
        damaged[position] ^= 0x10
        with pytest.raises(ValueError, match="header of its log"):
            check(tmp_path, {LOG: bytes(damaged)})
    with pytest.raises(ValueError, match="header of its log"):
        check(tmp_path, {LOG: bytes(HEADER) + log[HEADER:]})


def test_damage_before_the_last_transaction_is_seen(
    counted: Counted, tmp_path: Path
) -> None:
    ends = []
    for _ in range(4):
        counted.commit(3000)
        ends.append(len(counted.files()[LOG]))
    log = counted.files()[LOG]
    random = Random(5)
    headers = [
        start + byte for start in range(ends[1], ends[2], FRAME) for byte in range(24)
    ]
    for position in [*headers, *range(ends[1], ends[2], 41)]:
        damaged = bytearray(log)
        damaged[position] ^= 1 << random.randrange(8)
        found = check(tmp_path, {LOG: bytes(damaged)})
        assert found.readable == 2
        assert found.lost >= 2, position


def test_a_header_across_two_sectors(counted: Counted, tmp_path: Path) -> None:
    # That of frame 41 begins 8 bytes before a sector ends; there was an end of a
    # transaction in the log before, there is none now.
    while len(counted.files().get(LOG, b"")) < HEADER + 45 * FRAME:
        counted.commit(0)
    old = counted.files()[LOG]
    counted.connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
    counted.commit(200_000)
    files = counted.files()
    start = HEADER + 41 * FRAME
    assert start % 512 == 504
    assert old[start + 4 : start + 8] != files[LOG][start + 4 : start + 8]
    sector = slice(start + 8 - 512, start + 8)
    torn = bytearray(files[LOG])
    torn[sector] = old[sector]
    assert check(tmp_path, {**files, LOG: bytes(torn)}) == LogCheck(readable=0, lost=1)
    assert recovered(tmp_path / "copy") == counted.before_log


def test_a_state_with_such_a_log_is_refused(tmp_path: Path) -> None:
    state = opened(lay_out(tmp_path / "here", {}))
    for version in (1, 2, 3):
        state.write(put(version, version), MARK)
    files = files_of(tmp_path / "here")
    damaged = bytearray(files[LOG])
    damaged[len(damaged) // 2] ^= 1
    lay_out(tmp_path / "there", {**files, LOG: bytes(damaged)})
    with pytest.raises(StateDamaged, match="writes in its log cannot be read"):
        list(StateFile(tmp_path / "there" / NAME).read())
    state.close()
