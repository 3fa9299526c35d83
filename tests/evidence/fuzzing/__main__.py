"""
Try one target for some seconds, and keep in a folder what reaches something new.

The status is 0 if nothing was wrong; else what was tried last is in the folder above
the corpus, in a file that begins with ``crash-``.
"""

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["cvmpair", "cvmpair_agent", "email"]):
    from tests.evidence.fuzzing.targets import TARGETS

MOST_BYTES = 4096


def main(name: str, corpus: str, seconds: str) -> None:
    """
    Run it; it ends the process.
    """
    words = [
        f"-max_total_time={seconds}",
        f"-max_len={MOST_BYTES}",
        "-timeout=20",
        f"-artifact_prefix={Path(corpus).parent}/",
        "-print_final_stats=1",
        corpus,
    ]
    # What is kept already, in the order in which it was found.
    kept = Path(__file__).parents[1] / "corpus" / name
    atheris.Setup([sys.argv[0], *words, str(kept)], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
