"""
``make bench`` on a small scale: its table is whole, and its checks bite.

How fast anything is, is no matter here.
"""

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from bench import fleet, latency, load, servers, soak, speed
from bench.clients import ask_steadily
from bench.figures import Curve, Figure, table
from bench.peers import bare as bare_server
from bench.prober import Prober
from bench.results import plot, write
from bench.servers import Expected, Server, WrongAnswer
from bench.soak import Sample

TEXT = "sesame: 10.0.0.1"
SMALL = [
    *["--seconds", "1", "--repetitions", "1", "--clusters", "100"],
    *["--waiters", "20", "--agents", "2", "--peers", "none", "--no-plot"],
]


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Server]:
    with bare_server(TEXT, tmp_path) as server:
        server.wait_for(Expected("/", TEXT))
        yield server


def bench(
    directory: Path, *words: str, path: str = "/usr/bin:/bin"
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "bench", *words, "--directory", ".", "--results", "."],
        cwd=directory,
        env={"PATH": path, "PYTHONPATH": str(servers.ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_small_run_prints_the_whole_table(tmp_path: Path) -> None:
    run = bench(tmp_path, *SMALL)
    parts = ["speed", "waiters", "size", "agent", "growth"]
    progress = "".join(f"bench: measuring {part}\n" for part in parts)
    assert (run.returncode, run.stderr) == (0, progress)
    rows = [line for line in run.stdout.splitlines() if line.startswith("| ")]
    measured = [row.split(" | ")[0].removeprefix("| ") for row in rows]
    assert measured == [
        "measured",
        "---",
        "GET of a key, kept alive: ratio to bare twisted.web",
        "GET of a key, a new connection each: ratio to bare twisted.web",
        "POST of a key, synced: ratio to a bare twisted.web's GET",
        "creation of a cluster, synced: ratio to a bare twisted.web's GET",
        "p99 of GETs while 1,000 clusters a second are created",
        "20 waiters on one key: write sent to last answer",
        "memory for each of 20 waiters",
        "20 waiters whose daemon is killed: until all wait again",
        "resident set with 100 clusters of two keys",
        "start to first answer with 100 clusters of two keys",
        "GET of a key with 100 clusters of two keys: ratio to a daemon with one",
        "start to end of `sh` and `curl` pair as a worker",
        "start to end of `cvmpair-agent pair`",
        "largest resident set of `cvmpair-agent pair`",
        "start to end of `cvmpair-agent apply`",
        "start to end of `cvmpair-agent source`",
        "`master_ready` sent to the file of one waiting agent patched",
        "`master_ready` sent to the last of 2 waiting agents' files patched",
    ]
    for row in rows[2:]:
        assert re.match(r"[\d.,]+", row.split(" | ")[1])
    assert "Twisted 26" in run.stdout
    (file,) = tmp_path.iterdir()
    kept = json.loads(file.read_text())
    assert [figure["measured"] for figure in kept["figures"]] == measured[2:]
    assert all(figure["values"] for figure in kept["figures"])
    assert kept["about"]["Twisted"].startswith("26")
    grown = {curve["title"]: list(curve["points"]) for curve in kept["curves"]}
    assert grown == {
        "speed with many clusters": ["1", "10", "100"],
        "start with many clusters": ["1", "10", "100"],
        "waking many waiters": ["10", "30"],
    }


def test_what_goes_wrong_ends_it_with_one_line(tmp_path: Path) -> None:
    # Without wrk there is nothing to measure speed with.
    run = bench(tmp_path, "--only", "size", *SMALL, path="")
    assert run.returncode == 1
    assert run.stderr == "bench: [Errno 2] No such file or directory: 'wrk'\n"
    assert (run.stdout, list(tmp_path.iterdir())) == ("", [])


@pytest.mark.parametrize("option", ["--only", "--peers"])
def test_unknown_parts_and_peers_are_refused(tmp_path: Path, option: str) -> None:
    run = bench(tmp_path, option, "sesame")
    assert run.returncode == 2
    assert f"argument {option}: take some of" in run.stderr


def test_refused_requests_end_it(bare: Server) -> None:
    # The bare resource has no POST.
    with pytest.raises(WrongAnswer, match=r"of \d+ requests [1-9]\d* were refused"):
        load.run(bare, "create.lua", "/", 1)


def test_scripts_that_fail_end_it(bare: Server) -> None:
    with pytest.raises(WrongAnswer, match=r"get\.lua ended with 1"):
        load.run(bare, "get.lua", "/", 1, "no-such-file")


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
    figures = [
        Figure("too low", [0.3, 0.1, 0.2], "{:.1f}", at_least=0.3),
        Figure("high enough", [0.3], "{:.1f}", at_least=0.3),
        Figure("too much", [601], "{:.0f} MB", at_most=600),
        Figure("little enough", [600], "{:.0f} MB", at_most=600),
    ]
    assert table(figures).splitlines()[2:] == [
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


def test_another_client_that_is_told_something_else_ends_it(bare: Server) -> None:
    def probe() -> None:
        with Prober(bare, Expected("/", "sesame: 10.0.0.2")):
            pass

    with pytest.raises(WrongAnswer, match="another client"):
        probe()


def test_agents_that_do_not_wait_end_it(bare: Server) -> None:
    with subprocess.Popen(["true"]) as process:
        process.wait()
    with pytest.raises(WrongAnswer, match="only 0 of 1 agents wait"):
        fleet.wait_until_all_wait(bare, [process])


def about(when: str) -> dict[str, str]:
    return {"cores": "2", "when": when, "load before": "0.1", "runs": when}


def curve(title: str, label: str, value: float) -> Curve:
    return Curve(title, "x", "y", label, {1: [value], 10: [2.0]})


def test_runs_of_a_day_leave_each_other_be(tmp_path: Path) -> None:
    file = tmp_path / "day.json"
    first = [Figure("speed", [1.0], "{}"), Figure("size", [2.0], "{}")]
    write(file, about("first"), first, [curve("waking", "etcd", 1.0)])
    # As earlier releases wrote it.
    kept = json.loads(file.read_text())
    for each in (*kept["figures"], *kept["curves"]):
        del each["about"]
    file.write_text(json.dumps(kept))
    second = [Figure("size", [3.0], "{}"), Figure("agent", [4.0], "{}")]
    new = [curve("waking", "cvmpair", 2.0), curve("start", "etcd", 3.0)]
    said, drawn = write(file, about("second"), second, new)
    kept = json.loads(file.read_text())
    assert kept["about"]["when"] == "second"
    assert {
        figure["measured"]: (figure["values"], figure["about"]["when"])
        for figure in kept["figures"]
    } == {
        "speed": ([1.0], "first"),
        "size": ([3.0], "second"),
        "agent": ([4.0], "second"),
    }
    assert kept["figures"][0]["about"] == {
        "when": "first",
        "load before": "0.1",
        "runs": "first",
    }
    assert drawn == [curve("waking", "etcd", 1.0), *new]
    assert said["when"] == "first and second"


@pytest.mark.parametrize("text", ["sesame", "[]", "{}", '{"figures": 1}'])
def test_what_is_no_file_of_results_is_left_alone(tmp_path: Path, text: str) -> None:
    file = tmp_path / "day.json"
    file.write_text(text)
    with pytest.raises(WrongAnswer, match="move it away"):
        write(file, about("now"), [], [])
    assert file.read_text() == text


def test_curves_are_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="only the benchmark needs it")
    curves = [Curve("waking", "x", "y", label, {1: [1], 10: [2]}) for label in "ab"]
    plot(tmp_path / "plot.png", {"cores": "2"}, curves)
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")
