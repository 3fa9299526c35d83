"""
Requests per second, as ratios to what the bare resource does right before.
"""

from pathlib import Path

from attrs import field, frozen

from bench import servers, state
from bench.load import Load, run
from bench.servers import Expected, WrongAnswer

CLUSTERS = "/api/v1/clusters"
CLUSTERS_A_SECOND = 1000
"""
How many clusters are prepared for each second of load.

At 60 times as many POSTs the clusters would be full.
"""


@frozen
class Comparison:
    """
    Runs of the daemon, each with the run of the bare resource before it.

    :ivar script: what wrk asks the daemon for.
    :ivar path: for a script that has no paths of its own.
    """

    script: str
    path: str = "/"
    pairs: list[tuple[Load, Load]] = field(init=False, factory=list)

    @property
    def ratios(self) -> list[float]:
        """
        The rates of the daemon in those of the bare resource.
        """
        return [daemon.rate / bare.rate for bare, daemon in self.pairs]


@frozen
class Speed:
    """
    What is measured.
    """

    get: Comparison = field(factory=lambda: Comparison("get_key.lua"))
    post: Comparison = field(factory=lambda: Comparison("post_key.lua"))
    create: Comparison = field(factory=lambda: Comparison("create.lua", CLUSTERS))


def measure(directory: Path, *, seconds: int, repetitions: int) -> Speed:
    """
    Let both servers run side by side and load them in turn.

    :raises WrongAnswer: if one answers wrongly, or if the daemon keeps less
        than it acknowledged.
    """
    count = CLUSTERS_A_SECOND * seconds * (repetitions + 1)
    prepared = state.prepare(directory / "speed", count)
    pins = directory / "pins"
    pins.write_text("".join(f"{pin}\n" for pin in prepared.pins))
    text = state.first_text(0)
    speed = Speed()
    posted = created = 0
    with (
        servers.bare(text, directory) as bare,
        servers.daemon(prepared.directory) as daemon,
    ):
        bare.wait_for(Expected("/", text))
        daemon.wait_for(prepared.first_key(0))
        for turn in range(repetitions + 1):
            prefix = f"turn{turn}"
            loads = {}
            for comparison in (speed.get, speed.post, speed.create):
                before = run(bare, "summary.lua", "/", seconds)
                loads[comparison.script] = run(
                    daemon, comparison.script, comparison.path, seconds, pins, prefix
                )
                if turn > 0:  # the first one warms up
                    comparison.pairs.append((before, loads[comparison.script]))
            posted += loads[speed.post.script].requests
            created += loads[speed.create.script].requests
            bare.check(Expected("/", text))
            daemon.check(prepared.first_key(turn % count))
            # wrk never sends the first request: it only looks at it.
            daemon.check(prepared.key(1, f"{prefix}_0", "10.0.0.1"))
            daemon.check(Expected(CLUSTERS, None, "POST", 201))
    # The daemon was killed just now, so this is what a crash would leave.
    check_kept(
        state.count_kept(prepared.directory),
        clusters=count + created,
        keys=count * state.KEYS + posted,
    )
    return speed


def check_kept(kept: tuple[int, int], *, clusters: int, keys: int) -> None:
    """
    Compare what is in the file with what must be there at least.

    wrk does not count the last answers, which were on their way when it stopped.

    :raises WrongAnswer: if something is missing.
    """
    if kept[0] < clusters or kept[1] < keys:
        raise WrongAnswer(
            f"{clusters} clusters and {keys} keys were acknowledged, "
            f"{kept[0]} and {kept[1]} are in the file"
        )
