"""
Damaged states: read whole or refused, and left as they are.

Everything here is about files that something else than a crash has changed. What
cannot be seen is written down as well: after a power failure has taken the note of
the last version away, a log that ends with a whole transaction cannot be told from
one that lost some behind it, nor a damaged last transaction from a torn one.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random

import pytest

from cvmpair.core.batch import Batch
from cvmpair.snapshots.errors import (
    StateDamaged,
    StateError,
    StateForeign,
    StateOutdated,
    StateUnusable,
    WriteFailed,
)
from cvmpair.snapshots.sqlite import StateFile
from tests.logs import MARKER
from tests.snapshots.crashes import HEADER, LOG, NOTE, without_note
from tests.snapshots.states import (
    MARK,
    NAME,
    Content,
    Files,
    by_pin,
    content_of,
    content_of_batch,
    files_of,
    lay_out,
    opened,
    pin_number,
    put,
)

WRITES = [
    put(1, 0, 1, 2),
    put(2, 1),
    put(3, 3, 4, size=3000),
    put(4, 0),
    put(5, 5, size=6000),
    put(6, 3),
]
"""The last of them are still in the log of a state that crashed."""

MERGED = 2
"""How many of them are not."""


class Sample:
    """
    A state as files, after a crash, with what it holds after each write.
    """

    def __init__(self, directory: Path) -> None:
        state = opened(directory)
        self.history: list[Content] = [{}]
        self.ends: list[int] = []
        for number, one in enumerate(WRITES, 1):
            state.write(one, MARK)
            if number == MERGED:
                state._checkpoint("TRUNCATE")
            if number > MERGED:
                self.ends.append((directory / LOG).stat().st_size)
            self.history.append({**self.history[-1], **content_of_batch(one)})
        self.crashed = files_of(directory)
        state.close()
        self.stopped = files_of(directory)

    @property
    def content(self) -> Content:
        return self.history[-1]


@pytest.fixture(scope="module")
def sample(tmp_path_factory) -> Sample:
    return Sample(tmp_path_factory.mktemp("sample"))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "state"


def read(directory: Path, files: Files) -> Content | None:
    """
    Return what a state of these files holds, or ``None`` if it is refused; then
    nothing has changed in them.
    """
    lay_out(directory, files)
    try:
        return content_of(directory)
    except StateError:
        # SQLite may have made an empty log.
        assert {LOG: b"", **files_of(directory)} == {LOG: b"", **files}
        return None


def flips(
    files: Files, name: str, places: Iterable[int]
) -> Iterator[tuple[int, Files]]:
    """
    Yield these files with one or several bits changed in one byte.
    """
    random = Random(name)
    for place in places:
        data = bytearray(files[name])
        data[place] ^= random.choice((0x01, 0x80, 0xFF, 1 << random.randrange(8)))
        yield place, {**files, name: bytes(data)}


def some_places(data: bytes, share: float) -> list[int]:
    """
    Return a share of all positions, fewer of those with nothing around, and all of
    headers of pages and frames.
    """
    random = Random(len(data))
    return [
        at
        for at in range(len(data))
        if at % 4096 < 100
        or (at - HEADER) % 4120 < 24
        or random.random()
        < (share if data[at - 8 : at + 8].strip(b"\0") else share / 20)
    ]


def test_nothing_is_wrong_with_the_samples(sample: Sample, place: Path) -> None:
    assert read(place, sample.stopped) == sample.content
    assert read(place, sample.crashed) == sample.content
    assert read(place, without_note(sample.crashed)) == sample.content
    assert set(sample.stopped) == {NAME}
    assert set(sample.crashed) == {NAME, LOG, NOTE}


def test_every_byte_of_a_small_state(tmp_path: Path, place: Path) -> None:
    state = opened(lay_out(tmp_path / "small", {}))
    state.write(put(1, 0, 1, 2), MARK)
    state.close()
    files = files_of(tmp_path / "small")
    content = content_of(tmp_path / "small")
    outcomes = [
        read(place, damaged)
        for _, damaged in flips(files, NAME, range(len(files[NAME])))
    ]
    assert len(outcomes) == 3 * 4096
    assert all(outcome in (None, content) for outcome in outcomes)
    # Most bytes of it are unused, and to change one of those is no damage.
    assert outcomes.count(None) > 500


def test_a_flip_in_a_stopped_state(sample: Sample, place: Path) -> None:
    files = sample.stopped
    for at, damaged in flips(files, NAME, some_places(files[NAME], 0.1)):
        assert read(place, damaged) in (None, sample.content), at


def test_what_is_read_can_be_written(sample: Sample, place: Path) -> None:
    # Of the flips that do no harm to reading, none does it to what comes next.
    files, written = sample.stopped, 0
    change = put(10**9, 1, 2, 20, 21, size=5000)
    for at, damaged in flips(files, NAME, some_places(files[NAME], 0.02)):
        if read(place, damaged) is None:
            continue
        expected = sample.content
        state = StateFile(place / NAME)
        by_pin(state.read())
        try:
            state.open()
            state.write(change, MARK)
            expected = {**expected, **content_of_batch(change)}
            state.close()
        except (StateUnusable, WriteFailed):
            with pytest.raises(WriteFailed):
                state.close()
        else:
            written += 1
        assert content_of(place) == expected, at
    assert written > 100


def test_a_stopped_state_that_was_cut_off(sample: Sample, place: Path) -> None:
    whole = sample.stopped[NAME]
    lengths = {*range(0, len(whole), 37), *range(0, len(whole), 4096)}
    outcomes = {
        length: read(place, {NAME: whole[:length]}) for length in sorted(lengths)
    }
    # What is missing of the last page may be unused.
    assert all(outcomes[at] is None for at in outcomes if at <= len(whole) - 4096)
    assert all(outcome in (None, sample.content) for outcome in outcomes.values())


def test_a_flip_in_the_file_of_a_crashed_state(sample: Sample, place: Path) -> None:
    files = sample.crashed
    for at, damaged in flips(files, NAME, some_places(files[NAME], 0.05)):
        assert read(place, damaged) in (None, sample.content), at


def test_a_crashed_state_whose_file_was_cut_off(sample: Sample, place: Path) -> None:
    whole = sample.crashed[NAME]
    for length in range(0, len(whole), 131):
        damaged = {**sample.crashed, NAME: whole[:length]}
        assert read(place, damaged) in (None, sample.content), length


def test_a_flip_in_the_log_is_refused(sample: Sample, place: Path) -> None:
    for at, damaged in flips(
        sample.crashed, LOG, some_places(sample.crashed[LOG], 0.05)
    ):
        assert read(place, damaged) is None, at


def test_a_log_that_was_cut_off_is_refused(sample: Sample, place: Path) -> None:
    whole = sample.crashed[LOG]
    for length in {*range(0, len(whole), 53), *sample.ends[:-1]}:
        damaged = {**sample.crashed, LOG: whole[:length]}
        assert read(place, damaged) is None, length


def test_a_damaged_note_is_no_reason_to_refuse(sample: Sample, place: Path) -> None:
    whole = sample.crashed[NOTE]
    for at, damaged in flips(sample.crashed, NOTE, range(len(whole))):
        assert read(place, damaged) == sample.content, at
        assert read(place, {**sample.crashed, NOTE: whole[:at]}) == sample.content, at


def test_a_flip_in_the_log_after_a_power_failure(sample: Sample, place: Path) -> None:
    files = without_note(sample.crashed)
    last = sample.ends[-2]
    for at, damaged in flips(files, LOG, some_places(files[LOG], 0.05)):
        # In the last transaction it looks like a write that the failure has torn.
        allowed = (None,) if at < last else (None, sample.history[-2])
        assert read(place, damaged) in allowed, at


def test_a_log_that_was_cut_off_after_a_power_failure(
    sample: Sample, place: Path
) -> None:
    # It looks as if the failure had come earlier: what is left is whole, but old.
    files = without_note(sample.crashed)
    for length in {*range(0, len(files[LOG]), 53), *sample.ends}:
        whole = sum(end <= length for end in sample.ends)
        damaged = {**files, LOG: files[LOG][:length]}
        assert read(place, damaged) == sample.history[MERGED + whole], length


def refusal(directory: Path, files: Files) -> StateError:
    """
    Return why a daemon will not start with these files.
    """
    lay_out(directory, files)
    state = StateFile(directory / NAME)
    with pytest.raises(StateError) as caught:  # noqa: PT012
        state.create(MARK)
        list(state.read())
    assert {LOG: b"", **files_of(directory)} == {LOG: b"", **files}
    text = str(caught.value)
    assert "\n" not in text
    assert str(directory / NAME) in text or isinstance(caught.value, StateUnusable)
    return caught.value


def test_a_log_that_was_removed(sample: Sample, place: Path) -> None:
    files = {name: one for name, one in sample.crashed.items() if name != LOG}
    error = refusal(place, files)
    assert isinstance(error, StateOutdated)
    assert f"remove {place / NOTE} to go on without them" in str(error)
    # Which is what an operator may decide.
    assert read(place, without_note(files)) == sample.history[MERGED]


def test_a_file_that_was_removed(sample: Sample, place: Path) -> None:
    for name in (LOG, NOTE):
        error = refusal(place, {name: sample.crashed[name]})
        assert isinstance(error, StateDamaged)
        assert "it is missing" in str(error)


def test_an_older_file_in_its_place(
    tmp_path: Path, sample: Sample, place: Path
) -> None:
    state = opened(lay_out(tmp_path / "older", {}))
    state.write(put(1, 0, 1), MARK)
    state.close()
    older = files_of(tmp_path / "older")
    # The log may have all pages that matter.
    assert read(place, {**sample.crashed, **older}) in (None, sample.content)
    error = refusal(place, {**older, NOTE: sample.crashed[NOTE]})
    assert isinstance(error, StateOutdated)
    # After an orderly stop nothing stands in the way of a backup.
    assert set(read(place, older) or {}) == {pin_number(0), pin_number(1)}


def test_an_empty_file(sample: Sample, place: Path) -> None:
    for files in ({NAME: b""}, {**sample.crashed, NAME: b""}):
        error = refusal(place, files)
        assert isinstance(error, StateDamaged)
        assert "it is empty" in str(error)


def other_database(path: Path, *statements: str) -> Files:
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    connection.close()
    return {NAME: path.read_bytes()}


def test_something_else(tmp_path: Path, place: Path) -> None:
    files = other_database(tmp_path / "other", "CREATE TABLE sesame (value)")
    error = refusal(place, files)
    assert isinstance(error, StateForeign)
    assert "not a state file of cvmpair" in str(error)
    for content in (b"sesame", b"sesame\n" * 1000):
        assert isinstance(refusal(place, {NAME: content}), StateDamaged)


def test_a_later_format(tmp_path: Path, sample: Sample, place: Path) -> None:
    path = lay_out(tmp_path / "later", sample.stopped) / NAME
    files = other_database(path, "PRAGMA user_version = 3")
    error = refusal(place, files)
    assert isinstance(error, StateForeign)
    assert "has format 3" in str(error)
    assert "knows no later one than format 2" in str(error)


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("DELETE FROM state", "its summary is missing"),
        ("UPDATE state SET version = version + 1", "its summary does not fit"),
        ("UPDATE state SET seal = 0", "its summary does not fit"),
        ("DELETE FROM clusters WHERE pin LIKE '%1'", "it holds 5 of 6 clusters"),
        ("UPDATE clusters SET checksum = 1 + checksum", "a cluster does not fit"),
        ("UPDATE clusters SET record = '[]'", "a cluster does not fit"),
        ("UPDATE clusters SET pin = 'A' || pin", "wrong type"),
        ("DROP TABLE clusters", "no such table"),
        ("ALTER TABLE state DROP COLUMN seal", "no such column"),
        (
            "UPDATE clusters SET record = CAST(x'ff' || record AS TEXT)",
            "text is broken",
        ),
    ],
)
def test_what_somebody_else_did(
    tmp_path: Path, sample: Sample, place: Path, statement: str, reason: str
) -> None:
    path = lay_out(tmp_path / "changed", sample.stopped) / NAME
    error = refusal(place, other_database(path, statement))
    assert isinstance(error, StateDamaged)
    assert reason in str(error)
    # SQLite's module quotes text that it cannot decode.
    assert MARKER not in str(error)
    assert pin_number(1) not in str(error)


@pytest.mark.parametrize(
    "record",
    [
        f'["{MARKER}", 1, 1]',
        f'[1.0,2.0,1,["{MARKER}",1,1]]',
        # It says the same as one that would do, but a key is not found in it.
        f'[1.0,2.0,1, ["{MARKER}","one",1]]',
    ],
)
def test_a_record_that_fits_but_makes_no_sense(
    tmp_path: Path, place: Path, record: str
) -> None:
    state = opened(lay_out(tmp_path / "odd", {}))
    odd = {pin_number(0): record}
    state.write(Batch(version=1, clusters=odd, journal={}), MARK)
    state.close()
    error = refusal(place, files_of(tmp_path / "odd"))
    assert isinstance(error, StateDamaged)
    assert MARKER not in str(error)


def test_a_directory_in_its_place(place: Path) -> None:
    lay_out(place, {})
    (place / NAME).mkdir()
    with pytest.raises(StateUnusable):
        list(StateFile(place / NAME).read())
