"""
The placeholder is replaced in the files of a machine below another root.
"""

import os
import stat
from pathlib import Path

import pytest

from cvmpair_agent.errors import AgentError
from cvmpair_agent.files.patching import Patched, patch
from cvmpair_agent.files.root import Root

MARK = "###MASTER_IP_PLACEHOLDER###"
CLOUD = "/var/lib/cloud/instance"
ADDRESS = "10.10.25.5"


class Machine:
    """
    A directory tree with the files of a machine.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.root = Root(path)

    def put(self, name: str, text: str, mode: int = 0o600) -> None:
        place = self.root.locate(name)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        place.chmod(mode)

    def text(self, name: str) -> str:
        return self.root.locate(name).read_text()

    def boot(self) -> None:
        """
        Write what cloud-init writes at each boot, from the original user data.
        """
        link = self.path / "var/lib/cloud/instance"
        if not link.is_symlink():
            (self.path / "var/lib/cloud/instances/i-1").mkdir(parents=True)
            # As cloud-init makes it: absolute, so that outside it leads nowhere.
            link.symlink_to("/var/lib/cloud/instances/i-1")
        self.put(f"{CLOUD}/user-data.txt", f"#cloud-config\nruncmd: [echo {MARK}]\n")
        self.put(f"{CLOUD}/user-data.txt.i", f"MIME\n\n{MARK} {MARK}\n")
        self.put(f"{CLOUD}/cloud-config.txt", f"runcmd: [echo {MARK}]\n")
        self.put(f"{CLOUD}/scripts/part-001", f"#!/bin/sh\necho {MARK}\n", 0o700)
        self.put(f"{CLOUD}/scripts/part-002", "#!/bin/sh\n", 0o700)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


PATCHED_AT_BOOT = Patched(
    changed=(
        f"{CLOUD}/user-data.txt",
        f"{CLOUD}/user-data.txt.i",
        f"{CLOUD}/cloud-config.txt",
        f"{CLOUD}/scripts/part-001",
    ),
    unchanged=(f"{CLOUD}/scripts/part-002",),
)


def test_the_files_of_cloud_init(machine: Machine) -> None:
    machine.boot()
    assert patch(machine.root, None, ADDRESS) == PATCHED_AT_BOOT
    assert machine.text(f"{CLOUD}/cloud-config.txt") == f"runcmd: [echo {ADDRESS}]\n"
    assert machine.text(f"{CLOUD}/user-data.txt.i") == (
        f"MIME\n\n{ADDRESS} {ADDRESS}\n"
    )
    script = machine.root.locate(f"{CLOUD}/scripts/part-001")
    assert script.read_text() == f"#!/bin/sh\necho {ADDRESS}\n"
    assert stat.S_IMODE(script.stat().st_mode) == 0o700
    assert (machine.path / "var/lib/cloud/instance").is_symlink()


def test_a_second_time_there_is_nothing_to_do(machine: Machine) -> None:
    machine.boot()
    patch(machine.root, None, ADDRESS)
    place = machine.root.locate(f"{CLOUD}/cloud-config.txt")
    before = place.stat()
    patched = patch(machine.root, None, ADDRESS)
    assert patched.changed == ()
    assert set(patched.unchanged) == {*PATCHED_AT_BOOT.changed} | {
        *PATCHED_AT_BOOT.unchanged
    }
    assert place.stat().st_mtime_ns == before.st_mtime_ns
    assert place.stat().st_ino == before.st_ino


def test_the_files_of_cernvm(machine: Machine) -> None:
    names = [
        "/mnt/.rw/context/user-data",
        "/mnt/.rw/context/ucontext",
        "/mnt/.rw/context/extra-ucontext",
        "/var/lib/amiconfig/2007-12-15/user-data",
        "/var/lib/amiconfig/latest/user-data",
        "/var/lib/amiconfig-online/2007-12-15/user-data",
        "/cernvm/extra-user-data",
    ]
    for name in names:
        machine.put(name, MARK)
    machine.put("/var/lib/amiconfig/2007-12-15/meta-data/x", MARK)
    assert patch(machine.root, None, ADDRESS).changed == tuple(names)
    assert {machine.text(name) for name in names} == {ADDRESS}


def test_a_machine_without_a_context(machine: Machine) -> None:
    assert patch(machine.root, None, ADDRESS) == Patched(changed=(), unchanged=())
    assert list(machine.path.iterdir()) == []


def test_files_that_are_named(machine: Machine) -> None:
    machine.boot()
    machine.put("/etc/a.conf", MARK)
    machine.put("/etc/b.conf", MARK)
    machine.put("/etc/.c.conf", MARK)
    machine.put("/etc/[x].conf", MARK)
    (machine.path / "etc/d.conf").mkdir()
    patched = patch(machine.root, ["/etc/[x].conf", "/etc/[ab].conf", "/no/*"], ADDRESS)
    assert patched.changed == ("/etc/[x].conf", "/etc/a.conf", "/etc/b.conf")
    assert patch(machine.root, ["/etc/*.conf"], ADDRESS).changed == ()
    assert machine.text("/etc/.c.conf") == MARK
    assert MARK in machine.text(f"{CLOUD}/cloud-config.txt")


def test_a_file_that_is_named_twice(machine: Machine) -> None:
    machine.put("/etc/a", MARK)
    (machine.path / "etc/b").symlink_to("/etc/a")
    assert patch(machine.root, ["/etc/b", "/etc/a", "/etc/*"], ADDRESS) == Patched(
        changed=("/etc/b",), unchanged=()
    )
    assert (machine.path / "etc/b").is_symlink()
    assert machine.text("/etc/a") == ADDRESS


def test_a_file_that_fails_does_not_hold_up_the_others(machine: Machine) -> None:
    machine.boot()
    machine.put("/etc/a", f"sesame {MARK}")
    os.mkfifo(machine.path / "etc/pipe")
    (machine.path / "etc/circle").symlink_to("circle")
    names = ["/etc/missing", "/etc/circle", "/etc/pipe", "/etc/a/b", "/etc/a", "/etc"]
    with pytest.raises(AgentError) as caught:
        patch(machine.root, names, ADDRESS)
    assert caught.value.exit_code == 1
    text = str(caught.value)
    for name in [
        "missing: there is no",
        "circle: ",
        "pipe: not a reg",
        "a/b: there is",
    ]:
        assert f"/etc/{name}" in text
    assert "/etc: not a regular file" in text
    assert text.endswith("It was put into /etc/a.")
    assert "sesame" not in text
    assert "\n" not in text
    assert machine.text("/etc/a") == f"sesame {ADDRESS}"


def test_a_default_that_fails_is_told(machine: Machine) -> None:
    machine.boot()
    os.mkfifo(machine.path / "var/lib/cloud/instances/i-1/scripts/part-000")
    place = machine.root.locate(f"{CLOUD}/user-data.txt")
    place.unlink()
    place.mkdir()
    with pytest.raises(AgentError, match=r"user-data\.txt: not a regular file"):
        patch(machine.root, None, ADDRESS)
    assert ADDRESS in machine.text(f"{CLOUD}/cloud-config.txt")
    assert ADDRESS in machine.text(f"{CLOUD}/scripts/part-001")


@pytest.mark.parametrize("address", ["2001:db8::1", r"a/b&c\1"])
def test_the_address_is_just_text(machine: Machine, address: str) -> None:
    machine.put("/etc/a", f"{MARK}{MARK}\r\n")
    patch(machine.root, ["/etc/a"], address)
    assert machine.root.locate("/etc/a").read_bytes() == (
        f"{address}{address}\r\n".encode()
    )


def test_bytes_that_are_not_text(machine: Machine) -> None:
    machine.put("/etc/a", "")
    place = machine.root.locate("/etc/a")
    place.write_bytes(b"\0\xff\x1f\x8b" + MARK.encode() + b"\xfe")
    patch(machine.root, ["/etc/a"], ADDRESS)
    assert place.read_bytes() == b"\0\xff\x1f\x8b" + ADDRESS.encode() + b"\xfe"
