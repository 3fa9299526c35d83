"""
The disk fails: nothing that was acknowledged is lost, nobody is told a lie, and the
daemon goes on as soon as it can.

For every call by which the daemon changes its state, in turn, the real daemon runs
with a fault in that call. Calls are counted by thread, so the faults of the start
and of the end, which are made by the main thread, have runs of their own, and those
of the thread that saves begin behind as many calls as the start makes.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.daemon import CLUSTERS, Daemon
from tests.e2e.parallel import check_all
from tests.e2e.told import (
    DELETED,
    LARGE,
    LARGE_VALUE,
    ONE,
    TWO,
    UNTOUCHED,
    USED,
    Client,
    crashed_state,
    held,
)
from tests.e2e.tracing import (
    ERRORS,
    STATE,
    Call,
    Fault,
    await_start,
    calls_of,
    complaints,
    log_lines,
    reserved_port,
    trace_of,
    traced,
)
from tests.evidence.amounts import amount
from tests.logs import MARKER, new_log
from tests.snapshots.states import Files, lay_out, opened

STRIDE = amount(ci=3, full=1)
"""Every so many-th call of a kind fails."""

ERRORS_EACH = amount(ci=1, full=len(ERRORS))
"""In how many of the three ways: one after the other, or all."""

WARM_UP = 5
"""So many changes take more calls than the start."""

LARGE_CHANGES = 72
"""So many changes of the large cluster fill the log."""

AT_ONCE = os.cpu_count() or 1


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return crashed_state(tmp_path_factory.mktemp("saved"))


def faults_in(calls: Iterable[Call]) -> list[Fault]:
    """
    Return the failures that these calls may have: of every ``STRIDE``-th call of each
    kind, and of the last.
    """
    numbers: dict[str, list[int]] = {}
    for name, number in sorted({(call.name, call.number) for call in calls}):
        numbers.setdefault(name, []).append(number)
    faults = [
        Fault(name, number, (ERRORS * 2)[place % len(ERRORS) + way])
        for name, all_of_it in numbers.items()
        for place, number in enumerate(sorted({*all_of_it[::STRIDE], all_of_it[-1]}))
        for way in range(ERRORS_EACH)
    ]
    cells = Counter(f"{fault.call} {fault.error}" for fault in faults)
    print(f"{cells.total()} faults: {dict(cells)}")
    return faults


def changes_of_all_kinds(client: Client) -> None:
    for _ in range(WARM_UP):
        client.create()
    client.create()
    client.add(USED, f"{MARKER}-four", f"{MARKER} 4")
    client.change(USED, ONE, f"{MARKER}-renamed", f"{MARKER} changed")
    client.delete_key(USED, TWO)
    client.delete(DELETED)


def changes_that_fill_the_log(client: Client) -> None:
    for number in range(LARGE_CHANGES):
        client.change(LARGE, ONE, ONE, f"{number:0>{LARGE_VALUE}}")
    client.create()
    client.create()


def end(daemon: Daemon, fault: Fault | None) -> None:
    """
    End the daemon in order if the fault is still to come, else in one way or the
    other.
    """
    happened = "(INJECTED)" in trace_of(daemon.state_dir).read_text()
    if fault is not None and happened and fault.number % 2:
        daemon.kill()
    else:
        assert daemon.terminate() == 0
    assert complaints(daemon) == []


def start_again(client: Client, directory: Path) -> None:
    """
    See whether a start without faults finds all that it has to, and goes on.
    """
    known = client.check_state(directory)
    log = new_log(f"{directory.name}-again")
    with reserved_port() as port, Daemon(directory, port=port, log=log) as daemon:
        again = Client(daemon, known)
        again.look()
        again.create()
        again.change(UNTOUCHED, ONE, ONE, f"{MARKER} again")
        again.look()
        assert again.possible is None


def run(
    directory: Path, script: Callable[[Client], None], fault: Fault | None = None
) -> list[Call]:
    """
    Run a script against a daemon with a fault, check what has to hold, and return
    the calls.
    """
    with traced(directory, f"{directory.name}-run", fault) as daemon:
        client = Client(daemon, held(directory), patient=True)
        daemon.start()
        script(client)
        client.await_recovery()
        client.look()
        if script is changes_of_all_kinds:
            # Each flush was for a change, whose client may not hear of a success.
            assert client.refused == len(log_lines(daemon, "flush failed"))
        end(daemon, fault)
        failures = log_lines(daemon, "flush failed")
        assert client.refused <= len(failures) <= (fault is not None)
        recoveries = log_lines(daemon, "recovered")
        # Only one that nobody was told of may have come too late for that.
        assert client.refused <= len(recoveries) <= len(failures)
        calls = calls_of(daemon)
    start_again(client, directory)
    return calls


def calls_of_saving(calls: list[Call]) -> list[Call]:
    """
    Return those of the thread that saves.
    """
    # The main thread comes first, and there is one other.
    main, _ = dict.fromkeys(call.thread for call in calls)
    return [call for call in calls if call.thread != main]


def run_with_all_faults(
    tmp_path: Path,
    saved: Files,
    script: Callable[[Client], None],
    choose: Callable[[list[Call]], list[Call]],
) -> None:
    calls = run(lay_out(tmp_path / "counted", saved), script)
    assert not any(call.failed for call in calls)
    saving = calls_of_saving(calls)
    chosen = choose(saving)
    at_start = calls[: calls.index(saving[0])]
    for call in chosen:
        assert call.number > sum(one.name == call.name for one in at_start)

    def check(fault: Fault) -> None:
        directory = lay_out(tmp_path / f"{script.__name__}-{fault}", saved)
        assert any(call.failed for call in run(directory, script, fault))

    check_all(faults_in(chosen), check, AT_ONCE)


def after_warm_up(calls: list[Call]) -> list[Call]:
    """
    Return the calls of the changes that count, of those of the thread that saves.
    """
    notes = [at for at, call in enumerate(calls) if call.path.endswith("-note")]
    return calls[notes[WARM_UP - 1] + 1 :]


def from_merge_on(calls: list[Call]) -> list[Call]:
    """
    Return the calls of a merge and of the change after it, likewise.
    """
    paths = [call.path.rpartition("/")[2] for call in calls]
    # Before it writes to the file, it synchronises the log once more.
    first = paths.index(STATE) - 1
    # The change after that begins the log again.
    last = paths.index(f"{STATE}-note", first)
    # The start has set the length of files more often, so that is for its test.
    return [call for call in calls[first:last] if call.name != "ftruncate"]


def test_a_fault_in_each_call_of_a_change(tmp_path: Path, saved: Files) -> None:
    run_with_all_faults(tmp_path, saved, changes_of_all_kinds, after_warm_up)


def test_a_fault_in_each_call_of_a_merge(tmp_path: Path, saved: Files) -> None:
    run_with_all_faults(tmp_path, saved, changes_that_fill_the_log, from_merge_on)


def start_and_stop(
    files: Files | None, directory: Path, fault: Fault | None = None
) -> list[Call]:
    """
    Start a daemon with a fault, stop it if it starts, and look at what it left.
    """
    before = {} if files is None else held(lay_out(directory, files))
    with traced(directory, f"{directory.name}-start", fault) as daemon:
        daemon.spawn()
        if await_start(daemon):
            # It has to be running to be stopped in order.
            assert daemon.request("GET", CLUSTERS).status == 405
            assert daemon.terminate() == 0
            assert complaints(daemon) == []
        else:
            assert daemon.wait() == 1
            (reason,) = complaints(daemon)
            assert str(directory) in reason
        calls = calls_of(daemon)
    opened(directory).close()
    assert held(directory) == before
    return calls


@pytest.mark.parametrize("kind", ["new", "crashed"])
def test_a_fault_in_each_call_of_start_and_end(
    tmp_path: Path, saved: Files, kind: str
) -> None:
    run = partial(start_and_stop, saved if kind == "crashed" else None)
    calls = run(tmp_path / "counted")

    def check(fault: Fault) -> None:
        assert any(call.failed for call in run(tmp_path / f"{kind}-{fault}", fault))

    check_all(faults_in(calls), check, AT_ONCE)
