"""
The agent beside ``sh`` and ``curl`` that do the same exchange.

What a machine spends while it boots is the time from the start of the process to its
end, and its memory.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median

from attrs import field, frozen

from bench import servers, state
from bench.figures import Figure
from bench.plan import Plan
from bench.servers import ROOT, WrongAnswer

PLACEHOLDER = "###MASTER_IP_PLACEHOLDER###"
SCRIPT = Path(__file__).parent / "pair.sh"
USER_DATA = "var/lib/cloud/instance/user-data.txt"

TARGETS = {"pair": (0.8, 64), "apply": (0.15, None), "source": (0.15, None)}
"""For each command, the seconds and the MB that it may take."""

TIMES = 2
"""How often each runs for one repetition of anything else: it is soon over."""


@frozen
class Weight:
    """
    What each run of a command took.

    :ivar seconds: from start to end.
    :ivar memory: the largest resident set, in MB of 10^6 bytes; that of the largest
        process where there are several.
    """

    seconds: list[float] = field(factory=list)
    memory: list[float] = field(factory=list)


def measure(plan: Plan) -> list[Figure]:
    """
    Run each command in turn, again and again.

    :raises WrongAnswer: if one does not put the address where it belongs.
    """
    room = plan.room("agent")
    weights = _weigh(room, TIMES * plan.repetitions)
    figures = [_duration("`sh` and `curl` pair as a worker", weights["sh"], None)]
    for name, (seconds, memory) in TARGETS.items():
        weight = weights[name]
        figures.append(_duration(f"`cvmpair-agent {name}`", weight, seconds))
        if memory is not None:
            figures.append(
                Figure(
                    f"largest resident set of `cvmpair-agent {name}`",
                    weight.memory,
                    "{:.0f} MB",
                    at_most=memory,
                )
            )
    return figures


def _duration(what: str, weight: Weight, at_most: float | None) -> Figure:
    return Figure(
        f"start to end of {what}",
        weight.seconds,
        "{:.3f} s",
        f"{median(weight.memory):.0f} MB",
        at_most=at_most,
        raw={"MB": weight.memory},
    )


def context(pin: str, url: str) -> str:
    """
    Return the user data of a worker.
    """
    return (
        f"[ucernvm-begin]\ncvm_cluster_pin={pin}\ncvm_service_url={url}\n"
        f"[ucernvm-end]\necho {PLACEHOLDER}\n"
    )


def _weigh(room: Path, repetitions: int) -> Mapping[str, Weight]:
    prepared = state.prepare(room / "state", 1)
    root = room / "machine"
    (root / USER_DATA).parent.mkdir(parents=True)
    address = state.address(0)
    weights: dict[str, Weight] = {}
    with servers.daemon(prepared.directory) as daemon:
        daemon.wait_for(prepared.first_key(0))
        text = context(prepared.pins[0], daemon.url)
        (root / "context").write_text(text)
        for turn in range(repetitions + 1):
            for name, (words, prepare) in _commands(root, text).items():
                prepare()
                seconds, memory = _run(words, daemon.log)
                if name != "source" and address not in _user_data(root):
                    raise WrongAnswer(f"{name} did not put the address into its place")
                if turn > 0:  # the first one warms up
                    weight = weights.setdefault(name, Weight())
                    weight.seconds.append(seconds)
                    weight.memory.append(memory)
    return weights


def _commands(
    root: Path, text: str
) -> Mapping[str, tuple[Sequence[str], Callable[[], object]]]:
    agent = [sys.executable, "-m", "cvmpair_agent"]
    here = ["--root", str(root)]
    record = root / "var/lib/cvmpair-agent/pairing.json"

    def boot() -> None:
        (root / USER_DATA).write_text(text)

    def first_boot() -> None:
        boot()
        record.unlink(missing_ok=True)

    return {
        "sh": (["sh", str(SCRIPT), str(root / USER_DATA)], boot),
        "pair": ([*agent, "pair", *here, "--context-file", "/context"], first_boot),
        "apply": ([*agent, "apply", *here], boot),
        "source": (
            [*agent, "source", *here, "--context-file", "/context", "--export"],
            boot,
        ),
    }


def _user_data(root: Path) -> str:
    return (root / USER_DATA).read_text()


def _run(words: Sequence[str], log: Path) -> tuple[float, float]:
    # The kernel counts for a process what the one had that started it, so it has to be
    # a small one: GNU time, which says the peak of its child.
    peak = log.with_suffix(".peak")
    begin = time.monotonic()
    with log.open("ab") as output:
        process = subprocess.run(
            ["/usr/bin/time", "--quiet", "--format=%M", f"--output={peak}", *words],
            stdout=output,
            stderr=output,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            cwd=log.parent,
            check=False,
        )
    seconds = time.monotonic() - begin
    if process.returncode:
        raise WrongAnswer(f"{' '.join(words)} ended with {process.returncode}")
    return seconds, int(peak.read_text()) * 1024 / 1e6
