"""
What schemathesis makes of the OpenAPI document is answered as the document says.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.daemon import Daemon, environment
from tests.evidence.amounts import amount

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
SETTINGS = Path(__file__).with_name("schemathesis.toml")
OPENAPI = "/api/v1/openapi.json"

REQUESTS = amount(300, 20_000)
EXAMPLES = amount(1, 100)
"""How many requests of each kind are made up in one run."""

MOST_SECONDS = 3600


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    # Who waits would wait for each of thousands, and a full cluster is a 5xx.
    with Daemon(tmp_path / "state", ["--max-wait=0", "--max-keys=10000"]) as daemon:
        yield daemon


def run(place: Path, document: str, *words: str) -> tuple[int, str]:
    """
    Have it test what a document describes, and return its status and its report.
    """
    done = subprocess.run(
        [SCHEMATHESIS, f"--config-file={SETTINGS}", "run", document, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=place,
        env={**environment(), "HYPOTHESIS_STORAGE_DIRECTORY": str(place / "known")},
        text=True,
        timeout=MOST_SECONDS,
        check=False,
    )
    return done.returncode, done.stdout


def test_nothing_is_answered_that_is_not_documented(
    daemon: Daemon, tmp_path: Path
) -> None:
    asked = runs = 0
    while asked < REQUESTS:
        runs += 1
        status, report = run(
            tmp_path,
            f"{daemon.url}{OPENAPI}",
            f"--max-examples={EXAMPLES}",
            f"--seed={runs}",
            "--no-shrink",
        )
        assert status == 0, report
        made = re.search(r"(\d+) generated", report)
        assert made, report
        asked += int(made[1])
    print(f"{asked} requests in {runs} runs")
    assert daemon.terminate() == 0
    log = daemon.log.read_text()
    assert re.search(r"status[=_]2\d\d", log)
    assert not re.search(r"status[=_]5\d\d", log)


def test_it_finds_what_is_not_documented(daemon: Daemon, tmp_path: Path) -> None:
    document = daemon.request("GET", OPENAPI).json
    responses = document["paths"]["/api/v1/clusters"]["post"]["responses"]
    responses["200"] = responses.pop("201")
    (tmp_path / "wrong.json").write_text(json.dumps(document))
    status, report = run(
        tmp_path,
        "wrong.json",
        f"--url={daemon.url}",
        "--phases=coverage",
        "--include-operation-id=createCluster",
    )
    assert status == 1
    assert "Undocumented status code" in report
