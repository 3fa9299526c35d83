"""
Paths below another root.
"""

from pathlib import Path

import pytest

from cvmpair_agent.files.root import Root


def test_a_path_is_below_the_root(tmp_path: Path) -> None:
    assert Root(tmp_path).locate("/var/lib/cloud") == tmp_path / "var/lib/cloud"


def test_an_absolute_link_stays_below_the_root(tmp_path: Path) -> None:
    cloud = tmp_path / "var/lib/cloud"
    (cloud / "instances/one").mkdir(parents=True)
    (cloud / "instance").symlink_to("/var/lib/cloud/instances/one")
    found = Root(tmp_path).locate("/var/lib/cloud/instance/user-data.txt")
    assert found == cloud / "instances/one/user-data.txt"


def test_a_relative_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/link").symlink_to("../a/b")
    assert Root(tmp_path).locate("/a/link/file") == tmp_path / "a/b/file"


def test_no_link_leads_out_of_the_root(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "out").symlink_to("../../../../etc")
    assert Root(root).locate("/out/passwd") == root / "etc/passwd"
    assert Root(root).locate("/../../etc") == root / "etc"


def test_a_circle_of_links_ends(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError, match="too many"):
        Root(tmp_path).locate("/a")


def test_the_real_root() -> None:
    assert Root().locate("/etc/hostname") == Path("/etc/hostname").resolve()
