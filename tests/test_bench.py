"""
``make bench`` on a small scale: its table is whole, and its checks bite.

How fast anything is, is no matter here.
"""

import asyncio
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from bench import latency, load, servers, soak, speed
from bench.clients import ask_steadily
from bench.report import Row, table
from bench.servers import Expected, Server, WrongAnswer
from bench.soak import Sample

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


def test_latency(tmp_path: Path) -> None:
    measured = latency.measure(tmp_path, clusters=3, seconds=1, creations_a_second=20)
    assert len(measured.waits) == latency.GETS_A_SECOND
    assert 0 < measured.percentile(50) <= measured.percentile(99) <= max(measured.waits)
    assert 0 < measured.creations <= 20


def test_steady_questions_mind_the_status(bare: Server) -> None:
    with pytest.raises(WrongAnswer, match="not 201"):
        asyncio.run(
            ask_steadily(
                bare,
                lambda one, _: one.ask("GET", "/", 201),
                rate=100,
                seconds=0.1,
                connections=2,
            )
        )


def samples(memory: Sequence[float], descriptors: Sequence[int]) -> list[Sample]:
    """
    Return samples after the warm-up, and some from before, when there was less.
    """
    before = [Sample(seconds=10, created=1, memory=1, descriptors=1)] * 5
    return before + [
        Sample(seconds=soak.WARM_UP, created=100, memory=one, descriptors=other)
        for one, other in zip(memory, descriptors, strict=True)
    ]


def test_soak_is_content_with_what_goes_up_and_down() -> None:
    told = soak.check(samples([90, 95, 91, 90, 99, 98], [15, 16, 15, 20, 18, 15]))
    assert told == (
        "100 clusters came and went: 95.0 MB and then 99.0 MB, "
        "15 descriptors and then 15"
    )


@pytest.mark.parametrize(
    ("memory", "descriptors", "reason"),
    [
        ([90, 92, 94, 96, 98, 100], [15] * 6, "memory grows"),
        ([90] * 6, [15, 16, 17, 18, 19, 20], "descriptors are left open"),
        ([90] * 2, [15] * 2, "too short"),
    ],
)
def test_soak_finds_what_grows(
    memory: list[float], descriptors: list[int], reason: str
) -> None:
    with pytest.raises(WrongAnswer, match=reason):
        soak.check(samples(memory, descriptors))
