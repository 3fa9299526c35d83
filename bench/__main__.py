"""
``python -m bench``: measure, and print one table.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from bench import agent, size, speed
from bench.report import agent_rows, size_rows, speed_rows, surroundings, table
from bench.servers import WrongAnswer


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure the daemon side by side with a bare twisted.web resource.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--seconds", type=int, default=2, help="length of each run")
    add("--repetitions", type=int, default=5, help="how often each is run")
    add("--clusters", type=int, default=100_000, help="for memory and start-up time")
    add("--large", type=int, default=1_000_000, help="likewise, once; 0 leaves it out")
    add("--directory", default="/var/tmp", help="on the disk that the state is to use")
    return parser.parse_args()


def main() -> None:
    """
    Measure everything in one go.
    """
    given = _arguments()
    runs = given.repetitions
    with tempfile.TemporaryDirectory(
        prefix="cvmpair-bench-", dir=given.directory
    ) as name:
        directory = Path(name).absolute()
        about = surroundings(directory, seconds=given.seconds, repetitions=runs)
        rows = speed_rows(
            speed.measure(directory, seconds=given.seconds, repetitions=runs)
        )
        rows += agent_rows(agent.measure(directory, repetitions=2 * runs))
        rows += size_rows(
            size.measure(directory, clusters=given.clusters, repetitions=runs)
        )
        if given.large:
            rows += size_rows(
                size.measure(directory, clusters=given.large, repetitions=1)
            )
    print(about, table(rows), sep="\n\n")


if __name__ == "__main__":
    try:
        main()
    except WrongAnswer as error:
        sys.exit(f"bench: {error}")
