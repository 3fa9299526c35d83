"""
A machine is the same at its next boot, and its copy is another.
"""

from pathlib import Path

import pytest

from cvmpair_agent.files.instance import identify
from cvmpair_agent.files.root import Root

IDENTITIES = {
    "sys/class/dmi/id/product_uuid": "9D2A5F5C-93A6-4E1C-8B25-0C6D5E1F6A11\n",
    "var/lib/cloud/data/instance-id": "i-0a1b2c3d\n",
    "etc/machine-id": "0123456789abcdef0123456789abcdef\n",
}


def machine(path: Path, **changed: str) -> Root:
    for name, text in IDENTITIES.items():
        place = path / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(changed.get(place.name.replace("-", "_"), text))
    return Root(path)


def test_the_next_boot(tmp_path: Path) -> None:
    assert identify(machine(tmp_path)) == identify(machine(tmp_path))


@pytest.mark.parametrize("name", ["product_uuid", "instance_id", "machine_id"])
def test_a_machine_from_the_same_image(tmp_path: Path, name: str) -> None:
    original = identify(machine(tmp_path / "a"))
    assert identify(machine(tmp_path / "b", **{name: "another"})) != original


@pytest.mark.parametrize("name", IDENTITIES)
def test_what_is_missing_does_not_count(tmp_path: Path, name: str) -> None:
    root = machine(tmp_path)
    everything = identify(root)
    (tmp_path / name).unlink()
    rest = identify(root)
    assert rest != everything
    (tmp_path / name).write_text("\n")
    assert identify(root) == rest
    (tmp_path / name).unlink()
    (tmp_path / name).mkdir()
    assert identify(root) == rest


def test_a_machine_id_that_is_not_made_yet(tmp_path: Path) -> None:
    root = machine(tmp_path, machine_id="uninitialized\n")
    early = identify(root)
    (tmp_path / "etc/machine-id").unlink()
    assert identify(root) == early


def test_the_case_of_a_uuid_does_not_count(tmp_path: Path) -> None:
    # Kernels have written both.
    upper = IDENTITIES["sys/class/dmi/id/product_uuid"]
    lower = machine(tmp_path / "a", product_uuid=upper.lower())
    assert identify(lower) == identify(machine(tmp_path / "b"))


def test_the_identities_cannot_be_had_from_it(tmp_path: Path) -> None:
    found = identify(machine(tmp_path))
    assert len(found) == 64
    assert all(text.strip().lower() not in found for text in IDENTITIES.values())


def test_a_machine_without_any(tmp_path: Path) -> None:
    assert identify(Root(tmp_path)) == identify(Root(tmp_path / "other"))
