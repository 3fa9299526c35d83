"""
``python -m bench``: measure, print one table, and keep all values and a plot.
"""

import argparse
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from bench import (
    agent,
    fleet,
    growth,
    latency,
    peers,
    results,
    size,
    speed,
    surroundings,
    waiting,
)
from bench.figures import Curve, Figure, table
from bench.plan import FULL, QUICK, Plan
from bench.servers import WrongAnswer

PARTS = {
    "speed": [speed.measure, latency.repeat],
    "waiters": [waiting.measure],
    "size": [size.measure],
    "agent": [agent.measure, fleet.measure],
    "growth": [growth.measure],
}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure the daemon side by side with its peers.",
    )
    add = parser.add_argument
    add("--quick", action="store_true", help="a short run of everything")
    add("--only", type=_some_of(PARTS), default=[*PARTS], help=", ".join(PARTS))
    add(
        "--peers",
        type=_some_of(peers.PROGRAMS),
        default=[*peers.PROGRAMS],
        help=f"{', '.join(peers.PROGRAMS)}, or none",
    )
    for name, number in FULL.items():
        text = f"instead of {number}, or {QUICK[name]} with --quick"
        add(f"--{name}", type=int, help=text)
    add("--directory", default="/var/tmp", help="on the disk that the state is to use")
    add("--results", type=Path, default=Path(__file__).parent / "results")
    add("--plot", action=argparse.BooleanOptionalAction, default=True)
    return parser.parse_args()


def _some_of(names: Collection[str]) -> Callable[[str], list[str]]:
    def parse(text: str) -> list[str]:
        given = [] if text == "none" else text.split(",")
        if not set(given) <= set(names):
            raise argparse.ArgumentTypeError(f"take some of {', '.join(names)}")
        return [name for name in names if name in given]

    return parse


def _plan(given: argparse.Namespace, directory: Path) -> Plan:
    numbers = {
        name: getattr(given, name) or (QUICK[name] if given.quick else number)
        for name, number in FULL.items()
    }
    found, missing = peers.present(given.peers)
    for name in missing:
        print(f"bench: {name} is left out, it is not installed", file=sys.stderr)
    return Plan(directory=directory, peers=found, **numbers)


def _measure(plan: Plan, parts: Collection[str]) -> Iterator[Figure | Curve]:
    for part in parts:
        print(f"bench: measuring {part}", file=sys.stderr)
        for measure in PARTS[part]:
            yield from measure(plan)


def main() -> None:
    """
    Measure what is asked for in one go.
    """
    given = _arguments()
    # Whoever ends it ends what it has started, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("bench: ended by SIGTERM"))
    # A connection for each waiter; what is started has the same limit.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    file = given.results / f"{time.strftime('%Y-%m-%d')}.json"
    # Rather than at the end, when there is something to lose.
    results.read(file)
    with tempfile.TemporaryDirectory(
        prefix="cvmpair-bench-", dir=given.directory
    ) as name:
        plan = _plan(given, Path(name).absolute())
        about = surroundings.look(plan)
        measured = list(_measure(plan, given.only))
    figures = [each for each in measured if isinstance(each, Figure)]
    curves = [each for each in measured if isinstance(each, Curve)]
    print(surroundings.as_text(about), table(figures), sep="\n\n")
    given.results.mkdir(exist_ok=True)
    about, all_curves = results.write(file, about, figures, curves)
    if given.plot and curves:
        results.plot(file.with_suffix(".png"), about, all_curves)


if __name__ == "__main__":
    try:
        main()
    except (WrongAnswer, OSError, EOFError, subprocess.SubprocessError) as error:
        sys.exit(f"bench: {error}")
