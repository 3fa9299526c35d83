"""
What was measured, as a table in Markdown.
"""

import os
import platform
import sqlite3
import subprocess
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import median

from attrs import frozen

from bench.agent import Weight
from bench.load import CONNECTIONS
from bench.size import Size
from bench.speed import Comparison, Speed
from cvmpair import __version__

GET_TARGET = 0.4
POST_TARGET = 0.2
MEMORY_TARGET = 600
MEMORY_TARGET_CLUSTERS = 1_000_000
AGENT_TARGETS = {"pair": (0.8, 64), "apply": (0.15, None), "source": (0.15, None)}
"""For each command, the seconds and the MB that it may take."""

_HEAD = ("measured", "median", "spread", "in numbers", "target", "reached")


@frozen
class Row:
    """
    One line of the table.

    :ivar at_most: the target, if it is a bound from above; likewise ``at_least``.
    """

    measured: str
    values: Sequence[float]
    form: str
    numbers: str = ""
    at_least: float | None = None
    at_most: float | None = None

    def cells(self) -> tuple[str, ...]:
        """
        Return the texts of its cells.
        """
        middle = median(self.values)
        target = reached = ""
        if self.at_least is not None:
            target = f"≥ {self.form.format(self.at_least)}"
            reached = "yes" if middle >= self.at_least else "NO"
        if self.at_most is not None:
            target = f"≤ {self.form.format(self.at_most)}"
            reached = "yes" if middle <= self.at_most else "NO"
        low, high = (self.form.format(f(self.values)) for f in (min, max))
        spread = f"{low} to {high}" if len(self.values) > 1 else "one run"
        median_text = self.form.format(middle)
        return self.measured, median_text, spread, self.numbers, target, reached


def speed_rows(speed: Speed) -> list[Row]:
    """
    Return the ratios, below what they are ratios to.
    """
    bare = [
        load
        for comparison in (speed.get, speed.post, speed.create)
        for load, _ in comparison.pairs
    ]
    cpu = median(load.cpu_microseconds for load in bare)
    return [
        Row(
            "requests/s of a bare `twisted.web` resource",
            [load.rate for load in bare],
            "{:,.0f}",
            f"{cpu:.0f} µs of CPU a request",
        ),
        _ratio("GET of a key", speed.get, GET_TARGET),
        _ratio("POST of a key, synced", speed.post, POST_TARGET),
        _ratio("creation of a cluster, synced", speed.create, None),
    ]


def _ratio(what: str, comparison: Comparison, at_least: float | None) -> Row:
    loads = [daemon for _, daemon in comparison.pairs]
    rate = median(load.rate for load in loads)
    cpu = median(load.cpu_microseconds for load in loads)
    return Row(
        f"{what}, ratio to it",
        comparison.ratios,
        "{:.2f}",
        f"{rate:,.0f}/s, {cpu:.0f} µs of CPU a request",
        at_least=at_least,
    )


def size_rows(size: Size) -> list[Row]:
    """
    Return memory and start-up time.
    """
    what = f"{size.clusters:,} clusters of two keys"
    bounded = size.clusters == MEMORY_TARGET_CLUSTERS
    return [
        Row(
            f"resident set with {what}",
            size.memory,
            "{:.0f} MB",
            at_most=MEMORY_TARGET if bounded else None,
        ),
        Row(f"start to first answer with {what}", size.seconds, "{:.2f} s"),
    ]


def agent_rows(weights: Mapping[str, Weight]) -> list[Row]:
    """
    Return what the agent takes, below what ``sh`` and ``curl`` take.
    """
    shell = weights["sh"]
    rows = [_duration("`sh` and `curl` pair as a worker", shell, None)]
    for name, (seconds, memory) in AGENT_TARGETS.items():
        weight = weights[name]
        rows.append(_duration(f"`cvmpair-agent {name}`", weight, seconds))
        if memory is not None:
            rows.append(
                Row(
                    f"largest resident set of `cvmpair-agent {name}`",
                    weight.memory,
                    "{:.0f} MB",
                    at_most=memory,
                )
            )
    return rows


def _duration(what: str, weight: Weight, at_most: float | None) -> Row:
    memory = median(weight.memory)
    return Row(
        f"start to end of {what}",
        weight.seconds,
        "{:.3f} s",
        f"{memory:.0f} MB",
        at_most=at_most,
    )


def table(rows: Sequence[Row]) -> str:
    """
    Return the table.
    """
    lines = [_HEAD, ("---",) * len(_HEAD), *(row.cells() for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def surroundings(directory: Path, *, seconds: int, repetitions: int) -> str:
    """
    Return what the figures depend on, in some lines.
    """
    packages = ", ".join(f"{name} {version(name)}" for name in ("Twisted", "klein"))
    return "\n".join(
        [
            f"cvmpair {__version__}, Python {platform.python_version()}, "
            f"{packages}, SQLite {sqlite3.sqlite_version}, {_wrk()}",
            f"{_processor()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} "
            f"before; one fsync takes {_sync_milliseconds(directory):.2f} ms",
            f"{repetitions} runs of {seconds} s over {CONNECTIONS} connections each, "
            "the bare resource and the daemon in turn",
        ]
    )


def _wrk() -> str:
    output = subprocess.run(
        ["wrk", "--version"], check=False, capture_output=True, text=True
    ).stdout
    return " ".join(output.split()[:2])


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _sync_milliseconds(directory: Path) -> float:
    durations = []
    with (directory / "sync").open("wb", buffering=0) as file:
        for _ in range(20):
            begin = time.monotonic()
            file.write(bytes(4096))
            os.fsync(file.fileno())
            durations.append((time.monotonic() - begin) * 1000)
    return median(durations)
