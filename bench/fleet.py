"""
Agents that wait for one master: how soon after its word the last one is done.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from json import loads
from pathlib import Path

from attrs import Factory, frozen

from bench import servers
from bench.agent import PLACEHOLDER, USER_DATA, context
from bench.figures import Figure
from bench.plan import FULL, Plan
from bench.servers import PATIENCE, ROOT, Expected, Server, WrongAnswer
from bench.speed import CLUSTERS

ADDRESS = "10.0.0.1"
TARGETS = {1: 0.05, FULL["agents"]: 2.0}
"""For each number of agents, the seconds."""

FILE = "the file of one waiting agent"
FORMS = {1: "{:.3f} s"}


@frozen
class Fleet:
    """
    What was measured of some agents, a value for each turn.

    :ivar patched: seconds from the master's word to the last file in its place.
    :ivar ended: to the end of the last process.
    """

    patched: list[float] = Factory(list)
    ended: list[float] = Factory(list)


def measure(plan: Plan) -> list[Figure]:
    """
    Let one agent wait, and many, in turn.

    :raises WrongAnswer: if one does not wait, fails, or patches nothing.
    """
    room = plan.room("fleet")
    fleets = {1: Fleet(), plan.agents: Fleet()}
    with servers.daemon(room / "state") as daemon:
        daemon.wait_for(Expected(CLUSTERS, method="POST", status=201))
        for turn in range(plan.repetitions):
            for count, fleet in fleets.items():
                _pair(daemon, room / f"{turn}-{count}", count, fleet)
    return [_figure(count, fleet) for count, fleet in fleets.items()]


def _figure(count: int, fleet: Fleet) -> Figure:
    files = f"the last of {count} waiting agents' files" if count > 1 else FILE
    return Figure(
        f"`master_ready` sent to {files} patched",
        fleet.patched,
        FORMS.get(count, "{:.2f} s"),
        at_most=TARGETS.get(count),
        raw={"until all processes ended": fleet.ended},
    )


def _pair(daemon: Server, room: Path, count: int, fleet: Fleet) -> None:
    created = daemon.check(Expected(CLUSTERS, method="POST", status=201))
    pin = loads(created)["pin"]
    keys = f"{CLUSTERS}/{pin}/keys"
    publish(daemon, keys, "master_ip", ADDRESS)
    machines = [_machine(room / str(n), pin, daemon.url) for n in range(count)]
    with ExitStack() as stack:
        running = [stack.enter_context(_agent(machine)) for machine in machines]
        wait_until_all_wait(daemon, running)
        begin = time.time()
        publish(daemon, keys, "master_ready", "true")
        for process in running:
            if process.wait(PATIENCE):
                raise WrongAnswer(f"an agent ended with {process.returncode}")
        fleet.ended.append(time.time() - begin)
    files = [machine / USER_DATA for machine in machines]
    for file in files:
        if f"echo {ADDRESS}\n" not in file.read_text():
            raise WrongAnswer(f"an agent left {PLACEHOLDER} in its file")
    # A file gets its name when it is whole, and that changes its status. The kernel
    # stamps it with its last tick, which may be four milliseconds ago.
    fleet.patched.append(max(file.stat().st_ctime for file in files) - begin)


def publish(daemon: Server, path: str, key: str, value: str) -> None:
    """
    Add a key, as a master does.
    """
    form = f"key={key}&value={value}"
    daemon.check(Expected(path, method="POST", status=201, form=form))


def _machine(root: Path, pin: str, url: str) -> Path:
    (root / USER_DATA).parent.mkdir(parents=True)
    for file in (root / "context", root / USER_DATA):
        file.write_text(context(pin, url))
    return root


@contextmanager
def _agent(root: Path) -> Iterator[subprocess.Popen[bytes]]:
    words = [sys.executable, "-m", "cvmpair_agent", "pair", "--root", str(root)]
    with (root / "log").open("wb") as log:
        process = subprocess.Popen(
            [*words, "--context-file", "/context"],
            stdout=log,
            stderr=log,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            cwd=root,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def wait_until_all_wait(
    daemon: Server, running: Sequence[subprocess.Popen[bytes]]
) -> None:
    """
    Wait until all agents hold a connection, which one that does not wait only does for
    a moment.

    :raises WrongAnswer: if one ends, or they take too long.
    """
    deadline = time.monotonic() + PATIENCE
    seen = 0
    while seen < 5:
        time.sleep(0.1)
        waiting = daemon.connections()
        seen = seen + 1 if waiting >= len(running) else 0
        if time.monotonic() > deadline or any(p.poll() is not None for p in running):
            raise WrongAnswer(f"only {waiting} of {len(running)} agents wait")
