"""
``make bench`` on a small scale: its table is whole, and its checks bite.

How fast anything is, is no matter here.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import load, servers, speed
from bench.report import Row, table
from bench.servers import Expected, Server, WrongAnswer

TEXT = "sesame: 10.0.0.1"


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Server]:
    with servers.bare(TEXT, tmp_path) as server:
        server.wait_for(Expected("/", TEXT))
        yield server


def test_small_run_prints_the_whole_table(tmp_path: Path) -> None:
    words = ["--seconds", "1", "--repetitions", "1", "--clusters", "100"]
    run = subprocess.run(
        [sys.executable, "-m", "bench", *words, "--large", "120", "--directory", "."],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(servers.ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, "")
    rows = [line for line in run.stdout.splitlines() if line.startswith("| ")]
    measured = [row.split(" | ")[0].removeprefix("| ") for row in rows]
    assert measured == [
        "measured",
        "---",
        "requests/s of a bare `twisted.web` resource",
        "GET of a key, ratio to it",
        "POST of a key, synced, ratio to it",
        "creation of a cluster, synced, ratio to it",
        "start to end of `sh` and `curl` pair as a worker",
        "start to end of `cvmpair-agent pair`",
        "largest resident set of `cvmpair-agent pair`",
        "start to end of `cvmpair-agent apply`",
        "start to end of `cvmpair-agent source`",
        "resident set with 100 clusters of two keys",
        "start to first answer with 100 clusters of two keys",
        "resident set with 120 clusters of two keys",
        "start to first answer with 120 clusters of two keys",
    ]
    for row in rows[2:]:
        assert float(re.findall(r"[\d.]+", row.split(" | ")[1].replace(",", ""))[0]) > 0
    assert "Twisted 26" in run.stdout
    assert list(tmp_path.iterdir()) == []


def test_refused_requests_end_it(bare: Server) -> None:
    # The bare resource has no POST.
    with pytest.raises(WrongAnswer, match=r"of \d+ requests [1-9]\d* were refused"):
        load.run(bare, "create.lua", "/", 1)


def test_scripts_that_fail_end_it(bare: Server) -> None:
    with pytest.raises(WrongAnswer, match=r"get_key\.lua ended with 1"):
        load.run(bare, "get_key.lua", "/", 1, "no-such-file")


def test_wrong_body_ends_it(bare: Server) -> None:
    with pytest.raises(WrongAnswer, match="not Expected"):
        bare.check(Expected("/", "sesame: 10.0.0.2"))


def test_wrong_status_ends_it(bare: Server) -> None:
    with pytest.raises(WrongAnswer, match="405"):
        bare.check(Expected("/", None, method="POST", status=201))


def test_server_that_ends_is_reported_with_its_log(tmp_path: Path) -> None:
    words = [sys.executable, "-c", "raise SystemExit('open sesame')"]
    server = Server(words, servers.free_port(), tmp_path / "log")
    with server, pytest.raises(WrongAnswer, match="open sesame"):
        server.wait_for(Expected("/", TEXT))


@pytest.mark.parametrize("kept", [(9, 20), (10, 19)])
def test_lost_acknowledged_writes_end_it(kept: tuple[int, int]) -> None:
    speed.check_kept((10, 20), clusters=10, keys=20)
    with pytest.raises(WrongAnswer, match="acknowledged"):
        speed.check_kept(kept, clusters=10, keys=20)


def test_table_is_honest() -> None:
    rows = [
        Row("too low", [0.3, 0.1, 0.2], "{:.1f}", at_least=0.3),
        Row("high enough", [0.3], "{:.1f}", at_least=0.3),
        Row("too much", [601], "{:.0f} MB", at_most=600),
        Row("little enough", [600], "{:.0f} MB", at_most=600),
    ]
    assert table(rows).splitlines()[2:] == [
        "| too low | 0.2 | 0.1 to 0.3 |  | ≥ 0.3 | NO |",
        "| high enough | 0.3 | one run |  | ≥ 0.3 | yes |",
        "| too much | 601 MB | one run |  | ≤ 600 MB | NO |",
        "| little enough | 600 MB | one run |  | ≤ 600 MB | yes |",
    ]
