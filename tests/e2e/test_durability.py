"""
What is answered is on the disk before, and a full disk is survived.
"""

import re
from pathlib import Path

import pytest
from attrs import define, field

from tests.e2e.daemon import Daemon
from tests.e2e.test_faults import changes_of_all_kinds, changes_that_fill_the_log
from tests.e2e.told import LARGE, ONE, Client, crashed_state, held
from tests.e2e.tracing import (
    STATE,
    complaints,
    log_lines,
    strace,
    trace_lines,
    trace_of,
)
from tests.logs import MARKER
from tests.snapshots.states import lay_out


@define
class Disk:
    """
    Which files are on it as they were written.

    :ivar dirty: those that were written since they were last synchronised.
    :ivar answers: how many answers to changes went out.
    :ivar merges: how often the file was written.
    """

    dirty: set[str] = field(factory=set)
    answers: int = 0
    merges: int = 0
    _begun: dict[str, str] = field(factory=dict)

    def take(self, line: str) -> None:
        """
        Take notice of a line of a trace.
        """
        thread, _, text = line.partition(" ")
        call = re.match(r" *(\w+)\((?:\d+<([^>]*)>)?(.*)", text)
        if "fdatasync resumed" in text or "fsync resumed" in text:
            self._synchronised(self._begun.pop(thread), text)
        elif call is None or call[2] is None:
            pass
        elif call[1] in ("fdatasync", "fsync"):
            name = Path(call[2]).name
            if "<unfinished" in text:
                self._begun[thread] = name
            else:
                self._synchronised(name, text)
        else:
            self._changing(call[1], Path(call[2]).name, call[3])

    def _synchronised(self, name: str, text: str) -> None:
        assert text.endswith("= 0")
        self.dirty.discard(name)

    def _changing(self, call: str, name: str, rest: str) -> None:
        log = f"{STATE}-wal"
        if call == "sendto":
            if "HTTP/1.1 2" in rest:
                self.answers += 1
                # The file itself may be behind: the log has what it lacks.
                assert self.dirty <= {STATE}
            return
        begun_again = name == log and (call == "ftruncate" or ", 32, 0)" in rest)
        if begun_again:
            assert STATE not in self.dirty, "the log is gone before its content is safe"
        if name == STATE and call == "pwrite64":
            self.merges += 1
            assert log not in self.dirty, "pages are merged that may still be lost"
        if name == f"{STATE}-note":
            assert log not in self.dirty, "it is noted before it is true"
        elif name in (STATE, log) and not (call == "ftruncate" and begun_again):
            self.dirty.add(name)


@pytest.mark.parametrize("script", [changes_of_all_kinds, changes_that_fill_the_log])
def test_nothing_is_answered_before_it_is_synchronised(tmp_path: Path, script) -> None:
    files = crashed_state(lay_out(tmp_path / "saved", {}))
    directory = lay_out(tmp_path / "state", files)
    calls = "trace=pwrite64,fdatasync,fsync,ftruncate,sendto"
    trace = strace(trace_of(directory), "-y", "-s16", "-e", "signal=none", "-e", calls)
    with Daemon(directory, prefix=trace) as daemon:
        client = Client(daemon, held(directory))
        script(client)
        assert client.possible is None
        assert daemon.terminate() == 0
        lines = trace_lines(daemon)
    disk = Disk()
    for line in lines:
        disk.take(line)
    assert disk.dirty == set()
    assert disk.answers >= 10
    # At the start and at the end, and when the log is full.
    assert disk.merges > (30 if script is changes_that_fill_the_log else 2)


FULL = 300_000
"""The size that no file may exceed, in bytes."""


def test_a_full_disk(tmp_path: Path) -> None:
    files = crashed_state(lay_out(tmp_path / "saved", {}))
    directory = lay_out(tmp_path / "state", files)
    with Daemon(directory, prefix=["prlimit", f"--fsize={FULL}"]) as daemon:
        client = Client(daemon, held(directory), patient=True)
        taken = 0
        # The log is full then, but merged into the file it has room again.
        while client.refused < 2:
            client.change(LARGE, ONE, ONE, f"{MARKER}{taken:0>16000}")
            taken += 1
            assert taken < 100
        client.create()
        client.look()
        assert len(log_lines(daemon, "flush failed")) == 2
        assert len(log_lines(daemon, "recovered")) == 2
        assert daemon.terminate() == 0
    with Daemon(directory, log=daemon.log) as daemon:
        again = Client(daemon, client.check_state(directory))
        again.look()
        for number in range(20):
            again.change(LARGE, ONE, ONE, f"{MARKER}{number:0>16000}")
        again.create()
        again.look()
        assert again.possible is None


def test_a_start_on_a_full_disk(tmp_path: Path) -> None:
    files = crashed_state(lay_out(tmp_path / "saved", {}))
    directory = lay_out(tmp_path / "state", files)
    before = held(directory)
    daemon = Daemon(directory, prefix=["prlimit", "--fsize=50000"])
    daemon.spawn()
    assert daemon.wait() == 1
    (reason,) = complaints(daemon)
    assert str(directory) in reason
    with Daemon(directory, log=daemon.log) as again:
        client = Client(again, before)
        client.look()
        client.create()
        assert client.possible is None
