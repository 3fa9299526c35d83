"""
Bytes of any kind, into all that reads what others have written.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.daemon import environment
from tests.e2e.parallel import check_all
from tests.evidence.fuzzing.targets import TARGETS

CORPUS = Path(__file__).with_name("corpus")
SECONDS = int(os.environ.get("CVMPAIR_FUZZ_SECONDS") or 60)
AT_ONCE = 2


@pytest.mark.parametrize("target", TARGETS)
def test_what_was_found_before(target: str) -> None:
    kept = list((CORPUS / target).iterdir())
    assert kept
    for path in kept:
        TARGETS[target](path.read_bytes())


def test_nothing_else_is_found(tmp_path: Path) -> None:
    def fuzz(target: str) -> None:
        place = tmp_path / target
        (place / "found").mkdir(parents=True)
        words = [target, place / "found", str(SECONDS)]
        done = subprocess.run(
            [sys.executable, "-m", "tests.evidence.fuzzing", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment(),
            cwd=tmp_path,
            check=False,
        )
        report = done.stdout.decode(errors="replace")
        assert done.returncode == 0, report[-4000:]
        tried = int(report.partition("number_of_executed_units:")[2].split()[0])
        print(f"{target}: {tried} in {SECONDS} s")
        assert tried > len(list((CORPUS / target).iterdir()))
        assert not list(place.glob("crash-*"))

    check_all(TARGETS, fuzz, AT_ONCE)
