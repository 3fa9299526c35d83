"""
The files that a daemon left when it was killed are cut off, and bits in them are
flipped: each such state is read as it was, or refused.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from cvmpair.snapshots.errors import StateError
from tests.e2e.daemon import CLUSTERS, Daemon
from tests.e2e.parallel import check_all
from tests.e2e.test_faults import AT_ONCE
from tests.e2e.tracing import await_start, complaints, reserved_port
from tests.evidence.amounts import amount
from tests.logs import MARKER, new_log
from tests.snapshots.crashes import LOG, NOTE
from tests.snapshots.states import NAME, Content, Files, content_of, files_of, lay_out

STRIDE = 64 * amount(ci=27, full=1)
STARTS = amount(ci=4, full=100)
"""How many of the damages are shown to a daemon, and not only to what it reads with."""

MERGED, LOGGED = 40, 4
"""How many clusters are made before the log is merged, and after."""

SIZES = (10, 200, 4000)


def fill(daemon: Daemon, clusters: int) -> None:
    """
    Make clusters, change all and delete some.
    """
    for number in range(clusters):
        path = f"{CLUSTERS}/{daemon.new_pin()}"
        for name, size in enumerate(SIZES):
            key = {"key": f"{MARKER}-{name}", "value": f"{MARKER:.<{size}}"}
            assert daemon.send_json("POST", f"{path}/keys", key).status == 201
        changed = daemon.send_json(
            "PUT", f"{path}/keys/{MARKER}-0", {**key, "key": "a"}
        )
        assert changed.status == 200
        if number % 4 == 0:
            assert daemon.request("DELETE", path).status == 204


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Files:
    directory = tmp_path_factory.mktemp("left") / "state"
    with Daemon(directory) as daemon:
        fill(daemon, MERGED)
        assert daemon.terminate() == 0
        daemon.start()
        fill(daemon, LOGGED)
        daemon.kill()
    files = files_of(directory)
    sizes = [len(files[name]) for name in (NAME, LOG)]
    print(f"bytes of the file and the log: {sizes}")
    assert min(sizes) > 100_000
    return files


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory, left: Files) -> Content:
    content = content_of(lay_out(tmp_path_factory.mktemp("content"), left))
    assert len(content) == (MERGED + LOGGED) * 3 // 4
    return content


def damages(files: Files) -> Iterator[tuple[str, Files]]:
    """
    Yield these files cut off at, and with a bit flipped in, every ``STRIDE``-th byte,
    with what was done.
    """
    random = Random(len(files[LOG]))
    for name in (NAME, LOG):
        whole = files[name]
        for at in range(0, len(whole), STRIDE):
            yield f"{name} cut off at {at}", {**files, name: whole[:at]}
            flipped = bytearray(whole)
            flipped[at] ^= 1 << random.randrange(8)
            yield f"{name} flipped at {at}", {**files, name: bytes(flipped)}


def test_every_damage_is_seen_or_does_no_harm(
    tmp_path: Path, left: Files, content: Content
) -> None:
    outcomes: Counter[str] = Counter()
    for what, files in damages(left):
        directory = lay_out(tmp_path / "state", files)
        kind = " ".join(what.split()[:2])
        try:
            found = content_of(directory)
        except StateError:
            assert {LOG: b"", **files_of(directory)} == {LOG: b"", **files}, what
            outcomes[f"{kind}: refused"] += 1
        else:
            assert found == content, what
            outcomes[f"{kind}: read"] += 1
    print(f"{outcomes.total()} damages: {dict(outcomes)}")
    # Unused bytes of the file may change, those of the log may not.
    assert outcomes[f"{LOG} flipped: read"] == outcomes[f"{LOG} cut: read"] == 0
    assert outcomes[f"{NAME} cut: refused"] > 0


def test_a_daemon_refuses_or_serves_what_was_there(
    tmp_path: Path, left: Files, content: Content
) -> None:
    cases = list(damages(left))

    def check(case: tuple[int, tuple[str, Files]]) -> None:
        number, (what, files) = case
        directory = lay_out(tmp_path / f"{number}", files)
        with reserved_port() as port:
            daemon = Daemon(directory, port=port, log=new_log("damaged"))
            daemon.spawn()
            if not await_start(daemon):
                assert daemon.wait() == 1
                (reason,) = complaints(daemon)
                assert NAME in reason
                assert NOTE in files_of(directory), what
                return
            for pin, cluster in content.items():
                answer = daemon.request("GET", f"{CLUSTERS}/{pin}/keys")
                shown = {key["key"]: key["value"] for key in answer.json}
                assert shown == {key.name: key.value for key in cluster.keys}, what
            assert daemon.terminate() == 0

    some = list(enumerate(cases))[:: max(1, len(cases) // STARTS)]
    check_all(some, check, AT_ONCE)
