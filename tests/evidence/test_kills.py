"""
The daemon is killed before each call by which it opens or changes its state, in turn,
and after each a start finds what clients were told.

As in ``test_faults``, calls are counted by thread: those of the start and of the end
have runs of their own.
"""

import http.client
import signal
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.e2e.daemon import Daemon
from tests.e2e.parallel import check_all
from tests.e2e.test_faults import (
    AT_ONCE,
    after_warm_up,
    calls_of_saving,
    changes_of_all_kinds,
    changes_that_fill_the_log,
    from_merge_on,
    start_again,
)
from tests.e2e.told import Client, crashed_state, held
from tests.e2e.tracing import KILL, Call, Fault, await_start, calls_of, traced
from tests.evidence.amounts import amount
from tests.snapshots.states import Files, lay_out

STRIDE = amount(ci=50, full=1)
"""It is killed at every so many-th call of a kind, and at the last."""

Script = Callable[[Client], None]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return crashed_state(tmp_path_factory.mktemp("saved"))


def no_changes(client: Client) -> None:
    assert client.possible is None


def kills_in(calls: list[Call]) -> list[Fault]:
    numbers: dict[str, list[int]] = {}
    for call in dict.fromkeys((call.name, call.number) for call in calls):
        numbers.setdefault(call[0], []).append(call[1])
    kills = [
        Fault(name, number, KILL)
        for name, all_of_it in numbers.items()
        for number in sorted({*all_of_it[::STRIDE], all_of_it[-1]})
    ]
    print(f"{len(kills)} kills: {dict(Counter(kill.call for kill in kills))}")
    return kills


def live(
    directory: Path, script: Script, kill: Fault | None = None
) -> tuple[Client, list[Call]]:
    """
    Have a daemon start, do what a script says and stop, unless it is killed before;
    return the client and the calls.
    """
    with traced(directory, f"{directory.name}-life", kill) as daemon:
        client = Client(daemon, held(directory) if directory.exists() else {})
        daemon.spawn()
        with suppress(OSError, http.client.HTTPException):
            if await_start(daemon):
                script(client)
                # It has to be running to be stopped in order.
                client.look()
                daemon.process.send_signal(signal.SIGTERM)
        assert daemon.wait() == (0 if kill is None else -signal.SIGKILL)
        return client, calls_of(daemon)


@pytest.mark.parametrize(
    ("script", "choose"),
    [
        (changes_of_all_kinds, lambda calls: after_warm_up(calls_of_saving(calls))),
        (
            changes_that_fill_the_log,
            lambda calls: from_merge_on(calls_of_saving(calls)),
        ),
        (no_changes, lambda calls: calls),
    ],
    ids=["changes", "merge", "start and stop"],
)
def test_killed_at_each_call(
    tmp_path: Path,
    saved: Files,
    script: Script,
    choose: Callable[[list[Call]], list[Call]],
) -> None:
    _, calls = live(lay_out(tmp_path / "counted", saved), script)

    def check(kill: Fault) -> None:
        directory = lay_out(tmp_path / str(kill), saved)
        client, _ = live(directory, script, kill)
        start_again(client, directory)

    check_all(kills_in(choose(calls)), check, AT_ONCE)


def test_killed_at_each_call_of_the_first_start(tmp_path: Path) -> None:
    _, calls = live(tmp_path / "counted", no_changes)

    def check(kill: Fault) -> None:
        directory = tmp_path / str(kill)
        live(directory, no_changes, kill)
        # The state may be there or not, and the next start is to do the rest.
        with Daemon(directory) as daemon:
            client = Client(daemon, {})
            client.create()
            assert daemon.terminate() == 0
        assert held(directory) == client.known

    check_all(kills_in(calls), check, AT_ONCE)
