"""
The sources that are files of the machine.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cvmpair_agent.disks.volumes import MAX_FILE
from cvmpair_agent.errors import ContextWrong
from cvmpair_agent.files.root import Root
from cvmpair_agent.userdata.cloud_init import CloudInit
from cvmpair_agent.userdata.context_file import ContextFile
from cvmpair_agent.userdata.injected import Injected
from cvmpair_agent.userdata.source import DataUnreadable, Kind, Source, SourceUnusable
from tests.agent.images import write_tree

DATA = b"sesame\n"
EXTRA = "cernvm/extra-user-data"
OKEANOS = "var/lib/cloud/seed/nocloud-net/user-data"


def look(source: Source) -> list[tuple[str, bytes]]:
    with pytest.raises(StopIteration) as ended:
        source.look().send(None)
    assert {one.source for one in ended.value.value} <= {source.name}
    return [(one.place, one.data) for one in ended.value.value]


def refusal(root: Path) -> str:
    with pytest.raises(SourceUnusable) as raised:
        Injected(root=Root(root)).look().send(None)
    assert isinstance(raised.value, DataUnreadable)
    assert "sesame" not in str(raised.value)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_a_context_file(tmp_path: Path) -> None:
    path = write_tree(tmp_path, {"context": DATA}) / "context"
    path.chmod(0o666)
    (tmp_path / "link").symlink_to("context")
    source = ContextFile(path=path)
    assert (source.name, source.kind) == ("context-file", Kind.FILE)
    assert look(source) == [(str(path), DATA)]
    assert look(ContextFile(path=tmp_path / "link")) == [(str(tmp_path / "link"), DATA)]


def test_a_context_file_has_to_be_there(tmp_path: Path) -> None:
    (tmp_path / "circle").symlink_to("circle")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "huge").write_bytes(bytes(MAX_FILE + 1))
    for name, why in [
        ("missing", "there is no such file"),
        (".", "not a regular file"),
        ("pipe", "not a regular file"),
        ("circle", ""),
        ("huge", "more than 1048576 bytes"),
        ("a\0b", "null byte"),
    ]:
        with pytest.raises(ContextWrong, match=f"^--context-file .*{why}"):
            ContextFile(path=tmp_path / name).look().send(None)


def test_the_copy_of_cloud_init(tmp_path: Path) -> None:
    instance = "var/lib/cloud/instances/one"
    source = CloudInit(root=Root(tmp_path))
    assert (source.name, source.kind) == ("cloud-init", Kind.CLOUD_INIT)
    assert look(source) == []
    write_tree(tmp_path, {f"{instance}/user-data.txt.i": b"included"})
    (tmp_path / "var/lib/cloud/instance").symlink_to("/var/lib/cloud/instances/one")
    place = f"{tmp_path}/var/lib/cloud/instance/user-data.txt"
    assert look(source) == [(f"{place}.i", b"included")]
    write_tree(tmp_path, {f"{instance}/user-data.txt": DATA})
    assert look(source) == [(place, DATA), (f"{place}.i", b"included")]
    (tmp_path / instance / "user-data.txt.i").write_bytes(bytes(MAX_FILE + 1))
    assert look(source) == [(place, DATA)]


def test_injected_files(tmp_path: Path) -> None:
    source = Injected(root=Root(tmp_path))
    assert (source.name, source.kind) == ("injected", Kind.INJECTED)
    assert look(source) == []
    write_tree(tmp_path, {OKEANOS: DATA})
    assert look(source) == [(f"{tmp_path}/{OKEANOS}", DATA)]
    write_tree(tmp_path, {EXTRA: b"", "other": b"2"})
    assert look(source) == [(f"{tmp_path}/{OKEANOS}", DATA)]
    assert look(Injected(root=Root(tmp_path), paths=["/other"])) == [
        (f"{tmp_path}/other", b"2")
    ]


@pytest.mark.parametrize("mode", [0o666, 0o602, 0o620])
def test_an_injected_file_that_others_may_write(tmp_path: Path, mode: int) -> None:
    path = write_tree(tmp_path, {EXTRA: DATA}) / EXTRA
    path.chmod(mode)
    assert refusal(tmp_path) == (
        f"{path}: others than its owner may write it; chmod go-w"
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file away")
def test_an_injected_file_of_another_user(tmp_path: Path) -> None:
    path = write_tree(tmp_path, {EXTRA: DATA}) / EXTRA
    os.chown(path, 12345, 0)
    assert refusal(tmp_path) == f"{path}: it belongs to user 12345, not to root"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file away")
def test_a_link_does_not_hide_whose_file_it_is(tmp_path: Path) -> None:
    os.chown(write_tree(tmp_path, {"home/evil": DATA}) / "home/evil", 12345, 0)
    (tmp_path / "cernvm").mkdir()
    (tmp_path / EXTRA).symlink_to("/home/evil")
    assert "belongs to user 12345" in refusal(tmp_path)


def test_an_injected_file_that_is_none(tmp_path: Path) -> None:
    (tmp_path / EXTRA).mkdir(parents=True)
    assert refusal(tmp_path) == f"{tmp_path}/{EXTRA}: it is not a regular file"
    (tmp_path / EXTRA).rmdir()
    os.mkfifo(tmp_path / EXTRA)
    assert refusal(tmp_path) == f"{tmp_path}/{EXTRA}: it is not a regular file"
    (tmp_path / EXTRA).unlink()
    (tmp_path / EXTRA).symlink_to("extra-user-data")
    assert "too many levels of symbolic links" in refusal(tmp_path)


def test_a_huge_injected_file(tmp_path: Path) -> None:
    write_tree(tmp_path, {EXTRA: DATA * 200_000})
    assert refusal(tmp_path) == f"{tmp_path}/{EXTRA}: it has more than 1048576 bytes"


def test_a_refused_file_does_not_hide_another(tmp_path: Path) -> None:
    path = write_tree(tmp_path, {EXTRA: b"1", OKEANOS: DATA}) / EXTRA
    path.chmod(0o666)
    assert look(Injected(root=Root(tmp_path))) == [(f"{tmp_path}/{OKEANOS}", DATA)]


def test_no_source_needs_more_than_it_must() -> None:
    modules = "azure_disk cloud_init config_drive context_file injected nocloud"
    imports = ", ".join(f"{modules} opennebula vsphere".split())
    code = (
        f"import sys; from cvmpair_agent.userdata import {imports};"
        "names = {name.partition('.')[0] for name in sys.modules};"
        "print(sorted(names & {'email', 'fs', 'pycdlib', 'pyfatfs', 'twisted'}))"
    )
    command = [sys.executable, "-c", code]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert output == "[]\n"
