"""
What is told of a PIN that was valid: the same after a crash, and after a stop.
"""

from pathlib import Path

import pytest

from tests.e2e.daemon import CLUSTERS, Daemon


@pytest.mark.parametrize("durability", ["synced", "periodic"])
def test_an_ending_is_told_again_and_again(tmp_path: Path, durability: str) -> None:
    options = [f"--durability={durability}"]
    with Daemon(tmp_path / "state", options=options) as daemon:
        path = f"{CLUSTERS}/{daemon.new_pin()}"
        assert daemon.request("DELETE", path).status == 204
        told = daemon.request("GET", path)
        assert (told.status, told.json["reason"]) == (410, "deleted")
        for crash in (False, True):
            # What is not synced survives an orderly stop only.
            if crash:
                daemon.kill()
            else:
                assert daemon.terminate() == 0
            daemon.start()
            assert daemon.request("GET", path).json == told.json
        assert daemon.request("GET", f"{CLUSTERS}/aaaaaaaaaaaa").status == 404


def test_no_more_are_remembered_than_the_option_says(tmp_path: Path) -> None:
    options = ["--max-tombstones=1"]
    with Daemon(tmp_path / "state", options=options) as daemon:
        paths = [f"{CLUSTERS}/{daemon.new_pin()}" for _ in range(2)]
        for path in paths:
            assert daemon.request("DELETE", path).status == 204
        for _ in range(2):
            assert [daemon.request("GET", path).status for path in paths] == [404, 410]
            daemon.kill()
            daemon.start()
